"""The protocol of models: a frozen dataclass of parameters that states a problem and its observables.

A model is any dataclass with `problem()` and `observables()`; the rest is optional:

- `draw(rng) -> Self`: the same model with every random number explicit (disorder is drawn once and kept);
- `initial_state(engine)`: the state from which an engine, given by its name, starts by default: a label such as
  `product:0101`, or a state;
- `small() -> Self`: the smallest instance that still shows the physics, for `tnness check`;
- `engines: ClassVar[tuple[str, ...]]`: the engines that serve it, the default first.

The text behind `#` on a parameter's line is its description, `[...]` at its end the unit.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from typing import Any, Protocol, runtime_checkable

import numpy as np

from tnness.digest.content import digest
from tnness.errors import InputError, ModelError
from tnness.observables.observable import Observable
from tnness.problems.chain import chain_of
from tnness.problems.generator import ChainGenerator
from tnness.problems.need import TooLarge
from tnness.typed import shown

UNKNOWN = "unknown"
"""Digest of a problem that has no `digest()` and is no dataclass."""


@runtime_checkable
class Problem(Protocol):
    """The problem that a model states: a `Lindbladian`, a `ChainGenerator`, or another that its engine solves."""

    def summary(self) -> str:
        """Return a description of the problem in one line."""
        ...

    def digest(self) -> str:
        """Return a hash of the problem's content. Equal physics gives an equal hash, however it is written.

        A user's class may leave this method out: see `digest_of_problem`.
        """
        ...


@runtime_checkable
class Model(Protocol):
    """The two methods every model has."""

    def problem(self) -> Problem:
        """Return the problem that the parameters state."""
        ...

    def observables(self) -> dict[str, Observable]:
        """Return the observables by name: the variables of the record."""
        ...


def values_of(model: Any) -> dict[str, Any]:
    """Return the parameters' values of an instance as JSON-ready numbers, strings and lists."""
    return json.loads(json.dumps({f.name: getattr(model, f.name) for f in dataclasses.fields(model)}, default=_plain))


def draw(model: Any, seed: int) -> Any:
    """Return the model with its disorder drawn from `default_rng(seed)`, or the model itself if it has none."""
    return model.draw(np.random.default_rng(seed)) if hasattr(model, "draw") else model


def problem_of(model: Any, name: str = "") -> Problem:
    """Return the model's problem; errors name the model."""
    name = name or type(model).__name__
    if not callable(getattr(model, "problem", None)):
        raise InputError(f"{shown(model)} is not a model: it needs problem() and observables()")
    try:
        problem = model.problem()
    except TooLarge:
        raise
    except InputError as error:
        raise ModelError(f"model {name!r}: {error}") from error
    if not callable(getattr(problem, "summary", None)):
        raise ModelError(f"model {name!r}: problem() returned a {type(problem).__name__}, which is no problem")
    return problem


def digest_of_problem(problem: Any) -> str:
    """Return the digest of a problem. If it has no `digest()`, hash its dataclass fields.

    If it is no dataclass either, return `UNKNOWN`: its attributes may hold intermediate results besides the physics.
    """
    if callable(getattr(problem, "digest", None)):
        return problem.digest()
    return digest(problem) if dataclasses.is_dataclass(problem) else UNKNOWN


def generator_of(model: Any, name: str = "") -> ChainGenerator:
    """Return the model's problem as a `ChainGenerator`; errors name the model."""
    name = name or type(model).__name__
    problem = problem_of(model, name)
    try:
        return chain_of(problem, "this", any_sites=True)
    except InputError as error:
        raise ModelError(f"model {name!r}: {error}") from error


def summary(cls: type) -> str:
    """Return the first line of the model's docstring."""
    text = inspect.getdoc(cls) or ""
    return text.strip().splitlines()[0] if text.strip() else ""


def description(cls: type) -> str:
    """Return the model's docstring."""
    return (inspect.getdoc(cls) or "(no description)").strip()


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise ModelError(f"a parameter of type {type(value).__name__} cannot be written to a record")
