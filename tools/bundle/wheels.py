"""Installs packages into a packed interpreter: wheels of pinned versions, nothing compiled.

uv's cache is asked first, without the network; only where it lacks a wheel is anything
downloaded, and uv then names each package. What is not needed to run is removed: test suites,
stubs, headers, sample data, and scripts, which name this machine's interpreter.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
from pathlib import Path
from typing import List, Sequence

from .errors import BundleError

_LEFT_OUT = (
    "__pycache__",
    "tests",
    "testing_data",
    "sample_data",
    "include",
    "*.pyi",
    "*.pyx",
    "*.pxd",
    "*.h",
    "*.c",
    "*.a",
)
_TOP_LEFT_OUT = ("bin", "share", ".lock")


def install(uv: str, python: str, target: Path, constraints: Path, packages: Sequence[str]) -> bool:
    """Install packages into a folder; tell whether anything may have been downloaded.

    Args:
        uv: uv's path.
        python: the interpreter that the wheels are for.
        target: the folder for packages.
        constraints: names every package's version.
        packages: names of packages; what they need comes too.

    Raises:
        BundleError: a wheel cannot be had.
    """
    command = [uv, "pip", "install", "--python", python, "--target", str(target)]
    command += ["--link-mode", "copy", "--only-binary", ":all:"]
    command += ["--constraint", str(constraints), *packages]
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    quiet = subprocess.DEVNULL
    offline = [*command, "--quiet", "--offline"]
    fetched = subprocess.run(offline, env=env, stdout=quiet, stderr=quiet).returncode != 0
    if fetched and subprocess.run(command, env=env, stdout=quiet).returncode != 0:
        raise BundleError(
            f"uv could not install {', '.join(packages)} (its message is above): "
            "a package index must be within reach, or uv's cache hold the wheels"
        )
    trim(target)
    return fetched


def trim(target: Path) -> None:
    """Remove what is not needed to run from a folder of packages."""
    for name in _TOP_LEFT_OUT:
        _remove(target / name)
    for folder, folders, files in os.walk(target, topdown=True):
        here = Path(folder)
        # A package's licence must travel with it, whatever its file is called.
        if here.name.endswith(".dist-info"):
            folders.clear()
            continue
        for name in _matching([*folders, *files]):
            _remove(here / name)
        folders[:] = [name for name in folders if (here / name).is_dir()]


def _matching(names: Sequence[str]) -> List[str]:
    return [name for name in names if any(fnmatch.fnmatchcase(name, p) for p in _LEFT_OUT)]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
