"""The output of the command line: lines, tables, a summary of a record, errors."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from tnness.records.record import ADJOINT, Record, error_of, observables_in

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
    "bracket": "relative distance of the ends from above and from below",
    "statistical": "relative statistical error of the smallest exponent",
}


def report(record: Record) -> str:
    """Return the scalars with their errors and the certificate as a short table."""
    lines = []
    for name in observables_in(record.dataset):
        data = record[name]
        if data.ndim == 0:
            error = record.dataset.get(error_of(name))
            lines.append(f"  {name:<22} {float(data):.10g}" + (f" +- {float(error):.1e}" if error is not None else ""))
    for name in observables_in(record.dataset):
        if f"{name}{ADJOINT}" in record.dataset:
            errors = record[f"{name}{ADJOINT}"].values
            span = sorted({f"{errors.min():.2e}", f"{errors.max():.2e}"}, key=float)
            lines.append(f"  {name:<22} signed truncation error {' to '.join(span)}")
    lines.append("certificate")
    for key, value in record.certificate.figures().items():
        if not math.isnan(value):
            lines.append(f"  {key:<22} {value:<12.3g} {MEANING.get(key, '')}")
    if record.settings.get("watch"):
        lines.append(f"judged by: {', '.join(record.settings['watch'])}")
    lines.append(f"outcome: {record.outcome}")
    return "\n".join(lines)


def write_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table with a title."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    say(f"\n{title}")
    for row in [header, *rows]:
        say("  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def say(text: str) -> None:
    """Write a line to stdout; it is no error if the reader of a pipe has gone (`| head`)."""
    try:
        typer.echo(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(message: str, status: int) -> NoReturn:
    """Write an error in one line to stderr, and end with an exit status."""
    typer.echo(f"tnness: {' '.join(message.split())}", err=True)
    sys.exit(status)
