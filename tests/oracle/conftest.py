"""What the oracle session compares: samples, options, and a plain word on what it left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftloader.detection import open_coco
from ftloader.detection.sample import Sample
from ftloader.detection.synthetic import SyntheticSpec, write_synthetic_coco
from tests.golden.inputs import edge_samples
from tests.oracle.references import versions

REAL_IMAGES = 16
SYNTHETIC_IMAGES = 6


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-golden",
        action="store_true",
        help="write tests/golden/*.npz anew from the references, instead of comparing with them",
    )


def pytest_configure(config: pytest.Config) -> None:
    # pycocotools 2.0.11 on NumPy 2.
    config.addinivalue_line("filterwarnings", "ignore:__array__ implementation:DeprecationWarning")


def pytest_report_header(config: pytest.Config) -> str:
    named = ", ".join(f"{name} {number}" for name, number in versions().items())
    return f"references: {named}"


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    real = config.getoption("--real-data")
    compared = f"edge set, synthetic COCO ({SYNTHETIC_IMAGES} images)"
    if real is None:
        note = f"compared on: {compared}. NOT compared: real images (give --real-data PATH)"
    else:
        note = f"compared on: {compared}, real images (up to {REAL_IMAGES} per transform)"
    terminalreporter.section("what was compared")
    terminalreporter.write_line(note)


@pytest.fixture(scope="session")
def synthetic_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coco") / "data"
    write_synthetic_coco(SyntheticSpec(images=SYNTHETIC_IMAGES, seed=5), folder, progress=False)
    return folder


@pytest.fixture(scope="session")
def folders(pytestconfig: pytest.Config, synthetic_folder: Path) -> list[tuple[Path, str]]:
    """Every COCO folder and split there is to compare on."""
    real = pytestconfig.getoption("--real-data")
    roots = [synthetic_folder] if real is None else [synthetic_folder, real]
    return [
        (root, path.stem.removeprefix("instances_"))
        for root in roots
        for path in sorted((root / "annotations").glob("instances_*.json"))
    ]


@pytest.fixture(scope="session")
def samples(folders: list[tuple[Path, str]]) -> dict[str, Sample]:
    """Every sample that transforms are compared on, by name."""
    chosen = dict(edge_samples())
    for root, split in folders:
        data = open_coco(root, split)
        step = max(1, len(data) // (REAL_IMAGES // 2))
        for i in range(0, len(data), step):
            chosen[f"{split}/{data.info(i).file_name}"] = data.load(i)
    return chosen
