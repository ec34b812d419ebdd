"""Has a run relaxed? Judged by every monitored observable, by extrapolating its exponential tail.

With three equally spaced times, d1 = x(t - tau) - x(t - 2 tau) and d2 = x(t) - x(t - tau), a tail x_inf + c e^{-rate t}
has d2 = r d1, r = e^{-rate tau}, and what remains is d2 r/(1 - r) (vector Aitken). tau grows with the time spent, a third
of the stage, so that slow modes are not mistaken for the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = dict[str, NDArray[np.float64]]

FEWEST = 9
"""Measurements in a stage below which nothing is said."""
SLOWEST = 0.85
"""Largest ratio r at which a tail is believed; above it the run has not seen enough of the decay."""
QUICKEST = 0.1
"""Smallest ratio used for the remainder, so that noise cannot promise more than the last change."""
FLOOR = 1e-6
"""Absolute size below which an observable's changes are not resolved."""


@dataclass(frozen=True)
class Tail:
    """What remains of the relaxation.

    remaining: per observable the predicted largest further change, absolute. scales: per observable the size that it is
    compared with. rate: slowest fitted rate (1 / time), NaN if none.
    """

    remaining: dict[str, float]
    scales: dict[str, float]
    rate: float

    @property
    def relative(self) -> float:
        """The worst remaining change, relative to its observable's scale."""
        return max((self.remaining[k] / self.scales[k] for k in self.remaining), default=math.inf)


@dataclass
class History:
    """Monitored observables against time, stage by stage."""

    times: list[float] = field(default_factory=list)
    stages: list[int] = field(default_factory=list)
    values: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    _rates: dict[int, float] = field(default_factory=dict, init=False, repr=False)  # of stages that are over

    def add(self, time: float, stage: int, values: Values) -> None:
        """Append one measurement."""
        self.times.append(time)
        self.stages.append(stage)
        for name, value in values.items():
            self.values.setdefault(name, []).append(np.asarray(value, float))

    def last_of(self, stage: int) -> Values | None:
        """Return the last values measured in a stage, or None if it was not visited."""
        indices = [i for i, s in enumerate(self.stages) if s == stage]
        return {name: series[indices[-1]] for name, series in self.values.items()} if indices else None

    def time_in(self, stage: int) -> float:
        """Return the time covered by the measurements of a stage."""
        times = [t for t, s in zip(self.times, self.stages, strict=True) if s == stage]
        return times[-1] - times[0] if times else 0.0

    def tail(self, stage: int) -> Tail | None:
        """Extrapolate a stage; None while there are too few measurements.

        A later stage starts where the one before it ended: what is too slow to be seen in its short time is taken to
        decay at the slowest rate seen in any earlier stage.
        """
        for earlier in range(stage):
            if earlier not in self._rates:
                tail = self._tail(earlier, math.nan)
                self._rates[earlier] = tail.rate if tail is not None else math.nan
        known = [rate for earlier, rate in self._rates.items() if earlier < stage and rate > 0]
        return self._tail(stage, min(known, default=math.nan))

    def _tail(self, stage: int, known_rate: float) -> Tail | None:
        indices = [i for i, s in enumerate(self.stages) if s == stage]
        if len(indices) < FEWEST:
            return None
        lag = (len(indices) - 1) // 3
        width = max(1, lag // 4)  # short averages quieten the noise of truncation
        tau = self.times[indices[-1]] - self.times[indices[-1 - lag]]
        remaining, scales, rates = {}, {}, []
        ends = [len(indices) - k * lag for k in (2, 1, 0)]
        for name, series in self.values.items():
            early, middle, late = (np.mean([series[i] for i in indices[end - width : end]], axis=0) for end in ends)
            scales[name] = max(*(float(np.nanmax(np.abs(x), initial=0.0)) for x in (early, middle, late)), FLOOR)
            unresolved = 0.01 * FLOOR + 1e-12 * scales[name]
            remaining[name], ratio = _remainder(middle - early, late - middle, unresolved, math.exp(-known_rate * tau))
            if remaining[name] > 1e-6 * scales[name] and 0 < ratio < 1:
                rates.append(-math.log(ratio) / tau)
        return Tail(remaining, scales, min(rates, default=math.nan))

    def save(self) -> dict[str, NDArray[Any]]:
        """Return the history as named arrays."""
        arrays = {f"value_{name}": np.array(series) for name, series in self.values.items()}
        return {"times": np.array(self.times), "stages": np.array(self.stages, dtype=np.int64), **arrays}

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]]) -> History:
        """Return the history that was saved."""
        values = {name[6:]: list(np.asarray(a, float)) for name, a in arrays.items() if name.startswith("value_")}
        return cls([float(t) for t in arrays["times"]], [int(s) for s in arrays["stages"]], values)


def _remainder(
    first: NDArray[np.float64], second: NDArray[np.float64], unresolved: float, known_ratio: float
) -> tuple[float, float]:
    """Return what remains after two successive changes, and their ratio r; NaN for no known ratio."""
    size = float(np.nanmax(np.abs(second), initial=0.0))
    if size <= unresolved:
        return size, 0.0
    square = float(np.nansum(first * first))
    ratio = float(np.nansum(first * second)) / square if square > 0 else math.inf
    if ratio > SLOWEST:
        return (size * known_ratio / (1 - known_ratio) if known_ratio < 1 else math.inf), ratio
    used = max(abs(ratio), QUICKEST)
    return size * used / (1 - used) if used < 1 else math.inf, ratio
