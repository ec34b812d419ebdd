"""Memory loss (App. B): two initial states under one and the same circuit, and their distance in time."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from presets import PRESETS, Preset

from tnness.engines.gaussian import Gaussian
from tnness.records.style import canvas, headline, lettered
from tnness.study.point import Setting
from tnness.study.scripts import script, swept

STARTS = ("full", "neel")
SPAN, COUNT = 6.0, 25
"""Times go to that many decay times of the slowest mode of the density."""
ROUNDING, FLOOR = 1e-12, 1e-3
"""Distances below which two states are equal, and below which nothing is drawn."""


def rate(n: int) -> float:
    """Decay rate of the slowest mode of the average density."""
    return float(1 - np.cos(np.pi / (n + 1)))


def times(n: int) -> np.ndarray:
    """When the two states are compared."""
    return np.linspace(0, SPAN, COUNT) / rate(n)


def distances(setting: Setting) -> xr.Dataset:
    """Distance of two states that the same gates act on.

    Largest singular value of the difference of G, or half the trace norm of that of the density matrices.
    """
    engine, found = setting.engine, []
    gaussian = isinstance(engine, Gaussian)
    for start in STARTS:
        model = replace(setting.model, initial=start)
        at = times(model.n).tolist()
        initial = model.initial_state(engine.name)
        views = engine.solve(model.problem(), initial=initial, times=at, seed=setting.seed).views
        found.append([v.correlation if gaussian else v.marginal(range(model.n)) for _, v in views])
    levels = np.abs(np.linalg.eigvalsh(np.array(found[0]) - np.array(found[1])))  # (time, level)
    return xr.Dataset({"distance": ("moment", levels.max(axis=1) if gaussian else levels.sum(axis=1) / 2)})


def data(preset: Preset, store: Path, workers: int = 0) -> xr.Dataset:
    """Distances, mean and error over circuits: Gaussian by length, density matrices by gates."""
    memory = preset.memory

    def over_circuits(gates: tuple[float, float], n: int, engine: str) -> xr.DataArray:
        place = store / f"memory_{engine}_p2={gates[1]:g}_span={SPAN:g}"
        about = {"p2": gates[1]}
        grid = {"p1": (gates[0],), "n": (n,)}
        found = swept(
            "random-circuit",
            grid,
            place,
            parameters=about,
            realizations=memory.realizations,
            engine=engine,
            measure=distances,
            workers=workers,
        )
        values = found["distance"].isel(p1=0, n=0, drop=True)
        error = values.std("realization", ddof=1) / np.sqrt(memory.realizations)
        return xr.concat([values.mean("realization"), error], "stat", coords="minimal")

    table = xr.Dataset(
        {
            "gaussian": xr.concat([over_circuits((1.0, 0.0), n, "gaussian") for n in memory.gaussian], "n"),
            "dense": xr.concat([over_circuits(gates, memory.dense, "exact") for gates in memory.gates], "gates"),
        }
    )
    names = [f"p1 = {p1:g}, p2 = {p2:g}" for p1, p2 in memory.gates]
    at = {"n": list(memory.gaussian), "gates": names, "stat": ["mean", "error"], "moment": np.linspace(0, SPAN, COUNT)}
    about = {"dense": memory.dense, "realizations": memory.realizations}
    return table.assign_coords(at).assign_attrs(about)


def slope(values: np.ndarray, at: np.ndarray) -> float:
    """Decay rate of the values over the later half of the times, those that are not 0."""
    late = (at >= at[-1] / 2) & (values > ROUNDING)
    return float(-np.polyfit(at[late], np.log(values[late]), 1)[0]) if late.sum() > 2 else np.nan


def draw(table: xr.Dataset) -> Figure:
    """Both distances against time, in decay times of the density's slowest mode."""
    figure, panels = canvas(1, 2, sharey=True)
    at = table["moment"].values
    for axes, name, along in zip(panels, ("gaussian", "dense"), ("n", "gates"), strict=True):
        for number, label in enumerate(table[along].values):
            mean, error = (table[name].sel({along: label, "stat": k}).values for k in ("mean", "error"))
            told = f"L = {label}" if along == "n" else re.sub(r"p([12])", r"$p_\1$", str(label))
            there = mean > ROUNDING  # two states that have become one have no logarithm of their distance
            axes.semilogy(at[there], mean[there], "o-", ms=3, lw=0.8, color=f"C{number}", label=told)
            low, high = np.maximum(mean - error, FLOOR)[there], (mean + error)[there]
            axes.fill_between(at[there], low, high, color=f"C{number}", alpha=0.2, lw=0)
        axes.semilogy(at, np.exp(-at), "k--", lw=0.8, label="the density's slowest mode")
        axes.set_ylim(FLOOR, 8)
        axes.set_xlabel(r"$t\,(1 - \cos\frac{\pi}{L+1})$")
        axes.legend(loc="upper right")
    panels[0].set_ylabel("mean distance")
    panels[1].yaxis.set_tick_params(labelleft=True)
    one, other = r"$\|G_1 - G_2\|$, $p_1 = 1$, $p_2 = 0$", r"$\frac{1}{2}\,\|\rho_1 - \rho_2\|_1$"
    lettered(panels, (one, rf"{other}, L = {table.attrs['dense']}"))
    count = table.attrs["realizations"]
    what = rf"all up and Néel state under the same circuit, $\delta$ = 1; {count} circuits each"
    headline(figure, f"{table.attrs['preset']} preset: {what}; curves end where the states are equal")
    return figure


def tell(table: xr.Dataset) -> str:
    """The decay rates."""
    lines = []
    for name, along in (("gaussian", "n"), ("dense", "gates")):
        for label in table[along].values:
            found = slope(table[name].sel({along: label, "stat": "mean"}).values, table["moment"].values)
            lines.append(f"{name}, {label}: decays at {found:.3f} of the slowest mode's rate")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
