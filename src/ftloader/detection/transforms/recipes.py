"""The standard recipes, as functions that return a ``Compose``.

Steps, order and numbers are those of mmdet 3.3's training configurations; what differs is said
where it does. Images stay uint8 to the end: normalising and padding to the batch belong to
whoever makes batches or to the model, as in mmdet. ``RECIPES`` has them by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from ftloader.detection.transforms.base import Transform
from ftloader.detection.transforms.compose import Compose, RandomChoice
from ftloader.detection.transforms.crop import RandomCrop
from ftloader.detection.transforms.expand import Expand
from ftloader.detection.transforms.filter import FilterAnnotations
from ftloader.detection.transforms.flip import RandomFlip
from ftloader.detection.transforms.iou_crop import MinIoURandomCrop
from ftloader.detection.transforms.mixup import MixUp
from ftloader.detection.transforms.mosaic import InfoSource, Mosaic
from ftloader.detection.transforms.pad import Pad
from ftloader.detection.transforms.photometric import PhotoMetricDistortion
from ftloader.detection.transforms.rasterize import Rasterize
from ftloader.detection.transforms.resize import RandomChoiceResize, RandomResize, Resize

Size = tuple[int, int]
#: When outlines become bitmaps, if at all.
Rasterizing = Literal["first", "last", "never"]

# The mean colour of ImageNet in RGB, which canvases are filled with.
_MEAN: Final = (123.675, 116.28, 103.53)
# YOLO's grey.
_GREY: Final = 114


def faster_rcnn(*, scale: Size = (1333, 800)) -> Compose:
    """Resize into a long and a short edge, flip: mmdet's ``coco_detection``, the 1x schedule.

    Args:
        scale: limits of the two edges, pixels, in either order.
    """
    return Compose([Resize(scale), RandomFlip()])


def mask_rcnn(*, scale: Size = (1333, 800), rasterize: Rasterizing = "last") -> Compose:
    """As :func:`faster_rcnn`, with masks: mmdet's ``coco_instance``.

    Args:
        scale: limits of the two edges, pixels, in either order.
        rasterize: when outlines become bitmaps. ``"last"`` moves polygons, which is truer and
            faster; ``"first"`` moves bitmaps, as mmdet does with ``poly2mask=True``; ``"never"``
            leaves it to whoever asks for masks.
    """
    return _with_masks([Resize(scale), RandomFlip()], rasterize)


def multi_scale(
    *, shortest: tuple[int, ...] = tuple(range(480, 801, 32)), longest: int = 1333
) -> Compose:
    """Resize to one of several short edges, flip: multi-scale training as for DETR and Detectron2.

    Args:
        shortest: what to choose from, each equally likely, pixels.
        longest: limit of the long edge, pixels.
    """
    return Compose([RandomChoiceResize(_edges(shortest, longest)), RandomFlip()])


def detr(*, shortest: tuple[int, ...] = tuple(range(480, 801, 32)), longest: int = 1333) -> Compose:
    """Flip, then multi-scale, half of the time on a crop: mmdet's ``detr_r50``.

    Args:
        shortest: short edges to choose from, each equally likely, pixels.
        longest: limit of the long edge, pixels.
    """
    scaled = RandomChoiceResize(_edges(shortest, longest))
    cropped = Compose(
        [
            RandomChoiceResize(_edges((400, 500, 600), longest)),
            RandomCrop((384, 600), "absolute_range", allow_negative_crop=True),
            scaled,
        ]
    )
    return Compose([RandomFlip(), RandomChoice([scaled, cropped])])


def lsj(
    *,
    size: Size = (1024, 1024),
    ratio_range: tuple[float, float] = (0.1, 2.0),
    rasterize: Rasterizing = "last",
) -> Compose:
    """Large-scale jitter (Ghiasi et al., CVPR 2021): mmdet's ``lsj-100e_coco-instance``.

    Images come out at most this large; mmdet pads them to it when a batch is made. Boxes are
    fitted to the cropped masks, and a sample that loses its last object is dropped, which cannot
    be known without the masks: planning rasterises, and costs milliseconds per image.

    Args:
        size: width and height at ratio 1, and the largest crop, pixels; a square.
        ratio_range: least and greatest factor.
        rasterize: as for :func:`mask_rcnn`.
    """
    jitter: list[Transform[Any]] = [
        RandomResize(size, ratio_range),
        RandomCrop(size, "absolute_range", allow_negative_crop=True, recompute_boxes=True),
        FilterAnnotations(min_size=(1e-2, 1e-2)),
        RandomFlip(),
    ]
    return _with_masks(jitter, rasterize)


def ssd(*, size: int = 300) -> Compose:
    """Zoom out, crop by overlap, resize exactly, flip, distort colours: mmdet's ``ssd300``.

    The paper (Liu et al., ECCV 2016) distorts colours first. mmdet does it last, where there are
    a third as many pixels, and the canvas is distorted with the image.

    Args:
        size: width and height that come out, pixels; the paper's are 300 and 512.
    """
    return Compose(
        [
            Expand(_MEAN, (1, 4)),
            MinIoURandomCrop((0.1, 0.3, 0.5, 0.7, 0.9), 0.3),
            Resize((size, size), keep_ratio=False),
            RandomFlip(),
            PhotoMetricDistortion(),
        ]
    )


def yolox(dataset: InfoSource, *, size: Size = (640, 640)) -> Compose:
    """Mosaic, MixUp, flip, resize, pad to a square: mmdet's ``yolox_s`` without two of its steps.

    ``RandomAffine`` and the jitter of hue, saturation and value are not there. So the whole
    mosaic of twice the size is shrunk to the size, where mmdet shows a jittered piece of it.

    Args:
        dataset: where the partners come from.
        size: width and height that come out, pixels; a square.
    """
    return Compose(
        [
            Mosaic(dataset, size, fill=_GREY),
            MixUp(dataset, size, ratio_range=(0.8, 1.6), fill=_GREY),
            RandomFlip(),
            Resize(size),
            Pad(square=True, value=_GREY),
            FilterAnnotations(min_size=(1, 1), drop_empty=False),
        ]
    )


#: The recipes by name; each is made for the data set that partners are to come from.
RECIPES: Final[Mapping[str, Callable[[InfoSource], Compose]]] = MappingProxyType(
    {
        "faster-rcnn-1333x800": lambda dataset: faster_rcnn(),
        "mask-rcnn-1333x800": lambda dataset: mask_rcnn(),
        "multi-scale-480-800": lambda dataset: multi_scale(),
        "detr-480-800": lambda dataset: detr(),
        "lsj-1024": lambda dataset: lsj(),
        "ssd-300": lambda dataset: ssd(),
        "ssd-512": lambda dataset: ssd(size=512),
        "yolox-640": yolox,
    }
)


def _with_masks(steps: list[Transform[Any]], rasterize: Rasterizing) -> Compose:
    match rasterize:
        case "first":
            return Compose([Rasterize(), *steps])
        case "last":
            return Compose([*steps, Rasterize()])
        case "never":
            return Compose(steps)
    raise ValueError(f"rasterize must be 'first', 'last' or 'never', not {rasterize!r}")


def _edges(shortest: tuple[int, ...], longest: int) -> tuple[Size, ...]:
    return tuple((longest, edge) for edge in shortest)
