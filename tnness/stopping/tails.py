"""Extrapolation of exponential tails: how much of a relaxation is still to come.

With three equally spaced times, d1 = x(t - tau) - x(t - 2 tau) and d2 = x(t) - x(t - tau), a tail
x_inf + c e^{-rate t} has d2 = r d1, r = e^{-rate tau}, and what remains is d2 r/(1 - r) (vector Aitken). tau grows with
the time spent, a third of the stage, so that slow modes are not mistaken for the end.

This estimate decides when to stop. It can be too small by chance: an oscillation passes through zero, or the fast part
of a short stage hides the slow part. A record therefore claims a bound, from the band in which an observable moved.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnness.records.history import History
from tnness.records.values import Values, cautious, change, scale, size
from tnness.stopping.target import FLOOR

FEWEST = 9
"""Fewest measurements in a stage from which its tail is extrapolated."""
SLOWEST = 0.85
"""Largest |r| at which an extrapolation is trusted; above it the run has not seen enough of the decay."""
QUICKEST = 0.1
"""Smallest ratio r used for the remainder, so that noise cannot make it too small beside the last change."""
BLOCKS = 8
"""Number of averages per third of a stage, from which a bound is computed."""
DETOUR = 0.2
"""Distance of two states, over the length of the way between them, below which the way leads nowhere."""
CAUTION = 2.0
"""Factor on every bound: the band of a few averages misses part of an oscillation."""


@dataclass(frozen=True)
class Tail:
    """The part of a relaxation that is still to come.

    remaining: predicted further change of every element, absolute. scales: per observable the size to which
    that change is relative. rate: slowest fitted rate (1 / time), NaN if none.
    """

    remaining: Values
    scales: dict[str, float]
    rate: float

    @property
    def relative(self) -> float:
        """The worst remaining change, relative to its observable's scale."""
        return max((size(self.remaining[k]) / self.scales[k] for k in self.remaining), default=math.inf)


class Tails:
    """The tails of a history's stages.

    history: monitored observables; it may grow while this object is in use.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self._rates: dict[int, float] = {}  # stage -> fitted rate, for stages that are over
        self._known: tuple[int, dict[tuple[int, float, float], Tail | None]] = 0, {}  # tails of so many measurements

    def of(self, stage: int) -> Tail | None:
        """Extrapolate a stage; None while there are too few measurements.

        A later stage starts where the one before it ended. Changes too slow to be seen in its short time are assumed to
        decay at the slowest rate seen in any earlier stage.
        """
        for earlier in range(stage):
            if earlier not in self._rates:
                tail = self._tail(earlier, math.nan)
                self._rates[earlier] = tail.rate if tail is not None else math.nan
        rates = [rate for earlier, rate in self._rates.items() if earlier < stage and rate > 0]
        known = min(rates, default=math.nan)
        return self._tail(stage, known if rates or not stage else self.rate())

    def rate(self) -> float:
        """Return the rate (1 / time) of the relaxation, from the first stage, which is the longest; NaN where unknown.

        It is the smaller of the fitted rate and the mean rate ln(first / remaining) / time. A fit to the noise of
        truncation can give any rate; the mean rate cannot.
        """
        tail, stage = self._tail(0, math.nan), self.history.of(0)
        if tail is None or not 0 < tail.relative < math.inf:
            return math.nan
        moved = (
            size(change(series[stage[-1]], series[stage[0]])) / tail.scales[k]
            for k, series in self.history.values.items()
        )
        reduction = max(moved) / tail.relative
        mean = math.log(reduction) / self.history.time_in(0) if reduction > 1 else math.nan
        return min((rate for rate in (mean, tail.rate) if rate > 0), default=math.nan)

    def bounds(self, stage: int, known_rate: float = math.nan) -> Values | None:
        """Return for every element a bound on what remains, absolute; None while there are too few measurements.

        Parameters
        ----------
        known_rate: a rate at which slow parts decay, in case this stage is too short to show them; default: `rate()`
            of the first stage, in later stages.
        """
        indices, tail, times = self.history.of(stage), self.of(stage), self.history.times
        if tail is None:
            return None
        rate = known_rate if known_rate > 0 else self.rate() if stage > 0 else math.nan
        blocks = min(BLOCKS, (len(indices) - 1) // 3)
        kept = indices[-2 * blocks * ((len(indices) - 1) // (3 * blocks)) :]
        step = (times[kept[-1]] - times[kept[0]]) / (len(kept) - 1)
        known_ratio = math.exp(-rate * step * len(kept) / 2)
        bounds = {}
        for name, series in self.history.values.items():
            shape = series[kept[0]].shape
            samples = np.array([series[i] for i in kept]).reshape(2 * blocks, -1, *shape)
            bound = np.maximum(_bound(samples, known_ratio), tail.relative * tail.scales[name])
            bounds[name] = cautious(np.maximum(CAUTION * bound, tail.remaining[name]))
        return bounds

    def wanders(self, stage: int) -> bool:
        """Return whether the second half of a stage gets nowhere: its end is near its beginning, by a long way round.

        A relaxation goes one way, however slowly. The element that moves most, relative to its scale, counts.
        """
        indices = self.history.of(stage)
        late = np.array_split(np.array(indices[len(indices) // 2 :]), 2 * BLOCKS)
        if len(late[-1]) == 0:
            return False
        longest, straight = 0.0, math.inf
        for series in self.history.values.values():
            means = np.array([_mean([series[i] for i in block]).ravel() for block in late])
            if not np.isfinite(means).all() or not means.size:
                continue
            ways = np.abs(np.diff(means, axis=0)).sum(axis=0)
            mover = int(np.argmax(ways))
            way = ways[mover] / max(scale(means), FLOOR)
            if way > longest:
                longest, straight = way, float(abs(means[-1, mover] - means[0, mover]) / ways[mover])
        return straight < DETOUR

    def halfway(self, stage: int) -> Tail | None:
        """Extrapolate a stage from the first half of its measurements, as it was halfway."""
        return self._tail(stage, math.nan, share=0.5)

    def _tail(self, stage: int, known_rate: float, share: float = 1.0) -> Tail | None:
        """Return the tail of the first part of a stage; computed once for each number of measurements."""
        if self._known[0] != len(self.history.times):
            self._known = len(self.history.times), {}
        key = stage, known_rate if known_rate > 0 else 0.0, share  # NaN, which is unlike itself, is no key
        if key not in self._known[1]:
            self._known[1][key] = self._extrapolated(stage, known_rate, share)
        return self._known[1][key]

    def _extrapolated(self, stage: int, known_rate: float, share: float) -> Tail | None:
        history, indices = self.history, self.history.of(stage)
        indices = indices[: math.ceil(share * len(indices))]
        if len(indices) < FEWEST:
            return None
        lag = (len(indices) - 1) // 3
        width = max(1, lag // 4)  # short averages quieten the noise of truncation
        tau = history.times[indices[-1]] - history.times[indices[-1 - lag]]
        remaining: Values = {}
        scales, rates = {}, []
        ends = [len(indices) - k * lag for k in (2, 1, 0)]
        for name, series in history.values.items():
            early, middle, late = (_mean([series[i] for i in indices[end - width : end]]) for end in ends)
            scales[name] = max(scale(early), scale(middle), scale(late), FLOOR)
            unresolved = 0.01 * FLOOR + 1e-12 * scales[name]
            first, second = change(early, middle), change(middle, late)
            remaining[name], ratio = _remainder(first, second, unresolved, math.exp(-known_rate * tau))
            if size(remaining[name]) > 1e-6 * scales[name] and 0 < ratio <= SLOWEST:
                rates.append(-math.log(ratio) / tau)
        return Tail(remaining, scales, min(rates, default=math.nan))


def _mean(samples: ArrayLike) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        return np.mean(np.asarray(samples, float), axis=0)


def _remainder(
    first: NDArray[np.float64], second: NDArray[np.float64], unresolved: float, known_ratio: float
) -> tuple[NDArray[np.float64], float]:
    """Return the change of every element that remains after two successive changes, and their ratio r over all of them.

    known_ratio: the ratio r of parts too slow to be seen, NaN if it is not known.
    """
    last = np.abs(second)
    if size(last) <= unresolved:
        return last, 0.0
    if not (np.isfinite(last).all() and np.isfinite(first).all()):
        return np.full_like(last, math.inf), math.inf
    square = float(np.sum(first * first))
    ratio = float(np.sum(first * second)) / square if square > 0 else math.inf
    if ratio > SLOWEST or (ratio < -SLOWEST and known_ratio < 1):  # slower than this stage can tell, or noise
        return _times(last, _series(known_ratio)), ratio  # infinite if the known ratio is NaN
    return _times(last, _series(max(abs(ratio), QUICKEST))), ratio


def _bound(samples: NDArray[np.float64], known_ratio: float) -> NDArray[np.float64]:
    """Return a bound on the remaining change of every element, from its bands in two successive thirds of a stage.

    The ratio r of the largest bands is that of the decay, and r/(1 - r) times an element's last band remains. The known
    ratio stands for parts that decay too slowly to be seen. Fluctuations within an average are added.

    samples: (2 B, width, *shape).
    """
    means = np.array([_mean(block) for block in samples])  # (2 B, *shape)
    half = len(means) // 2
    before, band = (
        np.max(np.abs(change(means[last], means[third])), axis=0)
        for last, third in ((half - 1, slice(0, half)), (-1, slice(half, None)))
    )
    share = 1 - 1 / half  # the first and the last average of a third are this share of the third apart
    first, last = size(before), size(band)
    ratio = max(QUICKEST, min(last / first if 0 < first < math.inf else math.inf, SLOWEST)) ** share
    slow_ratio = known_ratio**share
    factor = max(_series(ratio), 0.0 if math.isnan(slow_ratio) else _series(slow_ratio))
    spread = _mean(np.square(change(means[-1], samples[-1])))
    return _times(band, factor) + np.sqrt(2 * np.where(np.isfinite(spread), spread, 0.0))


def _times(values: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """Return values times a factor that may be infinite; what is 0 stays 0."""
    return values * factor if math.isfinite(factor) else np.where(values > 0, math.inf, 0.0)


def _series(ratio: float) -> float:
    """Return r + r^2 + ...; infinite for r >= 1 or NaN."""
    return ratio / (1 - ratio) if ratio < 1 else math.inf
