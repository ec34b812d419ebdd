"""Observables: how a quantity is read from the view of a state, and what its dimensions and unit are.

An observable lists in `needs` the words of `tnness.observables.views.View` that it reads. `available` tells before a
run which observables a view can give; `measured` measures these and leaves out the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnness.digest.content import Content, digest, is_seen_through
from tnness.errors import ModelError, Unavailable
from tnness.observables.views import Estimate, View
from tnness.operators.basis import LocalSpace
from tnness.operators.terms import LocalOperator, Operator
from tnness.typed import check_fields, typed

Array = NDArray[Any]


@dataclass(frozen=True)
class Observable:
    """A quantity that is measured from a view.

    Parameters
    ----------
    measure: view -> number or array with one axis per dimension, or an `Estimate` if the view knows an error. It
        raises `Unavailable` on the view of an engine that cannot give it.
    dims: names of the axes: `site`, `bond`, `site_2`, `cut`, ...; () for a number.
    coordinates: values along an axis, by its name; needed unless the axis counts sites, bonds or cuts.
    unit: in the units of the model ("1" for none).
    description: one line, for `tnness show` and the record.
    symbol: how it is written in formulas, as LaTeX without dollar signs; for the labels of figures.
    monitored: whether relaxation is judged by it (default True; False for a costly one). A run may choose others.
    sites: every site it reads, if known: lets `tnness check` refuse sites that do not exist.
    needs: words of the view that it reads ("entropy", "excitation", ...). It is not measured on a view that does not
        give all of them. Leave `needs` empty if that depends on sizes: then a trial measurement decides.

    >>> Observable(lambda view: view.entropy([0, 1]), unit="nat", needs=("entropy",)).needs
    ('entropy',)
    """

    measure: Callable[[Any], ArrayLike | Estimate]
    dims: tuple[str, ...] = ()
    unit: str = "1"
    description: str = ""
    symbol: str = field(default="", kw_only=True)
    monitored: bool = True
    sites: tuple[int, ...] = ()
    coordinates: Mapping[str, ArrayLike | Sequence[str]] = field(default_factory=dict)
    needs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self, "an observable")

    def __call__(self, view: Any) -> Array:
        """Measure; the number of axes must be the number of dimensions."""
        return np.asarray(self.estimate(view).value)

    def estimate(self, view: Any) -> Estimate:
        """Measure; return the value and its error, one number or one per element (NaN if the view knows none).

        Raises
        ------
        Unavailable: the view cannot give it. ModelError: a shape that does not fit the dimensions.
        """
        reason = self._missing(view)
        if reason:
            raise Unavailable(reason)
        measurement = view.with_error(self.measure) if isinstance(view, View) else self.measure(view)
        if isinstance(measurement, Estimate):
            value, error = measurement.value, measurement.error
        else:
            value, error = measurement, np.nan
        if np.iscomplexobj(value):
            raise ModelError(
                "an observable measured complex numbers: a product that is not Hermitian has two parts; "
                'ask for one with part="real" or part="imag"'
            )
        value, error = np.asarray(value, dtype=float), np.asarray(error, dtype=float)
        if value.ndim != len(self.dims):
            raise ModelError(
                f"an observable with dimensions {self.dims} was measured as an array of shape {value.shape}"
            )
        if error.shape not in ((), value.shape):
            raise ModelError(f"an observable of shape {value.shape} has errors of shape {error.shape}")
        return Estimate(value, error)

    def why_not(self, view: Any, rehearse: bool = False) -> str:
        """Return in one line why a view cannot give this observable, "" if it can.

        `needs` decides. If `needs` is empty, or with `rehearse`, the observable is also measured once.
        """
        reason = self._missing(view)
        if reason or (self.needs and not rehearse):
            return reason
        try:
            self.estimate(view)
        except Unavailable as error:
            return str(error)
        return ""

    def _missing(self, view: Any) -> str:
        if not isinstance(view, View):  # a view of a user's engine, which need not derive from `View`
            return ""
        return next((view.why_not(word) for word in self.needs if word not in view.gives), "")


def available(
    observables: Mapping[str, Observable], view: Any, rehearse: bool = False
) -> tuple[dict[str, Observable], dict[str, str]]:
    """Return the observables that a view can give, and for each of the others the reason in one line.

    Parameters
    ----------
    observables: by name. view: of the state that a run starts from.
    rehearse: whether observables with `needs` are also measured once (default False).

    >>> offered, left_out = available({"spread": Observable(lambda v: v.excitation(0), needs=("excitation",))}, View())
    >>> left_out
    {'spread': "a View gives no 'excitation'"}
    """
    reasons = {name: observable.why_not(view, rehearse) for name, observable in observables.items()}
    offered = {name: observable for name, observable in observables.items() if not reasons[name]}
    return offered, {name: reason for name, reason in reasons.items() if reason}


def measured(observables: Mapping[str, Observable], view: Any) -> dict[str, Estimate]:
    """Measure the observables on a view; leave out those that raise `Unavailable`."""
    return tried(observables, view)[0]


def tried(observables: Mapping[str, Observable], view: Any) -> tuple[dict[str, Estimate], dict[str, str]]:
    """Measure observables; return the estimates, and for each observable that failed the reason in one line."""
    estimates, reasons = dict[str, Estimate](), dict[str, str]()
    for name, observable in observables.items():
        try:
            estimates[name] = observable.estimate(view)
        except Unavailable as error:
            reasons[name] = str(error)
    return estimates, reasons


class ObservableDigest(NamedTuple):
    """The hash of an observable.

    digest: equal for equal observables. seen_through: True if `digest` is a hash of the measured quantity; then
        another hash means another observable. If False, it is a hash of bytecode, `TAG:HASH`: with another hash the
        observable may have changed; hashes with different tags (versions of Python) cannot be compared.
    """

    digest: str
    seen_through: bool


def digest_of_observables(observables: Mapping[str, Observable]) -> dict[str, ObservableDigest]:
    """Return the digest of each observable: of what it measures, its dimensions and its coordinates.

    >>> from tnness.operators.basis import spin_half as s
    >>> one, other = expectation(s.X(0) * s.Y(0)), expectation(1j * s.Z(0), description="the same")
    >>> digests = digest_of_observables({"one": one, "other": other})
    >>> digests["one"] == digests["other"], digests["one"].seen_through
    (True, True)
    """
    content, digests = Content(), {}
    for name, observable in observables.items():
        measure_digest = content.digest_of_function(observable.measure)
        tag, separator, _ = measure_digest.rpartition(":")
        whole = digest(measure_digest, list(observable.dims), dict(observable.coordinates))
        digests[name] = ObservableDigest(f"{tag}{separator}{whole}", is_seen_through(observable.measure))
    return digests


@dataclass(frozen=True)
class Stated:
    """A measurement with a description of its content: two with equal content measure the same."""

    measure: Callable[[Any], ArrayLike]
    content: tuple[Any, ...]

    def __call__(self, view: Any) -> ArrayLike:
        """Measure."""
        return self.measure(view)

    def digest(self) -> str:
        """Return the hash of the content."""
        return digest(self.content)


@typed
def expectation(
    operators: Operator | Sequence[Operator],
    dim: str | None = None,
    part: Literal["real", "imag"] | None = None,
    **about: Any,
) -> Observable:
    """Return the expectation of one operator (a number), or of a list along the dimension `dim`.

    Parameters
    ----------
    operators: an `Operator`, or a sequence of them.
    dim: name of the axis for a sequence, e.g. "site" or "bond".
    part: the part of a complex expectation, of operators that are not Hermitian; without it they are refused.
    about: `unit`, `description`, `symbol`, `monitored` of the `Observable`.

    >>> from tnness.operators.basis import spin_half as s
    >>> expectation([s.Z(i) for i in range(4)], "site").dims
    ('site',)
    """
    if isinstance(operators, Operator):
        measure = Stated(lambda view: _part(view.expect(operators), part), ("expectation", operators, *_of(part)))
        return Observable(measure, sites=operators.sites, needs=("expect",), **about)
    if dim is None:
        raise ModelError("an expectation of several operators needs the name of their dimension")
    several = list(operators)
    sites = tuple(sorted({site for operator in several for site in operator.sites}))
    content = ("expectations", several, *_of(part))
    measure = Stated(lambda view: _part([view.expect(o) for o in several], part), content)
    return Observable(measure, dims=(dim,), sites=sites, needs=("expect",), **about)


def _part(value: Any, part: str | None) -> Any:
    """Return a part of a value; the value itself where none is named."""
    if part not in (None, "real", "imag"):
        raise ModelError(f'part = {part!r}: "real" or "imag" is needed')
    return value if part is None else np.real(value) if part == "real" else np.imag(value)


def _of(part: str | None) -> tuple[str, ...]:
    return () if part is None else (part,)


@typed
def cutoff_weight(spaces: Sequence[LocalSpace], **about: Any) -> Observable:
    """Return the probability of the levels next to a cutoff for each site, 0 on sites without one: the cutoff's error.

    Parameters
    ----------
    spaces: of the sites of the chain. about: `unit`, `description`, `monitored` of the `Observable`.

    >>> from tnness.operators.basis import boson, spin_half
    >>> cutoff_weight([boson(4), spin_half]).dims
    ('site',)
    """
    operators = [space.last(i) if space.cut else 0.0 * space.I(i) for i, space in enumerate(spaces)]
    about = {"description": "probability of the levels next to the cutoff"} | about
    return expectation(operators, "site", None, **about)


@typed
def two_point(
    first: LocalOperator,
    second: LocalOperator,
    connected: bool = False,
    part: Literal["real", "imag"] | None = None,
    **about: Any,
) -> Observable:
    """Return <A_i B_j> with dimensions (site, site_2); connected subtracts <A_i><B_j>. The diagonal holds <(AB)_i>.

    part: the part of a complex correlation, of operators that are not Hermitian; without it they are refused.
    """

    def measure(view: View) -> Array:
        values = view.correlations(first, second)
        if connected:
            n = len(view.spaces)
            averages = [np.array([view.expect(operator(i)) for i in range(n)]) for operator in (first, second)]
            values = values - np.outer(*averages)
        return _part(values, part)

    needs = ("correlations", "expect") if connected else ("correlations",)
    stated = Stated(measure, ("two-point", first, second, connected, *_of(part)))
    return Observable(stated, dims=("site", "site_2"), needs=needs, **{"monitored": False, **about})


def purity(**about: Any) -> Observable:
    """Return Tr rho^2 of the whole chain."""
    return Observable(Stated(lambda view: np.exp(view.log_purity()), ("purity",)), needs=("log_purity",), **about)


def renyi2_entropy(**about: Any) -> Observable:
    """Return the Renyi-2 entropy of the sites left of each cut k = 1..n-1 (nats)."""
    measure = Stated(lambda view: [view.renyi2(range(k)) for k in range(1, len(view.spaces))], ("renyi2 entropy",))
    return Observable(measure, dims=("cut",), unit="nat", needs=("renyi2",), **about)


def renyi2_mutual_information(**about: Any) -> Observable:
    """Return S2(A) + S2(B) - S2(AB) for each cut k = 1..n-1: sites 0..k-1 against the rest (nats)."""

    def measure(view: View) -> list[float]:
        n = len(view.spaces)
        whole = view.renyi2()
        return [view.renyi2(range(k)) + view.renyi2(range(k, n)) - whole for k in range(1, n)]

    stated = Stated(measure, ("renyi2 mutual information",))
    return Observable(stated, dims=("cut",), unit="nat", needs=("renyi2",), **about)


def operator_entanglement(**about: Any) -> Observable:
    """Return the operator-space entanglement -sum s^2 ln s^2 across each cut k = 1..n-1 (nats)."""

    def measure(view: View) -> list[float]:
        weights = [view.schmidt_values(k - 1) ** 2 for k in range(1, len(view.spaces))]
        return [float(-np.sum(w[w > 0] * np.log(w[w > 0]))) for w in weights]

    stated = Stated(measure, ("operator entanglement",))
    return Observable(stated, dims=("cut",), unit="nat", needs=("schmidt_values",), **about)
