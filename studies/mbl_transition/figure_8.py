"""Fig. 8: how the averaged variation changes with the bond dimension."""

from pathlib import Path

import ensemble
import numpy as np
import xarray as xr
from analysis import group
from matplotlib.figure import Figure
from presets import PRESETS, Preset
from words import choosing, said_above

from tnness.records.style import GUIDE, canvas, dots
from tnness.study.converge import extrapolate
from tnness.study.scripts import script
from tnness.study.statistics import Resampled, jackknife, ratio_of_averages


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Local temperatures of the same realizations at every (eps, chi)."""
    dataset = ensemble.data((preset.truncation,), store, workers)
    dataset.attrs |= {"baseline": preset.baseline, "tolerance": preset.truncation.tolerance}
    return dataset


def changes(dataset: xr.Dataset, eps: float) -> Resampled:
    """O(chi)/O(baseline) - 1 for every chi, O the averaged variation, with jackknife errors."""
    here = group(dataset, eps=eps).transpose("realization", "chi")
    baseline = here["chi"].values.tolist().index(dataset.attrs["baseline"])

    def relative(variance: np.ndarray, mean: np.ndarray) -> np.ndarray:
        averaged = ratio_of_averages(variance, mean)
        return averaged / averaged[baseline] - 1

    return jackknife(relative, here["variance"].values, here["mean"].values)


def draw(dataset: xr.Dataset) -> Figure:
    """The relative change against 1/chi, extrapolated linearly through the last two bond dimensions."""
    figure, (axes,) = canvas(1, 1)
    chis = dataset["chi"].values
    for number, eps in enumerate(dataset["eps"].values):
        change = changes(dataset, eps)
        limit, _ = extrapolate(change.value, chis.tolist())
        colour = f"C{number}"
        place = 1 / chis * (1 + 0.006 * number)  # side by side
        style = {"fmt": "os"[number % 2], "ms": 4, "color": colour, "label": rf"$\epsilon$ = {eps:g} J"}
        dots(axes, place, 100 * change.value, 100 * change.error, **style)
        axes.plot([0, 1 / chis[-2]], 100 * np.array([limit, change.value[-2]]), "--", lw=1, color=colour)
    axes.axhline(0, **GUIDE)
    axes.set_xlim(left=0)
    axes.set_xticks(1 / chis, [f"1/{chi}" for chi in chis])
    base = dataset.attrs["baseline"]
    axes.set(xlabel=r"$1/\chi$", ylabel=rf"$O(\chi)/O({base}) - 1$ [%], $O = \delta\beta/\bar\beta$")
    axes.legend()
    what = f"N = {dataset['n'].item()}, h = {dataset['h'].item():g}, TEBD, {dataset.sizes['realization']} realizations"
    said_above(figure, f"{what}, tolerance {dataset.attrs['tolerance']:g}", dataset)
    return figure


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, choose=choosing)
