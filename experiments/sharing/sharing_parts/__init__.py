"""The parts of the sharing experiment."""
