"""Observables, and the views of a state through which they are measured.

A *view* is what an engine offers of its state; an `Observable` says how it is read from a view, and what its dimensions
and unit are. `StateView` is the contract; `ProductView` implements everything that follows from contracting local
covectors, and is completed by each representation (a matrix-product state, a dense vector).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnness.basis import LocalSpace, density_matrix
from tnness.digest.content import Content, digest, is_seen_through
from tnness.errors import InputError, ModelError
from tnness.terms import LocalOperator, Operator

Array = NDArray[Any]


class StateView(Protocol):
    """What can be read from the state of a chain. Everything is normalised by the trace."""

    @property
    def spaces(self) -> tuple[LocalSpace, ...]:
        """Local space of each site."""
        ...

    def expect(self, operator: Operator) -> float:
        """Return <O>, real part; sites that do not exist raise `ModelError`."""
        ...

    def marginal(self, sites: Sequence[int]) -> Array:
        """Return the reduced density matrix (d, d) of consecutive sites, or their probabilities (d,) if classical."""
        ...

    def correlations(self, first: LocalOperator, second: LocalOperator) -> Array:
        """Return <A_i B_j> for all pairs: (n, n); the diagonal holds <(AB)_i>."""
        ...

    def functional(self, name: str) -> float:
        """Return a named product functional of the problem, relative to the trace."""
        ...

    def log_purity(self) -> float:
        """Return ln Tr rho^2 (quantum spaces)."""
        ...

    def renyi2(self, start: int, stop: int) -> float:
        """Return the Renyi-2 entropy -ln Tr rho_X^2 of sites start..stop-1 (nats)."""
        ...

    def schmidt_values(self, bond: int) -> Array:
        """Return the operator-space Schmidt values across a bond, sum s^2 = 1."""
        ...


@dataclass(frozen=True)
class Estimate:
    """A measured value with the error that the view knows of: of statistics, of a quadrature, ...

    value: number or array. error: absolute; one number, or one per element of the value.
    """

    value: ArrayLike
    error: ArrayLike


@dataclass(frozen=True)
class Observable:
    """A quantity that is measured from a view.

    Parameters
    ----------
    measure: view -> number or array with one axis per dimension, or an `Estimate` where the view knows an error. It
        raises `Unavailable` on the view of an engine that cannot give it.
    dims: names of the axes: `site`, `bond`, `site_2`, `cut`, ...; () for a number.
    coordinates: values along its axes by their names, where they are not the count of sites, bonds or cuts.
    unit: in the units of the model ("1" for none).
    description: one line, for `tnness show` and the record.
    monitored: whether relaxation is judged by it (default True; turn off what is costly). A run may watch fewer.
    sites: every site it reads, if known: lets `tnness check` refuse sites that do not exist.
    """

    measure: Callable[[Any], ArrayLike | Estimate]
    dims: tuple[str, ...] = ()
    unit: str = "1"
    description: str = ""
    monitored: bool = True
    sites: tuple[int, ...] = ()
    coordinates: Mapping[str, ArrayLike] = field(default_factory=dict)

    def __call__(self, view: Any) -> Array:
        """Measure; the number of axes must be the number of dimensions."""
        return np.asarray(self.estimate(view).value)

    def estimate(self, view: Any) -> Estimate:
        """Measure, with the error that the view knows of (NaN where it knows none): one, or one per element."""
        found = self.measure(view)
        value, error = (found.value, found.error) if isinstance(found, Estimate) else (found, np.nan)
        value, error = np.asarray(value, dtype=float), np.asarray(error, dtype=float)
        if value.ndim != len(self.dims):
            raise ModelError(
                f"an observable with dimensions {self.dims} was measured as an array of shape {value.shape}"
            )
        if error.shape not in ((), value.shape):
            raise ModelError(f"an observable of shape {value.shape} has errors of shape {error.shape}")
        return Estimate(value, error)


class ObservableDigest(NamedTuple):
    """What an observable is, as a hash.

    digest: equal for equal observables. seen_through: whether it is a hash of what is measured, so that another hash
        means another observable. Else it is one of bytecode, `TAG:HASH`: with another hash the observable may have
        changed, with another tag (of the version of Python) nothing is known.
    """

    digest: str
    seen_through: bool


def digest_of_observables(observables: Mapping[str, Observable]) -> dict[str, ObservableDigest]:
    """Return the digest of each observable: of what it measures, its dimensions and its coordinates.

    >>> from tnness.basis import spin_half as s
    >>> one, other = expectation(s.X(0) * s.Y(0)), expectation(1j * s.Z(0), description="the same")
    >>> digests = digest_of_observables({"one": one, "other": other})
    >>> digests["one"] == digests["other"], digests["one"].seen_through
    (True, True)
    """
    content, digests = Content(), {}
    for name, observable in observables.items():
        measured = content.digest_of_function(observable.measure)
        tag, separator, _ = measured.rpartition(":")
        whole = digest(measured, list(observable.dims), dict(observable.coordinates))
        digests[name] = ObservableDigest(f"{tag}{separator}{whole}", is_seen_through(observable.measure))
    return digests


@dataclass(frozen=True)
class Stated:
    """A measurement that says what it measures: those with equal content measure the same."""

    measure: Callable[[Any], ArrayLike]
    content: tuple[Any, ...]

    def __call__(self, view: Any) -> ArrayLike:
        """Measure."""
        return self.measure(view)

    def digest(self) -> str:
        """Return the hash of the content."""
        return digest(self.content)


def expectation(operators: Operator | Sequence[Operator], dim: str | None = None, **about: Any) -> Observable:
    """Return the expectation of one operator (a number), or of a list along the dimension `dim`.

    Parameters
    ----------
    operators: an `Operator`, or a sequence of them.
    dim: name of the axis for a sequence, e.g. "site" or "bond".
    about: `unit`, `description`, `monitored` of the `Observable`.

    >>> from tnness.basis import spin_half as s
    >>> expectation([s.Z(i) for i in range(4)], "site").dims
    ('site',)
    """
    if isinstance(operators, Operator):
        one = Stated(lambda view: view.expect(operators), ("expectation", operators))
        return Observable(one, sites=operators.sites, **about)
    if dim is None:
        raise ModelError("an expectation of several operators needs the name of their dimension")
    several = list(operators)
    sites = tuple(sorted({site for operator in several for site in operator.sites}))
    measure = Stated(lambda view: [view.expect(o) for o in several], ("expectations", several))
    return Observable(measure, dims=(dim,), sites=sites, **about)


def two_point(first: LocalOperator, second: LocalOperator, connected: bool = False, **about: Any) -> Observable:
    """Return <A_i B_j> with dimensions (site, site_2); connected subtracts <A_i><B_j>. The diagonal holds <(AB)_i>."""

    def measure(view: StateView) -> Array:
        values = view.correlations(first, second)
        if connected:
            n = len(view.spaces)
            one = [np.array([view.expect(operator(i)) for i in range(n)]) for operator in (first, second)]
            values = values - np.outer(*one)
        return values

    stated = Stated(measure, ("two-point", first, second, connected))
    return Observable(stated, dims=("site", "site_2"), **{"monitored": False, **about})


def purity(**about: Any) -> Observable:
    """Return Tr rho^2 of the whole chain."""
    return Observable(Stated(lambda view: np.exp(view.log_purity()), ("purity",)), **about)


def renyi2_entropy(**about: Any) -> Observable:
    """Return the Renyi-2 entropy of the sites left of each cut k = 1..n-1 (nats)."""
    measure = Stated(lambda view: [view.renyi2(0, k) for k in range(1, len(view.spaces))], ("renyi2 entropy",))
    return Observable(measure, dims=("cut",), unit="nat", **about)


def renyi2_mutual_information(**about: Any) -> Observable:
    """Return S2(A) + S2(B) - S2(AB) for each cut k = 1..n-1: sites 0..k-1 against the rest (nats)."""

    def measure(view: StateView) -> list[float]:
        n = len(view.spaces)
        whole = view.renyi2(0, n)
        return [view.renyi2(0, k) + view.renyi2(k, n) - whole for k in range(1, n)]

    return Observable(Stated(measure, ("renyi2 mutual information",)), dims=("cut",), unit="nat", **about)


def operator_entanglement(**about: Any) -> Observable:
    """Return the operator-space entanglement -sum s^2 ln s^2 across each cut k = 1..n-1 (nats)."""

    def measure(view: StateView) -> list[float]:
        weights = [view.schmidt_values(k - 1) ** 2 for k in range(1, len(view.spaces))]
        return [float(-np.sum(w[w > 0] * np.log(w[w > 0]))) for w in weights]

    return Observable(Stated(measure, ("operator entanglement",)), dims=("cut",), unit="nat", **about)


class ProductView(ABC):
    """The parts of a `StateView` that follow from contracting covectors on consecutive sites."""

    def __init__(self, spaces: Sequence[LocalSpace], functionals: Mapping[str, Sequence[Array]]) -> None:
        self.spaces = tuple(spaces)
        self.functionals = functionals
        self._pairs: dict[int, Array] = {}

    @abstractmethod
    def window(self, start: int, stop: int) -> Array:
        """Return the trace-normalised coefficients of sites start..stop-1, the others traced out: (D, ..., D)."""

    @abstractmethod
    def contract(self, covectors: Mapping[int, Array]) -> complex:
        """Return the chain contracted with covectors on the given sites and the trace elsewhere, over the trace."""

    @abstractmethod
    def functional(self, name: str) -> float:
        """Return a named product functional, relative to the trace."""

    @abstractmethod
    def log_purity(self) -> float:
        """Return ln Tr rho^2."""

    @abstractmethod
    def renyi2(self, start: int, stop: int) -> float:
        """Return the Renyi-2 entropy of sites start..stop-1."""

    @abstractmethod
    def schmidt_values(self, bond: int) -> Array:
        """Return the operator-space Schmidt values across a bond."""

    def expect(self, operator: Operator) -> float:
        """Return <O>, real part."""
        if operator.sites and operator.sites[-1] >= len(self.spaces):
            raise ModelError(
                f"an observable reads site {operator.sites[-1]}; the chain has sites 0 to {len(self.spaces) - 1}"
            )
        near, far = _compiled(operator, self.spaces)
        value: complex = sum(complex(np.vdot(covector, self.pair(bond))) for bond, covector in near)
        value += sum(coefficient * self.contract(covectors) for coefficient, covectors in far)
        return float(value.real)

    def pair(self, bond: int) -> Array:
        """Return the coefficients of sites bond and bond + 1, contracted once and shared: (D, D)."""
        if bond not in self._pairs:
            self._pairs[bond] = self.window(bond, bond + 2)
        return self._pairs[bond]

    def marginal(self, sites: Sequence[int]) -> Array:
        """Return the reduced density matrix of consecutive sites, or the probabilities of their levels."""
        start, stop = (sites[0], sites[-1] + 1) if len(sites) else (0, 0)
        if not len(sites) or tuple(sites) != tuple(range(start, stop)) or start < 0 or stop > len(self.spaces):
            raise InputError(f"a marginal takes consecutive sites of 0 to {len(self.spaces) - 1}, got {tuple(sites)}")
        coefficients = self.pair(start) if stop - start == 2 else self.window(start, stop)
        spaces = self.spaces[start:stop]
        if all(space.quantum for space in spaces):
            return density_matrix(coefficients, spaces)
        for space in spaces:  # the first axis becomes the last
            coefficients = np.tensordot(coefficients, space.populations, (0, 1))
        return coefficients.reshape(-1)

    def correlations(self, first: LocalOperator, second: LocalOperator) -> Array:
        """Return <A_i B_j> for all pairs, one contraction each; representations may do better."""
        n = len(self.spaces)
        values = np.empty((n, n))
        for i in range(n):
            for j in range(n):
                values[i, j] = self.expect(first(i) * second(j))
        return values

    def _covector(self, site: int, matrix: Array) -> Array:
        return _covector(self.spaces, site, matrix)


Near = tuple[tuple[int, Array], ...]
Far = tuple[tuple[complex, dict[int, Array]], ...]


@lru_cache(maxsize=4096)
def _compiled(operator: Operator, spaces: tuple[LocalSpace, ...]) -> tuple[Near, Far]:
    """Split an operator into one covector per bond (conjugated, for `vdot`) and products that reach further.

    Compiled once: an observable is measured thousands of times.
    """
    parities = {site: space.parity for site, space in enumerate(spaces)}
    near: dict[int, Array] = {}
    far = []
    for term in operator:
        covectors = {site: _covector(spaces, site, matrix) for site, matrix in term.matrices(parities).items()}
        sites = sorted(covectors) or [0]
        if sites[-1] - sites[0] > 1:
            far.append((term.coefficient, covectors))
            continue
        bond = min(sites[0], len(spaces) - 2)
        left, right = (covectors.get(site, spaces[site].trace) for site in (bond, bond + 1))
        near[bond] = near.get(bond, 0.0) + np.conj(term.coefficient * np.outer(left, right))
    return tuple(near.items()), tuple(far)


def _covector(spaces: Sequence[LocalSpace], site: int, matrix: Array) -> Array:
    if matrix.shape[0] != spaces[site].levels:
        raise ModelError(
            f"an observable uses a {len(matrix)}-level operator on site {site}, which has {spaces[site].levels} levels"
        )
    vector = spaces[site].covector(matrix)
    return vector.real if not vector.imag.any() else vector
