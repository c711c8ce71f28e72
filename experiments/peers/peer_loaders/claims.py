"""What others published and what we expect, written before any run was judged.

A limit is the published number where there is one for the same comparison. Where a claim says
"falls" or "on par", the limit is the 3 % below which the laboratory calls nothing a difference.
Nobody else's number comes from this work or this machine; README.md says what that leaves of it.
"""

from __future__ import annotations

from typing import Any

from ftloader.lab.trials import Hypothesis

FALLS, ON_PAR = 0.97, 0.97


def _workers() -> list[Hypothesis]:
    who = "DataLoader degrades beyond 8 workers (facebookresearch/spdl#303"
    common: dict[str, Any] = {"contender": "torch", "metric": "images_per_s", "better": "lower"}
    return [
        Hypothesis(
            f"{who}: 0.72): its rate with 8 workers over that with 4",
            "workers_8",
            limit=FALLS,
            against_cell="workers_4",
            **common,
        ),
        Hypothesis(
            f"{who}: 0.54): its rate with 16 workers over that with 8",
            "workers_16",
            limit=FALLS,
            against_cell="workers_8",
            **common,
        ),
        Hypothesis(
            "DataLoader starts its workers one by one (facebookresearch/spdl#303: 2.1): its time "
            "to the first batch with 16 workers over that with 8",
            "workers_16",
            "torch",
            "first_batch",
            1.5,
            "higher",
            against_cell="workers_8",
        ),
        Hypothesis(
            "DataLoader degrades with the batch size (SPDL's documentation: 0.59 from 32 to 256): "
            "its rate with batches of 256 over that with 16",
            "batch_256",
            limit=FALLS,
            against_cell="batch_16",
            **common,
        ),
    ]


def _spdl() -> list[Hypothesis]:
    def over_torch(text: str, metric: str, limit: float, better: Any) -> Hypothesis:
        where = "with 16 workers"
        text = f"SPDL over DataLoader {where}: {text}"
        return Hypothesis(text, "workers_16", "spdl", metric, limit, better, "torch")

    return [
        over_torch("74 % faster (arXiv 2504.20067, start-up counted)", "images_per_s", 1.74,
                   "higher"),
        over_torch("its own figure without start-up", "images_per_s", 1.23, "higher"),
        over_torch("38 % less CPU (arXiv 2504.20067)", "cpu", 0.62, "lower"),
        over_torch("less memory (arXiv 2504.20067: 50 GB)", "memory", FALLS, "lower"),
        Hypothesis(
            "SPDL is 33 % faster on 3.13t without a change of code (arXiv 2504.20067, against "
            "3.12 on 24 threads); here without the GIL over with it, 16 threads",
            "workers_16",
            "spdl",
            "images_per_s",
            1.33,
            "higher",
            across_gil=True,
        ),
    ]  # fmt: skip


def _torchdata() -> list[Hypothesis]:
    def at_4(text: str, contender: str, metric: str, limit: float, better: Any, **more: Any) -> Any:
        return Hypothesis(text, "workers_4", contender, metric, limit, better, **more)

    example = "torchdata's example, 4 workers, batches of 16, 3.13t"
    return [
        at_4("torchdata.nodes on processes are on par with DataLoader or better (its "
             "documentation)", "nodes_processes", "images_per_s", ON_PAR, "higher",
             against="torch"),
        at_4(f"torchdata.nodes on processes over DataLoader ({example}: 906 over 835)",
             "nodes_processes", "images_per_s", 906 / 835, "higher", against="torch"),
        at_4(f"torchdata.nodes on threads over DataLoader ({example} without the GIL: 922 over "
             "835)", "nodes_threads", "images_per_s", 922 / 835, "higher", against="torch",
             arms="gil off"),
        at_4(f"torchdata.nodes on threads without the GIL over with it ({example}: 922 over 692)",
             "nodes_threads", "images_per_s", 922 / 692, "higher", across_gil=True),
        at_4("torchdata.nodes use less CPU on threads than on processes (its documentation, "
             "3.13t)", "nodes_threads", "cpu", FALLS, "lower", against="nodes_processes",
             arms="gil off"),
    ]  # fmt: skip


def _threads_for_processes() -> list[Hypothesis]:
    who = "threads in the place of DataLoader's processes (pytorch/pytorch#161044"
    return [
        Hypothesis(
            f"{who}: at least 20 % less memory, 8 workers)",
            "workers_8",
            "dataloader",
            "memory",
            0.8,
            "lower",
            "torch",
        ),
        Hypothesis(
            f"{who}: comparable throughput, 8 workers)",
            "workers_8",
            "dataloader",
            "images_per_s",
            ON_PAR,
            "higher",
            "torch",
        ),
    ]


def _ours() -> list[Hypothesis]:
    def pipeline(text: str, cell: str, metric: str, limit: float, better: Any, **more: Any) -> Any:
        text = f"ours: {text}"
        return Hypothesis(text, cell, "pipeline", metric, limit, better, **more)

    return [
        pipeline("the pipeline keeps up with a bare pool of threads", "batch_16", "images_per_s",
                 ON_PAR, "higher", against="pool_threads"),
        pipeline("the pipeline keeps up with DataLoader", "batch_16", "images_per_s",
                 ON_PAR, "higher", against="torch"),
        pipeline("the same description is at least as fast on our engine as on SPDL's", "batch_16",
                 "images_per_s", 1.0, "higher", against="pipeline_spdl"),
        pipeline("the pipeline needs less CPU than DataLoader", "batch_16", "cpu",
                 FALLS, "lower", against="torch"),
        pipeline("the pipeline needs half of DataLoader's memory, 8 workers", "workers_8",
                 "memory", 0.5, "lower", against="torch"),
        pipeline("all workers make the first batch together: 256 images in 0.6 of DataLoader's "
                 "time", "batch_256", "first_batch", 0.6, "lower", against="torch"),
        pipeline("the slowest waits are shorter than DataLoader's, whose batches come in bursts",
                 "batch_16", "wait_p99", 0.97, "lower", against="torch"),
        pipeline("it ends in at most 50 ms", "batch_16", "end", 50.0, "lower"),
        pipeline("more workers than cores do no harm: 16 over 2", "workers_16", "images_per_s",
                 0.95, "higher", against_cell="workers_2"),
        pipeline("with a step that leaves it time it stalls for at most 2 %", "step", "stall",
                 0.02, "lower"),
        pipeline("Python-heavy work, without the GIL: the pipeline keeps up with processes",
                 "python", "images_per_s", ON_PAR, "higher", against="torch", arms="gil off"),
        pipeline("Python-heavy work: without the GIL over with it", "python", "images_per_s", 1.5,
                 "higher", across_gil=True),
        Hypothesis(
            "ours: torchdata's threads look for their end every 0.1 s, so they take at least that",
            "batch_16",
            "nodes_threads",
            "end",
            100.0,
            "higher",
        ),
    ]  # fmt: skip


HYPOTHESES = (*_workers(), *_spdl(), *_torchdata(), *_threads_for_processes(), *_ours())
