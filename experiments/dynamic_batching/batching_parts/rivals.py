"""Batching under a pixel budget as others do it, written for this comparison.

Each function takes padded-to-be sizes in the order of the sampler and returns batches of places in
it, every place exactly once. lhotse's rule was read from its description and its behaviour: samples
wait in cells of like size, one is added first and the limit is looked at afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from batching_parts.accounts import up

Size = tuple[int, int]


@dataclass
class _Open:
    """A batch in the making."""

    places: list[int] = field(default_factory=list)
    width: int = 0
    height: int = 0

    def with_one(self, size: Size) -> int:
        """Return the padded pixels with one more image."""
        return (len(self.places) + 1) * up(max(self.width, size[0])) * up(max(self.height, size[1]))

    def add(self, place: int, size: Size) -> int:
        """Add an image; return the padded pixels."""
        cost = self.with_one(size)
        self.places.append(place)
        self.width, self.height = max(self.width, size[0]), max(self.height, size[1])
        return cost


def arrival(
    sizes: Sequence[Size], budget: float, most: int, places: Sequence[int] | None = None
) -> Iterator[list[int]]:
    """Yield batches in the order of arrival, or of ``places``, each tested before it is added."""
    now = _Open()
    for place in range(len(sizes)) if places is None else places:
        size = sizes[place]
        if now.places and (len(now.places) == most or now.with_one(size) > budget):
            yield now.places
            now = _Open()
        now.add(place, size)
    if now.places:
        yield now.places


def cells(
    sizes: Sequence[Size], budget: float, most: int, cell: int, exact: bool
) -> Iterator[list[int]]:
    """Yield batches from queues of like size, then what is left in them, neighbours together.

    What is left is tested before it is added: mixing cells would hold against a rule what is not
    its fault.

    Args:
        sizes: width and height, pixels.
        budget: padded pixels.
        most: images per batch.
        cell: side of a cell, pixels.
        exact: whether an image is tested before it is added.
    """
    queues: dict[Size, _Open] = {}
    for place, size in enumerate(sizes):
        key = (-(-size[0] // cell), -(-size[1] // cell))
        now = queues.setdefault(key, _Open())
        if exact and now.places and now.with_one(size) > budget:
            yield now.places
            now = queues[key] = _Open()
        cost = now.add(place, size)
        if len(now.places) == most or (not exact and cost >= budget):
            yield now.places
            queues[key] = _Open()
    order = sorted(queues, key=lambda key: (key[0] < key[1], key))
    left = [place for key in order for place in queues[key].places]
    yield from arrival(sizes, budget, most, left)
