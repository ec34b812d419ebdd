"""`run` and `converge`: one steady state or time evolution, and its convergence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tnness import model as modelling
from tnness import registry
from tnness.checkpoint import CHECKPOINT_EVERY
from tnness.cli.app import app
from tnness.cli.options import (
    Accelerate,
    Block,
    Bracket,
    Chi,
    Cutoff,
    Dt,
    Dtype,
    Every,
    MaxTime,
    Method,
    Order,
    Out,
    Overwrite,
    Parameters,
    Power,
    Quiet,
    Schedule,
    Seed,
    Setting,
    Time,
    Tolerance,
    engine_settings,
    integers,
    numbers,
    parameters,
    times,
)
from tnness.cli.shown import report, say
from tnness.engines.tebd import TEBD
from tnness.errors import InputError
from tnness.job import TOLERANCE, engine_for
from tnness.record import Record
from tnness.solve import Changes, evolve, extend, steady_state


@app.command()
def run(
    model: Annotated[
        str, typer.Argument(metavar="MODEL|OLD.nc", help="A model, file.py:Class, or a record to extend.")
    ],
    param: Parameters = None,
    engine: Annotated[str | None, typer.Option(help="Engine; default: the model's first.")] = None,
    chi: Chi = None,
    dt: Dt = None,
    order: Order = None,
    method: Method = None,
    cutoff: Cutoff = None,
    power: Power = None,
    schedule: Schedule = None,
    dtype: Dtype = None,
    block: Block = None,
    accelerate: Accelerate = False,
    bracket: Bracket = False,
    setting: Setting = None,
    seed: Seed = None,
    initial: Annotated[
        str | None, typer.Option(help="identity, thermal:BETA, product:01*..., ground:N, or a record.")
    ] = None,
    time: Time = None,
    tol: Tolerance = None,
    max_time: MaxTime = None,
    out: Out = None,
    overwrite: Overwrite = False,
    checkpoint_every: Every = CHECKPOINT_EVERY,
    quiet: Quiet = False,
) -> None:
    """Run one steady state, or a time evolution with --time; extend a record with OLD.nc."""
    named = {"chi": chi, "dt": dt, "order": order, "method": method, "cutoff": cutoff, "power": power, "dtype": dtype}
    named |= {"block": block, "accelerate": accelerate or None, "bracket": bracket or None}
    settings = engine_settings(named, schedule, setting)
    wanted = Changes(settings, _times(time), tol, max_time)
    writing = {"out": out, "overwrite": overwrite, "checkpoint_every": checkpoint_every, "progress": not quiet}
    if model.endswith((".nc", ".nc.part")):
        _refuse(model, {"--param": param, "--seed": seed, "--initial": initial, "--engine": engine})
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
        return steady_state(instance, tolerance=tolerance, max_time=wanted.max_time, **common)
    if wanted.tolerance is not None or wanted.max_time is not None:
        raise InputError("--tol and --max-time belong to a steady state, not to --time")
    return evolve(instance, wanted.times, **common)


@app.command("converge")
def converge_command(
    model: str,
    chi: Annotated[str, typer.Option(metavar="CHI,CHI,...", help="Bond dimensions.")],
    param: Parameters = None,
    dt: Annotated[str | None, typer.Option(metavar="DT,DT,...", help="Time steps.")] = None,
    order: Order = None,
    method: Method = None,
    cutoff: Cutoff = None,
    power: Power = None,
    dtype: Dtype = None,
    block: Block = None,
    accelerate: Accelerate = False,
    seed: Seed = None,
    tol: Tolerance = None,
    max_time: MaxTime = None,
    out: Out = None,
    overwrite: Overwrite = False,
    checkpoint_every: Every = CHECKPOINT_EVERY,
    quiet: Quiet = False,
) -> None:
    """Converge a steady state in bond dimension and time step: table, extrapolation, error bar, figure."""
    from tnness.study.converge import converge, table
    from tnness.study.figure import plot, refuse_record

    if out is None:
        raise InputError("converge needs --out FILE.nc, the record to write")
    refuse_record(out.with_suffix(".png"), out)
    instance = modelling.build(registry.find(model), parameters(param), model)
    settings = {"order": order, "method": method, "cutoff": cutoff, "power": power, "dtype": dtype, "block": block}
    engine = engine_for(instance, "tebd", **settings, accelerate=accelerate)
    assert isinstance(engine, TEBD)
    dataset = converge(
        instance,
        integers("--chi", chi) or (),
        numbers("--dt", dt) or (None,),
        engine=engine,
        seed=seed or 0,
        tolerance=TOLERANCE if tol is None else tol,
        max_time=max_time,
        out=out,
        overwrite=overwrite,
        checkpoint_every=checkpoint_every,
        progress=not quiet,
        name=registry.full_name(model),
    )
    figure = plot(out)
    if not quiet:
        say(f"{table(dataset)}\nrecord: {out}\nfigure: {figure}")


def _times(text: str | None) -> list[float] | None:
    return None if text is None else times(text)


def _initial(text: str | None) -> Any:
    if text is not None and text.endswith((".nc", ".nc.part")):
        return Record.open(text).state
    return text


def _refuse(record: str, given: Mapping[str, Any]) -> None:
    fixed = [option for option, value in given.items() if value is not None]
    if fixed:
        raise InputError(f"{', '.join(fixed)} cannot be changed when a record is extended; {record} fixes them")
