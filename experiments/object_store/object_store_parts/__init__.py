"""The parts of the object store experiment."""
