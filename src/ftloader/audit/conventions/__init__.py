"""How transforms are called: one convention per family, and :func:`choose`, which finds it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from PIL import Image

from ...detection.transforms import Transform
from ...errors import AuditError, summary
from ...rng import sample_rng
from .albumentations import Albumentations
from .base import Convention, View
from .mmcv import Results
from .plain import Array, OneSample, Pil, SampleRng
from .recipes import Ftloader, MadeDataset, with_dataset
from .torchvision import Torchvision

__all__ = ["CONVENTIONS", "Convention", "MadeDataset", "View", "choose", "with_dataset"]

#: By the names that users give.
CONVENTIONS: Final[Mapping[str, type[Convention]]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Ftloader,
            SampleRng,
            Results,
            Torchvision,
            Albumentations,
            Pil,
            Array,
            OneSample,
        )
    }
)

_TRIALS: Final = 3  # samples; a transform may drop the first
_STREAMS: Final = ("rng", "generator", "random_state")
_DICT_PACKAGES: Final = ("mmcv", "mmdet", "mmengine", "visdet")


def choose(
    fresh: Callable[[], Any], given: Sequence[Any] | None, style: str | None
) -> tuple[Convention, Sequence[Any]]:
    """Find out how a transform is called, and on what.

    The transform's type decides, then its signature; only where neither tells, and there are no
    samples, it is called to see what works.

    Args:
        fresh: makes the transform.
        given: the user's samples, None to make some.
        style: name of the convention, None to find it.

    Returns:
        The convention and the samples, the given ones if there are any.

    Raises:
        AuditError: no such style, it cannot be called, or nothing that was tried works.
    """
    transform = fresh()
    if not callable(transform):
        kind = type(transform).__name__
        raise AuditError(f"a {kind} cannot be called; name a transform, or what makes one")
    if style is not None:
        convention: Convention | None = _named(style, transform)
    else:
        convention = _by_family(transform) or _by_signature(transform, given)
    if convention is None:
        return _by_trial(fresh, _candidates(transform))
    return convention, convention.samples() if given is None else given


def _named(style: str, transform: Any) -> Convention:
    if style not in CONVENTIONS:
        raise AuditError(f"there is no style {style!r}; it is one of {', '.join(CONVENTIONS)}")
    if style == Albumentations.name:
        return Albumentations(transform)
    if style == Results.name:
        return Results(_module(transform, _DICT_PACKAGES))
    if style == Torchvision.name:
        return Torchvision(with_target=not _is_v1(transform))
    return CONVENTIONS[style]()


def _by_family(transform: Any) -> Convention | None:
    if isinstance(transform, Transform):
        return Ftloader()
    if _module(transform, ("albumentations",)):
        return Albumentations(transform)
    if _module(transform, ("torchvision",)) and not _is_v1(transform):
        return Torchvision()
    module = _module(transform, _DICT_PACKAGES)
    return Results(module) if module else None


def _by_signature(transform: Any, given: Sequence[Any] | None) -> Convention | None:
    parameters = _positional(transform)
    required = [each for each in parameters if each.default is inspect.Parameter.empty]
    takes_stream = len(required) >= 2 and required[1].name in _STREAMS
    if takes_stream or (given is not None and len(required) == 2):
        # Without samples it is still open what a sample is.
        return SampleRng() if given is not None else None
    if required and required[0].name == "results":
        return Results()
    if given is None:
        return None
    if isinstance(given[0], np.ndarray):
        return Array()
    return Pil() if isinstance(given[0], Image.Image) else OneSample()


def _candidates(transform: Any) -> Iterator[tuple[str, Convention]]:
    required = [each for each in _positional(transform) if each.default is each.empty]
    if len(required) == 2:
        for kind in SampleRng.KINDS:
            what = "ftloader's Sample" if kind == "Sample" else f"a dict with {kind!r}"
            yield f"{what} and a generator", SampleRng(kind)
        return
    if _is_v1(transform):
        yield "a tensor", Torchvision(with_target=False)
        yield "a Pillow image", Pil()
        return
    yield "an array", Array()
    yield "a Pillow image", Pil()
    yield "ftloader's Sample", OneSample()


def _by_trial(
    fresh: Callable[[], Any], candidates: Iterator[tuple[str, Convention]]
) -> tuple[Convention, Sequence[Any]]:
    tried = []
    silent = None
    for what, convention in candidates:
        samples = convention.samples()
        returned, errors = _tried(convention, fresh(), samples[:_TRIALS])
        if any(value is not None for value in returned):
            return convention, samples
        if returned:
            silent = silent or (convention, samples)
        else:
            tried.append(f"{what} ({errors[0]})")
    if silent is not None:
        return silent
    raise AuditError(
        f"it cannot be called on {', nor on '.join(tried)}; give samples or a style "
        f"({', '.join(CONVENTIONS)})"
    )


def _tried(
    convention: Convention, transform: Any, samples: Sequence[Any]
) -> tuple[list[Any], list[str]]:
    """Return what calls on samples returned, and what they raised."""
    returned, errors = [], []
    for i, sample in enumerate(samples):
        try:
            returned.append(
                convention.call(transform, convention.copy(sample), sample_rng(0, 0, i))
            )
        except Exception as error:
            errors.append(summary(error))
    return returned, errors


def _positional(transform: Any) -> list[inspect.Parameter]:
    try:
        parameters = inspect.signature(transform).parameters.values()
    except (TypeError, ValueError):  # some built-in functions have none
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [each for each in parameters if each.kind in kinds]


def _module(transform: Any, packages: tuple[str, ...]) -> str:
    """Return the module of its nearest class (or of the function) in these packages, or empty."""
    kinds = [transform, *type(transform).__mro__] if inspect.isroutine(transform) else None
    for kind in kinds or type(transform).__mro__:
        module = str(getattr(kind, "__module__", "") or "")
        if module.partition(".")[0] in packages:
            return module
    return ""


def _is_v1(transform: Any) -> bool:
    module = _module(transform, ("torchvision",))
    return bool(module) and not module.startswith("torchvision.transforms.v2")
