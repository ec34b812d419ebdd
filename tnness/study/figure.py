"""Figures of records: one panel per observable, labelled with the model, its parameters and the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tnness.errors import InputError, RecordError, suggestion
from tnness.records.drawing import panels
from tnness.records.files import require_folder
from tnness.records.lazily import lazily
from tnness.records.record import Record, observables_in
from tnness.records.style import PIXELS_PER_INCH, styled
from tnness.study.collect import is_table, open_table
from tnness.study.sweep_figure import Directions, sweep_panels
from tnness.typed import typed

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = lazily("xarray")


@typed
def plot(
    path: str | Path,
    out: str | Path | None = None,
    names: Sequence[str] = (),
    directions: Directions | None = None,
) -> Path:
    """Draw a record (steady state, time evolution, convergence) or a collected sweep, and return the figure's path.

    Parameters
    ----------
    path: the record. out: the figure; default: the record's name with .png. names: observables; default: all.
    directions: axes of the figure of a sweep.
    """
    import matplotlib

    matplotlib.use("Agg")
    if Path(path).is_dir():
        raise InputError(
            f"{path} is a folder; the store of a sweep is collected first: tnness collect {path} --out T.nc"
        )
    sweep = is_table(path)
    if directions is not None and not sweep:
        raise InputError(f"{path} is no collected sweep: its axes are fixed")
    dataset = open_table(path) if sweep else Record.open(path).dataset
    target = Path(out) if out is not None else Path(path).with_suffix(".png")
    refuse_record(target, Path(path))
    require_folder(target)
    with styled():
        if sweep:
            figure = sweep_panels(dataset, names, directions or Directions())
        else:
            figure = panels(dataset, _chosen(dataset, Path(path), names))
    try:
        figure.savefig(target, dpi=PIXELS_PER_INCH)
    except (OSError, ValueError) as error:
        raise InputError(f"the figure {target} could not be written: {error}") from error
    return target


def _chosen(dataset: xr.Dataset, path: Path, names: Sequence[str]) -> list[str]:
    """Return the observables to draw: those named, or all."""
    observables = observables_in(dataset)
    for name in names:
        if name not in observables:
            raise InputError(f"{path} holds no observable {name!r}{suggestion(name, observables)}")
    if not observables:
        raise RecordError(f"{path} holds no observables to draw")
    return list(names) or observables


def refuse_record(target: Path, record: Path) -> None:
    """Refuse a figure that would be written over its record."""
    if target.resolve() == record.resolve():
        raise InputError(
            f"the figure would be written over the record {record}: give the record or the figure another name"
        )
