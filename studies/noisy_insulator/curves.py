"""The curves of the figures: averages over the disorder, how fast they grow, and how they are drawn."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from presets import SITE, Curves

from tnness.engines.gaussian import Gaussian
from tnness.records.style import ribbon
from tnness.study.collect import collect
from tnness.study.sweep import sweep

SEED = 2022
UNITS = r"$J = \gamma = 1$"
"""The paper's units, for a figure's title."""


def averaged(curves: Curves, variable: str, store: Path, workers: int, engine: Any = None, **fixed: Any) -> xr.Dataset:
    """Mean and standard error over the disorder of one observable: (n, disorder, time).

    The disorder of a point belongs to its n, W and realization; it is the same whatever the engine.
    """
    chosen = engine or Gaussian(tolerance=curves.tolerance)
    place = store / curves.folder(chosen.name, **fixed)  # figures that need the same runs share them
    sweep(
        "noisy-anderson",
        {"n": curves.n, "disorder": curves.disorder},
        store=place,
        parameters=SITE | fixed,
        realizations=curves.realizations,
        independent=("n", "disorder"),
        seed=SEED,
        engine=chosen,
        times=curves.times,
        workers=workers,
        progress=True,
    )
    values = collect(place, variables=[variable], certificate=False)[variable]
    mean, error = over_disorder(values)
    slope, slope_error = over_disorder(log_slope(values, *curves.growth))
    table = xr.Dataset({"value": mean, "error": error, "slope": slope, "slope_error": slope_error})
    table["decade_slope"], table["decade_slope_error"] = over_disorder(decade_slopes(values))
    about = {"realizations": curves.realizations, "noises": curves.noises, "variable": variable}
    return table.astype(np.float32).assign_attrs(about, growth=curves.growth)


def over_disorder(values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Mean and standard error over the realizations; NaN for one."""
    count = values.sizes["realization"]
    if count == 1:
        return values.isel(realization=0, drop=True), np.nan * values.isel(realization=0, drop=True)
    return values.mean("realization"), values.std("realization", ddof=1) / np.sqrt(count)


def log_slope(values: xr.DataArray, start: float, stop: float) -> xr.DataArray:
    """d value / d ln t of a straight line through the points from start to stop, by least squares."""
    part = values.sel(time=slice(0.999 * start, 1.001 * stop))
    logs = np.log(part["time"]) - np.log(part["time"]).mean()
    return (part * logs).sum("time") / (logs**2).sum()


def decade_slopes(values: xr.DataArray) -> xr.DataArray:
    """d value / d ln t over each whole decade of the times; `decade` is where it begins."""
    times = values["time"].values
    first, last = np.ceil(np.log10(times[0]) - 1e-9), np.floor(np.log10(times[-1]) + 1e-9)
    edges = 10.0 ** np.arange(first, last + 1)
    there = values.assign_coords(time=np.log(times)).interp(time=np.log(edges), kwargs={"fill_value": "extrapolate"})
    return there.diff("time").rename(time="decade").assign_coords(decade=edges[:-1]) / np.log(10)


def told_slopes(table: xr.Dataset, unit: str) -> str:
    """How fast the curves of different W grow."""
    (start, stop), lines = table.attrs["growth"], []
    for w in table["disorder"].values:
        here = table.sel(disorder=w).isel(n=0)
        told = f"{float(here['slope']):.3f} +- {float(here['slope_error']):.3f} {unit} per unit of ln t"
        lines.append(f"W = {w:g}: {told}, {start:g} <= t <= {stop:g}")
        if "decade_slope" in here:
            pairs = zip(here["decade_slope"].values, here["decade_slope_error"].values, strict=True)
            slopes = ", ".join(f"{slope:.3f}({error:.3f})" for slope, error in pairs)
            lines.append(f"   by decade from t = {float(here['decade'][0]):g} on: {slopes}")
    return "\n".join(lines)


def draw_curves(axes: Axes, table: xr.Dataset, along: str, label: str) -> None:
    """One curve with its band of standard errors for each value on the axis `along`."""
    other = "n" if along == "disorder" else "disorder"
    for number, value in enumerate(table[along].values):
        here = table.sel({along: value}).isel({other: 0})
        ribbon(axes, here["time"], here["value"], here["error"], color=f"C{number}", label=f"{label} = {value:g}")
    axes.set(xscale="log", xlabel=r"time $t$ [$1/J$]")
    axes.legend(loc="upper left")


def counted(tables: dict[str, xr.Dataset], *parts: str) -> str:
    """The realizations of the disorder in the panels (a), (b), ..., in words."""
    counts = [int(tables[part].attrs["realizations"]) for part in parts]
    if len(set(counts)) == 1:
        return f"{counts[0]} realizations of the disorder"
    told = ", ".join(f"({letter}) {count}" for letter, count in zip("abc", counts, strict=False))
    return f"realizations of the disorder: {told}"
