r"""Quadratic Lindbladians, recognised from their terms: hopping, fields, linear jumps, dephasing.

With G_ij = <c^+_i c_j> and H = sum h_ij c^+_i c_j, averages of two operators obey a closed equation,

    dG/dt = X G + G X^+ + gain + dephasing * diag G + shared * G,   X = i h^T - (loss + gain + dephasing) / 2,

loss_ij = sum u_i u_j^* over jumps sum u_i c_i and gain_ij = sum v_i^* v_j over jumps sum v_i c^+_i, even if the state
is not Gaussian: dephasing L = sum w_i n_i (real w, up to a common phase) keeps the equation closed, with
dephasing_i = sum w_i^2 and shared_ij = sum w_i w_j (i != j), but makes a mixture of Gaussian states.
Modes are counted site by site: an electron has two, up before down. Fermions may hop over any distance, and enter or
leave on any site. Spins are mapped to fermions by Jordan-Wigner; a particle is the state with N = 1 (up). A hop to a
neighbour carries no string. The string of a spin's jump at an end cancels in averages of even operators; in the bulk
it does not.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
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

MOST_NOISY = 24
"""Most noisy modes that count as a few."""
MOST_MODES = 3
"""Most modes of one site."""

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
    loss, gain: of the jumps that are sums of c_i and of c^+_i (see the module): (n, n), Hermitian.
    dephasing: of the jumps sum w_i n_i, sum of w_i^2: (n,).
    shared: the sum of w_i w_j for i != j, (n, n); None where every such jump acts on a single mode.
    constant: of the Hamiltonian.
    """

    hamiltonian: Matrix
    loss: Matrix
    gain: Matrix
    dephasing: Vector
    shared: Matrix | None = None
    constant: float = 0.0

    @property
    def n(self) -> int:
        """Number of modes."""
        return len(self.hamiltonian)

    @property
    def noisy(self) -> list[int]:
        """The modes with dephasing."""
        return [int(i) for i in np.flatnonzero(self.dephasing)]

    @property
    def few_noisy(self) -> bool:
        """True with noise of their own on one to 24 modes, and on half of all modes at most."""
        most = min(MOST_NOISY, max(self.n // 2, 1))
        return 1 <= len(self.noisy) <= most and self.shared is None

    @property
    def conserving(self) -> bool:
        """True where no jump adds or removes a particle."""
        return not (self.loss.any() or self.gain.any())

    @property
    def decay(self) -> Vector:
        """Rates at which coherences decay, twice: loss + gain + dephasing of each mode: (n,)."""
        return np.real(np.diag(self.loss + self.gain)) + self.dephasing

    def drift(self) -> Matrix:
        """Return X = i h^T - (loss + gain + dephasing) / 2."""
        return 1j * self.hamiltonian.T - (self.loss + self.gain + np.diag(self.dephasing)) / 2

    def returned(self, correlation: Matrix) -> Matrix:
        """Return what dephasing adds to X G + G X^+: dephasing * diag G + shared * G."""
        diagonal = np.diag(self.dephasing * np.diag(correlation))
        return diagonal if self.shared is None else diagonal + self.shared * correlation

    def derivative(self, correlation: Matrix) -> Matrix:
        """Return dG/dt for a Hermitian G."""
        half = self.drift() @ correlation
        return half + half.conj().T + self.gain + self.returned(correlation)


@dataclass(frozen=True)
class SiteModes:
    """The fermionic modes of a site.

    count: their number. fermionic: False for a spin 1/2, which is a mode with strings. occupied: the numbers of
    particles (modes, levels) in the levels. reading: from a flat matrix of the site to its weights in the products of
    1, n, c^+ and c of the modes, in their order: (4^modes, d^2).
    """

    count: int
    fermionic: bool
    occupied: Vector
    reading: Matrix


@lru_cache(maxsize=64)
def site_modes(space: LocalSpace) -> SiteModes | None:
    """Return the modes of a site; None where it is no product of modes."""
    destroy = _destroyers(space)
    if destroy is None:
        return None
    one = np.eye(space.levels)
    kinds = [(one, c.conj().T @ c, c.conj().T, c) for c in destroy]
    products = [reduce(np.matmul, chosen) for chosen in itertools.product(*kinds)]
    numbers = np.array([np.diag(own[_NUMBER]).real for own in kinds])
    reading = np.linalg.inv(np.array(products).reshape(len(products), -1).T)
    reading[np.abs(reading) < CANCELLED] = 0
    return SiteModes(len(destroy), space.graded, numbers, reading)


def _destroyers(space: LocalSpace) -> list[Matrix] | None:
    """Return the matrices c of a site's modes, in the order of its operators."""
    if not space.quantum:
        return None
    if space.levels == 2:
        if "N" not in space.operators:
            return None
        occupied = int(np.argmax(np.diag(space.operators["N"].matrix).real))
        return [np.outer(np.eye(2)[1 - occupied], np.eye(2)[occupied])]
    found: list[Matrix] = []
    if space.levels > 2**MOST_MODES:
        return None
    for operator in space.operators.values():
        c = operator.matrix
        if not operator.odd or np.any(c[:, 0]):  # level 0 is empty
            continue
        if _is_zero(c @ c.conj().T + c.conj().T @ c - np.eye(len(c))) and all(
            _is_zero(c @ other + other @ c) and _is_zero(c @ other.conj().T + other.conj().T @ c) for other in found
        ):
            found.append(c)
    return found if 2 ** len(found) == space.levels else None


def _is_zero(matrix: Matrix) -> bool:
    return bool(np.abs(matrix).max() < CANCELLED)


@lru_cache(maxsize=64)
def modes_of(spaces: tuple[LocalSpace, ...]) -> tuple[range, ...]:
    """Return the numbers of each site's modes.

    Raises
    ------
    NotQuadratic: a site is no product of fermionic modes, and no spin 1/2.
    """
    result, first = [], 0
    for i, space in enumerate(spaces):
        modes = site_modes(space)
        if modes is None:
            raise NotQuadratic(f"site {i} is a {space.name}, neither a spin 1/2 nor a product of fermionic modes")
        result.append(range(first, first + modes.count))
        first += modes.count
    return tuple(result)


def mode_numbers(spaces: tuple[LocalSpace, ...], sites: Sequence[int]) -> list[int]:
    """Return the numbers of all modes on some sites."""
    return [mode for site in sites for mode in modes_of(spaces)[site]]


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
    builder = _Builder(problem, _Reader.of(problem.spaces))
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
    reader = _Reader.of(spaces)
    for key, (weight, term) in reader.collected(operator).items():
        match key:
            case ():
                constant += weight
            case ((i, 1), (j, 1)):
                pairs.append((weight, i, j))
            case _:
                hop = reader.hop(key)
                if hop is None:
                    raise NotQuadratic(f"the observable's term {term} is no hop, density or product of two densities")
                hops.append((hop[0], hop[1], hop[2] * weight))
    rows, columns = (np.array([entry[k] for entry in hops], int) for k in (0, 1))
    return Bilinear(constant, rows, columns, np.array([entry[2] for entry in hops], complex), tuple(pairs))


def check_spaces(spaces: Sequence[LocalSpace]) -> None:
    """Refuse sites that are neither a spin 1/2 nor a fermion."""
    for i, space in enumerate(spaces):
        if space.levels != 2 or not space.quantum or "N" not in space.operators:
            raise NotQuadratic(f"site {i} is a {space.name}, not a spin 1/2 or a spinless fermion")


Key = tuple[tuple[int, int], ...]
"""A product of n (1), c^+ (2) and c (3) of modes, in their order: ((mode, kind), ...)."""


@dataclass
class _Builder:
    problem: Lindbladian
    reader: _Reader

    def __post_init__(self) -> None:
        count = len(self.reader.site)
        self.hopping, self.loss, self.gain = np.zeros((3, count, count), complex)
        self.dephasing, self.constant = np.zeros((count, count)), 0.0

    def add_hamiltonian(self, operator: Operator) -> None:
        for key, (weight, term) in self.reader.collected(operator).items():
            hop = self.reader.hop(key)
            if key == ():
                self.constant += weight.real
            elif hop is None:
                raise NotQuadratic(f"the Hamiltonian term {term} {_complaint([kind for _, kind in key])}")
            else:
                self.hopping[hop[:2]] += hop[2] * weight

    def add_jump(self, name: str, operator: Operator, rate: float) -> None:
        parts = {key: weight for key, (weight, _) in self.reader.collected(operator).items()}
        offset = complex(parts.pop((), 0.0))
        if not parts:
            return
        kinds = {key[0][1] if len(key) == 1 else _ONE for key in parts}
        if kinds == {_CREATE, _DESTROY}:
            raise NotQuadratic(f"{name} adds c and c^+: the particle number is not conserved; use engine 'tebd'")
        if len(kinds) != 1 or kinds == {_ONE}:
            raise NotQuadratic(f"{name} is no sum of c, of c^+ or of n")
        vector = np.zeros(len(self.reader.site), complex)
        for ((mode, _),), weight in parts.items():
            vector[mode] = weight
        if kinds == {_NUMBER}:
            self._add_dephasing(name, vector, offset, rate)
            return
        if offset:
            raise NotQuadratic(f"{name} adds a constant to a particle's jump")
        self._check_strings(name, np.flatnonzero(vector))
        if kinds == {_CREATE}:
            self.gain += rate * np.outer(vector.conj(), vector)
        else:
            self.loss += rate * np.outer(vector, vector.conj())

    def _add_dephasing(self, name: str, vector: Matrix, offset: complex, rate: float) -> None:
        """D[L + b] = D[L] - i[h, .] with h = sum Im(b w_i^*) n_i for L = sum w_i n_i."""
        largest = vector[np.abs(vector).argmax()]
        real = vector * np.conj(largest) / abs(largest)
        if np.abs(real.imag).max() > CANCELLED * abs(largest):
            raise NotQuadratic(f"{name} adds densities with different phases, which interact")
        self.dephasing += rate * np.outer(real.real, real.real)
        self.hopping += rate * np.diag((offset * vector.conj()).imag)

    def _check_strings(self, name: str, modes: NDArray[np.intp]) -> None:
        for mode in modes.tolist():
            if self.reader.fermionic[mode]:
                continue
            if len(modes) > 1 or self.reader.site[mode] not in (0, self.problem.n - 1):
                raise NotQuadratic(
                    f"{name} adds or removes a particle in the bulk, where it carries a Jordan-Wigner string"
                )

    def result(self) -> Quadratic:
        adjoint = self.hopping.conj().T
        if np.abs(self.hopping - adjoint).max() > CANCELLED * max(1.0, float(np.abs(self.hopping).max())):
            raise NotQuadratic("the Hamiltonian is not Hermitian")
        diagonal = np.diag(self.dephasing).copy()
        shared = self.dephasing - np.diag(diagonal)
        matrices = (self.hopping + adjoint) / 2, self.loss, self.gain
        return Quadratic(*matrices, diagonal, shared if shared.any() else None, self.constant)


@dataclass(frozen=True)
class _Reader:
    """Reads terms as products of the modes of a chain.

    modes: of each site. first: number of the first mode of a site. site, fermionic: of each mode.
    """

    modes: tuple[SiteModes, ...]
    first: tuple[int, ...]
    site: tuple[int, ...]
    fermionic: tuple[bool, ...]

    @classmethod
    def of(cls, spaces: Sequence[LocalSpace]) -> _Reader:
        return _reader(tuple(spaces))

    def hop(self, key: Key) -> tuple[int, int, int] | None:
        """Return (i, j, sign) of a density or a hop c^+_i c_j; None for other products."""
        match key:
            case ((i, 1),):
                return i, i, 1
            case ((i, 2), (j, 3)):
                return i, j, 1
            case ((i, 3), (j, 2)):  # fermions anticommute; spins on neighbouring sites do not
                return j, i, -1 if self.fermionic[i] else 1
        return None

    def collected(self, operator: Operator) -> dict[Key, tuple[complex, Term]]:
        """Return the products in an operator, each with its weight and the first term that holds it.

        Weights that cancel to round-off are dropped: X X + Y Y has no c c and no c^+ c^+.
        """
        sums: dict[Key, tuple[complex, Term]] = {}
        largest: dict[Key, float] = {}
        for term in operator:
            for key, weight in self._parts(term):
                before, first = sums.get(key, (0j, term))
                sums[key] = before + weight, first
                largest[key] = max(largest.get(key, 0.0), abs(weight))
        return {key: entry for key, entry in sums.items() if abs(entry[0]) > CANCELLED * largest[key]}

    def _parts(self, term: Term) -> Iterator[tuple[Key, complex]]:
        """Yield a term as products of n (1), c^+ (2) and c (3) of its modes, with their weights."""
        coefficient, matrices, _ = term.graded()
        products: list[tuple[Key, complex]] = [((), complex(coefficient))]
        for site in sorted(matrices):
            modes, first = self.modes[site], self.first[site]
            weights = modes.reading @ np.asarray(matrices[site]).ravel()
            own = [
                (tuple((first + m, kind) for m, kind in enumerate(kinds) if kind != _ONE), weight)
                for kinds, weight in zip(itertools.product(range(4), repeat=modes.count), weights, strict=True)
                if weight != 0
            ]
            products = [(key + more, weight * part) for key, weight in products for more, part in own]
        for key, weight in products:
            yield self._bare(key), weight

    def _bare(self, key: Key) -> Key:
        """Return other kinds for c^+ and c of two spins that are no neighbours: their product lacks a hop's string."""
        moved = [mode for mode, kind in key if kind in (_CREATE, _DESTROY) and not self.fermionic[mode]]
        if len(moved) == 2 and abs(self.site[moved[0]] - self.site[moved[1]]) > 1:
            return tuple((mode, kind + _BARE if mode in moved else kind) for mode, kind in key)
        return key


@lru_cache(maxsize=64)
def _reader(spaces: tuple[LocalSpace, ...]) -> _Reader:
    numbers = modes_of(spaces)
    modes = tuple(own for own in map(site_modes, spaces) if own is not None)
    site = tuple(i for i, own in enumerate(numbers) for _ in own)
    fermionic = tuple(own.fermionic for own in modes for _ in range(own.count))
    return _Reader(modes, tuple(own.start for own in numbers), site, fermionic)


def _complaint(kinds: list[int]) -> str:
    if kinds == [_NUMBER, _NUMBER]:
        return "is an interaction between particles"
    if kinds in ([_CREATE, _CREATE], [_DESTROY, _DESTROY]):
        return "makes or destroys pairs: the particle number is not conserved"
    return "is not quadratic in fermions"
