"""The error of the time step of trajectories, from pieces of the chain that are small enough for density matrices.

On average a time step is a splitting between Hamiltonian and jumps, and within the Hamiltonian; nothing else is wrong
with it. The same splitting moves the density matrix of some four neighbours at both ends and in the middle, at the
time step of the trajectories and at half of it. A third of their difference more is the error of the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.engines.pure.unraveling import JumpWindow, kraus_of
from tnness.problems.lindbladian import Lindbladian

Array = NDArray[Any]

LARGEST_PIECE = 16
"""Most states of a piece."""
RICHARDSON = 4 / 3
"""Error of a step of second order, in units of its difference from two steps of half the length."""


def pieces_of(levels: Sequence[int]) -> list[slice]:
    """Return the pieces of a chain: at both ends and in the middle, as long as possible.

    >>> pieces_of([2] * 9), pieces_of([4, 4, 4])
    ([slice(0, 4, None), slice(2, 6, None), slice(5, 9, None)], [slice(0, 2, None), slice(1, 3, None)])
    """
    n = len(levels)
    length = next(k for k in range(n, 0, -1) if max(levels) ** k <= LARGEST_PIECE or k == 2)
    starts = sorted({0, (n - length) // 2, n - length})
    return [slice(start, start + length) for start in starts]


def pieces(problem: Lindbladian, windows: Sequence[JumpWindow], marginal: Callable[[slice], Array]) -> list[Piece]:
    """Return the pieces of a chain at time 0; none where rates or terms depend on time, or jumps are odd in fermions.

    marginal: returns the initial density matrix of consecutive sites.
    """
    if problem.driven or any(jump.odd for window in windows for jump in window.jumps):
        return []
    levels, made = [space.levels for space in problem.spaces], []
    for part in pieces_of(levels):
        inside = range(part.start, part.stop)
        bonds = [-1j * problem.bond_hamiltonian_shared(i) for i in inside[:-1]]
        own = [window for window in windows if window.sites[0] in inside and window.sites[-1] in inside]
        rho = marginal(part)
        made.append(Piece(bonds, own, levels[part], part.start, [rho, rho.copy()]))
    return made


@dataclass
class Piece:
    """Some neighbours, with the density matrices of both time steps.

    bonds: -i H of each bond inside. windows: inside. levels: of the sites. twins: the density matrices.
    """

    bonds: list[Array]
    windows: list[JumpWindow]
    levels: list[int]
    first: int
    twins: list[Array]
    _made: dict[Any, Array] = field(default_factory=dict)

    def advance(self, length: float, steps: int, layers: Sequence[tuple[int, float]]) -> None:
        """Evolve by a length, in so many steps and in twice as many. layers: of a step of H: parity, fraction."""
        for twin, count in enumerate((steps, 2 * steps)):
            dt, rho = float(_key(length / count)), self.twins[twin]
            rho = self._free(rho, dt / 2, layers)
            for step in range(count):
                rho = self._jump(rho, dt)
                rho = self._free(rho, dt if step < count - 1 else dt / 2, layers)
            self.twins[twin] = np.ascontiguousarray(rho)

    def error(self) -> float:
        """Return the error of an average of two neighbours, in units of the largest value of their operator."""
        difference = self.twins[0] - self.twins[1]
        pairs = [self.pair(difference, bond) for bond in range(len(self.levels) - 1)]
        return RICHARDSON * max(float(np.abs(np.linalg.eigvalsh(pair)).sum()) for pair in pairs)

    def pair(self, rho: Array, bond: int) -> Array:
        """Return the part of two neighbours of a matrix of the piece: (d d', d d'), Hermitian."""
        parts = (self.levels[:bond], self.levels[bond : bond + 2], self.levels[bond + 2 :])
        sides = [int(np.prod(part)) for part in parts]
        traced = np.einsum("apbaqb->pq", rho.reshape(*sides, *sides))
        return (traced + traced.conj().T) / 2

    def _free(self, rho: Array, length: float, layers: Sequence[tuple[int, float]]) -> Array:
        turn = self._kept(("free", _key(length)), lambda: self._unitary(length, layers))
        return turn @ rho @ turn.conj().T

    def _jump(self, rho: Array, dt: float) -> Array:
        whole = all(len(window.sites) == 1 for window in self.windows)
        numbers = range(len(self.windows))
        for number in numbers if whole else (*numbers, *reversed(numbers)):
            length = dt if whole else dt / 2
            kraus = self._kept((number, _key(length)), lambda k=number, t=length: self._kraus(k, t))
            rho = np.einsum("kab,bc,kdc->ad", kraus, rho, kraus.conj(), optimize=True)
        return rho

    def _kept(self, key: Any, make: Callable[[], Array]) -> Array:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _unitary(self, length: float, layers: Sequence[tuple[int, float]]) -> Array:
        turn = np.eye(int(np.prod(self.levels)), dtype=complex)
        for parity, fraction in layers:
            for number, bond in enumerate(self.bonds):
                if (self.first + number) % 2 == parity:
                    values, vectors = np.linalg.eigh(1j * bond)
                    gate = (vectors * np.exp(-1j * fraction * length * values)) @ vectors.conj().T
                    turn = self._embedded(gate, number, 2) @ turn
        return turn

    def _kraus(self, number: int, length: float) -> Array:
        window = self.windows[number]
        kraus = kraus_of([jump.matrix for jump in window.jumps], window.rates(0.0), length)
        return np.array([self._embedded(k, window.sites[0] - self.first, len(window.sites)) for k in kraus])

    def _embedded(self, matrix: Array, site: int, count: int) -> Array:
        left, right = (np.eye(int(np.prod(part))) for part in (self.levels[:site], self.levels[site + count :]))
        return reduce(np.kron, (left, matrix, right))


def _key(length: float) -> str:
    return f"{length:.12e}"
