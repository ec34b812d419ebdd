"""`Lindbladian`: Hamiltonian and jumps on any sites, kept symbolic, turned into a `ChainGenerator`.

drho/dt = -i[H, rho] + sum_k rate_k ( L_k rho L_k^+ - 1/2 {L_k^+ L_k, rho} )
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sparse
from numpy.typing import ArrayLike

from tnness.digest.content import digest
from tnness.digest.operators import probe
from tnness.errors import ModelError
from tnness.operators.basis import LocalSpace, parity_of, product_elements
from tnness.operators.ketbra import PairHamiltonian
from tnness.operators.terms import Matrix, Operator, as_operator, total
from tnness.problems.assembly import assembled, superoperator
from tnness.problems.driven import Drive, Operation
from tnness.problems.envelope import Function, value_at
from tnness.problems.generator import ChainGenerator, Real
from tnness.problems.need import sites_known
from tnness.problems.schedule import Driven, digest_of_driven, drive_of, scheduled
from tnness.typed import checked

HERMITICITY_TOLERANCE = 1e-12
"""Largest |H - H^+| of a local Hamiltonian, relative to its norm, that counts as round-off."""

LARGEST_TERM = 32
"""Most levels, over all its sites, of a single term: its superoperator is a matrix of their fourth power numbers.

A term on one site may have as many levels as the site. A Hamiltonian on two neighbouring sites may have the levels of
`LARGEST_PAIR`: then it acts on ket and bra apart (`tnness.operators.ketbra`).
"""
LARGEST_PAIR = 1024
"""Most levels of two neighbouring sites with a Hamiltonian of both."""


@dataclass(frozen=True)
class Jump:
    """One jump operator L with its rate: rate * D[L].

    counts: the counters that it changes, and by how much.
    """

    operator: Operator
    rate: float
    counts: tuple[tuple[str, float], ...] = ()


class Lindbladian:
    """A Lindblad equation on a chain, stated by adding terms.

    Parameters
    ----------
    spaces: the local space of each site; they may differ. With `classical` spaces it is the master equation of the
        populations, and every term must map populations to populations.

    Examples
    --------
    >>> from tnness.operators.basis import spin_half as s
    >>> chain = Lindbladian([s] * 3)
    >>> for i in range(2):
    ...     chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
    >>> chain.jump(s.Sp(0), rate=0.5)
    >>> chain.jump(s.Sm(2), rate=0.5)
    >>> chain.generator().dims
    (4, 4, 4)
    """

    form: ClassVar[str] = "chain"
    """The kind of problem."""

    def __init__(self, spaces: Sequence[LocalSpace]) -> None:
        self.spaces: tuple[LocalSpace, ...] = checked("spaces", spaces, Sequence[LocalSpace])
        if not self.spaces:
            raise ModelError("a chain needs at least one site")
        self.levels = {i: space.levels for i, space in enumerate(self.spaces)}
        """Hilbert dimension of each site."""
        self.parities = {i: space.parity for i, space in enumerate(self.spaces)}
        """Fermion parity (-1)^n of each site, None where it has no fermions."""
        self._hamiltonian_terms: list[Operator] = []
        self._jumps: list[Jump] = []
        self.driven: tuple[Driven, ...] = ()
        """Terms of H with their envelopes, and jumps with their rates, where these are functions of time."""
        self.scheduled: tuple[Operation, ...] = ()
        """Operations at given times."""
        self.densities: tuple[tuple[Operator, ...], ...] = ()
        """Local densities, besides the energy, whose sums the Hamiltonian conserves."""
        self._generator: ChainGenerator | None = None
        self._drive: Drive | None = None
        self._fixed = False
        sites_known(self)

    @property
    def n(self) -> int:
        """Number of sites."""
        return len(self.spaces)

    @property
    def is_driven(self) -> bool:
        """True where the equation depends on time."""
        return bool(self.driven or self.scheduled)

    @property
    def hamiltonian_terms(self) -> tuple[Operator, ...]:
        """The terms of H, of a chain that does not depend on time."""
        self._refuse_driven()
        return tuple(self._hamiltonian_terms)

    @hamiltonian_terms.setter
    def hamiltonian_terms(self, terms: tuple[Operator, ...]) -> None:
        self._hamiltonian_terms = list(terms)

    @property
    def jumps(self) -> tuple[Jump, ...]:
        """The jumps, of a chain that does not depend on time."""
        self._refuse_driven()
        return tuple(self._jumps)

    @jumps.setter
    def jumps(self, jumps: tuple[Jump, ...]) -> None:
        self._jumps = list(jumps)

    def _refuse_driven(self) -> None:
        if self.is_driven:
            raise ModelError(
                "this chain depends on time, and something asked for what does not: engines 'tebd', 'tdvp' and "
                "'exact' evolve it; frozen(t) is the chain at the time t"
            )

    @property
    def reach(self) -> int:
        """Largest distance between two sites of a term of H or of a jump; 1 for neighbours."""
        parts = [(term.sites or (0,)) for operator in self._hamiltonian_terms for term in operator]
        parts += [jump.operator.sites or (0,) for jump in self._jumps]
        parts += [
            sites or (0,)
            for d in self.driven
            for sites in ([d.operator.sites] if d.is_rate else [t.sites for t in d.operator])
        ]
        parts += [operation.sites for operation in self.scheduled]
        return max((sites[-1] - sites[0] for sites in parts), default=1)

    def summary(self) -> str:
        """Return what the problem is, in one line."""
        dims = sorted({space.dim for space in self.spaces})
        return f"{self.n} site{'s' if self.n != 1 else ''} of local dimension {', '.join(map(str, dims))}"

    def digest(self) -> str:
        """Return a hash of the equation: of the spaces, H but for a constant, the jumps, and the densities.

        H is hashed as a whole, and so is sum_k rate_k L_k (.) L_k^+: neither the order of terms nor their splitting
        matters, nor whether a factor stands in a jump or in its rate. A multiple of 1 added to a jump does matter.
        """
        values = probe([total(self._hamiltonian_terms)], self.parities)[0]
        rates = np.array([jump.rate for jump in self._jumps])
        jumps = probe([jump.operator for jump in self._jumps], self.parities)  # (jump, functional)
        densities = sorted(digest(probe(density, self.parities)) for density in self.densities)
        static = digest("lindbladian", self.spaces, values - values[0], rates @ np.abs(jumps) ** 2, densities)
        return static if not self.is_driven else digest_of_driven(static, self)

    def hamiltonian(self, operator: Operator, envelope: Function | None = None) -> None:
        """Add a term (or a sum of terms) to H; each term acts on any few sites.

        Only the whole of H must be Hermitian, so a term and its conjugate may be added one after the other.

        Parameters
        ----------
        operator: the term. envelope: a real function of time that multiplies it (default: it is constant); the sum of
            all terms with one envelope must be Hermitian. See also `Piecewise`.

        >>> from tnness.operators.basis import spin_half as s
        >>> chain = Lindbladian([s] * 2)
        >>> chain.hamiltonian(s.Z(0) * s.Z(1))
        >>> chain.hamiltonian(s.X(0) + s.X(1), envelope=lambda t: math.cos(3 * t))
        >>> float(chain.frozen(0.0).bond_hamiltonian(0)[0, 1].real)
        1.0
        """
        operator = _placed(operator, "the Hamiltonian")
        for term in operator:
            if not np.isfinite(term.coefficient):
                raise ModelError(f"the Hamiltonian term {term} has a coefficient that is not finite")
            if term.odd:
                raise ModelError(f"the Hamiltonian term {term} is odd in fermions, which no Hamiltonian can be")
            self.window_of(Operator((term,)), "the Hamiltonian term {}", coherent=True)
        self._open()
        if envelope is None:
            self._hamiltonian_terms.append(operator)
        else:
            self.driven += (Driven(operator, envelope, f"the Hamiltonian term {operator}"),)

    def jump(self, operator: Operator, rate: float | Function = 1.0, counts: str | Mapping[str, float] = "") -> None:
        """Add rate * D[L] for a jump L on any few sites, or a sum of terms on different sites.

        counts: the name of a counter that every such jump raises by 1, or {name: change}, -1 where the jump is the
        reverse of those that raise it: `tnness.runs.beyond.counting` gives the statistics. It changes no state.

        A fermionic (odd) jump may act on any site (see `jump_matrix`); a sum of even and odd terms is refused. The rate
        is a number >= 0, or a function of time that is.
        """
        number = len(self._jumps) + sum(driven.is_rate for driven in self.driven)
        operator = _placed(operator, f"jump {number}")
        name = f"jump {number} ({operator})"
        if callable(rate):
            driven = Driven(operator, rate, name, is_rate=True)
        elif isinstance(rate, bool) or not isinstance(rate, numbers.Real) or not math.isfinite(rate):
            raise ModelError(f"{name} has rate {rate!r}; a rate is a finite number >= 0, or a function of time")
        elif rate < 0:
            raise ModelError(f"{name} has the negative rate {rate:g}; rates are >= 0")
        else:
            driven = None
        if not all(np.isfinite(term.coefficient) for term in operator):
            raise ModelError(f"{name} has a coefficient that is not finite")
        self.window_of(operator, name)
        if operator.odd and not all(term.odd for term in operator):
            raise ModelError(f"{name} mixes even and odd fermionic terms")
        counters = _counters(counts, name)
        if driven is not None and counters:
            raise ModelError(f"{name} has a rate that depends on time: it cannot be counted")
        self._open()
        if driven is not None:
            self.driven += (driven,)
        else:
            self._jumps.append(Jump(operator, float(rate), counters))  # type: ignore[arg-type]

    def at(
        self,
        time: float,
        operation: Operator | Sequence[Operator | complex] | ArrayLike,
        sites: Sequence[int] | None = None,
        every: float | None = None,
    ) -> None:
        """Schedule a gate or a channel: rho -> sum_k K_k rho K_k^+ at a time >= 0.

        The state that is measured at this time is the one before it. Operations of one time act in the order in which
        they were added.

        Parameters
        ----------
        time: when it acts. operation: a unitary operator; or a sequence of Kraus operators, where a number is a
            multiple of 1; or, with `sites`, matrices (d, d) or (count, d, d) on these sites, first one major.
        sites: of matrices. every: time after which it acts again, and again; default: it acts once.

        Raises
        ------
        ModelError: an operation that does not conserve the trace, a time that is no number >= 0, sites that are not
            there, Kraus operators that mix even and odd fermionic terms.

        >>> from tnness.operators.basis import spin_half as s
        >>> chain = Lindbladian([s] * 2)
        >>> chain.at(0.0, s.X(0))  # a pulse
        >>> chain.at(1.0, [math.sqrt(0.9), math.sqrt(0.1) * s.Z(1)], every=1.0)  # dephasing at 1, 2, 3, ...
        """
        added = scheduled(self, time, operation, sites, every)
        self._open()
        self.scheduled += (added,)

    def circuit(self, layers: Iterable[Iterable[Any]], start: float = 0.0, apart: float = 1.0) -> None:
        """Schedule the layers of a circuit of gates and channels, one after the other.

        The state after k layers is measured at the time start + k apart.

        Parameters
        ----------
        layers: of each layer its operations, in their order: a unitary operator, a list of Kraus operators, or a pair
            (matrices, sites). start: time of the first layer. apart: time between two layers.

        >>> from tnness.operators.basis import spin_half as s
        >>> chain = Lindbladian([s] * 3)
        >>> flip = [math.sqrt(0.99), math.sqrt(0.01) * s.X(1)]
        >>> hadamard = np.array([[1, 1], [1, -1]]) / math.sqrt(2)
        >>> chain.circuit([[(hadamard, [0]), (np.diag([1, 1, 1, -1]), [0, 1])], [s.Z(2), flip]])
        >>> [operation.time for operation in chain.scheduled]
        [0.0, 0.0, 1.0, 1.0]
        """
        for number, layer in enumerate(layers):
            for operation in layer:
                given = operation if isinstance(operation, tuple) and len(operation) == 2 else (operation, None)
                self.at(start + number * apart, *given)

    def frozen(self, time: float) -> Lindbladian:
        """Return the chain as it is at a time, as one that is constant and has no scheduled operations."""
        chain = Lindbladian(self.spaces)
        chain._hamiltonian_terms, chain._jumps = [*self._hamiltonian_terms], [*self._jumps]
        chain.densities = self.densities
        for driven in self.driven:
            value = value_at(driven.function, time, driven.name, driven.is_rate)
            if driven.is_rate:
                chain._jumps.append(Jump(driven.operator, value))
            else:
                chain._hamiltonian_terms.append(value * driven.operator)
        return chain

    def constant(self) -> Lindbladian:
        """Return the constant part alone: the terms without an envelope, and the jumps whose rate is a number."""
        chain = Lindbladian(self.spaces)
        chain._hamiltonian_terms, chain._jumps = [*self._hamiltonian_terms], [*self._jumps]
        return chain

    def drive(self) -> Drive:
        """Return the equation as constant real matrices with the functions that multiply them; built once."""
        if self._drive is None:
            self._drive = drive_of(self)
        return self._drive

    def nearly_conserved(self, density: Sequence[Operator]) -> None:
        """Declare a density, besides the energy, whose sum H conserves, so that weak dissipation changes it slowly.

        density: one operator per site or bond, from left to right, such as [s.Sz(i) for i in range(n)]. The
        `accelerated` engine uses it (`tnness.engines.weak`).
        """
        operators = tuple(_placed(operator, f"density {len(self.densities)}") for operator in density)
        for operator in operators:
            self.window_of(operator, f"density {len(self.densities)}")
        self._open()
        self.densities += (operators,)

    def bond_hamiltonian(self, bond: int, site_weight: float = 1.0) -> Matrix:
        """Return h on sites (bond, bond + 1): two-site terms plus `site_weight` times one-site terms: (d d', d d')."""
        self._check_neighbours()
        window = (bond, bond + 1)
        total = np.zeros((self.levels_of(window),) * 2, dtype=complex)
        for term in (t for operator in self.hamiltonian_terms for t in operator):
            if set(term.sites) == set(window):
                total += Operator((term,)).matrix(window, self.levels, self.parities)
            elif set(term.sites) < set(window):
                total += site_weight * Operator((term,)).matrix(window, self.levels, self.parities)
        return total

    def site_hamiltonian(self, site: int) -> Matrix:
        """Return the terms of H on one site alone: (d, d)."""
        total = np.zeros((self.spaces[site].levels,) * 2, dtype=complex)
        for term in (t for operator in self.hamiltonian_terms for t in operator if t.sites == (site,)):
            total += Operator((term,)).matrix((site,), self.levels, self.parities)
        return total

    def bond_hamiltonian_shared(self, bond: int) -> Matrix:
        """Return h on (bond, bond + 1) with one-site terms shared between bonds, so that H is the sum of these."""
        result = self.bond_hamiltonian(bond, site_weight=0.0)
        for site in (bond, bond + 1):
            weight = 1.0 if self.n == 2 or site in (0, self.n - 1) else 0.5
            for term in (t for operator in self.hamiltonian_terms for t in operator if t.sites == (site,)):
                result = result + weight * Operator((term,)).matrix((bond, bond + 1), self.levels, self.parities)
        return result

    def _check_neighbours(self) -> None:
        """Refuse to take H apart into terms on neighbours where it has others."""
        for term in (t for operator in self.hamiltonian_terms for t in operator):
            if term.sites and term.sites[-1] > term.sites[0] + 1:
                raise ModelError(
                    f"the Hamiltonian term {term} reaches beyond neighbours, which this start, or engine, cannot take: "
                    "start from identity, product:01*... or a state, with engine 'tebd', 'tdvp' or 'exact'"
                )

    def jump_matrix(self, operator: Operator) -> Matrix:
        """Return a jump on its own sites as it acts on the graded basis: L, or L P with their parity P if L is odd.

        An odd L takes a sign from each odd element to its left, and L^+ one from each to its right. A state is even, so
        that both together are (-1)^p of the elements on L's own sites: L F L^+ -> (-1)^p L F L^+ = (L P) F (L P)^+.

        Returns
        -------
        (d, d), or (d d', d d') for a jump on two neighbours.
        """
        window = operator.sites or (0,)
        matrix = operator.matrix(window, self.levels, self.parities)
        return matrix @ parity_of([self.spaces[i] for i in window]) if operator.odd else matrix

    def local_map(self, window: Sequence[int], action: Callable[[Matrix], Matrix]) -> Real:
        """Return a Hermiticity-preserving map S of the window's matrices as M_ab = Tr(E_a S(E_b)).

        `action` takes and returns matrices stacked along the first axis: (D, d, d).
        """
        return superoperator(self.elements_of(window), action)

    def cooling_maps(self) -> list[Real]:
        """Return rho -> -(h_b rho + rho h_b)/2 for each bond b, H = sum h_b: (D D', D D') each.

        Their sum generates exp(-beta H/2) rho exp(-beta H/2).
        """
        self.local_hamiltonians()
        self._check_neighbours()
        maps = []
        for bond in range(self.n - 1):
            h = self.bond_hamiltonian_shared(bond)
            maps.append(self.local_map((bond, bond + 1), _cooling(h)))
        return maps

    @property
    def is_factored(self) -> bool:
        """True where one-site terms are kept apart from those of bonds: large sites, or a single one."""
        return self.n == 1 or any(self.is_pair_large(bond) for bond in range(self.n - 1))

    def factored_cooling(self) -> tuple[list[Real], list[Real | None], dict[int, PairHamiltonian]]:
        """Return rho -> -(h rho + rho h)/2 of sites and of bonds, and the Hamiltonians of bonds without a matrix."""
        self.local_hamiltonians()
        self._check_neighbours()
        sites = [self.local_map((i,), _cooling(self.site_hamiltonian(i))) for i in range(self.n)]
        bonds: list[Real | None] = []
        coherent = dict[int, PairHamiltonian]()
        for i in range(self.n - 1):
            h = self.bond_hamiltonian(i, site_weight=0.0)
            if self.is_pair_large(i):
                coherent[i] = PairHamiltonian(h, *self.spaces[i : i + 2])
            bonds.append(None if i in coherent else self.local_map((i, i + 1), _cooling(h)))
        return sites, bonds, coherent

    def dissipator(self) -> ChainGenerator:
        """Return the jumps alone, without the Hamiltonian."""
        alone = Lindbladian(self.spaces)
        alone.jumps = self.jumps
        return alone.generator()

    def coherent(self) -> ChainGenerator:
        """Return the Hamiltonian alone, without the jumps."""
        alone = Lindbladian(self.spaces)
        alone.hamiltonian_terms = self.hamiltonian_terms
        return alone.generator()

    def effective_generator(self) -> sparse.csr_array:
        """Return A = -iH - 1/2 sum_k rate_k L_k^+ L_k as a sparse matrix (prod d, prod d): small chains only."""
        size = math.prod(self.levels.values())
        total = sparse.csr_array((size, size), dtype=complex)
        self.local_hamiltonians()
        for operator in self.hamiltonian_terms:
            total = total - 1j * self.hilbert(operator)
        for jump in self.jumps:
            matrix = self.hilbert(jump.operator)
            total = total - 0.5 * jump.rate * (matrix.conj().T @ matrix)
        return sparse.csr_array(total)

    def hilbert(self, operator: Operator) -> sparse.csr_array:
        """Return an operator on the whole chain as a sparse Jordan-Wigner matrix (prod d, prod d)."""
        size = math.prod(self.levels.values())
        total = sparse.csr_array((size, size), dtype=complex)
        for term in operator:
            product, matrices = sparse.csr_array([[complex(term.coefficient)]]), term.matrices(self.parities, 0)
            for site in range(self.n):
                matrix = sparse.csr_array(matrices[site]) if site in matrices else sparse.eye_array(self.levels[site])
                product = sparse.csr_array(sparse.kron(product, matrix))
            total = total + product
        return sparse.csr_array(total)

    def _open(self) -> None:
        """Refuse to change a fixed equation; else drop the matrices, which the change makes invalid."""
        if self._fixed:
            raise ModelError("the terms of a generator are fixed: add them to the chain it was made from")
        self._generator = self._drive = None

    def fixed(self) -> Lindbladian:
        """Return a copy that takes no more terms."""
        copy = Lindbladian(self.spaces)
        copy._hamiltonian_terms, copy._jumps = [*self._hamiltonian_terms], [*self._jumps]
        copy.densities, copy.driven, copy.scheduled = self.densities, self.driven, self.scheduled
        copy._fixed = True
        return copy

    def generator(self) -> ChainGenerator:
        """Return the equation as real matrices in the operator basis (see `tnness.operators.basis`); built once."""
        self._refuse_driven()
        if self._generator is None:
            self._generator = assembled(self)
        return self._generator

    def is_pair_large(self, bond: int) -> bool:
        """Return whether the matrix of a bond is too large to be formed, so that its Hamiltonian acts instead."""
        pair = self.spaces[bond : bond + 2]
        plain = all(space.quantum and space.parity is None for space in pair)
        return plain and math.prod(space.levels for space in pair) > LARGEST_TERM

    def local_hamiltonians(self) -> dict[tuple[int, ...], Matrix]:
        """Return the sum of the terms of H on each set of sites, checked to be Hermitian."""
        local: dict[tuple[int, ...], Matrix] = {}
        for term in (t for operator in self.hamiltonian_terms for t in operator):
            window = self.window_of(Operator((term,)), "a Hamiltonian term", coherent=True)
            matrix = Operator((term,)).matrix(window, self.levels, self.parities)
            local[window] = local[window] + matrix if window in local else matrix
        for window, matrix in local.items():
            asymmetry = np.abs(matrix - matrix.conj().T).max()
            if asymmetry > HERMITICITY_TOLERANCE * max(1.0, np.abs(matrix).max()):
                raise ModelError(f"the Hamiltonian is not Hermitian on sites {window}: |h - h^+| = {asymmetry:.2e}")
        return local

    def window_of(self, operator: Operator, name: str, coherent: bool = False) -> tuple[int, ...]:
        """Return the sites of an operator, checked: they exist, have its levels, and are not too many.

        name: of the operator in an error; {} in it stands for the operator, which is written out only there.
        """
        sites = operator.sites
        if sites and sites[-1] >= self.n:
            name = name.replace("{}", str(operator))
            raise ModelError(f"{name} acts on site {sites[-1]}; the chain has sites 0 to {self.n - 1}")
        levels = self.levels_of(sites)
        of_pair = coherent and len(sites) == 2 and sites[1] == sites[0] + 1 and self.is_pair_large(sites[0])
        if len(sites) > 1 and levels > (LARGEST_PAIR if of_pair else LARGEST_TERM):
            many = f"{name.replace('{}', str(operator))} acts on {len(sites)} sites with {levels} levels together"
            if of_pair:
                raise ModelError(f"{many}; two neighbouring sites may have {LARGEST_PAIR}: lower the cutoff")
            if coherent:
                raise ModelError(
                    f"{many}; a term may have {LARGEST_TERM}, or {LARGEST_PAIR} on two neighbours without fermions: "
                    "lower the cutoff, or order the sites otherwise"
                )
            raise ModelError(
                f"{many}; what is no Hamiltonian may have {LARGEST_TERM} on several sites: lower the cutoff, or let it "
                "act on single sites"
            )
        for term in operator:
            for site, factor in term.factors:
                if factor.matrix.shape[0] != self.spaces[site].levels:
                    raise ModelError(
                        f"{name.replace('{}', str(operator))}: operator {factor.name} has {len(factor.matrix)} levels, "
                        f"site {site} has {self.spaces[site].levels}"
                    )
        return sites or (0,)

    def levels_of(self, window: Sequence[int]) -> int:
        """Return the levels of some sites together."""
        return math.prod(self.spaces[i].levels for i in window)

    def elements_of(self, window: Sequence[int]) -> Matrix:
        """Return the operator basis of some sites: (D D' ..., d d' ..., d d' ...)."""
        return product_elements(tuple(self.spaces[i] for i in window))


def _counters(counts: str | Mapping[str, float], name: str) -> tuple[tuple[str, float], ...]:
    if not isinstance(counts, (str, Mapping)):
        raise ModelError(f"{name} has counts = {counts!r}: a name, or {{name: change}}, is needed")
    given = ({counts: 1.0} if counts else {}) if isinstance(counts, str) else dict(counts)
    for counter, change in given.items():
        if not counter or not isinstance(counter, str) or not isinstance(change, numbers.Real):
            raise ModelError(f"{name} has counts = {counts!r}: a name, or {{name: change}}, is needed")
        if not math.isfinite(change):
            raise ModelError(f"{name} changes the counter {counter!r} by {change!r}, which is not finite")
    return tuple((counter, float(change)) for counter, change in sorted(given.items()))


def _cooling(h: Matrix) -> Callable[[Matrix], Matrix]:
    return lambda e: -0.5 * (h @ e + e @ h)


def _placed(operator: Operator, name: str) -> Operator:
    if not isinstance(operator, (Operator, int, float, complex)):
        raise ModelError(
            f"{name} takes operators on numbered sites, such as X(0) * X(1); got a {type(operator).__name__}"
        )
    return as_operator(operator)
