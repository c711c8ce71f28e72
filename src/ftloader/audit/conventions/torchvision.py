"""torchvision's transforms: v2 on an image and its target, v1 on an image tensor.

torchvision is imported only where a transform of its own, or its style, is audited.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, ClassVar

from numpy.random import Generator

from ...errors import AuditError
from .base import Convention, View
from .coded import Coded, pictures
from .plain import finished
from .views import view


class Torchvision(Convention):
    """``transform(image, {"boxes": ..., "labels": ...})``, of torchvision's own tensor types.

    Args:
        with_target: whether there are boxes and labels, which v1 knows nothing of.
    """

    name: ClassVar[str] = "torchvision"

    def __init__(self, with_target: bool = True) -> None:
        self._with_target = with_target

    def samples(self) -> Sequence[Any]:
        """Make pairs of a uint8 (3, H, W) image and its target, or plain tensors.

        Raises:
            AuditError: torchvision cannot be imported.
        """
        try:
            torch = importlib.import_module("torch")
            types = importlib.import_module("torchvision.tv_tensors")
        except ImportError as error:
            raise AuditError(f"the style torchvision needs torchvision: {error}") from error
        if self._with_target:
            return [_pair(torch, types, coded) for coded in pictures()]
        return [_pixels(torch, coded) for coded in pictures()]

    def call(self, transform: Any, sample: Any, rng: Generator) -> Any:
        """Call it on an image and its target, or on what a sample is."""
        if isinstance(sample, tuple):
            return finished(transform(*sample))
        return finished(transform(sample))

    def view(self, value: Any) -> View | None:
        """Return the picture and the objects of a pair."""
        return view(value)

    def frozen(self, sample: Any) -> Any:
        """Return a copy; torchvision looks into plain dicts and lists only."""
        return self.copy(sample)


def _pair(torch: Any, types: Any, coded: Coded) -> tuple[Any, dict[str, Any]]:
    width, height = coded.size
    boxes = types.BoundingBoxes(
        torch.from_numpy(coded.boxes.copy()), format="XYXY", canvas_size=(height, width)
    )
    labels = torch.from_numpy(coded.labels.copy())
    return types.Image(_pixels(torch, coded)), {"boxes": boxes, "labels": labels}


def _pixels(torch: Any, coded: Coded) -> Any:
    return torch.from_numpy(coded.image.transpose(2, 0, 1).copy())
