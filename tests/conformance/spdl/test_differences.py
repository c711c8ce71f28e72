"""Where the shim, or the native pipeline, differs from SPDL on purpose."""

from __future__ import annotations

import importlib
import itertools
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftloader import Pipeline, PipelineError, StageError
from ftloader.interop.spdl import NOT_OFFERED

from .conftest import Dialect
from .ops import PATIENCE, fails_on, same

pytestmark = pytest.mark.usefixtures("no_thread_left")

DOCS = Path(__file__).parents[3] / "docs" / "coming_from_spdl.md"

#: Rows of SPDL's 40 observable behaviours that the shim does not have, or has otherwise: what it
#: does, why, and what to do instead. The documentation has the same table.
DIFFERENCES = {
    6: "a rate is judged at failures from the 100th item on, and at the end however short it was",
    9: "an operation that cannot take one item is refused when it is described",
    18: "no task hooks",
    21: "no merge and no path variants; empty sources end cleanly",
    28: "stop lets go of what was in the sink",
    34: "no path variants; epochs do not mix",
    36: "each epoch has its own threads",
    37: "no executor of one's own",
    38: "no path variants",
    39: "no iteration in a subprocess",
}

ROWS = range(1, 41)
#: Methods of SPDL's builder that are not offered.
BUILDER = {"path_variants", "to", "get_config"}


def test_every_row_has_a_test_or_stands_in_the_table_of_differences() -> None:
    tested: set[int] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        module = importlib.import_module(f"{__package__}.{path.stem}")
        for name, function in vars(module).items():
            rows = re.match(r"Rows? ([\d, and]+)", getattr(function, "__doc__", None) or "")
            if name.startswith("test_") and rows:
                tested |= {int(row) for row in re.findall(r"\d+", rows[1])}
    assert tested <= set(ROWS)
    assert tested | set(DIFFERENCES) == set(ROWS)


def test_the_documentation_has_the_table_of_differences() -> None:
    text = DOCS.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| ([^|]+?) \| [^|]+ \| [^|]+ \|$", text, re.MULTILINE)
    assert {int(row): what.replace("`", "") for row, what in rows} == DIFFERENCES


@pytest.mark.parametrize("name", sorted(NOT_OFFERED))
def test_what_is_not_offered_is_refused_by_name_and_with_a_way_out(
    shim: Dialect, name: str
) -> None:
    """Rows 18, 37, 38 and 39."""
    module = importlib.import_module("ftloader.interop.spdl")

    def reach_for_it() -> Any:
        if name == "executor":
            return shim.PipelineBuilder().pipe(same, executor=object())
        if name in ("queue_class", "task_hook_factory", "report_stats_interval"):
            return shim.PipelineBuilder().build(num_threads=1, **{name: 1})
        if name in BUILDER:
            return getattr(shim.PipelineBuilder(), name)
        return getattr(module, name)

    with pytest.raises(PipelineError) as caught:
        reach_for_it()
    assert name in str(caught.value)
    assert NOT_OFFERED[name] in str(caught.value)


def test_what_is_not_offered_is_refused_when_imported() -> None:
    """Row 39."""
    with pytest.raises(PipelineError, match="the whole training loader into a process"):
        from ftloader.interop.spdl import run_pipeline_in_subprocess  # noqa: F401


def test_the_shim_does_not_import_spdl() -> None:
    code = "import sys, ftloader.interop.spdl; sys.exit('spdl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_a_name_that_spdl_has_not_either_is_an_ordinary_mistake(shim: Dialect) -> None:
    with pytest.raises(AttributeError, match="pip"):
        shim.PipelineBuilder().pip  # noqa: B018
    with pytest.raises(ImportError):
        from ftloader.interop.spdl import nothing  # noqa: F401


def test_everything_in_spdls_module_is_offered_or_refused_by_name(real_spdl: Dialect) -> None:
    """What neither is, is named here: it is of no use without what is refused."""
    ours = importlib.import_module("ftloader.interop.spdl")
    theirs = importlib.import_module("spdl.pipeline")
    without_use = {
        "BackgroundTask", "BackgroundTaskFactory", "PriorityExecutorEntrypoint",
        "ProcessGroupResourceUsage", "ProcessGroupStatsMonitor", "ProfileHook", "ProfileResult",
        "QueuePerfStats", "SharedMemoryRingBuffer", "SharedMemorySegmentPool", "StageInfo",
        "TaskPerfStats", "cache_iterator", "create_task", "is_eof", "is_epoch_end",
    }  # fmt: skip
    assert set(theirs.__all__) - set(ours.__all__) - set(NOT_OFFERED) == without_use
    methods = {name for name in vars(real_spdl.PipelineBuilder) if not name.startswith("_")}
    offered = {name for name in vars(ours.PipelineBuilder) if not name.startswith("_")}
    assert methods - offered == BUILDER


@pytest.mark.parametrize(
    ("describe", "message"),
    [
        (lambda b: b.add_source([1]).add_source([2]), "source is already set"),
        (lambda b: b.add_source(7), "a source is"),
        (lambda b: b.add_sink().add_sink(), "sink is already set"),
        (lambda b: b.add_sink(0), "buffer_size is an integer of at least 1"),
        (lambda b: b.pipe(same, concurrency=0), "'same': concurrency"),
        (lambda b: b.pipe(same, output_order="any"), "'same': output_order"),
        (lambda b: b.pipe(same, max_failures=0.5), "'same': max_failures is an int or a Fraction"),
        (lambda b: b.pipe(None), "an operation is a function or a container"),
        (lambda b: b.aggregate(0), "size is an integer of at least 1"),
        (lambda b: b.aggregate("three"), "size is an integer of at least 1"),
        (lambda b: b.add_source([1]).add_sink().build(num_threads=0), "num_threads"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_described(
    shim: Dialect, describe: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        describe(shim.PipelineBuilder())


def test_a_pipeline_without_source_or_sink_is_not_built(dialect: Dialect) -> None:
    with pytest.raises(RuntimeError, match="add_source"):
        dialect.PipelineBuilder().add_sink().build(num_threads=1)
    with pytest.raises(RuntimeError, match="add_sink"):
        dialect.PipelineBuilder().add_source([1]).build(num_threads=1)


def test_a_second_pass_over_a_finite_pipeline_is_refused_by_the_shim(dialect: Dialect) -> None:
    """SPDL gives an empty one, so that a usual loop over epochs trains on the first only."""
    pipeline = dialect.PipelineBuilder().add_source(range(3)).add_sink().build(num_threads=1)
    with pipeline.auto_stop():
        assert list(pipeline) == [0, 1, 2]
        if dialect.is_ours:
            with pytest.raises(PipelineError, match="continuous=True"):
                iter(pipeline)
        else:
            assert list(pipeline) == []


def test_an_iterator_as_a_continuous_source_fails_in_the_second_epoch(shim: Dialect) -> None:
    """SPDL gives empty epochs for ever."""
    pipeline = (
        shim.PipelineBuilder()
        .add_source(iter(range(3)), continuous=True)
        .add_sink()
        .build(num_threads=1)
    )
    assert list(pipeline) == [0, 1, 2]
    with pytest.raises(shim.PipelineFailure) as caught:
        list(pipeline)
    assert "an iterator" in str(caught.value.exceptions[0])


def test_the_shim_tells_what_it_skipped_and_prints_what_it_runs(shim: Dialect) -> None:
    """SPDL has one line of log for each."""
    pipeline = (
        shim.PipelineBuilder()
        .add_source(range(4))
        .pipe(fails_on(1, 3), name="decode")
        .add_sink()
        .build(num_threads=1)
    )
    assert pipeline.run is None
    with pipeline.auto_stop():
        assert list(pipeline) == [0, 2]
        assert [(record.stage, record.item) for record in pipeline.run.failures] == [
            ("decode", "1"),
            ("decode", "3"),
        ]
        assert pipeline.run.stats().stages[1].skipped == 2
    assert "1 decode" in str(pipeline)


def test_two_stages_may_have_one_name(dialect: Dialect) -> None:
    pipeline = (
        dialect.PipelineBuilder()
        .add_source(range(2))
        .pipe(same, name="twice")
        .pipe(same, name="twice")
        .add_sink()
        .build(num_threads=1)
    )
    with pipeline.auto_stop():
        assert list(pipeline) == [0, 1]


# The defaults of the native pipeline, which is what new code should use.


def test_the_native_pipeline_raises_instead_of_dropping() -> None:
    """Row 1, by default."""
    delivered = []
    pipeline = Pipeline(range(5)).pipe(fails_on(2), name="decode")
    with pipeline.run() as run, pytest.raises(StageError, match="'decode' failed on item 2"):
        delivered.extend(run)
    assert delivered == [0, 1]


def test_the_native_pipeline_takes_none_for_an_item() -> None:
    """Row 2: what filters is a generator function."""

    def odd(x: int) -> Iterator[int]:
        if x % 2:
            yield x

    assert list(Pipeline(range(3)).pipe(lambda x: None)) == [None, None, None]
    assert list(Pipeline(range(6)).pipe(odd, concurrency=2)) == [1, 3, 5]


def test_the_native_pipeline_keeps_input_order_by_default() -> None:
    """Row 13."""
    second_is_made = threading.Event()

    def op(x: int) -> int:
        if x == 0:
            assert second_is_made.wait(PATIENCE)
        else:
            second_is_made.set()
        return x

    assert list(Pipeline(range(2)).pipe(op, concurrency=2)) == [0, 1]


def test_the_native_pipeline_is_read_again_from_the_start() -> None:
    """Rows 25 and 26: each loop over it is a run of its own."""
    pipeline = Pipeline(range(4)).pipe(same)
    assert list(itertools.islice(pipeline, 2)) == [0, 1]
    assert list(pipeline) == [0, 1, 2, 3]
    assert list(pipeline) == [0, 1, 2, 3]
    with pipeline.run() as run:
        assert next(run) == 0
        assert list(run) == [1, 2, 3]


def test_the_native_pipeline_wants_the_method_of_a_container() -> None:
    """Row 19."""
    with pytest.raises(PipelineError, match="__getitem__"):
        Pipeline([1, 0]).pipe(["a", "b"])  # type: ignore[call-overload]
    assert list(Pipeline([1, 0]).pipe(["a", "b"].__getitem__)) == ["b", "a"]
