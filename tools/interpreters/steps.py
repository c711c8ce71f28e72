"""Runs one step of a build: output to a log, a callback per line, no children left behind."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

# Settings of the caller's shell that would change the flags of the build.
_DROPPED = ("CFLAGS", "CPPFLAGS", "CXXFLAGS", "LDFLAGS", "LIBS", "OPT", "MAKEFLAGS", "MFLAGS")
_GRACE_S = 0.5


class StepFailed(Exception):
    """A step ended with a non-zero code; the message names the step and its log."""


def environment() -> Dict[str, str]:
    """Return the environment of a build step: the caller's, without what changes its flags."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in _DROPPED and not key.startswith("PYTHON")
    }
    return {**kept, "LC_ALL": "C"}


def run(
    name: str,
    command: List[str],
    folder: Path,
    log: Path,
    on_line: Callable[[str], None],
    keep_open: int,
) -> None:
    """Run ``command`` in ``folder``.

    Args:
        name: what the step does, for the message.
        command: program and arguments.
        folder: working folder.
        log: everything printed is appended here.
        on_line: called with each line of output, and with ``""`` each second without any.
        keep_open: a file descriptor the children inherit (the lock: it then outlives us while
            they do).

    Raises:
        StepFailed: the command failed.
    """
    with open(log, "ab") as file, _Interruptions() as interruptions:
        file.write("\n$ {}\n".format(" ".join(command)).encode())
        file.flush()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(keep_open,),
        )
        try:
            interruptions.arm()
            for line in _lines(process):
                file.write(line)
                on_line(line.decode("utf-8", "replace"))
            status = process.wait()
            interruptions.disarm()
        finally:
            end(process)
    if status != 0:
        raise StepFailed(f"{name} failed with exit {status}; log: {log}")


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and everything in its group: politely, then not."""
    for number, patience in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience)
    if process.stdout is not None:
        process.stdout.close()


def _lines(process: "subprocess.Popen[bytes]") -> Iterator[bytes]:
    """Yield the output line by line, and ``b""`` after each silent second."""
    assert process.stdout is not None
    source = process.stdout.fileno()
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(source, selectors.EVENT_READ)
        while True:
            if not selector.select(timeout=1.0):
                yield b""
                continue
            block = os.read(source, 1 << 16)
            if not block:
                break
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                yield line + b"\n"
    if rest:
        yield rest


class _Interruptions:
    """Turns Ctrl-C, SIGTERM and SIGHUP into one KeyboardInterrupt, raised only while armed.

    One that comes while a process is being started, or ended, would otherwise leave it behind.
    Signals belong to the main thread: in another one this does nothing.
    """

    def __init__(self) -> None:
        self._armed = False
        self._pending = False
        self._before: Dict[int, Any] = {}

    def __enter__(self) -> "_Interruptions":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                # Ignored on purpose, as under nohup: it stays so.
                if signal.getsignal(number) == signal.SIG_IGN:
                    continue
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._pending and kind is None:
            raise KeyboardInterrupt

    def arm(self) -> None:
        """Raise for a signal from now on, or at once for one that came before."""
        self._armed = True
        if self._pending:
            self.disarm()
            raise KeyboardInterrupt

    def disarm(self) -> None:
        """Only remember a signal from now on."""
        self._armed = False

    def _on_signal(self, number: int, frame: object) -> None:
        self._pending = True
        if self._armed:
            self._armed = False
            raise KeyboardInterrupt


class Clock:
    """Estimates the time left of a job that counts what it has done."""

    def __init__(self, total: int) -> None:
        self.total = max(total, 1)
        self.done = 0
        self._start = time.monotonic()

    def left(self) -> float:
        """Return the seconds left at the pace so far; infinite before anything is done."""
        elapsed = time.monotonic() - self._start
        return elapsed / self.done * max(self.total - self.done, 0) if self.done else float("inf")
