"""One function under the scan: what its names stand for, and what has been found in it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any, Final, Protocol

from ..verdict import Effect, Finding
from .rules import RULES
from .source import Function
from .values import FRESH, UNKNOWN, Kind, Origin, Value, named, of

#: How a reader is told of what a transform takes by ``*args`` or ``**kwargs``.
KEYWORDS: Final = "the input"

_RULE_OF: Final[dict[Kind, str]] = {
    "class": "S06",
    "default": "S06",
    "global": "S05",
    "closure": "S04",
    "cached": "S08",
    "descriptor": "S11",
    "input": "S10",
    "code": "S05",
}


class Scan(Protocol):
    """What frames share: where findings go, and who follows calls."""

    owns_input: bool
    locked: bool

    def report(self, finding: Finding) -> None:
        """Keep a finding, unless it is already there."""

    def is_foreign(self, function: FunctionType) -> bool:
        """Tell whether a function belongs to an installed package that is none of the homes."""

    def where(self, function: FunctionType, node: ast.AST) -> str:
        """Return ``file:line``."""

    def follow(
        self,
        function: FunctionType,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        rest: Value = FRESH,
        setter: bool = False,
        guarded: bool = False,
    ) -> Value:
        """Read a function as called with these arguments, and return what it returns."""


@dataclass
class Frame:
    """The state of reading one function.

    Attributes:
        scan: what all frames share.
        function: what is read.
        node: its syntax tree.
        env: local names, and paths such as ``sample['boxes']`` that the function itself has set,
            and what they stand for.
        setter: whether it is a property setter or the like.
        guarded: how many locks of the instance are held here.
        outer: names that a statement has declared ``global`` or ``nonlocal``.
        returns: what it may return.
        arrays: names that the function uses as if they were arrays or containers.
    """

    scan: Scan
    function: FunctionType
    node: Function
    env: dict[str, Value] = field(default_factory=dict)
    setter: bool = False
    guarded: int = 0
    outer: set[str] = field(default_factory=set)
    returns: Value = FRESH
    arrays: frozenset[str] = frozenset()
    #: Locals that a nested function may declare nonlocal without harm.
    inner: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The function as a reader would write it."""
        return f"{self.function.__name__}()"

    def resolve(self, name: str) -> Value:
        """Return what a name stands for."""
        if name in self.env and name not in self.outer:
            return self.env[name]
        code, closure = self.function.__code__, self.function.__closure__ or ()
        if name in code.co_freevars:
            try:
                cell = closure[code.co_freevars.index(name)].cell_contents
            except ValueError:  # not yet bound
                return FRESH
            return of(named(name, cell, "closure"))
        names = self.function.__globals__
        if name in names:
            own = self.function.__module__
            return of(named(f"{own.rpartition('.')[2]}.{name}", names[name]))
        builtins = vars(sys.modules["builtins"])
        return of(Origin("code", name, builtins[name])) if name in builtins else FRESH

    def bind(self, path: str, value: Value) -> None:
        """Let a name or a path stand for something from here on."""
        for known in [key for key in self.env if key.startswith((f"{path}[", f"{path}."))]:
            del self.env[known]
        self.env[path] = value

    def found(
        self, rule: str, node: ast.AST, what: str, effect: Effect = "latent", hint: str = ""
    ) -> None:
        """Report a finding in this function."""
        if self.setter and rule == "S01":
            rule = "S03"
        self.scan.report(
            Finding(
                detector="scan",
                effect="caution" if self.scan.is_foreign(self.function) else effect,
                what=f"{what} in {self.name}",
                where=self.scan.where(self.function, node),
                hint=hint or RULES[rule].hint,
                rule=rule,
            )
        )

    def write(self, origin: Origin, node: ast.AST, what: str, rule: str = "S01") -> None:
        """Report that something is written to, unless its owner declares it.

        Args:
            origin: what is written to.
            node: where.
            what: the finding's text; ``{}`` stands for the path.
            rule: the rule, if the instance holds it; otherwise it follows from who does.
        """
        if origin.excused or (self.guarded and self.scan.locked and origin.kind == "self"):
            return
        if origin.kind == "input" and self.scan.owns_input and origin.path.isidentifier():
            return  # the container itself is made for this call
        if origin.kind == "code" and isinstance(origin.live, type):
            rule = "S06"
        elif origin.kind == "code" and isinstance(origin.live, ModuleType):
            rule = "S05" if origin.live.__name__ == self.function.__module__ else "S12"
        else:
            rule = _RULE_OF.get(origin.kind, rule)
        effect: Effect = "latent"
        if origin.kind == "input":
            # What ``**kwargs`` hold is not told apart, so such a finding may be mistaken.
            vague = origin.path.startswith(KEYWORDS)
            effect = "caution" if self.scan.owns_input or vague else "wrong data"
        self.found(rule, node, what.format(origin.path), effect)


def is_lock(live: Any) -> bool:
    """Tell whether an object is a lock."""
    return live is not UNKNOWN and hasattr(live, "acquire") and hasattr(live, "release")
