"""Digests of operators and local spaces: of their action, not of the way they are written.

The digest of an operator O holds its values Tr(O rho) for a few product matrices rho = rho_0 x rho_1 x ..., where each
rho_i is a fixed pseudo-random matrix of trace 1, not Hermitian. The value is linear in O, and a site on which O does
not act gives a factor 1: neither the order of a sum nor the way in which a product is written matters. A site gives one
number for each rho, so that a term costs a few multiplications, however far apart its sites are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.digest.arrays import hashed, of_array
from tnness.operators.basis import LocalSpace
from tnness.operators.terms import LocalOperator, Matrix, Operator, Term

Array = NDArray[Any]
Parities = Mapping[int, Matrix | None]

PROBES = 4
"""Number of pseudo-random functionals Tr(O rho)."""
STRETCH = 64
"""Number of sites for which functionals are drawn at once."""
ROUND_OFF = 1e-14
"""A sum this small beside its terms counts as 0."""


@cache
def of_space(space: LocalSpace) -> bytes:
    """Return the digest of a local space: its levels, basis and fermion parity, not its name or named operators."""
    parity = b"" if space.parity is None else of_array(space.parity)
    return hashed("space", repr((space.levels, space.quantum)).encode(), of_array(space.elements), parity)


def of_spaces(spaces: Iterable[LocalSpace]) -> bytes:
    """Return the digest of the spaces of a chain's sites."""
    return hashed("spaces", *(of_space(space) for space in spaces))


def of_local_operator(operator: LocalOperator) -> bytes:
    """Return the digest of an operator on one site, without its name."""
    parity = b"" if operator.parity is None else of_array(operator.parity)
    return hashed("local operator", of_array(operator.matrix), parity)


def of_operators(operators: Sequence[Operator]) -> bytes:
    """Return the digest of some operators in their order.

    >>> from tnness.operators.basis import spin_half as s
    >>> of_operators([s.X(0) * s.Y(0) + s.Z(2)]) == of_operators([s.I(1) * s.Z(2) + 1j * s.Z(0)])
    True
    """
    return hashed("operators", of_array(probe(operators)))


def probe(operators: Sequence[Operator], parities: Parities | None = None) -> Array:
    """Return Tr(O rho) of each operator for each functional: (operators, 1 + PROBES).

    The first functional is the state of infinite temperature. parities: see `Term.matrices`.
    """
    terms = [term for operator in operators for term in operator]
    owners = np.repeat(np.arange(len(operators)), np.array([len(operator.terms) for operator in operators], int))
    values = np.array([term.coefficient for term in terms], complex)[:, None] * _products(terms, parities)
    total, scale = np.zeros((len(operators), 1 + PROBES), complex), np.zeros((len(operators), 1 + PROBES))
    np.add.at(total, owners, values)
    np.add.at(scale, owners, np.abs(values))
    return np.where(np.abs(total) > ROUND_OFF * scale, total, 0)


def _products(terms: Sequence[Term], parities: Parities | None) -> Array:
    """Return the values of terms without their coefficients: (terms, 1 + PROBES)."""
    split, counts = _Split(parities), np.zeros(len(terms), int)
    places: list[tuple[int, int]] = []  # site and number of the matrix, of one term after the other
    for number, term in enumerate(terms):
        factors = split.factors(term)
        counts[number] = len(factors)
        places += factors
    product = np.ones((len(terms), 1 + PROBES), complex)
    if places:
        single = _single_values(np.array(places), split.matrices)
        starts = (np.cumsum(counts) - counts)[counts > 0]
        product[counts > 0] = np.multiply.reduceat(single, starts, axis=0)
    return product


def _single_values(places: NDArray[np.int64], matrices: Sequence[Matrix]) -> Array:
    """Return Tr(M rho_i) of matrices on sites: (places, 1 + PROBES)."""
    values = np.empty((len(places), 1 + PROBES), complex)
    levels = np.array([len(matrix) for matrix in matrices])[places[:, 1]]
    for d in np.unique(levels).tolist():
        here = np.flatnonzero(levels == d)
        sites, numbers = places[here].T
        used, which = np.unique(numbers, return_inverse=True)
        stacked = np.array([matrices[number] for number in used])
        values[here] = np.einsum("fpij,fji->fp", _functionals(d, int(sites.max()))[sites], stacked[which])
    return values


class _Split:
    """Writes terms as one numbered matrix per site; terms that differ only by a shift share their matrices."""

    def __init__(self, parities: Parities | None) -> None:
        self.matrices: list[Matrix] = []
        self._numbers: dict[bytes, int] = {}
        self._factors: dict[Any, list[tuple[int, int]]] = {}
        self._parities = parities

    def factors(self, term: Term) -> list[tuple[int, int]]:
        """Return the site and the number of the matrix of each factor."""
        first = min((site for site, _ in term.factors), default=0)
        key = (*((site - first, id(operator)) for site, operator in term.factors), self._strings(term))
        if key not in self._factors:
            matrices = term.matrices(self._parities)
            self._factors[key] = [(site - first, self._number(matrices[site])) for site in sorted(matrices)]
        return [(first + offset, number) for offset, number in self._factors[key]]

    def _strings(self, term: Term) -> tuple[int, ...]:
        """Return identities of the parities that the Jordan-Wigner strings of a term may need."""
        if self._parities is None or not any(operator.odd for _, operator in term.factors):
            return ()
        sites = term.sites
        return tuple(id(self._parities[site]) for site in range(sites[0], sites[-1] + 1))

    def _number(self, matrix: Matrix) -> int:
        matrix = np.ascontiguousarray(matrix, complex)
        number = self._numbers.setdefault(matrix.tobytes(), len(self.matrices))
        if number == len(self.matrices):
            self.matrices.append(matrix)
        return number


def _functionals(levels: int, last: int) -> Array:
    """Return the matrices rho_i, 1 / d first, on sites 0 to `last` at least: (sites, 1 + PROBES, d, d)."""
    return _drawn(levels, last // STRETCH + 1)


@lru_cache(maxsize=16)
def _drawn(levels: int, stretches: int) -> Array:
    shape = (STRETCH * stretches, PROBES, levels, levels, 2)
    raw = np.random.Philox(key=levels).random_raw(int(np.prod(shape)))
    numbers = (raw.view(np.int64) >> 11) * 2.0**-52  # in [-1, 1), exact; the first sites have the first numbers
    matrices = np.ascontiguousarray(numbers.reshape(shape)).view(complex)[..., 0]
    unit = np.eye(levels) / levels
    matrices += (1 - np.trace(matrices, axis1=2, axis2=3))[..., None, None] * unit
    return np.concatenate([np.broadcast_to(unit, (len(matrices), 1, levels, levels)), matrices], axis=1)
