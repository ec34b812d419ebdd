"""Types in one place: the fields of a dataclass and the arguments of a call, checked against their annotations.

A value of a wrong type gives one `InputError` of one line that says where it stands, what was given and what is needed.
Numbers must be finite; NumPy's numbers become Python's, lists and arrays become tuples, a whole 4.0 becomes 4 where an
integer is needed. Annotations that `isinstance` cannot test (a plain protocol, a type variable) are not checked.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import io
import math
import os
import tokenize
import types
import typing
from collections import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from tnness.errors import InputError, suggestion

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Class = TypeVar("Class")

_LISTS = (tuple, list, abc.Sequence, abc.Iterable)
NAMES = {int: "integers", float: "numbers", str: "strings", bool: "truth values"}
"""The words for several values of a type."""
NAME = {int: "an integer", float: "a number", str: "a string", bool: "true or false", type(None): "none"}
"""The words for one value of a type."""


MOST_VALUES = 10_000_000
"""Most values of a list that is given as a `range`: it is written out."""


# ------------------------------------------------------------------ fields


@dataclass(frozen=True)
class Parameter:
    """A field of a dataclass, for listings, options and reading `name=value`."""

    name: str
    annotation: Any
    default: Any
    description: str
    unit: str

    @property
    def required(self) -> bool:
        """True where there is no default."""
        return self.default is dataclasses.MISSING

    @property
    def type_name(self) -> str:
        """The type in words a user would use."""
        return type_name(self.annotation)


@functools.cache
def field_parameters(cls: type) -> Mapping[str, Parameter]:
    """Return the fields of a dataclass by name, in their order.

    The text behind `#` on a field's line is its description, `[...]` at its end the unit.
    """
    comments, listed = _comments(cls), {}
    for name, annotation in field_types(cls).items():
        entry = cls.__dataclass_fields__[name]  # type: ignore[attr-defined]
        default = entry.default
        if entry.default_factory is not dataclasses.MISSING:
            default = entry.default_factory()
        listed[name] = Parameter(name, annotation, default, *_split_unit(comments.get(name, "")))
    return types.MappingProxyType(listed)


@functools.cache
def field_types(cls: type) -> Mapping[str, Any]:
    """Return the types of a dataclass's fields by name, without reading its source.

    Raises
    ------
    InputError: an annotation names a type that its module does not have.
    """
    try:
        annotations = typing.get_type_hints(cls)
    except NameError as error:
        raise InputError(f"{cls.__name__}: the type of a field cannot be found: {error}") from error
    return types.MappingProxyType({entry.name: annotations[entry.name] for entry in dataclasses.fields(cls)})


def build_dataclass(cls: type[Class], values: Mapping[str, Any], owner: str, noun: str) -> Class:
    """Return an instance of a dataclass; check the values against the types of its fields.

    Parameters
    ----------
    owner: whom the values belong to, e.g. "model 'ssep'". noun: the word for a field there, e.g. "parameter".

    Raises
    ------
    InputError: an unknown name (with the closest known one), a value of a wrong type, a missing required value; or an
        error from the class's own checks.
    """
    known = field_types(cls)
    for key in values:
        if key not in known:
            raise InputError(f"{owner} has no {noun} {key!r}{suggestion(key, known) or ' (it has none)'}")
    missing = [entry.name for entry in dataclasses.fields(cls) if _required(entry) and entry.name not in values]  # type: ignore[arg-type]
    if missing:
        raise InputError(f"{owner} needs a value for {', '.join(missing)}")
    return cls(**{key: checked(f"{owner}: {key}", value, known[key]) for key, value in values.items()})


def check_fields(instance: Any, owner: str = "") -> None:
    """Check the fields of a frozen dataclass in its `__post_init__`, and convert each to its declared type.

    Parameters
    ----------
    owner: whom the fields belong to, if their names alone do not tell, e.g. "engine 'tebd'".

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Bond:
    ...     chi: int = 64
    ...
    ...     def __post_init__(self):
    ...         check_fields(self, "bond")
    >>> Bond(chi="8")
    Traceback (most recent call last):
    ...
    tnness.errors.InputError: bond: chi = '8' is not an integer
    """
    for name, annotation in field_types(type(instance)).items():
        place = f"{owner}: {name}" if owner else name
        object.__setattr__(instance, name, checked(place, getattr(instance, name), annotation))


def _required(entry: dataclasses.Field[Any]) -> bool:
    return entry.init and entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING


# ------------------------------------------------------------------ arguments


def typed(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Check a function's arguments against their annotations.

    The function receives its arguments unconverted, except that an iterator arrives as a tuple, and a whole 4.0 as 4
    where an integer is needed, and an array of texts as a tuple.

    >>> @typed
    ... def wait(seconds: float) -> None: ...
    >>> wait("long")
    Traceback (most recent call last):
    ...
    tnness.errors.InputError: wait(): seconds = 'long' is not a number
    """
    signature = inspect.signature(function)
    told = function.__qualname__.rpartition(".<locals>.")[2].removesuffix(".__init__")

    @functools.wraps(function)
    def call(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        bound = signature.bind(*arguments, **named)
        for name, annotation in _argument_types(function).items():
            if name in bound.arguments and signature.parameters[name].kind not in _VARIADIC:
                value = checked(f"{told}(): {name}", bound.arguments[name], annotation)
                if isinstance(bound.arguments[name], abc.Iterator) or _is_converted(annotation):
                    bound.arguments[name] = value  # an iterator can be read only once, and the check has read it
        return function(*bound.args, **bound.kwargs)

    return call


@functools.cache
def _is_converted(annotation: Any) -> bool:
    """True for an integer, a list of integers or a list of texts, or one of them among other types."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(_is_converted(option) for option in arguments)
    return annotation is int or (origin in _LISTS and (int in arguments or str in arguments))


_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@functools.cache
def _argument_types(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the types of a function's arguments; one that names something its module lacks is not checked."""
    found = {}
    for name, annotation in function.__annotations__.items():
        alone = types.SimpleNamespace(__annotations__={name: annotation})
        try:
            found |= typing.get_type_hints(alone, globalns=inspect.unwrap(function).__globals__)  # type: ignore[attr-defined]
        except NameError:
            found[name] = Any
    found.pop("return", None)
    return found


# ------------------------------------------------------------------ values


def checked(place: str, value: Any, annotation: Any) -> Any:
    """Return a value, converted to the type that its annotation says.

    Parameters
    ----------
    place: where the value stands, for the error: "chi", "engine 'tebd': chi".

    Raises
    ------
    InputError: another type, or a number that is not finite.

    >>> checked("schedule", [8, 16.0], tuple[int, ...])
    (8, 16)
    """
    origin = typing.get_origin(annotation)
    if annotation is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        return _one_of(place, value, annotation)
    if origin is Literal:
        return _literal(place, value, typing.get_args(annotation))
    if origin in _LISTS:
        return _several(place, value, annotation)
    if annotation in _SCALARS:
        return _SCALARS[annotation](place, value)
    if not _is_instance(value, origin or annotation):
        raise _wrong(place, value, annotation)
    if origin is abc.Mapping and typing.get_args(annotation):
        _check_mapping(place, value, *typing.get_args(annotation))
    return value


def _check_mapping(place: str, value: Mapping[Any, Any], key_type: Any, entry_type: Any) -> None:
    """Check the keys and the entries of a mapping, which stays as it is."""
    for key, entry in value.items():
        checked(f"a key of {place}", key, key_type)
        checked(f"{place}[{shown(key)}]", entry, entry_type)


LONGEST_NAME, LONGEST_PATH = 180, 3900
"""Bytes that a name and a path may have; temporary files need some more of the 255 and 4096 that a system allows."""


def check_file_name(place: str, path: str | Path) -> None:
    """Refuse a path that no file can have: with a zero byte, too long, or with what no file system can write.

    >>> check_file_name("out", "no" + chr(0))
    Traceback (most recent call last):
    ...
    tnness.errors.InputError: out = 'no\\x00' is no name of a file: it holds a zero byte
    """
    try:
        longest = max((len(os.fsencode(part)) for part in Path(path).parts), default=0)
        fault = "it holds a zero byte" if "\0" in str(path) else ""
    except UnicodeEncodeError:
        longest, fault = 0, "it holds what no file system can write"
    if not fault and (longest > LONGEST_NAME or len(os.fsencode(path)) > LONGEST_PATH):
        fault = "it is too long"
    if fault:
        raise InputError(f"{place} = {shown(str(path))} is no name of a file: {fault}")


def type_name(annotation: Any) -> str:
    """Return a type in words a user would use.

    >>> type_name(tuple[int, ...] | None)
    'a list of integers or none'
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        if set(arguments) >= _ARRAYS:
            arguments = (*(a for a in arguments if a not in _ARRAYS), ArrayLike)
            return " or ".join("an array of numbers" if a is ArrayLike else type_name(a) for a in arguments)
        return " or ".join(type_name(a) for a in arguments)
    if origin is Literal:
        return " | ".join(map(str, arguments))
    if origin in _LISTS:
        return f"a list of {NAMES.get(arguments[0] if arguments else Any, 'values')}"
    if origin is abc.Callable:
        return "a function"
    if (origin or annotation) is np.ndarray:
        return "an array"
    if annotation not in NAME and isinstance(origin or annotation, type):
        name = (origin or annotation).__name__
        return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
    return NAME.get(annotation, str(annotation))


def shown(value: Any) -> str:
    """Return a value as it is written in Python, shortened where it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _one_of(place: str, value: Any, annotation: Any) -> Any:
    options = typing.get_args(annotation)
    if set(options) >= _ARRAYS:  # `ArrayLike`, which is itself a union
        return _array(place, value, [option for option in options if option not in _ARRAYS])
    if value is None and type(None) in options:
        return None
    if Path in options and isinstance(value, (str, Path)):
        check_file_name(place, value)
    failures = []
    for option in (a for a in options if a is not type(None)):
        try:
            return checked(place, value, option)
        except InputError as error:
            failures.append(error)
    raise failures[0] if len(failures) == 1 else _wrong(place, value, annotation)


def _literal(place: str, value: Any, choices: tuple[Any, ...]) -> Any:
    for choice in () if isinstance(value, (list, tuple, np.ndarray)) else choices:
        if value == choice and isinstance(value, bool) == isinstance(choice, bool):
            return choice
    names = [str(choice) for choice in choices]
    raise InputError(f"{place} = {shown(value)} is not one of {', '.join(names)}{suggestion(str(value), names)}")


def _several(place: str, value: Any, annotation: Any) -> tuple[Any, ...]:
    if isinstance(value, range) and len(value) > MOST_VALUES:
        raise InputError(f"{place} = {shown(value)}: at most {MOST_VALUES:,} values can be given")
    values, types_ = _elements(value), typing.get_args(annotation)
    if values is None:
        raise _wrong(place, value, annotation)
    fixed = typing.get_origin(annotation) is tuple and len(types_) > 0 and types_[-1] is not Ellipsis
    if fixed and len(types_) != len(values):
        raise InputError(f"{place} = {shown(value)}: {len(types_)} values are needed")
    element = types_[0] if types_ else Any
    if not fixed and element is float and set(map(type, values)) == {float} and np.isfinite(values).all():
        return values  # many numbers: one by one they take a microsecond each
    expected = types_ if fixed else (element,) * len(values)
    return tuple(checked(f"{place}[{i}]", v, t) for i, (v, t) in enumerate(zip(values, expected, strict=True)))


def _elements(value: Any) -> tuple[Any, ...] | None:
    """Return the elements of a list of any kind; None for texts, sets, mappings and single values."""
    if hasattr(value, "__array__"):
        try:
            value = np.asarray(value)
        except (TypeError, ValueError):  # a labelled table of several arrays
            return None
        return tuple(value) if value.ndim > 0 else None
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, abc.Set, Mapping)):
        return tuple(value)
    return None


_ARRAYS = frozenset(typing.get_args(ArrayLike))
"""What `ArrayLike` is a union of."""


def _array(place: str, value: Any, others: Sequence[Any]) -> Any:
    """Return what can be read as an array of numbers, or is of another type, as it is."""
    lists = [other for other in others if typing.get_origin(other) in _LISTS]
    for other in others:
        if other not in lists and _is_instance(value, type(None) if other is None else other):
            return value
    try:
        kind = np.asarray(value).dtype.kind
    except Exception:  # lists of unequal lengths, objects that refuse to be arrays
        kind = ""
    if kind and kind in "biufc":
        return value
    for other in lists:
        try:
            checked(place, value, other)
        except InputError:
            continue
        return value
    raise InputError(f"{place} = {shown(value)} is not {type_name(typing.Union[(*others, ArrayLike)])}")


def _boolean(place: str, value: Any) -> bool:
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise _wrong(place, value, bool)


SMALLEST_INTEGER, LARGEST_INTEGER = -(2**63), 2**64 - 1
"""What arrays and files hold; the seeds of a sweep's points take all 64 bits."""


def _integer(place: str, value: Any) -> int:
    is_integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not is_integer and not (isinstance(value, (float, np.floating)) and float(value).is_integer()):
        raise _wrong(place, value, int)
    if not SMALLEST_INTEGER <= int(value) <= LARGEST_INTEGER:
        raise InputError(f"{place} = {shown(value)} is too large: an integer has at most 64 bits")
    return int(value)


def _number(place: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise _wrong(place, value, float)
    try:
        number = float(value)
    except OverflowError:  # an integer of more than 300 digits
        number = math.inf
    if not math.isfinite(number):
        raise InputError(f"{place} = {shown(value) if isinstance(value, int) else value}: a finite number is needed")
    return number


def _string(place: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _wrong(place, value, str)


_SCALARS: dict[Any, Callable[[str, Any], Any]] = {bool: _boolean, int: _integer, float: _number, str: _string}


def _is_instance(value: Any, kind: Any) -> bool:
    """Return whether a value is of a type; True for a type that `isinstance` cannot test."""
    if kind is None:
        return value is None
    if kind is abc.Callable:
        return callable(value)
    try:
        return isinstance(value, kind)
    except TypeError:
        return True


def _wrong(place: str, value: Any, annotation: Any) -> InputError:
    return InputError(f"{place} = {shown(value)} is not {type_name(annotation)}")


# ------------------------------------------------------------------ comments


def _comments(cls: type) -> dict[str, str]:
    """Return the comments behind the definitions of a class's fields, those of its bases included."""
    return {name: text for base in reversed(cls.__mro__) for name, text in _own_comments(base).items()}


@functools.cache
def _own_comments(cls: type) -> Mapping[str, str]:
    comments: dict[str, str] = {}
    names: dict[int, str] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(inspect.getsource(cls)).readline):
            if token.type == tokenize.NAME and token.line.lstrip().startswith(f"{token.string}:"):
                names.setdefault(token.start[0], token.string)
            elif token.type == tokenize.COMMENT and token.start[0] in names:
                comments[names[token.start[0]]] = token.string.lstrip("# ").strip()
    except (OSError, TypeError, tokenize.TokenError, IndentationError):
        pass
    return comments


def _split_unit(comment: str) -> tuple[str, str]:
    if comment.endswith("]") and "[" in comment:
        text, unit = comment[:-1].rsplit("[", 1)
        return text.strip(), unit.strip()
    return comment, ""
