"""What a synthetic data set is made of: its parameters, and the COCO figures it imitates.

The figures are measurements of COCO 2017: image sizes of all of val2017, JPEG properties of 435
files, objects of 1,363 annotations and the counts that the COCO paper publishes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np
import PIL

# Raise it whenever the same spec would give other bytes: it is part of the cache key.
GENERATOR_VERSION = 1

SPLIT = "synthetic"

# (width, height): per cent of images. The remaining quarter is drawn, see `objects.draw_size`.
SIZES = {
    (640, 480): 21.2,
    (640, 427): 12.1,
    (480, 640): 6.7,
    (500, 375): 4.8,
    (640, 426): 4.3,
    (427, 640): 3.4,
    (640, 428): 3.2,
    (640, 425): 2.9,
    (612, 612): 2.1,
    (375, 500): 1.9,
    (500, 333): 1.6,
    (426, 640): 1.5,
    (640, 640): 1.1,
    (640, 360): 1.1,
    (640, 424): 1.0,
    (428, 640): 0.9,
    (425, 640): 0.8,
    (640, 478): 0.7,
    (478, 640): 0.6,
    (333, 500): 0.6,
    (424, 640): 0.5,
    (500, 334): 0.5,
    (640, 457): 0.4,
    (640, 429): 0.4,
}

# libjpeg quality: share of images. Chroma is never subsampled.
QUALITIES = {96: 0.694, 90: 0.297, 80: 0.009}

PERSON_SHARE = 0.30

# COCO's 80 thing categories, id: name.
CATEGORIES = {
    1: "person", 2: "bicycle", 3: "car", 4: "motorcycle", 5: "airplane", 6: "bus", 7: "train",
    8: "truck", 9: "boat", 10: "traffic light", 11: "fire hydrant", 13: "stop sign",
    14: "parking meter", 15: "bench", 16: "bird", 17: "cat", 18: "dog", 19: "horse", 20: "sheep",
    21: "cow", 22: "elephant", 23: "bear", 24: "zebra", 25: "giraffe", 27: "backpack",
    28: "umbrella", 31: "handbag", 32: "tie", 33: "suitcase", 34: "frisbee", 35: "skis",
    36: "snowboard", 37: "sports ball", 38: "kite", 39: "baseball bat", 40: "baseball glove",
    41: "skateboard", 42: "surfboard", 43: "tennis racket", 44: "bottle", 46: "wine glass",
    47: "cup", 48: "fork", 49: "knife", 50: "spoon", 51: "bowl", 52: "banana", 53: "apple",
    54: "sandwich", 55: "orange", 56: "broccoli", 57: "carrot", 58: "hot dog", 59: "pizza",
    60: "donut", 61: "cake", 62: "chair", 63: "couch", 64: "potted plant", 65: "bed",
    67: "dining table", 70: "toilet", 72: "tv", 73: "laptop", 74: "mouse", 75: "remote",
    76: "keyboard", 77: "cell phone", 78: "microwave", 79: "oven", 80: "toaster", 81: "sink",
    82: "refrigerator", 84: "book", 85: "clock", 86: "vase", 87: "scissors", 88: "teddy bear",
    89: "hair drier", 90: "toothbrush",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SyntheticSpec:
    """The parameters of a synthetic data set; equal specs give equal bytes.

    Attributes:
        images: how many images, at least 1.
        seed: 0 to 2**64 - 1.

    Raises:
        ValueError: a value is out of range.
    """

    images: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.images <= 10**9:
            raise ValueError(f"images must be between 1 and 10**9, not {self.images}")
        if not 0 <= self.seed < 2**64:
            raise ValueError(f"seed must be between 0 and 2**64 - 1, not {self.seed}")

    @property
    def noise_fields(self) -> int:
        """How many noise fields are synthesised; images are crops of them."""
        return min(self.images, 48 + self.images // 64)

    def digest(self) -> str:
        """Return the cache key: parameters, generator version, and what encodes the pixels."""
        made_from = {
            **asdict(self),
            "generator": GENERATOR_VERSION,
            "numpy": np.__version__,
            "pillow": PIL.__version__,
        }
        return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]
