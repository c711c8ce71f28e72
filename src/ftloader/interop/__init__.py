"""Bridges to other packages: their names on our engine, their objects out of ours.

Each module here says in its own docstring what it needs installed; this one needs nothing.
"""
