"""Records as figures: one panel per observable, of a steady state, a time evolution or a convergence."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tnness.records.lazily import lazily
from tnness.records.limits import draw_distances
from tnness.records.names import error_of
from tnness.records.style import NORMAL, PER_INCH, heading, label_of, name_axis, short_name, title_of

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
else:
    xr = lazily("xarray")

SHOWN_PARAMETERS = 8
PANEL = (4.2, 3.1)
TITLE = 40
"""Characters of a panel's title that fit on one line."""
SITE_PAIRS = ("site", "site_2")
"""Dimensions of what is measured between two sites."""
SEPARATE = ("mode",)
"""Axes along which points are not joined."""
OPERATORS = ("first", "second")
"""Axes of two operators, whose correlation in time is a curve."""
MOST_CURVES = 9
"""Most curves in one panel."""


def panels(dataset: xr.Dataset, chosen: Sequence[str], title: bool = True) -> Figure:
    """Return the figure of a record, one panel per observable.

    Parameters
    ----------
    dataset: of the record. chosen: names of observables. title: whether the model, its parameters and the outcome stand
    above; default True.
    """
    from matplotlib.figure import Figure

    columns = min(3, len(chosen))
    rows = math.ceil(len(chosen) / columns)
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows + 0.7), layout="constrained")
    drawn = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(drawn, chosen, strict=False):
        _draw(axes, dataset, name)
    for axes in drawn[len(chosen) :]:
        axes.set_axis_off()
    if title:
        figure.suptitle(heading(caption(dataset), PANEL[0] * columns), fontsize=NORMAL)
    return figure


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
    axes.set_title(heading(title_of(data, name), TITLE / PER_INCH), fontsize=NORMAL)
    asked = json.loads(dataset.attrs.get("settings", "{}")).get("question")
    data = data if asked is None else data.assign_attrs(question=json.dumps(asked))
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
        from matplotlib.ticker import MaxNLocator

        apart = {"lw": 0} if data.dims[0] in SEPARATE else {}
        _draw_bars(axes, _axis(data, 0), data.values, error, ms=3.5, **apart)
        name_axis(axes.xaxis, str(data.dims[0]))
        if data.dims[0] not in data.coords:
            axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
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
    elif data.dims[1:] == OPERATORS and data[0].size <= MOST_CURVES:
        _draw_pairs(axes, data, error, label)
    else:
        _draw_map(axes, data[-1], label)
        axes.set_title(f"{title_of(data, str(data.name))}, last time", fontsize=NORMAL)


def _draw_pairs(axes: Axes, data: xr.DataArray, error: NDArray[np.float64] | None, label: str) -> None:
    """Draw one curve in time for each pair of operators."""
    question = json.loads(data.attrs.get("question", "{}"))
    first, second = (question.get(name, range(data.sizes[name])) for name in OPERATORS)
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            own = None if error is None else error[:, i, j]
            _draw_bars(axes, data["time"].values, data.values[:, i, j], own, ms=2.5, label=f"{a}, {b}")
    axes.set_ylabel(label)
    axes.legend(fontsize="small", title="A, B")


def _draw_map(axes: Axes, data: xr.DataArray, label: str) -> None:
    """Draw a matrix in colours. Between pairs of sites they span what is off the diagonal, which may be far larger."""
    values = data.values if data.ndim == 2 else data.values.reshape(len(data.values), -1)
    scaled = values
    if tuple(data.dims) == SITE_PAIRS and len(values) > 1:
        scaled = values[~np.eye(len(values), dtype=bool)]
    largest, whole = (float(np.max(np.abs(v[np.isfinite(v)]), initial=0.0)) for v in (scaled, values))
    largest = largest or whole or 1.0
    shown = axes.imshow(values, origin="lower", cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="auto")
    name_axis(axes.xaxis, str(data.dims[-1]))
    name_axis(axes.yaxis, str(data.dims[0]))
    assert axes.figure is not None
    axes.figure.colorbar(shown, ax=axes, label=label, extend="both" if whole > largest else "neither")


def _axis(data: xr.DataArray, axis: int) -> Any:
    dim = data.dims[axis]
    return data.coords[dim].values if dim in data.coords else np.arange(data.sizes[dim])


def bars(axes: Axes, line: Line2D, error: NDArray[np.float64] | None) -> None:
    """Draw error bars on the points of a line, where errors are known and larger than 0."""
    finite = np.zeros(0) if error is None else np.where(np.isfinite(error), np.abs(error), 0.0)
    if np.any(finite > 0):
        x, y = line.get_data()
        axes.errorbar(x, y, yerr=finite, fmt="none", ecolor=line.get_color(), elinewidth=1, capsize=2)
