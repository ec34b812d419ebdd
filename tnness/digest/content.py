"""Digests of the content of problems and measurements: numbers, arrays, operators, dataclasses, functions.

A class whose content is not just its fields has a method `digest()`.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from enum import Enum
from functools import cached_property, partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from tnness.digest import arrays, functions, operators
from tnness.digest.arrays import hashed
from tnness.operators.basis import LocalSpace
from tnness.operators.terms import LocalOperator, Operator

LENGTH = 32
"""Hexadecimal digits of a digest."""
MANY = 8
"""A list of more than this many floats counts as an array: their digits are relative to the largest."""


def digest(*stated: Any) -> str:
    """Return the digest of some values in their order: 32 hexadecimal digits.

    The digest is the same in every process, and for values that differ by round-off.

    >>> digest({"a": 1, "b": [0.1 + 0.2]}) == digest({"b": (0.3,), "a": 1})
    True
    """
    return Content().digest(*stated)


def digest_of_function(function: Callable[..., Any]) -> str:
    """Return the digest of a function's bytecode and of what it reads in its own package: `cpython-311:...`.

    The values of its constants, defaults, closure and globals enter, and the functions and methods of its own package
    that it calls; functions of other packages enter by name. Digests with different tags in front cannot be compared.
    """
    return Content().digest_of_function(function)


def is_seen_through(function: Callable[..., Any]) -> bool:
    """Return whether a function, or the object whose method it is, has its own `digest()`."""
    owner = function.__self__ if isinstance(function, MethodType) else function
    return _has_digest(owner)


class Content:
    """Digests of many values that share objects: each object is read once."""

    def __init__(self) -> None:
        self._digests: dict[tuple[str, int], tuple[Any, bytes]] = {}
        """Objects and digests, by package and identity; the object is kept alive so that no other gets its identity."""
        self._start("")

    def _start(self, package: str) -> None:
        self._package = package
        self._functions: list[FunctionType] = []
        self._owners: list[type] = []
        self._open: list[int] = []
        self._is_free = True
        """Whether the present value has one digest everywhere: it holds no number of a function and no cycle."""

    def digest(self, *stated: Any) -> str:
        """Return the digest of some values in their order."""
        self._start("")
        return self._whole(self.of(tuple(stated)))

    def digest_of_function(self, function: Callable[..., Any]) -> str:
        """Return the digest of a function, see `digest_of_function`; without a tag if it `is_seen_through`."""
        self._start(functions.home(function))
        whole = self._whole(self.of(function))
        return whole if is_seen_through(function) else f"{sys.implementation.cache_tag}:{whole}"

    def _whole(self, first: bytes) -> str:
        """Return the digest of a first digest and of all functions reached from it, in the order of their discovery."""
        parts, number = [first], 0
        while number < len(self._functions):
            parts.append(self._of_code_and_data(self._functions[number]))
            number += 1
        return hashed("whole", *parts).hex()[:LENGTH]

    # ------------------------------------------------------------------ values

    def of(self, value: Any) -> bytes:
        """Return the digest of one value; functions in it enter by their number and are read later."""
        plain = _of_plain(value)
        if plain is not None:
            return plain
        if isinstance(value, CodeType):
            return self._of_code(value)
        if id(value) in self._open:
            self._is_free = False
            return hashed("cycle", str(len(self._open) - self._open.index(id(value))).encode())
        entry = self._digests.get((self._package, id(value)))
        return self._read(value) if entry is None else entry[1]

    def _read(self, value: Any) -> bytes:
        outside, self._is_free = self._is_free, True
        self._open.append(id(value))
        value_digest = self._of_composite(value)
        self._open.pop()
        if self._is_free:
            self._digests[self._package, id(value)] = (value, value_digest)
        self._is_free &= outside
        return value_digest

    def _of_composite(self, value: Any) -> bytes:
        value = functions.bare(value)
        if isinstance(value, Mapping):
            return hashed("mapping", *sorted(hashed("", self.of(key), self.of(entry)) for key, entry in value.items()))
        if isinstance(value, Set):
            return hashed("set", *sorted(map(self.of, value)))
        if isinstance(value, (Sequence, np.ndarray)):
            return hashed("sequence", *map(self.of, value))
        if isinstance(value, (FunctionType, MethodType, partial)):
            return self._of_callable(value)
        if isinstance(value, (type, ModuleType)) or (callable(value) and hasattr(value, "__name__")):
            return self._of_named(value)
        return self._of_object(value)

    def _of_object(self, value: Any) -> bytes:
        if _has_digest(value):
            return hashed("digest", str(value.digest()).encode())
        is_own = self._is_own(type(value))
        if not (dataclasses.is_dataclass(value) or is_own):
            return self._of_named(value)
        parts = [part for name, entry in _fields(value) for part in (name.encode(), self.of(entry))]
        if is_own:
            self._own(type(value))
            parts.append(self.of(type(value).__call__) if callable(value) else b"")
        return hashed("object", type(value).__qualname__.encode(), *parts)

    def _of_named(self, value: Any) -> bytes:
        """Return a digest of the name alone; for the own package without the module's name, as files may move."""
        if not self._is_own(value):
            return hashed("name", functions.home(value).encode(), functions.qualified_name(value).encode())
        if isinstance(value, type):
            self._own(value)
        return hashed("own", b"" if isinstance(value, ModuleType) else functions.qualified_name(value).encode())

    # ------------------------------------------------------------------ functions

    def _of_callable(self, value: Any) -> bytes:
        if isinstance(value, partial):
            return hashed("partial", *map(self.of, (value.func, value.args, value.keywords)))
        if isinstance(value, MethodType):
            holder = self.of(value.__self__)
            if _has_digest(value.__self__):
                return hashed("method", holder, value.__name__.encode())
            return hashed("method", holder, self.of(value.__func__))
        self._package = self._package or functions.home(value)
        if "<" not in value.__qualname__ and not value.__closure__ and not self._is_own(value):
            return self._of_named(value)
        self._is_free = False
        if value not in self._functions:
            self._functions.append(value)
        return hashed("function", str(self._functions.index(value)).encode())

    def _of_code_and_data(self, function: FunctionType) -> bytes:
        """Return the digest of a function's code and of all that it reads."""
        cells = [hashed("cell", self.of(value)) if is_set else b"" for is_set, value in functions.closure(function)]
        parts = [self._of_code(function.__code__), self.of(function.__defaults__), self.of(function.__kwdefaults__)]
        reached = functions.global_values(function)
        named = [self.of((name, value)) for name, value in reached.items()]
        named += [self.of((name, value)) for name, value in self._methods(function, reached)]
        return hashed("code and data", hashed("cells", *cells), *parts, *named)

    def _methods(self, function: FunctionType, reached: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Yield name and value of the attributes that a function may read of classes and modules of its own package."""
        modules = [value for value in reached.values() if isinstance(value, ModuleType) and self._is_own(value)]
        for name in functions.read(function.__code__).attributes:
            for owner in (*self._owners, *modules):
                is_stated, value = functions.static_attribute(owner, name)
                if is_stated:
                    yield name, value

    def _of_code(self, code: CodeType) -> bytes:
        reading = functions.read(code)
        lines = [self._of_instruction(*line) for line in reading.instructions]
        return hashed("code", repr(reading.signature).encode(), reading.handlers, *lines)

    def _of_instruction(self, operation: str, argument: Any) -> bytes:
        if isinstance(argument, functions.Constant):
            return hashed(operation, self.of(argument.value))
        return f"{operation} {argument!r}".encode()

    def _is_own(self, value: Any) -> bool:
        return bool(self._package) and functions.home(value) == self._package

    def _own(self, owner: type) -> None:
        """Note a class whose methods may be called."""
        self._is_free = False
        if owner not in self._owners:
            self._owners.append(owner)


def _of_plain(value: Any) -> bytes | None:
    """Return the digest of a value that holds no arbitrary objects; None for other values."""
    if isinstance(value, Enum):
        return hashed("enum", str(value).encode())
    if value is None or value is Ellipsis or isinstance(value, (bool, np.bool_, int, np.integer)):
        return repr(value.item() if isinstance(value, np.generic) else value).encode()
    if isinstance(value, (float, complex)):  # numpy's double precision is one of them
        return arrays.of_number(value)
    if isinstance(value, (str, bytes)):
        return hashed(type(value).__name__, value.encode() if isinstance(value, str) else value)
    if isinstance(value, (range, slice)):
        return hashed("range", repr(value).encode())
    if isinstance(value, LocalSpace):
        return hashed("named space", operators.of_space(value), *_of_named_operators(value))
    if isinstance(value, LocalOperator):
        return operators.of_local_operator(value)
    return _of_numerical(value)


def _of_numerical(value: Any) -> bytes | None:
    if isinstance(value, Operator):
        return operators.of_operators([value])
    if isinstance(value, (np.ndarray, np.generic)):
        return None if value.dtype == object else arrays.of_array(value)
    if not isinstance(value, (tuple, list)) or not value:
        return None
    if all(isinstance(entry, Operator) for entry in value):
        return operators.of_operators(value)
    if all(isinstance(entry, LocalSpace) for entry in value):
        return operators.of_spaces(value)
    is_long = len(value) > MANY and all(type(entry) is float for entry in value)
    return arrays.of_array(value) if is_long else None


def _of_named_operators(space: LocalSpace) -> Iterator[bytes]:
    for name in sorted(space.operators):
        yield name.encode()
        yield operators.of_local_operator(space.operators[name])


def _has_digest(value: Any) -> bool:
    return not isinstance(value, (type, LocalSpace)) and callable(getattr(type(value), "digest", None))


def _fields(value: Any) -> list[tuple[str, Any]]:
    """Return the compared fields of a dataclass, or the attributes of another object without cached properties."""
    if dataclasses.is_dataclass(value):
        return [(entry.name, getattr(value, entry.name)) for entry in dataclasses.fields(value) if entry.compare]
    held = sorted(getattr(value, "__dict__", {}).items())
    return [(name, entry) for name, entry in held if not isinstance(getattr(type(value), name, None), cached_property)]
