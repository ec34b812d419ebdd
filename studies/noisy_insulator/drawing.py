"""What the figures share: their options, the sweeps behind them, their titles and files."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from presets import PRESETS, SITE, Curves, Preset

from tnness.engines.gaussian import Gaussian
from tnness.study import scripts
from tnness.study.collect import collect
from tnness.study.scripts import StoreOption, WorkersOption
from tnness.study.sweep import sweep

__all__ = ["StoreOption", "WorkersOption"]

FIGURES = Path(__file__).parent / "figures"
STORE = Path("runs") / "noisy_insulator"
SEED = 2022

PresetOption = scripts.preset_option(PRESETS)


def preset_named(name: str) -> Preset:
    """A preset, or a clear refusal."""
    return scripts.preset_named(PRESETS, name)


def averaged(curves: Curves, variable: str, store: Path, workers: int, engine: Any = None, **fixed: Any) -> xr.Dataset:
    """Mean and standard error over the disorder of one observable: (n, disorder, time).

    The disorder of a point belongs to its n, W and realisation; it is the same whatever the engine.
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
    return table.assign_attrs(about, growth=curves.growth)


def over_disorder(values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Mean and standard error over the realisations; NaN for one."""
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


def tell_slopes(table: xr.Dataset, unit: str) -> None:
    """Print how fast the curves of different W grow."""
    start, stop = table.attrs["growth"]
    for w in table["disorder"].values:
        here = table.sel(disorder=w).isel(n=0)
        told = f"{float(here['slope']):.3f} +- {float(here['slope_error']):.3f} {unit} per unit of ln t"
        print(f"W = {w:g}: {told}, {start:g} <= t <= {stop:g}")
        pairs = zip(here["decade_slope"].values, here["decade_slope_error"].values, strict=True)
        slopes = [f"{slope:.3f}({error:.3f})" for slope, error in pairs]
        print(f"   by decade from t = {float(here['decade'][0]):g} on: {', '.join(slopes)}")


def draw_curves(axes, table: xr.Dataset, along: str, label: str) -> None:
    """One curve with its band of standard errors for each value on the axis `along`."""
    other = "n" if along == "disorder" else "disorder"
    for number, value in enumerate(table[along].values):
        here = table.sel({along: value}).isel({other: 0})
        axes.plot(here["time"], here["value"], color=f"C{number}", lw=1.2, label=f"{label} = {value:g}")
        low, high = here["value"] - here["error"], here["value"] + here["error"]
        axes.fill_between(here["time"], low, high, color=f"C{number}", alpha=0.2, lw=0)
    axes.set_xscale("log")
    axes.set_xlabel("t")
    axes.legend(fontsize=7)


def title(figure: Figure, what: str, name: str) -> None:
    """Say in the figure what was computed and how."""
    figure.suptitle(f"{name} preset: {what}", fontsize=8)


def save(figure: Figure, tables: dict[str, xr.Dataset], name: str, preset: str, folder: Path = FIGURES) -> Path:
    """Write the figure, and each table behind it; return the figure's path."""
    return scripts.save(
        figure, {part: table.astype(np.float32) for part, table in tables.items()}, folder / f"{name}_{preset}"
    )
