"""Global generators replaced by one per thread and call, so that what remains is a race.

Draws from the generators of ``random``, NumPy and torch depend on the order of calls in threads,
and would hide whether results differ for any other reason. While :class:`Streams` is entered, the
functions of those modules draw from streams that depend on the call alone. What other modules have
taken from them before by name (``from random import random``) draws as ever.
"""

from __future__ import annotations

import functools
import random
import sys
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

_MISSING: Final = object()
_TORCH: Final = (
    *("rand", "randn", "randint", "randperm", "normal"),
    *("bernoulli", "multinomial", "poisson", "binomial"),
)
_TENSOR: Final = (
    *("uniform_", "normal_", "random_", "bernoulli_"),
    *("exponential_", "geometric_", "log_normal_", "cauchy_"),
)
#: Functions that take no generator, and the method that fills their result from one.
_TORCH_LIKE: Final = {"rand_like": "uniform_", "randn_like": "normal_", "randint_like": "random_"}
_LEGACY_ALIASES: Final = {"seed": "seed", "ranf": "random_sample", "sample": "random_sample"}

#: Methods that do not draw.
_STATE: Final = frozenset(("seed", "manual_seed", "getstate", "setstate", "get_state", "set_state"))
_MAKE: Final[Mapping[str, Callable[[int], Any]]] = {
    "random": random.Random,
    "numpy.random": np.random.RandomState,
    "torch": lambda seed: sys.modules["torch"].Generator().manual_seed(seed),
}


class Streams:
    """Replaces the draws from global generators, process-wide, while entered.

    Attributes:
        replaced: number of functions and methods that have been replaced.
        used: modules (``random``, ``numpy.random``, ``torch``) that have been drawn from.

    Thread safety: enter and leave it in one thread while no other draws; :meth:`begin` belongs to
    the thread that calls it.
    Determinism: draws depend on the seed given to :meth:`begin` and what was drawn since.
    """

    def __init__(self) -> None:
        self._own = threading.local()
        self._undo: list[tuple[Any, str, Any]] = []
        self._has_torch = False
        self.replaced = 0
        self.used: set[str] = set()

    def begin(self, seed: int) -> None:
        """Give this thread new streams; made when they are first drawn from.

        Args:
            seed: 0 to 2**32 - 1.
        """
        self._own.__dict__.clear()
        self._own.seed = seed

    def __enter__(self) -> Self:
        try:
            self._replace_python()
            self._replace_numpy()
            self.add_late()
        except BaseException:
            self._restore()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def add_late(self) -> bool:
        """Replace what belongs to torch if it has been imported; tell whether that was news."""
        torch = sys.modules.get("torch")
        if torch is None or self._has_torch:
            return False
        self._has_torch = True
        self._replace_torch(torch)
        return True

    def _restore(self) -> None:
        while self._undo:
            owner, name, original = self._undo.pop()
            if original is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, original)

    def _set(self, owner: Any, name: str, value: Any) -> None:
        self._undo.append((owner, name, vars(owner).get(name, _MISSING)))
        setattr(owner, name, value)
        self.replaced += 1

    def _stream(self, module: str, draws: bool = True) -> Any:
        """Return this thread's stream for a module."""
        own = self._own.__dict__
        if module not in own:
            own[module] = _MAKE[module](own.get("seed", 0))
        if draws and module not in self.used:
            self.used.add(module)
        return own[module]

    def _method(self, module: str, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that calls a method of this thread's stream for a module."""

        def drawn(*args: Any, **kwargs: Any) -> Any:
            return getattr(self._stream(module, name not in _STATE), name)(*args, **kwargs)

        drawn.__name__ = drawn.__qualname__ = getattr(original, "__name__", name)
        drawn.__doc__ = getattr(original, "__doc__", None)
        return drawn

    # Python

    def _replace_python(self) -> None:
        shared: Any = random.random.__self__  # type: ignore[attr-defined]
        for name, value in list(vars(random).items()):
            if getattr(value, "__self__", None) is shared:
                self._set(random, name, self._method("random", name, value))
        # Methods taken before by name, such as uniform, are bound to the shared generator, and
        # come down to these two.
        for name in ("random", "getrandbits"):
            self._set(shared, name, self._method("random", name, getattr(shared, name)))

    # NumPy

    def _replace_numpy(self) -> None:
        shared = np.random.mtrand._rand
        for module in (np.random, np.random.mtrand):
            for name, value in list(vars(module).items()):
                bound = getattr(value, "__self__", None) is shared
                target = name if bound else _LEGACY_ALIASES.get(name)
                if target is not None:
                    self._set(module, name, self._method("numpy.random", target, value))
        default_rng = np.random.default_rng

        @functools.wraps(default_rng)
        def seeded(seed: Any = None) -> np.random.Generator:
            # Without a seed it takes one from the system, which nobody could have twice.
            if seed is None:
                seed = self._stream("numpy.random").randint(1 << 32, size=4, dtype=np.uint32)
            return default_rng(seed)

        self._set(np.random, "default_rng", seeded)

    # torch

    def _replace_torch(self, torch: Any) -> None:
        for owner, names in ((torch, _TORCH), (torch.Tensor, _TENSOR)):
            for name in names:
                self._set(owner, name, self._drawing(torch, getattr(owner, name)))
        for name, fill in _TORCH_LIKE.items():
            self._set(torch, name, self._filling(torch, getattr(torch, name), fill))
        for module in (torch, torch.random):
            for name, method in (
                ("manual_seed", "manual_seed"),
                ("seed", "seed"),
                ("get_rng_state", "get_state"),
                ("set_rng_state", "set_state"),
            ):
                self._set(module, name, self._method("torch", method, getattr(module, name)))

    def _drawing(self, torch: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def drawn(*args: Any, **kwargs: Any) -> Any:
            if kwargs.get("generator") is None and _on_cpu(torch, args, kwargs):
                kwargs["generator"] = self._stream("torch")
            return original(*args, **kwargs)

        return drawn

    def _filling(self, torch: Any, original: Callable[..., Any], fill: str) -> Callable[..., Any]:
        @functools.wraps(original)
        def filled(like: Any, *args: Any, **kwargs: Any) -> Any:
            if not _on_cpu(torch, (like,), kwargs):
                return original(like, *args, **kwargs)
            # Only randint_like has bounds; one bound is the upper one.
            low, high = kwargs.pop("low", None), kwargs.pop("high", None)
            bounds = [bound for bound in (low, high) if bound is not None] or list(args)
            if fill == "random_" and len(bounds) == 1:
                bounds.insert(0, 0)
            made = getattr(torch.empty_like(like, **kwargs), fill)
            return made(*bounds, generator=self._stream("torch"))

        return filled


def _on_cpu(torch: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    device = kwargs.get("device")
    if device is not None:
        return bool(torch.device(device).type == "cpu")
    given = (*args, *kwargs.values())
    return not any(isinstance(one, torch.Tensor) and one.device.type != "cpu" for one in given)
