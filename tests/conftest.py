"""Options and guards that every test shares."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftloader.runtime import free_threaded_build, gil_enabled


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--real-data",
        type=Path,
        metavar="PATH",
        help="a folder of real COCO images and annotations; adds the tests that read it",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real_data: reads the folder given with --real-data")
    # A shell starts background jobs deaf to Ctrl-C, and what the tests start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = config.getoption("--real-data")
    if folder is not None and not (folder / "annotations").is_dir():
        raise pytest.UsageError(f"--real-data {folder}: there is no annotations folder in it")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--real-data") is not None:
        return
    kept = [item for item in items if item.get_closest_marker("real_data") is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.fixture(scope="session")
def real_data(pytestconfig: pytest.Config) -> Path:
    folder: Path = pytestconfig.getoption("--real-data")
    return folder


@pytest.fixture(scope="session", autouse=True)
def gil_stays_off() -> Iterator[None]:
    """Fail the session if something turned the GIL on in a free-threaded interpreter."""
    yield
    assert not (free_threaded_build() and gil_enabled()), "an import turned the GIL on"


@pytest.fixture
def no_thread_left() -> Iterator[None]:
    """Fail the test if it leaves a thread behind."""
    before = set(threading.enumerate())
    yield
    gc.collect()
    left = [thread.name for thread in threading.enumerate() if thread not in before]
    assert not left, f"threads left running: {left}"


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Switch threads every microsecond where there is a GIL, so that races show there too."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)
