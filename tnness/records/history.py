"""The measurements of a run against time."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.records.values import Values

PRIOR_STAGE = -1
"""The stage under which a history holds the values of the record that a run extends."""


@dataclass
class History:
    """Observables against time, stage by stage.

    Parameters
    ----------
    times, stages: time and stage of each measurement. values: for each observable one array per measurement. errors:
        the same, for the observables whose views give an error. estimates: the same by kind of error, for runs that are
        compared with others at each measurement.
    """

    times: list[float] = field(default_factory=list)
    stages: list[int] = field(default_factory=list)
    values: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    errors: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    estimates: dict[str, dict[str, list[NDArray[np.float64]]]] = field(default_factory=dict)

    def add(self, time: float, stage: int, values: Values, errors: Values | None = None) -> None:
        """Append one measurement; errors are NaN where a measurement has none and another of its observable has."""
        self.times.append(time)
        self.stages.append(stage)
        for name, value in values.items():
            self.values.setdefault(name, []).append(np.asarray(value, float))
        errors = errors or {}
        for name in {**self.errors, **errors}:
            error = np.asarray(errors[name], float) if name in errors else np.full_like(self.errors[name][0], math.nan)
            _append_latest(self.errors.setdefault(name, []), error, len(self.times))

    def tell(self, kind: str, errors: Values) -> None:
        """Append errors of one kind, of the latest measurement; NaN for those before that were not told."""
        for name, error in errors.items():
            _append_latest(self.estimates.setdefault(kind, {}).setdefault(name, []), error, len(self.times))

    def told(self, kind: str, name: str) -> NDArray[np.float64]:
        """Return the errors of one kind of an observable, one per measurement; NaN where they were not told."""
        values, series = self.values[name], self.estimates.get(kind, {}).get(name, [])
        return np.array([*series, *[np.full_like(values[0], math.nan)] * (len(values) - len(series))])

    def forget(self, stage: int) -> None:
        """Leave the measurements of a stage out."""
        gone = self.of(stage)
        told = [of for kind in self.estimates.values() for of in kind.values()]
        for series in (self.times, self.stages, *self.values.values(), *self.errors.values(), *told):
            if gone:
                del series[gone[0] : gone[-1] + 1]
        if not self.times:
            self.values, self.errors, self.estimates = {}, {}, {}

    def copy(self) -> History:
        """Return a history that can grow on its own."""
        values = {name: list(series) for name, series in self.values.items()}
        errors = {name: list(series) for name, series in self.errors.items()}
        estimates = {kind: {name: list(series) for name, series in of.items()} for kind, of in self.estimates.items()}
        return History(list(self.times), list(self.stages), values, errors, estimates)

    def of(self, stage: int) -> list[int]:
        """Return the indices of a stage's measurements; a run never goes back to an earlier stage."""
        return list(range(bisect_left(self.stages, stage), bisect_right(self.stages, stage)))

    def last_of(self, stage: int) -> Values | None:
        """Return the last values measured in a stage, or None if it was not visited."""
        indices = self.of(stage)
        return {name: series[indices[-1]] for name, series in self.values.items()} if indices else None

    def slopes(self, stage: int, since: float) -> Values:
        """Return d/dt of every observable, by linear regression over a stage's measurements from time `since` on."""
        indices = [i for i in self.of(stage) if self.times[i] >= since]
        centred = np.array([self.times[i] for i in indices])
        centred -= centred.mean()
        weights = centred / max(float(centred @ centred), 1e-300)
        late = {name: np.array([series[i] for i in indices], float) for name, series in self.values.items()}
        return {name: np.asarray(np.tensordot(weights, values, 1), np.float64) for name, values in late.items()}

    def means(self, stage: int, since: float) -> Values:
        """Return the mean of every observable over a stage's measurements from time `since` on."""
        indices = [i for i in self.of(stage) if self.times[i] >= since]
        with np.errstate(invalid="ignore"):
            return {name: np.mean([series[i] for i in indices], axis=0) for name, series in self.values.items()}

    def time_in(self, stage: int) -> float:
        """Return the time covered by the measurements of a stage."""
        indices = self.of(stage)
        return self.times[indices[-1]] - self.times[indices[0]] if indices else 0.0

    def save(self) -> dict[str, NDArray[Any]]:
        """Return the history as named arrays."""
        values = {f"{VALUE}{name}": np.array(series) for name, series in self.values.items()}
        errors = {f"{SPREAD}{name}": np.array(series) for name, series in self.errors.items()}
        told = {f"{ESTIMATE}{kind}_{name}": self.told(kind, name) for kind, of in self.estimates.items() for name in of}
        about = {"times": np.array(self.times), "stages": np.array(self.stages, dtype=np.int64)}
        return about | values | errors | told

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]]) -> History:
        """Return the history that was saved."""
        values, errors = (
            {name.removeprefix(mark): list(np.asarray(a, float)) for name, a in arrays.items() if name.startswith(mark)}
            for mark in (VALUE, SPREAD)
        )
        history = cls([float(t) for t in arrays["times"]], [int(s) for s in arrays["stages"]], values, errors)
        for name, array in arrays.items():
            kind, _, observable = name.removeprefix(ESTIMATE).partition("_")
            if name.startswith(ESTIMATE):
                history.estimates.setdefault(kind, {})[observable] = list(np.asarray(array, float))
        return history


VALUE, SPREAD, ESTIMATE = "value_", "error_", "estimate_"
"""Prefixes of the observables' names in a saved history; `estimate_KIND_NAME` for errors by kind."""


def _append_latest(series: list[NDArray[np.float64]], error: Any, count: int) -> None:
    """Append the error of the latest of `count` measurements, and NaN for those before it that have none."""
    error = np.asarray(error, float)
    series += [np.full_like(error, math.nan)] * (count - 1 - len(series))
    series.append(error)
