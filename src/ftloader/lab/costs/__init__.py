"""Experiments that ask what something costs: contenders side by side in one process.

Where ``ftloader.lab``'s scaling experiments vary the thread count of one pipeline, these put
several ways to do the same work next to each other, measure them in turns in short windows, and
compare ratios with targets that were written down before the run.
``experiments/engine_overhead/run.py`` is the one to read. Reading order: ``describe``, ``measure``,
``worker``, ``main``, ``check``, ``analyse``, ``report``.
"""

from .describe import Cell, Claim, Contender, CostExperiment, Measured, Part
from .main import main

__all__ = ["Cell", "Claim", "Contender", "CostExperiment", "Measured", "Part", "main"]
