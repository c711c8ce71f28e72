"""Least squares for scaling laws, many curves at once: the arithmetic behind ``laws``.

A curve is the logarithm of throughputs at some thread counts, up to a constant. Its law is N over
the delay 1 + alpha (N - 1) + beta N (N - 1); the constant, which is the one-thread rate, is solved
for by centring. Steps are Levenberg-Marquardt's, kept at alpha, beta >= 0 by holding a parameter
that stands at 0 and would leave. Pure functions, the same result every time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_STEPS = 200
_DONE = 1e-12
# Where to start from: every law that is drawn lies between these.
_ALPHAS = (0.0, 0.003, 0.03, 0.2, 1.0, 6.0)
_BETAS = (0.0, 1e-4, 1e-3, 1e-2, 0.1, 1.0)

Array = NDArray[np.float64]


def delay(threads: Array, alpha: Any, beta: Any) -> Array:
    """Return by how much an item takes longer than on one thread; arrays broadcast."""
    result: Array = 1 + alpha * (threads - 1) + beta * threads * (threads - 1)
    return result


def fit(curves: Array, counts: Array, usl: bool) -> tuple[Array, Array]:
    """Fit every row of logarithms; return (rows, 2) of alpha and beta, and each squared error.

    Args:
        curves: (rows, counts) logarithms of throughput, each row up to a constant of its own.
        counts: thread counts in ascending order.
        usl: whether beta is fitted; else it is held at 0.
    """
    perfect = curves - np.log(counts)
    basis = np.stack([counts - 1, counts * (counts - 1)])
    shape = _start(perfect, counts, usl)
    error, gradient, hessian = _look(shape, perfect, basis)
    damping = np.full(len(curves), 1e-3)
    for _ in range(_STEPS):
        step = _step(shape, gradient, hessian, damping, usl)
        tried = np.maximum(shape + step, 0.0)
        found, its_gradient, its_hessian = _look(tried, perfect, basis)
        better = found < error
        moved = better & (error - found > _DONE * error)
        shape = np.where(better[:, None], tried, shape)
        gradient = np.where(better[:, None], its_gradient, gradient)
        hessian = np.where(better[:, None, None], its_hessian, hessian)
        error = np.where(better, found, error)
        damping = np.where(better, damping / 8, damping * 8)
        # A row that could not be bettered by the smallest step stands at its minimum.
        if not (moved | (damping < 1e6)).any():
            break
    return shape, error


def _start(perfect: Array, counts: Array, usl: bool) -> Array:
    """Return the best of a few laws for each row."""
    grid = np.array([(a, b) for a in _ALPHAS for b in (_BETAS if usl else (0.0,))])
    laws = np.log(delay(counts, grid[:, :1], grid[:, 1:]))
    laws = laws - laws.mean(axis=1, keepdims=True)
    rows = perfect - perfect.mean(axis=1, keepdims=True)
    # |row + law|^2 without the row's own square, which is the same for all laws.
    errors = 2 * rows @ laws.T + (laws**2).sum(axis=1)
    started: Array = grid[errors.argmin(axis=1)]
    return started


def _look(shape: Array, perfect: Array, basis: Array) -> tuple[Array, Array, Array]:
    """Return squared error, half its gradient, and the Gauss-Newton matrix of every row."""
    slow = 1 + shape @ basis
    left = perfect + np.log(slow)
    left = left - left.mean(axis=1, keepdims=True)
    slopes = basis / slow[:, None, :]
    slopes = slopes - slopes.mean(axis=2, keepdims=True)
    gradient = (slopes * left[:, None, :]).sum(axis=2)
    return (left**2).sum(axis=1), gradient, slopes @ slopes.transpose(0, 2, 1)


def _step(shape: Array, gradient: Array, hessian: Array, damping: Array, usl: bool) -> Array:
    held = (shape <= 0) & (gradient >= 0)
    held[:, 1] |= not usl
    slope = np.where(held, 0.0, gradient)
    first, last = (hessian[:, place, place] * (1 + damping) for place in (0, 1))
    cross = np.where(held.any(axis=1), 0.0, hessian[:, 0, 1])
    whole = first * last - cross**2
    steps = [last * slope[:, 0] - cross * slope[:, 1], first * slope[:, 1] - cross * slope[:, 0]]
    result: Array = -np.stack(steps, axis=1) / np.maximum(whole, 1e-300)[:, None]
    return result
