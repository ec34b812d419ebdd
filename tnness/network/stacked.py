"""`StackedState`: many matrix-product states of one chain, evolved together.

The tensors of a site are stacked, (states, left, physical, right), so that one call of LAPACK or BLAS serves all
states: at small bond dimensions the interpreter would cost more than the arithmetic. Each state keeps as many Schmidt
values as it needs; its bonds are padded with zeros to those of the largest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.errors import NumericalError
from tnness.network.chain_state import ChainState
from tnness.network.truncation import Truncation

Array = NDArray[Any]


@dataclass
class StackedState:
    """Normalised matrix-product states.

    Parameters
    ----------
    tensors: of each site (states, left, physical, right), complex; centre: site of the orthogonality centre of all.
    dropped: sum of the relative weights that each state has lost so far: (states,).
    largest: largest bond dimension of each state so far: (states,).
    """

    tensors: list[Array]
    centre: int = 0
    dropped: Array = field(default_factory=lambda: np.zeros(0))
    largest: Array = field(default_factory=lambda: np.zeros(0, int))

    def __post_init__(self) -> None:
        if not self.dropped.size:
            self.dropped = np.zeros(self.count)
        if not self.largest.size:
            self.largest = np.full(self.count, max((t.shape[3] for t in self.tensors), default=1))

    @classmethod
    def copies(cls, state: ChainState, count: int) -> StackedState:
        """Return so many copies of one state.

        >>> stack = StackedState.copies(ChainState.product([[1.0, 0.0]] * 3), 5)
        >>> stack.count, stack.n, [tensor.shape for tensor in stack.tensors][0]
        (5, 3, (5, 1, 2, 1))
        """
        start = state.copy(complex)
        start.canonicalise(0)
        return cls([np.repeat(tensor[None], count, axis=0) for tensor in start.tensors])

    @property
    def count(self) -> int:
        """Number of states."""
        return len(self.tensors[0])

    @property
    def n(self) -> int:
        """Number of sites."""
        return len(self.tensors)

    def state(self, number: int) -> ChainState:
        """Return one of the states; its bonds are padded."""
        return ChainState([np.ascontiguousarray(tensor[number]) for tensor in self.tensors], self.centre)

    def move_centre(self, site: int) -> None:
        """Move the centre by QR."""
        while self.centre < site:
            self._pass_right()
        while self.centre > site:
            self._pass_left()

    def layer(self, gates: Sequence[Array | None], truncation: Truncation) -> None:
        """Apply one layer of unitary gates, with the centre moving from one end of the chain to the other.

        gates: per bond (d d', d d') for all states or (states, d d', d d'), or None.
        """
        if self.centre != self.n - 1:
            self.move_centre(0)
        rightwards = self.centre == 0
        for bond in range(self.n - 1) if rightwards else range(self.n - 2, -1, -1):
            gate = gates[bond]
            if gate is not None:
                self.on_bond(bond, gate, truncation, rightwards)
            elif rightwards:
                self._pass_right()
            else:
                self._pass_left()

    def on_site(self, site: int, matrices: Array) -> None:
        """Apply (d, d) or (states, d, d) to a site. Unless they are unitary the site is the centre, and is normalised.

        The bonds do not change.
        """
        turned = np.matmul(matrices if matrices.ndim == 2 else matrices[:, None], self.tensors[site])
        self.tensors[site] = turned / _norms(turned) if site == self.centre else turned

    def on_bond(self, bond: int, gate: Array, truncation: Truncation, rightwards: bool) -> None:
        """Apply a gate to two neighbours, one of which is the centre, normalise, and truncate their bond.

        The centre moves to the right, or to the left, one of the two.
        """
        theta = self.pair(bond)
        count, left, p, q, right = theta.shape
        if gate.ndim == 3:
            gate = gate[:, None]
        block = np.matmul(gate, theta.reshape(count, left, p * q, right))
        matrix = block.reshape(count, left * p, q * right)
        matrix = matrix / _norms(matrix)
        if not rightwards:
            matrix = matrix.transpose(0, 2, 1)
        isometry, kept, dropped = dominant_vectors(matrix, truncation)
        remainder = isometry.conj().transpose(0, 2, 1) @ matrix
        remainder = remainder / _norms(remainder)
        if rightwards:
            self.tensors[bond] = isometry.reshape(count, left, p, -1)
            self.tensors[bond + 1] = remainder.reshape(count, -1, q, right)
        else:
            transposed = np.ascontiguousarray(remainder.transpose(0, 2, 1))
            self.tensors[bond] = transposed.reshape(count, left, p, -1)
            self.tensors[bond + 1] = np.ascontiguousarray(isometry.transpose(0, 2, 1)).reshape(count, -1, q, right)
        self.centre = bond + 1 if rightwards else bond
        self.dropped = self.dropped + dropped
        self.largest = np.maximum(self.largest, kept)

    def pair(self, bond: int) -> Array:
        """Return the contracted tensors of two neighbours: (states, left, p, q, right)."""
        first, second = self.tensors[bond], self.tensors[bond + 1]
        count, left, p, inner = first.shape
        _, _, q, right = second.shape
        product = first.reshape(count, left * p, inner) @ second.reshape(count, inner, q * right)
        return product.reshape(count, left, p, q, right)

    def site_density(self, site: int) -> Array:
        """Return the density matrices of the site of the centre: (states, d, d), of trace 1."""
        self.move_centre(site)
        return _density(self.tensors[site])

    def pair_density(self, bond: int) -> Array:
        """Return the density matrices of two neighbours: (states, d d', d d'), of trace 1."""
        if self.centre not in (bond, bond + 1):
            self.move_centre(bond)
        theta = self.pair(bond)
        count, left, p, q, right = theta.shape
        return _density(theta.reshape(count, left, p * q, right))

    def copy(self) -> StackedState:
        """Return a copy; tensors are shared, since no operation changes one in place."""
        return StackedState(list(self.tensors), self.centre, self.dropped, self.largest)

    def pair_densities(self) -> list[Array]:
        """Return the density matrices of all pairs of neighbours; the states do not change."""
        own = self.copy()
        own.move_centre(0)
        return [own.pair_density(bond) for bond in range(own.n - 1)]

    def _pass_right(self) -> None:
        site = self.centre
        count, left, p, bond = self.tensors[site].shape
        basis, factor = np.linalg.qr(self.tensors[site].reshape(count, left * p, bond))
        self.tensors[site] = basis.reshape(count, left, p, -1)
        following = self.tensors[site + 1]
        moved = factor @ following.reshape(count, bond, -1)
        self.tensors[site + 1] = moved.reshape(count, -1, *following.shape[2:])
        self.centre = site + 1

    def _pass_left(self) -> None:
        site = self.centre
        count, bond, p, right = self.tensors[site].shape
        basis, factor = np.linalg.qr(self.tensors[site].reshape(count, bond, p * right).transpose(0, 2, 1))
        self.tensors[site] = np.ascontiguousarray(basis.transpose(0, 2, 1)).reshape(count, -1, p, right)
        before = self.tensors[site - 1]
        moved = before.reshape(count, -1, bond) @ factor.transpose(0, 2, 1)
        self.tensors[site - 1] = moved.reshape(*before.shape[:3], -1)
        self.centre = site - 1


def dominant_vectors(matrices: Array, truncation: Truncation) -> tuple[Array, Array, Array]:
    """Return isometries onto the dominant left singular vectors of matrices of norm 1.

    They are eigenvectors of M M^+. Its eigenvalues, the weights, are exact to round-off, 1e-16 of the whole.

    Parameters
    ----------
    matrices: (states, m, n). truncation: its chi and its cutoff.

    Returns
    -------
    The isometries (states, m, k), where k is the largest number of vectors that a state keeps, and the columns beyond
    its own are 0; these numbers (states,); the weights dropped (states,).
    """
    weights, vectors = np.linalg.eigh(matrices @ matrices.conj().transpose(0, 2, 1))
    weights = np.maximum(weights[:, ::-1], 0.0)
    most = min(*matrices.shape[1:], truncation.chi)
    tails = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1]  # dropped where the first k are kept
    whole = tails[:, :1]
    if not np.isfinite(whole).all():
        raise NumericalError("a number that is not finite (NaN or infinity) appeared in the state")
    needed = np.count_nonzero(tails > max(truncation.cutoff, EIGENVALUE_ROUND_OFF) * whole, axis=1)
    kept = np.clip(needed, 1, most)
    size = int(kept.max())
    columns = np.ascontiguousarray(vectors[:, :, ::-1][:, :, :size])
    columns *= (np.arange(size) < kept[:, None])[:, None, :]
    tails = np.concatenate([tails, np.zeros((len(tails), 1))], axis=1)
    dropped = np.take_along_axis(tails, kept[:, None], 1)[:, 0] / whole[:, 0]
    return columns, kept, dropped


EIGENVALUE_ROUND_OFF = 4e-16
"""Relative weight below which eigenvalues of M M^+ are round-off."""


def _norms(tensors: Array) -> Array:
    """Return the norm of each of the stacked tensors, with as many axes."""
    flat = tensors.reshape(len(tensors), -1)
    real, imag = np.real(flat), np.imag(flat)
    squares = np.einsum("rk,rk->r", real, real) + np.einsum("rk,rk->r", imag, imag)
    if not (squares > 0).all() or not np.isfinite(squares).all():
        raise NumericalError("a state vanished, or holds a number that is not finite")
    return np.sqrt(squares).reshape(-1, *(1,) * (tensors.ndim - 1))


def _density(tensors: Array) -> Array:
    """Return sum_lr A_lpr A*_lqr / |A|^2 of stacked tensors (states, left, p, right)."""
    moved = tensors.transpose(0, 2, 1, 3).reshape(len(tensors), tensors.shape[2], -1)
    density = moved @ moved.conj().transpose(0, 2, 1)
    return density / np.trace(density, axis1=1, axis2=2).real[:, None, None]
