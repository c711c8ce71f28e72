"""The launcher of a bundle runs all interpreters in one call, and refuses what cannot work.

The interpreters here are shell programs that print how they were called.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import ROOT, Script

ECHO = """
echo "program ${0##*/}"
for word; do echo "<$word>"; done
echo "LD_LIBRARY_PATH=$LD_LIBRARY_PATH"
echo "PYTHONPATH=${PYTHONPATH-none}"
echo "XDG_CACHE_HOME=$XDG_CACHE_HOME"
"""


def add(bundle: Path, script: Script, name: str, **facts: str) -> None:
    folder = bundle / "interpreters" / name
    script(folder / f"bin/python{name}", ECHO)
    said = {
        "program": f"bin/python{name}",
        "glibc": "2.28",
        "glibc_with_spare": "2.28",
        "state": "same",
        "report": "no",
        **facts,
    }
    (folder / "facts").write_text("".join(f"{key}={value}\n" for key, value in said.items()))


@pytest.fixture
def bundle(bare: Path, script: Script) -> Path:
    """A bundle with two interpreters in a folder with a space, on a machine that it runs on."""
    for name in ("date", "dirname"):
        found = shutil.which(name, path=os.defpath)
        assert found is not None
        (bare / "tools" / name).symlink_to(found)
    machine(bare, script)
    folder = bare / "a stick/ftloader-bundle"
    script(folder / "project/experiments/scaling/run.py", "")
    shutil.copy(ROOT / "tools/bundle/run.sh", folder / "run")
    add(folder, script, "3.12")
    add(folder, script, "3.13t", report="yes")
    return folder


def machine(
    bare: Path, script: Script, system: str = "Linux", cpu: str = "x86_64", libc: str = "glibc 2.36"
) -> None:
    script(bare / "tools/uname", f"case $1 in -s) echo {system} ;; -m) echo {cpu} ;; esac\n")
    script(bare / "tools/getconf", f'[ -n "{libc}" ] && echo "{libc}"\n')


def call(bundle: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        ["/bin/sh", bundle / "run", *arguments],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def refused(bundle: Path, *arguments: str) -> str:
    done = call(bundle, *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_one_run_takes_every_interpreter_and_new_results(bundle: Path) -> None:
    done = call(bundle, "scaling", "--seed", "1 2", cwd="/")
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    # In charge is the one that can draw.
    assert said[0] == "program python3.13t"
    assert said[1] == f"<{bundle}/project/experiments/scaling/run.py>"
    assert said[2] == "<--out>"
    assert said[3].startswith(f"<{bundle}/results/scaling-20")
    assert said[4:6] == ["<--seed>", "<1 2>"]
    arms = [f"<{bundle}/interpreters/{name}/bin/python{name}>" for name in ("3.12", "3.13t")]
    assert said[6:10] == ["<--interpreter>", arms[0], "<--interpreter>", arms[1]]
    assert done.stderr.strip() == f"run: results go to {said[3][1:-1]}"


def test_nothing_of_the_callers_python_is_left_and_nothing_is_written_elsewhere(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/elsewhere")
    said = call(bundle, "scaling").stdout.splitlines()
    assert "PYTHONPATH=none" in said
    assert f"XDG_CACHE_HOME={bundle}/cache" in said
    folders = next(line for line in said if line.startswith("LD_LIBRARY_PATH="))
    assert "/elsewhere" not in folders
    assert f"{bundle}/interpreters/3.12/lib" in folders


@pytest.mark.parametrize("words", [("--out", "x"), ("--out=x",), ("--continue", "x"), ("--help",)])
def test_a_folder_that_was_named_is_used(bundle: Path, words: tuple[str, ...]) -> None:
    done = call(bundle, "scaling", *words)
    assert done.stdout.count("results") == 0
    assert done.stderr == ""


def test_without_an_experiment_it_says_what_there_is(bundle: Path) -> None:
    said = call(bundle).stdout
    assert "interpreters: 3.12 3.13t\n" in said
    assert "    scaling\n" in said


def test_an_unknown_experiment_is_refused(bundle: Path) -> None:
    assert "no experiment peers here; ./run lists" in refused(bundle, "peers")


def test_a_report_is_drawn_by_an_interpreter_that_can(bundle: Path, script: Script) -> None:
    said = call(bundle, "report", "results/x").stdout.splitlines()
    assert said[:5] == ["program python3.13t", "<-m>", "<ftloader>", "<report>", "<results/x>"]
    add(bundle, script, "3.13t")
    assert "no interpreter here can draw reports" in refused(bundle, "report", "results/x")


@pytest.mark.parametrize(
    ("here", "reason"),
    [
        ({"system": "Darwin"}, "this bundle is for Linux, and this machine runs Darwin"),
        ({"cpu": "aarch64"}, "this bundle is for x86-64, and this machine is aarch64"),
        ({"libc": "glibc 2.27"}, "this machine has glibc 2.27, and 3.12 needs 2.28 or newer"),
        ({"libc": "glibc 1.99"}, "this machine has glibc 1.99, and 3.12 needs 2.28 or newer"),
    ],
)
def test_a_machine_that_it_does_not_run_on_is_told_so(
    bare: Path, bundle: Path, script: Script, here: dict[str, str], reason: str
) -> None:
    machine(bare, script, **here)
    assert reason in refused(bundle, "scaling")


@pytest.mark.parametrize("libc", ["glibc 2.28", "glibc 2.100", "glibc 3.1", "glibc 2.36.9000"])
def test_a_machine_with_that_glibc_or_a_newer_one_will_do(
    bare: Path, bundle: Path, script: Script, libc: str
) -> None:
    machine(bare, script, libc=libc)
    assert call(bundle, "scaling").returncode == 0


@pytest.mark.parametrize(
    ("ldd", "reason"),
    [
        ("echo 'musl libc (x86_64)' >&2; exit 1", "this machine has musl, and the bundle needs"),
        ("echo 'ldd (Some GLIBC 2.5-1) 2.5'", "this machine has glibc 2.5, and 3.12 needs 2.28"),
        ("exit 127", "cannot tell this machine's C library; the bundle needs glibc"),
    ],
)
def test_where_getconf_says_nothing_ldd_is_asked(
    bare: Path, bundle: Path, script: Script, ldd: str, reason: str
) -> None:
    machine(bare, script, libc="")
    script(bare / "tools/ldd", f"{ldd}\n")
    assert reason in refused(bundle, "scaling")


def test_interpreters_of_different_packings_do_not_run_together(
    bundle: Path, script: Script
) -> None:
    add(bundle, script, "3.14t", state="other")
    said = refused(bundle, "scaling")
    assert "3.14t and 3.12 were packed from different states of the project" in said


def test_a_folder_that_is_not_whole_is_named(bundle: Path) -> None:
    (bundle / "interpreters/3.12/bin/python3.12").unlink()
    assert "interpreters/3.12 is not whole: unpack its archive again" in refused(bundle, "scaling")


def test_without_any_interpreter_it_says_so(bundle: Path) -> None:
    shutil.rmtree(bundle / "interpreters")
    assert "unpack an archive here" in refused(bundle, "scaling")
