"""Trials: several ways to do one job, each in a process of its own, judged by several metrics.

What a comparison of loaders needs and a comparison of costs cannot give: memory of a process tree,
CPU time with its children, the time to start and to end. ``experiments/peers/run.py`` is one to
read.
"""

from .describe import Cell, Contender, Hypothesis, Metric, Outcome, TrialExperiment
from .main import main

__all__ = ["Cell", "Contender", "Hypothesis", "Metric", "Outcome", "TrialExperiment", "main"]
