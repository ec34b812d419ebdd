"""Views: quantities that can be read from a state, with the same names for every engine.

`View` has a method or property for every quantity that several representations can give; its name is called a word. The
view of a representation derives from `View` and implements the words that it can give. Every other word raises
`Unavailable` with the reason in one line. Words that follow from others need no code: a view with `marginal`
gives `entropy`, `renyi2`, `log_purity` and `negativity`; one with `expect` gives `correlations` and `density`; one
with `product` gives `correlation`. `gives` lists the words of a view.
"""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnness.errors import InputError, ModelError, Unavailable, suggestion
from tnness.observables.entanglement import DIAGONALISED, dense_negativity, density_entropy, partially_transposed
from tnness.operators.basis import LocalSpace
from tnness.operators.terms import LocalOperator, Operator

Array = NDArray[Any]
Real = NDArray[np.float64]
Sites = Sequence[int] | slice

DERIVED = {
    "correlations": "expect",
    "density": "expect",
    "correlation": "product",
    "entropy": "marginal",
    "renyi2": "marginal",
    "negativity": "marginal",
    "spin_negativity": "marginal",
    "transposed_moment": "marginal",
    "charge_distribution": "product",
    "log_purity": "renyi2",
}
"""Words that `View` computes from another word, unless a representation implements them."""


@dataclass(frozen=True)
class Estimate:
    """A measured value with its known error: of statistics, of a quadrature, ...

    value: number or array. error: absolute; one number, or one per element of the value.
    """

    value: ArrayLike
    error: ArrayLike


class View:
    """The base class of views: reads quantities from a state, normalised by its trace.

    Regions of sites are given as a sequence of sites or as a slice; None stands for all sites. Particles are counted by
    the operator N of a site; sites that hold 0 or 1 of them are read as fermionic modes, by Jordan-Wigner.

    spaces: local space of each site; () if the state is not one of a chain of sites.
    gives: the words that can be read. They follow from the methods that a class defines; an instance may `refuse` some.
    refusals: for each refused word the reason.

    >>> class Counter(View):
    ...     '''A state of which only a number is known.'''
    ...
    ...     def count(self) -> int:
    ...         return 3
    >>> sorted(Counter.gives)
    ['average', 'count']
    >>> Counter().entropy([0])
    Traceback (most recent call last):
    tnness.errors.Unavailable: a Counter gives no 'entropy'
    """

    spaces: tuple[LocalSpace, ...] = ()
    gives: frozenset[str] = frozenset({"average"})
    refusals: Mapping[str, str] = {}

    def __init__(self, spaces: Sequence[LocalSpace] = ()) -> None:
        self.spaces = tuple(spaces)
        self.refuse(_refused(self.spaces))

    def __init_subclass__(cls, **about: Any) -> None:
        super().__init_subclass__(**about)
        defined = _defined(cls)
        gives = set(cls.gives) | defined
        for word, source in DERIVED.items():
            if source in gives:
                gives.add(word)
        cls.gives = frozenset(gives - (cls.refusals.keys() - defined))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # asked for by Python, copy, pickle or a notebook
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if any(name in vars(cls) for cls in type(self).__mro__):  # a property that failed: say why
            return object.__getattribute__(self, name)
        raise Unavailable(self.why_not(name))

    # ------------------------------------------------------------------ words that the view gives

    def refuse(self, reasons: Mapping[str, str]) -> None:
        """Remove words from `gives`.

        reasons: word -> why not, in one line.
        """
        if reasons:
            self.refusals = {**self.refusals, **reasons}
            self.gives = self.gives - reasons.keys()

    def why_not(self, word: str) -> str:
        """Return in one line why the view does not give a word."""
        if word in self.refusals:
            return self.refusals[word]
        close = [] if word in vars(View) else difflib.get_close_matches(word, self.gives, n=1)
        return f"a {type(self).__name__} gives no {word!r}{suggestion(word, close)}"

    # ------------------------------------------------------------------ words that a representation implements

    def expect(self, operator: Operator) -> float | complex:
        """Return <O>, complex where O is not Hermitian. Sites that do not exist raise `ModelError`."""
        raise Unavailable(self.why_not("expect"))

    def product(self, matrices: Mapping[int, Array]) -> complex:
        """Return <M_i M_j ...> of one matrix (d, d) per site, without fermionic strings; complex."""
        raise Unavailable(self.why_not("product"))

    def marginal(self, sites: Sites) -> Array:
        """Return the density matrix (d, d) of consecutive sites, or their probabilities (d,) if they are classical."""
        raise Unavailable(self.why_not("marginal"))

    def schmidt_values(self, bond: int) -> Real:
        """Return the operator-space Schmidt values of rho across a bond, descending, sum s^2 = 1."""
        raise Unavailable(self.why_not("schmidt_values"))

    def functional(self, name: str) -> float:
        """Return a named product functional of the problem, relative to the trace."""
        raise Unavailable(self.why_not("functional"))

    def excitation(self, site: int) -> Real:
        """Return the densities (n,) of one particle that started on `site`, averaged over the noise."""
        raise Unavailable(self.why_not("excitation"))

    # ------------------------------------------------------------------ words that follow from these

    def average(self, measure: Callable[[Any], Any]) -> Any:
        """Return measure(view). A view of many realizations returns the mean over them, as an `Estimate`."""
        return measure(self)

    def with_error(self, measure: Callable[[Any], Any]) -> Any:
        """Return measure(view). A view that knows statistical errors returns an `Estimate`."""
        return measure(self)

    def correlations(self, first: LocalOperator, second: LocalOperator) -> Array:
        """Return <A_i B_j> for all pairs: (n, n); the diagonal holds <(AB)_i>.

        They are complex unless A and B are Hermitian; then the diagonal holds the real part, <(AB + BA)_i>/2.
        """
        self._need("correlations")
        sites = range(len(self.spaces))
        values = np.array([[self.expect(first(i) * second(j)) for j in sites] for i in sites])
        return np.real(values) if first.is_hermitian and second.is_hermitian else values

    @property
    def density(self) -> Real:
        """<n_i>: (n,)."""
        self._need("density")
        return self._densities

    @property
    def correlation(self) -> Array:
        """G_ij = <c^+_i c_j> = <s^+_i prod_(i<k<j) (-1)^n_k s^-_j>: (n, n)."""
        self._need("correlation")
        return self._hops

    def entropy(self, sites: Sites | None = None) -> float:
        """Return the von Neumann entropy of consecutive sites, in nats."""
        self._need("entropy")
        region = self._region("the von Neumann entropy", sites)
        if region not in self._entropies:
            self._entropies[region] = density_entropy(self.marginal(region)) if region else 0.0
        return self._entropies[region]

    def renyi2(self, sites: Sites | None = None) -> float:
        """Return the Renyi-2 entropy -ln Tr rho_X^2 of consecutive sites, in nats."""
        self._need("renyi2")
        region = self._region("the Renyi-2 entropy", sites)
        if not region:
            return 0.0
        marginal = self.marginal(region)
        return -math.log(np.vdot(marginal, marginal).real)

    def log_purity(self) -> float:
        """Return ln Tr rho^2 of the whole state."""
        self._need("log_purity")
        return -self.renyi2()

    def negativity(self, first: Sites, second: Sites) -> float:
        """Return the fermionic logarithmic negativity of two neighbouring regions, in nats."""
        self._need("negativity")
        lower, upper = sorted((self._chosen(first), self._chosen(second)))
        region = self._chosen([*lower, *upper])
        if region != _run_from(region):
            raise Unavailable(f"the negativity of regions that are not neighbours: {lower} and {upper}")
        if not any(self.spaces[i].quantum for i in region):
            return 0.0
        self._check_size("the negativity", region)
        return dense_negativity(self._occupations_up(self.marginal(region), region), len(lower))

    def spin_negativity(self, first: Sites, second: Sites) -> float:
        """Return the logarithmic negativity ln |rho^{T_A}|_1 of two neighbouring regions without fermions, in nats."""
        self._need("spin_negativity")
        transposed = self._transposed(first, second)
        return float(np.log(np.abs(np.linalg.eigvalsh(transposed)).sum()))

    def transposed_moment(self, first: Sites, second: Sites) -> float:
        """Return p_3 = Tr (rho^{T_A})^3 of two neighbouring regions without fermions.

        If p_3 < (Tr rho^2)^2, A and B are entangled; the converse need not be true. Elben et al., Phys. Rev. Lett. 125,
        200501 (2020).
        """
        self._need("transposed_moment")
        return float(np.sum(np.linalg.eigvalsh(self._transposed(first, second)) ** 3))

    def charge_distribution(self, name: str, sites: Sites | None = None) -> Real:
        """Return the probabilities P(Q = 0), P(1), ... of the sum Q of a whole-numbered diagonal operator over sites.

        By the generating function <exp(i phi Q)> at as many phases as Q has values, and a Fourier transform. The first
        entry is that of the smallest value.
        """
        self._need("charge_distribution")
        region = self._chosen(sites)
        levels = [_whole_numbers(self.spaces[i], name) for i in region]
        lowest, count = sum(int(own.min()) for own in levels), sum(int(np.ptp(own)) for own in levels) + 1
        generating = [self._generating(region, levels, 2 * np.pi * k / count) for k in range(count)]
        phases = np.exp(-2j * np.pi * np.arange(count) * lowest / count)
        return np.real(np.fft.fft(np.array(generating) * phases)) / count

    # ------------------------------------------------------------------ for the representations

    def _generating(self, region: Sequence[int], levels: Sequence[Array], phase: float) -> complex:
        """Return <exp(i phi Q)>."""
        return self.product({i: np.diag(np.exp(1j * phase * own)) for i, own in zip(region, levels, strict=True)})

    def _transposed(self, first: Sites, second: Sites) -> Array:
        """Return rho^{T_A} of two neighbouring regions."""
        lower, upper = sorted((self._chosen(first), self._chosen(second)))
        region = self._chosen([*lower, *upper])
        if region != _run_from(region):
            raise Unavailable(f"a partial transpose of regions that are not neighbours: {lower} and {upper}")
        if any(self.spaces[i].graded or not self.spaces[i].quantum for i in region):
            raise Unavailable("a partial transpose of sites with fermions (see negativity), or classical ones")
        self._check_size("a partial transpose", region)
        dims = [math.prod(self.spaces[i].levels for i in part) for part in (lower, upper)]
        return partially_transposed(self.marginal(region), (dims[0], dims[1]))

    def _read(self, operator: Operator, value: complex) -> float | complex:
        """Return the value of an operator: real where it is Hermitian, or read of sites that hold no state."""
        touched = (self.spaces[site] for site in operator.sites)
        is_real = all(not space.quantum for space in touched) or operator.is_hermitian
        return float(np.real(value)) if is_real else complex(value)

    def _need(self, word: str) -> None:
        """Raise `Unavailable` where a word is not given."""
        if word not in self.gives:
            raise Unavailable(self.why_not(word))

    def _check_sites(self, operator: Operator) -> None:
        """Refuse an operator that reaches beyond the chain."""
        if operator.sites and operator.sites[-1] >= len(self.spaces):
            raise ModelError(
                f"an observable reads site {operator.sites[-1]}; the chain has sites 0 to {len(self.spaces) - 1}"
            )

    def _chosen(self, sites: Sites | None) -> tuple[int, ...]:
        """Return the sites of a region, in the order given; refuse those that do not exist or come twice."""
        every = range(len(self.spaces))
        if sites is None or isinstance(sites, slice):
            return tuple(every[sites or slice(None)])
        chosen = tuple(int(site) for site in sites)
        if any(site not in every for site in chosen) or len(set(chosen)) < len(chosen):
            raise InputError(f"sites {chosen}: a region takes sites of 0 to {len(every) - 1}, each once")
        return chosen

    def _consecutive(self, what: str, sites: Sites | None) -> tuple[int, ...]:
        """Return the sites of a region, ascending; raise `Unavailable` where they are not consecutive."""
        region = tuple(sorted(self._chosen(sites)))
        if region != _run_from(region):
            raise Unavailable(f"{what} of sites that are not consecutive: {region}")
        return region

    def _marginal_region(self, sites: Sites) -> tuple[int, ...]:
        """Return the sites of a marginal; refuse an empty region, and raise `Unavailable` if it is not consecutive."""
        every = range(len(self.spaces))
        region = tuple(every[sites] if isinstance(sites, slice) else sites)
        message = f"a marginal takes consecutive sites of 0 to {len(every) - 1}, got {region}"
        if not region or any(site not in every for site in region):
            raise InputError(message)
        if region != _run_from(region):
            raise Unavailable(message)
        return region

    def _region(self, what: str, sites: Sites | None) -> tuple[int, ...]:
        """Return consecutive sites whose density matrix is small enough to be diagonalised."""
        region = self._consecutive(what, sites)
        self._check_size(what, region)
        return region

    def _check_size(self, what: str, region: Sequence[int]) -> None:
        states = math.prod(self.spaces[i].levels for i in region)
        if states > DIAGONALISED:
            raise Unavailable(f"{what} of {len(region)} sites: a matrix of more than {DIAGONALISED} states")

    @cached_property
    def _entropies(self) -> dict[tuple[int, ...], float]:
        return {}

    @cached_property
    def _densities(self) -> Real:
        return np.array([self.expect(space.N(i)) for i, space in enumerate(self.spaces)], float)

    @cached_property
    def _hops(self) -> Array:
        """G, its lower triangle the conjugate of the upper one: (n, n)."""
        hops, modes = np.diag(self.density).astype(complex), [_mode(space) for space in self.spaces]
        for i in range(len(hops)):
            for j in range(i + 1, len(hops)):
                if self.spaces[i].quantum and self.spaces[j].quantum:
                    between = {k: modes[k].parity for k in range(i + 1, j)}
                    hops[i, j] = self.product({i: modes[i].raising, **between, j: modes[j].lowering})
                    hops[j, i] = hops[i, j].conj()
        return hops

    def _occupations_up(self, rho: Array, region: Sequence[int]) -> Array:
        """Reorder the levels of every site so that level 1 holds the particle: (2^k, 2^k)."""
        count = len(region)
        occupied_first = [axis for axis, i in enumerate(region) if _mode(self.spaces[i]).occupied == 0]
        axes = (*occupied_first, *(count + axis for axis in occupied_first))
        return np.flip(rho.reshape((2,) * (2 * count)), axes).reshape(rho.shape)


@dataclass(frozen=True)
class _Mode:
    """A site of two levels as a fermionic mode: the level that is occupied, (-1)^n, c and c^+ without strings."""

    occupied: int
    parity: Array
    lowering: Array
    raising: Array


@lru_cache(maxsize=64)
def _mode(space: LocalSpace) -> _Mode:
    number = np.diag(space.operators["N"].matrix).real
    occupied = int(np.argmax(number))
    lowering = np.zeros((2, 2), complex)
    lowering[1 - occupied, occupied] = 1.0
    return _Mode(occupied, np.diag(1 - 2 * number).astype(complex), lowering, lowering.conj().T)


def _whole_numbers(space: LocalSpace, name: str) -> NDArray[np.int64]:
    """Return the whole numbers of a diagonal operator on the levels of a site: (d,)."""
    matrix = space.operators[name].matrix if name in space.operators else None
    if matrix is None or np.any(matrix != np.diag(np.diag(matrix))):
        raise Unavailable(f"the distribution of {name}: {space.name} has no diagonal operator of this name")
    numbers = np.diag(matrix).real
    if np.abs(numbers - np.rint(numbers)).max() > 1e-12:
        raise Unavailable(f"the distribution of {name}: its values {numbers.tolist()} on {space.name} are not whole")
    return np.rint(numbers).astype(np.int64)


def _run_from(region: Sequence[int]) -> tuple[int, ...]:
    """Return consecutive sites, from the first of a region on and as many as it has."""
    return tuple(range(region[0], region[0] + len(region))) if region else ()


def _defined(cls: type[View]) -> set[str]:
    """Return the words that a class itself defines: public methods, properties, and attributes it declares."""
    kinds = FunctionType | property | cached_property
    defined = {
        name
        for name, value in vars(cls).items()
        if isinstance(value, kinds) and not getattr(value, "__isabstractmethod__", False)
    }
    declared = inspect.get_annotations(cls).keys() - {"spaces", "gives", "refusals"}
    return {name for name in defined | declared if not name.startswith("_")}


@lru_cache(maxsize=64)
def _refused(spaces: tuple[LocalSpace, ...]) -> Mapping[str, str]:
    """Return the words that chains of these spaces cannot give, with the reasons."""
    reasons: dict[str, str] = {}
    for i, space in enumerate(spaces):
        if "N" not in space.operators:
            reason = f"site {i} ({space.name}) has no particle number N"
            reasons = dict.fromkeys(("density", "correlation", "negativity"), reason) | reasons
        elif space.levels != 2:
            reason = f"site {i} ({space.name}) does not hold 0 or 1 particles"
            reasons = dict.fromkeys(("correlation", "negativity"), reason) | reasons
    if any(space.graded for space in spaces) or not all(space.quantum for space in spaces):
        reason = "a partial transpose of sites with fermions (see negativity), or classical ones"
        reasons = dict.fromkeys(("spin_negativity", "transposed_moment"), reason) | reasons
    if len({space.quantum for space in spaces}) > 1 or any(not _is_state_space(space) for space in spaces):
        reason = "the sites hold neither density matrices nor probabilities alone"
        reasons = dict.fromkeys(("entropy", "negativity"), reason) | reasons
    return reasons


def _is_state_space(space: LocalSpace) -> bool:
    """True for density matrices and for probabilities of levels, False for averages of products of operators."""
    off_diagonal = space.elements * (1 - np.eye(space.levels))
    return space.quantum or not off_diagonal.any()
