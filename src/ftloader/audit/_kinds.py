"""What values consist of: the own content of a value, and the parts that are values themselves.

:mod:`~ftloader.audit.digest` puts these together. A content is a short text that differs when the
value differs; a part has a name to be appended to the path of the whole. Reading a value does not
change it. What has a place where it stands (generators, files, locks) is in ``_standing.py``.
"""

from __future__ import annotations

import array
import enum
import functools
import gc
import hashlib
import logging
import mmap
import pathlib
import sys
import types
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from . import _standing
from ._standing import full_name, kind

#: What the path of a value in an ``lru_cache`` goes on with, before a number.
CACHED: Final = "'s cached value "
#: Buffers up to this size are hashed whole; of longer ones, 4 KiB blocks spread over them.
WHOLE: Final = 1 << 28
_BLOCK: Final = 1 << 12
_BLOCKS: Final = 1 << 12
#: Longer sequences of plain values are one content, not one for each element.
_LISTED: Final = 64

_PLAIN: Final = (type(None), bool, int, float, complex, str, type(...), range, slice)
_NUMBERS: Final = (str, bool, int, float, complex)
_BY_NAME: Final = (
    type,
    types.ModuleType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.CodeType,
    types.GenericAlias,
)
#: Flag of classes made by a class statement rather than in C.
_HEAP_TYPE: Final = 1 << 9


class Read(NamedTuple):
    """What a value consists of.

    Attributes:
        text: its own content.
        parts: what to append to its path, and the part.
        whole: whether that is all, whatever attributes it may have.
    """

    text: str
    parts: list[tuple[str, Any]]
    whole: bool = False


class Unordered:
    """Values whose order does not count: the members of a set."""

    def __init__(self, members: Any) -> None:
        self.members = list(members)


def is_plain(value: Any) -> bool:
    """Whether a value is immutable, has no parts, and its ``repr`` says all."""
    return type(value) in _PLAIN


def read(value: Any, *, identity: bool) -> Read:
    """Return what a value consists of, attributes included.

    Args:
        value: anything.
        identity: whether it counts which object a weak reference points to, not only of what
            type; for comparing an object with itself later.
    """
    if type(value) in (dict, list, tuple) and (common := _container(value)):
        return common
    if isinstance(value, functools._lru_cache_wrapper):
        return _cache(value, identity)
    found = (
        _named(value)
        or _unloaded(value, identity)
        or _data(value)
        or _container(value)
        or _function(value)
    )
    if found is None:
        standing = _standing.read(value, identity=identity)
        found = Read(kind(value), []) if standing is None else Read(*standing)
    if found.whole:
        return found
    parts = found.parts + list(attributes(value))
    if not parts and found.text == kind(value) and not hasattr(value, "__dict__"):
        parts = _standing.pickled(value)
    return Read(found.text, parts)


def attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield an object's attributes, from its ``__dict__`` and its slots; not those of its class."""
    try:
        own = object.__getattribute__(value, "__dict__")
    except AttributeError:
        own = None
    if isinstance(own, dict):
        yield from ((f".{name}", part) for name, part in list(own.items()))
    for kin in type(value).__mro__:
        # What classes made in C show this way is content that has been read already.
        if not kin.__flags__ & _HEAP_TYPE:
            continue
        for name, slot in list(vars(kin).items()):
            if isinstance(slot, types.MemberDescriptorType) and not name.startswith("__"):
                try:
                    yield f".{name}", slot.__get__(value)
                except AttributeError:
                    continue


def hashed(data: Any) -> str:
    """Return the hash of the bytes of a C-contiguous buffer."""
    view = memoryview(data)
    if view.nbytes == 0:
        return "empty"
    view = view.cast("B")
    if view.nbytes <= WHOLE:
        return hashlib.blake2b(view, digest_size=16).hexdigest()
    sampled = hashlib.blake2b(digest_size=16)
    for start in range(0, view.nbytes, view.nbytes // _BLOCKS):
        sampled.update(view[start : start + _BLOCK])
    return sampled.hexdigest()


def _named(value: Any) -> Read | None:
    """Read what is known by its name, and plain values of types of their own."""
    if isinstance(value, enum.Enum):
        return Read(f"{kind(value)}.{value.name}", [], whole=True)
    if isinstance(value, _BY_NAME):
        return Read(f"{kind(value)} {full_name(value)}", [], whole=True)
    if isinstance(value, logging.Logger):
        # It caches which levels are on, under a lock of its own.
        return Read(f"logger {value.name} {value.level}", [], whole=True)
    if isinstance(value, pathlib.PurePath):
        # Its text is cached in it when first asked for.
        return Read(f"{kind(value)} {value}", [], whole=True)
    if isinstance(value, _NUMBERS) and not isinstance(value, np.generic):
        base = next(base for base in _NUMBERS if isinstance(value, base))
        return Read(f"{kind(value)} {base.__repr__(value)}", [])
    return None


def _data(value: Any) -> Read | None:
    """Read arrays, images and bytes."""
    if isinstance(value, np.ndarray | np.generic):
        return _array(np.asarray(value), kind(value))
    if isinstance(value, bytes | bytearray | array.array | mmap.mmap | memoryview):
        data = value
        if isinstance(value, memoryview) and not value.c_contiguous:
            data = value.tobytes()
        return Read(f"{kind(value)} {len(value)} {hashed(data)}", [])
    # Only where somebody has loaded them can there be such values.
    torch: Any = sys.modules.get("torch")
    image: Any = sys.modules.get("PIL.Image")
    if hasattr(torch, "Tensor") and isinstance(value, torch.Tensor):
        return Read(_tensor(torch, value), [])
    if hasattr(torch, "Generator") and isinstance(value, torch.Generator):
        return Read(kind(value), [("'s state", value.get_state())])
    if hasattr(image, "Image") and isinstance(value, image.Image):
        palette = value.getpalette() if value.mode in ("P", "PA") else None
        text = f"{kind(value)} {value.mode} {value.size} {palette} {hashed(value.tobytes())}"
        return Read(text, [(".info", value.info)], whole=True)
    return None


def _unloaded(value: Any, identity: bool) -> Read | None:
    """Read a picture of which Pillow has not read the pixels yet; to ask for them would do it."""
    files: Any = sys.modules.get("PIL.ImageFile")
    known = identity and hasattr(files, "ImageFile")
    if known and isinstance(value, files.ImageFile) and value.tile:
        text = f"{kind(value)} {value.size}, not yet read from its file"
        return Read(text, [(".info", value.info)], whole=True)
    return None


def _array(value: np.ndarray[Any, Any], name: str) -> Read:
    text = f"{name} {value.dtype.descr if value.dtype.names else value.dtype.str} {value.shape}"
    if value.dtype.hasobject:
        return Read(text, [("[...]", value.ravel().tolist())])
    flat = np.ascontiguousarray(value).reshape(-1).view(np.uint8) if value.size else b""
    return Read(f"{text} {hashed(flat)}", [])


def _tensor(torch: Any, value: Any) -> str:
    text = f"{kind(value)} {value.dtype} {tuple(value.shape)} {value.device}"
    try:
        # tv_tensors and other subclasses wrap what is done to them; the plain tensor does not.
        plain = value.detach().as_subclass(torch.Tensor).cpu().resolve_conj().resolve_neg()
        data = plain.contiguous().reshape(-1).view(torch.uint8).numpy() if plain.numel() else b""
        return f"{text} {hashed(data)}"
    except Exception:
        # Sparse, quantised and meta tensors have no bytes to be had; what they print has to do.
        return f"{text} {value!r}"


def _container(value: Any) -> Read | None:
    name = kind(value)
    if isinstance(value, dict | types.MappingProxyType):
        # A copy first: it may be the namespace of something that looks itself up.
        items = list(value.items())
        parts = [(f"[{_key(n, key)}]", part) for n, (key, part) in enumerate(items)]
        odd = [key for key, _ in items if not is_plain(key)]
        keys = " ".join(repr(key) for key, _ in items if is_plain(key))
        return Read(f"{name} {len(items)} {keys}", [*parts, ("'s keys", odd)] if odd else parts)
    if isinstance(value, list | tuple | deque):
        if len(value) > _LISTED and all(is_plain(part) for part in value):
            return Read(f"{name} {len(value)} {hashed(repr(list(value)).encode())}", [])
        return Read(f"{name} {len(value)}", [(f"[{n}]", part) for n, part in enumerate(value)])
    if isinstance(value, set | frozenset):
        return Read(f"{name} {len(value)}", [("'s members", Unordered(value))] if value else [])
    if isinstance(value, types.CellType):
        try:
            return Read("cell", [("", value.cell_contents)])
        except ValueError:
            return Read("empty cell", [])
    return None


def _key(number: int, key: Any) -> str:
    text = repr(key) if is_plain(key) else f"{kind(key)} {number}"
    return text if len(text) <= 40 else f"{text[:30]}... {number}"


def _function(value: Any) -> Read | None:
    if isinstance(value, types.FunctionType):
        name, code = value.__name__, value.__code__
        cells = zip(code.co_freevars, value.__closure__ or (), strict=True)
        parts: list[tuple[str, Any]] = [(f" (closure of {name}: {var})", at) for var, at in cells]
        preset = value.__defaults__ or ()
        given = code.co_varnames[code.co_argcount - len(preset) : code.co_argcount]
        defaults = [*zip(given, preset, strict=False), *(value.__kwdefaults__ or {}).items()]
        parts += [(f" (default of {name}: {arg})", part) for arg, part in defaults]
        return Read(f"function {full_name(value)} line {code.co_firstlineno}", parts)
    if isinstance(value, types.MethodType):
        # The class's function; whoever wants it looks into the class.
        text = f"method {full_name(value.__func__)}"
        return Read(text, [(".__self__", value.__self__)], whole=True)
    if isinstance(value, functools.partial):
        named = (".func", ".args", ".keywords")
        return Read("partial", [(name, getattr(value, name[1:])) for name in named])
    if isinstance(value, property):
        accessors = [(f".{name}", getattr(value, name)) for name in ("fget", "fset", "fdel")]
        return Read("property", [(name, part) for name, part in accessors if part is not None])
    if isinstance(value, staticmethod | classmethod):
        return Read(kind(value), [("", value.__func__)], whole=True)
    if isinstance(value, types.BuiltinFunctionType):
        owner = value.__self__
        free = owner is None or isinstance(owner, type | types.ModuleType)
        parts = [] if free else [(".__self__", owner)]
        return Read(f"builtin {value.__qualname__}", parts, whole=True)
    return None


def _cache(value: Any, identity: bool) -> Read:
    """Read a function behind ``lru_cache``, with what it has cached so far.

    Growing is no change to what is there, as it has a lock of its own; so every cached value has
    a path of its own, which lasts as long as the value.
    """
    parts = [("", value.__wrapped__)]
    if identity:
        held = gc.get_referents(value)
        # What it holds: with a limit, keys and results in turn; then the cache; then the function.
        place = next((n for n, part in enumerate(held) if part is value.__wrapped__), 0)
        cache = held[place - 1] if place and isinstance(held[place - 1], dict) else {}
        keys = set(map(id, cache))
        results = [*held[:place][:-1], *cache.values()]
        results = [part for part in results if id(part) not in keys and not is_plain(part)]
        parts += [
            (f"{CACHED}{id(part):x}", part)
            for part in results
            if not isinstance(part, type) and not _is_link(part)
        ]
    return Read("lru_cache", parts, whole=True)


def _is_link(value: Any) -> bool:
    return type(value).__name__ == "_lru_list_elem"
