"""Where a loader is: a few numbers, exact at every batch that the consumer has received.

A state counts what was received, not what was prepared, and names the plan by its digest. Steps
are the same for any number of ranks, so a state at the end of a step fits every world size; within
a step, or with batches received out of order, it belongs to one rank of one world size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from ftloader.batching import EpochPlan, RankPlan, without
from ftloader.errors import StateError
from ftloader.loader.course import Course, Cut

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of an epoch one rank has received.

    Attributes:
        batches: how many, from the first one on without a gap.
        ahead: numbers of those received beyond, counted from 0 in the rank's plan.
    """

    batches: int = 0
    ahead: tuple[int, ...] = ()

    def plus(self, number: int) -> Progress:
        """Return the progress after one more batch."""
        ahead = {*self.ahead, number}
        batches = self.batches
        while batches in ahead:
            ahead.remove(batches)
            batches += 1
        return Progress(batches, tuple(sorted(ahead)))

    def misses(self, number: int) -> bool:
        """Tell whether a batch is still to be received."""
        return number >= self.batches and number not in self.ahead


@dataclass(frozen=True, slots=True)
class State:
    """All that it takes to go on.

    Attributes:
        course: the epoch, and the budgets in it.
        progress: of this rank in that epoch.
        steps: steps of which this rank has received every batch.
        whole: whether it has received nothing of any other step.
        world_size: of the run.
        rank: whose state it is.
        plan: digest of the epoch's plan.
        facts: what decides which batches there are, in words.
    """

    course: Course
    progress: Progress
    steps: int
    whole: bool
    world_size: int
    rank: int
    plan: str
    facts: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON and for ``torch.save``."""
        return {
            "ftloader": VERSION,
            "epoch": self.course.epoch,
            "budget": self.course.budget,
            "cuts": [[cut.step, cut.budget, list(cut.served)] for cut in self.course.cuts],
            "batches": self.progress.batches,
            "ahead": list(self.progress.ahead),
            "steps": self.steps,
            "whole": self.whole,
            "world_size": self.world_size,
            "rank": self.rank,
            "plan": self.plan,
            "facts": dict(self.facts),
        }

    def check_facts(self, facts: Mapping[str, str]) -> None:
        """Compare with what decides which batches a loader has.

        Raises:
            StateError: something differs; the message says what.
        """
        for name, mine in facts.items():
            if self.facts.get(name) != mine:
                raise StateError(
                    f"the state is of another run: its {name} was {self.facts.get(name)}, this "
                    f"loader's is {mine}"
                )

    def progress_of(self, mine: RankPlan) -> Progress:
        """Return how far a rank is in its own plan.

        Raises:
            StateError: that is another plan, or the state was taken within a step and fits no
                other rank.
        """
        if mine.plan.digest() != self.plan:
            raise StateError(self.another_plan())
        if (self.world_size, self.rank) == (mine.world_size, mine.rank):
            return self.progress
        if not self.whole:
            raise StateError(
                f"the state was taken by rank {self.rank} of {self.world_size} within step "
                f"{self.steps}; rank {mine.rank} of {mine.world_size} can only go on from the end "
                f"of a step, or from the states of all ranks"
            )
        return Progress(int(np.searchsorted(mine.steps[mine.mine], self.steps)))

    def another_plan(self) -> str:
        """Say that it is of a plan that is not to be had here."""
        return (
            f"the state is of another run: epoch {self.course.epoch} is planned in another way "
            f"here; the images' sizes have changed, or the sampler gives another order"
        )

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> State:
        """Read what :meth:`as_dict` returned.

        Raises:
            StateError: it is not that, or of a version that is not known here.
        """
        if "ftloader" not in given:
            raise StateError("this is no state of a loader: it has no entry 'ftloader'")
        if given["ftloader"] != VERSION:
            raise StateError(
                f"the state has version {given['ftloader']!r}, this loader reads {VERSION}"
            )
        try:
            cuts = tuple(_cut(*cut) for cut in given["cuts"])
            budget = None if given["budget"] is None else float(given["budget"])
            ahead = tuple(int(number) for number in given["ahead"])
            return cls(
                course=Course(int(given["epoch"]), budget, cuts),
                progress=Progress(int(given["batches"]), ahead),
                steps=int(given["steps"]),
                whole=bool(given["whole"]),
                world_size=int(given["world_size"]),
                rank=int(given["rank"]),
                plan=str(given["plan"]),
                facts={str(name): str(text) for name, text in given["facts"].items()},
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StateError(f"the state is damaged: {type(error).__name__}: {error}") from error


def _cut(step: Any, budget: Any, served: Any) -> Cut:
    entries = tuple(int(entry) for entry in served)
    return Cut(int(step), None if budget is None else float(budget), entries)


def together(states: Sequence[State], plan: EpochPlan) -> State:
    """Return the state of a run, at the end of a step, from those of all of its ranks.

    What some ranks received of later steps is left out of those.

    Args:
        states: of every rank of one world, taken at one moment.
        plan: that they all follow.

    Raises:
        StateError: some are missing, or they are not of one run.
    """
    first, worlds = states[0], {(state.world_size, state.plan) for state in states}
    ranks = sorted(state.rank for state in states)
    if len(worlds) > 1 or ranks != list(range(first.world_size)):
        raise StateError(
            f"the states of all {first.world_size} ranks of one run are needed, not those of "
            f"ranks {ranks} of {len(worlds)} plans"
        )
    if plan.digest() != first.plan:
        raise StateError(first.another_plan())
    step = min(state.steps for state in states)
    served: list[int] = []
    for state, mine in zip(
        sorted(states, key=lambda state: state.rank), plan.ranks(first.world_size), strict=True
    ):
        for number, place in enumerate(mine.mine.tolist()):
            later = mine.steps[place] >= step and not mine.repeats[place]
            if later and not state.progress.misses(number):
                served += mine.batches.entries(place).tolist()
    course = first.course
    if served:
        course = replace(course, cuts=(*course.cuts, Cut(step, None, tuple(sorted(served)))))
        plan = without(plan, step, served)
    return replace(first, course=course, steps=step, whole=True, rank=-1, plan=plan.digest())


def state_of(mine: RankPlan, course: Course, received: Progress, facts: Mapping[str, str]) -> State:
    """Return the state of a rank that has received so much of its plan."""
    steps = mine.steps[mine.mine]
    done = int(steps[received.batches]) if received.batches < len(steps) else len(mine.plan)
    first = int(np.searchsorted(steps, done))
    return State(
        course=course,
        progress=received,
        steps=done,
        whole=received.batches == first and not received.ahead,
        world_size=mine.world_size,
        rank=mine.rank,
        plan=mine.plan.digest(),
        facts=facts,
    )
