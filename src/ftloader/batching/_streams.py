"""Which random streams belong to batching: draws no sample's augmentation will ever use."""

from __future__ import annotations

from typing import Final

#: ``draw`` of :func:`ftloader.rng.sample_rng`: the sampler's order, the order of a plan's steps.
ORDER: Final = 2**64 - 1
STEPS: Final = 2**64 - 2
