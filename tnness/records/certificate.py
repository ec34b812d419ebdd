"""The certificate: every record carries one, which says how far its answer can be trusted.

For a steady state, three errors are estimated for every observable that is monitored and watched: the relaxation still
to come, the Trotter error and the truncation error (`tnness.stopping`), element by element. They are absolute, in the
observable's unit.
Independently of them, the state is tested against the equation it should solve (`tnness.stopping.balance`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.display.numbers import printable
from tnness.display.page import escaped, html_table
from tnness.records.values import Estimates, Values

KINDS = ("relaxation", "trotter", "truncation")
"""The three errors that are estimated per observable."""
TRUSTED = ("converged", "exact")
"""Outcomes that claim an answer within its errors."""


MEANING = {
    "discarded_weight": "relative weight dropped, last stage",
    "trace_drift": "change of ln(trace), last stage",
    "relaxation": "relative change still to come",
    "relaxation_rate": "rate of the relaxation [1/time]",
    "trotter": "relative error of the time step",
    "truncation": "relative error of the bond dimension",
    "residual": "|G P| / |P| [1/time]",
    "local_balance": "worst d<O>/dt of a one-site operator [1/time]",
    "energy_balance": "d<H>/dt over the dissipative flows",
    "positivity": "lowest eigenvalue or probability of two sites",
    "cutoff_weight": "largest probability of a level next to a cutoff",
    "fallbacks": "LAPACK fallbacks",
    "forgets_in": "time in which both kicks are forgotten [time]",
    "kick_left": "share of a kick that is left at its end",
    "kick_site": "left one of the two sites that keep most of it",
    "trusted_to": "time up to which the errors are within the tolerance [time]",
    "linear_residual": "|H u - source| over its round-off scale",
    "unitarity": "largest element of S^+ S - 1",
    "quadrature": "relative error of the energy integral",
    "energies": "energies at which scattering states were computed",
    "poles": "resonances integrated in closed form (without: plain nodes)",
    "plain_share": "share of the bias window integrated by plain nodes",
    "current_spread": "relative spread of the current over the bonds",
    "bound_states_below": "bound states below the leads' band, filled",
    "bound_states_above": "bound states above the leads' band, empty",
    "slices": "slices multiplied",
    "bursts": "bursts of evolution, of an accelerated run",
    "jumps": "jumps between them",
    "realizations": "trajectories of the average",
    "weight_dropped": "weight dropped in a trajectory, all splits together",
    "bond_dimension": "largest bond dimension of a trajectory",
    "mean_bond_dimension": "mean over the trajectories of their largest",
    "quantum_jumps": "quantum jumps in a trajectory",
    "splitting": "error of the time step of an average, in units of the largest value in one trajectory",
    "bracket": "relative distance of the ends from above and from below",
    "statistical": "relative statistical error of the smallest exponent",
}
"""The figures of a certificate by name."""


def word_of(outcome: str) -> str:
    """Return the first word of an outcome, without the remark behind it.

    >>> word_of("converged from product:01; not unique")
    'converged'
    """
    return outcome.partition(",")[0].partition(" ")[0]


@dataclass(frozen=True, repr=False)
class Certificate:
    """The figures and the verdict. NaN stands for a figure that does not apply.

    discarded_weight: relative weight dropped in the last stage, summed over all splits and steps.
    trace_drift: change of ln(trace) in the last stage, before any renormalisation.
    relaxation: worst relative change still to come, by extrapolation.
    trotter, truncation: worst relative error estimate over the monitored observables.
    relaxation_rate: rate of the whole relaxation (1 / time).
    residual: |G P| / |P| (1 / time).
    local_balance: worst |d<O>/dt| over one-site operators (1 / time): continuity of every local density.
    energy_balance: |d<H>/dt| relative to the dissipative flows into and out of H.
    positivity: smallest eigenvalue of the two-site marginals, or smallest probability.
    fallbacks: number of LAPACK factorisations that needed their fallback.
    estimates: the three absolute errors of every monitored observable, element by element: kind of error -> observable
        -> array of the observable's shape.
    further: other figures by name, e.g. those of a direct engine.
    """

    outcome: str
    discarded_weight: float = math.nan
    trace_drift: float = math.nan
    relaxation: float = math.nan
    relaxation_rate: float = math.nan
    trotter: float = math.nan
    truncation: float = math.nan
    residual: float = math.nan
    local_balance: float = math.nan
    energy_balance: float = math.nan
    positivity: float = math.nan
    fallbacks: int = 0
    estimates: Estimates = field(default_factory=dict)
    further: dict[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        known = ", ".join(f"{name}={number}" for name, number, _ in figure_rows(self))
        return f"Certificate({self.outcome!r}{', ' if known else ''}{known})"

    def _repr_html_(self) -> str:
        """Return the verdict and all figures with their meanings, for a notebook."""
        verdict = f'<p class="{"good" if self.converged else "bad"}"><strong>{escaped(self.outcome)}</strong></p>'
        return verdict + html_table(["figure", "value", "meaning"], figure_rows(self))

    @property
    def converged(self) -> bool:
        """True where the outcome is `converged` or `exact`, perhaps with a remark behind it."""
        return word_of(self.outcome) in TRUSTED

    @property
    def errors(self) -> Values:
        """Absolute error of every element: the sum of its estimates; NaN where one of the three is missing."""
        names = {name for kind in self.estimates.values() for name in kind}
        missing = np.array(math.nan)
        return {name: sum_of([self.estimates.get(k, {}).get(name, missing) for k in KINDS]) for name in sorted(names)}

    def figures(self) -> dict[str, float]:
        """Return the numbers by name."""
        return {k: float(v) for k, v in vars(self).items() if isinstance(v, (int, float))} | self.further

    @classmethod
    def of(cls, outcome: str, figures: dict[str, float], estimates: Estimates) -> Certificate:
        """Return the certificate with these `figures()`."""
        names = {entry.name for entry in fields(cls)}
        declared: dict[str, Any] = {k: v for k, v in figures.items() if k in names}
        if "fallbacks" in declared:
            declared["fallbacks"] = int(declared["fallbacks"])
        further = {k: v for k, v in figures.items() if k not in names}
        return cls(outcome=outcome, estimates=estimates, further=further, **declared)


def figure_rows(certificate: Certificate) -> list[tuple[str, str, str]]:
    """Return (name, number, meaning) of all figures of a certificate that are known."""
    known = {name: value for name, value in certificate.figures().items() if not math.isnan(value)}
    return [(printable(name), f"{value:.3g}", MEANING.get(name, "")) for name, value in known.items()]


@dataclass(frozen=True)
class Prior:
    """Results for the same chain from the record that a run extends.

    chi, dt: bond dimension and time step of the record. rate: its relaxation rate (1 / time). estimates: the errors in
    its certificate. The values of its observables stand in the run's history under `PRIOR_STAGE`.
    """

    chi: int
    dt: float
    rate: float
    estimates: Estimates


def sum_of(errors: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the sum of errors, element by element.

    >>> sum_of([np.array([1.0, 2.0]), np.array(0.5)]).tolist()
    [1.5, 2.5]
    """
    return np.asarray(sum(errors, np.zeros(())), float)
