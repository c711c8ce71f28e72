"""Synthetic data on disk: written in a temporary folder, renamed when complete, cached by spec.

A folder that has its final name is complete: an interrupted writer leaves only a temporary folder
beside it, and of two writers at once the first to finish wins and the other discards its copy.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

from ftloader.detection.synthetic.objects import ImagePlan, annotation_entry, plan_image
from ftloader.detection.synthetic.pixels import make_field, render
from ftloader.detection.synthetic.progress import Progress
from ftloader.detection.synthetic.spec import CATEGORIES, GENERATOR_VERSION, SPLIT, SyntheticSpec
from ftloader.errors import DataError
from ftloader.runtime import usable_cores

_ANNOTATIONS = Path("annotations") / f"instances_{SPLIT}.json"
_TEMPORARY = ".unfinished-"
_STALE_SECONDS = 24 * 3600


def synthetic_coco(
    spec: SyntheticSpec,
    cache_dir: str | Path | None = None,
    *,
    progress: bool = True,
    workers: int | None = None,
) -> Path:
    """Return a COCO folder made to a spec, writing it the first time.

    Args:
        spec: what to make.
        cache_dir: where such folders are kept; by default ``ftloader/synthetic`` in the user's
            cache folder (``$XDG_CACHE_HOME``, or ``~/.cache``).
        progress: whether to show progress and time left on standard error.
        workers: threads that write; by default one per usable core. Does not change a byte.

    Returns:
        The folder, named after the spec's digest.

    Raises:
        DataError: the folder cannot be written.

    Thread safety: threads and processes may ask for the same spec at once; each gets a complete
    folder.
    """
    _check_workers(workers)
    folder = (_default_cache() if cache_dir is None else Path(cache_dir)) / spec.digest()
    if not (folder / _ANNOTATIONS).is_file():
        _remove_stale(folder.parent)
        _write_and_rename(spec, folder, progress, workers)
    return folder


def write_synthetic_coco(
    spec: SyntheticSpec,
    folder: str | Path,
    *,
    progress: bool = True,
    workers: int | None = None,
) -> Path:
    """Write a COCO folder made to a spec under a name of one's own.

    Args:
        spec: what to make.
        folder: a new or empty folder, or one that this spec was written to before, which is left
            as it is.
        progress: as for :func:`synthetic_coco`.
        workers: as for :func:`synthetic_coco`.

    Returns:
        The folder.

    Raises:
        DataError: the folder holds something else, or cannot be written.
    """
    _check_workers(workers)
    folder = Path(folder).absolute()
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file, not a folder")
    if folder.is_dir() and any(folder.iterdir()):
        if _digest_of(folder) != spec.digest():
            raise DataError(f"{folder} is not empty and holds other data; choose a new folder")
        return folder
    _write_and_rename(spec, folder, progress, workers)
    return folder


def _check_workers(workers: int | None) -> None:
    # Before it is known whether anything needs to be written: the answer must not depend on that.
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")


def _write_and_rename(
    spec: SyntheticSpec, folder: Path, progress: bool, workers: int | None
) -> None:
    temporary = folder.parent / f"{_TEMPORARY}{folder.name}-{uuid.uuid4().hex[:12]}"
    try:
        temporary.mkdir(parents=True)
        _write(spec, temporary, progress, workers or usable_cores())
        try:
            temporary.rename(folder)
        except OSError:
            # Another writer of the same spec was first; anything else is a real failure.
            if _digest_of(folder) != spec.digest():
                raise
    except OSError as error:
        raise DataError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(spec: SyntheticSpec, folder: Path, progress: bool, workers: int) -> None:
    images = folder / SPLIT
    images.mkdir()
    (folder / "annotations").mkdir()
    plans: dict[int, ImagePlan] = {}
    bar = Progress("synthetic COCO", spec.images, sys.stderr if progress else None, time.monotonic)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ftloader-synthetic")
    try:
        # One task per noise field: a field lives only while its crops are written.
        tasks: list[Future[list[ImagePlan]]] = [
            pool.submit(_write_crops, spec, number, images, bar.advance)
            for number in range(spec.noise_fields)
        ]
        for task in as_completed(tasks):
            plans.update((plan.index, plan) for plan in task.result())
    finally:
        pool.shutdown(cancel_futures=True)
        bar.close()
    document = _document(spec, [plans[index] for index in range(spec.images)])
    (folder / _ANNOTATIONS).write_text(json.dumps(document), encoding="utf-8")


def _write_crops(
    spec: SyntheticSpec, number: int, folder: Path, advance: Callable[[], None]
) -> list[ImagePlan]:
    field = make_field(spec, number)
    plans = []
    for index in range(number, spec.images, spec.noise_fields):
        plan = plan_image(spec, index)
        (folder / _file_name(index)).write_bytes(render(spec, plan, field))
        plans.append(plan)
        advance()
    return plans


def _document(spec: SyntheticSpec, plans: list[ImagePlan]) -> dict[str, object]:
    images = [
        {
            "id": plan.index + 1,
            "file_name": _file_name(plan.index),
            "width": plan.width,
            "height": plan.height,
        }
        for plan in plans
    ]
    annotations: list[dict[str, object]] = []
    for plan in plans:
        for thing in plan.objects:
            number = len(annotations) + 1
            annotations.append(
                annotation_entry(thing, plan.width, plan.height, number, plan.index + 1)
            )
    return {
        "info": {
            "description": "synthetic data with the statistics of COCO 2017",
            "version": str(GENERATOR_VERSION),
            "digest": spec.digest(),
        },
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in CATEGORIES.items()],
    }


def _file_name(index: int) -> str:
    return f"{index + 1:012d}.jpg"


def _digest_of(folder: Path) -> str | None:
    """Return the digest of the spec a folder was written to, or ``None``."""
    try:
        document = json.loads((folder / _ANNOTATIONS).read_bytes())
        return str(document["info"]["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "ftloader" / "synthetic"


def _remove_stale(cache: Path) -> None:
    """Remove what a killed writer left behind a day ago or earlier."""
    for folder in cache.glob(f"{_TEMPORARY}*"):
        try:
            if time.time() - folder.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # its writer has just finished
            continue
