"""Observables of mixed states: entanglement of density operators, structure factor, distribution of a charge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.errors import ModelError
from tnness.observables.observable import Observable, Stated
from tnness.observables.views import View
from tnness.operators.terms import LocalOperator
from tnness.typed import typed

Region = Sequence[int]
MOST_SITES = 1_000_000
"""Most sites of a region."""


def _region(sites: Region) -> tuple[int, ...]:
    if len(sites) > MOST_SITES:
        raise ModelError(f"a region has at most {MOST_SITES:,} sites, not {len(sites):,}")
    return tuple(sites)


@typed
def logarithmic_negativity(first: Region, second: Region, fermions: bool = False, **about: Any) -> Observable:
    """Return ln |rho^{T_A}|_1 of two neighbouring regions A and B, in nats.

    fermions: use the fermionic partial transpose, as for sites with fermions (and for spins read as them by
        Jordan-Wigner); default: the transpose of spins and other sites without fermions.
    """
    word, a, b = "negativity" if fermions else "spin_negativity", _region(first), _region(second)
    measure = Stated(lambda view: getattr(view, word)(a, b), ("logarithmic negativity", word, a, b))
    return Observable(measure, unit="nat", needs=(word,), sites=(*a, *b), **{"monitored": False, **about})


@typed
def transposed_moment(first: Region, second: Region, **about: Any) -> Observable:
    """Return p_3 = Tr (rho^{T_A})^3 of two regions. A and B are entangled if p_3 < (Tr rho^2)^2, not only if."""
    a, b = _region(first), _region(second)
    measure = Stated(lambda view: view.transposed_moment(a, b), ("transposed moment", a, b))
    return Observable(measure, needs=("transposed_moment",), sites=(*a, *b), **{"monitored": False, **about})


@typed
def renyi2_of_sites(sites: Region, **about: Any) -> Observable:
    """Return the Renyi-2 entropy -ln Tr rho_X^2 of any set of sites, in nats."""
    chosen = _region(sites)
    measure = Stated(lambda view: view.renyi2(chosen), ("renyi2 of sites", chosen))
    return Observable(measure, unit="nat", needs=("renyi2",), sites=chosen, **{"monitored": False, **about})


@typed
def structure_factor(operator: LocalOperator, momenta: Sequence[float], **about: Any) -> Observable:
    """Return S(q) = sum_jk exp(i q (j - k)) (<A_j A_k> - <A_j><A_k>) / n along `momentum`.

    operator: A, Hermitian. momenta: q, in units of 1 / lattice constant.
    """
    q = np.asarray(momenta, float)

    def measure(view: View) -> NDArray[np.float64]:
        n = len(view.spaces)
        means = np.array([view.expect(operator(i)) for i in range(n)])
        connected = np.real(view.correlations(operator, operator)) - np.outer(means, means)
        waves = np.exp(1j * np.outer(q, np.arange(n)))
        return np.real(np.einsum("qj,jk,qk->q", waves, connected, waves.conj())) / n

    stated = Stated(measure, ("structure factor", operator, q))
    coordinates = {"momentum": q}
    settings = {"monitored": False, "coordinates": coordinates, **about}
    return Observable(stated, dims=("momentum",), needs=("correlations", "expect"), **settings)


@typed
def charge_distribution(operator: LocalOperator, sites: Region, **about: Any) -> Observable:
    """Return the probabilities of the values of Q = sum of a whole-numbered diagonal operator over sites.

    operator: such as `spin_half.N`. The axis `charge` counts from the smallest value of Q.
    """
    chosen, name = _region(sites), operator.name
    measure = Stated(lambda view: view.charge_distribution(name, chosen), ("charge distribution", operator, chosen))
    settings = {"monitored": False, **about}
    return Observable(measure, dims=("charge",), needs=("charge_distribution",), sites=chosen, **settings)
