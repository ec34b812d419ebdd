"""Tests of a model's class: how it is declared, and whether it states the same physics every time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from tnness.engines.registry import engine_class
from tnness.errors import InputError, TnnessError
from tnness.model.protocol import digest_of_problem, draw, problem_of, values_of
from tnness.observables.observable import digest_of_observables
from tnness.runs.job import observables_of, offered_engines
from tnness.study.finding import FAILED, PASSED, Finding

PLAIN = ("engines", "registered_name")
"""Attributes of a model's class that need no annotation."""


def declaration(model: Any, seed: int, name: str = "") -> list[Finding]:
    """Return the failures of a model's declaration, or one line that says that there are none.

    Parameters
    ----------
    model: an instance before its disorder is drawn. seed: of the disorder. name: for the messages.
    """
    failures = [Finding("model", FAILED, told) for told in (*_undeclared(model), *_unsteady(model, seed, name))]
    passed = "frozen, its fields annotated, its engines known; built twice it is the same"
    return failures or [Finding("model", PASSED, passed)]


def known_engines(model: Any) -> list[str]:
    """Return the engines that a model names and that exist."""
    return [name for name in offered_engines(model) if not _why_unknown(name)]


def _undeclared(model: Any) -> Iterator[str]:
    """Tell of a class that is not frozen, of attributes that look like parameters, of engines that do not exist."""
    cls = type(model)
    if not cls.__dataclass_params__.frozen:
        yield f"{cls.__name__} is not frozen, so that its parameters may change: write @dataclass(frozen=True)"
    for base in cls.__mro__:
        for key, value in vars(base).items():
            declared = key in vars(base).get("__annotations__", {}) or key in PLAIN or key.isupper()
            if declared or key.startswith("_") or callable(value) or hasattr(value, "__get__"):
                continue
            needed = f"write {key}: {type(value).__name__} = ..."
            yield f"{key} = {value!r:.40} has no annotation, so that it is no parameter: {needed}"
    if isinstance(getattr(cls, "engines", ()), str):
        yield f"engines = {cls.engines!r} is a text: a tuple of names is needed, such as ({cls.engines!r},)"
        return
    yield from (why for why in map(_why_unknown, offered_engines(model)) if why)


def _unsteady(model: Any, seed: int, name: str) -> Iterator[str]:
    """Tell of a draw, a problem and observables that are not the same a second time."""
    first, second = draw(model, seed), draw(model, seed)
    values, others = values_of(first), values_of(second)
    changed = [key for key in values if values[key] != others.get(key)]
    if changed:
        yield (
            f"draw() gave other values of {', '.join(changed)} for the same seed: "
            "take every random number from the generator that it is given"
        )
    problems = [digest_of_problem(problem_of(first, name)) for _ in range(2)]
    if problems[0] != problems[1]:
        yield "problem() stated another equation the second time: take random numbers in draw(rng), and keep them"
    with contextlib.suppress(TnnessError):  # observables that cannot be read at all are told of elsewhere
        observables = [digest_of_observables(observables_of(first, name)) for _ in range(2)]
        changed = [key for key, digest in observables[0].items() if digest != observables[1].get(key)]
        if changed:
            yield f"observables() measured something else the second time: {', '.join(changed)}"


def _why_unknown(engine: str) -> str:
    try:
        engine_class(engine)
    except InputError as error:
        return f"engines: {error}"
    return ""
