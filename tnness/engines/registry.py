"""The registry of engines by name, which includes engines written by users."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from tnness.engines.protocol import Engine
from tnness.errors import InputError, suggestion
from tnness.typed import build_dataclass, shown, typed

Class = TypeVar("Class", bound=type[Engine])

ENGINES: dict[str, type[Engine]] = {}


@typed
def register_engine(name: str) -> Callable[[Class], Class]:
    """Register an engine class under a name. The same name for another class is an error.

    Parameters
    ----------
    name: the name of the engine in Python, on the command line and in records.

    Raises
    ------
    InputError: an empty name, a name that is taken, or a class that is no frozen dataclass with `begin` and `resume`.
    """

    def keep(cls: Class) -> Class:
        if not isinstance(name, str) or not name:
            raise InputError(f"an engine is registered under a name, got {shown(name)}")
        _check_class(cls)
        other = ENGINES.get(name)
        if other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            raise InputError(f"engine {name!r} is registered twice: by {_full(other)} and by {_full(cls)}")
        cls.name = name
        ENGINES[name] = cls
        return cls

    return keep


def is_engine(given: Any) -> bool:
    """Return whether an object is an engine with its settings, not the class of one."""
    return isinstance(given, Engine)


def engine_class(name: str) -> type[Engine]:
    """Return an engine's class by its name.

    Raises
    ------
    InputError: there is no such engine; the message suggests the closest name.
    """
    if name not in ENGINES:
        raise InputError(f"there is no engine {name!r}{suggestion(name, ENGINES)}")
    return ENGINES[name]


def build_engine(name: str, settings: Mapping[str, Any]) -> Engine:
    """Return an engine with the given settings. Lists count as tuples, so settings may come from a JSON file.

    Raises
    ------
    InputError: there is no such engine or setting, or a value has the wrong type.
    """
    return build_dataclass(engine_class(name), settings, f"engine {name!r}", "setting")


def plain_settings(engine: Engine) -> dict[str, Any]:
    """Return an engine's settings in the form in which JSON returns them (tuples as lists)."""
    return json.loads(json.dumps(dataclasses.asdict(engine)))  # type: ignore[call-overload]


def _check_class(cls: type) -> None:
    if not (isinstance(cls, type) and issubclass(cls, Engine)):
        raise InputError(f"{getattr(cls, '__name__', cls)!r} is no engine: derive it from tnness.Engine")
    parameters = getattr(cls, "__dataclass_params__", None)
    if parameters is None or not parameters.frozen:
        raise InputError(f"engine {cls.__name__} is no frozen dataclass: its settings must not change during a run")
    for method in ("begin", "resume"):
        if getattr(cls, method) is getattr(Engine, method):
            raise InputError(f"engine {cls.__name__} has no {method}()")


def _full(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
