"""Functions that measure a point of a sweep in their own way, found by name."""

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
    found: Any = getattr(module, attribute, None)
    if not callable(found):
        raise InputError(f"{place} has no function {attribute!r} to measure with")
    return found
