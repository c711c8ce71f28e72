"""The earlier source: taken out of the repository's history into a folder of its own."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Final

from ...errors import DataError

#: Names the commit that later ones are compared with; committed beside the experiments.
BASELINE: Final = Path("experiments/guard/baseline.json")


def baseline(root: Path) -> str:
    """Return the commit that the repository's baseline file names.

    Raises:
        DataError: there is none, or it names no commit.
    """
    path = root / BASELINE
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["commit"])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{BASELINE}: names no commit to compare with ({error}); give one with --against"
        ) from error


def accept(root: Path) -> str:
    """Make the commit that is checked out the baseline; return it.

    Raises:
        DataError: the folder is no repository, or has changes that no commit holds.
    """
    if _git(root, "status", "--porcelain", "--untracked-files=no", "--", "src"):
        raise DataError("--accept: src has changes that are not committed; commit them first")
    commit = _git(root, "rev-parse", "HEAD").decode().strip()
    text = json.dumps({"commit": commit}, indent=2) + "\n"
    (root / BASELINE).write_text(text, encoding="utf-8")
    return commit


def extract(root: Path, revision: str, folder: Path) -> tuple[str, Path]:
    """Write the package as it was at a revision into a folder.

    Returns:
        The commit, and the folder that PYTHONPATH must name.

    Raises:
        DataError: the revision is not there, or has no package.
    """
    commit = _git(root, "rev-parse", "--verify", f"{revision}^{{commit}}").decode().strip()
    packed = _git(root, "archive", "--format=tar", commit, "src/ftloader")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return commit, folder / "src"


def _git(root: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, timeout=60, check=True
        )
    except subprocess.CalledProcessError as error:
        words = error.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise DataError(
            f"git {arguments[0]}: {words[-1]}; the guard needs the repository with its history "
            "(a shallow clone lacks it), or another revision with --against"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"git cannot be run: {error}; the guard needs it") from error
    return done.stdout
