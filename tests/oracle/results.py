"""Our samples as mmdet's ``results`` dictionaries (BGR, objects in torch), and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ftloader.detection.masks import usable_polygons
from ftloader.detection.sample import Sample
from tests.golden.outcome import Outcome
from tests.oracle.references import (
    BitmapMasks,
    HorizontalBoxes,
    PolygonMasks,
    coco_masks,
    torch,
)

Results = dict[str, Any]


def to_results(sample: Sample, *, outlines: str = "bitmaps") -> Results:
    """Return what mmdet's loading steps would have made of this sample.

    Args:
        sample: one of ours.
        outlines: ``"bitmaps"``, ``"polygons"`` (mmdet's ``poly2mask=False``) or ``"none"``.
    """
    height, width = sample.image.shape[:2]
    masks = None
    if outlines == "polygons":
        parts = [[part.copy() for part in _parts(o)] for o in sample.info.annotations.segmentations]
        masks = PolygonMasks(parts, height, width)
    elif outlines == "bitmaps":
        masks = BitmapMasks(sample.masks(), height, width)
    results = {
        "img": sample.image[..., ::-1].copy(),
        "img_shape": (height, width),
        "ori_shape": (height, width),
        "gt_bboxes": HorizontalBoxes(torch.from_numpy(sample.boxes.copy()), clone=False),
        "gt_bboxes_labels": sample.labels.copy(),
        "gt_ignore_flags": sample.crowd.copy(),
    }
    return results if masks is None else results | {"gt_masks": masks}


def from_results(results: Results | None) -> Outcome | None:
    """Return the outcome in RGB; None for a dropped sample."""
    if results is None:
        return None
    height, width = results["img"].shape[:2]
    masks = results.get("gt_masks")
    if isinstance(masks, PolygonMasks):
        stack = [rasterised(parts, width, height) for parts in masks.masks]
        masks = np.array(stack, np.uint8).reshape(-1, height, width)
    elif masks is not None:
        masks = masks.masks.reshape(-1, *masks.masks.shape[-2:])
    return Outcome(
        image=results["img"][..., ::-1],
        boxes=results["gt_bboxes"].tensor.numpy().reshape(-1, 4),
        labels=results["gt_bboxes_labels"],
        crowd=results["gt_ignore_flags"],
        masks=masks,
    )


def rasterised(parts: Any, width: int, height: int) -> Any:
    """Return pycocotools' bitmap of polygon parts, uint8 (height, width)."""
    usable = [part.tolist() for part in usable_polygons(parts)]
    if not usable:
        return np.zeros((height, width), np.uint8)
    return coco_masks.decode(coco_masks.merge(coco_masks.frPyObjects(usable, height, width)))


def _parts(outline: Any) -> Any:
    assert isinstance(outline, tuple), "only polygons can go this way"
    # mmdet's stand-in for an outline that encloses nothing.
    return usable_polygons(outline) or [np.zeros(6)]
