"""The plan of a sweep: its points, their disorder, and all settings that determine their numbers.

Disorder depends on (root seed, realization, values of the parameters named as independent) and on nothing else. So it
is the same along every other axis, and does not depend on which process computes a point, when, or with which others.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from tnness.digest.content import digest_of_function
from tnness.engines.ask import Ask
from tnness.engines.beyond.question import Question
from tnness.engines.protocol import Engine
from tnness.engines.registry import plain_settings
from tnness.errors import InputError, TnnessError, suggestion
from tnness.model import registry
from tnness.model.parameters import build
from tnness.model.parameters import parameters as model_parameters
from tnness.model.protocol import UNKNOWN, values_of
from tnness.records.record import PREFIX
from tnness.runs.checkpoint import Output
from tnness.runs.driver import Driver
from tnness.runs.job import Job
from tnness.runs.solve import chosen_engine
from tnness.study.measuring import function
from tnness.typed import checked

Values = dict[str, Any]
REALIZATION = "realization"
"""The axis of a table along which the disorder is drawn anew."""
TABLE_NAMES = ("status", "seed", "cpu_seconds", "realization", "outcome")
"""Names in every table that no axis can have."""
MOST_POINTS = 2_000_000
"""Largest number of points of a sweep: their list alone takes a gigabyte."""
ALWAYS = ("times", "tolerance", "atol", "max_time", "initial")
"""Fields of a request that are settings of every sweep; the others are where they differ from their defaults."""


@dataclass(frozen=True)
class Point:
    """One computation of a sweep.

    key: the hash of all that determines its numbers. values: on the axes of the grid. realization: counted from 0.
    seed: of its disorder; `tnness run --seed` repeats the point with it.
    """

    key: str
    values: Values
    realization: int
    seed: int


@dataclass(frozen=True)
class GridPoint:
    """A point of the grid for any realization: its values, the hash of its settings, the words that seed disorder."""

    values: Values
    identity: str
    disorder: tuple[int, ...]

    def point(self, root: int, realization: int) -> Point:
        """Return one realization of this point."""
        seed = disorder_seed(root, realization, self.disorder)
        key = hashlib.sha256(f"{self.identity} {seed}".encode()).hexdigest()[:32]
        return Point(key, self.values, realization, seed)


@dataclass(frozen=True)
class Reference:
    """The physics of one point of a sweep, by which a store recognises its sweep.

    values: of the point on the axes. physics: digest of its problem. measure: digest of the measuring function, None if
    there is none. code: digest of the code of its model, None in older stores: where that is the same, no other point
    has other physics.
    """

    values: Values
    physics: str
    measure: str | None = None
    code: str | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The computations of a sweep.

    Parameters
    ----------
    model: its class, or its name (registered, or file.py:Class). parameters: those that are the same at all points.
    grid: axis (a parameter, or a setting of the engine) -> values; the points are their product. points: an explicit
        list instead.
    realizations: of the disorder, at each point. independent: parameters; each of their values has its own disorder.
    engine: a name, an engine, or None for the model's first.
    ask: the request at every point; its seed is the root of all disorder.
    question: what is asked of the model at every point in place of its states; None for those.
    measure: `module:function` or `file.py:function` that replaces the solution of a point (see `sweep`).
    measured_by: digest of that function; None: it is found by its name.
    known_as: the name by which the store knows the model, if its file has moved since.
    """

    model: str | type
    parameters: Values = field(default_factory=dict)
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    points: Sequence[Values] | None = None
    realizations: int = 1
    independent: tuple[str, ...] = ()
    engine: Engine | str | None = None
    ask: Ask = field(default_factory=Ask)
    question: Question | None = None
    measure: str | None = None
    measured_by: str | None = None
    known_as: str | None = None

    def __post_init__(self) -> None:
        if checked("realizations", self.realizations, int) < 1:
            raise InputError(f"realizations = {self.realizations!r}: an integer >= 1 is needed")
        if not isinstance(self.ask.initial, str | None):
            raise InputError("a sweep starts from a state that is named, not from a record or a state")
        count = len(self.points) if self.points is not None else math.prod(len(values) for values in self.grid.values())
        if count * self.realizations > MOST_POINTS:
            raise InputError(
                f"a sweep of {count} x {self.realizations} points: at most {MOST_POINTS:,} fit into one store"
            )
        if self.points is not None and self.grid:
            raise InputError("a sweep takes a grid or a list of points, not both")
        for axis in self.axes:
            if axis in self.parameters:
                raise InputError(f"{axis} is an axis of the grid and a fixed parameter: give it once")
            if axis == "realization":
                raise InputError("realization is an axis by itself: --realizations says how many there are")
        for axis, values in self.grid.items():
            if len(values) == 0 or len({canonical(v) for v in values}) != len(values):
                raise InputError(f"axis {axis} takes one value or more, each once, got {list(values)}")
        if self.points is not None and any(point.keys() != set(self.axes) for point in self.points):
            raise InputError(f"every point of a list gives the same names; the first gives {', '.join(self.axes)}")

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields alone: cached properties are not sent to workers."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    @property
    def root_seed(self) -> int:
        """The root of all disorder."""
        return self.ask.seed

    @cached_property
    def model_class(self) -> type:
        """The class of the model."""
        return registry.find(self.model) if isinstance(self.model, str) else self.model

    @property
    def name(self) -> str:
        """The name that finds the model from any folder."""
        if isinstance(self.model, str):
            return registry.full_name(self.model)
        return str(getattr(self.model, "registered_name", f"{self.model.__module__}:{self.model.__qualname__}"))

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the grid's axes."""
        if self.points is None:
            return tuple(self.grid)
        return tuple(self.points[0]) if self.points else ()

    @cached_property
    def is_parameter(self) -> dict[str, bool]:
        """Axis -> True if it is a parameter of the model, False if it is a setting of the engine."""
        parameters = model_parameters(self.model_class)
        settings = [entry.name for entry in fields(self.engine_at({}))]  # type: ignore[arg-type]
        for axis in self.axes:
            if axis not in parameters and axis not in settings:
                hint = suggestion(axis, [*parameters, *settings])
                raise InputError(f"{axis} is no parameter of the model and no setting of its engine{hint}")
        return {axis: axis in parameters for axis in self.axes}

    def model_at(self, values: Values) -> Any:
        """Return the model at a point of the grid, without its disorder drawn."""
        on_grid = {k: v for k, v in values.items() if self.is_parameter[k]}
        return build(self.model_class, self.parameters | on_grid, self.name)

    def engine_at(self, values: Values) -> Engine:
        """Return the engine at a point of the grid."""
        engine = chosen_engine(self.model_class, self.engine)
        changed = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if not self.is_parameter[k]}
        return replace(engine, **changed) if changed else engine  # type: ignore[type-var]

    def settings_at(self, values: Values) -> dict[str, Any]:
        """Return all settings that determine the numbers at a point of the grid, except the disorder's seed."""
        engine = self.engine_at(values)
        settings = {
            "model": self.known_as or self.name,
            "parameters": values_of(self.model_at(values)),
            "engine": engine.name,
            "engine_settings": plain_settings(engine),
            "measure": self.measure,
        }
        asked = {} if self.question is None else {"question": self.question.dump()}
        return settings | self._asked | asked

    @cached_property
    def _asked(self) -> dict[str, Any]:
        """The request as settings."""
        given = {entry.name: getattr(self.ask, entry.name) for entry in fields(Ask) if entry.name != "seed"}
        written = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
        return {name: value for name, value in written.items() if name in ALWAYS or given[name] != getattr(Ask, name)}

    def job_at(self, values: Values, seed: int) -> Job:
        """Return the job at a point of the grid, with a seed of its disorder."""
        ask = replace(self.ask, seed=seed)
        return Job(self.model_at(values), self.name, self.engine_at(values), ask, self.question)

    def reference(self) -> Reference:
        """Return the physics of the first point, which the store keeps."""
        return self.reference_at(next(self._values()))

    def reference_at(self, values: Values) -> Reference:
        """Return the physics of a point, with the disorder of the root seed; unknown if its problem is not valid."""
        measure = self.measured_by
        if measure is None and self.measure is not None:
            measure = digest_of_function(function(self.measure))
        try:
            physics = self.job_at(values, self.root_seed).physics.problem
        except TnnessError:  # a measuring function may need no valid problem
            physics = UNKNOWN
        return Reference(dict(values), physics, measure, self._code_at(values))

    def _code_at(self, values: Values) -> str:
        """Return the digest of the code by which the model states its problem and its observables."""
        model = self.model_at(values)
        methods = [getattr(model, name, None) for name in ("problem", "observables", "draw")]
        return " ".join(digest_of_function(method) for method in methods if callable(method))

    def check_watch(self) -> None:
        """Refuse `watch` for observables that are not judged or monitored, before anything is computed or written."""
        first = next(self._values(), None) if self.ask.watch else None
        if first is not None:
            Driver(self.job_at(first, self.root_seed), Output()).check()

    def check_names(self) -> None:
        """Refuse an axis whose name has another meaning in the table of the sweep, before anything is computed."""
        first = next(self._values(), None)
        if first is None:
            return
        taken: dict[str, str] = dict.fromkeys(map(str, TABLE_NAMES), "a column of every table")
        if self.ask.times is not None:
            taken["time"] = "the times of the evolution"
        if self.measure is None:
            for name, observable in self.job_at(first, self.root_seed).observables.items():
                taken |= {name: "an observable", f"{name}_error": "the error of an observable"}
                taken |= dict.fromkeys(observable.dims, "an axis of an observable")
        for axis in self.axes:
            if axis in taken:
                raise InputError(f"axis {axis}: in the table of the sweep this is the name of {taken[axis]}; rename it")
            if axis.startswith(PREFIX):
                raise InputError(f"axis {axis}: names that begin with {PREFIX} are those of certificates")

    @property
    def base(self) -> dict[str, Any]:
        """The settings that all plans of one store share: all but the axes' values and the number of realizations."""
        first = self.settings_at(next(self._values()))
        varied = {axis for axis, is_parameter in self.is_parameter.items() if is_parameter}
        first["parameters"] = {k: v for k, v in first["parameters"].items() if k not in varied}
        first["engine_settings"] = {k: v for k, v in first["engine_settings"].items() if k not in self.axes}
        return first | {
            "axes": sorted(self.axes),
            "independent": sorted(self.independent),
            "root_seed": self.root_seed,
        }

    def grid_points(self) -> list[GridPoint]:
        """Return every point of the grid."""
        points = []
        for values in self._values():
            settings = self.settings_at(values)
            identity = hashlib.sha256(canonical(_as_before(settings)).encode()).hexdigest()
            points.append(GridPoint(values, identity, self._disorder(settings["parameters"])))
        return points

    def _values(self) -> Iterator[Values]:
        if self.points is not None:
            yield from (dict(point) for point in self.points)
            return
        for values in itertools.product(*self.grid.values()):
            yield dict(zip(self.grid, values, strict=True))

    def _disorder(self, parameters: Values) -> tuple[int, ...]:
        for name in self.independent:
            if name not in parameters:
                raise InputError(f"independent: the model has no parameter {name!r}{suggestion(name, parameters)}")
            if isinstance(parameters[name], bool) or not isinstance(parameters[name], (int, float)):
                raise InputError(f"independent: {name} = {parameters[name]!r} is not a number")
        return disorder_words([float(parameters[name]) for name in sorted(self.independent)])


def disorder_words(values: Sequence[float]) -> tuple[int, ...]:
    """Return the eight 32-bit words of the SHA-256 of float64 values (little endian; -0 counts as 0)."""
    canonical_values = np.asarray(values, dtype="<f8") + 0.0
    return tuple(int(w) for w in np.frombuffer(hashlib.sha256(canonical_values.tobytes()).digest(), ">u4"))


def disorder_seed(root: int, realization: int, words: Sequence[int]) -> int:
    """Return a point's seed: SeedSequence(root, spawn_key = (realization, words)).generate_state(1, uint64)."""
    sequence = np.random.SeedSequence(root, spawn_key=(realization, *words))
    return int(sequence.generate_state(1, np.uint64)[0])


def canonical(value: Any) -> str:
    """Return a value as a text that is the same for equal values: JSON with sorted keys, 1.0 as 1."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _as_before(settings: Values) -> Values:
    """Return settings as they were hashed when the tolerance was that of the relaxation, a tenth of the total error.

    So the points of older stores keep their keys, where `atol` is left at its default.
    """
    if settings["atol"] is not None:
        return settings
    tenth = float(f"{settings['tolerance'] / 10:.15g}")
    return {name: value for name, value in settings.items() if name != "atol"} | {"tolerance": tenth}
