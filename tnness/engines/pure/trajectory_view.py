"""The view of many realizations of a pure state: means over the realizations, with statistical errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.observables.views import Estimate, Sites, View
from tnness.operators.basis import LocalSpace
from tnness.operators.terms import LocalOperator, Operator

Array = NDArray[Any]
Real = NDArray[np.float64]

MOST_GROUPS = 64
"""Most groups of the jackknife: with 64 an error is known to 9 %."""
LINEAR = (
    *("expect", "product", "marginal", "correlations", "density", "correlation", "functional", "excitation"),
    "charge_distribution",
)
"""Quantities that are linear in the state: their mean over realizations is the value in the average state."""
FEWEST_JUMPS = 5
"""Fewest quantum jumps of all realizations together for which errors are known."""
ENTROPIES = (
    *("entropy", "renyi2", "log_purity", "negativity", "schmidt_values"),
    *("spin_negativity", "transposed_moment"),
)
ONE_BY_ONE = "only quantities linear in the state are known for the average state; `view.average` gives means of others"


def truncation_error(weight: float, value: Any, statistical: Any, count: int) -> float:
    """Return 2 w (max |x| + sqrt(count) max s), the largest size of x in one realization times twice the lost weight w.

    It is no bound: it was seen to cover the error of averages, see docs/beyond.md.

    >>> truncation_error(1e-3, [0.5, -1.0], [0.01, 0.02], 100)
    0.0024
    """
    size = float(np.abs(value).max(initial=0.0)) + math.sqrt(count) * float(np.max(statistical, initial=0.0))
    return 2 * weight * size


def sampling_error(left_out: Array, rare: bool) -> Array:
    """Return the standard error by the jackknife, and that of events which did not happen.

    error^2 = (B - 1)/B sum_b (x_b - x)^2, x the mean of the x_b; if events are rare, plus max (x_b - x)^2 over all b
    and all elements: one event more, as strong as the strongest that was seen, moves an average that far. (Where few
    realizations have jumped, the spread is too small just when they are fewer than expected, and 0 where none has.)

    Parameters
    ----------
    left_out: averages without the group b of realizations, (B, ...). rare: whether realizations differ by rare events.

    >>> sampling_error(np.array([[1.0, 0.0], [3.0, 0.0]]), False).tolist()
    [1.0, 0.0]
    >>> sampling_error(np.array([[1.0, 0.0], [3.0, 0.0]]), True).round(3).tolist()
    [1.414, 1.0]
    """
    squares, groups = (left_out - left_out.mean(axis=0)) ** 2, len(left_out)
    return np.sqrt((groups - 1) / groups * squares.sum(axis=0) + (squares.max(initial=0.0) if rare else 0.0))


class TrajectoryView(View):
    """A view of all realizations at one time. It gives means over the realizations.

    Entropies are not linear in the state, so the entropy of the average state is not known from a few realizations.
    `average` gives the mean of the entropies of the realizations.

    Parameters
    ----------
    realizations: a view of each realization. spaces: local spaces of the sites.
    weight: mean weight that truncation has dropped from a realization; it adds `truncation_error` to errors.
    splitting: error of the time step, in units of the largest size in one realization; NaN where it is not known.
    jumps: quantum jumps of all realizations together so far; errors are those of rare events (`sampling_error`), and
    NaN if there were fewer than `FEWEST_JUMPS`. None (default): realizations do not differ by rare events.

    >>> from tnness.operators.basis import spinless
    >>> from tnness.engines.fermions.view import GaussianView
    >>> view = TrajectoryView([GaussianView(np.diag([n, 1 - n]), [spinless] * 2) for n in (0.5, 1.0)], [spinless] * 2)
    >>> view.density.tolist(), round(float(view.average(lambda pure: pure.entropy([0])).value), 4)
    ([0.75, 0.25], 0.3466)
    """

    realizations: list[View]
    refusals: Mapping[str, str] = dict.fromkeys(ENTROPIES, ONE_BY_ONE)

    def __init__(
        self,
        realizations: Sequence[View],
        spaces: Sequence[LocalSpace],
        weight: float = 0.0,
        jumps: int | None = None,
        splitting: float = math.nan,
    ) -> None:
        super().__init__(spaces)
        self._weight, self._jumps, self._splitting = weight, jumps, np.nan_to_num(splitting)
        self.realizations = list(realizations)
        self._rows: list[int] | None = None
        self._known: dict[Any, Array] = {}  # the values of all realizations, by what was read
        first = self.realizations[0]
        self.refuse({word: first.why_not(word) for word in LINEAR if word not in first.gives})

    def average(self, measure: Callable[[Any], Any]) -> Estimate:
        """Return the mean of `measure(view)` over realizations, and its standard error (NaN for one realization)."""
        values = np.array([np.asarray(measure(view), dtype=float) for view in self.realizations])
        count, whole = len(values), values.mean(axis=0)
        if not self._judged:
            return Estimate(whole, np.full(values.shape[1:], math.nan))
        return self._estimate(whole, (whole - values / count) * count / (count - 1))

    def with_error(self, measure: Callable[[Any], Any]) -> Any:
        """Return measure(view) and its error by the jackknife (NaN for one realization, or too few jumps).

        The realizations are dealt into groups, each of which is left out once: `sampling_error`. It holds for any
        smooth function of averages. What is an estimate already is returned.
        """
        whole = measure(self)
        if isinstance(whole, Estimate) or np.iscomplexobj(whole):
            return whole
        count = len(self.realizations)
        if not self._judged:
            return Estimate(whole, np.full(np.shape(whole), math.nan))
        groups = min(count, MOST_GROUPS)
        kept = [[r for r in range(count) if r % groups != group] for group in range(groups)]
        values = np.array([np.asarray(measure(self._only(rows)), dtype=float) for rows in kept])
        return self._estimate(whole, values)

    @property
    def _judged(self) -> bool:
        """Whether errors are known."""
        return len(self.realizations) > 1 and (self._jumps is None or self._jumps >= FEWEST_JUMPS)

    def _estimate(self, value: Any, left_out: Array) -> Estimate:
        """Return a value with its statistical error and those of truncation and of the time step together."""
        statistical = sampling_error(left_out, self._jumps is not None)
        both = self._weight + self._splitting / 2
        return Estimate(value, statistical + truncation_error(both, value, statistical, len(self.realizations)))

    def _only(self, rows: Sequence[int]) -> TrajectoryView:
        """Return a view of some of the realizations, which knows what this one has read."""
        chosen = object.__new__(TrajectoryView)
        chosen.__dict__.update(self.__dict__)
        chosen.realizations = [self.realizations[r] for r in rows]
        chosen._rows = list(rows)
        return chosen

    def expect(self, operator: Operator) -> float | complex:
        """Return the mean of <O>: a real number for a Hermitian O, a complex one for another."""
        return self._mean(("expect", operator), lambda view: view.expect(operator)).item()

    def product(self, matrices: Mapping[int, Array]) -> complex:
        """Return the mean of <M_i M_j ...>."""
        content = tuple((site, np.asarray(matrix).tobytes()) for site, matrix in matrices.items())
        return complex(self._mean(("product", content), lambda view: view.product(matrices)))

    def marginal(self, sites: Sites) -> Array:
        """Return the mean density matrix of consecutive sites."""
        return self._mean(("marginal", sites), lambda view: view.marginal(sites))

    def correlations(self, first: LocalOperator, second: LocalOperator) -> Real:
        """Return the mean of <A_i B_j> for all pairs: (n, n)."""
        return self._mean(("correlations", first, second), lambda view: view.correlations(first, second))

    @property
    def density(self) -> Real:
        """The mean of <n_i>: (n,)."""
        return self._mean(("density",), lambda view: view.density)

    @property
    def correlation(self) -> Array:
        """The mean of G_ij = <c^+_i c_j>: (n, n)."""
        return self._mean(("correlation",), lambda view: view.correlation)

    def charge_distribution(self, name: str, sites: Sites | None = None) -> Real:
        """Return the mean of the probabilities of the values of a charge."""
        return self._mean(("charge_distribution", name, sites), lambda view: view.charge_distribution(name, sites))

    def functional(self, name: str) -> float:
        """Return the mean of a product functional."""
        return float(self._mean(("functional", name), lambda view: view.functional(name)))

    def excitation(self, site: int) -> Real:
        """Return the mean densities of one particle that started on `site`: (n,)."""
        return self._mean(("excitation", site), lambda view: view.excitation(site))

    def _mean(self, what: tuple[Any, ...], read: Callable[[View], Any]) -> Any:
        """Return the mean over the realizations in view; each of them is read once.

        what: names what is read; sites given as a list or a slice are not remembered.
        """
        try:
            values = self._known.get(what)
        except TypeError:  # not hashable
            return np.mean([read(view) for view in self.realizations], axis=0)
        if values is None:
            if self._rows is not None:
                return np.mean([read(view) for view in self.realizations], axis=0)
            values = self._known[what] = np.array([read(view) for view in self.realizations])
        return np.mean(values if self._rows is None else values[self._rows], axis=0)
