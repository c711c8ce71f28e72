"""Plain functions: of a sample and its random stream, of a sample, of an array, of a Pillow image.

By none of these conventions may a transform write to its input.
"""

from __future__ import annotations

from collections.abc import Sequence
from inspect import isgenerator
from typing import Any, ClassVar, Final

import numpy as np
from numpy.random import Generator
from PIL import Image

from ...detection import Sample
from .base import Convention, View
from .coded import pictures
from .frozen import frozen
from .recipes import made_samples
from .views import view


class _Plain(Convention):
    def view(self, value: Any) -> View | None:
        """Return the picture and the objects, as far as they are recognised."""
        return view(value)

    def copy(self, sample: Any) -> Any:
        """Return a copy; ftloader's samples are read-only, as decoded ones are."""
        return frozen(sample) if isinstance(sample, Sample) else super().copy(sample)


class SampleRng(_Plain):
    """``transform(sample, rng)``.

    Args:
        kind: what samples are made of: ``Sample``, or the key of the image in a dict that has
            ``boxes``, ``labels`` and ``index`` as well.
    """

    name: ClassVar[str] = "sample-rng"
    #: What samples can be made of, in the order in which they are tried.
    KINDS: Final = ("Sample", "image", "img")

    def __init__(self, kind: str = "Sample") -> None:
        self.kind = kind

    def samples(self) -> Sequence[Any]:
        """Make ftloader's samples, or dicts."""
        if self.kind == "Sample":
            return made_samples()
        return [
            {
                "index": coded.number,
                self.kind: coded.image.copy(),
                "boxes": coded.boxes.copy(),
                "labels": coded.labels.tolist(),
            }
            for coded in pictures()
        ]

    def call(self, transform: Any, sample: Any, rng: Generator) -> Any:
        """Call it on a sample and its stream."""
        return finished(transform(sample, rng))


class OneSample(_Plain):
    """``transform(sample)``; without samples of the user's, on ftloader's."""

    name: ClassVar[str] = "sample"

    def samples(self) -> Sequence[Any]:
        """Make ftloader's samples."""
        return made_samples()

    def call(self, transform: Any, sample: Any, rng: Generator) -> Any:
        """Call it on a sample."""
        return finished(transform(sample))


class Array(OneSample):
    """``transform(image)`` on uint8 (H, W, 3)."""

    name: ClassVar[str] = "array"

    def samples(self) -> Sequence[Any]:
        """Make arrays."""
        return [coded.image.copy() for coded in pictures()]


class Pil(OneSample):
    """``transform(image)`` on Pillow images."""

    name: ClassVar[str] = "pil"

    def samples(self) -> Sequence[Any]:
        """Make RGB images."""
        return [Image.fromarray(np.asarray(coded.image)) for coded in pictures()]


def finished(value: Any) -> Any:
    """Return what a transform returned; what it yielded, as a list, if it is a generator."""
    return list(value) if isgenerator(value) else value
