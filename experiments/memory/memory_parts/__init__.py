"""The parts of the memory experiment."""
