"""`run` and `converge`: one steady state or time evolution, and its convergence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tnness import model as modelling
from tnness import registry
from tnness.cli import options
from tnness.cli.app import app
from tnness.cli.reading import engine_settings, integers, numbers, parameters, wanted_times
from tnness.cli.shown import report, say
from tnness.engines.ask import TOLERANCE
from tnness.errors import InputError
from tnness.records.record import Record
from tnness.runs.checkpoint import CHECKPOINT_EVERY
from tnness.runs.job import engine_for
from tnness.runs.solve import Changes, evolve, extend, steady_state


@app.command()
def run(
    model: Annotated[
        str, typer.Argument(metavar="MODEL|OLD.nc", help="A model, file.py:Class, or a record to extend.")
    ],
    param: options.Parameters = None,
    engine: options.EngineName = None,
    chi: options.Chi = None,
    dt: options.Dt = None,
    order: options.Order = None,
    method: options.Method = None,
    cutoff: options.Cutoff = None,
    power: options.Power = None,
    schedule: options.Schedule = None,
    dtype: options.Dtype = None,
    block: options.Block = None,
    accelerate: options.Accelerate = None,
    bracket: options.Bracket = None,
    setting: options.Setting = None,
    seed: options.Seed = None,
    initial: Annotated[
        str | None, typer.Option(help="identity, thermal:BETA, product:01*..., ground:N, or a record.")
    ] = None,
    time: options.Time = None,
    tol: options.Tolerance = None,
    watch: options.Watch = None,
    max_time: options.MaxTime = None,
    out: options.Out = None,
    overwrite: options.Overwrite = False,
    checkpoint_every: options.Every = CHECKPOINT_EVERY,
    quiet: options.Quiet = False,
) -> None:
    """Run one steady state, or a time evolution with --time; extend a record with OLD.nc."""
    named = {"chi": chi, "dt": dt, "order": order, "method": method, "cutoff": cutoff, "power": power, "dtype": dtype}
    named |= {"block": block, "bracket": bracket}
    times = wanted_times(time, tol, max_time, watch)
    if accelerate:
        if engine not in (None, "accelerated"):
            raise InputError(f"--accelerate stands for --engine accelerated, not {engine}")
        engine = "accelerated"
    known = engine_settings(named, schedule, setting)
    wanted = Changes(known, engine, times, tol, max_time, watch)
    writing = {"out": out, "overwrite": overwrite, "checkpoint_every": checkpoint_every, "progress": not quiet}
    if model.endswith((".nc", ".nc.part")):
        _refuse(model, {"--param": param, "--seed": seed, "--initial": initial})
        record = extend(model, wanted, **writing)
        out = out or Path(model.removesuffix(".part"))
    elif out is None:
        raise InputError("run needs --out FILE.nc, the record to write")
    else:
        instance = modelling.build(registry.find(model), parameters(param), model)
        physics = {"engine": engine_for(instance, engine, **wanted.engine), "seed": seed or 0}
        physics |= {"name": registry.full_name(model), "initial": _initial(initial)}
        record = _begin(instance, wanted, physics | writing)
    if not quiet:
        say(f"{report(record)}\nrecord: {out}")


def _begin(instance: Any, wanted: Changes, common: Mapping[str, Any]) -> Record:
    """Run a time evolution where times are wanted, the steady state otherwise."""
    if wanted.times is None:
        tolerance = TOLERANCE if wanted.tolerance is None else wanted.tolerance
        return steady_state(instance, tolerance=tolerance, max_time=wanted.max_time, watch=wanted.watch or (), **common)
    return evolve(instance, wanted.times, **common)


@app.command("converge")
def converge_command(
    model: str,
    chi: Annotated[str, typer.Option(metavar="CHI,CHI,...", help="Bond dimensions.")],
    param: options.Parameters = None,
    dt: Annotated[str | None, typer.Option(metavar="DT,DT,...", help="Time steps.")] = None,
    order: options.Order = None,
    method: options.Method = None,
    cutoff: options.Cutoff = None,
    power: options.Power = None,
    dtype: options.Dtype = None,
    block: options.Block = None,
    accelerate: options.Accelerate = None,
    seed: options.Seed = None,
    tol: options.Tolerance = None,
    watch: options.Watch = None,
    max_time: options.MaxTime = None,
    out: options.Out = None,
    overwrite: options.Overwrite = False,
    checkpoint_every: options.Every = CHECKPOINT_EVERY,
    quiet: options.Quiet = False,
) -> None:
    """Converge a steady state in bond dimension and time step: table, extrapolation, error bar, figure."""
    from tnness.study.converge import converge, table
    from tnness.study.figure import plot, refuse_record

    if out is None:
        raise InputError("converge needs --out FILE.nc, the record to write")
    refuse_record(out.with_suffix(".png"), out)
    instance = modelling.build(registry.find(model), parameters(param), model)
    named = {"order": order, "method": method, "cutoff": cutoff, "power": power, "dtype": dtype, "block": block}
    engine = engine_for(instance, "accelerated" if accelerate else "tebd", **named)
    dataset = converge(
        instance,
        integers("--chi", chi) or (),
        numbers("--dt", dt) or (None,),
        engine=engine,
        seed=seed or 0,
        tolerance=TOLERANCE if tol is None else tol,
        max_time=max_time,
        watch=watch or (),
        out=out,
        overwrite=overwrite,
        checkpoint_every=checkpoint_every,
        progress=not quiet,
        name=registry.full_name(model),
    )
    figure = plot(out)
    if not quiet:
        say(f"{table(dataset)}\nrecord: {out}\nfigure: {figure}")


def _initial(text: str | None) -> Any:
    if text is not None and text.endswith((".nc", ".nc.part")):
        return Record.open(text)
    return text


def _refuse(record: str, given: Mapping[str, Any]) -> None:
    fixed = [option for option, value in given.items() if value is not None]
    if fixed:
        raise InputError(f"{', '.join(fixed)} cannot be changed when a record is extended; {record} fixes them")
