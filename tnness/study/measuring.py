"""The look-up of a user's function that measures a point of a sweep, by its name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from tnness.errors import InputError
from tnness.model import registry


def function(name: str) -> Callable[..., Any]:
    """Return the function `module:function` or `file.py:function`."""
    place, _, attribute = name.rpartition(":")
    module = registry.module_from_file(place) if place.endswith(".py") else importlib.import_module(place)
    measure: Any = getattr(module, attribute, None)
    if not callable(measure):
        raise InputError(f"{place} has no function {attribute!r} to measure with")
    return measure
