"""`plot`: a record as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tnness.cli.app import app
from tnness.cli.reading import pairs_of
from tnness.cli.shown import say
from tnness.errors import InputError


@app.command("plot")
def plot_command(
    record: Path,
    out: Annotated[Path | None, typer.Option(help="the figure; default: the record's name with .png")] = None,
    observable: Annotated[
        list[str] | None, typer.Option("--observable", "-o", help="only this one (repeatable)")
    ] = None,
    x: Annotated[
        str | None, typer.Option("--x", metavar="AXIS", help="of a sweep: the axis along the abscissa")
    ] = None,
    curves: Annotated[str | None, typer.Option(metavar="AXIS", help="of a sweep: one curve per value of it")] = None,
    at: Annotated[
        list[str] | None, typer.Option(metavar="AXIS=VALUE", help="of a sweep: the value of an axis (repeatable)")
    ] = None,
    log: Annotated[str, typer.Option(metavar="x|y|xy", help="of a sweep: logarithmic axes")] = "",
) -> None:
    """Draw a record (a steady state, a time evolution, a convergence) or a collected sweep."""
    from tnness.study.figure import plot
    from tnness.study.sweep_figure import Directions

    if log not in ("", "x", "y", "xy"):
        raise InputError(f"--log {log}: x, y or xy is needed")
    asked = x is not None or curves is not None or bool(at) or bool(log)
    directions = Directions(x, curves, pairs_of("--at", at), log) if asked else None
    say(f"figure: {plot(record, out, observable or (), directions)}")
