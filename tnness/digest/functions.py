"""The content of functions as given by their bytecode: instructions with their constants and names.

File names, line numbers, docstrings and the names of local variables do not enter. Bytecode differs between versions
of Python: digests of functions carry the tag of the version.
"""

from __future__ import annotations

import builtins
import dis
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

GLOBAL = {"LOAD_GLOBAL", "LOAD_NAME"}
BEHAVIOUR = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS | inspect.CO_GENERATOR | inspect.CO_COROUTINE
"""Flags of code that say how it is called."""


@dataclass(frozen=True)
class Constant:
    """A constant that an instruction loads."""

    value: Any


@dataclass(frozen=True)
class Reading:
    """The content of a code object.

    instructions: operation and argument of each: a `Constant`, a name, or a number. globals, attributes: the names that
    it or code nested in it reads.
    """

    instructions: tuple[tuple[str, Any], ...]
    signature: tuple[int, ...]
    handlers: bytes
    globals: tuple[str, ...]
    attributes: tuple[str, ...]


@lru_cache(maxsize=4096)
def read(code: CodeType) -> Reading:
    """Return the content of a code object."""
    instructions = [i for i in dis.get_instructions(code) if i.opname != "EXTENDED_ARG"]
    names = [(i.opname, str(i.argval)) for i in instructions if i.opcode in dis.hasname]
    nested = [read(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return Reading(
        tuple((i.opname, _argument(i)) for i in instructions),
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & BEHAVIOUR),
        getattr(code, "co_exceptiontable", b""),
        tuple(sorted({n for op, n in names if op in GLOBAL}.union(*(inner.globals for inner in nested)))),
        tuple(sorted({n for op, n in names if op not in GLOBAL}.union(*(inner.attributes for inner in nested)))),
    )


def _argument(instruction: dis.Instruction) -> Any:
    if instruction.opcode in dis.hasconst:
        return Constant(instruction.argval)
    return str(instruction.argval) if instruction.opcode in dis.hasname else instruction.arg


def closure(function: FunctionType) -> Iterator[tuple[bool, Any]]:
    """Yield (whether it is set, its value) of every variable that a function takes from an enclosing one."""
    for cell in function.__closure__ or ():
        try:
            yield True, cell.cell_contents
        except ValueError:
            yield False, None


def global_values(function: FunctionType) -> dict[str, Any]:
    """Return the values of the global names that a function reads, except Python's built-ins."""
    space, names = function.__globals__, read(function.__code__).globals
    return {name: space[name] for name in names if name in space and space[name] is not getattr(builtins, name, None)}


def static_attribute(owner: type | ModuleType, name: str) -> tuple[bool, Any]:
    """Return whether a class or module defines an attribute, and its value; for a property its function."""
    if isinstance(owner, ModuleType):
        return name in vars(owner), vars(owner).get(name)
    attribute = inspect.getattr_static(owner, name, None)
    if name in getattr(owner, "__dataclass_fields__", {}) or attribute is None:
        return False, None
    return True, bare(attribute)


def bare(value: Any) -> Any:
    """Return the function inside a property, a cached function and the like; anything else as it is."""
    if isinstance(value, property):
        return value.fget
    if isinstance(value, cached_property):
        return value.func
    if isinstance(value, (staticmethod, classmethod)):
        return value.__func__
    return getattr(value, "__wrapped__", value) if type(value).__name__ == "_lru_cache_wrapper" else value


def home(value: Any) -> str:
    """Return the package, or lone module, to which a function, a class or an object belongs.

    >>> home(dis.dis), home(partial(dis.dis, 1))
    ('dis', 'dis')
    """
    if isinstance(value, partial):
        return home(value.func)
    if isinstance(value, MethodType):
        return home(value.__func__)
    name = value.__name__ if isinstance(value, ModuleType) else getattr(bare(value), "__module__", None)
    return str(name or getattr(type(value), "__module__", "")).partition(".")[0]


def qualified_name(value: Any) -> str:
    """Return the qualified name of an object, or of its class if it has none."""
    return str(getattr(value, "__qualname__", getattr(value, "__name__", type(value).__qualname__)))
