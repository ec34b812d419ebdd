"""Energy integrals: Gauss-Legendre nodes, windows split at thresholds, and the error of the nodes for a pole.

    int dE / (E - lambda) = sum_k w_k / (E_k - lambda) - 2 Q_n(z) / P_n(z),   z = (lambda - centre) / half width,

for n nodes, with the Legendre functions P_n and Q_n: exact however narrow the resonance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import ArrayLike, NDArray

from tnness.errors import InputError

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]

CANCELS = 1e-8
"""Where the nodes' error for a pole is below this, the difference of integral and sum has lost half its digits."""
DIRECT_NODES = 64
"""Nodes of the integral for Legendre functions of the second kind."""


@lru_cache(maxsize=64)
def gauss(count: int) -> tuple[Real, Real]:
    """Return Gauss-Legendre nodes and weights on [-1, 1]; computed once for each number."""
    return legendre.leggauss(count)


@dataclass(frozen=True)
class Panel:
    """An energy interval, and at which of its ends a threshold makes the integrand a function of sqrt(|E - end|)."""

    start: float
    stop: float
    root_start: bool = False
    root_stop: bool = False

    @property
    def centre(self) -> float:
        """Middle of the interval."""
        return (self.start + self.stop) / 2

    @property
    def half(self) -> float:
        """Half width of the interval."""
        return (self.stop - self.start) / 2

    def halves(self) -> tuple[Panel, Panel]:
        """Return its two halves."""
        return (
            Panel(self.start, self.centre, root_start=self.root_start),
            Panel(self.centre, self.stop, root_stop=self.root_stop),
        )

    def rule(self, count: int) -> tuple[Real, Real]:
        """Return nodes and weights. Next to a threshold the nodes are Legendre's in sqrt(|E - threshold|)."""
        x, w = gauss(count)
        if self.root_start and self.root_stop:
            angle, weight = np.pi / 4 * (x + 1), np.pi / 4 * w  # E = start + width sin^2: a square root at both ends
            return self.start + 2 * self.half * np.sin(angle) ** 2, 2 * self.half * np.sin(2 * angle) * weight
        if not (self.root_start or self.root_stop):
            return self.centre + self.half * x, self.half * w
        root, weight = (x + 1) / 2, w / 2
        steps, weights = 2 * self.half * root**2, 4 * self.half * root * weight
        return (self.start + steps, weights) if self.root_start else (self.stop - steps, weights)


def energy_panels(start: float, stop: float, thresholds: ArrayLike) -> list[Panel]:
    """Return the window cut at the thresholds inside it.

    Raises
    ------
    InputError: the window is empty or its ends are exchanged.
    """
    if not stop > start:
        raise InputError(f"the energy window from {start:g} to {stop:g} is empty")
    energies = np.asarray(thresholds, dtype=float)
    width = stop - start
    inside = energies[(energies > start - 1e-9 * width) & (energies < stop + 1e-9 * width)]
    edges = np.unique(np.clip(np.concatenate([[start, stop], inside]), start, stop))
    edges = edges[np.concatenate([[True], np.diff(edges) > 1e-9 * width])]
    edges[-1] = stop
    near = [bool(np.any(np.abs(inside - edge) <= 1e-9 * width)) for edge in edges]
    return [Panel(edges[i], edges[i + 1], near[i], near[i + 1]) for i in range(len(edges) - 1)]


@dataclass(frozen=True)
class LegendreRule:
    """Gauss-Legendre nodes on a panel without thresholds, and their error for a pole.

    A pole lies below the real axis and is given by z, its distance from the middle of the panel in half widths.
    """

    panel: Panel
    count: int

    @cached_property
    def points(self) -> tuple[Real, Real]:
        """Nodes and weights on [-1, 1]."""
        return gauss(self.count)

    @property
    def nodes(self) -> Real:
        """Energies: (count,)."""
        return self.panel.centre + self.panel.half * self.points[0]

    @property
    def weights(self) -> Real:
        """Weights of the plain integral: (count,)."""
        return self.panel.half * self.points[1]

    @property
    def highest(self) -> Real:
        """Weights that give the highest coefficient of the Legendre series through the nodes: (count,)."""
        x, w = self.points
        return (self.count - 0.5) * w * _legendre(x, self.count - 1)

    def scaled(self, energy: ArrayLike) -> Complex:
        """Return z of an energy."""
        return (_complex(energy) - self.panel.centre) / self.panel.half

    def missed(self, z: ArrayLike) -> Complex:
        """Return K = int dE / (E - lambda) - sum_k w_k / (E_k - lambda) = -2 Q_n(z) / P_n(z)."""
        x, w = self.points
        z = _complex(z)
        difference = np.log(1 - z) - np.log(-1 - z) - np.sum(w / (x - z[..., None]), axis=-1)
        far = np.abs(difference) < CANCELS
        return np.where(far, -2 * _second_kind(np.where(far, z, 2), self.count) / _legendre(z, self.count), difference)

    def highest_of_pole(self, z: ArrayLike) -> Complex:
        """Return minus the highest coefficient of the series through 1 / (x - z): (2 n - 1) / (n P_n(z))."""
        return _complex((2 * self.count - 1) / (self.count * _legendre(_complex(z), self.count)))

    def missed_per_highest(self, reach: float) -> float:
        """Return the ratio of `missed` to `highest_of_pole` at z = reach > 1."""
        n = self.count
        return -2 * n / (2 * n - 1) * float(_second_kind(_complex(reach), n).real)

    def last_degree(self, z: ArrayLike) -> Complex:
        """Return the highest Legendre polynomial at z."""
        return _legendre(_complex(z), self.count - 1)

    def node_polynomial(self, z: ArrayLike) -> Complex:
        """Return prod_k (z - x_k)."""
        return np.prod(_complex(z)[..., None] - self.points[0], axis=-1)

    def interpolation(self, z: ArrayLike) -> Complex:
        """Return weights (..., count) that turn values at the nodes into the value of their polynomial at z."""
        x, w = self.points
        degrees = np.arange(self.count)
        basis = legendre.legvander(x, self.count - 1) * w[:, None] * (degrees + 0.5)  # (node, degree)
        z = _complex(z)
        return (legendre.legvander(z.ravel(), self.count - 1) @ basis.T).reshape(*z.shape, self.count)


def _complex(z: ArrayLike) -> Complex:
    return np.asarray(z).astype(np.complex128)


def _second_kind(z: Complex, degree: int) -> Complex:
    """Return Q_n(z) = int_-1^1 (1 - x^2)^n / (2 (z - x))^(n + 1) dx off the interval."""
    x, w = gauss(DIRECT_NODES)
    return _complex(np.sum(w * (1 - x**2) ** degree / (2 * (z[..., None] - x)) ** (degree + 1), axis=-1))


def _legendre(x: NDArray, degree: int) -> NDArray:
    """Return P_degree(x)."""
    return legendre.legval(x, [0] * degree + [1])
