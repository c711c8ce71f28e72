"""The static scan: twelve rules about source that writes to what threads share.

The scan follows the calls of one transform through its methods, its nested transforms and the
functions they call, with the live object at hand: so it knows which attribute is an array, which
a generator, and which method a name stands for. It never calls the transform.
"""

from __future__ import annotations

from .detect import detect
from .rules import RULES, Rule

__all__ = ["RULES", "Rule", "detect"]
