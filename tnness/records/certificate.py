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

from tnness.records.values import Estimates, Values

KINDS = ("relaxation", "trotter", "truncation")
"""The three errors that are estimated per observable."""
TRUSTED = ("converged", "exact")
"""Outcomes that claim an answer within its errors."""


def word_of(outcome: str) -> str:
    """Return the first word of an outcome, without the remark behind it.

    >>> word_of("converged from product:01; not unique")
    'converged'
    """
    return outcome.partition(",")[0].partition(" ")[0]


@dataclass(frozen=True)
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
