"""The archive's address comes from apt's own files, in both of their formats."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpreters import aptconf
from interpreters.aptconf import Archive

MIRROR = "http://mirror.example/debian"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"deb {MIRROR} bookworm main contrib", [Archive(MIRROR)]),
        (f"  deb-src {MIRROR} sid main", [Archive(MIRROR)]),
        (f"deb [arch=amd64 signed-by=/k.gpg] {MIRROR} stable main", [Archive(MIRROR, "/k.gpg")]),
        (f"deb [ arch=amd64 ] {MIRROR} trixie-updates main", [Archive(MIRROR)]),
        (f"# deb {MIRROR} bookworm main", []),
        ("deb http://mirror.example/debian-security bookworm-security main", []),
        ("deb http://mirror.example/ubuntu noble main", []),
        ("deb cdrom:[Debian GNU/Linux 12]/ bookworm main", []),
        ("deb https://tools.example/apt tool-bookworm main", []),
        ("", []),
    ],
)
def test_one_line_format(line: str, expected: list[Archive]) -> None:
    assert list(aptconf.parse_line(line)) == expected


def test_deb822_format() -> None:
    text = f"""
# a comment above
Types: deb
# and one inside
URIs: {MIRROR}
  http://second.example/debian
Suites: bookworm
 bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBFz
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: sid
"""
    found = list(aptconf.parse_deb822(text))
    assert [archive.uri for archive in found] == [MIRROR, "http://second.example/debian"]
    assert "mQINBFz" in found[0].signed_by
    # What was read can be written for apt to read again, key and all.
    again = list(aptconf.parse_deb822(aptconf.source_stanza(found[0], ["sid"])))
    assert again == [found[0]]


def test_all_files_are_read_and_an_archive_counts_once(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(f"deb {MIRROR} bookworm main\n")
    (tmp_path / "sources.list.d/a.list").write_text(f"deb {MIRROR}/ sid main\n")
    stanza = "Types: deb\nURIs: http://b.example/debian\nSuites: sid\nComponents: main\n"
    (tmp_path / "sources.list.d/b.sources").write_text(stanza)
    uris = [archive.uri for archive in aptconf.debian_archives(tmp_path)]
    assert uris == [MIRROR, "http://b.example/debian"]


def test_a_machine_without_apt_has_no_archive(tmp_path: Path) -> None:
    assert aptconf.debian_archives(tmp_path / "none") == []


@given(st.text())
def test_no_text_makes_the_parsers_fail(text: str) -> None:
    list(aptconf.parse_deb822(text))
    list(aptconf.parse_line(text))
