"""What the optional packages do to a free-threaded interpreter, and that each really works."""

from __future__ import annotations

import importlib.metadata

import numpy as np
import pytest
from PIL import Image

from ftloader import doctor
from ftloader.detection import decode
from ftloader.detection.synthetic import SyntheticSpec, synthetic_coco
from ftloader.runtime import free_threaded_build

DEPENDENCIES = [
    "numpy",
    "PIL.Image",
    "torch",
    "torchdata.nodes",
    "spdl.pipeline",
    "spdl.io",
    "matplotlib.pyplot",
    "jinja2",
    "psutil",
    "hypothesis",
    "pytest_run_parallel",
    "pytest_benchmark",
]


@pytest.mark.parametrize("module", DEPENDENCIES)
def test_a_dependency_imports_and_leaves_the_gil_as_it_was(module: str) -> None:
    result = doctor.probe(module)
    assert "error" not in result
    assert result["gil"] is not free_threaded_build()


def test_the_doctor_finds_torch_spdl_and_ffmpeg_usable() -> None:
    facts = doctor.extra_facts()
    assert facts["engine 'spdl'"] == "usable"
    assert facts["torch"].startswith("usable; CUDA devices:")
    assert facts["FFmpeg for spdl.io"].startswith("usable; FFmpeg libraries:")


def test_ffmpeg_and_pillow_decode_the_same_picture(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    import spdl.io

    from ftloader.detection import open_coco

    cache = tmp_path_factory.mktemp("cache")
    folder = open_coco(synthetic_coco(SyntheticSpec(images=3), cache, progress=False))
    for number in range(len(folder)):
        data = folder.read_bytes(number)
        theirs = spdl.io.to_numpy(spdl.io.load_image(data))
        ours = decode(data)
        assert theirs.shape == ours.shape
        # Two inverse cosine transforms may round differently, by a grey level or two.
        difference = np.abs(theirs.astype(int) - ours.astype(int))
        assert difference.mean() < 2
        assert np.percentile(difference, 99) <= 8


def test_the_pinned_versions_are_the_last_for_this_interpreter() -> None:
    assert importlib.metadata.version("torch").startswith("2.11.0")
    assert importlib.metadata.version("numpy") == "2.4.6"
    assert Image.__version__ == "12.2.0"
