"""How far the model checker looks."""

from __future__ import annotations

import os

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--model-preemptions",
        type=int,
        metavar="N",
        help="explore all schedules with up to N preemptions instead of each test's own bound "
        "(where this folder is not named on the command line: FTLOADER_MODEL_PREEMPTIONS=N)",
    )
    parser.addoption(
        "--model-walks",
        type=int,
        metavar="N",
        help="random schedules per larger program (or FTLOADER_MODEL_WALKS=N)",
    )


@pytest.fixture(scope="session")
def deeper(pytestconfig: pytest.Config) -> int | None:
    """The bound asked for, if any."""
    return _asked(pytestconfig, "--model-preemptions", "FTLOADER_MODEL_PREEMPTIONS")


@pytest.fixture(scope="session")
def walks(pytestconfig: pytest.Config) -> int:
    """How many random schedules to try of each larger program."""
    asked = _asked(pytestconfig, "--model-walks", "FTLOADER_MODEL_WALKS")
    return 16 if asked is None else asked


def _asked(config: pytest.Config, option: str, variable: str) -> int | None:
    given: int | None = config.getoption(option, default=None)
    if given is None and variable in os.environ:
        given = int(os.environ[variable])
    return given
