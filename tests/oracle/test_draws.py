"""What our transforms make of the numbers they draw, beside what mmdet makes of the same ones."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ftloader.detection.sample import Sample
from ftloader.detection.transforms.iou_crop import MinIoURandomCrop
from ftloader.detection.transforms.resize import RandomResize
from tests.oracle.references import mmcv, mmdet_transforms
from tests.oracle.results import to_results

SEEDS = range(12)


class Recorder(np.random.Generator):
    """A generator that remembers what was drawn."""

    def __init__(self, seed: int) -> None:
        super().__init__(np.random.PCG64(seed))
        self.taken: list[Any] = []

    def random(self, *args: Any, **kwargs: Any) -> Any:
        return self._kept(super().random(*args, **kwargs))

    def integers(self, *args: Any, **kwargs: Any) -> Any:
        return self._kept(super().integers(*args, **kwargs))

    def _kept(self, drawn: Any) -> Any:
        self.taken.append(drawn)
        return drawn


class Tries:
    """mmdet's ``random`` for one mode: every try has a row of four numbers, as in ours."""

    def __init__(self, rows: Any) -> None:
        self._rows = iter(rows)
        self._row: list[float] = []

    def uniform(self, low: float, high: float | None = None) -> float:
        # Width and height come with two bounds, left and top with one: a lower bound, mmdet's
        # quirk. A try of a shape that is not allowed takes no left and top.
        if high is not None and len(self._row) != 3:
            self._row = list(next(self._rows))
        high = 1.0 if high is None else high
        return low + (high - low) * float(self._row.pop(0))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_rectangles_pass_the_same_overlap(
    seed: int, samples: dict[str, Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    transform = MinIoURandomCrop()
    modes = (1, *transform.min_ious, 0)
    cropped = 0
    for name, sample in samples.items():
        if min(sample.info.size) == 1:
            continue  # mmdet tries for ever
        rng = Recorder(seed)
        params = transform.draw(rng, sample.info)
        drawn = iter(rng.taken)
        counterpart = mmdet_transforms.MinIoURandomCrop(transform.min_ious)

        def random_mode(counterpart: Any = counterpart, drawn: Any = drawn) -> float:
            mode = modes[int(next(drawn))]
            if mode != 1:
                monkeypatch.setattr(mmdet_transforms, "random", Tries(next(drawn)))
            return mode

        counterpart._random_mode = random_mode
        results = counterpart(to_results(sample, outlines="none"))
        size = sample.info.size if params.crop is None else params.crop.size
        assert results["img"].shape[1::-1] == size, f"{name}: {params}"
        assert not list(drawn), f"{name}: mmdet takes fewer tries"
        cropped += params.crop is not None
    assert cropped or seed not in SEEDS[:4]


@pytest.mark.parametrize(
    "transform",
    [
        RandomResize((1024, 1024), ratio_range=(0.1, 2.0)),
        RandomResize((1333, 800), ratio_range=(0.5, 0.8)),
        RandomResize(((1333, 640), (1333, 800))),
        RandomResize(((600, 900), (300, 1200))),
    ],
)
def test_the_same_numbers_give_the_same_size(
    transform: RandomResize, samples: dict[str, Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    scales = list(transform.scale) if transform.ratio_range is None else transform.scale
    counterpart = mmcv.transforms.RandomResize(scales, transform.ratio_range, keep_ratio=True)
    for seed in range(20):
        for name, sample in samples.items():
            rng = Recorder(seed)
            params = transform.draw(rng, sample.info)
            drawn = iter(rng.taken)
            fake = SimpleNamespace(
                random_sample=lambda drawn=drawn: next(drawn),
                randint=lambda low, high, drawn=drawn: next(drawn),
            )
            with monkeypatch.context() as patch:
                patch.setattr(mmcv.transforms.processing, "np", SimpleNamespace(random=fake))
                scale = counterpart._random_scale()
            expected = mmcv.rescale_size(sample.info.size, scale)
            # mmcv makes images without height or width, which Pillow refuses.
            expected = tuple(max(1, side) for side in expected)
            assert (params.width, params.height) == expected, f"{name}, {seed}: {scale}"
