"""Looking at detection data before training on it: statistics, problems, augmented samples.

``python -m ftloader inspect`` is made of these parts. They only read what ``detection`` publishes,
and each is a pure function, safe to call from any thread.
"""

from ftloader.inspect.problems import Problem, find_problems
from ftloader.inspect.statistics import Statistics, statistics

__all__ = ["Problem", "Statistics", "find_problems", "statistics"]
