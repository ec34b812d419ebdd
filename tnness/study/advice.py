"""What to do with a record: the command that repeats its run, the one that goes on, and a file that asks for it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from tnness.model.registry import names_file
from tnness.records.certificate import KINDS, word_of
from tnness.records.record import Record
from tnness.runs.job_file import engine_changes

GOOD = ("converged", "exact", "complete")
ASKED = {
    "tolerance": "--tol",
    "atol": "--atol",
    "max_time": "--max-time",
    "adjoint": "--adjoint",
}
"""Settings of a request that have a number, and their options."""
AS_OPTIONS = ("chi", "dt", "order")
"""Settings of engines that are written as options; the others are `--set NAME=VALUE`."""


def next_steps(record: Record, path: Path) -> list[tuple[str, str]]:
    """Return what may come next: (what for, command), by the outcome.

    Parameters
    ----------
    record: just written, or opened. path: its file.
    """
    outcome, place = record.outcome, shlex.quote(str(path))
    steady = record.dataset.attrs.get("kind") != "convergence" and record.settings["kind"] == "steady_state"
    on = f"tnness run {place}{_named(record)}"
    steps = []
    if record.unfinished:
        return [("go on", on)]
    if "raise --chi" in outcome and record.snapshot is not None and steady:
        steps.append(("more accurate", f"{on} --chi {2 * _used(record, 'chi', 32)}"))
    if "lower --dt" in outcome and record.snapshot is not None and steady:
        steps.append(("more accurate", f"{on} --dt {_used(record, 'dt', 0.1) / 2:.3g}"))
    if "raise --max-time" in outcome and record.snapshot is not None and steady:
        known = record.settings.get("max_time") or record.time
        steps.append(("wait longer", f"{on} --max-time {4 * known:.4g}"))
    if word_of(outcome) == "converged" and record.snapshot is not None and steady:
        steps += _better(record, on)
    report = shlex.quote(str(path.with_suffix(".html")))
    steps.append(("a page with figures", f"tnness report {place} --out {report}"))
    return steps


def _better(record: Record, on: str) -> list[tuple[str, str]]:
    """Return the command that lowers the largest of a converged record's errors."""
    figures = record.certificate.figures()
    known = {kind: figures[kind] for kind in KINDS if figures[kind] > 0}  # NaN is not
    asked = record.settings["tolerance"]
    commands = {
        "relaxation": f"{on} --tol {asked / 10:.3g}",
        "trotter": f"{on} --dt {_used(record, 'dt', 0.0) / 2:.3g} --tol {asked / 10:.3g}",
        "truncation": f"{on} --chi {2 * _used(record, 'chi', 0)} --tol {asked / 10:.3g}",
    }
    if not known or not _used(record, "chi", 0) or not _used(record, "dt", 0.0):
        return []
    return [("more accurate", commands[max(known, key=lambda kind: known[kind])])]


def is_report(command: str) -> bool:
    """Return whether a command writes a report."""
    return command.startswith("tnness report ")


def _named(record: Record) -> str:
    model = str(record.dataset.attrs.get("model", ""))
    return f" --model {shlex.quote(model)}" if names_file(model) else ""


def _used(record: Record, name: str, default: Any) -> Any:
    value = record.used.get(name, record.settings["engine_settings"].get(name))
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else default


# ------------------------------------------------------------------ the same again


def repeating(record: Record) -> str:
    """Return the command that runs a record's job again from its parameters: disorder that was drawn is written out.

    A run that began from a record or a state needs its file: `STATE.nc` stands for it. In a convergence the command
    lists its bond dimensions and time steps.
    """
    settings, dataset = record.settings, record.dataset
    convergence = dataset.attrs.get("kind") == "convergence"
    words = ["tnness", "converge" if convergence else "run", str(settings["model"])]
    for name, value in settings["parameters"].items():
        words += ["-p", f"{name}={as_typed(value)}"]
    words += ["--seed", str(settings["seed"]), "--engine", str(settings["engine"])]
    varied = {}
    if convergence:
        varied["chi"] = ",".join(f"{chi:g}" for chi in dataset["chi"].values)
        given = settings["engine_settings"].get("dt") is not None or len(dataset["dt"]) > 1
        varied["dt"] = ",".join(repr(float(dt)) for dt in dataset["dt"].values) if given else ""
    for name, value in engine_changes(settings).items():
        if name not in varied and not (convergence and name == "schedule"):
            words += [f"--{name}", as_typed(value)] if name in AS_OPTIONS else ["--set", f"{name}={as_typed(value)}"]
    for name, value in varied.items():
        words += [f"--{name}", value] if value else []
    initial = settings.get("initial")
    if not isinstance(initial, str):
        words += ["--initial", "STATE.nc"] * (not convergence)
    elif initial != "model" and initial != "identity":
        words += ["--initial", initial]
    words += _request(settings)
    return shlex.join(words)


def _request(settings: dict[str, Any]) -> list[str]:
    words = []
    if settings["kind"] == "evolution":
        words += ["--time", ",".join(repr(float(t)) for t in settings["times"])]
    for name, flag in ASKED.items():
        if settings.get(name):
            words += [flag, as_typed(settings[name])]
    words += ["--no-kick"] * (settings.get("kick") is False)
    words += ["--no-errors"] * (settings["kind"] == "evolution" and settings.get("errors") is False)
    for name in settings.get("watch", []):
        words += ["--watch", str(name)]
    return words


def as_typed(value: Any) -> str:
    """Return a value as it is typed after `-p NAME=`: a text as it is, unless it would be read as something else.

    >>> as_typed("classical"), as_typed("12"), as_typed([1, 2])
    ('classical', '"12"', '[1, 2]')
    """
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        json.loads(value)
    except ValueError:
        return value
    return json.dumps(value)
