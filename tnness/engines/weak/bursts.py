"""What bursts of evolution tell of where slow densities stand still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tnness.engines.weak.slow import SlowVariables

Real = NDArray[np.float64]

EXACT = 1e-12
"""Smallest noise of a step, squared, relative to the largest step: bursts that say the same are not divided by 0."""


@dataclass(frozen=True)
class Burst:
    """What the late part of a burst gave, per density: mean energies, their drift, and its noise.

    time: its end.
    """

    time: float
    energies: Real
    drift: Real
    noise: Real

    @classmethod
    def read(cls, times: Real, energies: Real) -> Burst:
        """Return what energies at some times say, (time, density).

        The drift is by regression; its noise a quarter of what the slopes of its halves differ by, as it is where the
        noise is white.
        """
        middle = len(times) // 2
        slopes = [_slope(times[part], energies[part]) for part in (slice(None), slice(middle), slice(middle, None))]
        return cls(float(times[-1]), energies.mean(axis=0), slopes[0], (slopes[2] - slopes[1]) / 4)

    @property
    def row(self) -> list[float]:
        """All of it, as one row."""
        return [self.time, *self.energies, *self.drift, *self.noise]

    @classmethod
    def of(cls, row: Real) -> Burst:
        """Return the burst of a row."""
        return cls(float(row[0]), *np.split(row[1:], 3))


def mixed(slow: SlowVariables, bursts: Sequence[Burst]) -> tuple[Real, float]:
    """Return the step from the last burst to where the drift vanishes, and its uncertainty (as a distance).

    Every burst b, with energies e_b, proposes e_b + r_b, r_b its Newton step, known to within s_b. They are mixed with
    weights a_b of sum 1 that make |sum a_b r_b|^2 + sum a_b^2 s_b^2 smallest: Anderson mixing where steps are clear,
    the mean of what is proposed where noise is all that is left.
    """
    energies = np.array([burst.energies for burst in bursts])
    steps = np.array([slow.newton(burst.drift) for burst in bursts])
    noise = np.array([slow.distance(slow.newton(burst.noise)) ** 2 for burst in bursts])
    products = slow.product(steps)
    matrix = products + np.diag(np.maximum(noise, EXACT * max(float(np.diag(products).max()), 1e-300)))
    weights = np.linalg.solve(matrix / np.trace(matrix), np.ones(len(bursts)))
    weights /= weights.sum()
    return weights @ (energies + steps) - energies[-1], float(np.sqrt(weights**2 @ noise))


def _slope(times: Real, values: Real) -> Real:
    centred = times - times.mean()
    return np.asarray(centred @ values / max(float(centred @ centred), 1e-300), np.float64)
