"""Brings the shared libraries along that an interpreter and its packages need.

Everything but glibc itself: glibc belongs to the machine, and what the copies need of it is read
from their symbols. The compiler's own libraries are spare: wheels promise to run with those of
any machine, so copies, which may need a newer glibc, serve only where there are none. Programs
and modules that name a folder of this machine are pointed to the
copies, so that a shared libpython works from any folder; the launcher names that folder as well,
for files that say nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Tuple

from . import elf
from .errors import BundleError

# Parts of glibc: one machine's must not meet another's loader.
_GLIBC = re.compile(
    r"^(ld-linux-x86-64\.so\.2|linux-vdso\.so\.1"
    r"|lib(c|m|dl|rt|util|pthread|resolv|anl|mvec|nss_\w+)\.so\.\d+)$"
)
_SPARE = ("libstdc++.so.6", "libgcc_s.so.1")
SPARE_FOLDER = "spare"
_ARGUMENTS = 200


def is_glibc(name: str) -> bool:
    """Tell whether a library of this name is a part of glibc."""
    return _GLIBC.match(name) is not None


def bring(interpreter: Path) -> List[str]:
    """Copy the libraries that files below ``interpreter`` need and that lie elsewhere.

    Returns:
        The names of the copies, which lie in ``lib``, or in its folder for spare ones.

    Raises:
        BundleError: one is missing on this machine.
    """
    outside = _outside(elf.files_below(interpreter), interpreter)
    for name, path in outside.items():
        folder = interpreter / "lib" / (SPARE_FOLDER if name in _SPARE else "")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / name)
    return sorted(outside)


def strip(files: Iterable[Path]) -> bool:
    """Remove symbols that are for debuggers only; tell whether there was a program to do it."""
    program = shutil.which("strip")
    if program is None:
        return False
    for group in _groups(files):
        subprocess.run([program, "--strip-unneeded", *group], check=True)
    return True


def point_inside(interpreter: Path, files: Iterable[Path]) -> None:
    """Point files that look for libraries in a folder of this machine to ``lib`` instead."""
    for path in files:
        found = elf.read(path)
        if found is None or not any(part.startswith("/") for part in found.search.split(":")):
            continue
        up = os.path.relpath(interpreter / "lib", path.parent)
        # Where there is no room for it, an empty text still keeps this machine's folder out.
        if not elf.set_search(path, "$ORIGIN" if up == "." else f"$ORIGIN/{up}"):
            elf.set_search(path, "")


def glibc(files: Iterable[Path]) -> Tuple[int, ...]:
    """Return the oldest version of glibc on which all files run.

    2.17 where none says more: manylinux wheels are linked with that one or a newer one.
    """
    found = [dynamic.glibc for dynamic in map(elf.read, files) if dynamic and dynamic.glibc]
    return max(found, default=(2, 17))


def _outside(files: List[Path], inside: Path) -> Dict[str, Path]:
    """Return the libraries that lie outside of a folder: name -> where it lies here."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("LD_")}
    found: Dict[str, Path] = {}
    # What a wheel brings along is found by whoever loaded it, not by itself.
    brought = {path.name for path in files}
    # Of a single file, ldd does not print the name.
    for group in _groups(files):
        done = subprocess.run(
            ["ldd", *group, group[0]], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        user = ""
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            if not line.startswith(("\t", " ")):
                user = line.rstrip(":")
            if " => " not in line:
                continue
            name, path = _resolved(line)
            if path is None and name not in brought:
                raise BundleError(f"{user} needs {name}, which is not on this machine: install it")
            if path is not None and not is_glibc(name) and not _below(path, inside):
                found[name] = path
    return found


def _resolved(line: str) -> Tuple[str, Optional[Path]]:
    """Return the name and the place that a line of ldd's output gives; no place: not found."""
    name, _, rest = line.strip().partition(" => ")
    place = rest.rpartition(" (")[0]
    return name, Path(place) if place else None


def _below(path: Path, folder: Path) -> bool:
    top = os.path.realpath(folder)
    return os.path.realpath(path).startswith(top + os.sep)


def _groups(files: Iterable[Path]) -> List[List[str]]:
    names = [str(path) for path in files]
    return [names[at : at + _ARGUMENTS] for at in range(0, len(names), _ARGUMENTS)]
