"""Where built interpreters are kept, and the lock that keeps two builds apart.

A prefix counts as finished only with its stamp, and appears in its place by one rename, so a build
that was cut short is never taken for an interpreter.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import Callable, Iterator, List, Mapping

STAMP = "ftloader-build.json"


def user_cache() -> Path:
    """Return the user's cache folder for ftloader; it need not exist."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return root / "ftloader"


def interpreters_folder() -> Path:
    """Return the folder that holds built interpreters, their sources and their logs."""
    return user_cache() / "interpreters"


def prefix_for(release: str, free_threaded: bool) -> Path:
    """Return where a built interpreter lives."""
    return interpreters_folder() / "cpython-{}{}".format(release, "t" if free_threaded else "")


def finished(prefix: Path) -> bool:
    """Tell whether the interpreter below ``prefix`` was installed to the end."""
    return (prefix / STAMP).is_file()


def write_stamp(prefix: Path, facts: Mapping[str, object]) -> None:
    """Mark ``prefix`` as finished; the last thing an installation does."""
    (prefix / STAMP).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def built() -> List[Path]:
    """Return the prefixes of all finished interpreters, newest version first."""
    found = [p for p in interpreters_folder().glob("cpython-*") if finished(p)]
    return sorted(found, key=lambda p: version_key(p.name), reverse=True)


def version_key(text: str) -> List[int]:
    """Return the numbers in ``text``, for sorting names that hold a version."""
    digits = "".join(c if c.isdigit() else " " for c in text)
    return [int(part) for part in digits.split()]


@contextlib.contextmanager
def lock(path: Path, waiting: Callable[[str], None]) -> Iterator[int]:
    """Hold an exclusive lock on ``path``; yield its file descriptor.

    The kernel releases it when the last process that holds the descriptor is gone, so a killed
    owner leaves nothing behind; a child that is to keep it is given the descriptor.

    Args:
        path: the lock's file; its folder is made. The file stays.
        waiting: called once with the owner's note where somebody else holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting(path.read_text(encoding="utf-8").strip() or "unknown")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}\n".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)
