"""Deciding whether something got slower: many claims at once, few false alarms.

A claim is regressed only if two things hold. The sign-flip test, adjusted by Holm for the number of
claims, says that the difference is not chance; and the whole interval lies beyond a margin, so that
the difference also matters. With the first alone a tiny loss fails on a quiet machine, with the
second alone one claim in forty fails in every table.

A decision that too few blocks could never make is not taken for a pass: it is called what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .statistics import Estimate, estimate, holm, sign_flip_p

#: Chance of a false alarm somewhere in a table that has no regression.
FALSE_ALARM = 0.05

Outcome = Literal["regressed", "not shown", "too few blocks"]


@dataclass(frozen=True)
class Decision:
    """What was decided on one claim.

    Attributes:
        claim: its name.
        ratio: cost now over cost earlier, above 1 where it got worse; over blocks.
        p_value: two-sided sign-flip; ``None`` where n is too small.
        adjusted: the same after Holm over all claims.
        outcome: ``"regressed"``; ``"not shown"``; or ``"too few blocks"`` if with so many claims
            not even a loss in every block could have been called one.
    """

    claim: str
    ratio: Estimate
    p_value: float | None
    adjusted: float | None
    outcome: Outcome

    @property
    def regressed(self) -> bool:
        """Whether the claim got worse by more than the margin."""
        return self.outcome == "regressed"


def decide(
    ratios_by_claim: Mapping[str, Sequence[float]], margin: float, seed: int
) -> list[Decision]:
    """Decide on every claim, in their order.

    Args:
        ratios_by_claim: cost now over cost earlier, one positive ratio per block, both measured in
            that block; above 1 is worse (for rates: earlier over now).
        margin: the loss that does not matter, such as 0.03.
        seed: of the test, where there are too many blocks to try all signs.

    Raises:
        ValueError: the margin is negative, or a ratio is missing, not finite or not positive.
    """
    if not 0 <= margin < float("inf"):
        raise ValueError(f"the margin is a share of the earlier cost, 0 or more, not {margin}")
    for claim, ratios in ratios_by_claim.items():
        if not ratios or not all(0 < ratio < float("inf") for ratio in ratios):
            raise ValueError(f"{claim}: ratios are positive and finite, one per block: {ratios}")
    p_values = [sign_flip_p(ratios, seed) for ratios in ratios_by_claim.values()]
    needed = blocks_needed(len(ratios_by_claim))
    found = []
    for (claim, ratios), p_value, adjusted in zip(
        ratios_by_claim.items(), p_values, holm(p_values), strict=True
    ):
        ratio = estimate(ratios)
        outcome: Outcome = "not shown" if len(ratios) >= needed else "too few blocks"
        if adjusted is not None and adjusted <= FALSE_ALARM and ratio.low > 1 + margin:
            outcome = "regressed"
        found.append(Decision(claim, ratio, p_value, adjusted, outcome))
    return found


def regressed(
    ratios_by_claim: Mapping[str, Sequence[float]], margin: float, seed: int
) -> list[Decision]:
    """Return the decisions of ``decide`` that are regressions; finding none proves nothing.

    Raises:
        ValueError: as ``decide``.
    """
    return [one for one in decide(ratios_by_claim, margin, seed) if one.regressed]


def blocks_needed(claims: int) -> int:
    """Return the least number of blocks at which a loss in every one of them fails the test.

    All blocks agree by chance in 2 of 2^n cases, and Holm's procedure multiplies that by the number
    of claims at worst: 6 blocks for one claim, 10 for up to 25.
    """
    blocks = 1
    while claims * 2.0 ** (1 - blocks) > FALSE_ALARM:
        blocks += 1
    return blocks
