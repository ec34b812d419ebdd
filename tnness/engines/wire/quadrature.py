"""Energy integrals: Gauss-Legendre nodes, windows split at thresholds, and weights for integrands with a pole.

For a smooth f, interpolated at Legendre nodes, and a pole anywhere,

    int f(E) / (E - lambda) dE = sum_k W_k(lambda) f(E_k),
    W_k(lambda) = -w_k sum_l (2 l + 1) P_l(x_k) Q_l(z),   z = (lambda - centre) / half width,

with Q_l the Legendre functions of the second kind: exact however narrow the resonance.
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

NEAR = 1.2
"""Bernstein parameter of a pole beyond which Q_l is integrated directly: upward recurrence loses NEAR^(2 l) there."""
DIRECT = 128
"""Nodes of that integral: exact to NEAR^(-2 x DIRECT)."""


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
        """Middle."""
        return (self.start + self.stop) / 2

    @property
    def half(self) -> float:
        """Half width."""
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


def panels(start: float, stop: float, thresholds: ArrayLike) -> list[Panel]:
    """Return the window cut at the thresholds inside it.

    Raises
    ------
    InputError: a window that is empty or the wrong way round.
    """
    if not stop > start:
        raise InputError(f"the energy window from {start:g} to {stop:g} is empty")
    known = np.asarray(thresholds, dtype=float)
    width = stop - start
    inside = known[(known > start - 1e-9 * width) & (known < stop + 1e-9 * width)]
    edges = np.unique(np.clip(np.concatenate([[start, stop], inside]), start, stop))
    edges = edges[np.concatenate([[True], np.diff(edges) > 1e-9 * width])]
    edges[-1] = stop
    near = [bool(np.any(np.abs(inside - edge) <= 1e-9 * width)) for edge in edges]
    return [Panel(edges[i], edges[i + 1], near[i], near[i + 1]) for i in range(len(edges) - 1)]


@dataclass(frozen=True)
class LegendreRule:
    """Gauss-Legendre nodes on a panel without thresholds, with weights for poles."""

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

    def pole_weights(self, poles: ArrayLike) -> Complex:
        """Return W_k(lambda), the weights of int f(E) / (E - lambda) dE: (pole, count)."""
        x, w = self.points
        z = (np.asarray(poles, dtype=complex) - self.panel.centre) / self.panel.half
        degrees = np.arange(self.count)
        values = legendre.legvander(x, self.count - 1) * w[:, None]  # (node, degree)
        return -(second_kind(z, self.count) * (2 * degrees + 1)) @ values.T

    @property
    def basis(self) -> Real:
        """P_l(x_k): (count, count), nodes first."""
        return np.asarray(legendre.legvander(self.points[0], self.count - 1), float)

    @property
    def transform(self) -> Real:
        """The matrix (degree, node) that takes values at the nodes to coefficients of their Legendre series."""
        return (2 * np.arange(self.count) + 1)[:, None] / 2 * (self.basis * self.points[1][:, None]).T

    @property
    def degree_weights(self) -> Real:
        """int P_l(x)^2 dE = 2 half / (2 l + 1): (degree,)."""
        return np.asarray(2 * self.panel.half / (2 * np.arange(self.count) + 1), float)


def second_kind(z: ArrayLike, count: int) -> Complex:
    """Return Q_l(z) = 1/2 int_-1^1 P_l(x) / (z - x) dx for l < count and z off the interval: (..., count).

    >>> round(complex(second_kind(2.0, 1)[0]).real, 12)  # ln(3) / 2
    0.549306144334
    """
    z = np.asarray(z, dtype=complex)
    found = np.empty((*z.shape, count), complex)
    # Two logarithms: the sign of a tiny imaginary part says on which side of the interval z lies.
    found[..., 0] = (np.log(1 + z) - np.log(z - 1)) / 2
    if count > 1:
        found[..., 1] = z * found[..., 0] - 1
    for degree in range(1, count - 1):
        new = ((2 * degree + 1) * z * found[..., degree] - degree * found[..., degree - 1]) / (degree + 1)
        found[..., degree + 1] = new
    root = np.sqrt(z - 1) * np.sqrt(z + 1)
    far = np.abs(z + root) > NEAR
    if far.any():
        x, w = gauss(DIRECT)
        values = legendre.legvander(x, count - 1) * w[:, None] / 2
        found[far] = (1 / (z[far][..., None] - x)) @ values
    return found
