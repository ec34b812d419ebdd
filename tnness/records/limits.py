"""The figure of a convergence: how far an observable is from its limit, on a logarithmic axis.

Curves for several bond dimensions coincide where a chain converges; their distances from the limit do not. The limit is
a line in 1/chi through the last two points, so that their two distances have the ratio of their chi, whatever they are:
what tells are the points before them, and the size of the distances beside the error of the limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tnness.records.names import EXTRAPOLATED, error_of
from tnness.records.style import SMALL, symbol_of

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

CHI = r"$\chi$"


def draw_distances(axes: Axes, dataset: xr.Dataset, name: str) -> None:
    """Draw |O(chi) - O(infinity)| of an observable with the dimensions (dt, chi) or (dt, chi, x).

    A number is drawn against chi, a curve for each dt; an array along its axis, a curve for each chi at the smallest
    dt. The error that the limit claims is dashed. Without an extrapolation the largest chi stands for the limit.
    """
    data = dataset[name]
    limit, error, mark = _limit(dataset, name)
    apart = np.abs(data.values - limit)
    if data.ndim == 2:
        for i, dt in enumerate(dataset["dt"].values):
            axes.plot(dataset["chi"].values, _positive(apart[i]), "o-", label=f"d$t$ = {dt:.3g}")
        if error is not None and float(error) > 0:
            axes.axhline(float(error), ls="--", color="0.4", label="error of the limit")
        axes.set_title(f"{axes.get_title()}\n{_written(float(limit), error)}")
        axes.set_xscale("log", base=2)
        axes.set_xticks(dataset["chi"].values, [f"{chi:g}" for chi in dataset["chi"].values])
        axes.set_xlabel(f"bond dimension {CHI}")
    else:
        along = data.coords[data.dims[2]].values if data.dims[2] in data.coords else np.arange(data.shape[2])
        for j, chi in enumerate(dataset["chi"].values):
            axes.plot(along, _positive(apart[-1, j]), "o-", label=f"{CHI} = {chi:g}")
        if error is not None:
            axes.plot(along, _positive(error), "--", color="0.4", label="error of the limit")
    _finish(axes, symbol_of(data, name), _unit(data), mark)


ROOM = 0.5
"""Room for the legend below the curves, over the height of the curves."""


def _finish(axes: Axes, symbol: str, unit: str, mark: str) -> None:
    drawn = np.concatenate([np.asarray(line.get_ydata(), float) for line in axes.lines])
    drawn = drawn[np.isfinite(drawn)]
    if drawn.size:
        axes.set_yscale("log")
        lowest, highest = float(drawn.min()), float(drawn.max())
        height = max(highest / lowest, 2.0)
        axes.set_ylim(lowest / height**ROOM, highest * height**0.08)
    bare = symbol.strip("$")
    inner = bare if symbol.startswith("$") else rf"\mathrm{{{bare}}}".replace("_", r"\_")
    axes.set_ylabel(rf"$|{inner}(\chi) - {inner}({mark})|${unit}")
    axes.legend(fontsize=SMALL, loc="lower left", ncols=2)


def _limit(dataset: xr.Dataset, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, str]:
    """Return the limit, its error, and how its argument is written."""
    limit = f"{name}{EXTRAPOLATED}"
    if limit not in dataset:
        return dataset[name].values[-1, -1], None, r"\chi_{\max}"
    known = error_of(limit) in dataset
    return dataset[limit].values, dataset[error_of(limit)].values if known else None, r"\infty"


def _positive(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values with NaN in place of zeros, which no logarithmic axis shows."""
    return np.where(values > 0, values, np.nan)


def _written(value: float, error: NDArray[np.float64] | None) -> str:
    """Return a limit to the digits that its error leaves.

    >>> _written(-2.062643, np.array(0.0153)), _written(0.5, None)
    ('limit -2.063 ± 0.015', 'limit 0.5')
    """
    if error is None or not 0 < float(error) < np.inf:
        return f"limit {value:.6g}"
    digits = max(0, 1 - int(np.floor(np.log10(float(error)))))
    return f"limit {value:.{digits}f} ± {float(error):.{digits}f}"


def _unit(data: xr.DataArray) -> str:
    unit = str(data.attrs.get("units", "1"))
    return "" if unit == "1" else f" [{unit}]"
