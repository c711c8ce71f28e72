"""What was expected before any judged run, and from where.

Figures are those measured on 3.13.15t with two threads, before this experiment was written, and
those published by others for four; limits leave room for another machine. They speak of arms with
the GIL off: with it two threads get done what one does, whatever they share.
"""

from __future__ import annotations

from typing import Literal

from ftloader.lab.trials import Hypothesis

Better = Literal["lower", "higher"]

#: Pattern: the speed-up of two threads that was measured, and the limit asked of it.
SCALES = {
    "arithmetic": (2.01, 1.8),
    "fractions": (2.0, 1.7),
    "function": (1.99, 1.8),
    "function_local": (1.99, 1.8),
    "config_own": (1.96, 1.7),
    "closure_own": (1.94, 1.7),
    "list_own": (1.98, 1.7),
    "dict_own": (2.02, 1.7),
    "rng_thread": (1.99, 1.7),
    "counter_own": (1.97, 1.7),
}
CONTENDS = {
    "config": (0.25, 0.6),
    "config_local": (0.3, 0.7),
    "module_data_local": (0.3, 0.7),
    "method": (0.36, 0.7),
    "closure": (0.60, 0.9),
    "list": (0.17, 0.5),
    "dict": (0.3, 0.7),
    "rng": (0.93, 1.2),
    "counter": (0.75, 1.2),
    "hop": (0.9, 1.2),
}
#: NumPy's calls on arrays of the thread's own: no figure of ours was there before.
NUMPY: tuple[tuple[str, str, float, Better], ...] = (
    (
        "ufunc",
        "a small NumPy call contends: 1.26 at two threads (numpy#30993, 3.14t)",
        1.5,
        "lower",
    ),
    ("ufunc_long", "a long NumPy call scales", 1.7, "higher"),
    ("ufunc_sine", "a long NumPy call scales that computes, in the cache", 1.7, "higher"),
    ("slice", "a view of an array scales: no ufunc is called", 1.7, "higher"),
)
#: What a rule of the hot path buys: the good pattern, the bad one, the rule, and the limit.
RULES = (
    ("list_own", "list", "a list of the thread's own", 4.0),
    ("dict_own", "dict", "a dict of the thread's own", 3.0),
    ("config_own", "config", "a configuration of the thread's own", 3.0),
    ("closure_own", "closure", "a closure made by the thread", 1.8),
    ("function", "method", "a module's function instead of a shared object's method", 2.5),
    ("rng_thread", "rng", "a generator for each thread", 1.3),
    ("counter_own", "counter", "counting by oneself, adding up once", 1.5),
)
#: Published for four threads (modern-di#435): what was shared, ours that is nearest, the speed-up.
PUBLISHED: tuple[tuple[str, str, float, Better, float], ...] = (
    ("nothing shared", "arithmetic", 3.8, "higher", 3.4),
    ("module globals only", "function", 2.17, "lower", 2.5),
    ("a shared provider", "config", 0.92, "lower", 1.1),
    ("a shared value", "list", 0.64, "lower", 0.8),
    ("dict.get", "dict", 0.28, "lower", 0.4),
)


def _speedup(text: str, cell: str, name: str, limit: float, better: Better) -> Hypothesis:
    return Hypothesis(text, cell, name, "speedup", limit, better, arms="gil off")


def hypotheses(two: str, four: str) -> tuple[Hypothesis, ...]:
    """Return all, for the cells with two and with four threads."""
    found = [
        _speedup(f"{name} scales: {was} at two threads", two, name, limit, "higher")
        for name, (was, limit) in SCALES.items()
    ]
    found += [
        _speedup(f"{name} contends: {was} at two threads", two, name, limit, "lower")
        for name, (was, limit) in CONTENDS.items()
    ]
    found += [_speedup(text, two, name, limit, better) for name, text, limit, better in NUMPY]
    found += [
        Hypothesis(
            f"what {rule} buys at two threads without the GIL",
            two,
            good,
            "rate",
            limit,
            "higher",
            against=bad,
            arms="gil off",
        )
        for good, bad, rule, limit in RULES
    ]
    found.append(
        Hypothesis(
            "what handing over 16 items at once buys, in every arm",
            two,
            "hop_batch",
            "rate",
            4.0,
            "higher",
            against="hop",
        )
    )
    found += [
        _speedup(f"modern-di#435, {what}: {was} at four threads", four, name, limit, better)
        for what, name, was, better, limit in PUBLISHED
    ]
    return tuple(found)
