"""Where a transform stands: the line, as people call it, in stacks of Python and of faulthandler.

The innermost line that belongs to neither the audit, the standard library, NumPy, Pillow nor torch
is the one to show.
"""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Final

_AUDIT: Final = str(Path(__file__).parent) + "/"
_LIBRARY: Final = sysconfig.get_path("stdlib")
_SITES: Final = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
#: Libraries in whose code a fault of the caller comes up.
_HELPERS: Final = tuple(f"{site}/{name}/" for site in _SITES for name in ("numpy", "PIL", "torch"))
_LINE: Final = re.compile(r'^  File "(.+)", line (\d+) in ')
_THREAD: Final = re.compile(r"^(Current thread|Thread) 0x")


def shown(path: str, line: int) -> str:
    """Return ``file:line``, the file relative to site-packages or to the current folder."""
    for base in (*_SITES, str(Path.cwd())):
        if path.startswith(base + "/"):
            return f"{path[len(base) + 1 :]}:{line}"
    return f"{path}:{line}"


def top_package(module: str | None) -> str:
    """Return the package that a module belongs to, empty if there is no module."""
    return (module or "").partition(".")[0]


def innermost(places: Iterable[tuple[str, int]]) -> str:
    """Return the first of these files and lines that is the transform's, empty if none is."""
    return next((shown(path, line) for path, line in places if _is_theirs(path)), "")


def of_frame(frame: FrameType | None) -> str:
    """Return where a frame stands."""
    return innermost(_outwards(frame))


def of_error(error: BaseException) -> str:
    """Return where an exception was raised."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        places.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    return innermost(reversed(places))


def of_dump(text: str) -> str:
    """Return where the thread stood that faulthandler wrote about, the current one first.

    Args:
        text: what a process left on stderr.
    """
    stacks: list[list[tuple[str, int]]] = []
    for line in text.splitlines():
        thread = _THREAD.match(line)
        if thread is not None:
            stacks.insert(0 if thread[1] == "Current thread" else len(stacks), [])
            current = stacks[0 if thread[1] == "Current thread" else -1]
        place = _LINE.match(line)
        if place is not None and stacks:
            current.append((place[1], int(place[2])))
    return next(filter(None, map(innermost, stacks)), "")


def _outwards(frame: FrameType | None) -> Iterator[tuple[str, int]]:
    while frame is not None:
        yield frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back


def _is_theirs(path: str) -> bool:
    if path.startswith(("<", _AUDIT, *_HELPERS)):
        return False
    return path.startswith(_SITES) or not path.startswith(_LIBRARY + "/")
