"""What a number of cores may be used to say about scaling: one table, read by code and by reports.

Two cores give one speed-up, which cannot settle two unknowns; a third and a fourth settle Amdahl's
law and nothing more; contention and coherence part from eight, and a peak shows from sixteen. The
table is Gunther's advice made strict: what it does not allow is not computed.
"""

from __future__ import annotations

from dataclasses import dataclass

_AMDAHL, _USL, _PEAK = 3, 8, 16


@dataclass(frozen=True)
class Allowed:
    """What may be said.

    Attributes:
        amdahl: Amdahl's law may be fitted.
        usl: the Universal Scalability Law may be quoted; below, it may only be drawn, dotted.
        peak: the thread count at which the throughput peaks may be quoted.
        said: the same in one sentence, without a capital and without a full stop.
    """

    amdahl: bool
    usl: bool
    peak: bool
    said: str


def by_cores(cores: int) -> Allowed:
    """Return what a number of real cores allows."""
    return Allowed(cores >= _AMDAHL, cores >= _USL, cores >= _PEAK, _sentence(cores))


def _sentence(cores: int) -> str:
    if cores < 2:
        return "1 core: nothing can be said about scaling"
    if cores < _AMDAHL:
        return (
            "2 cores: one speed-up, one equation; two unknowns of a scaling law cannot be fitted, "
            "so none is, and nothing is said about more than two cores"
        )
    if cores < _USL:
        return (
            f"{cores} cores: Amdahl's law can be fitted; the Universal Scalability Law is not "
            "identified, and nothing is said about more cores than these"
        )
    law = "Amdahl's law and the Universal Scalability Law can be fitted"
    if cores < _PEAK:
        return f"{cores} cores: {law}; where the throughput would peak is not said"
    return f"{cores} cores: {law}; a peak is said only within 1.5 times the most threads measured"
