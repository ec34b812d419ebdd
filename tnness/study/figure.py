"""Figures of records: one panel per observable, labelled with the model, its parameters and the outcome."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tnness.errors import InputError, RecordError, suggestion
from tnness.records.files import require_folder
from tnness.records.lazily import lazily
from tnness.records.limits import draw_distances
from tnness.records.record import Record, error_of, observables_in
from tnness.records.style import NORMAL, STYLE, heading, label_of, name_axis, short_name
from tnness.study.collect import is_table, open_table
from tnness.study.sweep_figure import Directions, bars, sweep_panels
from tnness.typed import typed

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = lazily("xarray")


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN_PARAMETERS = 8
PANEL = (4.2, 3.1)
LINES = 6
"""Most curves in one panel: of a time evolution, the times shown."""
TITLE = 40
"""Characters of a panel's title that fit on one line."""


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
    with matplotlib.rc_context(STYLE):
        if sweep:
            figure = sweep_panels(dataset, names, directions or Directions())
        else:
            figure = _panels(dataset, _chosen(dataset, Path(path), names))
    try:
        figure.savefig(target, dpi=130)
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


def _panels(dataset: xr.Dataset, chosen: Sequence[str]) -> Figure:
    from matplotlib.figure import Figure

    columns = min(3, len(chosen))
    rows = math.ceil(len(chosen) / columns)
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows + 0.7), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(panels, chosen, strict=False):
        _draw(axes, dataset, name)
    for axes in panels[len(chosen) :]:
        axes.set_axis_off()
    figure.suptitle(heading(caption(dataset), PANEL[0] * columns), fontsize=NORMAL)
    return figure


def refuse_record(target: Path, record: Path) -> None:
    """Refuse a figure that would be written over its record."""
    if target.resolve() == record.resolve():
        raise InputError(
            f"the figure would be written over the record {record}: give the record or the figure another name"
        )


def caption(dataset: xr.Dataset) -> str:
    """Return the model, its short parameters, the engine's settings, the seed and the outcome."""
    attributes = dataset.attrs
    parameters = json.loads(attributes.get("parameters", "{}"))
    short = [f"{k} = {v}" for k, v in parameters.items() if not isinstance(v, (list, dict)) and v is not None]
    settings = json.loads(attributes.get("settings", "{}")).get("engine_settings", {})
    engine = attributes.get("engine", "")
    if "chi" in settings and "chi" not in dataset.dims:
        engine += f", chi = {settings['chi']}"
    first = f"{short_name(str(attributes.get('model', '')))}: {', '.join(short[:SHOWN_PARAMETERS])}"
    return f"{first}\n{engine}, seed {attributes.get('seed')}, {attributes.get('outcome', '')}"


def _draw(axes: Axes, dataset: xr.Dataset, name: str) -> None:
    data, error = dataset[name], _errors(dataset, name)
    axes.set_title(textwrap.fill(str(data.attrs.get("long_name", name)), TITLE), fontsize=NORMAL)
    label = label_of(data, name)
    if "chi" in data.dims and data.ndim <= 3:
        draw_distances(axes, dataset, name)
        if data.ndim == 3:
            name_axis(axes.xaxis, str(data.dims[2]))
    elif "chi" in data.dims:
        _draw_map(axes, data[-1, -1], label)
    elif "time" in data.dims:
        _draw_evolution(axes, data, error, label)
    elif data.ndim == 0:
        text = f"{float(data):.8g}" + (f"\n± {float(error):.1e}" if error is not None else "")
        axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=14, transform=axes.transAxes)
        axes.set_xlabel(label)
        axes.set_xticks([])
        axes.set_yticks([])
    elif data.ndim == 1:
        _draw_bars(axes, _axis(data, 0), data.values, error, ms=3.5)
        name_axis(axes.xaxis, str(data.dims[0]))
        axes.set_ylabel(label)
    else:
        _draw_map(axes, data, label)


def _errors(dataset: xr.Dataset, name: str) -> NDArray[np.float64] | None:
    """Return the errors of an observable's elements; None where they are not known."""
    return dataset[error_of(name)].values if error_of(name) in dataset else None


def _draw_bars(axes: Axes, x: Any, y: NDArray[np.float64], error: NDArray[np.float64] | None, **style: Any) -> None:
    """Draw points with error bars; points without a finite error have none."""
    (line,) = axes.plot(x, y, **{"marker": "o", "lw": 1, **style})
    bars(axes, line, error)


def _draw_evolution(axes: Axes, data: xr.DataArray, error: NDArray[np.float64] | None, label: str) -> None:
    name_axis(axes.xaxis, "time")
    if data.ndim == 1:
        _draw_bars(axes, data["time"].values, data.values, error, ms=2.5)
        axes.set_ylabel(label)
    elif data.ndim == 2:
        shown = axes.pcolormesh(data["time"].values, _axis(data, 1), data.values.T, shading="nearest", cmap="viridis")
        name_axis(axes.yaxis, str(data.dims[1]))
        assert axes.figure is not None
        axes.figure.colorbar(shown, ax=axes, label=label)
    else:
        _draw_map(axes, data[-1], label)
        axes.set_title(f"{data.attrs.get('long_name', data.name)}, last time", fontsize=NORMAL)


def _draw_map(axes: Axes, data: xr.DataArray, label: str) -> None:
    values = data.values if data.ndim == 2 else data.values.reshape(len(data.values), -1)
    largest = float(np.max(np.abs(values[np.isfinite(values)]), initial=0.0)) or 1.0
    shown = axes.imshow(values, origin="lower", cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="auto")
    name_axis(axes.xaxis, str(data.dims[-1]))
    name_axis(axes.yaxis, str(data.dims[0]))
    assert axes.figure is not None
    axes.figure.colorbar(shown, ax=axes, label=label)


def _axis(data: xr.DataArray, axis: int) -> Any:
    dim = data.dims[axis]
    return data.coords[dim].values if dim in data.coords else np.arange(data.sizes[dim])
