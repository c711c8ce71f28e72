"""What a batch costs in memory, from its shape and the number of its objects.

Every model here is monotone: a batch that grows in any respect never gets cheaper. The planner
relies on it: what fits stays fitting when it is split, and what does not fit need not be tried with
more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ftloader.errors import PlanError

Costs = NDArray[np.float64]


class Load(NamedTuple):
    """What batches ask of memory: numbers, or arrays that broadcast together.

    Attributes:
        images: how many images the batch has.
        height: of the batch after padding, pixels.
        width: of the batch after padding, pixels.
        boxes: objects of all its images together.
        most_boxes: objects of the image that has most.
    """

    images: ArrayLike
    height: ArrayLike
    width: ArrayLike
    boxes: ArrayLike
    most_boxes: ArrayLike


@runtime_checkable
class CostModel(Protocol):
    """What the planner asks of a model.

    Must be monotone in every field of :class:`Load`, immutable and pure, and have a ``repr`` that
    tells it from every other model (dataclasses do): plans are compared by it.
    """

    @property
    def unit(self) -> str:
        """What the cost is counted in: ``"pixels"`` or ``"bytes"``."""

    def cost(self, load: Load) -> Costs:
        """Return an upper bound of what each batch takes: float64, of the broadcast shape."""


def floats(load: Load) -> tuple[Costs, Costs, Costs, Costs, Costs]:
    """Return a load's fields as float64: exact for whole numbers up to 2**53."""
    images, height, width, boxes, most = (np.asarray(field, np.float64) for field in load)
    return images, height, width, boxes, most


@dataclass(frozen=True, slots=True)
class PaddedPixels:
    """Counts padded pixels: images x height x width. The plainest model, and exact.

    Enough where memory goes with pixels, which it does for convolutional detectors with few
    objects. Its budgets carry over from one image size to another, not from one network to another.
    """

    @property
    def unit(self) -> str:
        """``"pixels"``."""
        return "pixels"

    def cost(self, load: Load) -> Costs:
        """Return padded pixels."""
        images, height, width, _, _ = floats(load)
        return images * height * width


@dataclass(frozen=True, slots=True)
class HostBytes:
    """Counts the bytes of a padded batch in host memory, exactly as ``pad_collate`` makes it.

    Attributes:
        pixel_bytes: bytes of one pixel, all channels: 3 for uint8 RGB, 12 for float32.
        mask_bytes: bytes of one mask pixel, 0 without masks.

    Raises:
        PlanError: a number is negative, or a pixel has no bytes.
    """

    pixel_bytes: int = 3
    mask_bytes: int = 0

    #: Per object: box float32 x 4, label int64, crowd flag.
    BOX_BYTES = 16 + 8 + 1
    #: Per image: its height and width, int32, and its id, int64.
    IMAGE_BYTES = 8 + 8

    def __post_init__(self) -> None:
        if self.pixel_bytes < 1 or self.mask_bytes < 0:
            raise PlanError(f"a pixel takes at least one byte and a mask none or more, not {self}")

    @property
    def unit(self) -> str:
        """``"bytes"``."""
        return "bytes"

    def cost(self, load: Load) -> Costs:
        """Return bytes."""
        images, height, width, boxes, _ = floats(load)
        pixels = height * width
        return images * (pixels * self.pixel_bytes + self.IMAGE_BYTES) + boxes * (
            self.BOX_BYTES + self.mask_bytes * pixels
        )


#: Names of the terms of :class:`DeviceBytes`, in the order of its coefficients.
TERMS: Final = ("fixed", "pixels", "images", "boxes", "assignment", "masks", "attention")


@dataclass(frozen=True, slots=True)
class DeviceBytes:
    """Predicts the peak memory of a training step.

    ``fixed + pixels·P + images·n + boxes·Σb + assignment·max(b)·A(H,W) + masks·Σb·H·W +
    attention·P²/n`` with ``P = n·H·W`` padded pixels, ``b`` the objects of an image, and ``A`` the
    number of anchors: ``anchors · Σ_s ⌈H/s⌉·⌈W/s⌉`` over the strides ``s``. Assignment goes with
    the fullest image because detectors match one image after the other; attention is quadratic in
    the pixels of one image.

    Attributes:
        fixed: bytes that every step takes: weights, gradients, optimizer state, workspace.
        pixels: bytes per padded pixel: activations.
        images: bytes per image.
        boxes: bytes per object.
        assignment: bytes per pair of an anchor and an object of the fullest image.
        masks: bytes per mask pixel, padded.
        attention: bytes per pair of pixels of one image.
        margin: bytes added to every prediction so that it bounds what was measured.
        anchors: anchors per location.
        strides: of the feature maps that carry anchors, pixels.

    Raises:
        PlanError: a coefficient is negative or not finite, or there are no strides.
    """

    fixed: float = 0.0
    pixels: float = 0.0
    images: float = 0.0
    boxes: float = 0.0
    assignment: float = 0.0
    masks: float = 0.0
    attention: float = 0.0
    margin: float = 0.0
    anchors: int = 1
    strides: tuple[int, ...] = (8, 16, 32, 64, 128)

    def __post_init__(self) -> None:
        for name in (*TERMS, "margin"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0):
                raise PlanError(f"cost model: {name} must be a number from 0 on, not {value}")
        if self.anchors < 1 or not self.strides or min(self.strides) < 1:
            raise PlanError(
                f"cost model: anchors per location and strides must be from 1 on, "
                f"not {self.anchors} and {self.strides}"
            )

    @property
    def unit(self) -> str:
        """``"bytes"``."""
        return "bytes"

    def predict(self, load: Load) -> Costs:
        """Return the bytes that are expected, without the margin: float64."""
        images, height, width, boxes, most = floats(load)
        area = height * width
        total = self.fixed + images * (self.pixels * area + self.images) + boxes * self.boxes
        # The planner asks often, and few networks have all of these.
        if self.assignment:
            total = total + self.assignment * (most * self._anchors(height, width))
        if self.masks:
            total = total + self.masks * (boxes * area)
        if self.attention:
            total = total + self.attention * (images * area**2)
        return np.asarray(total)

    def cost(self, load: Load) -> Costs:
        """Return an upper bound in bytes: the prediction and the margin."""
        return self.predict(load) + self.margin

    def terms(self, load: Load) -> list[Costs]:
        """Return what each coefficient is multiplied with, in the order of ``TERMS``."""
        images, height, width, boxes, most = np.broadcast_arrays(*floats(load))
        area = height * width
        return [
            np.ones(area.shape),
            images * area,
            images,
            boxes,
            most * self._anchors(height, width),
            boxes * area,
            images * area**2,
        ]

    def _anchors(self, height: Costs, width: Costs) -> Costs:
        counts = (np.ceil(height / stride) * np.ceil(width / stride) for stride in self.strides)
        return np.asarray(self.anchors * sum(counts))
