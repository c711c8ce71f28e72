"""What the references make of small synthetic samples, for interpreters that cannot run them.

``./noxw -s oracle -- --write-golden`` writes the ``.npz`` files anew; ``tests/detection`` compares
with them everywhere. No real picture goes into them.
"""
