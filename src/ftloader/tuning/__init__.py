"""Finding concurrency: how many items each stage should work on at once, by measuring.

``ftloader.tune(pipeline)`` tries the pipeline on its first items and returns a :class:`Tuning`:
the pipeline with numbers filled in, and why. ``resolve`` does the same for an engine that meets
``concurrency="auto"``, once per pipeline.

The numbers are good for this machine, interpreter and load. They change how fast results come,
never which, and the smaller setting is kept wherever a larger one does not show a gain.

Reading order: ``sample`` (what each stage costs), ``gil`` (whether threads help it), ``model``
(what to try), ``trial`` (one window of the whole pipeline), ``compare`` (which of two to keep),
``search`` (the order of trials), ``findings`` (the result), ``tuner`` (all of it), ``auto``.
"""

from __future__ import annotations

from .auto import resolve
from .findings import StageFinding, Trial, Tuning
from .tuner import tune

__all__ = ["StageFinding", "Trial", "Tuning", "resolve", "tune"]
