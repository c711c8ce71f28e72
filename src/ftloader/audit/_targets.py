"""From what a caller has at hand to a target that can travel: a path, or a pickled object."""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..errors import AuditError
from ._jobs import dumps
from .subject import Target

#: Samples taken from those given; a data set has more than an audit needs.
MOST_SAMPLES: Final = 64


def describe(
    transform: Any,
    samples: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    style: str | None,
) -> Target:
    """Return the target that another process can audit.

    Args:
        transform: ``"package.module:name"``, a class, an instance or a function.
        samples: None, ``"package.module:name"``, a function that makes some, or some.
        args: what a class or a factory is called with.
        kwargs: the same, by name; with either of them, a function is a factory.
        style: name of the convention, or None.

    Raises:
        AuditError: it can neither be imported nor pickled, or there are no samples.
    """
    path = transform if isinstance(transform, str) else path_of(transform)
    name = path or type(transform).__qualname__
    return Target(
        name=name,
        path=path,
        blob=b"" if path else dumps(transform, name),
        args=tuple(args),
        kwargs=dict(kwargs or {}),
        makes=bool(args) or kwargs is not None,
        samples=_samples(samples),
        style=style,
    )


def path_of(value: Any) -> str:
    """Return where a class or a function can be imported from, empty if nowhere."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not (isinstance(module, str) and isinstance(name, str)) or module == "__main__":
        return ""
    loaded = sys.modules.get(module)
    # A module without a spec was made by hand: another process cannot import it.
    if getattr(loaded, "__spec__", None) is None:
        return ""
    try:
        found = functools.reduce(getattr, name.split("."), loaded)
    except AttributeError:
        return ""
    return f"{module}:{name}" if found is value else ""


def _samples(given: Any) -> str | bytes | None:
    if given is None or isinstance(given, str):
        return given
    if callable(given):
        path = path_of(given)
        if path:
            return path
        given = given()
    if not isinstance(given, Iterable) and not hasattr(given, "__getitem__"):
        raise AuditError(f"samples must be a sequence or a function, not {type(given).__name__}")
    some = list(itertools.islice(given, MOST_SAMPLES))
    if not some:
        raise AuditError("there are no samples; give at least two that differ")
    return dumps(some, "a sample")
