"""What all forms of experiment do before they measure: arms, CPU set, inputs, the result file.

What is written into a header is what makes two runs comparable and a run continuable: names and
numbers only, no path of the machine and no name of a person.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import ArmError, DataError
from . import command, cpus, provenance, results, resume, where
from .arms import Arm
from .experiment import Inputs
from .results import ResultFile

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """One call of an experiment's command line, as far as all forms share it.

    Attributes:
        script: where the experiment is described, as workers get it; see ``where``.
        words: the arguments as they were typed.
        asked: the same, parsed.
        started: when the call began, UTC.
        folder: where the result file lies, or will.
        arms: the arms.
        interpreters: each arm's interpreter, by the arm's name.
        cpu_set: where the processes stay.
        inputs: what every process gets.
        data: the header's ``data``.
    """

    script: str
    words: Sequence[str]
    asked: argparse.Namespace
    started: datetime
    folder: Path
    arms: Sequence[Arm]
    interpreters: Mapping[str, Path]
    cpu_set: cpus.CpuSet
    inputs: Inputs
    data: Record

    def header(self, settings: Record, **run: Any) -> dict[str, Any]:
        """Return the entries of a header that mean the same in all forms.

        Args:
            settings: how long things are measured.
            run: further fields of ``run``: ``blocks``, ``mode`` and the form's own.

        Raises:
            DataError: an interpreter does not say what is installed.
        """
        return {
            "run": {
                "started": self.started.isoformat(timespec="seconds"),
                "seed": self.asked.seed,
                **run,
                "settings": dict(settings),
                "command": typed(self.script, self.words, self.interpreters),
                "commit": provenance.commit(where.folder(self.script)),
                "source_digest": provenance.source_digest(),
                "experiment_digest": where.digest(self.script),
            },
            "arms": [arm.to_json() for arm in self.arms],
            "environments": _environments(self.interpreters),
            "machine": {**provenance.machine(), **cpus.facts(self.cpu_set)},
            "data": self.data,
        }

    def say(self, question: str, *numbers: str) -> None:
        """Tell the person who waits what is about to be measured."""
        arms = ", ".join(arm.name for arm in self.arms)
        parts = [f"{len(self.arms)} arms ({arms})", *numbers, f"seed {self.asked.seed}"]
        command.say(f"{question}\n{', '.join(parts)}\n{self.cpu_set.describe()}")


def begin(
    script: str, words: Sequence[str], asked: argparse.Namespace, name: str, images: int
) -> Call:
    """Find out what the arguments mean, before anything is measured.

    Args:
        script: where the experiment is described; it has been loaded.
        words: the arguments as they were typed.
        asked: the same, parsed by a ``command.parser``.
        name: the experiment's name.
        images: how many images the inputs hold.

    Raises:
        DataError: an argument or the data are no good.
    """
    try:
        arms, interpreters = command.arms_of(asked)
    except ArmError as error:  # nothing was measured: the argument is at fault
        raise DataError(str(error)) from error
    cpu_set = cpus.of_run(asked.cpus)
    started = datetime.now(UTC)
    folder = command.new_folder(asked, name, started)
    inputs, data = command.chosen_inputs(asked, images)
    return Call(
        script=where.absolute(script),
        words=words,
        asked=asked,
        started=started,
        folder=folder,
        arms=arms,
        interpreters=interpreters,
        cpu_set=cpu_set,
        inputs=inputs,
        data=data,
    )


@contextmanager
def result_file(
    call: Call,
    header: Record,
    planned: Callable[[ResultFile], Collection[resume.Key]],
    key: Callable[[Record], resume.Key],
) -> Iterator[tuple[results.Writer, ResultFile]]:
    """Open a new result file, or the one to go on with; give it and what it holds already.

    Args:
        call: the call.
        header: the first line of a new file; that of an old one must describe the same.
        planned: returns the keys of all processes of the run, given what is recorded.
        key: returns the key of a record.

    Raises:
        DataError: the run in the folder is another one, or is going on.
    """
    path = call.folder / results.FILE_NAME
    again = call.asked.resume is not None
    with results.Writer(path, resume=again) as writer:
        if again:
            _resume(call, header, planned, key, writer)
        else:
            writer.header(header)
        yield writer, results.read(path)


def _resume(
    call: Call,
    header: Record,
    planned: Callable[[ResultFile], Collection[resume.Key]],
    key: Callable[[Record], resume.Key],
    writer: results.Writer,
) -> None:
    """Check that the run in the folder is this one, and write that it goes on."""
    # Read again: only now that this process holds the file is nobody else writing to it.
    file = results.read(writer.path)
    resume.require_interrupted(file, str(call.folder))
    resume.require_same(file, header, str(call.folder))
    repeated = resume.incomplete(file, planned(file), key)
    writer.resume(resume.line(file, repeated, str(header["run"]["commit"])))
    whole = {one["block"] for one in file.processes} - {*repeated}
    kept = "1 whole block is" if len(whole) == 1 else f"{len(whole)} whole blocks are"
    again = f"; block {repeated[0] + 1} is measured again as a whole" if repeated else ""
    command.say(f"going on with the run in {call.folder}: {kept} kept{again}")


def typed(script: str, words: Sequence[str], interpreters: Mapping[str, Path]) -> str:
    """Return the command as it may be committed: where things lie here is nobody's business."""
    short = {str(path): arm.split()[0] for arm, path in interpreters.items()}

    def plain(word: str) -> str:
        option, equals, value = word.partition("=")
        if option.startswith("--") and equals:
            return f"{option}={plain(value)}"
        return short.get(word, Path(word).name if "/" in word else word)

    return f"{where.command(script)} {shlex.join(map(plain, words))}".rstrip()


def _environments(interpreters: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    """Return the version of every installed package by arm; each interpreter is asked once."""
    known = {path: provenance.installed_in(path) for path in dict.fromkeys(interpreters.values())}
    return {arm: known[path] for arm, path in interpreters.items()}
