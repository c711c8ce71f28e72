"""Least squares with coefficients that are never negative, exactly, for a handful of columns.

The optimum is the best of the plain least-squares solutions on subsets of the columns that happen
to be non-negative (C. L. Lawson and R. J. Hanson, *Solving Least Squares Problems*, 1974, ch. 23).
With seven columns there are 128 subsets, and trying them all beats an iteration that needs
tolerances.
Pure functions: the same numbers give the same result.
"""

from __future__ import annotations

from itertools import chain, combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ftloader.errors import PlanError

Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]

#: More columns make more subsets than anybody should wait for.
MOST_COLUMNS: Final = 12
#: Residuals that differ by less than this part of the target are a tie.
_TIE: Final = 1e-10


def non_negative(matrix: Floats, target: Floats, likely: Rows | None = None) -> Floats:
    """Return the x >= 0 that makes ``|matrix @ x - target|`` least.

    Args:
        matrix: float64 (n, k), k up to 12.
        target: float64 (n,).
        likely: bool (k,), columns that are probably in use; tried first. The result differs by
            rounding only.

    Returns:
        float64 (k,). Where several are as good, the one with the fewest columns in use, and of
        those the one with the columns that come first.

    Raises:
        PlanError: there are too many columns.
    """
    count = matrix.shape[1]
    if count > MOST_COLUMNS:
        raise PlanError(f"at most {MOST_COLUMNS} columns can be fitted, not {count}")
    # Columns differ by ten orders of magnitude; equal ones keep the solver's rank decision sound.
    scale = np.abs(matrix).max(axis=0, initial=0.0)
    scale[scale == 0] = 1.0
    scaled = matrix / scale
    if likely is not None:
        guess = _on(scaled, target, np.flatnonzero(likely))
        if guess is not None and _optimal(scaled, target, guess):
            return np.asarray(guess / scale)
    # An orthogonal change of rows leaves every subset's residual as it is, up to a constant.
    basis, small = np.linalg.qr(scaled)
    found = _best(small, basis.T @ target, float(np.linalg.norm(target)))
    return np.asarray(found / scale)


def one_sided(matrix: Floats, target: Floats, censored: Rows, likely: Rows | None = None) -> Floats:
    """Return :func:`non_negative` where some targets are only known to be exceeded.

    A censored row costs nothing while the prediction is above its target, and the square of what is
    missing below it: the sum is convex, and a set of rows in use that reproduces itself is optimal.

    Args:
        matrix: float64 (n, k).
        target: float64 (n,).
        censored: bool (n,), rows whose true value is above the target.
        likely: as for :func:`non_negative`.

    Raises:
        PlanError: there are too many columns.
    """
    rows, seen = ~censored, set()
    while True:
        solution = non_negative(matrix[rows], target[rows], likely)
        missed = ~censored | (matrix @ solution < target)
        if bool((missed == rows).all()):
            return solution
        # A cycle can only come from ties; using all rows of it errs on the safe side.
        if missed.tobytes() in seen:
            missed = missed | rows
        seen.add(rows.tobytes())
        rows = missed


def _best(matrix: Floats, target: Floats, size: float) -> Floats:
    count = matrix.shape[1]
    best, least = np.zeros(count), float(target @ target)
    by_size = (combinations(range(count), length) for length in range(1, count + 1))
    for columns in chain.from_iterable(by_size):
        found = _on(matrix, target, np.array(columns))
        if found is None:
            continue
        missed = matrix @ found - target
        squares = float(missed @ missed)
        if squares < least - (_TIE * size) ** 2:
            best, least = found, squares
    return best


def _on(matrix: Floats, target: Floats, columns: NDArray[np.integer]) -> Floats | None:
    """Return the plain solution on some columns, or ``None`` if it is negative anywhere."""
    solution = np.zeros(matrix.shape[1])
    if len(columns):
        solution[columns] = np.linalg.lstsq(matrix[:, columns], target, rcond=None)[0]
    return None if solution.min(initial=0.0) < 0 else solution


def _optimal(matrix: Floats, target: Floats, solution: Floats) -> bool:
    """Tell whether no unused column would help (Karush, Kuhn and Tucker; sufficient here)."""
    slope = matrix.T @ (target - matrix @ solution)
    return bool((slope <= _TIE * np.linalg.norm(target) * np.sqrt(len(target))).all())
