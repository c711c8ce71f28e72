"""The pictures of the overview: one for each headline that has result sets."""

from __future__ import annotations

from . import drawings
from .answer_batching import Batching
from .answer_safety import libraries
from .answer_scaling import Scaling
from .drawings import Bar
from .overview import Headline


def of(headline: Headline) -> tuple[str, str] | None:
    """Return a headline's picture as SVG, and in words what it shows; ``None`` for no picture."""
    if not headline.said:
        return None
    if headline.name == "batching":
        return _batching(headline)
    if headline.name == "safety":
        found, _ = libraries(headline.files)
        words = "How many transforms of each library threads may share, without the GIL"
        return drawings.shares(found, headline.name), words
    return _scaling(headline)


def _scaling(headline: Headline) -> tuple[str, str] | None:
    run = Scaling(headline.files)
    found = run.gil_alone()
    if not found:
        return None
    axis = f"rate with the GIL off over on, {run.most} threads"
    words = "Rate with the GIL off over the rate with it on, by kind of work, with 95 % intervals"
    bars = [Bar(one.title, one.found) for one in found]
    return drawings.forest(bars, axis, headline.name), words


def _batching(headline: Headline) -> tuple[str, str]:
    run = Batching(headline.files)
    bars = [
        Bar(f"images per batch, {scale}", found)
        for scale in run.scales()
        if (found := run.images(scale))
    ]
    if found := run.faster("groups"):
        bars.append(Bar("images per second, trained", found))
    words = "A memory budget over two aspect groups of 8 at the same peak memory"
    return drawings.forest(bars, "memory budget over two aspect groups", headline.name), words
