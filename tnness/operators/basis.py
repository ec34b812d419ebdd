r"""Local spaces: named operators, and the orthonormal real basis in which chains are written.

**Conventions, stated once and obeyed everywhere**

- A site has `levels` = d states and carries the real vector space spanned by `elements` E_a, Hermitian d x d matrices
  with Tr(E_a E_b) = delta_ab. In a *quantum* space they are all d^2 of them, E_0 = 1/sqrt(d) (normalised Paulis for
  d = 2: 1, X, Y, Z over sqrt 2). In a *classical* space they are the d projectors |s><s|: coefficients are
  probabilities. An `operator_space` is spanned by any orthonormal matrices, Tr(E_a^+ E_b) = delta_ab, Hermitian
  or not. It serves averages that stay in their span with real coefficients.
- Sites with fermions have a *graded* basis: every element is even or odd under the site's parity P, odd ones carry
  exp(i pi/4), and a product E_a x E_b x ... is one of operators with Jordan-Wigner strings, F = prod_j S_j^p_a E_a.
  Products with an even number of odd elements are Hermitian and orthonormal, and states have no others. An odd jump
  on any site is then a local superoperator, D[L] F = (-1)^p_F L F L^+ - {L^+ L, F}/2, and nothing carries strings.
- A state is rho = sum r_{a b ...} E_a x E_b x ..., r real: its Hermiticity is exact. `vector(rho)_a = Tr(E_a rho)`.
- Averages are read by covectors: `covector(O)_a = Tr(O E_a)`; the trace is the covector of the identity. Expectations
  are <trace|O|P> / <trace|P>. In a quantum space <P|P> is the purity.
- A superoperator is the real matrix M_ab = Tr(E_a S(E_b)), output first. On two sites the left one is major.
- Tensors of a chain have the index order (left bond, physical, right bond); sites and bonds count from 0, bond i
  joins sites i and i + 1.
- Spin 1/2: X, Y, Z are Pauli matrices; Sx, Sy, Sz half of them; Sp raises Z. State 0 is "up". For `spinless`, state
  0 is empty; for `electron` 0 to 3 are empty, up, down, both; for `bit` (classical), state 1 is occupied.
  hbar = k_B = 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnness.display.page import html_table
from tnness.errors import InputError, UnknownOperator, suggestion
from tnness.operators.terms import LocalOperator, Matrix
from tnness.typed import check_fields, shown, typed

Vector = NDArray[np.float64]

LARGEST_SITE = 64
"""Most levels of a site: its basis holds their fourth power numbers."""


@dataclass(frozen=True, eq=False)
class LocalSpace:
    """The vector space of one site, and the operators that act on it by name.

    Operators are attributes: `spin_half.X(3)` is sigma^x on site 3. See the module's text for the conventions.
    """

    name: str
    elements: Matrix  # (D, d, d) orthonormal; Hermitian except in an `operator_space`
    operators: Mapping[str, LocalOperator] = field(repr=False)
    parts: tuple[LocalSpace, ...] = field(default=(), repr=False)  # of a composite site
    cut: tuple[int, ...] = field(default=(), repr=False)  # levels beyond which a cutoff has left out others

    def __post_init__(self) -> None:
        check_fields(self, "a space")
        if self.elements.ndim != 3:
            raise InputError(f"space {self.name!r}: elements (D, d, d) are needed, got shape {self.elements.shape}")

    @property
    def levels(self) -> int:
        """Number of states d of the site."""
        return self.elements.shape[1]

    @property
    def dim(self) -> int:
        """Dimension D of the site's vector space: d^2 (quantum) or d (classical)."""
        return self.elements.shape[0]

    @property
    def quantum(self) -> bool:
        """True where the space holds density matrices, False where it holds probabilities."""
        return self.dim == self.levels**2 and self.levels > 1

    @cached_property
    def populations(self) -> Vector:
        """Covectors of the projectors |s><s|: (d, D)."""
        return np.ascontiguousarray(np.einsum("ass->sa", self.elements).real)

    @cached_property
    def trace(self) -> Vector:
        """Covector of the trace: (D,)."""
        return np.trace(self.elements, axis1=1, axis2=2).real.copy()

    @cached_property
    def grading(self) -> NDArray[np.bool_]:
        """True for the odd elements of a site with fermions: (D,)."""
        if self.parity is None:
            return np.zeros(self.dim, bool)
        turned = self.parity @ self.elements @ self.parity
        return np.einsum("aij,aij->a", self.elements.conj(), turned).real < 0

    @cached_property
    def signs(self) -> Vector:
        """(-1)^p of the elements: (D,)."""
        return np.where(self.grading, -1.0, 1.0)

    @cached_property
    def graded(self) -> bool:
        """True for a site with fermions."""
        return bool(self.grading.any())

    @cached_property
    def signed(self) -> Matrix:
        """K of E_a P = sum_b K_ba E_b, unitary: (D, D)."""
        assert self.parity is not None
        return np.einsum("bij,aij->ba", self.elements.conj(), self.elements @ self.parity)

    @cached_property
    def _reading(self) -> Matrix:
        """The elements, transposed and flat: (D, d d)."""
        return np.ascontiguousarray(self.elements.transpose(0, 2, 1)).reshape(self.dim, -1)

    @cached_property
    def parity(self) -> Matrix | None:
        """Fermion parity (-1)^n of the site, or None where the space has no fermionic operators: (d, d)."""
        return next((operator.parity for operator in self.operators.values() if operator.odd), None)

    def covector(self, operator: ArrayLike) -> NDArray[np.complex128]:
        """Return Tr(O E_a): (D,). Complex; real for Hermitian O."""
        return self._reading @ np.asarray(operator).ravel()

    def vector(self, matrix: ArrayLike) -> Vector:
        """Return the coefficients Tr(E_a^+ rho) of a Hermitian matrix: (D,)."""
        return np.einsum("aij,ij->a", self.elements.conj(), np.asarray(matrix)).real

    @cached_property
    def last(self) -> LocalOperator:
        """The projector on the levels next to a cutoff: its expectation tells what the cutoff may have changed.

        >>> boson(2).last.matrix.real.diagonal().tolist()
        [0.0, 0.0, 1.0]
        """
        if not self.cut:
            raise InputError(f"{self.name} has no cutoff: nothing is left out of it")
        return LocalOperator("last", np.diag(np.isin(np.arange(self.levels), self.cut)).astype(complex))

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.operators})

    def __and__(self, other: LocalSpace) -> LocalSpace:
        """Return the composite site of both; see `composite`."""
        return composite((*(self.parts or (self,)), *(other.parts or (other,))))

    def __getattr__(self, name: str) -> LocalOperator:
        operators = self.__dict__.get("operators", {})
        if name in operators:
            return operators[name]
        if name.startswith("_"):  # asked for by Python, numpy or a notebook
            raise AttributeError(name)
        raise UnknownOperator(f"{self.__dict__.get('name')} has no operator {name!r}{suggestion(name, operators)}")

    def __repr__(self) -> str:
        return f"LocalSpace({self.name!r}, levels={self.levels}, dim={self.dim})"

    def _repr_html_(self) -> str:
        """Return the site's numbers and its operators as tables, for a notebook; matrices of up to four levels."""
        kind = "density matrices" if self.quantum else "probabilities"
        about = html_table(["site", "levels d", "dimension D", "holds"], [[self.name, self.levels, self.dim, kind]])
        small = self.levels <= 4
        rows = [[n, "odd" if o.odd else "", _rows(o.matrix) if small else ""] for n, o in self.operators.items()]
        return about + html_table(["operator", "fermions", "matrix" if small else ""], rows)


def _rows(matrix: Matrix) -> str:
    """Return a matrix as `0 1; 1 0`."""
    shown = matrix.real if np.all(matrix.imag == 0) else matrix
    return "; ".join(" ".join(f"{element:.4g}" for element in row) for row in shown)


def hermitian_elements(d: int) -> Matrix:
    """Return d^2 orthonormal Hermitian matrices (normalised generalised Gell-Mann, 1/sqrt(d) first): (d^2, d, d).

    For d = 2 the order is 1, X, Y, Z over sqrt 2.

    Raises
    ------
    InputError: d is above `LARGEST_SITE`; nothing has been allocated then.
    """
    if d > LARGEST_SITE:
        raise InputError(
            f"a site of {shown(d)} levels needs {min(d, 10**9) ** 4 * 16 / 1e9:.3g} GB for its operator basis alone; "
            f"sites have up to {LARGEST_SITE} levels: lower the cutoff, or split the site"
        )
    elements = [np.eye(d, dtype=complex) / np.sqrt(d)]
    for j in range(d):
        for k in range(j + 1, d):
            symmetric = np.zeros((d, d), complex)
            symmetric[j, k] = symmetric[k, j] = 1 / np.sqrt(2)
            antisymmetric = np.zeros((d, d), complex)
            antisymmetric[j, k], antisymmetric[k, j] = -1j / np.sqrt(2), 1j / np.sqrt(2)
            elements += [symmetric, antisymmetric]
    for level in range(1, d):
        diagonal = np.r_[np.ones(level), -level, np.zeros(d - level - 1)]
        elements.append(np.diag(diagonal / np.linalg.norm(diagonal)).astype(complex))
    return np.array(elements)


@cache
def product_elements(spaces: tuple[LocalSpace, ...]) -> Matrix:
    """Return the products E_a x E_b x ... of consecutive sites, first site major: (prod D, prod d, prod d).

    On sites with fermions they are the products of the graded basis, as Jordan-Wigner matrices.
    """
    elements, parity = spaces[0].elements, parity_of(spaces[:1])
    for number, space in enumerate(spaces[1:], 2):
        size = elements.shape[1] * space.levels
        before = np.stack([elements, elements @ parity])[space.grading.astype(int)]  # (b, a, i, j)
        elements = np.einsum("baij,bkl->abikjl", before, space.elements).reshape(-1, size, size)
        parity = parity_of(spaces[:number])
    return elements


def parity_of(spaces: Sequence[LocalSpace]) -> Matrix:
    """Return the fermion parity (-1)^n of consecutive sites, 1 on sites without fermions: (prod d, prod d)."""
    parity = np.eye(1, dtype=complex)
    for space in spaces:
        parity = np.kron(parity, np.eye(space.levels) if space.parity is None else space.parity)
    return parity.astype(complex)


def oddness(spaces: Sequence[LocalSpace]) -> NDArray[np.bool_]:
    """Return True for the products of basis elements that are odd, first site major: (prod D,)."""
    odd = np.zeros(1, bool)
    for space in spaces:
        odd = (odd[:, None] ^ space.grading).ravel()
    return odd


def density_matrix(coefficients: ArrayLike, spaces: Sequence[LocalSpace]) -> Matrix:
    """Return sum_ab.. r_ab.. E_a x E_b x ... for the coefficients of consecutive sites: (prod d, prod d).

    On sites with fermions it is a Jordan-Wigner matrix.
    """
    tensor = _strung(np.asarray(coefficients), spaces).reshape([space.dim for space in spaces])
    for space in spaces:  # the first axis becomes the last two
        tensor = np.tensordot(tensor, space.elements, (0, 0))
    rows, columns = range(0, 2 * len(spaces), 2), range(1, 2 * len(spaces), 2)
    return tensor.transpose(*rows, *columns).reshape((math.prod(space.levels for space in spaces),) * 2)


def coefficients(matrix: ArrayLike, spaces: Sequence[LocalSpace]) -> NDArray[np.float64]:
    """Return the coefficients Tr((E_a x E_b x ...)^+ rho) of a Hermitian matrix on consecutive sites: (D, D', ...)."""
    levels, count = [space.levels for space in spaces], len(spaces)
    tensor = np.asarray(matrix, np.complex128).reshape(levels + levels)
    tensor = tensor.transpose([axis for i in range(count) for axis in (i, count + i)])
    for space in spaces:  # the first two axes become the last one
        tensor = np.tensordot(tensor, space.elements.conj(), ((0, 1), (1, 2)))
    return np.ascontiguousarray(_strung(tensor, spaces, inverse=True).real)


def _strung(tensor: Any, spaces: Sequence[LocalSpace], inverse: bool = False) -> Any:
    """Return coefficients of plain products for those of products with strings, which act left of odd elements."""
    odd, after = np.zeros(1, bool), 1
    for space in reversed(spaces):
        if odd.any() and space.graded:
            signed = space.signed.conj().T if inverse else space.signed
            parts = np.array(tensor, complex).reshape(-1, space.dim, after)
            parts[:, :, odd] = signed @ parts[:, :, odd]
            tensor = parts.reshape(tensor.shape)
        odd = (space.grading[:, None] ^ odd).ravel()
        after *= space.dim
    return tensor


def _space(
    name: str,
    elements: Matrix,
    operators: Mapping[str, Matrix],
    odd: Mapping[str, Matrix],
    cut: tuple[int, ...] = (),
) -> LocalSpace:
    d = elements.shape[1]
    named = {"I": LocalOperator("I", np.eye(d, dtype=complex))}
    named |= {key: LocalOperator(key, np.asarray(value, complex)) for key, value in operators.items()}
    parity = operators.get("P")
    named |= {key: LocalOperator(key, np.asarray(value, complex), parity) for key, value in odd.items()}
    return LocalSpace(name, _graded(elements, parity) if odd and parity is not None else elements, named, cut=cut)


def _graded(elements: Matrix, parity: Matrix) -> Matrix:
    """Return even and odd elements only, the odd ones times exp(i pi/4)."""
    if np.any(parity != np.diag(np.diag(parity))):
        states = np.linalg.eigh(parity)[1]
        elements = states @ elements @ states.conj().T
    is_odd = np.einsum("aij,aij->a", elements.conj(), parity @ elements @ parity).real < 0
    return np.where(is_odd, np.exp(0.25j * np.pi), 1)[:, None, None] * elements


@typed
def composite(parts: Sequence[LocalSpace]) -> LocalSpace:
    """Return several sites as one, with operators `X0`, `N1`, ...: `X` of part 0, `N` of part 1; also `a & b`.

    What both count (N, Sz, ...) also has its total, `N` = N0 + N1.

    >>> pair = spin_half & boson(2)
    >>> pair.levels, pair.X0.matrix.shape
    (6, (6, 6))
    """
    return _composite(tuple(parts))


@cache
def _composite(parts: tuple[LocalSpace, ...]) -> LocalSpace:
    if len({part.quantum for part in parts}) != 1:
        raise InputError("a composite site joins quantum spaces, or classical ones")
    size = math.prod(part.levels for part in parts)
    hermitian = hermitian_elements(size) if parts[0].quantum else None  # refuses what is too large
    named: dict[str, LocalOperator] = {}
    parity = parity_of(parts) if any(part.graded for part in parts) else None
    for number, part in enumerate(parts):
        before, after = parts[:number], [space.levels for space in parts[number + 1 :]]
        for name, operator in part.operators.items():
            left = parity_of(before) if operator.odd else np.eye(math.prod(s.levels for s in before))
            matrix = np.kron(np.kron(left, operator.matrix), np.eye(math.prod(after)))
            key = f"{name}{number}"
            named[key] = LocalOperator(key, matrix.astype(complex), parity if operator.odd else None)
    named["I"] = LocalOperator("I", np.eye(size, dtype=complex))
    if parity is not None:
        named["P"] = LocalOperator("P", parity)
    for name in COUNTED:
        if all(name in part.operators for part in parts):
            counted = np.sum([named[f"{name}{number}"].matrix for number in range(len(parts))], axis=0)
            named[name] = LocalOperator(name, counted)
    name = " & ".join(part.name for part in parts)
    at_cutoff = np.zeros(1, bool)
    for part in parts:
        at_cutoff = (at_cutoff[:, None] | np.isin(np.arange(part.levels), part.cut)).ravel()
    cut = tuple(np.flatnonzero(at_cutoff).tolist())
    if hermitian is not None:
        return LocalSpace(name, hermitian if parity is None else _graded(hermitian, parity), named, parts, cut)
    return LocalSpace(name, product_elements(parts), named, parts, cut)


COUNTED = ("N", "Nu", "Nd", "Sz")
"""Operators whose totals a composite site has."""


@typed
def quantum_space(
    name: str,
    operators: Mapping[str, ArrayLike],
    odd: Mapping[str, ArrayLike] | None = None,
    cut: Sequence[int] = (),
) -> LocalSpace:
    """Return a quantum space with operators of your own.

    Parameters
    ----------
    name: for messages and records.
    operators: name -> (d, d) matrix; all of one d >= 2. With fermions, "P" must be the parity (-1)^n.
    odd: name -> (d, d) matrix of the fermionic (odd) operators.
    cut: levels next to a cutoff, if the space is cut out of a larger one; the certificate then tells their weight.

    >>> qutrit = quantum_space("qutrit", {"N": np.diag([0.0, 1.0, 2.0])})
    >>> qutrit.dim
    9
    """
    odd = odd or {}
    matrices, odd_matrices = _matrices(name, operators), _matrices(name, odd)
    shapes = {m.shape for m in (*matrices.values(), *odd_matrices.values())}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2 or len(set(next(iter(shapes)))) != 1:
        raise InputError(
            f"operators of space {name!r} must be square matrices of one size, got shapes {sorted(shapes)}"
        )
    if next(iter(shapes))[0] < 2:
        raise InputError(f"space {name!r} has one state; at least 2 are needed")
    for key in (*matrices, *odd_matrices):
        if hasattr(LocalSpace, key) or key in LocalSpace.__dataclass_fields__:
            raise InputError(
                f"an operator of space {name!r} cannot be called {key!r}: every space has an attribute of that name"
            )
    if odd and "P" not in matrices:
        raise InputError(f"space {name!r} has fermionic operators {sorted(odd)} and needs their parity as operator 'P'")
    for key, matrix in odd_matrices.items():
        parity = matrices["P"]
        if not (np.allclose(parity @ parity, np.eye(len(parity))) and np.allclose(parity @ matrix, -matrix @ parity)):
            raise InputError(f"space {name!r}: P must square to 1 and anticommute with the fermionic operator {key!r}")
    size = next(iter(shapes))[0]
    if not all(0 <= level < size for level in cut):
        raise InputError(f"space {name!r}: cut = {tuple(cut)} names levels of 0 to {size - 1}")
    return _space(name, hermitian_elements(size), matrices, odd_matrices, tuple(cut))


def _matrices(name: str, operators: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.complex128]]:
    try:
        matrices = {str(key): np.asarray(value, complex) for key, value in operators.items()}
    except (TypeError, ValueError) as error:
        raise InputError(f"an operator of space {name!r} is no matrix: {error}") from None
    if not all(np.isfinite(matrix).all() for matrix in matrices.values()):
        raise InputError(f"an operator of space {name!r} is not finite")
    return matrices


def operator_space(name: str, elements: ArrayLike, operators: Mapping[str, ArrayLike]) -> LocalSpace:
    """Return the space spanned by some matrices, e.g. by the pairs of operators that an averaged replica needs.

    Parameters
    ----------
    name: for messages and records.
    elements: orthonormal, Tr(E_a^+ E_b) = delta_ab: (D, d, d).
    operators: name -> (d, d) matrix, read as Tr(O rho).
    """
    basis = np.asarray(elements, complex)
    flat = basis.reshape(len(basis), -1)
    if np.abs(flat.conj() @ flat.T - np.eye(len(basis))).max() > 1e-12:
        raise InputError(f"the elements of space {name!r} must be orthonormal")
    return _space(name, basis, {key: np.asarray(value, complex) for key, value in operators.items()}, {})


@typed
@cache
def spin(twice: int | None = None, *, S: float | None = None) -> LocalSpace:
    """Return a spin S with Sx, Sy, Sz, Sp, Sm; levels run from m = S down to -S.

    Parameters
    ----------
    twice: 2 S. S: the spin itself, instead of `twice`.

    >>> spin(2).levels, spin(S=1) is spin(2), spin(S=3 / 2).levels
    (3, True, 4)
    """
    if S is not None:
        if twice is not None or int(2 * S) != 2 * S:
            raise InputError(f"spin takes either twice the spin or S = 1/2, 1, 3/2, ...; got {twice!r} and S = {S!r}")
        return spin(int(2 * S))
    if not isinstance(twice, int) or twice < 1:
        raise InputError(f"spin(twice) takes twice the spin as an integer >= 1, got {twice!r}")
    elements = hermitian_elements(twice + 1)  # refuses what is too large
    s = twice / 2
    m = s - np.arange(twice + 1)
    raising = np.diag(np.sqrt(s * (s + 1) - m[1:] * (m[1:] + 1)), 1).astype(complex)
    operators = {
        "Sx": (raising + raising.T) / 2,
        "Sy": (raising - raising.T) / 2j,
        "Sz": np.diag(m).astype(complex),
        "Sp": raising,
        "Sm": raising.T.copy(),
    }
    if twice == 1:
        operators |= {"X": 2 * operators["Sx"], "Y": 2 * operators["Sy"], "Z": 2 * operators["Sz"]}
        operators |= {"N": np.diag([1.0, 0.0]).astype(complex)}
    name = "spin-half" if twice == 1 else f"spin-{twice // 2}" if twice % 2 == 0 else f"spin-{twice}/2"
    return _space(name, elements, operators, {})


@typed
@cache
def boson(cutoff: int) -> LocalSpace:
    """Return a boson with occupations 0 to `cutoff`: B, Bd, N.

    `boson(cutoff).last` projects on the last level: what it weighs tells whether the cutoff is high enough.
    """
    if not isinstance(cutoff, int) or cutoff < 1:
        raise InputError(f"boson(cutoff) takes the largest occupation as an integer >= 1, got {cutoff!r}")
    elements = hermitian_elements(cutoff + 1)  # refuses what is too large
    lowering = np.diag(np.sqrt(np.arange(1, cutoff + 1)), 1).astype(complex)
    operators = {"B": lowering, "Bd": lowering.T.copy(), "N": np.diag(np.arange(cutoff + 1)).astype(complex)}
    return _space(f"boson-{cutoff}", elements, operators, {}, cut=(cutoff,))


@typed
@cache
def clock(d: int) -> LocalSpace:
    """Return a d-state clock: Z |k> = w^k |k>, X |k> = |k + 1 mod d>, w = exp(2 pi i/d), so that Z X = w X Z.

    `Zd` and `Xd` are their conjugates, `N` is diag(0, ..., d - 1). For d = 2 they are Pauli matrices.

    >>> z3 = clock(3)
    >>> bool(np.allclose(z3.Z.matrix @ z3.X.matrix, np.exp(2j * np.pi / 3) * z3.X.matrix @ z3.Z.matrix))
    True
    """
    if not isinstance(d, int) or d < 2:
        raise InputError(f"clock(d) takes the number of states as an integer >= 2, got {d!r}")
    elements = hermitian_elements(d)
    turned, shifted = np.diag(np.exp(2j * np.pi * np.arange(d) / d)), np.roll(np.eye(d, dtype=complex), 1, axis=0)
    operators = {"Z": turned, "X": shifted, "Zd": turned.conj(), "Xd": shifted.T.copy()}
    return _space(f"clock-{d}", elements, {**operators, "N": np.diag(np.arange(d)).astype(complex)}, {})


@typed
@cache
def levels(d: int) -> LocalSpace:
    """Return a general d-level system with the transition operators `T{j}{k}` = |j><k| (d <= 10)."""
    if not isinstance(d, int) or not 2 <= d <= 10:
        raise InputError(f"levels(d) takes an integer from 2 to 10, got {d!r}")
    unit = np.eye(d, dtype=complex)
    operators = {f"T{j}{k}": np.outer(unit[j], unit[k]) for j in range(d) for k in range(d)}
    return _space(f"levels-{d}", hermitian_elements(d), operators, {})


@typed
@cache
def classical(d: int) -> LocalSpace:
    """Return d classical states, coefficients = probabilities; `N` = diag(0, ..., d-1), `T{j}{k}` moves k to j.

    A `Lindbladian` on it is the master equation of its populations; it must map populations to populations.
    """
    if not isinstance(d, int) or not 2 <= d <= 10:
        raise InputError(f"classical(d) takes an integer from 2 to 10, got {d!r}")
    unit = np.eye(d, dtype=complex)
    operators = {f"T{j}{k}": np.outer(unit[j], unit[k]) for j in range(d) for k in range(d)}
    operators["N"] = np.diag(np.arange(d)).astype(complex)
    if d == 2:
        operators |= {"Sp": operators["T10"], "Sm": operators["T01"]}
    return _space(f"classical-{d}", np.array([np.outer(e, e) for e in unit]), operators, {})


_LOWER = np.array([[0, 1], [0, 0]], complex)  # |0><1|, state 0 empty

spin_half = spin(1)
spin_one = spin(2)
bit = classical(2)
spinless = quantum_space(
    "spinless",
    {"N": np.diag([0.0, 1.0]), "P": np.diag([1.0, -1.0])},
    odd={"C": _LOWER, "Cd": _LOWER.T},
)
_UP, _DOWN = np.zeros((2, 4, 4), complex)
_UP[0, 1] = _UP[2, 3] = _DOWN[0, 2] = 1
_DOWN[1, 3] = -1


def _spinful(name: str, up: Matrix, down: Matrix) -> LocalSpace:
    number_up, number_down = up.T @ up, down.T @ down
    raising = up.T @ down
    operators = {
        "Nu": number_up,
        "Nd": number_down,
        "N": number_up + number_down,
        "Sp": raising,
        "Sm": raising.T,
        "Sz": (number_up - number_down) / 2,
        "P": np.diag((-1.0) ** np.diag(number_up + number_down).real),
    }
    return quantum_space(name, operators, odd={"Cu": up, "Cud": up.T, "Cd": down, "Cdd": down.T})


electron = _spinful("electron", _UP, _DOWN)
"""Electrons: levels empty, up, down, both = c^+_up c^+_down |0>; Cu, Cd destroy, Cud, Cdd create."""
tj = _spinful("tj", _UP[:3, :3], _DOWN[:3, :3])
"""Electrons without double occupancy (t-J model): levels empty, up, down."""
