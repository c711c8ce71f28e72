"""The parts of the head-of-line experiment."""
