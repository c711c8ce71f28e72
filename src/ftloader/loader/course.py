"""Which plan a loader follows in an epoch, and how that changes when memory runs out.

The budget shrinks at once and recovers slowly: by a tenth when a step ran out of memory, by a
hundredth for every 500 steps that did not, from one epoch to the next. Additive increase and
multiplicative decrease, as in Chiu and Jain, "Analysis of the increase and decrease algorithms for
congestion avoidance in computer networks", Computer Networks and ISDN Systems 17 (1989).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Final

from ftloader.batching import MemoryBudget, Policy, RankPlan
from ftloader.batching.budgeted import alone
from ftloader.errors import PlanError

logger: Final = logging.getLogger("ftloader")

#: What a budget is multiplied with when a step ran out of memory, and after clean steps.
SHRINK, GROW, CLEAN_STEPS = 0.9, 1.01, 500


@dataclass(frozen=True, slots=True)
class Cut:
    """A change of the plan within an epoch.

    Attributes:
        step: the first one that is another.
        budget: that holds from there on; None if that did not change.
        served: entries that had been served out of order, and are not served again.
    """

    step: int
    budget: float | None = None
    served: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Course:
    """The plan of an epoch as far as it is not the policy's own.

    Attributes:
        epoch: counted from 0.
        budget: that the epoch begins with; None for the policy's.
        cuts: changes within the epoch, in the order they came.
    """

    epoch: int = 0
    budget: float | None = None
    cuts: tuple[Cut, ...] = ()

    @property
    def last_budget(self) -> float | None:
        """The budget that holds at the end; None for the policy's."""
        budgets = [cut.budget for cut in self.cuts if cut.budget is not None]
        return budgets[-1] if budgets else self.budget

    def then(self, policy: Policy, steps: int) -> Course:
        """Return the course of the next epoch, after one of so many steps."""
        budget = self.last_budget
        if budget is None or not isinstance(policy, MemoryBudget):
            return Course(self.epoch + 1)
        failed = [cut.step for cut in self.cuts if cut.budget is not None]
        clean = steps - (failed[-1] if failed else 0)
        budget *= GROW ** (clean / CLEAN_STEPS)
        return Course(self.epoch + 1, None if budget >= policy.budget else budget)


def shrunk(course: Course, policy: Policy, mine: RankPlan, step: int) -> Course:
    """Return the course after a step ran out of memory: from that step on a smaller budget.

    Raises:
        PlanError: the policy has no budget, or one image alone needs what there is.
    """
    if not isinstance(policy, MemoryBudget):
        raise PlanError(
            f"out of memory with batches of {type(policy).__name__}: only MemoryBudget can make "
            f"them smaller"
        )
    now = course.last_budget or policy.budget
    sizes = mine.plan.sizes.take(mine.plan.batches.members)
    least = float(alone(sizes, policy.stride, policy.cost).max(initial=0.0))
    budget = max(now * SHRINK, least)
    if budget >= now:
        raise PlanError(
            f"out of memory at a budget of {now:,.0f} {policy.cost.unit}, which one image alone "
            f"needs; plan with oversize='downscale' and a smaller budget"
        )
    logger.warning(
        "ftloader.Loader: out of memory in step %d; its samples are planned again, at %s %s "
        "instead of %s",
        *(step, f"{budget:,.0f}", policy.cost.unit, f"{now:,.0f}"),
    )
    # A cut at a later step than this one was never reached.
    kept = tuple(cut for cut in course.cuts if cut.step <= step)
    return replace(course, cuts=(*kept, Cut(step, budget)))
