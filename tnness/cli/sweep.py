"""`sweep`, `status`, `collect`: every point of a grid and every realization, kept in a store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tnness import registry
from tnness.cli import options
from tnness.cli.app import app
from tnness.cli.reading import axes, engine_settings, parameters, wanted_times
from tnness.cli.shown import fail, say
from tnness.engines.ask import TOLERANCE
from tnness.errors import InputError, RecordError
from tnness.records.files import require_folder
from tnness.records.record import Record
from tnness.runs.job import engine_for

StoreOption = Annotated[Path, typer.Option("--store", help="The folder of the sweep.")]
Grid = Annotated[
    list[str] | None,
    typer.Option(
        "--grid", metavar="NAME=V,V,...", help="An axis: a parameter or a setting of the engine (repeatable)."
    ),
]


@app.command("sweep")
def sweep_command(
    model: str,
    store: StoreOption,
    param: options.Parameters = None,
    grid: Grid = None,
    realizations: Annotated[int, typer.Option(help="Realizations of the disorder at each point.")] = 1,
    independent: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Parameters whose values have each their own disorder.")
    ] = None,
    seed: options.Seed = None,
    engine: options.EngineName = None,
    chi: options.Chi = None,
    dt: options.Dt = None,
    order: options.Order = None,
    method: options.Method = None,
    cutoff: options.Cutoff = None,
    power: options.Power = None,
    schedule: options.Schedule = None,
    dtype: options.Dtype = None,
    accelerate: options.Accelerate = None,
    setting: options.Setting = None,
    initial: Annotated[str | None, typer.Option(help="identity, thermal:BETA, product:0101...")] = None,
    time: options.Time = None,
    tol: options.Tolerance = None,
    watch: options.Watch = None,
    max_time: Annotated[float | None, typer.Option(help="Evolution time after which a point is given up.")] = None,
    measure: Annotated[
        str | None, typer.Option(metavar="FILE.py:FUNCTION", help="A function that measures a point in its own way.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes on this machine (default: one per core; 0: none but this).")
    ] = None,
    dask: Annotated[str | None, typer.Option(metavar="ADDRESS|slurm", help="A Dask scheduler instead.")] = None,
    task: Annotated[
        str | None, typer.Option(metavar="K/M", help="Only every M-th point from the K-th (0..M-1).")
    ] = None,
    keep_states: Annotated[bool, typer.Option("--keep-states", help="Keep the final states.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Compute again what failed.")] = False,
    quiet: options.Quiet = False,
) -> None:
    """Compute every point of a grid that the store does not hold yet; run it again to continue or to add."""
    from tnness.study.sweep import sweep

    named = {"chi": chi, "dt": dt, "order": order, "method": method, "cutoff": cutoff, "power": power, "dtype": dtype}
    known = engine_settings(named, schedule, setting)
    engine = "accelerated" if accelerate else engine
    summary = sweep(
        model,
        axes(grid),
        store=store,
        parameters=parameters(param),
        realizations=realizations,
        independent=tuple(independent.split(",")) if independent else (),
        seed=seed or 0,
        engine=engine_for(registry.find(model), engine, **known) if engine or known else None,
        times=wanted_times(time, tol, max_time, watch),
        tolerance=TOLERANCE if tol is None else tol,
        max_time=max_time,
        watch=watch or (),
        initial=initial,
        measure=measure,
        workers=workers,
        dask=dask,
        task=_task(task),
        keep_states=keep_states,
        retry_failed=retry_failed,
        progress=not quiet,
    )
    told = f"{summary.done} of {summary.asked} points done"
    if summary.elsewhere:
        told += f", {summary.elsewhere} being computed by another sweep"
    if not quiet:
        say(f"{told}, {summary.failed} failed\nstore: {summary.store}")
    if summary.failed:
        first = summary.failures[0].error
        fail(f"{summary.failed} of {summary.asked} points failed (tnness status {store}); the first: {first}", 1)


@app.command("status")
def status_command(store: Path) -> None:
    """Say how a sweep stands: done, running, failed, missing, rate, expected end."""
    from tnness.study.status import status

    say(str(status(store)))


@app.command("collect")
def collect_command(
    store: Path,
    out: Annotated[Path, typer.Option(help="The table to write.")],
    observable: Annotated[
        list[str] | None, typer.Option("--observable", "-o", help="Only this one (repeatable).")
    ] = None,
    no_certificate: Annotated[
        bool, typer.Option("--no-certificate", help="Leave the certificates' figures out.")
    ] = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Write all points of a sweep as one table: the grid and `realization` are dimensions, missing points are NaN."""
    from tnness.study.collect import collect

    require_folder(out)
    if out.exists() and not overwrite:
        raise RecordError(f"{out} exists already; give --overwrite to replace it, or another --out")
    dataset = collect(store, variables=observable, certificate=not no_certificate, progress=not quiet)
    Record(dataset).save(out)
    damaged = dataset.attrs["damaged"]
    if not quiet:
        counts = ", ".join(f"{count} {name}" for name, count in json.loads(dataset.attrs["tally"]).items())
        say(f"{counts}\ntable: {out}")
    if damaged:
        fail(f"damaged records are left out (run the sweep again to compute them): {damaged}", 1)


def _task(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, _, step = text.partition("/")
    if not (first.isascii() and first.isdigit() and step.isascii() and step.isdigit()):
        raise InputError(f"--task {text}: K/M with K from 0 to M - 1 is needed")
    return int(first), int(step)
