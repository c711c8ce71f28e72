"""Functions that the scan knows by name: what they write to, draw from, set, copy or return.

A function is recognised by its identity where its module is loaded, by its dotted name otherwise.
"""

from __future__ import annotations

import io
import random
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import numpy as np

from .values import UNKNOWN, Origin, Value, names, union

#: Methods that change the object they are called on, whatever container it is.
MUTATORS: Final = names(
    "append appendleft extend extendleft insert pop popleft popitem remove clear update add discard"
    " setdefault sort reverse rotate difference_update intersection_update"
    " symmetric_difference_update move_to_end subtract __setitem__ __delitem__ __setattr__"
)
#: The same of arrays: elsewhere these names may mean something else.
ARRAY_MUTATORS: Final = names("fill put partition resize setflags byteswap itemset")
#: Methods whose result shares memory with the object they are called on.
VIEWS: Final = names(
    "reshape view transpose ravel squeeze unsqueeze swapaxes detach numpy permute flatten"
    " expand narrow contiguous diagonal as_subclass"
)
#: Methods whose result is an item of what they are called on.
ITEMS: Final = names("get pop setdefault popleft popitem __getitem__")
#: Functions whose result may be their first argument, or a view of it.
SAME: Final = names(
    "numpy.asarray numpy.asanyarray numpy.ascontiguousarray numpy.atleast_1d numpy.atleast_2d"
    " numpy.atleast_3d numpy.ravel numpy.reshape numpy.transpose numpy.squeeze numpy.swapaxes"
    " numpy.moveaxis numpy.expand_dims numpy.flip numpy.fliplr numpy.flipud numpy.rot90"
    " numpy.broadcast_to torch.from_numpy torch.as_tensor typing.cast memoryview"
)
#: Functions that write to their first argument.
FILLS: Final = names(
    "numpy.copyto numpy.put numpy.place numpy.putmask numpy.fill_diagonal numpy.put_along_axis"
    " numpy.random.shuffle random.shuffle setattr delattr operator.setitem operator.delitem"
    " operator.iadd operator.imul heapq.heappush heapq.heappop heapq.heapify heapq.heapreplace"
    " bisect.insort cv2.rectangle cv2.line cv2.circle cv2.ellipse cv2.polylines cv2.fillPoly"
    " cv2.fillConvexPoly cv2.drawContours cv2.putText cv2.arrowedLine"
)
#: Functions that write to an argument when it is given, by its position; ufuncs say it themselves.
OUT_AT: Final = {
    "numpy.clip": 3,
    "numpy.take": 3,
    "numpy.compress": 3,
    "numpy.round": 2,
    "numpy.around": 2,
    "numpy.dot": 2,
}
#: Functions that leave their first argument alone unless they are given ``copy=False``.
MAY_COPY: Final = names("numpy.array numpy.nan_to_num")
#: Methods that move the position of an open file.
FILE_MOVES: Final = names("read readline readlines readinto read1 seek write writelines truncate")
#: Methods that change a picture of Pillow's.
PAINTS: Final = names("paste putpixel putdata putalpha putpalette alpha_composite thumbnail")
#: Functions whose result is new, and has the items of their arguments.
GATHERS: Final = names(
    "list tuple set frozenset sorted reversed enumerate zip iter filter itertools.chain"
    " collections.deque numpy.split numpy.array_split numpy.hsplit numpy.vsplit numpy.dsplit"
)
#: Functions whose result is a shallow copy of their first argument.
SHALLOW: Final = names("dict copy.copy collections.OrderedDict collections.defaultdict")
SETTINGS: Final = names(
    "os.putenv os.unsetenv os.chdir os.fchdir os.umask locale.setlocale time.tzset"
    " contextlib.chdir contextlib.redirect_stdout contextlib.redirect_stderr warnings.simplefilter"
    " warnings.filterwarnings warnings.resetwarnings warnings.catch_warnings"
    " sys.setswitchinterval sys.setrecursionlimit sys.settrace sys.setprofile gc.disable gc.enable"
    " gc.set_threshold gc.freeze signal.signal socket.setdefaulttimeout"
    " numpy.seterr numpy.seterrcall numpy.setbufsize numpy.set_printoptions"
    " cv2.setNumThreads cv2.setUseOptimized cv2.setRNGSeed cv2.ocl.setUseOpenCL"
    " torch.set_num_threads torch.set_num_interop_threads torch.set_default_dtype"
    " torch.set_default_device torch.set_default_tensor_type torch.use_deterministic_algorithms"
    " torch.set_printoptions torch.set_float32_matmul_precision torch.set_deterministic_debug_mode"
    ""
)
_TORCH_DRAWS: Final = names(
    "rand randn randint randperm rand_like randn_like randint_like normal bernoulli multinomial"
    " poisson"
)
#: Methods of tensors that draw, unless they are given a generator.
TENSOR_DRAWS: Final = names(
    "uniform_ normal_ random_ bernoulli_ exponential_ cauchy_ log_normal_ geometric_"
)
_TORCH_SEEDS: Final = frozenset(
    {"torch.manual_seed", "torch.seed", "torch.set_rng_state", "torch.random.manual_seed"}
)
_SEEDS: Final = names("seed setstate set_state manual_seed set_rng_state")
_READS: Final = names("getstate get_state initial_seed get_rng_state __init__")
_SELF_SEEDED: Final = names(
    "numpy.random.default_rng numpy.random.RandomState numpy.random.PCG64 numpy.random.SeedSequence"
    " random.Random"
)
Draw = Literal["draw", "seed", "entropy"]


def matches(origin: Origin, of: frozenset[str]) -> str:
    """Return the name under which a function is in a set, empty if it is not."""
    live = origin.live
    if live is UNKNOWN:
        return origin.path if origin.path in of else ""
    for name in of & _candidates(live, origin.path):
        if _named(name) is live:
            return name
    return ""


def _candidates(live: Any, path: str) -> frozenset[str]:
    own = getattr(live, "__name__", "")
    module = getattr(live, "__module__", None) or ""
    packages = {module, module.partition(".")[0], "numpy.random", "random", path.rpartition(".")[0]}
    return frozenset({own, path, *(f"{package}.{own}" for package in packages)})


def _named(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    holder = sys.modules.get(module or "builtins")
    return getattr(holder, attribute, UNKNOWN)


def global_draw(origin: Origin, arguments: int) -> Draw | None:
    """Tell whether a function draws from, or seeds, a generator of the whole process.

    Args:
        origin: the function.
        arguments: how many it is called with.
    """
    live, name = origin.live, getattr(origin.live, "__name__", origin.path.rpartition(".")[2])
    if arguments == 0 and matches(origin, _SELF_SEEDED):
        return "entropy"
    if matches(origin, _TORCH_SEEDS):
        return "seed"
    if matches(origin, frozenset(f"torch.{each}" for each in _TORCH_DRAWS)):
        return "draw"
    owner = getattr(live, "__self__", None)
    if owner is getattr(random.random, "__self__", UNKNOWN) or _legacy(live, name):
        return None if name in _READS else "seed" if name in _SEEDS else "draw"
    return None


def _legacy(live: Any, name: str) -> bool:
    if live is UNKNOWN or isinstance(live, type):
        return False
    return hasattr(np.random.RandomState, name) and getattr(np.random, name, UNKNOWN) is live


def written_at(origin: Origin, given: Sequence[Value]) -> Value:
    """Return the arguments that a function writes to because of where they stand."""
    if isinstance(origin.live, np.ufunc):
        return union(given[origin.live.nin :])
    place = OUT_AT.get(matches(origin, frozenset(OUT_AT)), len(given))
    return union(given[place : place + 1])


def changes(live: Any, name: str) -> bool:
    """Tell whether a method changes an array, an open file or a picture."""
    image: Any = sys.modules.get("PIL.Image")
    return (
        (name in ARRAY_MUTATORS and isinstance(live, np.ndarray))
        or (name in FILE_MOVES and isinstance(live, io.IOBase))
        or (name in PAINTS and hasattr(image, "Image") and isinstance(live, image.Image))
    )


def generator_of(origin: Origin) -> bool:
    """Tell whether an object is a random generator that is kept somewhere."""
    kinds: list[Callable[..., Any]] = [np.random.Generator, np.random.RandomState, random.Random]
    torch = sys.modules.get("torch")
    if torch is not None:
        kinds.append(torch.Generator)
    return (
        origin.kind not in ("input", "code")
        and isinstance(origin.live, tuple(kinds))  # type: ignore[arg-type]
        and not isinstance(origin.live, random.SystemRandom)
    )


def method_draws(name: str) -> Draw | None:
    """Tell what a method of a generator does."""
    if name in _READS or name.startswith("__"):
        return None
    return "seed" if name in _SEEDS else "draw"
