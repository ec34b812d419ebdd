"""The certificate in words: what its outcome claims, how large the errors are, and how the answer was tested."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tnness.display.numbers import columns, printable
from tnness.records.certificate import KINDS, Certificate, figure_rows, word_of
from tnness.records.lazily import lazily
from tnness.records.values import FLOOR, scale

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = lazily("xarray")

CLAIMS = {
    "converged": "every element of what was watched is known within the tolerance, all errors together",
    "exact": "solved to round-off",
    "complete": "all times were reached",
    "unfinished": "the run goes on; these are the latest numbers",
    "measured": "by a function of the user's, which no certificate judges",
    "not relaxed": "the state was still moving, or a disturbance is still remembered",
    "not settled": "the last jumps, or a disturbance, still change what was watched",
    "does not relax": "a part of the chain moves to and fro for ever, and truncation is not the cause",
    "truncation dominates": "relaxed, but the bond dimension is too small for the accuracy asked for",
    "truncation keeps it from settling": "the bond dimension is too small: what it drops keeps the state moving",
    "Trotter error dominates": "relaxed, but the time step is too large for the accuracy asked for",
    "not positive": "a density matrix of two sites has a negative eigenvalue: the bond dimension is too small",
    "quadrature dominates": "the integral over energies has a larger error than asked for",
    "energy is not balanced": "the energy that flows in does not flow out",
    "the steady state may not be unique": "the chain kept a disturbance: another start may end elsewhere",
    "the steady state is not unique": "it belongs to the start, and none was named",
    "trustworthy to": "later numbers have larger errors than asked for",
    "trusted at no time": "the errors are larger than asked for from the first time on",
    "no error estimate": "nothing says how large the errors are",
    "relaxed, but no error estimate": "nothing says how large the errors of time step and truncation are",
    "settled, but no error estimate": "nothing says how large the errors of time step and truncation are",
    "no number": "0/0 or the like in the last state",
}
"""Beginnings of outcomes, and what each means; the longest that fits counts."""
TESTS = {
    "residual": "residual |G P|/|P| = {:.1e} per time",
    "local_balance": "a local density changes by {:.1e} per time at most",
    "energy_balance": "energy is balanced to {:.1e}",
    "positivity": "lowest eigenvalue or probability of two sites {:.2g}",
    "forgets_in": "kicks are forgotten in a time of {:.3g}",
    "trace_drift": "ln(trace) drifts by {:.1e}",
    "linear_residual": "residual of the linear equations {:.1e} of round-off",
    "unitarity": "scattering is unitary to {:.1e}",
    "quadrature": "energy integrals to {:.1e}",
    "current_spread": "currents of all bonds agree to {:.1e}",
}
"""Figures of the tests that are independent of the error estimates, in words."""
MOST_TESTS = 4


def claim_of(outcome: str) -> str:
    """Return what an outcome means, in words; empty for one that says itself what it means.

    >>> claim_of("truncation dominates: raise --chi")
    'relaxed, but the bond dimension is too small for the accuracy asked for'
    """
    fits = [begin for begin in CLAIMS if outcome.startswith(begin)]
    return CLAIMS[max(fits, key=len)] if fits else ""


def explained(dataset: xr.Dataset, certificate: Certificate) -> list[str]:
    """Return the certificate of a record in plain words: its outcome, the errors, and the tests; three lines or fewer.

    Parameters
    ----------
    dataset: of the record. certificate: the record's.
    """
    if dataset.attrs.get("kind") == "convergence":
        return _of_convergence(dataset)
    settings = _settings(dataset)
    outcome, asked = printable(certificate.outcome), settings.get("tolerance")
    claim = claim_of(outcome)
    lines = [f"outcome: {outcome}" + (f" ({claim})" if claim else "")]
    if word_of(outcome) not in ("exact", "unfinished", "measured"):
        lines.append(_errors_in_words(dataset, certificate, asked))
    figures = certificate.figures()
    known = {name: figures.get(name, math.nan) for name in TESTS}
    told = [TESTS[name].format(value) for name, value in known.items() if not math.isnan(value)][:MOST_TESTS]
    if told:
        lines.append(f"tested: {'; '.join(told)}")
    return lines


def watched_in(dataset: xr.Dataset) -> list[str]:
    """Return the names of the observables that judge a record's run; empty where all do that the model monitors."""
    return [printable(name) for name in _settings(dataset).get("watch", [])]


def _settings(dataset: xr.Dataset) -> dict[str, Any]:
    return json.loads(dataset.attrs.get("settings", "{}"))


def _errors_in_words(dataset: xr.Dataset, certificate: Certificate, asked: Any) -> str:
    """Return the largest error, relative to its observable's scale, with its observable and its parts."""
    relative = {}
    for name in certificate.errors:
        if f"{name}_error" in dataset:
            error = dataset[f"{name}_error"].values
            if error.size and not np.isnan(error).all():
                relative[name] = float(np.nanmax(error)) / max(scale(dataset[name].values), FLOOR)
    wanted = f"; asked for {100 * asked:.3g} %" if isinstance(asked, (int, float)) else ""
    if not relative:
        beside = [v.values for name, v in dataset.data_vars.items() if str(name).endswith("_error")]
        is_given = any(np.isfinite(error).any() for error in beside)
        return "errors: those beside the values" if is_given else "errors: none is known"
    name = max(relative, key=lambda k: relative[k])
    parts = []
    for kind in KINDS:
        of = certificate.estimates.get(kind, {}).get(name)
        if of is not None and np.isfinite(of).any():
            size = float(np.nanmax(np.where(np.isfinite(of), of, np.nan))) / max(scale(dataset[name].values), FLOOR)
            parts.append(f"{kind} {100 * size:.2g} %")
    of_what = f"largest error: {100 * relative[name]:.2g} % of the size of {printable(name)}"
    return of_what + (f" (at most: {', '.join(parts)})" if parts else "") + wanted


def _of_convergence(dataset: xr.Dataset) -> list[str]:
    outcomes = [str(outcome) for outcome in np.ravel(dataset["outcome"].values)] if "outcome" in dataset else []
    good = sum(word_of(outcome) in ("converged", "exact") for outcome in outcomes)
    chis, steps = dataset["chi"].values, dataset["dt"].values
    lines = [
        f"limit: chi -> infinity, by the last two of chi = {', '.join(f'{chi:g}' for chi in chis)} at dt = "
        f"{steps[-1]:.3g}; {good} of {len(outcomes)} points converged to the tolerance asked for",
        "errors: the larger of the last step in chi and the distance extrapolated, the error of the time step, and the "
        "relaxation still to come",
    ]
    if good < len(outcomes) and outcomes:
        lines.append(f"outcome at the largest chi: {printable(outcomes[-1])}")
    return lines


def figures_in_full(certificate: Certificate) -> list[str]:
    """Return all figures of a certificate as lines, with their meanings."""
    rows: Sequence[Sequence[str]] = figure_rows(certificate)
    return ["certificate", *columns(rows)]
