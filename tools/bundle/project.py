"""Copies the project, and says which state of it was copied.

Interpreters run side by side only with the same state; the launcher compares. The commit is
written down because a packed project has no git to ask (``ftloader.lab.provenance`` reads it).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Sequence, Set, Tuple

COMMIT_FILE = "ftloader-commit"
_LEFT_OUT = {"__pycache__", "results", ".mypy_cache", ".ruff_cache"}
_CHECKED = ("src/ftloader", "experiments")


@dataclass(frozen=True)
class Snapshot:
    """A copy of the project, the same for all archives of one call while the tree lives on.

    Attributes:
        folder: where the copy lies.
        state: digest of the package and of all experiments.
        experiments: names of those that were copied.
    """

    folder: Path
    state: str
    experiments: Tuple[str, ...]


def snapshot(root: Path, target: Path, experiments: Sequence[str]) -> Snapshot:
    """Copy the package and some experiments to ``target``, a new folder."""
    copy(root, target, experiments)
    return Snapshot(target, state(root), tuple(experiments))


def copy(root: Path, target: Path, experiments: Sequence[str]) -> None:
    """Copy the package and some experiments to ``target``, a new folder."""
    shutil.copytree(root / "src" / "ftloader", target / "src" / "ftloader", ignore=_ignored)
    for name in experiments:
        folder = target / "experiments" / name
        shutil.copytree(root / "experiments" / name, folder, ignore=_ignored)
    for name in ("LICENSE", "pyproject.toml"):
        shutil.copy(root / name, target / name)
    (target / COMMIT_FILE).write_text(commit(root) + "\n", encoding="utf-8")


def make_importable(target: Path, site_packages: Path) -> None:
    """Let an interpreter import the project from ``target``, wherever the two are put."""
    way = os.path.relpath(target / "src", os.path.realpath(site_packages))
    (site_packages / "ftloader.pth").write_text(way + "\n", encoding="utf-8")


def commit(root: Path) -> str:
    """Return the commit of the project, with ``+changes`` if files differ; empty without git."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        return done.stdout.decode().strip()

    try:
        head = git("rev-parse", "--short=12", "HEAD")
        changes = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{head}+changes" if changes else head


def state(root: Path) -> str:
    """Return a digest of the package and of all experiments, packed or not."""
    digest = hashlib.blake2b(digest_size=8)
    for path in _sources(root):
        digest.update(str(path.relative_to(root)).encode() + b"\0")
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources(root: Path) -> Iterator[Path]:
    for top in _CHECKED:
        for path in sorted((root / top).rglob("*")):
            if path.is_file() and not _LEFT_OUT.intersection(path.relative_to(root).parts):
                yield path


def _ignored(folder: str, names: "list[str]") -> Set[str]:
    return _LEFT_OUT.intersection(names)
