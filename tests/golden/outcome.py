"""What a transform makes of a sample, in plain arrays that two implementations can both fill."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftloader.detection.sample import Sample

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far two outcomes may be apart.

    Attributes:
        image: greatest difference of a pixel value.
        boxes: greatest difference of a box coordinate, pixels.
        mask_share: how many pixels of a mask may differ, as a share of those set in either...
        mask_pixels: ... and beyond that, this many.
    """

    image: float = 0.0
    boxes: float = 0.0
    mask_share: float = 0.0
    mask_pixels: int = 0


EXACT = Tolerance()


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """An augmented sample.

    Attributes:
        image: RGB, (H, W, 3), uint8 or float32.
        boxes: float32 (N, 4), pixels.
        labels: int64 (N,).
        crowd: bool (N,).
        masks: uint8 (N, H, W), or None where they are not compared.
    """

    image: Array
    boxes: Array
    labels: Array
    crowd: Array
    masks: Array | None


def outcome_of(sample: Sample, *, masks: bool = True) -> Outcome:
    """Return what one of our samples holds."""
    return Outcome(
        image=sample.image,
        boxes=sample.boxes,
        labels=sample.labels,
        crowd=sample.crowd,
        masks=sample.masks() if masks else None,
    )


def assert_close(ours: Outcome, theirs: Outcome, tolerance: Tolerance, what: str) -> None:
    """Fail with numbers where two outcomes are farther apart than allowed."""
    assert ours.image.dtype == theirs.image.dtype, what
    assert ours.image.shape == theirs.image.shape, what
    _assert_near(ours.image, theirs.image, tolerance.image, f"{what}: image")
    np.testing.assert_array_equal(ours.labels, theirs.labels, err_msg=f"{what}: labels")
    np.testing.assert_array_equal(ours.crowd, theirs.crowd, err_msg=f"{what}: crowd")
    assert ours.boxes.dtype == theirs.boxes.dtype == np.float32, what
    _assert_near(ours.boxes, theirs.boxes, tolerance.boxes, f"{what}: boxes")
    # Without objects mmdet's MinIoURandomCrop leaves an empty stack of the old size behind.
    if ours.masks is None or theirs.masks is None or not len(ours.labels):
        return
    assert ours.masks.shape == theirs.masks.shape, f"{what}: masks"
    for i, (mine, other) in enumerate(zip(ours.masks, theirs.masks, strict=True)):
        different = int((mine != other).sum())
        allowed = tolerance.mask_pixels + tolerance.mask_share * int((mine | other).sum())
        assert different <= allowed, f"{what}: {different} pixels of mask {i} differ"


def _assert_near(ours: Array, theirs: Array, allowed: float, what: str) -> None:
    assert ours.shape == theirs.shape, f"{what}: {ours.shape} beside {theirs.shape}"
    if not ours.size:
        return
    difference = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    worst = float(difference.max())
    where = np.unravel_index(int(difference.argmax()), difference.shape)
    assert worst <= allowed, (
        f"{what} differ by up to {worst:.6g} ({int((difference > allowed).sum())} of "
        f"{difference.size} values by more than {allowed:g}), "
        f"first at {tuple(map(int, where))}: {ours[where]} beside {theirs[where]}"
    )


def pack(outcome: Outcome) -> dict[str, Array]:
    """Return the arrays by name, masks as bits, for a file."""
    arrays = {field.name: getattr(outcome, field.name) for field in fields(outcome)}
    masks = arrays.pop("masks")
    if masks is not None:
        arrays["masks"] = np.packbits(masks)
    return arrays


def unpack(arrays: dict[str, Array]) -> Outcome:
    """Return what :func:`pack` was given."""
    named = dict(arrays)
    bits = named.pop("masks", None)
    masks = None
    if bits is not None:
        shape = (len(named["boxes"]), *named["image"].shape[:2])
        masks = np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape)
    return Outcome(**named, masks=masks)
