"""The course of all one- and two-site marginals, element by element, whatever is watched.

Averages over an array hide a slow element behind fast ones, so that every element is judged by its own change: with
successive changes d1 and d2 over a third of a stage, r = d2/d1, what remains is d2 r/(1 - r). An element with r above
`SLOWEST` moves more slowly than the stage can show: what remains is unknown. An element whose d2 is small may stand
still, or creep: that is for the kicks to tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.stopping.tails import FEWEST, QUICKEST, SLOWEST

Real = NDArray[np.float64]

MOST = 48
"""Samples that are kept; when there are more, every second one is dropped."""


STRAIGHT = 0.25
"""Cosine between successive changes above which they are a drift; a random walk has 0, the changes of a noise -1/2."""
GOES_ON = 1000.0
"""Thirds of a stage over which a drift that does not slow down is thought to go on."""


@dataclass
class Trail:
    """Samples of a vector in the present stage, thinned as they grow.

    every: how many samples are offered for one that is kept. offered: how many were.
    """

    samples: list[Real] = field(default_factory=list)
    every: int = 1
    offered: int = 0

    def offer(self, vector: Real) -> None:
        """Keep a sample, or leave it out if the last one kept is too recent."""
        if self.offered % self.every == 0:
            self.samples.append(vector)
        self.offered += 1
        if len(self.samples) > MOST:
            self.samples, self.every = self.samples[::2], 2 * self.every

    def wants(self) -> bool:
        """Return whether the next sample would be kept."""
        return self.offered % self.every == 0

    def skip(self) -> None:
        """Count a sample that is not kept."""
        self.offered += 1

    def to_come(self, noise: float, chosen: NDArray[np.bool_] | None = None) -> float:
        """Return the largest change still to come of an element; infinite while unknown.

        Parameters
        ----------
        noise: change of an element over a third of the stage that counts as standing still. chosen: which elements
            count; default: all.

        >>> trail = Trail()
        >>> for t in range(30):
        ...     trail.offer(np.array([np.exp(-0.3 * t), 1.0]))
        >>> bool(trail.to_come(1e-9) < 1e-2)
        True
        >>> trail.offer(np.array([0.0, 0.0]))
        >>> trail.to_come(1e-9)
        inf
        """
        changes = self._changes()
        if changes is None:
            return np.inf
        first, second = map(np.abs, changes)
        moving = second > noise if chosen is None else (second > noise) & chosen
        if not moving.any():
            return 0.0
        ratio = np.divide(second, first, out=np.full_like(first, np.inf), where=first > 0)[moving]
        ratio = np.maximum(ratio, QUICKEST)
        slow = ratio > SLOWEST
        return float(np.inf if slow.any() else (second[moving] * ratio / (1 - ratio)).max())

    def drift(self, chosen: NDArray[np.bool_]) -> float:
        """Return the change still to come of the fastest element if all go on as they do; 0 where they do not drift.

        chosen: which elements count.

        Successive changes of the whole vector with a cosine above `STRAIGHT` are a drift: a truncated state that
        wanders has none. What remains is d2 r/(1 - r) with r the ratio of their norms, at most `GOES_ON` d2: a drift
        that does not slow down yet is seen long before any element has moved far.

        >>> trail = Trail()
        >>> for t in range(30):
        ...     trail.offer(np.array([1e-4 * t, 1.0]))
        >>> round(trail.drift(np.array([True, True])), 3), trail.drift(np.array([False, True]))
        (0.9, 0.0)
        >>> for t in range(30):
        ...     trail.offer(np.array([1e-4 * (-1) ** t, 1.0]))
        >>> trail.drift(np.array([True, True]))
        0.0
        """
        changes = self._changes()
        if changes is None:
            return 0.0
        first, second = (change[chosen] for change in changes)
        before, now = np.linalg.norm(first), np.linalg.norm(second)
        if first @ second <= STRAIGHT * before * now:
            return 0.0
        more = min(GOES_ON, now / (before - now)) if now < before else GOES_ON
        return float(np.abs(second).max(initial=0.0) * more)

    def _changes(self) -> tuple[Real, Real] | None:
        """Return the last two changes over a third of the stage; None while there are too few samples."""
        if len(self.samples) < FEWEST:
            return None
        lag = (len(self.samples) - 1) // 3
        width = max(1, lag // 4)
        ends = (len(self.samples) - k * lag for k in (2, 1, 0))
        early, middle, late = (np.mean(self.samples[end - width : end], axis=0) for end in ends)
        return middle - early, late - middle

    def save(self) -> tuple[dict[str, NDArray[Any]], dict[str, int]]:
        """Return it as named arrays and numbers."""
        return {"trail": np.array(self.samples)}, {"trail_every": self.every, "trail_offered": self.offered}

    @classmethod
    def restore(cls, samples: Sequence[Real], every: int, offered: int) -> Trail:
        """Return the trail that was saved."""
        return cls(list(samples), every, offered)
