"""Scaling laws fitted to blocks of throughputs: Amdahl's and the Universal Scalability Law.

With C(N) = X(N) / X(1), Amdahl's law is C = N / (1 + alpha (N - 1)), and Gunther's Universal
Scalability Law C = N / (1 + alpha (N - 1) + beta N (N - 1)): contention and coherence. Both are
fitted to the curve itself by least squares of relative errors, with alpha and beta held at zero or
above and X(1) as a further unknown; never to the quadratic form, which gives a negative beta from
good data. What a block's machine did to all of its cells cancels, since each block is first divided
by its own mean; a cell that the machine disturbed weighs little, since medians over blocks are
fitted. Intervals come from fits to redrawn blocks.

``honesty`` says what a number of cores allows, and what it does not allow is not returned. A
speed-up above the number of threads is a broken baseline until proven otherwise: nothing is fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from . import _least
from .honesty import Allowed, by_cores
from .statistics import (
    SMALLEST_RESOLVABLE,
    Estimate,
    block_ratios,
    bootstrap_tail,
    estimate,
)

DRAWS = 2000
# A law of two unknowns, or three, needs one point more than that to be able to fail.
_AMDAHL_COUNTS, _USL_COUNTS = 3, 4
# A peak further out than this rests on the law alone.
_PEAK_WITHIN = 1.5

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """A law fitted to the points of one curve; quote it only beside them.

    Attributes:
        law: ``"amdahl"`` or ``"usl"``.
        alpha: fraction of one item's time that behaves as serial; above 1 where threads slow each
            other down, which Amdahl's law does not describe.
        beta: what each pair of threads costs, in units of one item's time; ``None`` for Amdahl's
            law, where it is not identified, and where its interval holds 0.
        peak: thread count at which the throughput is highest; ``None`` where it may not be said.
        rate: throughput of one thread by the law, in the units handed in, per second.
        residual: root mean square of the medians' relative deviations from the law.
        identified: whether cores and points suffice to tell its parameters apart; if not, the law
            may be drawn as a dotted line and nothing of it may be quoted.
        counts: the thread counts it was fitted to.
        shape: alpha and beta of the drawn line, which may not be quotable.
    """

    law: Literal["amdahl", "usl"]
    alpha: Estimate
    beta: Estimate | None
    peak: Estimate | None
    rate: Estimate
    residual: float
    identified: bool
    counts: tuple[int, ...] = ()
    shape: tuple[float, float] = (0.0, 0.0)

    def rates(self, threads: Array) -> Array:
        """Return the law's throughputs, to draw it as far as ``counts`` reach and no further."""
        return self.rate.value * threads / _least.delay(threads, *self.shape)


@dataclass(frozen=True)
class Laws:
    """What could be fitted.

    Attributes:
        fits: the laws, Amdahl's first; empty where none may be fitted.
        said: what they say, or why there are none: one or more sentences for the report.
        broken: thread counts whose speed-up exceeds the number of threads.
    """

    fits: tuple[Fit, ...]
    said: str
    broken: tuple[int, ...] = ()


def fits(by_block: Mapping[int, Mapping[int, float]], cores: int, seed: int) -> Laws:
    """Fit what the number of cores, thread counts and blocks allows.

    Args:
        by_block: thread count to block to throughput; blocks that lack a count are left out.
        cores: real cores the threads could run on.
        seed: of the redrawn blocks; the same seed gives the same result.

    Raises:
        ValueError: a thread count is below 1 or above ``cores``, where a point shows the
            scheduler and no law; or a throughput is not positive and finite.
    """
    counts = _sound_counts(by_block, cores)
    broken = _broken(by_block)
    blocks = sorted(set.intersection(*(set(by_block[n]) for n in counts))) if counts else []
    reason = _why_not(counts, len(blocks), cores, broken)
    if reason:
        return Laws((), reason, broken)
    allowed = by_cores(min(cores, counts[-1]))
    logs = np.log([[by_block[count][block] for count in counts] for block in blocks])
    bootstrap = _Bootstrap(np.array(counts, dtype=np.float64), logs, seed)
    amdahl, usl = bootstrap.amdahl(), bootstrap.usl(allowed)
    shown = (amdahl, usl) if len(counts) >= _USL_COUNTS else (amdahl,)
    return Laws(shown, _sentences(shown, len(blocks), allowed, cores))


def _sound_counts(by_block: Mapping[int, Mapping[int, float]], cores: int) -> list[int]:
    for count, found in by_block.items():
        if not 1 <= count <= cores:
            raise ValueError(
                f"a law cannot be fitted to {count} threads on {cores} cores: leave that point out"
            )
        for block, rate in found.items():
            if not 0 < rate < float("inf"):
                raise ValueError(
                    f"{count} threads, block {block}: a throughput is positive and finite, "
                    f"not {rate}"
                )
    return sorted(count for count, found in by_block.items() if found)


def _broken(by_block: Mapping[int, Mapping[int, float]]) -> tuple[int, ...]:
    """Return the counts whose whole interval of speed-ups lies above the number of threads."""
    one = by_block.get(1, {})
    found = []
    for count in sorted(by_block.keys() - {1}):
        ratios = block_ratios(by_block[count], one)
        if len(ratios) >= SMALLEST_RESOLVABLE and estimate(ratios).low > count:
            found.append(count)
    return tuple(found)


def _why_not(counts: Sequence[int], blocks: int, cores: int, broken: Sequence[int]) -> str:
    """Say why nothing may be fitted; empty where something may."""
    allowed = by_cores(cores)
    if broken:
        return (
            f"The speed-up at {_listed(broken)} threads exceeds the number of threads: the "
            "one-thread baseline is broken until proven otherwise, and no law is fitted."
        )
    if not allowed.amdahl:
        return f"{allowed.said}."
    if 1 not in counts or len(counts) < _AMDAHL_COUNTS:
        return (
            f"{cores} cores, but a law needs {_AMDAHL_COUNTS} thread counts of which one is 1, and "
            f"there {'is' if len(counts) == 1 else 'are'} {_listed(counts) or 'none'}: no law is "
            "fitted."
        )
    if blocks < SMALLEST_RESOLVABLE:
        return (
            f"{blocks} blocks hold every thread count, fewer than the {SMALLEST_RESOLVABLE} that "
            "an interval needs: no law is fitted."
        )
    return ""


class _Bootstrap:
    """Fits to all blocks and to redrawn ones."""

    def __init__(self, counts: Array, logs: Array, seed: int) -> None:
        self._counts, self._blocks = counts, len(logs)
        scale = logs.mean(axis=1, keepdims=True)
        centred = logs - scale
        picks = np.random.default_rng(seed).integers(0, len(logs), size=(DRAWS, len(logs)))
        self._scales = np.concatenate([[np.median(scale)], np.median(scale[picks, 0], axis=1)])
        self._curves = np.vstack([np.median(centred, axis=0), np.median(centred[picks], axis=1)])

    def amdahl(self) -> Fit:
        alpha, _, rate, residual = self._fitted(usl=False)
        return Fit(
            law="amdahl",
            alpha=self._estimate(alpha),
            beta=None,
            peak=None,
            rate=self._estimate(rate),
            residual=residual,
            identified=True,
            counts=tuple(map(int, self._counts)),
            shape=(float(alpha[0]), 0.0),
        )

    def usl(self, allowed: Allowed) -> Fit:
        alpha, beta, rate, residual = self._fitted(usl=True)
        identified = allowed.usl and len(self._counts) >= _USL_COUNTS
        coherence = self._estimate(beta)
        quotable = identified and coherence.low > 0
        return Fit(
            law="usl",
            alpha=self._estimate(alpha),
            beta=coherence if quotable else None,
            peak=self._peak(alpha, beta) if quotable and allowed.peak else None,
            rate=self._estimate(rate),
            residual=residual,
            identified=identified,
            counts=tuple(map(int, self._counts)),
            shape=(float(alpha[0]), float(beta[0])),
        )

    def _fitted(self, usl: bool) -> tuple[Array, Array, Array, float]:
        """Return alpha, beta and rate of every draw, the real blocks first; and their residual."""
        shape, errors = _least.fit(self._curves, self._counts, usl)
        law = np.log(self._counts / _least.delay(self._counts, shape[:, :1], shape[:, 1:]))
        rate = np.exp(self._scales + (self._curves - law).mean(axis=1))
        return shape[:, 0], shape[:, 1], rate, float(np.sqrt(errors[0] / self._counts.size))

    def _peak(self, alpha: Array, beta: Array) -> Estimate | None:
        # Where the second thread already slows the first, one thread is the peak.
        with np.errstate(divide="ignore"):
            peaks = np.maximum(1.0, np.sqrt(np.maximum(0.0, 1 - alpha) / beta))
        found = self._estimate(peaks)
        return found if found.value <= _PEAK_WITHIN * self._counts[-1] else None

    def _estimate(self, draws: Array) -> Estimate:
        tail = 100 * bootstrap_tail(self._blocks)
        # No interpolation: a peak that does not exist in some draws is at infinity.
        low, high = np.percentile(draws[1:], [tail, 100 - tail], method="nearest")
        value = float(draws[0])
        return Estimate(value, min(value, float(low)), max(value, float(high)), self._blocks)


def _sentences(shown: Sequence[Fit], blocks: int, allowed: Allowed, cores: int) -> str:
    amdahl, usl = shown[0], shown[1] if len(shown) > 1 else None
    said = [
        f"Fitted to the medians of {blocks} blocks at {_listed(amdahl.counts)} threads on {cores} "
        f"cores. Amdahl's law: {with_interval(amdahl.alpha)} of one item's time behaves as "
        f"serial; it misses the medians by {amdahl.residual:.1%}."
    ]
    if amdahl.alpha.low > 1:
        said.append("That is more than all of it: threads slow each other down.")
    if usl is None:
        return said[0] if len(said) == 1 else " ".join(said)
    if not usl.identified:
        said.append("The Universal Scalability Law is drawn dotted: not identified by these cores.")
        return " ".join(said)
    beta = (
        f"coherence {with_interval(usl.beta)}" if usl.beta else "no coherence that differs from 0"
    )
    said.append(
        f"The Universal Scalability Law: contention {with_interval(usl.alpha)}, {beta}; it misses "
        f"them by {usl.residual:.1%}."
    )
    if usl.peak:
        said.append(
            f"By it the throughput is highest at {with_interval(usl.peak)} threads, within "
            f"{_PEAK_WITHIN:g} times the most that were measured."
        )
    elif usl.beta:
        why = (
            f"beyond {_PEAK_WITHIN:g} times the most measured" if allowed.peak else "too few cores"
        )
        said.append(f"Where it would peak is not said: {why}.")
    return " ".join(said)


def with_interval(found: Estimate) -> str:
    """Write a parameter with its interval, two digits that count each."""
    return f"{_digits(found.value)} ({_digits(found.low)} to {_digits(found.high)})"


def _digits(value: float) -> str:
    """Write a number with two digits that count, without an exponent."""
    if value == 0 or not np.isfinite(value):
        return "0" if value == 0 else "no end"
    places = max(0, 1 - int(np.floor(np.log10(abs(value)))))
    return f"{value:.{places}f}"


def _listed(counts: Sequence[int]) -> str:
    return ", ".join(map(str, counts))
