"""Sums of products of local operators on numbered sites: the language in which models state their physics.

Sites count from 0. `LocalOperator` is a named d x d matrix; called with a site it becomes an `Operator`, which can be
added, multiplied, scaled and daggered. Fermionic (odd) operators carry their Jordan-Wigner strings implicitly: they
are made explicit, between the outermost sites of a product, only when a term is turned into matrices.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import scipy.linalg as linalg
from numpy.typing import NDArray

from tnness.display.page import html_table
from tnness.errors import ModelError
from tnness.typed import shown, typed

Matrix = NDArray[np.complex128]

MOST_PAIRS = 10_000_000
"""Most terms of a sum over pairs of sites."""
LISTED = 20
"""Most terms of an operator that a notebook lists."""


@dataclass(frozen=True, eq=False, repr=False)
class LocalOperator:
    """A named operator on one site.

    Parameters
    ----------
    name: what it is called in messages and in `Operator`'s text.
    matrix: (d, d) complex.
    parity: (d, d) fermion parity (-1)^n of the site, for odd operators only; None for even ones.
    """

    name: str
    matrix: Matrix
    parity: Matrix | None = None

    def __post_init__(self) -> None:
        for matrix in (self.matrix, self.matrix if self.parity is None else self.parity):
            shape = getattr(matrix, "shape", None)
            if not isinstance(matrix, np.ndarray) or matrix.ndim != 2 or shape != self.matrix.shape[:1] * 2:
                raise ModelError(f"operator {shown(self.name)} takes square matrices, got {shown(matrix)}")

    @property
    def odd(self) -> bool:
        """True for an operator that changes the fermion number by an odd amount."""
        return self.parity is not None

    @property
    def is_hermitian(self) -> bool:
        """True for a Hermitian matrix, to round-off."""
        return _vanishes(self.matrix - self.matrix.conj().T, self.matrix)

    def dagger(self) -> LocalOperator:
        """Return the Hermitian conjugate."""
        name = self.name[:-1] if self.name.endswith("^") else f"{self.name}^"
        return LocalOperator(name, self.matrix.conj().T, self.parity)

    dag = dagger

    def exp(self, factor: complex = 1.0) -> LocalOperator:
        """Return exp(factor O) on one site, of an even O.

        >>> from tnness.operators.basis import boson
        >>> boson(2).N.exp(1j * np.pi).matrix.real.diagonal().round(12).tolist()
        [1.0, -1.0, 1.0]
        """
        if self.odd:
            raise ModelError(f"exp of {self.name}, which is odd in fermions, is neither even nor odd")
        matrix: Any = linalg.expm(factor * self.matrix)  # scipy's types name no dtype
        return LocalOperator(f"exp({factor:.6g} {self.name})", matrix.astype(complex))

    def __pow__(self, power: int) -> LocalOperator:
        _check_power(power)
        matrix, odd = np.linalg.matrix_power(self.matrix, power), self.odd and power % 2 == 1
        return LocalOperator(f"{self.name}**{power}", matrix, self.parity if odd else None)

    def commutator(self, other: LocalOperator) -> LocalOperator:
        """Return [A, B] = A B - B A on one site."""
        matrix = (self @ other).matrix - (other @ self).matrix
        return LocalOperator(f"[{self.name}, {other.name}]", matrix, (self @ other).parity)

    def anticommutator(self, other: LocalOperator) -> LocalOperator:
        """Return {A, B} = A B + B A on one site."""
        matrix = (self @ other).matrix + (other @ self).matrix
        return LocalOperator(f"{{{self.name}, {other.name}}}", matrix, (self @ other).parity)

    def __neg__(self) -> LocalOperator:
        return self * -1.0

    def __truediv__(self, other: complex) -> LocalOperator:
        return self * (1 / other)

    def __add__(self, other: LocalOperator | complex) -> LocalOperator:
        return self._joined(other, "+", 1)

    def __sub__(self, other: LocalOperator | complex) -> LocalOperator:
        return self._joined(other, "-", -1)

    def _joined(self, other: LocalOperator | complex, sign: str, factor: int) -> LocalOperator:
        if not isinstance(other, LocalOperator):
            other = LocalOperator(f"{other:.6g}", np.array(other * np.eye(len(self.matrix)), np.complex128))
        if other.odd != self.odd or other.matrix.shape != self.matrix.shape:
            raise ModelError(f"{self.name} and {other.name} are not of one parity and one number of levels")
        return LocalOperator(f"({self.name} {sign} {other.name})", self.matrix + factor * other.matrix, self.parity)

    def __mul__(self, other: complex) -> LocalOperator:
        return LocalOperator(f"{other:.6g} {self.name}", other * self.matrix, self.parity)

    __rmul__ = __mul__

    def __matmul__(self, other: LocalOperator) -> LocalOperator:
        if other.matrix.shape != self.matrix.shape:
            raise ModelError(f"{self.name} and {other.name} have {len(self.matrix)} and {len(other.matrix)} levels")
        parity = (self.parity if self.odd else other.parity) if self.odd != other.odd else None
        return LocalOperator(f"{self.name}{other.name}", self.matrix @ other.matrix, parity)

    def __repr__(self) -> str:
        kind = "odd, " if self.odd else ""
        return f"LocalOperator({self.name!r}, {kind}{len(self.matrix)} levels)"

    def __call__(self, site: int) -> Operator:
        """Place the operator on a site."""
        if isinstance(site, bool) or not isinstance(site, (int, np.integer)) or site < 0:
            raise ModelError(f"operator {self.name} was put on site {shown(site)}; sites are integers from 0")
        return Operator((Term(1.0, ((int(site), self),)),))


@dataclass(frozen=True)
class Term:
    """A coefficient times local operators, in the order in which they multiply."""

    coefficient: complex
    factors: tuple[tuple[int, LocalOperator], ...]

    @property
    def sites(self) -> tuple[int, ...]:
        """The sites named by the factors, sorted, each once."""
        return tuple(sorted({site for site, _ in self.factors}))

    @property
    def odd(self) -> bool:
        """True where the product holds an odd number of fermionic operators."""
        return sum(op.odd for _, op in self.factors) % 2 == 1

    def dagger(self) -> Term:
        """Return the Hermitian conjugate."""
        factors = tuple((site, op.dagger()) for site, op in reversed(self.factors))
        return Term(np.conj(self.coefficient).item(), factors)

    def matrices(
        self, parities: Mapping[int, Matrix | None] | None = None, start: int | None = None
    ) -> dict[int, Matrix]:
        """Return one matrix per site, with Jordan-Wigner strings from the site `start` on.

        Parameters
        ----------
        parities: (-1)^n of every site, None where a site holds no fermions; without it all sites are taken to be like
            those of the odd operators.
        start: by default the first site of the term, as the string left of it cancels in an even product.
        """
        result: dict[int, Matrix] = {}
        first = start if start is not None else min(self.sites, default=0)
        for site, op in self.factors:
            if op.odd:
                for other in range(first, site):
                    string = op.parity if parities is None else parities[other]
                    if string is not None:
                        result[other] = result[other] @ string if other in result else string
            result[site] = result[site] @ op.matrix if site in result else op.matrix
        return result

    def graded(self) -> tuple[complex, dict[int, Matrix], tuple[int, ...]]:
        """Return the term as one operator per site, multiplied in the order of the sites: no strings are needed.

        Returns
        -------
        The coefficient, with the sign of putting the odd factors in order; the matrix of each site; the sites whose
        operator is odd.
        """
        coefficient, matrices, odd = self.coefficient, dict[int, Matrix](), set[int]()
        for site, op in self.factors:
            if op.odd:
                if sum(other > site for other in odd) % 2:
                    coefficient = -coefficient
                odd ^= {site}
            matrices[site] = matrices[site] @ op.matrix if site in matrices else op.matrix
        return coefficient, matrices, tuple(sorted(odd))

    def __str__(self) -> str:
        product = " ".join(f"{op.name}({site})" for site, op in self.factors) or "1"
        if self.coefficient == 1:
            return product
        return f"{_number(self.coefficient)} {product}"


def _number(coefficient: complex) -> str:
    number = complex(coefficient)
    return f"{number.real:.6g}" if number.imag == 0 else f"({number:.6g})"


_ONE = Term(1.0, ())


@dataclass(frozen=True, repr=False)
class Operator:
    """A sum of terms. Supports `+`, `-`, `*` and `@` (products), `/`, `**` and `dagger()`, also called `dag()`.

    >>> from tnness.operators.basis import spin_half as s
    >>> bond = s.X(0) * s.X(1) + s.Y(0) * s.Y(1)
    >>> bond.sites
    (0, 1)
    """

    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.terms, tuple) or not isinstance((*self.terms[:1], _ONE)[0], Term):
            raise ModelError(f"an operator is a sum of terms such as Z(0), got {shown(self.terms)}")

    __array_ufunc__ = None  # numpy's numbers leave `2.0 * operator` to the operator

    @cached_property
    def sites(self) -> tuple[int, ...]:
        """Every site the sum touches, sorted."""
        return tuple(sorted({site for term in self.terms for site in term.sites}))

    @property
    def odd(self) -> bool:
        """True where any term holds an odd number of fermionic operators."""
        return any(term.odd for term in self.terms)

    def dagger(self) -> Operator:
        """Return the Hermitian conjugate."""
        return Operator(tuple(term.dagger() for term in self.terms))

    dag = dagger

    @cached_property
    def is_hermitian(self) -> bool:
        """True where the sum equals its Hermitian conjugate, to round-off."""
        values, size = _functionals(self)
        others, _ = _functionals(self.dagger())
        return bool((np.abs(values - others) <= 1e-10 * size).all())

    def commutator(self, other: Operator) -> Operator:
        """Return [A, B] = A B - B A."""
        return self * other - as_operator(other) * self

    def anticommutator(self, other: Operator) -> Operator:
        """Return {A, B} = A B + B A."""
        return self * other + as_operator(other) * self

    def __matmul__(self, other: Operator) -> Operator:
        return self * other

    def __pow__(self, power: int) -> Operator:
        _check_power(power)
        result = as_operator(1.0)
        for _ in range(power):
            result = result * self
        return result

    def __repr__(self) -> str:
        text = str(self)
        return f"Operator({text if len(text) <= 100 else f'{text[:80]} ... {len(self.terms)} terms'})"

    def _repr_html_(self) -> str:
        """Return the terms as a table, for a notebook: coefficient, operators, sites."""
        rows = [(_number(t.coefficient), str(Term(1.0, t.factors)), ", ".join(map(str, t.sites))) for t in self.terms]
        more = f"<p>and {len(rows) - LISTED} more terms</p>" if len(rows) > LISTED else ""
        return html_table(["coefficient", "operators", "sites"], rows[:LISTED]) + more

    def __add__(self, other: Operator | complex) -> Operator:
        return Operator(self.terms + as_operator(other).terms)

    def __radd__(self, other: Operator | complex) -> Operator:
        return self if not isinstance(other, Operator) and other == 0 else as_operator(other) + self

    def __sub__(self, other: Operator | complex) -> Operator:
        return self + (-1) * as_operator(other)

    def __rsub__(self, other: Operator | complex) -> Operator:
        return as_operator(other) - self

    def __neg__(self) -> Operator:
        return (-1) * self

    def __mul__(self, other: Operator | complex) -> Operator:
        return Operator(
            tuple(
                Term(a.coefficient * b.coefficient, a.factors + b.factors)
                for a in self.terms
                for b in as_operator(other).terms
            )
        )

    def __rmul__(self, other: complex) -> Operator:
        return as_operator(other) * self

    def __truediv__(self, other: complex) -> Operator:
        return self * (1 / other)

    def __iter__(self) -> Iterator[Term]:
        return iter(self.terms)

    def __str__(self) -> str:
        return " + ".join(str(term) for term in self.terms) or "0"

    def matrix(
        self, sites: Sequence[int], levels: Mapping[int, int], parities: Mapping[int, Matrix | None] | None = None
    ) -> Matrix:
        """Return the dense matrix on the given sites, first site major: (prod d, prod d).

        Parameters
        ----------
        sites: the window, in increasing order; must hold every site of the operator.
        levels: the Hilbert dimension d of each site.
        parities: see `Term.matrices`.
        """
        if not set(self.sites) <= set(sites):
            raise ModelError(f"the operator {self} acts on sites {self.sites}, beyond the window {tuple(sites)}")
        dimension = math.prod(levels[site] for site in sites)
        total = np.zeros((dimension, dimension), dtype=complex)
        for term in self.terms:
            matrices = term.matrices(parities, sites[0] if term.odd else None)
            product = np.array([[term.coefficient]], dtype=complex)
            for site in sites:
                product = np.kron(product, matrices.get(site, np.eye(levels[site])))
            total += product
        return total


@typed
def string(operator: LocalOperator, sites: Iterable[int]) -> Operator:
    """Return the product of one operator over sites, as a single term however many there are.

    >>> from tnness.operators.basis import spin_half as s
    >>> str(string(s.Z, range(1, 4)))
    'Z(1) Z(2) Z(3)'
    >>> len(string(s.N.exp(0.5j), range(50)).terms)  # a generating function of the total
    1
    """
    factors = tuple(factor for site in sites for factor in operator(site).terms[0].factors)
    return Operator((Term(1.0, factors),))


@typed
def power_law_sum(
    first: LocalOperator, second: LocalOperator, sites: Sequence[int] | int, alpha: float, strength: float = 1.0
) -> Operator:
    """Return strength sum_{i<j} A_i B_j / |i - j|^alpha, with i and j counted along `sites`.

    sites: the sites in their order, or their number.

    >>> from tnness.operators.basis import spin_half as s
    >>> str(power_law_sum(s.Z, s.Z, 3, alpha=3))
    'Z(0) Z(1) + 0.125 Z(0) Z(2) + Z(1) Z(2)'
    """
    order = range(sites) if isinstance(sites, int) else sites
    if len(order) ** 2 > 2 * MOST_PAIRS:
        raise ModelError(f"a sum over the pairs of {len(order)} sites has more than {MOST_PAIRS:,} terms")
    try:
        size = [strength / distance**alpha for distance in range(1, len(order))]
    except OverflowError:
        raise ModelError(f"alpha = {alpha:g}: the couplings at a distance are beyond double precision") from None
    pairs = ((i, j) for i in range(len(order)) for j in range(i + 1, len(order)))
    return total(size[j - i - 1] * (first(order[i]) * second(order[j])) for i, j in pairs)


def _functionals(operator: Operator) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
    """Return Tr(O rho) for two products rho of fixed random matrices of trace 1, and the sums of the terms' sizes."""
    values, size = np.zeros(2, complex), np.zeros(2)
    for term in operator:
        coefficient, matrices, _ = term.graded()
        product = np.full(2, complex(coefficient))
        for site, matrix in matrices.items():
            product = product * np.einsum("fij,ji->f", _random_states(site, len(matrix)), matrix)
        values, size = values + product, size + np.abs(product)
    return values, size


@cache
def _random_states(site: int, levels: int) -> Matrix:
    rng = np.random.default_rng((site, levels))
    states = rng.standard_normal((2, levels, levels)) + 1j * rng.standard_normal((2, levels, levels))
    traces = np.trace(states, axis1=1, axis2=2)
    return states + ((1 - traces) / levels)[:, None, None] * np.eye(levels)


def _check_power(power: object) -> None:
    if isinstance(power, bool) or not isinstance(power, int) or power < 0:
        raise ModelError(f"an operator can be raised to an integer power >= 0, not to {power!r}")


def _vanishes(difference: Matrix, whole: Matrix) -> bool:
    return bool(np.abs(difference).max() <= 1e-12 * max(1.0, float(np.abs(whole).max())))


def as_operator(value: Operator | complex) -> Operator:
    """Return an operator as it is, and a number as that multiple of the identity."""
    if isinstance(value, Operator):
        return value
    if isinstance(value, (int, float, complex, np.number)):
        return Operator((Term(complex(value), ()),))
    raise ModelError(f"an operator can be combined with operators and numbers, not with {type(value).__name__}")


@typed
def total(operators: Iterable[Operator]) -> Operator:
    """Return the sum of any number of operators in one pass."""
    return Operator(tuple(term for operator in operators for term in operator.terms))
