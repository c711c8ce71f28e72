"""mmdet's transforms with our parameters put in where they would draw.

``run(transform, params, results)`` builds the counterpart of one of our transforms from its
settings, replaces what is random in that one instance, and runs it. What is not random (the size
that ``Resize`` works out, which boxes a filter keeps) the counterpart decides by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import singledispatch
from types import SimpleNamespace
from typing import Any

from ftloader.detection.transforms.crop import RandomCrop
from ftloader.detection.transforms.expand import Expand
from ftloader.detection.transforms.filter import FilterAnnotations
from ftloader.detection.transforms.flip import RandomFlip
from ftloader.detection.transforms.iou_crop import MinIoURandomCrop
from ftloader.detection.transforms.mixup import MixUp, MixUpParams
from ftloader.detection.transforms.mosaic import Mosaic, MosaicParams
from ftloader.detection.transforms.normalize import Normalize
from ftloader.detection.transforms.pad import Pad
from ftloader.detection.transforms.photometric import PhotoMetricDistortion, PhotoMetricParams
from ftloader.detection.transforms.resize import RandomChoiceResize, RandomResize, Resize
from tests.oracle import references
from tests.oracle.references import mmdet_transforms as theirs
from tests.oracle.results import Results

_PILLOW = {"backend": "pillow"}


@singledispatch
def run(transform: Any, params: Any, results: Results) -> Results | None:
    """Return what mmdet's counterpart makes of ``results``; None if it drops the sample."""
    raise NotImplementedError(f"{type(transform).__name__} has no counterpart here yet")


@run.register
def _(transform: RandomFlip, params: Any, results: Results) -> Results | None:
    flip = theirs.RandomFlip(prob=1.0)
    flip._choose_direction = lambda: params.direction
    return flip(results)


@run.register
def _(transform: Resize, params: Any, results: Results) -> Results | None:
    resize = theirs.Resize(transform.scale, keep_ratio=transform.keep_ratio, **_PILLOW)
    return resize(results)


@run.register(RandomResize)
@run.register(RandomChoiceResize)
def _(transform: Any, params: Any, results: Results) -> Results | None:
    # The random scale is compared in test_draws.py; here, what follows from the size.
    return theirs.Resize((params.width, params.height), keep_ratio=False, **_PILLOW)(results)


@run.register
def _(transform: Pad, params: Any, results: Results) -> Results | None:
    value = transform.value if isinstance(transform.value, int) else transform.value[::-1]
    pad = theirs.Pad(
        size=transform.size,
        size_divisor=transform.divisor,
        pad_to_square=transform.square,
        pad_val={"img": value},
    )
    return pad(results)


@run.register
def _(transform: Normalize, params: Any, results: Results) -> Results | None:
    # Of BGR it makes RGB; `results` stay BGR by turning back.
    normalize = references.mmcv.transforms.Normalize(transform.mean, transform.std, to_rgb=True)
    results = normalize(results)
    results["img"] = results["img"][..., ::-1]
    return results


@run.register
def _(transform: RandomCrop, params: Any, results: Results) -> Results | None:
    crop = theirs.RandomCrop(
        (8, 8),
        allow_negative_crop=transform.allow_negative_crop,
        recompute_bbox=transform.recompute_boxes,
        bbox_clip_border=transform.clip_boxes,
    )
    crop._get_crop_size = lambda image_size: (params.height, params.width)
    crop._rand_offset = lambda margin: (params.y, params.x)
    return crop(results)


@run.register
def _(transform: MinIoURandomCrop, params: Any, results: Results) -> Results | None:
    crop = theirs.MinIoURandomCrop(
        transform.min_ious, transform.min_crop_size, bbox_clip_border=transform.clip_boxes
    )
    # Mode 0 takes any rectangle; which one passes which mode is compared in test_draws.py.
    crop._random_mode = lambda: 1 if params.crop is None else 0
    if params.crop is None:
        return crop(results)
    x, y = params.crop.corner
    width, height = params.crop.size
    # Whole numbers may fall outside the allowed shapes by rounding; the right fraction is put back.
    width, height = _allowed_shape(width, height)
    with scripted([width, height, x, y]):
        return crop(results)


@run.register
def _(transform: Expand, params: Any, results: Results) -> Results | None:
    height, width = results["img"].shape[:2]
    is_same = (params.width, params.height) == (width, height)
    expand = theirs.Expand(transform.mean, to_rgb=True, ratio_range=transform.ratio_range, prob=0.5)
    expand._random_prob = lambda: 1.0 if is_same else 0.0
    # The smallest ratio that gives this canvas: truncation makes the same size of it.
    ratio = max(params.width / width, params.height / height) * (1 + 1e-12)
    expand._random_ratio = lambda: ratio
    expand._random_left_top = lambda ratio, h, w: (params.x, params.y)
    return expand(results)


@run.register
def _(transform: FilterAnnotations, params: Any, results: Results) -> Results | None:
    by_mask = transform.min_mask_area is not None
    area = transform.min_mask_area if by_mask else 1
    keep = references.FilterAnnotations(
        transform.min_size, area, by_mask=by_mask, keep_empty=transform.drop_empty
    )
    return keep(results)


@run.register
def _(transform: PhotoMetricDistortion, params: Any, results: Results) -> Results | None:
    return distort(params, results, mode=0)


def distort(params: PhotoMetricParams, results: Results, *, mode: int) -> Results:
    """Return the float image of mmdet's photometric distortion.

    Args:
        params: ours; the neutral value of a change stands for a change that is not made.
        results: changed in place.
        mode: where mmdet's contrast comes: 1 early, 0 late.
    """
    distortion = theirs.PhotoMetricDistortion()
    swap = [2 - channel for channel in reversed(params.channels)]
    flags = (mode, 1, 1, 1, 1, 1)
    values = (params.brightness, params.contrast, params.saturation, params.hue, swap)
    distortion._random_flags = lambda: (*flags, *values)
    return distortion(results)


def mosaic(transform: Mosaic, params: MosaicParams, four: Sequence[Results]) -> Results:
    """Return mmdet's mosaic of four images; it knows no masks."""
    results = dict(four[0], mix_results=list(four[1:]))
    counterpart = theirs.Mosaic(transform.size, transform.centre_range, pad_val=transform.fill)
    # Half a pixel more: truncation gives the whole number back.
    centre = [(params.x + 0.5) / transform.size[0], (params.y + 0.5) / transform.size[1]]
    with scripted([0.0, *centre]), resizing_with_pillow():
        return counterpart(results)


def mixup(transform: MixUp, params: MixUpParams, two: Sequence[Results]) -> Results:
    """Return mmdet's blend of two images; it knows no masks."""
    results = dict(two[0], mix_results=[two[1]])
    # With its default, the float 114.0, the canvas would be of floats, which Pillow does not take.
    counterpart = theirs.MixUp(transform.size, transform.ratio_range, pad_val=transform.fill)
    width, height = (int(side * params.factor) for side in transform.size)
    image_height, image_width = two[0]["img"].shape[:2]
    # mmdet draws an offset only where there is room for one, y first.
    offsets = [params.y] * (height > image_height) + [params.x] * (width > image_width)
    with scripted([params.factor, float(params.flip)], offsets), resizing_with_pillow():
        return counterpart(results)


@contextmanager
def scripted(uniforms: Sequence[float], integers: Sequence[int] = ()) -> Iterator[None]:
    """Let the draws that mmdet makes in line (NumPy's global ``random``) return these values."""
    reals, wholes = iter(uniforms), iter(integers)
    fake = SimpleNamespace(
        uniform=lambda low=0.0, high=1.0: next(reals),
        randint=lambda low, high=None: next(wholes),
    )
    real = theirs.random
    theirs.random = fake
    try:
        yield
    finally:
        theirs.random = real


@contextmanager
def resizing_with_pillow() -> Iterator[None]:
    """Let ``mmcv.imresize`` use Pillow where no backend is named.

    ``mmcv.use_backend`` does not reach it: the name is bound when mmcv is imported.
    """
    geometric = references.mmcv.image.geometric
    before = geometric.imread_backend
    geometric.imread_backend = "pillow"
    try:
        yield
    finally:
        geometric.imread_backend = before


def _allowed_shape(width: float, height: float) -> tuple[float, float]:
    """Return the sides, grown by less than a pixel where that puts them between 1:2 and 2:1."""
    return max(width, min(height / 2, width + 0.999)), max(height, min(width / 2, height + 0.999))
