"""Tuning from end to end: sample, probe, search, say what was found."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..errors import PipelineError
from ..pipeline import Pipeline
from ..runtime import cpu_budget, gil_enabled
from ..stages import Pipe, Prefetch
from .findings import (
    Trial,
    Tuning,
    limit_sentences,
    rate,
    size,
    stage_finding,
    without_gil,
)
from .gil import Scaling, scaling
from .model import CHEAP, Cost, Model, Setting
from .neighbours import Neighbours
from .sample import Sample, sample
from .search import Search
from .trial import Trials, filled_in

#: How much more than the source gave while it was sampled is believed of it.
SOURCE_MARGIN: Final = 1.25
#: Cores in use by others from which on the result says so.
NEIGHBOURS: Final = 0.2

_clock = time.perf_counter


def tune(
    pipeline: Pipeline[Any],
    *,
    seconds: float = 30.0,
    cores: float | None = None,
    memory: int | None = None,
    stages: Iterable[str] | None = None,
) -> Tuning:
    """Find a concurrency for the stages of a pipeline by trying it on its first items.

    The source is opened once more and read for a moment, every operation is called on what it
    gave, and then short windows of the whole pipeline are compared. Operations are therefore
    called many more times than in one run, and their results are thrown away.

    Args:
        pipeline: what to tune.
        seconds: time it may take; it is looked at between results, so operations in flight may
            overrun it.
        cores: cores that may be kept busy; what the process may use by default.
        memory: bytes of results that may be in flight, by the ``nbytes`` of sampled results.
        stages: names of the stages to tune; by default those with ``concurrency="auto"``, or all
            that have a concurrency if none is "auto". The others keep their numbers.

    Returns:
        The pipeline with its numbers filled in, and what was found; ``print`` it.

    Raises:
        PipelineError: the pipeline cannot be tried (its source is an iterator, or empty; nothing
            comes out; no setting fits the memory), or an argument cannot be.
        SourceError: the source raised.
        StageError: an operation raised, and its stage does not skip errors.

    Thread safety: call it from any thread; two at a time disturb each other's measurements.
    Operations are called from several threads at once. Ctrl-C ends it; no thread is left.
    Determinism: none; it measures. The results of the pipeline do not depend on the numbers.
    """
    begin, neighbours = _clock(), Neighbours()
    if not seconds > 0:
        raise PipelineError(f"tune: seconds is a time above 0, not {seconds!r}")
    if cores is not None and not cores > 0:
        raise PipelineError(f"tune: cores is a number above 0, not {cores!r}")
    if memory is not None and memory < 1:
        raise PipelineError(f"tune: memory is a number of bytes, at least 1, not {memory!r}")
    names = chosen(pipeline, stages)
    taken = sample(pipeline, names, 0.25 * seconds)
    by_name = {stage.name: stage for stage in pipeline.stages if isinstance(stage, Pipe)}
    budget = cpu_budget() if cores is None else float(cores)
    probes = probe(by_name, taken, min(budget, cpu_budget()), 0.2 * seconds)
    steps = tuple(bounded(step, taken, probes.get(step.name)) for step in taken.steps)
    waiting = next((s.size for s in pipeline.stages[:1] if isinstance(s, Prefetch)), 2)
    source_rate = SOURCE_MARGIN * taken.source_rate
    model = Model(
        steps, budget, cores is not None, memory, source_rate, taken.nbytes * (1 + waiting)
    )
    costs = [step.seconds for step in steps]
    trials = Trials(pipeline.stages, taken.items, costs, source_rate * taken.outputs)
    search = Search(model, trials.measure, _clock, begin + seconds)
    setting = search.run()
    if setting is None:
        raise PipelineError(
            f"tune: one item at a time in every stage keeps up to {size(model.nbytes(model.ones))} "
            f"of results in flight, more than memory={memory}; allow more, or make items smaller"
        )
    return report(pipeline, model, search, setting, taken, probes, begin, neighbours.cores())


def chosen(pipeline: Pipeline[Any], stages: Iterable[str] | None) -> set[str]:
    """Return the names of the stages to tune.

    Raises:
        PipelineError: there is none, or none of such a name.
    """
    have = [stage for stage in pipeline.stages if isinstance(stage, Pipe)]
    if not have:
        raise PipelineError("tune: the pipeline has no stage with a concurrency; add a pipe")
    auto = {stage.name for stage in have if stage.concurrency == "auto"}
    if stages is None:
        return auto or {stage.name for stage in have}
    names = {stages} if isinstance(stages, str) else set(stages)
    unknown = sorted(names - {stage.name for stage in have})
    if unknown:
        known = ", ".join(repr(stage.name) for stage in have)
        raise PipelineError(f"tune: no stage {unknown[0]!r} has a concurrency; there are {known}")
    # A stage that says "auto" has no number to keep.
    return names | auto


def probe(
    stages: Mapping[str, Pipe], taken: Sample, cores: float, seconds: float
) -> dict[str, Scaling]:
    """Ask each stage that computes what a second thread brings, where there is a GIL."""
    if not gil_enabled() or cores < 2:
        return {}
    total = sum(step.calls * step.cpu for step in taken.steps)
    computing = [
        (step, items)
        for step, items in zip(taken.steps, taken.inputs, strict=True)
        if step.concurrency is None
        and step.kind in ("function", "generator")
        and step.share >= 0.5
        and step.calls * step.cpu >= CHEAP * total
    ]
    found: dict[str, Scaling] = {}
    for step, items in computing:
        allowed = seconds / len(computing)
        measured = scaling(stages[step.name], items, step.seconds, allowed)
        if measured is not None:
            found[step.name] = measured
    return found


def bounded(step: Cost, taken: Sample, scaled: Scaling | None) -> Cost:
    """Return a step with what the probe says, and no more workers than there are items."""
    if step.kind == "regroup":
        return step
    most = math.ceil(len(taken.items) * step.calls) if taken.complete else step.most
    bound = scaled.gil_bound if scaled is not None else None
    if bound is None and not gil_enabled() and not step.is_async and step.share >= 0.5:
        bound = False
    return dataclasses.replace(step, gil_bound=bound, most=max(1, min(step.most, most)))


def report(
    pipeline: Pipeline[Any],
    model: Model,
    search: Search,
    setting: Setting,
    taken: Sample,
    probes: Mapping[str, Scaling],
    begin: float,
    others: float | None,
) -> Tuning:
    """Put together what was found."""
    numbers = {step.name: n for step, n in zip(model.steps, setting, strict=True)}
    busy = search.tried[setting].busy
    findings = tuple(
        stage_finding(step, n, model, probes.get(step.name), share)
        for step, n, share in zip(model.steps, setting, busy, strict=True)
        if step.kind != "regroup"
    )
    throughput = search.rate(setting)
    trials = sorted(
        (
            Trial(_numbers(model, tried), search.rate(tried), len(record.rates))
            for tried, record in search.tried.items()
        ),
        key=lambda trial: -trial.throughput,
    )
    seconds = _clock() - begin
    said = [
        f"{rate(throughput)} with these numbers, on {len(taken.items)} items of the source; "
        f"{len(trials)} settings in {search.windows} windows, {seconds:.1f} s.",
        *limit_sentences(model, setting, taken.outputs, throughput),
    ]
    if others is not None and others > NEIGHBOURS:
        said.append(
            f"Others kept {others:.1f} cores busy meanwhile, so the numbers are for what they "
            "left; tune again on an idle machine."
        )
    if not search.settled:
        said.append("Time ran out before every neighbour was compared: more seconds may find more.")
    return Tuning(
        filled_in(pipeline, numbers.__getitem__),
        findings,
        throughput,
        seconds,
        tuple(trials),
        search.settled,
        without_gil(model, taken.outputs),
        tuple(said),
    )


def _numbers(model: Model, setting: Setting) -> tuple[tuple[str, int], ...]:
    pairs = zip(model.steps, setting, strict=True)
    return tuple((step.name, n) for step, n in pairs if step.kind != "regroup")
