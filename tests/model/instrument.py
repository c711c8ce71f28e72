"""Makes the lines (or the single accesses) of chosen modules points of the scheduler.

Only what can be seen by another thread is a point. A line or an instruction that touches local
names alone commutes with everything, and so does reading an attribute that is never written
outside ``__init__``; leaving those out loses no behaviour and makes programs a third as long.
"""

from __future__ import annotations

import dis
import linecache
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, Literal

from .primitives import patched
from .scheduler import UNKNOWN, Unusable, here

Grain = Literal["line", "access"]
Step = tuple[int, frozenset[str]]  # line, names touched

#: Beginnings of the names of instructions whose effect only this thread can see.
LOCAL: Final = (
    *("LOAD_FAST", "STORE_FAST", "DELETE_FAST", "LOAD_CONST", "LOAD_GLOBAL", "LOAD_NAME"),
    *("LOAD_CLOSURE", "LOAD_ASSERTION", "RETURN", "POP", "PUSH", "JUMP", "COMPARE_OP", "IS_OP"),
    *("UNARY", "COPY", "SWAP", "NOP", "RESUME", "CACHE", "PRECALL", "KW_NAMES", "EXTENDED_ARG"),
    *("MAKE_", "SET_FUNCTION_ATTRIBUTE", "BUILD", "RAISE", "RERAISE", "CHECK_EXC", "END_"),
    *("FORMAT", "CONVERT", "TO_BOOL", "WITH_EXCEPT"),
)
ATTRIBUTE: Final = ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR", "STORE_ATTR", "DELETE_ATTR")


def codes_of(module: ModuleType) -> list[CodeType]:
    """Return the code of every function defined in a module, its methods' and inner ones' too."""
    found: dict[int, CodeType] = {}

    def add(code: CodeType) -> None:
        if code.co_filename == module.__file__ and id(code) not in found:
            found[id(code)] = code
            for constant in code.co_consts:
                if isinstance(constant, CodeType):
                    add(constant)

    def look(value: Any) -> None:
        value = getattr(value, "fget", None) or getattr(value, "__func__", value)
        value = getattr(value, "__wrapped__", value)
        if isinstance(value, FunctionType):
            add(value.__code__)

    for value in vars(module).values():
        look(value)
        if isinstance(value, type) and value.__module__ == module.__name__:
            for member in vars(value).values():
                look(member)
    return list(found.values())


def mutable_attributes(codes: Iterable[CodeType]) -> set[str]:
    """Return the attributes that some function other than ``__init__`` writes."""
    return {
        instruction.argval
        for code in codes
        if code.co_name != "__init__"
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("STORE_ATTR", "DELETE_ATTR")
    }


def visible(instruction: dis.Instruction, mutable: set[str]) -> bool:
    """Tell whether another thread can see what an instruction does, or change what it finds."""
    if instruction.opname in ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"):
        return instruction.argval in mutable
    return not instruction.opname.startswith(LOCAL)


def steps_of(code: CodeType, grain: Grain, mutable: set[str]) -> dict[int, Step]:
    """Return the visible lines or instructions of a function: where, and what they touch."""
    groups: dict[int, list[dis.Instruction]] = {}
    for instruction in dis.get_instructions(code):
        line = instruction.positions.lineno if instruction.positions else None
        if line is not None:
            groups.setdefault(line, []).append(instruction)
    steps: dict[int, Step] = {}
    for line, instructions in groups.items():
        shared = [one for one in instructions if visible(one, mutable)]
        step = line, names_in(instructions, mutable)
        for one in shared:
            steps[line if grain == "line" else one.offset] = step
    return steps


def names_in(instructions: Sequence[dis.Instruction], mutable: set[str]) -> frozenset[str]:
    """Return the attributes of ``self`` that a line touches; ``UNKNOWN`` if it touches more."""
    names = {one.argval for one in instructions if one.opname in ATTRIBUTE}
    names = {name for name in names if name in mutable or name.startswith("_")}
    others = any(
        one.opname.startswith(("LOAD_FAST", "LOAD_DEREF")) and one.argval != "self"
        for one in instructions
    )
    calls = any(one.opname.startswith("CALL") for one in instructions)
    return frozenset(names | {UNKNOWN}) if others and calls else frozenset(names)


def refuse_uncontrolled(modules: Sequence[ModuleType]) -> None:
    """Raise ``Unusable`` if modules under test use others of their package that wait for real."""
    known = {module.__name__ for module in modules}
    for module in modules:
        for name, value in vars(module).items():
            home = getattr(value, "__module__", None) or ""
            if home in known or home.rpartition(".")[0] != module.__package__:
                continue
            members = vars(value).values() if isinstance(value, type) else (value,)
            codes = [one.__code__ for one in members if isinstance(one, FunctionType)]
            if any({"threading", "queue"} & set(code.co_names) for code in codes):
                raise Unusable(f"{module.__name__} uses {name} of {home}, which is not controlled")


@contextmanager
def points_in(*modules: ModuleType, grain: Grain = "line") -> Iterator[None]:
    """Make the modules' lines or accesses points, and their primitives controlled ones.

    Args:
        modules: those under test.
        grain: ``"line"`` takes a line for one step (up to the first wait in it); ``"access"``
            takes each instruction that another thread can see for one.
    """
    refuse_uncontrolled(modules)
    monitoring = sys.monitoring
    events = monitoring.events
    codes = [code for module in modules for code in codes_of(module)]
    mutable = mutable_attributes(codes)
    # By identity: the hash of a code object is that of all its instructions.
    steps = {id(code): steps_of(code, grain, mutable) for code in codes}
    nothing = 0, frozenset[str]()

    def step(code: CodeType, place: int) -> Any:
        line, names = steps[id(code)].get(place, nothing)
        if not line:
            return monitoring.DISABLE
        found = here()
        if found is not None:
            execution, actor = found
            actor.code, actor.line = code, line
            execution.point(actor, names)
            actor.at_line = True
        return None

    tool = next(number for number in (4, 3, 5) if monitoring.get_tool(number) is None)
    event = events.LINE if grain == "line" else events.INSTRUCTION
    monitoring.use_tool_id(tool, "ftloader model checker")
    try:
        monitoring.register_callback(tool, event, step)
        monitoring.restart_events()
        for code in codes:
            monitoring.set_local_events(tool, code, event)
        with patched(*modules):
            yield
    finally:
        for code in codes:
            monitoring.set_local_events(tool, code, events.NO_EVENTS)
        monitoring.register_callback(tool, event, None)
        monitoring.free_tool_id(tool)


def mutant(module: ModuleType, *changes: tuple[str, str]) -> ModuleType:
    """Return a copy of a module with pieces of its source replaced.

    Args:
        module: the original, which stays as it is.
        changes: what to replace, found exactly once, and what to put there.

    Raises:
        LookupError: a piece is not there exactly once: the module has changed, so must the mutant.
    """
    assert module.__file__ is not None
    text = Path(module.__file__).read_text(encoding="utf-8")
    for old, new in changes:
        if text.count(old) != 1:
            raise LookupError(f"{old!r} stands {text.count(old)} times in {module.__name__}")
        text = text.replace(old, new)
    changed = ModuleType(module.__name__)
    changed.__package__ = module.__package__
    changed.__file__ = f"<mutant of {module.__name__}>"
    lines = text.splitlines(keepends=True)
    linecache.cache[changed.__file__] = (len(text), None, lines, changed.__file__)
    exec(compile(text, changed.__file__, "exec"), changed.__dict__)
    return changed


def mutants(
    modules: Sequence[ModuleType], module: ModuleType, *changes: tuple[str, str]
) -> list[ModuleType]:
    """Return modules with one of them changed, and copies of those that import from it.

    Args:
        modules: those under test, each after those that it imports from.
        module: the one to change.
        changes: see :func:`mutant`.
    """
    copies: dict[str, ModuleType] = {}
    for original in modules:
        imported = {
            name: getattr(copies[value.__module__], name)
            for name, value in vars(original).items()
            if getattr(value, "__module__", None) in copies
        }
        if original is module or imported:
            copies[original.__name__] = mutant(original, *(changes if original is module else ()))
            vars(copies[original.__name__]).update(imported)
    return [copies.get(original.__name__, original) for original in modules]
