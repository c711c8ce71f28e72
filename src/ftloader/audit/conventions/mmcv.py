"""Transforms of mmcv, mmdet and their kin: ``transform(results) -> results``, on a dict.

The dict holds what their loading steps leave: the image, its sizes, boxes, labels and flags. A
call's dict is its own by this convention, so transforms may write to it.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator

from .base import Convention, View
from .coded import Coded, pictures
from .frozen import FrozenDict, frozen
from .plain import finished
from .views import view


class Results(Convention):
    """``transform(results)``.

    Args:
        module: where the transform comes from; mmdet's are given boxes of mmdet's own type, all
            others float32 arrays.
    """

    name: ClassVar[str] = "dict"
    owns_input: ClassVar[bool] = True

    def __init__(self, module: str = "") -> None:
        self._box_type = _box_type(module)

    def samples(self) -> Sequence[Any]:
        """Make dicts as mmcv's and mmdet's loading steps leave them."""
        return [self._results(coded) for coded in pictures()]

    def call(self, transform: Any, sample: Any, rng: Generator) -> Any:
        """Call it on a dict; one that mixes images is given the others first, as by mmdet."""
        choose = getattr(transform, "get_indexes", None)
        if choose is not None and isinstance(sample, dict) and "mix_results" not in sample:
            others = self.samples()
            chosen = choose(others)
            chosen = chosen if isinstance(chosen, Sequence) else [chosen]
            sample["mix_results"] = [others[i] for i in chosen]
            done = finished(transform(sample))
            if isinstance(done, dict):
                done.pop("mix_results", None)
            return done
        return finished(transform(sample))

    def view(self, value: Any) -> View | None:
        """Return the picture and the objects of a dict."""
        return view(value)

    def frozen(self, sample: Any) -> Any:
        """Return a copy whose values refuse to be written to; the dict itself may be."""
        made = frozen(sample)
        return dict(made) if isinstance(made, FrozenDict) else made

    def _results(self, coded: Coded) -> dict[str, Any]:
        width, height = coded.size
        path = f"made-{coded.number:02}.png"
        boxes = coded.boxes.copy()
        return {
            "img_path": path,
            "img_id": coded.number,
            "height": height,
            "width": width,
            "instances": [
                {"bbox": box, "bbox_label": label, "ignore_flag": 0}
                for box, label in zip(boxes.tolist(), coded.labels.tolist(), strict=True)
            ],
            "img": coded.image.copy(),
            "img_shape": (height, width),
            "ori_shape": (height, width),
            "gt_bboxes": boxes if self._box_type is None else self._box_type(boxes),
            "gt_bboxes_labels": coded.labels.copy(),
            "gt_ignore_flags": np.zeros(len(boxes), bool),
        }


def _box_type(module: str) -> Any:
    if module.partition(".")[0] not in ("mmdet", "visdet"):
        return None
    package = module.partition(".")[0]
    try:
        found = importlib.import_module(f"{package}.structures.bbox")
    except ImportError:
        return None
    return getattr(found, "HorizontalBoxes", None)
