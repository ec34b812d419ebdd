"""What the figures say above them, and the options that their scripts share."""

from typing import Annotated

import typer
import xarray as xr
from ensemble import tally
from matplotlib.figure import Figure
from presets import Preset

from tnness.records.style import headline


def choosing(
    preset: Preset,
    *,
    drive: Annotated[
        str, typer.Option("--drive", help="the jumps of a bond: correlated, singlet, literal or one-sided")
    ] = "correlated",
    field_weight: Annotated[
        float, typer.Option("--field-weight", help="share of a bulk field in a bond's energy: 1 or 0.5")
    ] = 1.0,
) -> Preset:
    """A preset with the choices made."""
    return preset.choosing(drive, field_weight)


def engine_of(chi: int) -> str:
    """How an engine is called in a title."""
    return "exact" if chi == 0 else rf"TEBD, $\chi$ = {chi}"


def said_above(figure: Figure, what: str, table: xr.Dataset) -> None:
    """Say in the figure what was computed, how, and how many points there are."""
    choice = f"{table.attrs['drive']} jumps, weight of a field {table.attrs['field_weight']:g}"
    counts = f"; {tally(table)}" if "status" in table else ""
    headline(figure, f"{table.attrs['preset']} preset: {what}\n{choice}{counts}")
