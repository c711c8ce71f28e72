"""Reads which Debian archive this machine's apt uses, from apt's own files.

No archive address is written in this project: it is taken from the machine at run time, together
with the key it trusts for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List

# Suites that only Debian's main archive has. Derivatives use other names, and their archives
# hold other packages.
_DEBIAN_SUITE = re.compile(
    r"^(buster|bullseye|bookworm|trixie|forky|duke|sid|oldoldstable|oldstable|stable|testing"
    r"|unstable)(-updates|-backports|-proposed-updates)?/?$"
)
_SCHEMES = ("http://", "https://", "mirror+", "mirror://", "file:", "copy:", "tor+")


@dataclass(frozen=True)
class Archive:
    """One archive that apt is told to use.

    Attributes:
        uri: its address.
        signed_by: the value of ``Signed-By`` (a path, or an embedded key with its line breaks),
            or ``""`` where apt's general keyring is used.
    """

    uri: str
    signed_by: str = ""


def debian_archives(etc: Path = Path("/etc/apt")) -> List[Archive]:
    """Return the Debian archives named below ``etc``, without duplicates, in apt's order."""
    found: Dict[str, Archive] = {}
    for archive in _entries(etc):
        found.setdefault(archive.uri.rstrip("/"), archive)
    return list(found.values())


def _entries(etc: Path) -> Iterator[Archive]:
    parts = etc / "sources.list.d"
    for path in (etc / "sources.list", *sorted(parts.glob("*.list"))):
        for line in _read(path).splitlines():
            yield from parse_line(line)
    for path in sorted(parts.glob("*.sources")):
        yield from parse_deb822(_read(path))


def parse_line(line: str) -> Iterator[Archive]:
    """Yield the Debian archive that one line of a ``sources.list`` names, if it does."""
    match = re.match(r"\s*deb(?:-src)?\s+(?:\[([^]]*)\]\s*)?(\S+)\s+(\S+)", line)
    if match is None:
        return
    options, uri, suite = match.groups()
    signed_by = re.search(r"signed-by=(\S+)", options or "")
    if _usable(uri, [suite]):
        yield Archive(uri, signed_by.group(1) if signed_by else "")


def parse_deb822(text: str) -> Iterator[Archive]:
    """Yield the Debian archives that a ``.sources`` file names."""
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields: Dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1] in " \t" and name:
                fields[name] += "\n" + line
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        for uri in fields.get("uris", "").split():
            if _usable(uri, fields.get("suites", "").split()):
                yield Archive(uri, fields.get("signed-by", ""))


def source_stanza(archive: Archive, suites: List[str]) -> str:
    """Return the ``.sources`` text that asks ``archive`` for source packages of ``suites``."""
    text = f"Types: deb-src\nURIs: {archive.uri}\nSuites: {' '.join(suites)}\nComponents: main\n"
    return text + (f"Signed-By: {archive.signed_by}\n" if archive.signed_by else "")


def _usable(uri: str, suites: List[str]) -> bool:
    return uri.startswith(_SCHEMES) and any(_DEBIAN_SUITE.match(suite) for suite in suites)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
