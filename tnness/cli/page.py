"""`report`: a record, a table or a sweep as one page."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from tnness.cli import options
from tnness.cli.app import app
from tnness.cli.shown import say
from tnness.errors import InputError

FOLLOW = 10
"""Seconds between two pages of a sweep that is followed."""


@app.command("report")
def report_command(
    path: Annotated[Path, typer.Argument(metavar="FILE.nc|STORE", help="a record, a table, or the folder of a sweep")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="the page; default: the name of what it reports")
    ] = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", help=f"of a sweep: write it every {FOLLOW} s until all points are done"),
    ] = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Write a page: figures, values with errors, the certificate explained, and the command that repeats the run."""
    from tnness.study.report import report
    from tnness.study.status import status

    if out is None and not path.resolve().name:
        raise InputError(f"{path} has no name that a page could take: give --out PAGE.html")
    target = out or path.resolve().with_suffix(".html")
    if follow and not path.is_dir():
        raise InputError(f"--follow: {path} is no folder of a sweep; a record does not change")
    say(f"report: {report(path, target, overwrite=overwrite, refresh=FOLLOW if follow else 0)}")
    while follow:
        progress = status(path)
        over = not progress.missing and not progress.running
        if not over:
            time.sleep(FOLLOW)
        report(path, target, overwrite=True, refresh=0 if over else FOLLOW)
        follow = not over
