"""The commands `run` and `converge`: one steady state or time evolution, and the convergence of a steady state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tnness.cli import options
from tnness.cli.app import app
from tnness.cli.fields import with_options
from tnness.cli.grouped import WHAT, GroupedCommand
from tnness.cli.reading import read_parameters
from tnness.cli.shown import answer, say
from tnness.errors import InputError
from tnness.model import registry
from tnness.model.parameters import build
from tnness.records.record import Record
from tnness.runs.job import Job
from tnness.runs.job_file import read_job
from tnness.runs.naming import file_name
from tnness.runs.solve import Changes, extend, run

JOBS = ".toml"
"""Ending of the name of a job's file."""
FIXED = ("seed", "initial", "period", "own_period")
"""Fields of a request that an extension cannot change."""


@app.command("run", cls=GroupedCommand)
@with_options(engine=options.SETTINGS, asked=options.JOB, files=options.WRITING)
def run_command(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|OLD.nc|JOB.toml",
            help="a model, file.py:Class, a record to extend, or a job",
            rich_help_panel=WHAT,
        ),
    ],
    engine: options.Chosen,
    asked: options.Asked,
    files: options.Files,
    param: options.Parameters = None,
    known_as: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="FILE.py:Class",
            help="the model of a record or a job that names a file: none that they name is loaded unasked",
            rich_help_panel=WHAT,
        ),
    ] = None,
    accept_old: options.AcceptOld = False,
) -> None:
    """Run one steady state, or a time evolution with --time; extend a record with OLD.nc; or do what a file says."""
    if model.endswith(JOBS):
        model, param_values, engine, asked = _from_file(Path(model), known_as, param, engine, asked)
        record, path = _begun(model, param_values, engine, asked, files, accept_old)
    elif model.endswith(options.RECORDS):
        record = _extended(model, known_as, param, engine, asked, files, accept_old)
        path = files.out or Path(model.removesuffix(".part"))
    elif known_as is not None:
        raise InputError(f"--model {known_as}: it belongs to a record that is extended, and {model} is none")
    else:
        record, path = _begun(model, read_parameters(param), engine, asked, files, accept_old)
    if not files.quiet:
        say(answer(record, path, files.verbose))


def _from_file(
    path: Path,
    known_as: str | None,
    param: list[str] | None,
    engine: options.Chosen,
    asked: options.Asked,
) -> tuple[str, dict[str, Any], options.Chosen, options.Asked]:
    """Return the model, parameters, engine and request of a job's file; what the command line gives as well counts."""
    job = read_job(path)
    if known_as is None and registry.names_file(job.model):
        raise InputError(
            f"{path} names its model by a file, which is not loaded unasked: --model {job.model} says that it may be"
        )
    other = engine.name is not None and engine.name != job.engine
    chosen = options.Chosen(engine.name or job.engine, {**({} if other else job.settings), **engine.settings})
    request = options.asked(**{**job.ask, **asked.given})
    return known_as or job.model, {**job.parameters, **read_parameters(param)}, chosen, request


def _begun(
    model: str,
    parameters: dict[str, Any],
    engine: options.Chosen,
    asked: options.Asked,
    files: options.Files,
    accept_old: bool,
) -> tuple[Record, Path]:
    """Run a time evolution if times are given, otherwise the steady state; return the record and its file."""
    instance = build(registry.find(model), parameters, model)
    job = Job(instance, registry.full_name(model), engine.build(instance), asked.ask)
    files = replace(files, out=files.out or file_name(job))
    assert files.out is not None
    return run(job, files.output(accept_old), not files.quiet), files.out


def _extended(
    path: str,
    model: str | None,
    param: list[str] | None,
    engine: options.Chosen,
    asked: options.Asked,
    files: options.Files,
    accept_old: bool,
) -> Record:
    """Extend a record; refuse options that the record fixes."""
    given = asked.given
    refused = ["--param"] * (param is not None) + [options.JOB_FLAGS[name] for name in given if name in FIXED]
    if refused:
        raise InputError(f"{', '.join(refused)} cannot be changed when a record is extended; {path} fixes them")
    changes = Changes(engine.settings, engine.name, **given)
    return extend(
        path,
        changes,
        model=model,
        out=files.out,
        overwrite=files.overwrite,
        checkpoint_every=files.checkpoint_every,
        progress=not files.quiet,
        accept_old=accept_old,
    )


@app.command("converge", cls=GroupedCommand)
@with_options(
    engine=options.VARIED,
    asked=options.without(options.JOB, "times", "a convergence is that of a steady state, not of a time evolution"),
    files=options.WRITING,
)
def converge_command(
    model: options.Model,
    engine: options.Chosen,
    asked: options.Asked,
    files: options.Files,
    param: options.Parameters = None,
) -> None:
    """Converge a steady state in bond dimension and time step: table, extrapolation, error bar, figure."""
    from tnness.study.converge import converged, default_engine, finished, table
    from tnness.study.figure import plot, refuse_record

    instance = build(registry.find(model), read_parameters(param), model)
    fixed, chi, dt = _varied(engine)
    solver = fixed.build(instance, default_engine(instance))
    job = Job(instance, registry.full_name(model), solver, asked.ask)
    files = replace(files, out=files.out or file_name(job, chi, dt))
    assert files.out is not None
    refuse_record(files.out.with_suffix(".png"), files.out)
    picture, dataset = files.out.with_suffix(".png"), None
    if files.out.is_file() and not files.overwrite and not picture.exists():
        dataset = finished(job, chi, dt, files.out)
    if dataset is None:
        dataset = converged(job, chi, dt, files.output(), not files.quiet)
    figure = plot(files.out)
    if not files.quiet:
        say(f"{table(dataset)}\n\n{answer(Record.open(files.out), files.out)}\nfigure: {figure}")


def _varied(engine: options.Chosen) -> tuple[options.Chosen, tuple[Any, ...], tuple[Any, ...]]:
    """Return the engine without the varied settings, the bond dimensions, and the time steps."""
    settings = dict(engine.settings)
    chi, dt = settings.pop("chi", None), settings.pop("dt", None)
    if chi is None:
        raise InputError("converge needs --chi CHI,CHI,...: at least two bond dimensions")
    return options.Chosen(engine.name, settings), _several(chi), _several(dt)


def _several(value: Any) -> tuple[Any, ...]:
    """Return values as a tuple; a single value from `--set`, or None if nothing was given, gives a tuple of one."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)
