"""Samples to batches: images padded to one shape, everything else as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftloader.batching.packing import rounded_up
from ftloader.batching.ranks import PlannedBatch
from ftloader.batching.serving import Gathered
from ftloader.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class PaddedBatch:
    """A batch of detection samples.

    Attributes:
        images: (n, H, W, 3), dtype of the samples' images; padded with 0 at the right and below.
        sizes: int32 (n, 2), width and height of each image without padding, pixels.
        boxes: for each image float32 (N, 4), ``x1, y1, x2, y2`` in pixels.
        labels: for each image int64 (N,).
        crowd: for each image bool (N,).
        image_ids: int64 (n,).
        planned: what was planned, with the weight for the loss; None where nothing was.
    """

    images: NDArray[Any]
    sizes: NDArray[np.int32]
    boxes: tuple[NDArray[np.float32], ...]
    labels: tuple[NDArray[np.int64], ...]
    crowd: tuple[NDArray[np.bool_], ...]
    image_ids: NDArray[np.int64]
    planned: PlannedBatch | None

    def __len__(self) -> int:
        """How many images it has."""
        return len(self.images)

    @property
    def weight(self) -> float:
        """What to multiply a mean over its images with: as planned, less what was skipped."""
        planned = self.planned
        return 1.0 if planned is None else planned.weight * len(self) / len(planned)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays: list[NDArray[Any]] = [self.images, self.sizes, self.image_ids]
        arrays += [*self.boxes, *self.labels, *self.crowd]
        return sum(array.nbytes for array in arrays)


def pad_collate(gathered: Gathered) -> PaddedBatch:
    """Copy a batch's images into one array of the planned shape.

    Raises:
        DataError: an image is larger than the planned shape, or they differ in dtype.

    Thread safety: pure.
    """
    batch = gathered.batch
    return _padded(gathered.samples, batch.height, batch.width, batch)


def pad_samples(samples: Sequence[Any], stride: int = 32) -> PaddedBatch:
    """Copy images that nobody planned into one array, as large as the largest of them.

    Args:
        samples: at least one.
        stride: the sides of the array are multiples of this, pixels.

    Raises:
        DataError: there are no samples, or they differ in dtype.

    Thread safety: pure.
    """
    if not samples:
        raise DataError("pad_samples: a batch needs at least one sample")
    sides = np.array([sample.image.shape[:2] for sample in samples]).max(0)
    height, width = rounded_up(sides, stride).tolist()
    return _padded(samples, height, width, None)


def _padded(
    samples: Sequence[Any], height: int, width: int, planned: PlannedBatch | None
) -> PaddedBatch:
    # A batch may be empty: all of its samples may have been skipped.
    dtype = samples[0].image.dtype if samples else np.uint8
    images = np.empty((len(samples), height, width, 3), dtype)
    for slot, sample in enumerate(samples):
        high, wide = sample.image.shape[:2]
        if high > height or wide > width:
            raise DataError(
                f"{sample.key} is {wide} x {high}, larger than the {width} x {height} planned for "
                f"its batch"
            )
        if sample.image.dtype != images.dtype:
            raise DataError(f"{sample.key} is {sample.image.dtype}, its batch {images.dtype}")
        pad_into(images[slot], sample.image)
    return batch_of(images, [sample.info for sample in samples], planned)


def pad_into(target: NDArray[Any], image: NDArray[Any]) -> None:
    """Write an image to the upper left of a larger array, and 0 over everything else there."""
    height, width = image.shape[:2]
    target[:height, :width] = image
    target[height:] = 0
    target[:height, width:] = 0


def batch_of(
    images: NDArray[Any], infos: Sequence[Any], planned: PlannedBatch | None
) -> PaddedBatch:
    """Return a batch of padded images, (n, H, W, 3), and what else is known of each."""
    return PaddedBatch(
        images=images,
        sizes=np.array([info.size for info in infos], np.int32).reshape(-1, 2),
        boxes=tuple(info.annotations.boxes for info in infos),
        labels=tuple(info.annotations.labels for info in infos),
        crowd=tuple(info.annotations.crowd for info in infos),
        image_ids=np.array([info.image_id for info in infos], np.int64),
        planned=planned,
    )


def list_collate(gathered: Gathered) -> dict[str, list[Any]]:
    """Keep a batch's samples apart: a dictionary of lists, as mmdet's ``pseudo_collate`` makes it.

    For models that pad by themselves.

    Returns:
        ``images``, (H, W, 3) each; ``boxes``, float32 (N, 4); ``labels``, int64 (N,); ``crowd``,
        bool (N,); ``infos``, everything else that is known of each sample.

    Thread safety: pure; no pixel is copied.
    """
    samples = gathered.samples
    return {
        "images": [sample.image for sample in samples],
        "boxes": [sample.boxes for sample in samples],
        "labels": [sample.labels for sample in samples],
        "crowd": [sample.crowd for sample in samples],
        "infos": [sample.info for sample in samples],
    }


def stack_collate(gathered: Gathered) -> PaddedBatch:
    """Stack images of one size, without padding.

    Raises:
        DataError: the images differ in size or dtype.

    Thread safety: pure.
    """
    samples = gathered.samples
    for sample in samples[1:]:
        if sample.info.size != samples[0].info.size:
            raise DataError(
                f"{sample.key} is {'{} x {}'.format(*sample.info.size)}, {samples[0].key} "
                f"{'{} x {}'.format(*samples[0].info.size)}: images of several sizes cannot be "
                f"stacked; resize or crop them to one, or pad them"
            )
    width, height = samples[0].info.size if samples else (0, 0)
    return _padded(samples, height, width, gathered.batch)
