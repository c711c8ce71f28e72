"""``python -m ftloader audit``: whether threads may share a transform.

The verdict goes to stdout, progress to stderr where that is a terminal. Exit codes: 0 safe, 1 not
safe, 2 arguments that are no good or a transform that cannot be had or called, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..errors import AuditError, summary
from .options import Options, parse
from .table import Look, render
from .verdict import DETECTORS, Evidence, Verdict

#: Name and version of the JSON; the version grows when a field changes its meaning or goes.
SCHEMA: Final = ("ftloader.audit", 1)
_WIDEST: Final = 120


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments after ``audit``; by default the process's own.

    Returns:
        0 if the transform is safe or its class is allowed, else 1.

    Raises:
        AuditError: arguments are no good, or the transform cannot be had or called.
        KeyboardInterrupt: Ctrl-C; no process is left behind.
    """
    try:
        options = parse(argv)
    except SystemExit:  # --help
        return 0
    if os.getcwd() not in sys.path:  # as for `python -m`
        sys.path.insert(0, os.getcwd())
    from .run import audit

    _check_place(options.json)
    progress = _Progress(len(options.detectors or DETECTORS))
    try:
        verdict = audit(
            options.transform,
            options.samples,
            args=options.args,
            kwargs=options.kwargs,
            style=options.style,
            threads=options.threads,
            seconds=options.seconds,
            detectors=options.detectors,
            progress=progress,
        )
    finally:
        progress.close()
    _show(verdict, options)
    allowed = verdict.safety.is_safe or str(verdict.safety) in options.allow
    return 0 if allowed else 1


def _show(verdict: Verdict, options: Options) -> None:
    if options.json != "-":
        _say(render(verdict, _look(options.colour)))
    if options.json:
        document = {"schema": SCHEMA[0], "version": SCHEMA[1], **verdict.to_json()}
        text = json.dumps(document, indent=1) + "\n"
        if options.json == "-":
            sys.stdout.write(text)
            return
        try:
            Path(options.json).write_text(text, encoding="utf-8")
        except OSError as error:
            raise AuditError(f"audit: cannot write {options.json}: {summary(error)}") from error


def _check_place(file: str) -> None:
    """Refuse, before the work, a file that cannot be written."""
    if file and file != "-" and not Path(file).absolute().parent.is_dir():
        raise AuditError(f"audit: there is no folder {str(Path(file).parent)!r} for {file!r}")


class _Progress:
    """One line on stderr that says what is running, if that is a terminal."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._stream = sys.stderr
        self._shown = self._stream.isatty()
        self._done = 0

    def __call__(self, detector: str, evidence: Evidence | None) -> None:
        if not self._shown:
            return
        if evidence is None:
            about = DETECTORS.get(detector, "")
            self._line(f"{self._done + 1}/{self._total} {detector}: {about}")
        else:
            self._done += 1

    def close(self) -> None:
        """Remove the line."""
        if self._shown:
            self._line("")

    def _line(self, text: str) -> None:
        room = shutil.get_terminal_size((80, 24)).columns - 1
        self._stream.write(f"\r\x1b[K{text[:room]}")
        self._stream.flush()


def _look(colour: str) -> Look:
    columns = shutil.get_terminal_size((80, 24)).columns
    wanted = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    coloured = colour == "always" or (colour == "auto" and wanted)
    return Look(min(columns, _WIDEST), coloured, ascii=not _prints("✓✗–"))


def _prints(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _say(text: str) -> None:
    try:
        print(text)
    except UnicodeEncodeError:
        print(text.encode("ascii", "replace").decode())
