"""Unitaries and commutators of two large sites, applied to the ket and the bra apart.

A map rho -> U rho U^+ of two sites is a matrix of d^4 x d^4 real numbers in the operator basis: 3.4 GB at d = 12. Here
coefficients are turned into matrix elements rho_ij instead, U (d^2 x d^2) acts on the ket index, U* on the bra index,
and they are turned back: O(d^6), or O(d^5) where U falls into blocks of a conserved number, in place of O(d^8).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.linalg as linalg
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from tnness.errors import ModelError
from tnness.operators.basis import LocalSpace
from tnness.operators.terms import Matrix

Array = NDArray[Any]

WORKING_SET = 2_000_000
"""Bytes of matrix elements that are treated at a time: they stay in a processor's cache."""
_ROOT = np.sqrt(0.5)


class Units:
    """The matrix units |j><k| of a site: first all j < k, then their conjugates, then the diagonal ones.

    A quantum space with the elements of `hermitian_elements` is needed: symmetric and antisymmetric parts of single
    |j><k|, and diagonal matrices.
    """

    def __init__(self, space: LocalSpace) -> None:
        elements, d = space.elements, space.levels
        upper = np.abs(np.triu(elements, 1)) > 1e-12
        flat = np.abs(np.einsum("ajj->aj", elements)).max(axis=1) > 1e-12
        pairs = upper.sum(axis=(1, 2))
        if not space.quantum or space.graded or not np.all((pairs == 0) | ((pairs == 1) & ~flat)):
            raise ModelError(
                f"sites of the space {space.name} are too large for a term on two of them together: only plain quantum "
                "spaces (boson, spin, levels, clock, quantum_space) have large two-site Hamiltonians"
            )
        where = {True: dict[tuple[int, int], int](), False: dict[tuple[int, int], int]()}
        for a in np.flatnonzero(pairs).tolist():
            j, k = (int(x) for x in np.argwhere(upper[a])[0])
            where[bool(abs(elements[a, j, k].imag) < 1e-12)][j, k] = a
        both = sorted(where[True])
        self.count, self.levels = len(both), d
        self.symmetric = _run([where[True][pair] for pair in both])
        self.antisymmetric = _run([where[False][pair] for pair in both])
        self.flat = np.flatnonzero(pairs == 0)
        self.diagonal = np.ascontiguousarray(np.einsum("ass->sa", elements[self.flat]).real)  # (level, element)
        self.place = np.zeros((d, d), np.intp)  # of |j><k| among the units
        for number, (j, k) in enumerate(both):
            self.place[j, k], self.place[k, j] = number, self.count + number
        self.place[np.diag_indices(d)] = 2 * self.count + np.arange(d)


def _run(places: list[int]) -> slice | NDArray[np.intp]:
    """Return equally spaced places as a slice."""
    steps = set(np.diff(places).tolist())
    if len(places) > 1 and len(steps) == 1:
        step = int(steps.pop())
        return slice(places[0], places[-1] + 1, step)
    return np.array(places, np.intp)


def blocks_of(matrix: Matrix) -> list[NDArray[np.intp]]:
    """Return the sets of levels that a matrix does not connect.

    >>> [block.tolist() for block in blocks_of(np.array([[1, 0, 2], [0, 0, 0], [2, 0, 0]]))]
    [[0, 2], [1]]
    """
    connected = sparse.csr_array(np.abs(matrix) > 1e-14 * np.abs(matrix).max(initial=1e-300))
    _, labels = connected_components(connected, directed=False)
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


class PairHamiltonian:
    """A Hermitian h of two sites and what it does to coefficients (left, D D', right).

    Parameters
    ----------
    matrix: (d d', d d'), first site major. first, second: the spaces of the sites.

    >>> from tnness.operators.basis import boson
    >>> b = boson(2)
    >>> hop = b.Bd(0) * b.B(1) + b.Bd(1) * b.B(0)
    >>> h = PairHamiltonian(hop.matrix((0, 1), {0: 3, 1: 3}), b, b)
    >>> rho = np.kron(b.vector(np.diag([0, 1, 0])), b.vector(np.diag([1, 0, 0])))  # one boson on the left
    >>> after = h.evolved(rho.reshape(1, -1, 1), np.pi / 2)  # it is on the right
    >>> bool(np.allclose(after.ravel(), np.kron(b.vector(np.diag([1, 0, 0])), b.vector(np.diag([0, 1, 0])))))
    True
    """

    def __init__(self, matrix: Matrix, first: LocalSpace, second: LocalSpace) -> None:
        self.matrix, self.spaces = np.asarray(matrix, complex), (first, second)
        self._levels = blocks_of(self.matrix)

    @cached_property
    def _layout(self) -> PairLayout:
        return PairLayout(_units_of(self.spaces[0]), _units_of(self.spaces[1]), self._levels)

    @cached_property
    def _pieces(self) -> list[Matrix]:
        return [np.ascontiguousarray(self.matrix[np.ix_(own, own)]) for own in self._levels]

    @cached_property
    def _spectra(self) -> list[tuple[NDArray[np.float64], Matrix]]:
        return [linalg.eigh(piece) for piece in self._pieces]  # type: ignore[misc]

    @cached_property
    def spread(self) -> float:
        """The difference of the largest and smallest eigenvalue: the spectral norm of rho -> -i[h, rho]."""
        return float(np.ptp(self._values))

    @cached_property
    def size(self) -> float:
        """The largest eigenvalue in size: the spectral norm of rho -> -(h rho + rho h)/2."""
        return float(np.abs(self._values).max())

    @cached_property
    def _values(self) -> NDArray[np.float64]:
        return np.concatenate([values for values, _ in self._spectra])

    def unitary(self, time: float) -> KetBra:
        """Return rho -> exp(-i h t) rho exp(i h t)."""
        return self.conjugation(-1j * time)

    def conjugation(self, factor: complex) -> KetBra:
        """Return rho -> exp(factor h) rho exp(factor h)^+."""
        pieces = [(vectors * np.exp(factor * values)) @ vectors.conj().T for values, vectors in self._spectra]
        return KetBra(self._layout, pieces)

    def evolved(self, coefficients: Array, time: float) -> Array:
        """Return the coefficients after a time: (left, D D', right), real."""
        return self.unitary(time).applied(coefficients.copy())

    @cached_property
    def _commutator(self) -> KetBra:
        return KetBra(self._layout, self._pieces, commutator=True)

    def commuted(self, coefficients: Array) -> Array:
        """Return those of -i [h, rho]: (left, D D', right), real."""
        return self._commutator.applied(np.array(coefficients, float, order="C"))


_UNITS: dict[LocalSpace, Units] = {}


def _units_of(space: LocalSpace) -> Units:
    if space not in _UNITS:
        _UNITS[space] = Units(space)
    return _UNITS[space]


class PairLayout:
    """Where the matrix elements of two sites stand: in the order of their units, and in blocks of levels.

    Parameters
    ----------
    first, second: the units of the sites. levels: the blocks.
    """

    def __init__(self, first: Units, second: Units, levels: Sequence[NDArray[np.intp]]) -> None:
        self.first, self.second = first, second
        self.size, self.dims = first.levels * second.levels, (first.levels**2, second.levels**2)
        self.edges = [*pairwise(np.cumsum([0, *(len(own) for own in levels)]).tolist())]
        i, k = np.divmod(np.concatenate(levels), second.levels)  # levels of the two sites, in the order of the blocks
        self.gather = (first.place[np.ix_(i, i)] * self.dims[1] + second.place[np.ix_(k, k)]).ravel()
        back = np.empty(self.size**2, np.intp)
        back[self.gather] = np.arange(self.size**2).reshape(self.size, -1).T.ravel()  # it is transposed in between
        rows = np.r_[0 : first.count, 2 * first.count : self.dims[0]]
        self.back = np.ascontiguousarray(back.reshape(self.dims)[rows].ravel())


class KetBra:
    """rho -> A rho A^+, or -i [A, rho], on coefficients of two sites; A in blocks of levels."""

    def __init__(self, layout: PairLayout, pieces: Sequence[Matrix], commutator: bool = False) -> None:
        self._layout, self._is_commutator = layout, commutator
        self._first, self._second, self._edges = layout.first, layout.second, layout.edges
        self._pieces = [np.ascontiguousarray(piece) for piece in pieces]

    def theta(self, first: Array, second: Array) -> Array:
        """Contract two neighbouring tensors and apply the map: (left p, q right)."""
        left, p, bond = first.shape
        _, q, right = second.shape
        pair = first.reshape(left * p, bond) @ second.reshape(bond, q * right)
        return self.applied(pair.reshape(left, p * q, right)).reshape(left * p, q * right)

    def applied(self, theta: Array) -> Array:
        """Apply the map to real coefficients (left, D D', right), which are overwritten and returned."""
        left, _, right = theta.shape
        dtype = np.complex64 if theta.dtype == np.float32 else np.complex128
        per_column = self._layout.size**2 * np.dtype(dtype).itemsize
        width = max(1, min(right, WORKING_SET // per_column))
        whole = theta.reshape(left, *self._layout.dims, right)
        for part in whole:
            for start in range(0, right, width):
                self._apply_to(part[..., start : start + width], dtype)
        return theta

    def _apply_to(self, part: Array, dtype: Any) -> None:
        """Apply the map to (D, D', columns), in place."""
        size, columns = self._layout.size, part.shape[2]
        elements = self._elements_of(part, dtype).reshape(-1, columns)
        matrix = elements.take(self._layout.gather, axis=0).reshape(size, size * columns)
        moved = np.empty_like(matrix)
        for piece, (start, stop) in zip(self._pieces, self._edges, strict=True):
            np.matmul(piece.astype(dtype, copy=False), matrix[start:stop], out=moved[start:stop])
        moved = moved.reshape(size, size, columns)
        if self._is_commutator:
            result = -1j * (moved.transpose(1, 0, 2) - moved.conj())  # (column, row): h rho - (h rho)^+
        else:
            turned = np.ascontiguousarray(moved.transpose(1, 0, 2)).reshape(size, size * columns)
            result = matrix  # its memory is free
            for piece, (start, stop) in zip(self._pieces, self._edges, strict=True):
                np.matmul(piece.conj().astype(dtype, copy=False), turned[start:stop], out=result[start:stop])
        half = np.ascontiguousarray(result).reshape(-1, columns).take(self._layout.back, axis=0)
        self._write_back(half.reshape(-1, self._layout.dims[1], columns), part)

    def _elements_of(self, part: Array, dtype: Any) -> Array:
        """Return the matrix elements rho of both sites, in the order of their units: (D, D', columns)."""
        first, second = self._first, self._second
        m, k = first.count, second.count
        half = np.empty((m + first.levels, *part.shape[1:]), dtype)  # |j><k| with j <= k on the first site
        np.multiply(part[first.symmetric], _ROOT, out=half.real[:m])
        np.multiply(part[first.antisymmetric], -_ROOT, out=half.imag[:m])
        half.imag[m:] = 0
        half.real[m:] = np.tensordot(first.diagonal, part[first.flat], 1)
        whole = np.empty(part.shape, dtype)
        for rows, into in ((slice(0, m), slice(0, m)), (slice(m, None), slice(2 * m, None))):
            symmetric, antisymmetric = half[rows, second.symmetric], half[rows, second.antisymmetric]
            whole[into, :k] = _ROOT * symmetric - (1j * _ROOT) * antisymmetric
            whole[into, k : 2 * k] = _ROOT * symmetric + (1j * _ROOT) * antisymmetric
            whole[into, 2 * k :] = np.matmul(second.diagonal, half[rows][:, second.flat])
        np.conjugate(whole[:m, k : 2 * k], out=whole[m : 2 * m, :k])
        np.conjugate(whole[:m, :k], out=whole[m : 2 * m, k : 2 * k])
        np.conjugate(whole[:m, 2 * k :], out=whole[m : 2 * m, 2 * k :])
        return whole

    def _write_back(self, half: Array, part: Array) -> None:
        """Write the coefficients of matrix elements (those with j <= k on the first site) into `part`."""
        first, second = self._first, self._second
        m, k = first.count, second.count
        real: Any = np.empty_like(half)
        upper, lower = half[:, :k], half[:, k : 2 * k]
        real[:, second.symmetric] = _ROOT * (upper + lower)
        real[:, second.antisymmetric] = (1j * _ROOT) * (upper - lower)
        real[:, second.flat] = np.matmul(second.diagonal.T, half[:, 2 * k :])
        part[first.symmetric] = (2 * _ROOT) * real[:m].real
        part[first.antisymmetric] = (-2 * _ROOT) * real[:m].imag
        part[first.flat] = np.tensordot(first.diagonal.T, real[m:].real, 1)
