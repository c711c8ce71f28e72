"""Small samples with everything that trips transforms up, and a data set of them in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ftloader.detection.annotations import Annotations, Segmentation
from ftloader.detection.masks import Rle, encode_rle, pack_counts
from ftloader.detection.sample import Sample, SampleInfo
from ftloader.detection.transforms import Transform
from ftloader.lab.digest import full_digest
from ftloader.rng import sample_rng


@dataclass(frozen=True, slots=True, eq=False)
class InMemory:
    """A data set of samples that are there already."""

    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.samples)

    def sample_info(self, i: int) -> SampleInfo:
        return self.samples[i].info

    def load(self, i: int) -> Sample:
        return self.samples[i]


def in_memory(*samples: Sample) -> InMemory:
    """Return a data set of these samples, each with its place in it."""
    return InMemory(
        tuple(
            Sample(s.image, replace(s.info, index=i, image_id=i + 1, file_name=f"{i + 1:012d}.jpg"))
            for i, s in enumerate(samples)
        )
    )


def picture(width: int, height: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return an image of whole-number arithmetic: no symmetry, every value, read-only."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([x * 7 + y * 3, x * x // 5 + 11 * y, (x + 1) * (y + 3)], axis=-1)
    return frozen((image % 256).astype(np.uint8))


def sample_of(
    width: int, height: int, boxes: Sequence[Sequence[float]] = (), outlines: Any = None
) -> Sample:
    """Return a sample with objects; their outlines are their boxes' diamonds unless given."""
    table = np.array(boxes, np.float32).reshape(-1, 4)
    count = len(table)
    given = tuple(diamond(*box) for box in table.tolist()) if outlines is None else tuple(outlines)
    notes = Annotations(
        boxes=frozen(table),
        labels=frozen(np.arange(count, dtype=np.int64) % 80),
        crowd=frozen(np.array([isinstance(o, Rle) for o in given], bool)),
        areas=frozen((table[:, 2:] - table[:, :2]).prod(axis=1).astype(np.float64)),
        ids=frozen(np.arange(100, 100 + count, dtype=np.int64)),
        segmentations=tuple(map(_frozen_outline, given)),
    )
    info = SampleInfo(width, height, notes, 0, 1, "000000000001.jpg", (width, height))
    return Sample(picture(width, height), info)


def diamond(x1: float, y1: float, x2: float, y2: float) -> tuple[Any, ...]:
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    return (np.array([x, y1, x2, y, x, y2, x1, y], np.float64),)


def crowd_rle(width: int, height: int, *, packed: bool) -> Rle:
    """Return the run lengths of a chequered region."""
    y, x = np.mgrid[0:height, 0:width]
    counts = encode_rle(((x // 3 + y // 4) % 2).astype(np.uint8))
    return Rle(height, width, pack_counts(counts) if packed else counts)


def bitmap(width: int, height: int, x1: int, y1: int, x2: int, y2: int) -> Any:
    mask = np.zeros((height, width), np.uint8)
    mask[y1:y2, x1:x2] = 1
    return mask


def digest(value: Any) -> str:
    """Return a digest of all that a value holds."""
    return full_digest([value])[0]


def stream(seed: int) -> np.random.Generator:
    return sample_rng(seed, 0, 0)


def partners_of(transform: Transform[Any], params: Any, data: InMemory) -> dict[int, Sample]:
    return {i: data.load(i) for i in transform.partners(params)}


def frozen(array: Any) -> Any:
    array.flags.writeable = False
    return array


def writeable_arrays(sample: Sample) -> list[str]:
    """Name the sample's arrays that somebody could write to."""
    notes = sample.info.annotations
    arrays = {"image": sample.image}
    arrays |= {f.name: getattr(notes, f.name) for f in fields(notes) if f.name != "segmentations"}
    return [name for name, array in arrays.items() if array.flags.writeable]


def _frozen_outline(outline: Segmentation) -> Segmentation:
    if isinstance(outline, tuple):
        return tuple(frozen(part) for part in outline)
    if isinstance(outline, Rle):
        if not isinstance(outline.counts, bytes):
            frozen(outline.counts)
        return outline
    return frozen(outline)  # type: ignore[no-any-return]


#: What every transform must cope with: name to sample.
SAMPLES = {
    "plain": sample_of(48, 36, [[2, 3, 20.5, 30.25], [10, 8, 46, 34], [30, 20, 41, 31]]),
    "empty": sample_of(48, 36),
    "one-row": sample_of(40, 1, [[3, 0, 17.5, 1]]),
    "one-column": sample_of(1, 40, [[0, 5, 1, 31]]),
    "one-pixel": sample_of(1, 1, [[0, 0, 1, 1]]),
    "one-row-empty": sample_of(40, 1),
    "crowd": sample_of(
        33,
        21,
        [[4, 4, 20, 15], [0, 0, 33, 21], [0, 0, 33, 21]],
        [
            diamond(4, 4, 20, 15),
            crowd_rle(33, 21, packed=True),
            crowd_rle(33, 21, packed=False),
        ],
    ),
    "bitmaps": sample_of(
        24, 40, [[2, 3, 20, 30], [0, 0, 24, 40]],
        [bitmap(24, 40, 2, 3, 20, 30), bitmap(24, 40, 0, 0, 24, 40)],
    ),
    "no-outlines": sample_of(48, 36, [[2, 3, 20, 30], [10, 8, 46, 34]], [(), ()]),
    "over-the-edge": sample_of(48, 36, [[-9, -4, 12, 20], [40, 30, 60, 50], [5, 5, 5, 20]]),
}  # fmt: skip
