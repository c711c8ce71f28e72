"""Who takes part: requests on the event loop and on threads, in both orders, and plain Python."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from ftloader import Pipeline, lab
from ftloader.lab.pools import pool_window
from ftloader.lab.reading import Reading, read
from ftloader.lab.trials import Contender, Outcome

from .job import Job, Made, marked
from .store import RETRY, Answer

Order = Literal["input", "completion"]


def ours(
    waiting: bool, order: Order, ahead: int = 0
) -> Callable[[lab.Inputs, Mapping[str, Any]], Outcome]:
    """Return ftloader with requests on threads that wait, or on the event loop.

    Args:
        waiting: whether on threads.
        order: of the output of all stages.
        ahead: answers that may wait for an earlier one, per request in flight; 0 for few.
    """

    def run(inputs: lab.Inputs, settings: Mapping[str, Any]) -> Outcome:
        job = Job(inputs, settings)
        get: Callable[[int], Any] = job.store.get_waiting if waiting else job.store.get
        pipeline: Pipeline[Made] = Pipeline(range(job.samples)).pipe(
            get, concurrency=job.concurrency, output_order=order, retry=RETRY
        )
        if ahead:
            pipeline = pipeline.prefetch(ahead * job.concurrency)
        if job.decoders:
            pipeline = pipeline.pipe(job.decode, concurrency=job.decoders, output_order=order)

        def opened() -> Iterator[tuple[int, int]]:
            # In the first next(): a run starts to fetch as soon as it is there.
            with pipeline.run() as run:
                yield from map(marked, run)

        return job.outcome(read(opened(), job.samples, job.midway), order)

    return run


def pool(inputs: lab.Inputs, settings: Mapping[str, Any]) -> Outcome:
    """Fetch and decode in one function on a pool, as a hand-written loader does."""
    job = Job(inputs, settings)

    def load(sample: int) -> Made:
        answer = patiently(job, sample)
        return job.decode(answer) if job.decoders else answer

    results = pool_window(range(job.samples), load, job.concurrency, 2 * job.concurrency)
    reading = read(map(marked, results), job.samples, job.midway)
    return job.outcome(reading, "input")


def patiently(job: Job, sample: int) -> Answer:
    for attempt in range(1, RETRY.attempts):
        try:
            return job.store.get_waiting(sample)
        except ConnectionError:
            time.sleep(RETRY.pause(attempt))
    return job.store.get_waiting(sample)


def plain_asyncio(inputs: lab.Inputs, settings: Mapping[str, Any]) -> Outcome:
    """One task for each sample behind a semaphore; decoding in the loop's executor."""
    job = Job(inputs, settings)
    marks: list[tuple[int, int]] = []
    moments = [time.perf_counter()]

    async def one(sample: int, room: asyncio.Semaphore, pool: ThreadPoolExecutor) -> None:
        made: Made = await patiently_async(job, sample)
        room.release()
        if job.decoders:
            loop = asyncio.get_running_loop()
            made = await loop.run_in_executor(pool, job.decode, made)
        marks.append(marked(made))
        moments.append(time.perf_counter())
        if len(marks) == job.samples // 2:
            job.midway()

    async def everything() -> None:
        room = asyncio.Semaphore(job.concurrency)
        with ThreadPoolExecutor(max(1, job.decoders)) as pool:
            async with asyncio.TaskGroup() as tasks:
                for sample in range(job.samples):
                    await room.acquire()
                    tasks.create_task(one(sample, room, pool))

    asyncio.run(everything())
    return job.outcome(Reading(marks, moments), "completion")


async def patiently_async(job: Job, sample: int) -> Answer:
    for attempt in range(1, RETRY.attempts):
        try:
            return await job.store.get(sample)
        except ConnectionError:
            await asyncio.sleep(RETRY.pause(attempt))
    return await job.store.get(sample)


CONTENDERS = (
    Contender("loop", "ftloader, event loop, input order", ours(False, "input")),
    Contender(
        "loop_completion", "ftloader, event loop, completion order", ours(False, "completion")
    ),
    Contender(
        "loop_ahead",
        "ftloader, event loop, input order, 16 answers ready per request",
        ours(False, "input", 16),
    ),
    Contender("threads", "ftloader, threads, input order", ours(True, "input")),
    Contender(
        "threads_completion", "ftloader, threads, completion order", ours(True, "completion")
    ),
    Contender("asyncio", "asyncio, a task per sample, completion order", plain_asyncio),
    Contender("pool", "ThreadPoolExecutor, a window of 2 per thread", pool),
)
