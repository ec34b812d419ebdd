"""Closed lattice equations for the averaged replica: Gaussian circuits at any bias, and two-point functions at order
delta^2.

They test the chain of six states a site at lengths that no dense solution reaches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg
from numpy.typing import NDArray

from tnness import ChainGenerator, ChainState, Truncation

Real = NDArray[np.float64]


def phase_two(n: int, p1: float, density_left: float, density_right: float) -> Real:
    """Return E|G_ij|^2 off the diagonal and E[n_i^2] - <n_i>^2 on it, for p2 = 0 and any bias: (n, n).

    G_ij = <c^+_i c_j>. Exact (Gullans and Huse, D8-D10): a Haar gate keeps the trace of its 2 x 2 block and
    x^2 + |G_12|^2, x = (n_1 - n_2)/2, and divides this sum as 1 : 2 between its two terms. E[n_1 n_2] - E|G_12|^2 is
    that of the exclusion process.
    """
    i = np.arange(n + 2)
    mean = density_left + (density_right - density_left) * i / (n + 1)
    bias = density_left - density_right
    tau = -np.minimum.outer(i, i) * (n + 1 - np.maximum.outer(i, i)) * bias**2 / ((n + 1) ** 2 * n)
    index = np.full((n + 2, n + 2), -1)
    for number, (row, column) in enumerate(_pairs(n)):
        index[row + 1, column + 1] = index[column + 1, row + 1] = number
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    constant = np.zeros(index.max() + 1)

    def add(target: tuple[int, int], source: tuple[int, int], weight: float) -> None:
        if index[target] >= 0 and index[source] >= 0:
            rows.append(index[target])
            columns.append(index[source])
            values.append(weight)

    for k in range(n + 1):
        a, b = k, k + 1
        others = [j for j in range(1, n + 1) if j not in (a, b)]
        for j in others:  # every gate acts as half a swap
            for site, other in ((a, b), (b, a)):
                add((site, j), (other, j), 0.5)
                add((site, j), (site, j), -0.5)
        for site, other in ((a, b), (b, a)):  # variances, under swaps and under Haar gates
            if index[site, site] < 0:
                continue
            swap = (1 - p1) / 2
            add((site, site), (other, other), swap)
            add((site, site), (site, site), -swap)
            constant[index[site, site]] += swap * (mean[other] ** 2 - mean[site] ** 2)
            # E n_1'^2 = s/3 + 2/3 E[n_1 n_2]/2 + A_12/3 with s = (E n_1^2 + E n_2^2)
            add((site, site), (a, a), p1 / 3)
            add((site, site), (b, b), p1 / 3)
            add((site, site), (site, site), -p1)
            add((site, site), (a, b), p1 * 2 / 3)
            product = mean[a] * mean[b] + tau[a, b]
            squares = mean[a] ** 2 + mean[b] ** 2
            constant[index[site, site]] += p1 * (squares / 3 + product / 3 - mean[site] ** 2)
        if index[a, b] >= 0:  # 2 R^2/3, R^2 = (E n_1^2 + E n_2^2 - 2 E[n_1 n_2])/4 + A_12
            add((a, b), (a, a), p1 / 6)
            add((a, b), (b, b), p1 / 6)
            add((a, b), (a, b), p1 * (-1 / 3 + 2 / 3 - 1))
            constant[index[a, b]] += p1 * (mean[a] ** 2 + mean[b] ** 2 - 2 * (mean[a] * mean[b] + tau[a, b])) / 6
    matrix = sparse.csc_array((values, (rows, columns)), shape=(len(constant), len(constant)))
    solution = np.asarray(sparse_linalg.spsolve(matrix, -constant))
    return np.where(index >= 0, solution[index], 0.0)[1:-1, 1:-1]


def _pairs(n: int) -> Iterator[tuple[int, int]]:
    return ((i, j) for i in range(n) for j in range(i, n))


@dataclass(frozen=True)
class TwoPoint:
    """The solution of the equations of order delta^2, truncated to two-point functions.

    amplitudes: kinds of the two ends -> upper triangle (n, n), 2^n times the coefficient of every string kept, in the
        orthonormal operators of a site; single sites are on the diagonal of (ZZ, ZZ).
    """

    amplitudes: dict[tuple[int, int], Real]

    @property
    def h(self) -> Real:
        """h_i / delta^2: (n,)."""
        return np.diag(self.amplitudes[ZZ, ZZ]) / 4

    @property
    def a(self) -> Real:
        """a_ij / delta^2, with Jordan-Wigner strings, 0 on the diagonal: (n, n)."""
        upper = self.amplitudes[UP, DOWN] / 4
        return upper + upper.T

    @property
    def b(self) -> Real:
        """b_ij / delta^2, 0 on the diagonal: (n, n)."""
        upper = np.triu(self.amplitudes[ZZ, ZZ], 1) / 8
        return upper + upper.T

    @property
    def entropy_deviation(self) -> float:
        """Delta S / delta^2 of the chain (nats)."""
        return float(2 * self.h.sum() + 4 * np.triu(self.a + self.b, 1).sum())

    @property
    def mutual_information(self) -> Real:
        """I / delta^2 for each cut k = 1..n-1 (nats)."""
        return np.array([4 * (self.a + self.b)[:k, k:].sum() for k in range(1, len(self.h))])


ZZ, B, C, UP, DOWN = 1, 2, 3, 4, 5
_KINDS = ((ZZ, ZZ), (B, B), (C, C), (UP, DOWN), (DOWN, UP))


def two_point(generator: ChainGenerator) -> TwoPoint:
    """Return the solution of the order-delta^2 chain without strings beyond two-point functions (Galerkin).

    The strings kept are Z x Z on a site, pairs of equal operators on two sites, and a_up, a_dn with Z x Z between them.
    The equations of App. E are for this set; they close for p1 p2 = 0, and without coherences, only.

    Parameters
    ----------
    generator: of `replica-abc` with order = "second"; its sources are the columns of the vacuum.
    """
    n = generator.n
    resolution = generator.resolution
    states = round(np.sqrt(len(generator.bond_terms[0]))) if n > 1 else 0  # of a site: 4 without coherences
    kinds = [kind for kind in _KINDS if max(kind) < states]
    keys = [(i, i, ZZ, ZZ) for i in range(n)]
    keys += [(i, j, *kind) for i in range(n) for j in range(i + 1, n) for kind in kinds]
    number = {key: k for k, key in enumerate(keys)}
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    source = np.zeros(len(keys))
    terms = [(i, 1, m) for i, m in enumerate(generator.site_terms) if m.any()]
    terms += [(i, 2, m) for i, m in enumerate(generator.bond_terms)]
    for start, width, matrix in terms:
        sites = list(range(start, start + width))
        for output in np.flatnonzero(matrix[:, 0]).tolist():
            key = _key(dict(zip(sites, _digits(output, width, states), strict=True)))
            if key is not None and key in number:
                source[number[key]] += matrix[output, 0] / resolution
    for column, key in enumerate(keys):
        whole = _sites(key)
        for start, width, matrix in terms:
            sites = list(range(start, start + width))
            before = [whole.get(site, 0) for site in sites]
            if not any(before):
                continue
            image = matrix[:, int(np.ravel_multi_index(before, (states,) * width))]
            for output in np.flatnonzero(image).tolist():
                after = whole | dict(zip(sites, _digits(output, width, states), strict=True))
                reached = _key(after)
                if reached is not None and reached in number:
                    rows.append(number[reached])
                    columns.append(column)
                    values.append(image[output])
    matrix = sparse.csc_array((values, (rows, columns)), shape=(len(keys), len(keys)))
    q = np.asarray(sparse_linalg.spsolve(matrix, -source))
    amplitudes = {kind: np.zeros((n, n)) for kind in _KINDS}
    for (i, j, *kind), value in zip(keys, q, strict=True):
        amplitudes[kind[0], kind[1]][i, j] = value
    return TwoPoint(amplitudes)


def two_point_state(generator: ChainGenerator) -> ChainState:
    """Return vacuum + resolution * the solution of `two_point`.

    In this initial state the slow, conserved modes are at rest: it holds the exclusion process's correlations exactly,
    which take a time ~ n^2 to build up. The states of a bond
    are: no string has begun; a string of a given first site and kind has begun; the string is complete. Then the bonds
    are compressed.
    """
    n, amplitudes = generator.n, two_point(generator).amplitudes
    units = np.eye(6) / 2  # the vacuum has the coefficient 1/2 on every site
    tensors = []
    for site in range(n):
        begun, now = ([(i, kind) for i in range(end) for kind in _KINDS] for end in (site, site + 1))
        tensor = np.zeros((2 + len(begun), 6, 2 + len(now)))
        tensor[0, :, 0] = tensor[1, :, 1] = units[0]
        tensor[0, :, 1] = generator.resolution * amplitudes[ZZ, ZZ][site, site] * units[ZZ]
        for k, (i, kind) in enumerate(begun):
            tensor[2 + k, :, 1] = generator.resolution * amplitudes[kind][i, site] * units[kind[1]]
            tensor[2 + k, :, 2 + k] = units[ZZ if kind in ((UP, DOWN), (DOWN, UP)) else 0]
        for k, kind in enumerate(_KINDS):
            tensor[0, :, 2 + len(begun) + k] = units[kind[0]]
        tensors.append(tensor)
    tensors[0] = tensors[0][:1]
    tensors[-1] = tensors[-1][:, :, :2].sum(axis=2, keepdims=True)
    state = ChainState(tensors)
    state.compress(Truncation(chi=64, cutoff=(1e-6 * generator.resolution) ** 2))
    return state


def _digits(number: int, width: int, states: int) -> tuple[int, ...]:
    return divmod(number, states) if width == 2 else (number,)


def _sites(key: tuple[int, int, int, int]) -> dict[int, int]:
    i, j, first, second = key
    between = range(i + 1, j) if first in (UP, DOWN) else ()
    return {i: first, j: second} | dict.fromkeys(between, ZZ)


def _key(sites: dict[int, int]) -> tuple[int, int, int, int] | None:
    """Return the key of a string of operators, or None if the string is not kept."""
    taken = {site: kind for site, kind in sites.items() if kind}
    if not taken:
        return None
    i, j = min(taken), max(taken)
    key = (i, j, taken[i], taken[j])
    kept = key[2:] == (ZZ, ZZ) if i == j else key[2:] in _KINDS
    return key if kept and _sites(key) == taken else None
