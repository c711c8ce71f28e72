"""What a loader serves in every epoch: pure, and the same on every rank."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from ftloader.batching import (
    AspectGroups,
    EpochPlan,
    Policy,
    RankPlan,
    Sampler,
    occurrences,
    plan_epoch,
)
from ftloader.batching.policies import require
from ftloader.batching.samplers import require_sampler
from ftloader.detection.augment import Augment
from ftloader.errors import PlanError

#: Letters of a fact that a state repeats in words; longer ones end in their hash.
_WORDS: Final = 160


@dataclass(frozen=True, slots=True, eq=False)
class Plans:
    """Everything that decides which batches there are.

    Attributes:
        augment: data set, recipe and seed.
        policy: how samples are put together.
        sampler: in which order they come.
        batches_per_step: of all ranks.
        rank: counted from 0.
        world_size: how many ranks there are.

    Raises:
        PlanError: an option cannot be.
    """

    augment: Augment
    policy: Policy
    sampler: Sampler
    batches_per_step: int
    rank: int
    world_size: int

    def __post_init__(self) -> None:
        require("Loader", "world_size", self.world_size, 1)
        require("Loader", "rank", self.rank, 0)
        require("Loader", "batches_per_step", self.batches_per_step, 1)
        require_sampler(self, self.sampler)
        if self.rank >= self.world_size:
            raise PlanError(f"Loader: there is no rank {self.rank} in a world of {self.world_size}")

    def at(self, epoch: int) -> RankPlan:
        """Return what this rank does in an epoch."""
        return self._epoch(epoch).rank(self.rank, self.world_size)

    def _epoch(self, epoch: int) -> EpochPlan:
        samples = self.sampler.order(epoch)
        draws = occurrences(samples)
        dataset: Any = self.augment.dataset
        by_shape = isinstance(self.policy, AspectGroups) and hasattr(dataset, "sizes")
        return plan_epoch(
            self.augment.at_epoch(epoch).sizes(samples, draws),
            self.policy,
            samples=samples,
            draws=draws,
            original=dataset.sizes().take(samples) if by_shape else None,
            seed=self.augment.seed,
            epoch=epoch,
            batches_per_step=self.batches_per_step,
        )

    def facts(self) -> dict[str, str]:
        """Return in words what decides which batches there are, but for ranks."""
        facts = {
            "number of samples": len(self.augment),
            "recipe": self.augment.recipe,
            "policy": self.policy,
            "sampler": self.sampler,
            "seed": self.augment.seed,
            "batches_per_step": self.batches_per_step,
        }
        return {name: _short(repr(value)) for name, value in facts.items()}


def _short(text: str) -> str:
    """Return a text that is not too long for a state, and differs where the whole one does."""
    if len(text) <= _WORDS:
        return text
    return f"{text[:_WORDS]}… ({hashlib.blake2b(text.encode(), digest_size=8).hexdigest()})"
