"""Quadratic Lindbladians, recognised from their terms: hopping, fields, linear jumps, dephasing.

With G_ij = <c^+_i c_j> and H = sum h_ij c^+_i c_j, averages of two operators obey a closed equation,

    dG/dt = X G + G X^+ + diag(gain + dephasing * diag G),   X = i h^T - diag(loss + gain + dephasing) / 2,

even if the state is not Gaussian: dephasing L = n keeps the equation closed, but makes a mixture of Gaussian states.
Fermions may hop over any distance, and enter or leave on any site. Spins are mapped to fermions by Jordan-Wigner; a
particle is the state with N = 1 (up). A hop to a neighbour carries no string. The string of a spin's jump at an end
cancels in averages of even operators; in the bulk it does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.errors import ModelError
from tnness.operators.basis import LocalSpace
from tnness.operators.terms import Operator, Term, total
from tnness.problems.lindbladian import Lindbladian

Matrix = NDArray[Any]
Vector = NDArray[np.float64]

CANCELLED = 1e-12
"""A sum of terms this small, relative to the largest of them, counts as 0; so does such an asymmetry of h."""

_READ = np.array([[[1, 0], [0, 0]], [[-1, 0], [0, 1]], [[0, 0], [1, 0]], [[0, 1], [0, 0]]], complex)
"""A one-site matrix M, in the basis (empty, occupied), is the sum over k of _READ[k] . M times (1, n, c^+, c)[k]."""
_ONE, _NUMBER, _CREATE, _DESTROY = range(4)
_BARE = 2
"""What is added to the kinds c^+ and c of two distant spins."""


class NotQuadratic(ModelError):
    """A term of the problem is not quadratic in fermions; the text says which."""


@dataclass(frozen=True)
class Quadratic:
    """A quadratic Lindbladian.

    Parameters
    ----------
    hamiltonian: h (n, n), Hermitian; H = sum h_ij c^+_i c_j + constant.
    loss, gain: rates of the jumps c_i and c^+_i: (n,).
    dephasing: rates of the jumps n_i: (n,).
    constant: of the Hamiltonian.
    """

    hamiltonian: Matrix
    loss: Vector
    gain: Vector
    dephasing: Vector
    constant: float = 0.0

    @property
    def n(self) -> int:
        """Number of sites."""
        return len(self.hamiltonian)

    @property
    def noisy(self) -> list[int]:
        """The sites with dephasing."""
        return [int(i) for i in np.flatnonzero(self.dephasing)]

    @property
    def conserving(self) -> bool:
        """True where no jump adds or removes a particle."""
        return not (self.loss.any() or self.gain.any())

    def drift(self) -> Matrix:
        """Return X = i h^T - diag(loss + gain + dephasing) / 2."""
        return 1j * self.hamiltonian.T - np.diag(self.loss + self.gain + self.dephasing) / 2

    def derivative(self, correlation: Matrix) -> Matrix:
        """Return dG/dt for a Hermitian G."""
        half = self.drift() @ correlation
        return half + half.conj().T + np.diag(self.gain + self.dephasing * np.real(np.diag(correlation)))


def quadratic(problem: Any) -> Quadratic:
    """Return the quadratic form of a Lindbladian.

    Raises
    ------
    NotQuadratic: a term is not quadratic (the text names it), or the problem is no Lindbladian.

    Examples
    --------
    >>> from tnness.operators.basis import spinless as f
    >>> chain = Lindbladian([f] * 2)
    >>> chain.hamiltonian(-1.0 * (f.Cd(0) * f.C(1) + f.Cd(1) * f.C(0)))
    >>> chain.jump(f.N(0), rate=0.5)
    >>> quadratic(chain).dephasing
    array([0.5, 0. ])
    """
    if not isinstance(problem, Lindbladian):
        raise NotQuadratic(f"a Lindbladian is needed to find its quadratic terms, got a {type(problem).__name__}")
    check_spaces(problem.spaces)
    builder = _Builder(problem)
    builder.add_hamiltonian(total(problem.hamiltonian_terms))
    for number, jump in enumerate(problem.jumps):
        if jump.rate:
            builder.add_jump(f"jump {number} ({jump.operator})", jump.operator, jump.rate)
    return builder.result()


@dataclass(frozen=True)
class Bilinear:
    """constant + sum_k coefficients[k] c^+_rows[k] c_columns[k] + sum of weight n_i n_j over `pairs`."""

    constant: complex
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    coefficients: NDArray[np.complex128]
    pairs: tuple[tuple[complex, int, int], ...]


@lru_cache(maxsize=8192)
def bilinear(operator: Operator, spaces: tuple[LocalSpace, ...]) -> Bilinear:
    """Return an operator as hops, densities and products of two densities.

    Raises
    ------
    NotQuadratic: a term that is none of these.
    """
    constant, hops, pairs = 0j, list[tuple[int, int, complex]](), list[tuple[complex, int, int]]()
    for key, (weight, term) in _collected(operator, spaces).items():
        match key:
            case ():
                constant += weight
            case ((i, 1), (j, 1)):
                pairs.append((weight, i, j))
            case _:
                hop = _hop(key)
                if hop is None:
                    raise NotQuadratic(f"the observable's term {term} is no hop, density or product of two densities")
                hops.append((*hop, weight))
    rows, columns = (np.array([entry[k] for entry in hops], int) for k in (0, 1))
    return Bilinear(constant, rows, columns, np.array([entry[2] for entry in hops], complex), tuple(pairs))


def check_spaces(spaces: Sequence[LocalSpace]) -> None:
    """Refuse sites that are neither a spin 1/2 nor a fermion."""
    for i, space in enumerate(spaces):
        if space.levels != 2 or not space.quantum or "N" not in space.operators:
            raise NotQuadratic(f"site {i} is a {space.name}, not a spin 1/2 or a spinless fermion")


Key = tuple[tuple[int, int], ...]
"""A product of n (1), c^+ (2) and c (3) on sites: ((site, kind), ...)."""


@dataclass
class _Builder:
    problem: Lindbladian

    def __post_init__(self) -> None:
        self.hopping = np.zeros((self.problem.n,) * 2, complex)
        self.loss, self.gain, self.dephasing = np.zeros((3, self.problem.n))
        self.constant = 0.0

    def add_hamiltonian(self, operator: Operator) -> None:
        for key, (weight, term) in _collected(operator, self.problem.spaces).items():
            hop = _hop(key)
            if key == ():
                self.constant += weight.real
            elif hop is None:
                raise NotQuadratic(f"the Hamiltonian term {term} {_complaint([kind for _, kind in key])}")
            else:
                self.hopping[hop] += weight

    def add_jump(self, name: str, operator: Operator, rate: float) -> None:
        parts = {key: weight for key, (weight, _) in _collected(operator, self.problem.spaces).items()}
        offset = parts.pop((), 0.0)
        if not parts:
            return
        if len(parts) > 1 or len(next(iter(parts))) != 1:
            raise NotQuadratic(f"{name} is not one of c, c^+ or n of a single site")
        (((site, kind),), weight) = next(iter(parts.items()))
        if kind == _NUMBER:  # D[w n + b] = D[w n] - i[h, .] with h = Im(b w*) n
            self.dephasing[site] += rate * abs(weight) ** 2
            self.hopping[site, site] += rate * (offset * np.conj(weight)).imag
            return
        if offset:
            raise NotQuadratic(f"{name} adds a constant to a particle's jump")
        if not operator.odd and site not in (0, self.problem.n - 1):
            raise NotQuadratic(
                f"{name} adds or removes a particle in the bulk, where it carries a Jordan-Wigner string"
            )
        (self.gain if kind == _CREATE else self.loss)[site] += rate * abs(weight) ** 2

    def result(self) -> Quadratic:
        adjoint = self.hopping.conj().T
        if np.abs(self.hopping - adjoint).max() > CANCELLED * max(1.0, float(np.abs(self.hopping).max())):
            raise NotQuadratic("the Hamiltonian is not Hermitian")
        return Quadratic((self.hopping + adjoint) / 2, self.loss, self.gain, self.dephasing, self.constant)


def _hop(key: Key) -> tuple[int, int] | None:
    """Return (i, j) of a density or a hop c^+_i c_j; None for other products."""
    match key:
        case ((i, 1),):
            return i, i
        case ((i, 2), (j, 3)):
            return i, j
        case ((i, 3), (j, 2)):
            return j, i
    return None


def _collected(operator: Operator, spaces: Sequence[LocalSpace]) -> dict[Key, tuple[complex, Term]]:
    """Return the products in an operator, each with its weight and the first term that holds it.

    Weights that cancel to round-off are dropped: X X + Y Y has no c c and no c^+ c^+.
    """
    sums: dict[Key, tuple[complex, Term]] = {}
    largest: dict[Key, float] = {}
    for term in operator:
        for kinds, weight in _parts(term, spaces):
            key = tuple(sorted(kinds.items()))
            before, first = sums.get(key, (0j, term))
            sums[key] = before + weight, first
            largest[key] = max(largest.get(key, 0.0), abs(weight))
    return {key: entry for key, entry in sums.items() if abs(entry[0]) > CANCELLED * largest[key]}


def _complaint(kinds: list[int]) -> str:
    if kinds == [_NUMBER, _NUMBER]:
        return "is an interaction between particles"
    if kinds in ([_CREATE, _CREATE], [_DESTROY, _DESTROY]):
        return "makes or destroys pairs: the particle number is not conserved"
    return "is not quadratic in fermions"


def _parts(term: Term, spaces: Sequence[LocalSpace]) -> Iterator[tuple[dict[int, int], complex]]:
    """Yield a term as products of n (1), c^+ (2) and c (3) on its sites, with their weights."""
    coefficient, matrices, odd = term.graded()
    parity = spaces[odd[0]].parity if len(odd) == 2 else None
    if parity is not None:  # c x c^+ on sites i, j then means c^+_j c_i, as for neighbouring spins
        matrices[odd[0]] = matrices[odd[0]] @ parity
    products: list[tuple[dict[int, int], complex]] = [({}, complex(coefficient))]
    for site, matrix in matrices.items():
        occupied = int(np.argmax(np.diag(spaces[site].operators["N"].matrix).real))
        order = [1 - occupied, occupied]
        weights = np.einsum("kij,ij->k", _READ, np.asarray(matrix)[np.ix_(order, order)])
        products = [
            (kinds if kind == _ONE else kinds | {site: kind}, weight * part)
            for kinds, weight in products
            for kind, part in enumerate(weights)
            if part != 0
        ]
    yield from products if odd else ((_bare(kinds), weight) for kinds, weight in products)


def _bare(kinds: dict[int, int]) -> dict[int, int]:
    """Return other kinds for c^+ and c of two spins that are no neighbours: their product lacks the string of a hop."""
    moved = [site for site, kind in kinds.items() if kind in (_CREATE, _DESTROY)]
    if len(moved) == 2 and abs(moved[0] - moved[1]) > 1:
        return kinds | {site: kinds[site] + _BARE for site in moved}
    return kinds
