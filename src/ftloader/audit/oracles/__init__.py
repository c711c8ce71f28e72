"""Detectors that need no luck: each makes its point in one thread, or with threads held still."""
