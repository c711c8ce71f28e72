"""Where a loader is: a few numbers, exact at every batch that the consumer has received.

A state counts what was received, not what was prepared, and names the plan by its digest. Steps
are the same for any number of ranks, so a state at the end of a step fits every world size; within
a step, or with batches received out of order, it belongs to one rank of one world size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ftloader.errors import StateError

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
        epoch: counted from 0.
        progress: of this rank in that epoch.
        steps: steps of which this rank has received every batch.
        whole: whether it has received nothing of any other step.
        world_size: of the run.
        rank: whose state it is.
        plan: digest of the epoch's plan.
        facts: what decides which batches there are, in words.
    """

    epoch: int
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
            "epoch": self.epoch,
            "batches": self.progress.batches,
            "ahead": list(self.progress.ahead),
            "steps": self.steps,
            "whole": self.whole,
            "world_size": self.world_size,
            "rank": self.rank,
            "plan": self.plan,
            "facts": dict(self.facts),
        }

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
            ahead = tuple(int(number) for number in given["ahead"])
            return cls(
                epoch=int(given["epoch"]),
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
