"""What a loader serves in every epoch: pure, and the same on every rank."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from typing import Any, Final

from ftloader.batching import (
    AspectGroups,
    EpochPlan,
    MemoryBudget,
    Policy,
    RankPlan,
    Sampler,
    occurrences,
    plan_epoch,
    replanned,
    without,
)
from ftloader.batching.policies import require
from ftloader.batching.samplers import require_sampler
from ftloader.detection.augment import Augment
from ftloader.errors import PlanError
from ftloader.loader.course import Course

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

    def at(self, course: Course) -> RankPlan:
        """Return what this rank does in an epoch."""
        return self.epoch_at(course).rank(self.rank, self.world_size)

    def epoch_at(self, course: Course) -> EpochPlan:
        """Return what all ranks do in an epoch."""
        epoch = course.epoch
        samples = self.sampler.order(epoch)
        draws = occurrences(samples)
        dataset: Any = self.augment.dataset
        by_shape = isinstance(self.policy, AspectGroups) and hasattr(dataset, "sizes")
        plan = plan_epoch(
            self.augment.at_epoch(epoch).sizes(samples, draws),
            self._policy(course.budget),
            samples=samples,
            draws=draws,
            original=dataset.sizes().take(samples) if by_shape else None,
            seed=self.augment.seed,
            epoch=epoch,
            batches_per_step=self.batches_per_step,
        )
        for cut in course.cuts:
            if cut.budget is None:
                plan = without(plan, cut.step, cut.served)
            else:
                plan = replanned(plan, cut.step, self._policy(cut.budget))
        return plan

    def _policy(self, budget: float | None) -> Policy:
        if budget is None or not isinstance(self.policy, MemoryBudget):
            return self.policy
        return replace(self.policy, budget=budget)

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


def from_environment(name: str, given: int | None, default: int) -> int:
    """Return what was given, or what ``torchrun`` says, or a default.

    Raises:
        PlanError: the environment says what is no number.
    """
    if given is not None:
        return given
    text = os.environ.get(name, str(default))
    try:
        return int(text)
    except ValueError:
        raise PlanError(f"Loader: {name} of the environment is no number: {text!r}") from None
