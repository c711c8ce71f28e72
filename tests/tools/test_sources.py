"""A source that cannot deliver is passed over; what is damaged is never built from."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from interpreters import aptconf, sources
from interpreters.table import Interpreter, InterpreterError

from .conftest import Script

WANTED = Interpreter("3.13t", required=True, release="3.13.15", debian="python3.13")
SHOWN = """\
Package: python3.13
Version: 3.13.5-2+deb13u1

Version: 3.13.15-1

Version: 3.13.5-2
Version: 3.13.18-1
Version: 3.14.0-1
Version: 3.13.0~rc1-1
"""


def release(path: Path, version: str = "3.13.5") -> Path:
    """Write a tarball that has what marks a CPython release."""
    tree = path.parent / "tree" / "Python"
    (tree / "Include").mkdir(parents=True, exist_ok=True)
    (tree / "configure").write_text("")
    (tree / "Include/patchlevel.h").write_text(f'#define PY_VERSION  "{version}"\n')
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:xz") as archive:
        archive.add(tree, "Python-of-some-name")
    return path


def test_debian_versions_are_released_ones_newest_first_once_per_release() -> None:
    versions = sources.debian_versions(SHOWN, WANTED)
    assert versions == ["3.13.18-1", "3.13.15-1", "3.13.5-2+deb13u1"]


@pytest.fixture
def fake_apt(bare: Path, script: Script, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put programs named like apt's on PATH: the newest version is listed but not there."""
    release(bare / "archive/good.tar.xz")
    script(bare / "tools/apt-cache", f"cat <<'END'\n{SHOWN}END\n")
    script(
        bare / "tools/apt-get",
        f"""echo "$@" >> {bare}/calls
for last; do :; done
case $last in
    update) exit 0 ;;
    *=3.13.15-1) cp {bare}/archive/good.tar.xz python3.13_3.13.15.orig.tar.xz ;;
    *) echo "E: Failed to fetch it  404  Not Found" >&2; exit 100 ;;
esac
""",
    )
    monkeypatch.setattr(sources, "PYTHON_ORG", f"file://{bare}/nothing/{{release}}")
    archives = [aptconf.Archive("http://mirror.example/debian")]
    monkeypatch.setattr(aptconf, "debian_archives", lambda: archives)
    return bare


def test_debian_is_asked_after_python_org_and_a_missing_version_for_the_next(
    fake_apt: Path,
) -> None:
    tried: list[str] = []
    path = sources.fetch(WANTED, fake_apt / "sources", tried)
    assert path.name == "Python-3.13.15.tar.xz"
    assert len(tried) == 2
    assert tried[0].startswith("python.org, CPython 3.13.15: ")
    assert "3.13.18-1: apt-get source: E: Failed to fetch it  404" in tried[1]
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_tarball_that_is_there_is_not_fetched_again(fake_apt: Path) -> None:
    first = sources.fetch(WANTED, fake_apt / "sources", [])
    calls = (fake_apt / "calls").read_text()
    assert sources.fetch(WANTED, fake_apt / "sources", []) == first
    assert (fake_apt / "calls").read_text() == calls


def test_apt_is_never_pointed_at_the_machines_own_lists(fake_apt: Path) -> None:
    sources.fetch(WANTED, fake_apt / "sources", [])
    for call in (fake_apt / "calls").read_text().splitlines():
        assert f"-oDir::State::Lists={fake_apt}/sources/apt/lists" in call
        assert "-oDir::Etc::SourceList=/dev/null" in call


def test_where_nobody_delivers_every_source_is_named(fake_apt: Path, script: Script) -> None:
    script(fake_apt / "tools/apt-get", "echo 'E: no network' >&2; exit 100\n")
    tried: list[str] = []
    with pytest.raises(InterpreterError, match=r"no source of CPython 3\.13t within reach"):
        sources.fetch(WANTED, fake_apt / "sources", tried)
    assert tried[-1] == "Debian's source archive, python3.13: apt-get update: E: no network"


def test_a_release_unpacks_once_whatever_its_folder_is_called(tmp_path: Path) -> None:
    tarball = release(tmp_path / "sources/Python-3.13.5.tar.xz")
    (tmp_path / "work/unpacking/half").mkdir(parents=True)  # left by an interruption
    tree = sources.unpack(tarball, tmp_path / "work")
    assert sources.release_of(tree) == "3.13.5"
    (tree / "made.o").write_text("")
    assert sources.unpack(tarball, tmp_path / "work") == tree
    assert (tree / "made.o").exists()


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75])
def test_a_damaged_tarball_is_removed_and_says_so(tmp_path: Path, share: float) -> None:
    tarball = release(tmp_path / "sources/Python-3.13.5.tar.xz")
    whole = tarball.read_bytes()
    tarball.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InterpreterError, match="removed, try again"):
        sources.unpack(tarball, tmp_path / "work")
    assert not tarball.exists()
