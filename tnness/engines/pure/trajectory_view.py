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

LINEAR = (
    *("expect", "product", "marginal", "correlations", "density", "correlation", "functional", "excitation"),
    "charge_distribution",
)
"""Quantities that are linear in the state: their mean over realizations is the value in the average state."""
ENTROPIES = (
    *("entropy", "renyi2", "log_purity", "negativity", "schmidt_values"),
    *("spin_negativity", "transposed_moment"),
)
ONE_BY_ONE = "only quantities linear in the state are known for the average state; `view.average` gives means of others"


class TrajectoryView(View):
    """A view of all realizations at one time. It gives means over the realizations.

    Entropies are not linear in the state, so the entropy of the average state is not known from a few realizations.
    `average` gives the mean of the entropies of the realizations.

    Parameters
    ----------
    realizations: a view of each realization. spaces: local spaces of the sites.

    >>> from tnness.operators.basis import spinless
    >>> from tnness.engines.fermions.view import GaussianView
    >>> view = TrajectoryView([GaussianView(np.diag([n, 1 - n]), [spinless] * 2) for n in (0.5, 1.0)], [spinless] * 2)
    >>> view.density.tolist(), round(float(view.average(lambda pure: pure.entropy([0])).value), 4)
    ([0.75, 0.25], 0.3466)
    """

    realizations: list[View]
    refusals: Mapping[str, str] = dict.fromkeys(ENTROPIES, ONE_BY_ONE)

    def __init__(self, realizations: Sequence[View], spaces: Sequence[LocalSpace]) -> None:
        super().__init__(spaces)
        self.realizations = list(realizations)
        first = self.realizations[0]
        self.refuse({word: first.why_not(word) for word in LINEAR if word not in first.gives})

    def average(self, measure: Callable[[Any], Any]) -> Estimate:
        """Return the mean of `measure(view)` over realizations, and its standard error (NaN for one realization)."""
        values = np.array([np.asarray(measure(view), dtype=float) for view in self.realizations])
        count = len(values)
        if count == 1:
            return Estimate(values[0], np.full(values.shape[1:], math.nan))
        return Estimate(values.mean(axis=0), values.std(axis=0, ddof=1) / math.sqrt(count))

    def expect(self, operator: Operator) -> float | complex:
        """Return the mean of <O>: a real number for a Hermitian O, a complex one for another."""
        return self._mean(lambda view: view.expect(operator)).item()

    def product(self, matrices: Mapping[int, Array]) -> complex:
        """Return the mean of <M_i M_j ...>."""
        return complex(self._mean(lambda view: view.product(matrices)))

    def marginal(self, sites: Sites) -> Array:
        """Return the mean density matrix of consecutive sites."""
        return self._mean(lambda view: view.marginal(sites))

    def correlations(self, first: LocalOperator, second: LocalOperator) -> Real:
        """Return the mean of <A_i B_j> for all pairs: (n, n)."""
        return self._mean(lambda view: view.correlations(first, second))

    @property
    def density(self) -> Real:
        """The mean of <n_i>: (n,)."""
        return self._mean(lambda view: view.density)

    @property
    def correlation(self) -> Array:
        """The mean of G_ij = <c^+_i c_j>: (n, n)."""
        return self._mean(lambda view: view.correlation)

    def charge_distribution(self, name: str, sites: Sites | None = None) -> Real:
        """Return the mean of the probabilities of the values of a charge."""
        return self._mean(lambda view: view.charge_distribution(name, sites))

    def functional(self, name: str) -> float:
        """Return the mean of a product functional."""
        return float(self._mean(lambda view: view.functional(name)))

    def excitation(self, site: int) -> Real:
        """Return the mean densities of one particle that started on `site`: (n,)."""
        return self._mean(lambda view: view.excitation(site))

    def _mean(self, read: Callable[[View], Any]) -> Any:
        return np.mean([read(view) for view in self.realizations], axis=0)
