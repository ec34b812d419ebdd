"""The commands `sweep`, `status` and `collect`: compute all points of a grid, show the progress, write one table."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tnness.cli import options
from tnness.cli.app import app
from tnness.cli.fields import with_options
from tnness.cli.grouped import FILES, GRID, GroupedCommand
from tnness.cli.reading import axes, read_parameters
from tnness.cli.shown import fail, say
from tnness.engines.beyond.question import Question
from tnness.errors import InputError, RecordError
from tnness.model import registry
from tnness.records.answers import values_text
from tnness.records.files import require_folder
from tnness.records.record import Record

if TYPE_CHECKING:  # the commands import it only when they run
    from tnness.study.sweep import Summary


@app.command("sweep", cls=GroupedCommand)
@with_options(engine=options.SETTINGS, asked=options.JOB, question=options.QUESTION)
def sweep_command(
    model: options.Model,
    store: Annotated[
        Path, typer.Option("--store", metavar="FOLDER", help="the folder of the sweep", rich_help_panel=FILES)
    ],
    engine: options.Chosen,
    asked: options.Asked,
    question: Question | None,
    param: options.Parameters = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            metavar="NAME=V,V,...",
            help="an axis: a parameter or a setting of the engine (repeatable)",
            rich_help_panel=GRID,
        ),
    ] = None,
    realizations: Annotated[
        int, typer.Option(metavar="INTEGER", help="realizations of the disorder at each point", rich_help_panel=GRID)
    ] = 1,
    independent: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...", help="parameters; each of their values has its own disorder", rich_help_panel=GRID
        ),
    ] = None,
    measure: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.py:FUNCTION", help="a function that measures a point in its own way", rich_help_panel=GRID
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="INTEGER",
            help="processes on this machine (default: one per core; 0: none but this)",
            rich_help_panel=GRID,
        ),
    ] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS|slurm", help="a Dask scheduler instead", rich_help_panel=GRID)
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(metavar="K/M", help="only every M-th point from the K-th (0..M-1)", rich_help_panel=GRID),
    ] = None,
    keep_states: Annotated[
        bool, typer.Option("--keep-states", help="keep the final states", rich_help_panel=FILES)
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="compute failed points again", rich_help_panel=GRID)
    ] = False,
    known: Annotated[
        Path | None,
        typer.Option(
            "--known", metavar="TABLE", help="a collected table of this sweep to go on from", rich_help_panel=FILES
        ),
    ] = None,
    accept_old: options.AcceptOld = False,
    quiet: options.Quiet = False,
) -> None:
    """Compute every point of a grid that the store does not hold yet; run it again to continue or to add."""
    from tnness.study.plan import Plan
    from tnness.study.store import Store
    from tnness.study.sweep import Sweep, place_of

    if asked.names_record:
        raise InputError(f"--initial {asked.given['initial']}: a sweep starts from a state that is named, not a record")
    plan = Plan(
        model=model,
        parameters=read_parameters(param),
        grid=axes(grid),
        realizations=realizations,
        independent=tuple(independent.split(",")) if independent else (),
        engine=engine.build(registry.find(model)) if engine else None,
        ask=asked.ask,
        question=question,
        measure=measure,
    )
    summary = Sweep(
        plan,
        Store(store),
        place_of(workers, dask),
        _task(task) or (0, 1),
        retry_failed,
        shown=not quiet,
        keep_states=keep_states,
        accept_old=accept_old,
        known=known,
    ).run()
    _tell(summary, store, quiet)


def _tell(summary: Summary, store: Path, quiet: bool) -> None:
    """Say how a sweep ended; end with status 1 where points failed."""
    counts = f"{summary.done} of {summary.asked} points done"
    if summary.elsewhere:
        counts += f", {summary.elsewhere} being computed by another sweep"
    if not quiet:
        say("\n".join([*_answers(summary), f"{counts}, {summary.failed} failed", f"store: {summary.store}"]))
    if summary.failed:
        first = summary.failures[0].error
        fail(f"{summary.failed} of {summary.asked} points failed (tnness status {store}); the first: {first}", 1)


MOST_READ = 500
"""Most points of a sweep whose values are shown at its end: more would take seconds to read."""


def _answers(summary: Summary) -> list[str]:
    """Return the range of every observable over the sweep, and what may come next."""
    from tnness.study.collect import collect
    from tnness.study.sweep_figure import BESIDE

    if not summary.done:
        return []
    place = shlex.quote(str(summary.store))
    stem = shlex.quote(summary.store.resolve().name)
    lines = [
        f"next, one table            tnness collect {place} --out {stem}.nc",
        f"next, a page with figures  tnness report {place} --out {stem}.html",
    ]
    if summary.done > MOST_READ:
        return lines
    table = collect(summary.store, certificate=False).drop_vars(BESIDE, errors="ignore")
    return [*values_text(table), "", *lines]


@app.command("status")
def status_command(store: Path) -> None:
    """Say how a sweep stands: done, running, failed, missing, rate, expected end."""
    from tnness.study.status import status

    say(str(status(store)))


@app.command("verify")
def verify_command(
    path: Annotated[Path, typer.Argument(metavar="FILE|STORE", help="a record, a table, or the folder of a sweep")],
) -> None:
    """Verify that a file, or every point of a sweep, is as it was written: seals, keys and contents."""
    from tnness.study.verify import verify

    verdict = verify(path)
    if not verdict.sound:
        fail(verdict.text, 1)
    say(verdict.text)


@app.command("collect")
def collect_command(
    store: Path,
    out: Annotated[Path, typer.Option(help="the table to write")],
    observable: Annotated[
        list[str] | None, typer.Option("--observable", "-o", help="only this one (repeatable)")
    ] = None,
    no_certificate: Annotated[
        bool, typer.Option("--no-certificate", help="leave the certificates' figures out")
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
    Record(dataset).save(out, replace=overwrite)
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
