"""Fetches the source of a CPython release: from python.org, else from Debian's source archive.

python.org is asked over HTTPS and the file is not checked further: its hash cannot be pinned for
Debian's copy of a newer release. Debian's file is checked by apt against the signed index.
Everything apt does happens in private folders with this machine's own settings for proxies and
keys; the machine's package lists are not touched and no root rights are needed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Dict, List, Optional

from . import aptconf, cache, talk
from .table import Interpreter, InterpreterError

PYTHON_ORG = "https://www.python.org/ftp/python/{release}/Python-{release}.tar.xz"
SUITES = ["trixie", "sid"]
CONNECT_TIMEOUT_S = 20.0
APT_TIMEOUT_S = 300.0
_MARKS = ("configure", "Include/patchlevel.h")


def fetch(wanted: Interpreter, folder: Path, tried: List[str]) -> Path:
    """Return a tarball of a CPython release in ``folder``, fetched unless it is there already.

    Args:
        wanted: which interpreter; its ``release`` and ``debian`` say what to ask for.
        folder: where tarballs are kept.
        tried: gets a line for each source that was asked in vain.

    Raises:
        InterpreterError: no source could deliver.
    """
    folder.mkdir(parents=True, exist_ok=True)
    prefix = "{}.{}.".format(*wanted.version)
    kept = [p for p in folder.glob("*.tar.xz") if prefix in p.name]
    if wanted.exact:
        kept = [p for p in kept if p.name == f"Python-{wanted.release}.tar.xz"]
    if kept:
        return max(kept, key=lambda p: cache.version_key(p.name))
    path = _from_python_org(wanted.release, folder, tried)
    if path is None and wanted.debian:
        path = _from_debian(wanted, folder, tried)
    if path is None:
        raise InterpreterError(f"no source of CPython {wanted.name} within reach")
    return path


def unpack(tarball: Path, folder: Path) -> Path:
    """Unpack a release below ``folder`` and return its tree; an earlier, whole one is reused."""
    tree = folder / tarball.name.replace(".tar.xz", "")
    if all((tree / mark).is_file() for mark in _MARKS):
        return tree
    fresh = folder / "unpacking"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(tree, ignore_errors=True)
    try:
        with tarfile.open(tarball) as archive:
            # The "data" filter came with 3.12 and late releases of 3.9 to 3.11.
            if hasattr(tarfile, "data_filter"):
                archive.extractall(fresh, filter="data")
            else:
                archive.extractall(fresh)
    except (tarfile.TarError, EOFError, OSError) as error:
        tarball.unlink()
        raise InterpreterError(f"{tarball} is damaged ({error}); removed, try again") from error
    tops = [top for top in fresh.iterdir() if all((top / mark).is_file() for mark in _MARKS)]
    if len(tops) != 1:
        tarball.unlink()
        raise InterpreterError(f"{tarball} is not a CPython release; removed, try again")
    tops[0].rename(tree)
    shutil.rmtree(fresh)
    return tree


def release_of(tree: Path) -> str:
    """Return the version of an unpacked release, such as ``"3.13.5"``."""
    text = (tree / "Include/patchlevel.h").read_text(encoding="utf-8")
    match = re.search(r'#define\s+PY_VERSION\s+"([^"]+)"', text)
    if match is None:
        raise InterpreterError(f"{tree} does not say which CPython it is")
    return match.group(1)


def _from_python_org(release: str, folder: Path, tried: List[str]) -> Optional[Path]:
    target = folder / f"Python-{release}.tar.xz"
    part = target.with_suffix(".part")
    talk.say(f"asking python.org for CPython {release}")
    try:
        with (
            urllib.request.urlopen(
                PYTHON_ORG.format(release=release), timeout=CONNECT_TIMEOUT_S
            ) as answer,
            open(part, "wb") as file,
        ):
            shutil.copyfileobj(answer, file)
            expected = answer.headers.get("Content-Length")
        if expected is not None and part.stat().st_size != int(expected):
            raise OSError("the download ended early")
    except (OSError, ValueError) as error:
        part.unlink(missing_ok=True)
        reason = getattr(error, "reason", None) or error
        tried.append(f"python.org, CPython {release}: {reason}")
        return None
    part.rename(target)
    return target


def _from_debian(wanted: Interpreter, folder: Path, tried: List[str]) -> Optional[Path]:
    origin = f"Debian's source archive, {wanted.debian}"
    archives = aptconf.debian_archives()
    if shutil.which("apt-get") is None or not archives:
        tried.append(f"{origin}: this machine's apt names no Debian archive")
        return None
    talk.say(f"asking Debian's source archive for {wanted.debian}")
    apt = _Apt(folder / "apt", archives)
    try:
        apt.run("apt-get", "update")
        shown = apt.run("apt-cache", "showsrc", "--only-source", wanted.debian)
        versions = debian_versions(shown, wanted)
        for version in versions:
            try:
                return apt.download(wanted.debian, version, folder)
            except InterpreterError as error:
                tried.append(f"{origin} {version}: {error}")
        if not versions:
            tried.append(f"{origin}: no version of it listed")
    except InterpreterError as error:
        tried.append(f"{origin}: {error}")
    finally:
        apt.clean()
    return None


def debian_versions(shown: str, wanted: Interpreter) -> List[str]:
    """Return the released versions in the output of ``apt-cache showsrc``, newest first.

    Of several Debian revisions of one release only one is kept: their source tarball is the same.
    """
    series = re.escape("{}.{}.".format(*wanted.version)) + r"\d+"
    release = re.escape(wanted.release) if wanted.exact else series
    found: Dict[str, str] = {}
    for version in re.findall(rf"^Version:\s*({release}-\S+)$", shown, re.MULTILINE):
        upstream = version.partition("-")[0]
        if cache.version_key(version) > cache.version_key(found.get(upstream, "")):
            found[upstream] = version
    return sorted(found.values(), key=cache.version_key, reverse=True)


class _Apt:
    """apt with folders of its own, asked for source packages only."""

    def __init__(self, folder: Path, archives: List[aptconf.Archive]) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("lists/partial", "cache/archives/partial", "sources", "download"):
            (folder / name).mkdir(parents=True)
        text = "\n".join(aptconf.source_stanza(archive, SUITES) for archive in archives)
        (folder / "sources/archive.sources").write_text(text, encoding="utf-8")
        self._folder = folder
        settings = {
            "Dir::Etc::SourceList": "/dev/null",
            "Dir::Etc::SourceParts": folder / "sources",
            "Dir::State::Lists": folder / "lists",
            "Dir::Cache": folder / "cache",
            # As root, apt would drop to a user who cannot read these folders.
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": "1",
            "Acquire::http::Timeout": "20",
            "Acquire::https::Timeout": "20",
        }
        self._options = [f"-o{key}={value}" for key, value in settings.items()]

    def run(self, command: str, *arguments: str) -> str:
        """Run one of apt's programs and return what it prints."""
        try:
            done = subprocess.run(
                [command, "-q", *self._options, *arguments],
                cwd=self._folder / "download",
                env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=APT_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InterpreterError(f"{command} {arguments[0]}: {error}") from error
        if done.returncode != 0:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            errors = [line for line in lines if line.startswith("E:")] or lines or ["failed"]
            raise InterpreterError(f"{command} {arguments[0]}: {errors[0].strip()}")
        return done.stdout.decode("utf-8", "replace")

    def download(self, package: str, version: str, folder: Path) -> Path:
        """Fetch the release tarball of one version into ``folder``; apt checks its hash."""
        options = ("--download-only", "--tar-only")
        self.run("apt-get", "source", *options, f"{package}={version}")
        files = sorted((self._folder / "download").glob("*.orig.tar.*"))
        if not files:
            raise InterpreterError("apt-get source delivered no release tarball")
        target = folder / f"Python-{version.partition('-')[0]}.tar.xz"
        files[0].rename(target)
        return target

    def clean(self) -> None:
        """Remove the private folders."""
        shutil.rmtree(self._folder, ignore_errors=True)
