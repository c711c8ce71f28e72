"""Images that are not as large as planned: made so where that was planned, refused elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftloader.detection.transforms.resize import resize_to
from ftloader.errors import DataError


@dataclass(frozen=True, slots=True)
class Fit:
    """Makes samples as large as planned.

    Attributes:
        planned_smaller: positions in the data set of those that were planned smaller than the
            recipe makes them.

    Thread safety: immutable.
    """

    planned_smaller: frozenset[int]

    def __call__(self, sample: Any, size: tuple[int, int]) -> Any:
        """Return the sample at its planned width and height, pixels.

        Raises:
            DataError: nothing of the kind was planned.
        """
        if sample.info.index in self.planned_smaller:
            return resize_to(sample, size)
        found, planned = ("{} x {}".format(*each) for each in (sample.info.size, size))
        raise DataError(
            f"{sample.key} came out as {found}, planned was {planned}: the data set or the recipe "
            f"gave another size than it had said"
        )
