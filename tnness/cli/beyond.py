"""The commands that ask a model more than its states: `modes`, `counting`, `correlation`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from tnness.cli import options
from tnness.cli.app import app
from tnness.cli.fields import Group, with_options
from tnness.cli.grouped import WHAT, GroupedCommand
from tnness.cli.reading import read_parameters
from tnness.cli.shown import answer, say, write_table
from tnness.engines.beyond.correlation import Correlation
from tnness.engines.beyond.counting import Counting
from tnness.engines.beyond.modes import Modes
from tnness.engines.beyond.question import Question
from tnness.errors import InputError
from tnness.model import registry
from tnness.model.parameters import build
from tnness.records.record import Record
from tnness.runs.job import Job
from tnness.runs.naming import file_name
from tnness.runs.solve import run


def asking(*refused: str, why: str) -> Group:
    """Return the options of a request without those that a question has no use for."""
    group = options.JOB
    for name in refused:
        group = options.without(group, name, why)
    return group


MODES = asking(
    *("times", "period", "own_period", "initial", "kick", "errors", "adjoint", "watch", "atol"),
    why="modes are those of the chain, not of a state",
)
"""What a question for modes takes of a request."""
COUNTING = asking(
    *("times", "period", "own_period", "kick", "errors", "adjoint", "watch"),
    why="counting statistics are those of long times, of a counter",
)
"""What a question for counting statistics takes of a request."""
IN_TIME = asking(
    *("max_time", "period", "own_period", "kick", "adjoint", "watch"),
    why="correlations in time are those of given times",
)
"""What a question for correlations in time takes of a request."""


def answered(
    model: str,
    question: Question,
    engine: options.Chosen,
    asked: options.Asked,
    files: options.Files,
    param: list[str] | None,
) -> tuple[Record, Path]:
    """Run a question; return the record and its path."""
    instance = build(registry.find(model), read_parameters(param), model)
    job = Job(instance, registry.full_name(model), engine.build(instance), asked.ask, question)
    path = files.out or file_name(job)
    return run(job, replace(files, out=path).output(), not files.quiet), path


@app.command("modes", cls=GroupedCommand)
@with_options(engine=options.SETTINGS, asked=MODES, files=options.WRITING)
def modes_command(
    model: options.Model,
    engine: options.Chosen,
    asked: options.Asked,
    files: options.Files,
    count: Annotated[int, typer.Option(metavar="INTEGER", help="number of modes", rich_help_panel=WHAT)] = 4,
    param: options.Parameters = None,
) -> None:
    """Find the slowest modes of a chain: rates with errors, frequencies, residuals."""
    record, path = answered(model, Modes(count=count), engine, asked, files, param)
    if not files.quiet:
        _say_modes(record)
        say(answer(record, path, files.verbose))


def _say_modes(record: Record) -> None:
    """Write the table of the modes; a rate that is no result is not shown as one."""
    columns = {name: np.asarray(record[name].values) for name in ("rate", "frequency", "candidate", "residual")}
    errors = (
        record.dataset["rate_error"].values if "rate_error" in record.dataset else np.full(len(record["rate"]), np.nan)
    )
    rows = []
    for k, rate in enumerate(columns["rate"]):
        if np.isnan(columns["candidate"][k]):
            continue
        known = np.isfinite(rate)
        shown = (
            [f"{rate:.8g}", f"{errors[k]:.1e}", f"{columns['frequency'][k] + 0.0:.6g}"]
            if known
            else ["no result", "", ""]
        )
        rows.append([str(k), *shown, f"{columns['residual'][k]:.1e}"])
    write_table("modes", ["mode", "rate", "+-", "frequency", "residual"], rows)


@app.command("counting", cls=GroupedCommand)
@with_options(engine=options.SETTINGS, asked=COUNTING, files=options.WRITING)
def counting_command(
    model: options.Model,
    engine: options.Chosen,
    asked: options.Asked,
    files: options.Files,
    counter: Annotated[
        str, typer.Option(metavar="NAME|bond:B", help="counter of the jumps, or bond:B", rich_help_panel=WHAT)
    ] = "left",
    largest: Annotated[float, typer.Option(metavar="NUMBER", help="largest field", rich_help_panel=WHAT)] = 0.5,
    points: Annotated[int, typer.Option(metavar="INTEGER", help="number of fields", rich_help_panel=WHAT)] = 8,
    spread: Annotated[bool, typer.Option(help="share a field at an end among all bonds", rich_help_panel=WHAT)] = True,
    param: options.Parameters = None,
) -> None:
    """Find the statistics of a counter: theta(field), mean, noise, third cumulant, large deviations."""
    question = Counting(counter=counter, largest=largest, points=points, spread=spread)
    record, path = answered(model, question, engine, asked, files, param)
    if not files.quiet:
        say(answer(record, path, files.verbose))


@app.command("correlation", cls=GroupedCommand)
@with_options(engine=options.SETTINGS, asked=IN_TIME, files=options.WRITING)
def correlation_command(
    model: options.Model,
    engine: options.Chosen,
    asked: options.Asked,
    files: options.Files,
    first: Annotated[
        list[str], typer.Option(metavar="OPERATOR", help="A of <A(t) B(0)>, such as Z(3)", rich_help_panel=WHAT)
    ],
    second: Annotated[list[str], typer.Option(metavar="OPERATOR", help="B of <A(t) B(0)>", rich_help_panel=WHAT)],
    param: options.Parameters = None,
) -> None:
    """Find <A(t) B(0)> in the steady state at the times of --time."""
    question = Correlation(first=tuple(first), second=tuple(second))
    if "times" not in asked.given:
        raise InputError("correlation needs --time: the times t of <A(t) B(0)>")
    record, path = answered(model, question, engine, asked, files, param)
    if not files.quiet:
        say(answer(record, path, files.verbose))
