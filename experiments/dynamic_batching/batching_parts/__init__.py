"""The parts of the experiment on dynamic batching; ``run.py`` beside this puts them together."""
