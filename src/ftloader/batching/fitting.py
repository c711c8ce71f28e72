"""Fits the coefficients of a cost model to what steps were seen to take.

Deterministic and pure: the same observations give the same model. Coefficients are never negative,
so a fitted model is monotone, and its margin is made of errors on observations that the fit had not
seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ftloader.batching.cost import TERMS, DeviceBytes, Load
from ftloader.batching.nnls import one_sided
from ftloader.batching.observed import Observed
from ftloader.errors import DataError, PlanError

Floats = NDArray[np.float64]

#: Strides of the feature maps that carry anchors, where the user does not say.
STRIDES: Final = (8, 16, 32, 64, 128)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A cost model, and how well it describes what it was fitted to.

    Relative errors are parts of the bytes observed. Steps that ran out of memory are in none of
    the arrays: what they took is not known.

    Attributes:
        model: the fitted model, its margin set.
        residuals: float64 (n,), bytes observed less bytes predicted.
        left_out: float64 (n,), the same for the model fitted without that observation.
        r2: part of the variance that the model explains.
        worst: largest relative error.
        worst_left_out: largest relative error on an observation that was left out.
        active: names of the terms that are in use.
        undetermined: whether other coefficients would fit as well: the observations vary too
            little to tell the terms apart. Predictions between them hold, others need not.
        observations: n.
        coverage: of the margin: the quantile asked for, or ``n / (n + 1)`` if n supports no more.
    """

    model: DeviceBytes
    residuals: Floats
    left_out: Floats
    r2: float
    worst: float
    worst_left_out: float
    active: tuple[str, ...]
    undetermined: bool
    observations: int
    coverage: float

    def report(self) -> str:
        """Describe the fit in a few lines of text."""
        lines = [
            f"{self.observations} observations, R² {self.r2:.5f}",
            f"largest error {self.worst:.1%}, {self.worst_left_out:.1%} on one left out",
            f"margin {self.model.margin / 2**20:.1f} MiB, covers {self.coverage:.1%}",
        ]
        lines += [f"  {name:<10} {getattr(self.model, name):.6g} bytes" for name in self.active]
        if self.undetermined:
            lines.append("the observations do not tell all terms apart: vary the loads more")
        return "\n".join(lines)


def fit(
    loads: Load | Sequence[Load],
    peaks: ArrayLike,
    *,
    anchors: int = 1,
    strides: Sequence[int] = STRIDES,
    terms: Sequence[str] = TERMS,
    quantile: float = 0.99,
) -> Fitted:
    """Fit a model to loads and the bytes that a step took at each: see :func:`fit_observed`.

    Args:
        loads: one per observation, or one load whose fields are arrays.
        peaks: (n,), peak bytes.
        anchors: per location.
        strides: of the feature maps that carry anchors, pixels.
        terms: names of the terms that may be used.
        quantile: part of steps that the margin is to cover.

    Raises:
        DataError: an observation cannot be, or there are fewer than two.
        PlanError: an option cannot be.
    """
    return fit_observed(
        Observed.of(loads, peaks), anchors=anchors, strides=strides, terms=terms, quantile=quantile
    )


def fit_observed(
    observed: Observed,
    *,
    anchors: int = 1,
    strides: Sequence[int] = STRIDES,
    terms: Sequence[str] = TERMS,
    quantile: float = 0.99,
) -> Fitted:
    """Fit a model to a log of observations by non-negative least squares.

    Errors count in bytes, not in parts: plans fill batches up to the budget, so the large steps are
    the ones to be right about, and the margin is a number of bytes too. A step that ran out of
    memory pulls the prediction up to what was there, never down, and the margin is at least so
    large that this step would not be planned again.

    The margin is the conformal quantile of the leave-one-out errors (the jackknife of R. F. Barber,
    E. J. Candès, A. Ramdas and R. J. Tibshirani, *Predictive inference with the jackknife+*, Annals
    of Statistics 49(1), 2021; one-sided): the ``⌈(n+1)·quantile⌉``-th smallest, or the largest if
    n is too small for it. It is a promise about steps like those observed; a designed grid is not a
    sample of them, so observe a run's own steps and fit again.

    Args:
        observed: the log.
        anchors: per location.
        strides: of the feature maps that carry anchors, pixels.
        terms: names of the terms that may be used; leave out what the network cannot have, such
            as ``"attention"`` in a convolutional one, and little data go further.
        quantile: part of steps that the margin is to cover.

    Raises:
        DataError: fewer than two steps succeeded.
        PlanError: an option cannot be.
    """
    blank = DeviceBytes(anchors=anchors, strides=tuple(strides))
    chosen = _columns(terms)
    if not 0 < quantile < 1:
        raise PlanError(f"fit: the quantile must be above 0 and below 1, not {quantile}")
    done = ~observed.censored
    count = int(done.sum())
    if count < 2:
        raise DataError(f"fit: at least 2 steps must have succeeded, not {count}")
    matrix = np.stack(blank.terms(observed.loads), axis=1)[:, chosen]
    found = one_sided(matrix, observed.bytes, observed.censored)
    left_out = _left_out(matrix, observed, found)
    predicted = matrix @ found
    lacking = (observed.bytes - predicted)[observed.censored] + 1  # one byte above what was there
    margin = max(conformal_margin(left_out, quantile), float(lacking.max(initial=0.0)))
    factors = {TERMS[column]: float(x) for column, x in zip(chosen, found, strict=True)}
    model = DeviceBytes(**factors, margin=margin, anchors=anchors, strides=tuple(strides))
    taken = observed.bytes[done]
    residuals = taken - predicted[done]
    return Fitted(
        model=model,
        residuals=residuals,
        left_out=left_out,
        r2=_explained(taken, residuals),
        worst=float(np.abs(residuals / taken).max()),
        worst_left_out=float(np.abs(left_out / taken).max()),
        active=tuple(name for name, factor in factors.items() if factor > 0),
        undetermined=_undetermined(matrix[done]),
        observations=count,
        coverage=min(quantile, count / (count + 1)),
    )


def conformal_margin(errors: Floats, quantile: float) -> float:
    """Return the ``⌈(n+1)·quantile⌉``-th smallest error, at most the largest, at least 0."""
    rank = math.ceil((len(errors) + 1) * quantile)
    return max(0.0, float(np.sort(errors)[min(rank, len(errors)) - 1]))


def _columns(terms: Sequence[str]) -> list[int]:
    unknown = sorted(set(terms) - set(TERMS))
    if unknown or not terms:
        raise PlanError(f"fit: terms must be some of {', '.join(TERMS)}, not {unknown or 'none'}")
    return sorted({TERMS.index(term) for term in terms})


def _left_out(matrix: Floats, observed: Observed, found: Floats) -> Floats:
    """Return the error at each successful step of the fit to all others."""
    errors = []
    for row in np.flatnonzero(~observed.censored):
        others = np.arange(len(observed)) != row
        without = one_sided(
            matrix[others], observed.bytes[others], observed.censored[others], found > 0
        )
        errors.append(float(observed.bytes[row] - matrix[row] @ without))
    return np.array(errors)


def _explained(taken: Floats, residuals: Floats) -> float:
    spread = float(((taken - taken.mean()) ** 2).sum())
    if spread == 0:
        return 1.0 if np.allclose(residuals, 0, atol=1e-9 * taken[0]) else 0.0
    return 1.0 - float((residuals**2).sum()) / spread


def _undetermined(matrix: Floats) -> bool:
    """Tell whether the columns that are there at all depend on each other."""
    there = matrix[:, (matrix != 0).any(axis=0)]
    rank = int(np.linalg.matrix_rank(there / np.abs(there).max(axis=0)))
    return rank < int(there.shape[1])
