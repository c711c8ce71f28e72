"""Compresses a folder into one archive.

xz with the filter for x86 code, which any ``tar`` with xz unpacks. Owners are left
out; files that compress together lie together.
"""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import List, Tuple

from .errors import BundleError

# Higher ones take minutes more for less than a hundredth.
PRESET = 6


def write(folder: Path, archive: Path) -> int:
    """Write ``folder`` under its own name into ``archive``; return the archive's size in bytes.

    The archive appears in its place whole or not at all.

    Raises:
        BundleError: the Python that packs cannot compress with xz.
    """
    try:
        import lzma
    except ImportError as error:
        raise BundleError("this Python lacks lzma: set NOXW_PYTHON to one that has it") from error
    filters = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "preset": PRESET}]
    archive.parent.mkdir(parents=True, exist_ok=True)
    part = archive.with_name(f"{archive.name}.part")
    try:
        with (
            lzma.open(part, "wb", filters=filters) as stream,
            tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar,
        ):
            for path in _files(folder):
                name = os.path.join(folder.name, path.relative_to(folder))
                tar.add(path, name, recursive=False, filter=_nobodys)
        part.rename(archive)
    finally:
        part.unlink(missing_ok=True)
    return archive.stat().st_size


def _files(folder: Path) -> List[Path]:
    """Return everything below a folder: folders first, then files by kind and place."""

    def order(path: Path) -> Tuple[bool, str, str]:
        folders_first = not path.is_dir() or path.is_symlink()
        return folders_first, path.suffix if folders_first else "", str(path)

    return sorted(folder.rglob("*"), key=order)


def _nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = int(entry.mtime)
    return entry
