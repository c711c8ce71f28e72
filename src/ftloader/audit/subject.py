"""What is audited: how to make it anew, how to call it, and on what.

A subject travels to the process that calls it as a :class:`Target`: the path of something that can
be imported, or a pickled object. Each :meth:`Subject.fresh` is as the target was before any call.
"""

from __future__ import annotations

import copy
import functools
import importlib
import inspect
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import AuditError, summary
from ..rng import sample_rng
from ..safety import ThreadSafety, declared
from .conventions import Convention, choose, with_dataset
from .rngs import seed_all

#: Seed of every random stream of an audit.
SEED: Final = 20_240_117


@dataclass(frozen=True, slots=True)
class Target:
    """What to audit.

    Attributes:
        name: what messages call it.
        path: ``package.module:name``, or empty if ``blob`` is given.
        blob: a pickled object, if there is no path.
        args: for a class or a factory: what it is called with.
        kwargs: the same, by name.
        makes: whether the object is to be called with these to make a transform; a class always
            is.
        samples: a path to samples or to a function that makes them, or pickled samples; None has
            the audit make some.
        style: name of the convention; None has the audit find it.
    """

    name: str
    path: str = ""
    blob: bytes = b""
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    makes: bool = False
    samples: str | bytes | None = None
    style: str | None = None


class Subject:
    """A transform under audit, in the process that calls it.

    Args:
        target: what and how.

    Raises:
        AuditError: it cannot be imported, made or called.

    Attributes:
        name: what messages call it.
        convention: how it is called.
        samples: the inputs; never handed to a transform themselves.
        declared: what its class says of itself.
        mutable_state: names of the attributes that its class declares as written to.

    Thread safety: :meth:`call` may be used from any thread; the rest from one.
    """

    def __init__(self, target: Target) -> None:
        self.name = target.name
        self._target = target
        self._made = _resolve(target.path) if target.path else None
        self._makes = target.makes or inspect.isclass(self._made)
        # A module's own object is copied before anybody has called it.
        self._pristine = None if self._makes or not target.path else _pristine(self._made)
        first = self.fresh()
        self.declared: ThreadSafety | None = declared(first)
        self.mutable_state = frozenset(getattr(first, "mutable_state", ()))
        given = _samples(target.samples)
        self.convention: Convention
        self.convention, self.samples = choose(self.fresh, given, target.style)

    def fresh(self) -> Any:
        """Return the transform as it was before any call; a module's function is what it is."""
        target = self._target
        # Each is the same, also if its constructor draws, as that of a torch module does.
        seed_all(SEED)
        try:
            if target.blob:
                made = pickle.loads(target.blob)
                if target.makes or inspect.isclass(made):
                    made = made(*target.args, **with_dataset(made, target.args, target.kwargs))
                return made
            if self._makes:
                make: Any = self._made
                return make(*target.args, **with_dataset(make, target.args, target.kwargs))
            return copy.deepcopy(self._pristine)
        except Exception as error:
            raise AuditError(f"{target.name} cannot be made: {summary(error)}") from error

    def private(self, i: int) -> Any:
        """Return a copy of sample ``i`` that belongs to the caller."""
        return self.convention.copy(self.samples[i])

    def call(self, transform: Any, i: int, sample: Any = None, *, seeded: bool = True) -> Any:
        """Call a transform on sample ``i``.

        Args:
            transform: one that :meth:`fresh` returned.
            i: position in ``samples``; its random stream depends on it alone.
            sample: to be used instead of a private copy.
            seeded: whether the process's global generators are seeded by ``i`` first. Not while
                other threads run.

        Raises:
            Exception: whatever the transform raises.
        """
        if sample is None:
            sample = self.private(i)
        if seeded:
            seed_all(SEED + i)
        return self.convention.call(transform, sample, sample_rng(SEED, 0, i))


def _resolve(path: str) -> Any:
    module, colon, name = path.partition(":")
    if not (module and colon and name):
        raise AuditError(f"{path!r} names no transform; write package.module:name")
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise AuditError(f"{module} cannot be imported: {summary(error)}") from error
    try:
        return functools.reduce(getattr, name.split("."), found)
    except AttributeError:
        raise AuditError(f"{module} has no {name}") from None


def _pristine(made: Any) -> Any:
    try:
        return copy.deepcopy(made)
    except Exception as error:
        raise AuditError(
            f"{type(made).__name__} cannot be copied ({summary(error)}); "
            "name its class and give its arguments instead"
        ) from error


def _samples(given: str | bytes | None) -> Sequence[Any] | None:
    if given is None:
        return None
    if isinstance(given, bytes):
        samples = pickle.loads(given)
    else:
        samples = _resolve(given)
        samples = samples() if callable(samples) else samples
    samples = list(samples)
    if not samples:
        raise AuditError("there are no samples; give at least two that differ")
    return samples
