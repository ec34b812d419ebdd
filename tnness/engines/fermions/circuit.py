"""Correlation matrices under free-fermion gates on neighbours, between two reservoirs.

A two-site gate that conserves particles and maps Gaussian states to Gaussian states is a 2 x 2 unitary V on orbitals:
G -> V* G V^T on its two rows and columns, G_ij = <c^+_i c_j>. A sequence of gates is sorted into layers: gates of one
layer share no mode, and gates that share a mode keep their order. A layer is one array operation, on rows only, as G
stays Hermitian. Modes 0 and n + 1 are the reservoirs. Before a gate on bond 0 or n, the reservoir's mode is reset to
its density, without correlations; its state after the gate is discarded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.engines.fermions.quadratic import NotQuadratic
from tnness.errors import InputError

Array = NDArray[Any]

DEVIATION = 1e-10
"""Matrix elements below this count as 0, also those of V^+ V - 1."""


class GaussianCircuit:
    """A chain of n sites between two reservoirs.

    Parameters
    ----------
    correlation: G (n, n), Hermitian, eigenvalues in [0, 1].
    left, right: densities of the reservoirs, 0 to 1 (default: 1/2).
    """

    def __init__(self, correlation: Array, left: float = 0.5, right: float = 0.5) -> None:
        for name, density in (("left", left), ("right", right)):
            if not 0 <= density <= 1:
                raise InputError(f"the density {density:g} of the {name} reservoir is not between 0 and 1")
        self.n, self.left, self.right = len(correlation), left, right
        self._modes = np.zeros((self.n + 2, self.n + 2), complex)
        self._modes[1:-1, 1:-1] = correlation

    @property
    def correlation(self) -> Array:
        """G of the sites: (n, n)."""
        return self._modes[1:-1, 1:-1]

    def apply(self, bonds: Sequence[int] | Array, maps: Array) -> None:
        """Apply gates one after another.

        Parameters
        ----------
        bonds: bond of each gate, from 0 (left reservoir and first site) to n (last site and right reservoir).
        maps: V of each gate (gates, 2, 2), see `orbital_map`; the first mode is the left one.
        """
        bonds, maps = np.asarray(bonds), np.asarray(maps)
        if len(bonds) and not (bonds.min() >= 0 and bonds.max() <= self.n):
            raise InputError(f"gates act on bonds 0 to {self.n}, got {bonds.min()} to {bonds.max()}")
        excess = maps.conj().swapaxes(-1, -2) @ maps - np.eye(2)
        if np.abs(excess).max(initial=0.0) > DEVIATION:
            raise InputError(f"gate {int(np.abs(excess).max((1, 2)).argmax())} is not unitary")
        bonds, maps = products(bonds, maps, self.n)
        for chosen in disjoint_layers(bonds, self.n):
            self._layer(bonds[chosen], maps[chosen])

    def _layer(self, bonds: Array, maps: Array) -> None:
        modes, (a, b, c, d) = self._modes, maps.reshape(-1, 4).T
        for mode, density in ((0, self.left), (self.n + 1, self.right)):
            modes[mode] = modes[:, mode] = 0.0
            modes[mode, mode] = density
        places, count = np.concatenate([bonds, bonds + 1]), len(bonds)
        old = modes[places]  # (2 gates, modes)
        new = np.empty_like(old)
        np.multiply(a.conj()[:, None], old[:count], out=new[:count])
        np.multiply(c.conj()[:, None], old[:count], out=new[count:])
        new[:count] += b.conj()[:, None] * old[count:]
        new[count:] += d.conj()[:, None] * old[count:]
        first, second = new[:, bonds], new[:, bonds + 1]
        new[:, bonds] = first * a + second * b
        new[:, bonds + 1] = first * c + second * d
        modes[:, places] = new.conj().T  # G is Hermitian: half of the products are known
        modes[places] = new


def products(bonds: Array, maps: Array, n: int) -> tuple[Array, Array]:
    """Multiply gates that follow each other on one bond, 1 to n - 1; return the shorter sequence.

    At random places it has a third fewer gates.

    >>> products(np.array([1, 2, 2, 1]), np.array([[[1]], [[2]], [[3]], [[5]]]), 3)[1].ravel().tolist()
    [1, 6, 5]
    """
    last, run_bonds, number = [-1] * (n + 2), list[int](), list[int]()
    for k in bonds.tolist():
        run = last[k]
        if not (run >= 0 and run == last[k + 1] and 0 < k < n):
            run = last[k] = last[k + 1] = len(run_bonds)
            run_bonds.append(k)
        number.append(run)
    runs = np.array(number, int)
    order = np.argsort(runs, kind="stable")
    first = np.flatnonzero(np.diff(runs[order], prepend=-1))
    place = np.arange(len(runs)) - np.repeat(first, np.diff(first, append=len(runs)))
    product = maps[order[first]]
    for k in range(1, int(place.max(initial=0)) + 1):
        later = order[place == k]
        product[runs[later]] = maps[later] @ product[runs[later]]
    return np.array(run_bonds, int), product


def disjoint_layers(bonds: Sequence[int] | Array, n: int) -> list[Array]:
    """Return the indices of the gates, layer by layer.

    Gates of a layer share no mode; gates that share one keep their order.

    >>> [layer.tolist() for layer in disjoint_layers([0, 1, 3, 1], 4)]
    [[0, 2], [1], [3]]
    """
    depth, layer_of = [0] * (n + 2), np.empty(len(bonds), int)
    for number, k in enumerate(np.asarray(bonds).tolist()):
        here = max(depth[k], depth[k + 1])
        layer_of[number] = here
        depth[k] = depth[k + 1] = here + 1
    order = np.argsort(layer_of, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(layer_of[order])) + 1) if len(order) else []


def orbital_map(gates: Array, occupied: int = 0) -> Array:
    """Return V of two-site gates: a particle on mode i becomes sum_j V_ji |particle on mode j>.

    Parameters
    ----------
    gates: unitaries (..., 4, 4) on two sites, first site major, by Jordan-Wigner.
    occupied: the level that holds a particle (default 0, spin up).

    Raises
    ------
    NotQuadratic: a gate that does not conserve particles, or makes them interact.

    >>> iswap = np.array([[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]])
    >>> orbital_map(iswap).imag.tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    order = np.array([0, 1, 2, 3] if occupied == 0 else [3, 2, 1, 0])  # both, first, second, none
    matrix = np.asarray(gates, complex)[..., order[:, None], order]
    kept = np.zeros((4, 4), bool)
    kept[0, 0] = kept[3, 3] = True
    kept[1:3, 1:3] = True
    if np.abs(np.where(kept, 0, matrix)).max(initial=0.0) > DEVIATION:
        raise NotQuadratic("a gate does not conserve the number of particles")
    vacuum = matrix[..., 3, 3]
    maps = matrix[..., 1:3, 1:3] / vacuum[..., None, None]
    if np.abs(np.linalg.det(maps) - matrix[..., 0, 0] / vacuum).max(initial=0.0) > DEVIATION:
        raise NotQuadratic("a gate makes particles interact: its phase on two of them is not that of free fermions")
    return maps


def haar_maps(rng: np.random.Generator, count: int) -> Array:
    """Return Haar-distributed V in U(2): (count, 2, 2)."""
    normal = rng.standard_normal((2, count, 2, 2))
    q, r = np.linalg.qr(normal[0] + 1j * normal[1])
    diagonal = np.einsum("kii->ki", r)
    return q * (diagonal / np.abs(diagonal))[:, None, :]
