"""The look-up of a user's function that measures a point of a sweep, by its name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tnness.errors import InputError, TnnessError
from tnness.model import registry


def function(name: str) -> Callable[..., Any]:
    """Return the function `module:function` or `file.py:function`."""
    place, _, attribute = name.rpartition(":")
    if not place or not attribute:
        raise InputError(f"measure = {name!r}: module:function or file.py:function is needed")
    module = registry.module_from_file(place) if place.endswith(".py") else _imported(place)
    measure: Any = getattr(module, attribute, None)
    if not callable(measure):
        raise InputError(f"{place} has no function {attribute!r} to measure with")
    return measure


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except TnnessError:
        raise
    except Exception as error:  # the module's own code may raise anything
        raise InputError(f"measure: module {name!r} cannot be imported: {type(error).__name__}: {error}") from error
