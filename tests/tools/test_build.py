"""A build resumes, takes turns with others, leaves no children, and appears whole or not at all.

The release that is built here is a small one: its ``configure`` and the ``make`` on PATH are shell
programs, and what it installs runs the Python that runs the tests. The code under test is the same.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from interpreters import build, cache, steps
from interpreters.table import Interpreter, InterpreterError

from .conftest import ROOT, Script

DRIVER = f"""
import signal, sys
# A runner in the background hands down signals that are ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
sys.path.insert(0, {str(ROOT / "tools")!r})
from interpreters import build, cli, ensure, table
build.check_tools = lambda wanted: None
ensure._ensure = lambda wanted: build.build(wanted, [])
table.INTERPRETERS[sys.argv[1]] = table.Interpreter(sys.argv[1], required=True, release="0")
sys.exit(cli.main(["ensure", sys.argv[1]]))
"""

MAKE = """
echo "make $*" >> "$CALLS"
case $* in
    -n) echo "cc -c a.c -o a.o"; echo "cc -c b.c -o b.o" ;;
    install*)
        target=${2#DESTDIR=}$(cat prefix)
        mkdir -p "$target/bin"
        cp python "$target/bin/$COMMAND" ;;
    *)
        [ ! -e broken ] || { echo "a.o: file truncated"; exit 2; }
        echo "cc -c a.c -o a.o"
        # A pipe that somebody reads stands for a compiler that takes its time.
        [ ! -p "$CALLS.pipe" ] || { echo begun > "$CALLS.pipe"; sleep 1000 > "$CALLS.pipe"; }
        echo "cc -c b.c -o b.o" ;;
esac
"""

CONFIGURE = """
echo "configure" >> "$CALLS"
for argument; do case $argument in --prefix=*) echo "${argument#--prefix=}" > prefix ;; esac; done
"""


@pytest.fixture
def release(
    bare: Path, script: Script, this: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> Interpreter:
    """Put a small release where a fetched one would lie, and its make on PATH."""
    version = "{}.{}.1".format(*this.version)
    tree = bare / "tree"
    script(tree / "configure", CONFIGURE)
    script(tree / "python", f'exec "{sys.executable}" "$@"\n')
    (tree / "Include").mkdir()
    (tree / "Include/patchlevel.h").write_text(f'#define PY_VERSION "{version}"\n')
    folder = cache.interpreters_folder() / "sources"
    folder.mkdir(parents=True)
    with tarfile.open(folder / f"Python-{version}.tar.xz", "w:xz") as archive:
        archive.add(tree, f"Python-{version}")
    script(bare / "tools/make", MAKE)
    monkeypatch.setenv("CALLS", str(bare / "calls"))
    monkeypatch.setenv("COMMAND", this.commands[0])
    monkeypatch.setattr(build, "check_tools", lambda wanted: None)
    return Interpreter(this.name, required=True, release=version)


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text(encoding="utf-8").splitlines()


def start(release: Interpreter) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", DRIVER, release.name]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_build_is_installed_stamped_and_used_the_next_time(
    bare: Path, release: Interpreter
) -> None:
    found = build.build(release, [])
    prefix = cache.prefix_for(release.release, release.free_threaded)
    assert cache.finished(prefix)
    assert found.version[:2] == release.version
    before = calls(bare)
    assert build.build(release, []) == found
    assert calls(bare) == before
    # Sources and logs stay; the build tree does not.
    kept = sorted(p.name for p in cache.interpreters_folder().iterdir() if p.is_dir())
    assert kept == sorted(["logs", "sources", prefix.name])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_build_leaves_no_children_and_goes_on_the_next_time(
    bare: Path, release: Interpreter, number: int
) -> None:
    pipe = bare / "calls.pipe"
    os.mkfifo(pipe)
    builder = start(release)
    with open(pipe, encoding="utf-8") as reader:
        assert reader.readline() == "begun\n"
        builder.send_signal(number)
        _, talk = builder.communicate()
        # The end of the pipe: nobody who could write to it is left.
        assert reader.read() == ""
    assert builder.returncode == 130
    assert talk.splitlines()[-1] == "ftloader: interrupted; the next call goes on from here"
    pipe.unlink()
    build.build(release, [])
    assert calls(bare).count("configure") == 1


def test_what_is_left_of_a_build_and_does_not_compile_is_built_from_scratch(
    bare: Path, release: Interpreter
) -> None:
    os.mkfifo(bare / "calls.pipe")
    builder = start(release)
    with open(bare / "calls.pipe", encoding="utf-8") as reader:
        reader.readline()
        builder.terminate()
        builder.communicate()
    (bare / "calls.pipe").unlink()
    work = cache.interpreters_folder() / f"build-{release.name}"
    (work / f"Python-{release.release}" / "broken").touch()
    build.build(release, [])
    assert calls(bare).count("configure") == 2


def test_a_build_that_fails_names_its_log_and_is_no_interpreter(
    bare: Path, release: Interpreter, script: Script
) -> None:
    script(bare / "tools/make", "echo 'x.c:1: error: no such thing'; exit 2\n")
    with pytest.raises(InterpreterError, match=r"make failed with exit 2; log: (\S+)") as caught:
        build.build(release, [])
    log = Path(str(caught.value).rpartition("log: ")[2])
    assert "error: no such thing" in log.read_text(encoding="utf-8")
    assert cache.built() == []


def test_a_build_without_a_needed_module_names_packages_and_configures_anew(
    bare: Path, release: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(build, "NEEDED_MODULES", ("a_module_that_is_not_there",))
        with pytest.raises(InterpreterError, match="lacks a_module_that_is_not_there; install"):
            build.build(release, [])
    assert cache.built() == []
    build.build(release, [])
    assert calls(bare).count("configure") == 2


def test_two_builds_at_once_take_turns_and_the_second_uses_the_first(
    bare: Path, release: Interpreter
) -> None:
    pipe = bare / "calls.pipe"
    os.mkfifo(pipe)
    first = start(release)
    with open(pipe, encoding="utf-8") as reader:
        assert reader.readline() == "begun\n"
        second = start(release)
        assert second.stderr is not None
        said = second.stderr.readline()
        assert f"is being built by another call (process {first.pid}); waiting for it" in said
        # The "compiler" of the first build ends.
        pipe.unlink()
        subprocess.run(["/bin/sh", "-c", "kill $(cat)"], input=_sleeper(first), check=True)
    paths = [process.communicate()[0] for process in (first, second)]
    assert first.returncode == second.returncode == 0
    assert paths[0] == paths[1] != ""
    assert calls(bare).count("configure") == 1


def _sleeper(builder: subprocess.Popen[str]) -> bytes:
    """Return the process id of the sleep below a builder, from /proc."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            text = (entry / "stat").read_text()
        except OSError:  # gone meanwhile
            continue
        name, fields = text.partition("(")[2].rpartition(")")[::2]
        parents[int(entry.name)] = (int(fields.split()[1]), name)

    def below(pid: int) -> bool:
        while pid in parents:
            if pid == builder.pid:
                return True
            pid = parents[pid][0]
        return False

    return b" ".join(str(p).encode() for p, (_, n) in parents.items() if n == "sleep" and below(p))


def test_a_lock_is_free_when_its_owner_was_killed(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; sys.path.insert(0, sys.argv[1])\n"
            "from pathlib import Path\n"
            "from interpreters import cache\n"
            "with cache.lock(Path(sys.argv[2]), print):\n"
            "    print('held', flush=True)\n"
            "    sys.stdin.read()\n",
            str(ROOT / "tools"),
            str(tmp_path / "lock"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "held\n"
    owner.kill()
    owner.communicate()
    waited: list[str] = []
    with cache.lock(tmp_path / "lock", waited.append):
        assert waited == []


def test_missing_tools_are_named_as_packages_in_one_line(bare: Path, script: Script) -> None:
    wanted = Interpreter("3.13t", required=True)
    with pytest.raises(InterpreterError, match=r"apt-get install make gcc libc6-dev$"):
        build.check_tools(wanted)
    script(bare / "tools/make", "")
    script(bare / "tools/gcc", "! grep -q -e '<zlib' -e openssl\n")
    with pytest.raises(InterpreterError, match=r"apt-get install zlib1g-dev libssl-dev$"):
        build.check_tools(wanted)


def test_missing_headers_that_are_not_needed_are_only_mentioned(
    bare: Path, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    script(bare / "tools/make", "")
    script(bare / "tools/gcc", "! grep -q sqlite3\n")
    build.check_tools(Interpreter("3.13t", required=True))
    assert "apt-get install libsqlite3-dev" in capsys.readouterr().err


def test_the_callers_compiler_flags_do_not_reach_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CFLAGS", "LDFLAGS", "MAKEFLAGS", "PYTHONPATH"):
        monkeypatch.setenv(name, "-O0")
    assert not {"CFLAGS", "LDFLAGS", "MAKEFLAGS", "PYTHONPATH"} & set(steps.environment())
