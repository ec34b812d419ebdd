"""The view of one realization of a circuit: its present state and its initial state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.observables.views import Sites, View
from tnness.operators.terms import LocalOperator, Operator

Array = NDArray[Any]
Real = NDArray[np.float64]


class CircuitView(View):
    """A view of one realization at one time. It reads every quantity from the present state.

    Parameters
    ----------
    state: view of the present state. time: in gates per bond. start: view of the state at time 0.
    """

    state: View
    time: float
    start: View

    def __init__(self, state: View, time: float, start: View) -> None:
        self.state, self.time, self.start = state, time, start
        self.spaces, self.refusals = state.spaces, state.refusals
        self.gives = state.gives | {"state", "time", "start"}

    def why_not(self, word: str) -> str:
        """Return in one line why the state does not give the quantity named `word`."""
        return self.state.why_not(word)

    def expect(self, operator: Operator) -> float | complex:
        """Return <O>, real part."""
        return self.state.expect(operator)

    def product(self, matrices: Mapping[int, Array]) -> complex:
        """Return <M_i M_j ...> of one matrix (d, d) per site."""
        return self.state.product(matrices)

    def marginal(self, sites: Sites) -> Array:
        """Return the density matrix of consecutive sites, or the probabilities of their levels."""
        return self.state.marginal(sites)

    def correlations(self, first: LocalOperator, second: LocalOperator) -> Real:
        """Return <A_i B_j> for all pairs: (n, n)."""
        return self.state.correlations(first, second)

    @property
    def density(self) -> Real:
        """<n_i>: (n,)."""
        return self.state.density

    @property
    def correlation(self) -> Array:
        """G_ij = <c^+_i c_j>: (n, n)."""
        return self.state.correlation

    def entropy(self, sites: Sites | None = None) -> float:
        """Return the von Neumann entropy of some sites (default: all), in nats."""
        return self.state.entropy(sites)

    def renyi2(self, sites: Sites | None = None) -> float:
        """Return the Renyi-2 entropy of some sites (default: all), in nats."""
        return self.state.renyi2(sites)

    def log_purity(self) -> float:
        """Return ln Tr rho^2."""
        return self.state.log_purity()

    def negativity(self, first: Sites, second: Sites) -> float:
        """Return the fermionic logarithmic negativity of two regions, in nats."""
        return self.state.negativity(first, second)

    def schmidt_values(self, bond: int) -> Real:
        """Return the operator-space Schmidt values across a bond."""
        return self.state.schmidt_values(bond)

    def functional(self, name: str) -> float:
        """Return a named product functional, relative to the trace."""
        return self.state.functional(name)

    def excitation(self, site: int) -> Real:
        """Return the densities (n,) of one particle that started on `site`."""
        return self.state.excitation(site)
