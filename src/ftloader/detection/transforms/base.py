"""What every detection transform promises.

A transform is a frozen dataclass of settings. Its work is split in two:

* ``draw`` decides everything random and everything about geometry, from what is known before a
  pixel is read: sizes and objects. It returns a parameter object, which can be logged and replayed.
* ``apply`` does what the parameters say. It is pure: it writes neither to itself nor to its input.

So the size and the objects that come out are known before pixels are (``output_size``,
``info_after``), and no transform can race: there is nothing to write to. Whoever wants the same
sample again draws from the same generator (:func:`ftloader.rng.sample_rng`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from numpy.random import Generator

from ftloader.detection.annotations import Annotations
from ftloader.detection.sample import Image, Sample, SampleInfo
from ftloader.safety import ThreadSafety

Partners = Mapping[int, Sample]

NO_PARTNERS: Final[Partners] = MappingProxyType({})


class Transform[P](ABC):
    """One step of augmentation; ``P`` is the type of its parameters.

    Thread safety: stateless; one instance serves any number of threads.
    Determinism: the same generator state, info and pixels give the same result, bit for bit.
    """

    __slots__ = ()

    @property
    def thread_safety(self) -> ThreadSafety:
        """What it promises to threads; a pipeline holds it to that."""
        return ThreadSafety.STATELESS

    @property
    def reads_objects(self) -> bool:
        """Whether ``draw`` looks at the objects and not at the size alone."""
        return False

    @abstractmethod
    def draw(self, rng: Generator, info: SampleInfo) -> P | None:
        """Decide what will be done to a sample.

        Args:
            rng: the sample's own stream; how much is taken from it is up to the transform.
            info: the sample without its pixels.

        Returns:
            The parameters, or None if this sample is to be dropped.
        """

    @abstractmethod
    def output_size(self, info: SampleInfo, params: P) -> tuple[int, int]:
        """Return the exact width and height of the image that comes out, pixels."""

    def annotations_after(self, info: SampleInfo, params: P) -> Annotations:
        """Return the objects that come out; the same ones unless a transform says otherwise."""
        return info.annotations

    def pixels(self, image: Image, params: P) -> Image:
        """Return the image that comes out; the same one unless a transform says otherwise."""
        return image

    def info_after(self, info: SampleInfo, params: P) -> SampleInfo:
        """Return everything that is known of the sample that comes out but its pixels."""
        width, height = self.output_size(info, params)
        return replace(
            info, width=width, height=height, annotations=self.annotations_after(info, params)
        )

    def apply(self, sample: Sample, params: P, partners: Partners = NO_PARTNERS) -> Sample:
        """Return the transformed sample.

        Args:
            sample: the input; never written to.
            params: what ``draw`` returned for this sample's info.
            partners: the samples that :meth:`partners` names, by their index in the data set.
        """
        return Sample(self.pixels(sample.image, params), self.info_after(sample.info, params))

    def partners(self, params: P) -> tuple[int, ...]:
        """Return the indices of the other samples that ``apply`` will need."""
        return ()

    def __call__(
        self, sample: Sample, rng: Generator, partners: Partners = NO_PARTNERS
    ) -> Sample | None:
        """Draw and apply in one go; None if the sample is to be dropped."""
        params = self.draw(rng, sample.info)
        return None if params is None else self.apply(sample, params, partners)
