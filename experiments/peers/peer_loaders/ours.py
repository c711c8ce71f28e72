"""ftloader's own contenders."""

from __future__ import annotations

from ftloader import Loader, Pipeline
from ftloader.pipeline import EngineName

from .trial import Opened, closing, contender
from .work import RECIPE, Images, Work


def pipeline(job: Work, engine: EngineName) -> Opened:
    """Make samples one by one, group them, and collate each group on a thread of its own."""
    run = (
        Pipeline(range(len(job.data)))
        .pipe(job.data.__getitem__, name="load", concurrency=job.workers)
        .aggregate(job.size)
        .pipe(job.collate, name="collate")
        .prefetch(job.ahead)
        .run(engine)
    )
    return Opened(run, run.stop)


def dataloader(job: Work) -> Opened:
    """Use torch's arguments, on threads."""
    from ftloader import DataLoader

    batches = iter(DataLoader(job.data, job.size, num_workers=job.workers, collate_fn=job.collate))
    return Opened(batches, closing(batches))


def loader(job: Work) -> Opened:
    """Plan the epoch first, and write samples into their places in batches that are used again."""
    if not isinstance(job.data, Images):
        raise TypeError("Loader serves images under a recipe, and nothing else")
    made = Loader(
        job.data,
        RECIPE,
        batch=job.size,
        shuffle=False,
        seed=job.data.seed,
        rank=0,
        world_size=1,
        concurrency=job.workers,
        prefetch=job.ahead,
    )
    return Opened(iter(made), made.close)


CONTENDERS = (
    contender("pipeline", "ftloader Pipeline", lambda job: pipeline(job, "threads")),
    contender(
        "pipeline_spdl",
        "ftloader Pipeline on SPDL's engine",
        lambda job: pipeline(job, "spdl"),
        needs=("spdl.pipeline",),
    ),
    contender("dataloader", "ftloader DataLoader (threads)", dataloader, ("torch",), ours=True),
    contender("loader", "ftloader Loader", loader),
)
