"""Fig. 10: the dynamical exponent against the size of the chain."""

from pathlib import Path

import ensemble
import numpy as np
import xarray as xr
from analysis import group, power_law_of
from matplotlib.figure import Figure
from presets import PRESETS, Preset
from words import choosing, engine_of, said_above

from tnness.records.style import GUIDE, canvas, dots
from tnness.study.scripts import script
from tnness.study.statistics import Resampled


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Local temperatures at every (n, h, eps, realization)."""
    dataset = ensemble.data(preset.sizes, store, workers)
    dataset.attrs |= {"fit_eps": preset.fit_eps}
    return dataset


def exponents(dataset: xr.Dataset, h: float) -> dict[int, Resampled]:
    """gamma = 1/2z at every size, with jackknife errors."""
    fits = {int(n): power_law_of(group(dataset, n=n, h=h), dataset.attrs["fit_eps"]) for n in dataset["n"].values}
    return {n: gamma for n, (_, gamma) in fits.items()}


def draw(dataset: xr.Dataset) -> Figure:
    """gamma = 1/2z against 1/N: unlike z it stays finite where the data are flat."""
    figure, (axes,) = canvas(1, 1)
    for number, h in enumerate(dataset["h"].values):
        found = exponents(dataset, h)
        inverse = np.array([1 / n for n in found]) * (1 + 0.01 * number)  # side by side
        values, errors = zip(*((gamma.value, gamma.error) for gamma in found.values()), strict=True)
        dots(axes, inverse, values, errors, fmt="os^D"[number % 4] + "-", color=f"C{number}", label=f"h = {h:g} J")
    for z, gamma in ((2, 0.25), (4, 0.125), (8, 0.0625), (np.inf, 0.0)):
        axes.axhline(gamma, **GUIDE)
        axes.text(0.002, gamma, f"z = {z}" if np.isfinite(z) else r"z = $\infty$", fontsize=7, va="bottom")
    axes.set(xlabel="$1/N$", ylabel=r"exponent $\gamma = 1/2z$ of $\delta\beta/\bar\beta \sim \epsilon^\gamma$")
    axes.set_xlim(left=0)
    axes.legend(loc="center left", bbox_to_anchor=(0.12, 0.7))
    said_above(figure, f"{describe(dataset)}, $\\epsilon \\leq$ {dataset.attrs['fit_eps']:g}", dataset)
    return figure


def describe(dataset: xr.Dataset) -> str:
    """Every size with its engine and its number of realizations."""
    parts = []
    for n in dataset["n"].values:
        here = group(dataset, n=n)
        chi = dataset["chi"].values[np.isfinite(dataset["mean"].sel(n=n)).any(["h", "eps", "realization"])][0]
        parts.append(f"{n} ({engine_of(chi)}, {here.sizes['realization']})")
    return f"N (realizations) = {', '.join(parts)}"


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, choose=choosing)
