"""Reads, and edits in place, what an ELF file asks of the dynamic loader.

Only what packing needs: the libraries it names, where it looks for them, and the versions of the
C library it was linked with. 64-bit little-endian files only, by the format's specification
(System V ABI, chapter 5, and the GNU extension for symbol versions).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

from .errors import BundleError

_MAGIC = b"\x7fELF\x02\x01"
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _STRTAB, _RPATH, _RUNPATH = 1, 5, 15, 29
_VERNEED, _VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF
# A marker instead of a number, for relocations that the loader knows since this release.
_NAMED = {"GLIBC_ABI_DT_RELR": (2, 36)}


@dataclass(frozen=True)
class Dynamic:
    """What a file asks of the loader.

    Attributes:
        needed: names of the libraries it needs.
        search: where it looks for them before anywhere else, as written; ``""`` if not said.
        glibc: the newest version of glibc that one of its symbols needs, or ``None``.
        search_at: offset of ``search`` in the file.
    """

    needed: Tuple[str, ...]
    search: str
    glibc: Optional[Tuple[int, ...]]
    search_at: int


def is_elf(path: Path) -> bool:
    """Tell whether a file is a 64-bit little-endian ELF file."""
    with open(path, "rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def files_below(folder: Path) -> List[Path]:
    """Return the ELF files below a folder, links not followed, sorted."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(path for path in found if is_elf(path))


def read(path: Path) -> Optional[Dynamic]:
    """Return what a file asks of the loader, or ``None`` where it is not dynamically linked.

    Raises:
        BundleError: the file is damaged.
    """
    try:
        return _Reader(path.read_bytes()).dynamic()
    except (struct.error, IndexError, ValueError) as error:
        raise BundleError(f"{path} is no sound ELF file ({error})") from error


def set_search(path: Path, wanted: str) -> bool:
    """Replace where a file looks for libraries; tell whether there was room for it.

    The end of the old text stays: a symbol's name may share it, and no name holds a slash.
    """
    found = read(path)
    if found is None or not found.search:
        return False
    old, new = found.search.encode(), wanted.encode() + b"\0"
    if len(new) > len(old) - len(old.rpartition(b"/")[2]):
        return False
    with open(path, "r+b") as file:
        file.seek(found.search_at)
        file.write(new)
    return True


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        start, size, count = (
            struct.unpack_from("<Q", data, 32)[0],
            struct.unpack_from("<H", data, 54)[0],
            struct.unpack_from("<H", data, 56)[0],
        )
        # Of each segment: kind, offset, address, size in the file.
        self._segments = [self._segment(start + size * number) for number in range(count)]

    def dynamic(self) -> Optional[Dynamic]:
        entries = list(self._entries())
        values: Dict[int, int] = dict(entries)
        if _STRTAB not in values:
            return None
        texts = self._offset(values[_STRTAB])
        search = values.get(_RUNPATH, values.get(_RPATH))
        return Dynamic(
            needed=tuple(self._text(texts + value) for tag, value in entries if tag == _NEEDED),
            search="" if search is None else self._text(texts + search),
            glibc=self._glibc(values, texts),
            search_at=0 if search is None else texts + search,
        )

    def _segment(self, at: int) -> Tuple[int, int, int, int]:
        kind = struct.unpack_from("<I", self._data, at)[0]
        offset, address, _physical, size = struct.unpack_from("<4Q", self._data, at + 8)
        return kind, offset, address, size

    def _entries(self) -> Iterator[Tuple[int, int]]:
        for kind, offset, _, size in self._segments:
            if kind == _DYNAMIC:
                for at in range(offset, offset + size, 16):
                    tag, value = struct.unpack_from("<qQ", self._data, at)
                    if tag == 0:
                        return
                    yield tag, value

    def _offset(self, address: int) -> int:
        for kind, offset, start, size in self._segments:
            if kind == _LOAD and start <= address < start + size:
                return offset + address - start
        raise ValueError(f"address {address:#x} is in no segment")

    def _text(self, at: int) -> str:
        return self._data[at : self._data.index(b"\0", at)].decode("utf-8")

    def _glibc(self, values: Dict[int, int], texts: int) -> Optional[Tuple[int, ...]]:
        """Return the newest ``GLIBC_`` version among those that symbols are bound to."""
        newest: Optional[Tuple[int, ...]] = None
        at = self._offset(values[_VERNEED]) if _VERNEED in values else 0
        for _ in range(values.get(_VERNEEDNUM, 0)):
            _version, count, _file, first, following = struct.unpack_from("<HHIII", self._data, at)
            entry = at + first
            for _ in range(count):
                _hash, _flags, _index, name, further = struct.unpack_from(
                    "<IHHII", self._data, entry
                )
                number = _number(self._text(texts + name))
                newest = max(filter(None, (newest, number)), default=None)
                entry += further
            at += following
        return newest


def _number(version: str) -> Optional[Tuple[int, ...]]:
    if version in _NAMED:
        return _NAMED[version]
    name, _, number = version.partition("_")
    parts = number.split(".")
    return tuple(map(int, parts)) if name == "GLIBC" and all(map(str.isdigit, parts)) else None
