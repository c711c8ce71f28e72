"""How one run is to be done: what a description leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from .errors import PipelineError
from .policy import require_limit


class RunKeywords(TypedDict, total=False):
    """The options of :meth:`ftloader.Pipeline.run`, which documents them."""

    memory_budget: int | Mapping[str, int] | None
    max_failures: int | float | None
    quarantine: str | Path | None
    stuck_after: float | None
    fuse: bool
    trace: bool


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of one run.

    Args:
        memory_budget: bytes of results that may be in flight: in all, or for each stage by name.
        max_failures: skipped items that are tolerated in the whole run.
        quarantine: file that gets a line of JSON for each skipped item.
        stuck_after: seconds after which an operation is reported as stuck.
        fuse: whether neighbouring functions run on the same threads; see :mod:`.engine.plan`.
        trace: whether to keep what each worker did when.

    Raises:
        PipelineError: an option cannot be.
    """

    memory_budget: int | Mapping[str, int] | None = None
    max_failures: int | float | None = None
    quarantine: Path | None = None
    stuck_after: float | None = None
    fuse: bool = False
    trace: bool = False

    def __post_init__(self) -> None:
        require_limit(self.max_failures, "run")
        if self.stuck_after is not None and not self.stuck_after > 0:
            raise PipelineError(f"run: stuck_after is a time in seconds, not {self.stuck_after!r}")
        budget = self.memory_budget
        sizes = list(budget.values()) if isinstance(budget, Mapping) else [budget]
        for size in sizes:
            if size is not None and (isinstance(size, bool) or not isinstance(size, int)):
                raise PipelineError(f"run: memory_budget is a number of bytes, not {size!r}")
            if size is not None and size < 1:
                raise PipelineError(f"run: memory_budget is at least 1 byte, not {size}")


def run_options(keywords: RunKeywords) -> RunOptions:
    """Return the options of a run from its keyword arguments.

    Raises:
        PipelineError: there is no such option, or it cannot be.
    """
    unknown = sorted(set(keywords) - set(RunKeywords.__annotations__))
    if unknown:
        known = ", ".join(sorted(RunKeywords.__annotations__))
        raise PipelineError(f"run: there is no option {unknown[0]!r}; there are {known}")
    values = {**keywords}
    if keywords.get("quarantine") is not None:
        values["quarantine"] = Path(str(keywords["quarantine"]))
    return RunOptions(**values)  # type: ignore[arg-type]  # each was just named by RunKeywords
