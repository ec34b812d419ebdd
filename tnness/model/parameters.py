"""The parameters of a model: listed with their meaning and unit, and checked when an instance is built."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tnness import typed
from tnness.errors import ModelError
from tnness.model.protocol import Model
from tnness.typed import Parameter

HOOKS = ("problem", "observables", "draw", "initial_state", "small", "engines", "registered_name")
"""What the package asks of a model by these names; no parameter can have them."""


def parameters(model: type | Model) -> dict[str, Parameter]:
    """Return the parameters of a model by name, in their order."""
    return dict(typed.field_parameters(_dataclass_of(model)))


def build(cls: type, values: Mapping[str, Any], name: str = "") -> Any:
    """Return an instance of the model; check the values against the declared types.

    Raises
    ------
    InputError: an unknown parameter (with the closest known one), a wrong type, a number that is not finite, a
        required parameter that is missing; or an error from the model's own checks.
    """
    return typed.build_dataclass(_dataclass_of(cls), values, f"model {name or cls.__name__!r}", "parameter")


def _dataclass_of(model: Any) -> type:
    cls = model if isinstance(model, type) else type(model)
    if not dataclasses.is_dataclass(cls):
        raise ModelError(f"{cls.__name__} is not a dataclass: a model is a frozen dataclass of its parameters")
    names = {entry.name for entry in dataclasses.fields(cls)}
    for name in HOOKS:
        if name in names:
            raise ModelError(f"{cls.__name__}: a parameter cannot be called {name!r}, which is a method of models")
    return cls
