"""Bursts of evolution, and the state without drift of the slow densities that they predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]

LEAST_NOISE = 1e-12
"""Smallest squared noise of a step, relative to the largest squared step.

It keeps the matrix of `mixed` regular if all bursts propose the same step.
"""


class Responding(Protocol):
    """Slow densities with a response: `SlowVariables`, or the `Profile` of a density that is transported."""

    def newton(self, drift: Real) -> Real:
        """Return the change of the densities that makes their drift vanish."""
        ...

    def product(self, energies: Real, /) -> Real:
        """Return the products of all pairs of changes of the densities (change, density): (change, change)."""
        ...

    def distance(self, energies: Real, /) -> float:
        """Return the length of a change of the densities."""
        ...


@dataclass(frozen=True)
class Burst:
    """The measurements of the late part of a burst.

    time: the end of the burst. energies, drift, noise: of every density the mean energy, its drift, and the noise of
    the drift. flows: the mean current through every bond, where there is one.
    """

    time: float
    energies: Real
    drift: Real
    noise: Real
    flows: Real = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def read(cls, times: Real, energies: Real) -> Burst:
        """Return the burst with the given energies (time, density).

        A linear regression gives the drift. A quarter of the difference between the slopes of the two halves gives its
        noise; this is right for white noise.
        """
        middle = len(times) // 2
        slopes = [_slope(times[part], energies[part]) for part in (slice(None), slice(middle), slice(middle, None))]
        return cls(float(times[-1]), energies.mean(axis=0), slopes[0], (slopes[2] - slopes[1]) / 4)

    @property
    def row(self) -> list[float]:
        """The burst as one row of numbers."""
        return [self.time, *self.energies, *self.drift, *self.noise, *self.flows]

    @classmethod
    def of(cls, row: Real, count: int) -> Burst:
        """Return the burst that `row` wrote. count: the number of densities."""
        return cls(float(row[0]), *np.split(row[1:], [count, 2 * count, 3 * count]))


def mixed(slow: Responding, bursts: Sequence[Burst]) -> tuple[Real, float]:
    """Return the step from the last burst to the state without drift, and the uncertainty of the step (as a distance).

    Every burst b, with energies e_b, proposes the energies e_b + r_b. Here r_b is its Newton step, with the uncertainty
    s_b. The proposals are mixed with weights a_b of sum 1 that minimise |sum a_b r_b|^2 + sum a_b^2 s_b^2. This is
    Anderson mixing if the noise is small, and an average of the proposals if noise dominates.
    """
    energies = np.array([burst.energies for burst in bursts])
    steps = np.array([slow.newton(burst.drift) for burst in bursts])
    noise = np.array([slow.distance(slow.newton(burst.noise)) ** 2 for burst in bursts])
    products = slow.product(steps)
    matrix = products + np.diag(np.maximum(noise, LEAST_NOISE * max(float(np.diag(products).max()), 1e-300)))
    weights = np.linalg.solve(matrix / np.trace(matrix), np.ones(len(bursts)))
    weights /= weights.sum()
    return weights @ (energies + steps) - energies[-1], float(np.sqrt(weights**2 @ noise))


def _slope(times: Real, values: Real) -> Real:
    centred = times - times.mean()
    return np.asarray(centred @ values / max(float(centred @ centred), 1e-300), np.float64)
