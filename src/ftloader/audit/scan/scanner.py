"""Following calls from function to function, each with what its arguments stand for."""

from __future__ import annotations

import ast
import inspect
from collections import Counter
from collections.abc import Sequence
from types import CodeType, FunctionType
from typing import Any, Final

from .._places import top_package
from ..verdict import Finding
from .frame import Frame
from .source import Function, Sources, shown
from .statements import run
from .values import FRESH, UNKNOWN, Origin, Value, named, names, of

_DEEPEST: Final = 25
#: Readings of one function, each with other arguments, and of all, after which a scan stops.
_MOST_OF_ONE: Final = 40
_MOST: Final = 3000
#: How often a function may be found inside itself.
_NESTED: Final = 2
#: Methods and attributes that say that something is an array or a container.
_ARRAY_LIKE: Final = names(
    "shape dtype astype copy reshape T sum max min mean clip ndim transpose append extend items"
    " keys values tobytes"
)
#: Parameters that are a random stream of the call's own, by every convention that has them.
_STREAMS: Final = frozenset({"rng", "generator", "random_state"})
_NUMBERS: Final = frozenset({"int", "float", "bool", "str", "bytes", "complex", "None", "Number"})

_INSTALLED: Final = ("site-packages", "dist-packages")

_Key = tuple[Any, ...]


class Scanner:
    """One scan.

    Args:
        owns_input: whether a transform may write to its input.
        locked: whether the transform declares that it is locked.
        homes: packages that the transform and what it holds come from.

    Attributes:
        findings: in the order in which they were found, each once.
        functions: code that was read.
        unread: names of functions without source.
        cut: whether it stopped following calls because there were too many.
    """

    def __init__(
        self, *, owns_input: bool, locked: bool, homes: frozenset[str] = frozenset()
    ) -> None:
        self.owns_input = owns_input
        self.locked = locked
        self._homes = homes
        self.findings: list[Finding] = []
        self.functions: set[CodeType] = set()
        self.unread: set[str] = set()
        self.cut = False
        self._sources = Sources()
        self._results: dict[_Key, Value] = {}
        self._stack: list[CodeType] = []
        self._readings: Counter[CodeType] = Counter()

    def report(self, finding: Finding) -> None:
        """Keep a finding; of several at one line by one rule, the first."""
        same = [each for each in self.findings if each.where == finding.where]
        if all((each.rule, each.what) != (finding.rule, finding.what) for each in same):
            self.findings.append(finding)

    def is_foreign(self, function: FunctionType) -> bool:
        """Tell whether a function belongs to an installed package that is none of the homes.

        Nothing says that such code is reached, or that it has no lock of its own: what is seen
        there is a caution, and the other detectors watch it run.
        """
        installed = any(folder in function.__code__.co_filename for folder in _INSTALLED)
        return installed and top_package(function.__module__) not in self._homes

    def where(self, function: FunctionType, node: ast.AST) -> str:
        """Return ``file:line``."""
        line = getattr(node, "lineno", function.__code__.co_firstlineno)
        return f"{shown(function.__code__.co_filename)}:{line}"

    def follow(
        self,
        function: FunctionType,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        rest: Value = FRESH,
        setter: bool = False,
        guarded: bool = False,
    ) -> Value:
        """Read a function as called with these arguments, and return what it may return.

        Args:
            function: what is called.
            args: by position.
            kwargs: by name.
            rest: what any argument not given here may be.
            setter: whether an assignment calls it.
            guarded: whether a lock is held.
        """
        node = self._sources.node(function.__code__)
        if node is None:
            self.unread.add(function.__qualname__)
            return FRESH
        bound = _bindings(function, node, args, kwargs, rest)
        key = (function.__code__, tuple(sorted(bound.items(), key=_first)), setter, guarded)
        if key in self._results:
            return self._results[key]
        code = function.__code__
        if self._stack.count(code) >= _NESTED:
            return FRESH
        full = self._readings[code] >= _MOST_OF_ONE or len(self._results) >= _MOST
        if full or len(self._stack) >= _DEEPEST:
            self.cut = True
            return FRESH
        self._readings[code] += 1
        self._results[key] = FRESH  # what a recursive call gets
        self.functions.add(code)
        frame = Frame(self, function, node, bound, setter, int(guarded), arrays=_arrays(node))
        self._stack.append(code)
        try:
            if isinstance(node, ast.Lambda):
                run(frame, [ast.Return(node.body)])
            else:
                run(frame, node.body)
        finally:
            self._stack.pop()
        self._results[key] = frame.returns
        return frame.returns


def inputs(function: FunctionType, bound: Sequence[Value], sample: Any) -> list[Value]:
    """Return the arguments with which a transform is called.

    Args:
        function: the one that is called.
        bound: its ``self``, if it has one.
        sample: an input, or ``UNKNOWN``.
    """
    parameters = list(inspect.signature(function, follow_wrapped=False).parameters.values())
    values = list(bound)
    for place, parameter in enumerate(parameters[len(bound) :]):
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            break
        if isinstance(parameter.default, list | dict | set):
            break  # whoever calls transforms leaves such a one at its default
        if parameter.name in _STREAMS:
            values.append(FRESH)
        else:
            values.append(of(Origin("input", parameter.name, UNKNOWN if place else sample)))
    return values


def _first(pair: tuple[str, Value]) -> str:
    return pair[0]


def _bindings(
    function: FunctionType,
    node: Function,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    rest: Value,
) -> dict[str, Value]:
    """Return what the parameters stand for."""
    spec = node.args
    positional = [*spec.posonlyargs, *spec.args]
    named_only = spec.kwonlyargs
    bound: dict[str, Value] = {}
    for place, arg in enumerate(positional):
        bound[arg.arg] = args[place] if place < len(args) else kwargs.get(arg.arg, FRESH)
    for arg in named_only:
        bound[arg.arg] = kwargs.get(arg.arg, FRESH)
    given = {arg.arg for arg in positional[: len(args)]} | kwargs.keys()
    defaults = _defaults(function)
    for arg in [*positional, *named_only]:
        if arg.arg not in given:
            bound[arg.arg] = rest | defaults.get(arg.arg, FRESH)
        if _plain(arg.annotation):
            bound[arg.arg] = FRESH
    spare = frozenset().union(*(value.own for value in args[len(positional) :]))
    if spec.vararg is not None:
        bound[spec.vararg.arg] = Value(parts=spare | rest.own)
    if spec.kwarg is not None:
        extra = [value.own for name, value in kwargs.items() if name not in bound]
        bound[spec.kwarg.arg] = Value(parts=frozenset(rest.own).union(*extra))
    return bound


def _defaults(function: FunctionType) -> dict[str, Value]:
    """Return the defaults of parameters that somebody could write to."""
    found: dict[str, Any] = dict(function.__kwdefaults__ or {})
    own = function.__code__.co_varnames[: function.__code__.co_argcount]
    values = function.__defaults__ or ()
    found.update(zip(own[len(own) - len(values) :], values, strict=True))
    made = {}
    for name, live in found.items():
        origin = named(f"the default of {name}", live, "default")
        if not origin.immutable:
            made[name] = of(origin)
    return made


def _plain(annotation: ast.expr | None) -> bool:
    return annotation is not None and set(ast.unparse(annotation).split(" | ")) <= _NUMBERS


def _arrays(node: Function) -> frozenset[str]:
    """Return the names that a function uses as if they were arrays or containers."""
    found = set()
    for part in ast.walk(node):
        match part:
            case ast.Subscript(value=ast.Name(id=name)):
                found.add(name)
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if attr in _ARRAY_LIKE:
                found.add(name)
    return frozenset(found)
