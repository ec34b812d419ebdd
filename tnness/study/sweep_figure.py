"""Figures of collected sweeps: any observable against any axis, a curve per value of another, means with errors."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tnness.errors import InputError, suggestion
from tnness.records.drawing import bars
from tnness.records.lazily import lazily
from tnness.records.record import error_of, observables_in
from tnness.records.style import NORMAL, heading, label_of, name_axis, short_name, styled, title_of
from tnness.study.plan import REALIZATION
from tnness.typed import typed

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = lazily("xarray")


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SWEEP_PANEL = (4.6, 3.4)
MOST_PANELS = 4
"""Largest number of panels if no observable is named."""
BESIDE = ("status", "seed", "cpu_seconds")


@dataclass(frozen=True)
class Directions:
    """The axes of a figure.

    x: the axis along the abscissa; default: the observable's own first axis of more than one value, or the longest
        numeric axis of the grid.
    curves: the axis with one curve per value; default: the longest remaining axis. at: values on all other axes.
    logarithmic: "", "x", "y" or "xy".
    """

    x: str | None = None
    curves: str | None = None
    at: Mapping[str, Any] = field(default_factory=dict)
    logarithmic: str = ""


class TablePlots:
    """What `table.tnness` offers on the table of a sweep: figures."""

    def __init__(self, table: xr.Dataset) -> None:
        self._table = table

    @typed
    def plot(
        self,
        *names: str,
        x: str | None = None,
        curves: str | None = None,
        at: Mapping[str, Any] | None = None,
        logarithmic: str = "",
    ) -> Figure:
        """Return a matplotlib figure of means over the realizations, one panel per observable; a notebook shows it.

        Parameters
        ----------
        names: observables; default: the first four that are numbers. x: the axis along the abscissa; default: the
            observable's own, or the longest of the grid. curves: the axis with one curve per value. at: values on all
            other axes. logarithmic: "", "x", "y" or "xy".

        Raises
        ------
        InputError: the table is not one of `collect`, a name is not in it, or an axis without a value is left over.

        Examples
        --------
        >>> import tempfile
        >>> from tnness import collect, sweep
        >>> store = f"{tempfile.mkdtemp()}/store"
        >>> _ = sweep("ssep", {"n": [2, 3]}, store=store, engine="exact", workers=0)
        >>> figure = collect(store).tnness.plot("current", x="n")
        >>> figure.axes[0].get_xlabel()
        'n'
        """
        if "settings" not in self._table.attrs or "status" not in self._table:
            raise InputError("the dataset is no table of a sweep: one from collect is needed, with its attributes")
        if logarithmic not in ("", "x", "y", "xy"):
            raise InputError(f'logarithmic = {logarithmic!r}: "", "x", "y" or "xy" is needed')
        with styled():
            return sweep_panels(self._table, names, Directions(x, curves, at or {}, logarithmic))


@functools.cache
def register_plots() -> None:
    """Let xarray offer `table.tnness.plot()`. It is done where a table is made: xarray is loaded late."""
    xr.register_dataset_accessor("tnness")(TablePlots)


def sweep_panels(dataset: xr.Dataset, names: Sequence[str], shown: Directions) -> Figure:
    """Return the figure of a collected sweep, one panel per observable.

    Parameters
    ----------
    dataset: of `collect`. names: observables; default: the scalar ones. shown: the axes of the figure.
    """
    from matplotlib.figure import Figure

    chosen = _chosen(dataset, names)
    figure = Figure(figsize=(SWEEP_PANEL[0] * len(chosen), SWEEP_PANEL[1] + 0.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(chosen), squeeze=False)[0], chosen, strict=True):
        _draw(axes, dataset, name, shown)
    figure.suptitle(heading(sweep_caption(dataset, shown.at), SWEEP_PANEL[0] * len(chosen)), fontsize=NORMAL)
    return figure


def sweep_caption(dataset: xr.Dataset, at: Mapping[str, Any]) -> str:
    """Return the model, its short fixed parameters, the realizations, and the number of points of every status."""
    base = json.loads(dataset.attrs["settings"])
    short = [f"{k} = {v}" for k, v in base["parameters"].items() if isinstance(v, (int, float, str))]
    short += [f"{name} = {value}" for name, value in at.items()]
    tally = ", ".join(f"{count} {name}" for name, count in json.loads(dataset.attrs["tally"]).items())
    engine = ", ".join(f"{k} = {v}" for k, v in base["engine_settings"].items() if k in ("chi", "dt") and v is not None)
    first = f"{short_name(base['model'])}: {', '.join(short)}; {base['engine']} {engine}".rstrip()
    return f"{first}\n{dataset.sizes[REALIZATION]} realizations; points: {tally}"


def _chosen(dataset: xr.Dataset, names: Sequence[str]) -> list[str]:
    observables = [name for name in observables_in(dataset) if name not in BESIDE]
    for name in names:
        if name not in dataset.data_vars:
            raise InputError(f"the table holds no observable {name!r}{suggestion(name, observables)}")
    grid = dataset["status"].ndim
    scalars = [k for k in observables if dataset[k].ndim == grid]
    return list(names) or (scalars or observables)[:MOST_PANELS]


def _draw(axes: Axes, dataset: xr.Dataset, name: str, shown: Directions) -> None:
    data = _at(dataset[name], shown.at)
    x, curves = _directions(data, shown)
    mean, error, count = (_along(values, x, curves) for values in _average(data))
    claimed = _claimed(dataset, name, shown.at)
    claimed = None if claimed is None else _along(claimed, x, curves)
    for k in range(data.sizes[curves] if curves else 1):
        here = {curves: k} if curves else {}
        y, spread = (np.ravel(of.isel(here).values) for of in (mean, error))
        at = dataset[x].values if x in dataset.coords else np.arange(data.sizes[x])
        label = f"{curves} = {dataset[curves].values[k]}" if curves in dataset.coords else None
        (line,) = axes.plot(at, y, "o-", ms=3.5, lw=1, label=label)
        bars(axes, line, None if claimed is None else np.ravel(claimed.isel(here).values))
        axes.fill_between(at.astype(float), y - spread, y + spread, color=line.get_color(), alpha=0.25, lw=0)
    if curves:
        axes.legend()
    fewest, most = int(count.min()), int(count.max())
    name_axis(axes.xaxis, x)
    axes.set_ylabel(label_of(data, name))
    several = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    axes.set_title(f"{title_of(data, name)}\nmean of {several} values", fontsize=8)
    if "x" in shown.logarithmic:
        axes.set_xscale("log")
    if "y" in shown.logarithmic:
        axes.set_yscale("log")


def _claimed(dataset: xr.Dataset, name: str, at: Mapping[str, Any]) -> xr.DataArray | None:
    """Return the mean of what the realizations claim as their errors, 0 where it is not known; None where none is."""
    if error_of(name) not in dataset:
        return None
    errors = _at(dataset[error_of(name)], at)
    return errors.where(np.isfinite(errors)).mean(REALIZATION, skipna=True).fillna(0.0)


def _at(data: xr.DataArray, at: Mapping[str, Any]) -> xr.DataArray:
    """Return the data at fixed values of some axes."""
    for name, value in at.items():
        if name not in data.dims:
            continue
        labels = data[name].values if name in data.coords else np.arange(data.sizes[name])
        indices = np.flatnonzero(np.isclose(labels, value) if labels.dtype.kind in "fiu" else labels == str(value))
        if not indices.size:
            raise InputError(f"{name} = {value!r} is not on the grid: {', '.join(map(str, labels))}")
        index = int(indices[0])
        data = data.isel({name: [index] if name == REALIZATION else index})  # means are over this axis, also of one
    return data


def _along(data: xr.DataArray, x: str, curves: str | None) -> xr.DataArray:
    """Return the data over the axes that are drawn; every other one has a single value."""
    return data.isel({d: 0 for d in data.dims if d not in (x, curves)})


def _directions(data: xr.DataArray, shown: Directions) -> tuple[str, str | None]:
    """Return the axes of the abscissa and of the curves; all others have one value."""
    grid = [str(d) for d in data.dims if d != REALIZATION]
    for axis in (shown.x, shown.curves):
        if axis is not None and axis not in grid:
            raise InputError(f"there is no axis {axis!r} to draw along{suggestion(axis, grid)}")
    inner = [d for d in grid if d not in _grid_axes(data) and d != shown.curves and data.sizes[d] > 1]
    numeric = [d for d in grid if d in data.coords and data[d].dtype.kind in "fiu" and d != shown.curves]
    free = inner + sorted(numeric, key=lambda d: -data.sizes[d])
    if shown.x is None and not free:
        raise InputError(f"{data.name} has no axis of numbers to draw along: --x names one of {', '.join(grid)}")
    x = shown.x or free[0]
    left = [d for d in grid if d not in (x, shown.curves) and data.sizes[d] > 1]
    if shown.curves is not None or not left:
        curves = shown.curves
    else:
        curves = max(left, key=lambda d: data.sizes[d])
        left.remove(curves)
    if left:
        fixed = " ".join(f"--at {d}={data[d].values[0] if d in data.coords else 0}" for d in left)
        raise InputError(f"{data.name} depends on {', '.join(left)} too: fix them, for instance by {fixed}")
    return x, curves


def _grid_axes(data: xr.DataArray) -> list[str]:
    """Return the axes of the grid: those before `realization`."""
    dims = [str(d) for d in data.dims]
    return dims[: dims.index(REALIZATION)] if REALIZATION in dims else dims


def _average(data: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Return mean, standard error and number of the realizations that have a value."""
    count = data.notnull().sum(REALIZATION)
    mean = data.mean(REALIZATION, skipna=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = data.std(REALIZATION, skipna=True, ddof=0) / np.sqrt((count - 1).clip(min=1))
    return mean, error, count
