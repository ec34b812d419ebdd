"""Fig. 3: the dynamical exponent z(h), and the exponent nu of its divergence z ~ (h_c - h)^-nu."""

import math
from pathlib import Path

import numpy as np
import typer
import xarray as xr
from analysis import DynamicalExponent, group, power_law_of
from drawing import STORE, PresetOption, StoreOption, WorkersOption, preset_named, save, title
from figure_2 import data as transition_data
from figure_2 import describe, fractions
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from presets import Preset

from tnness.errors import InputError
from tnness.study.statistics import PowerLaw, power_law

PAPER_CRITICAL = (8.75, 0.5)
LARGEST_Z = 30.0


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """The points of Fig. 2."""
    return transition_data(preset, store, workers)


def exponents(dataset: xr.Dataset) -> dict[float, DynamicalExponent]:
    """z at every h, from gamma and its jackknife error."""
    fits = {float(h): power_law_of(group(dataset, h=h), dataset.attrs["fit_eps"])[1] for h in dataset["h"].values}
    return {h: DynamicalExponent.of(gamma) for h, gamma in fits.items()}


def critical(dataset: xr.Dataset) -> tuple[float, float, str]:
    """h_c, its error and where it is from: P = 1/2 in these data, or the paper where they have no crossing."""
    found = fractions(dataset)[1]
    if math.isfinite(found.value) and found.value > dataset.attrs["fit_h"]:
        return found.value, found.error, "these data"
    return *PAPER_CRITICAL, "the paper"


def divergence(z: dict[float, DynamicalExponent], largest_h: float, critical_h: float) -> PowerLaw:
    """The fit z = a (h_c - h)^-nu to the finite z up to an h."""
    used = {h: value for h, value in z.items() if h <= largest_h and h < critical_h and math.isfinite(value.error)}
    if len(used) < 2:
        raise InputError("fewer than two finite z: no power law")
    return power_law([critical_h - h for h in used], [v.value for v in used.values()], [v.error for v in used.values()])


def draw(dataset: xr.Dataset) -> Figure:
    """z against h, and against h_c - h."""
    figure = Figure(figsize=(8.4, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    z = exponents(dataset)
    draw_exponents(left, z)
    draw_divergence(right, z, dataset)
    title(figure, describe(dataset), dataset)
    return figure


def draw_exponents(axes: Axes, z: dict[float, DynamicalExponent]) -> None:
    """(a) z(h); an arrow where the data allow z = infinity."""
    for h, value in z.items():
        low, high = min(value.low, LARGEST_Z), min(value.high, LARGEST_Z)
        axes.plot([h, h], [low, high], color="black", lw=1)
        if value.value <= LARGEST_Z:
            axes.plot(h, value.value, "o", ms=4, color="black")
        if value.high > LARGEST_Z:
            axes.plot(h, 0.97 * LARGEST_Z, "^", ms=5, mfc="white", color="black")
    axes.axhline(2, color="grey", lw=0.8, ls=":", label="diffusion, z = 2")
    axes.plot([], [], "^", ms=5, mfc="white", color="black", label=f"the error bar goes beyond {LARGEST_Z:g}")
    axes.set(xlabel="disorder h [J]", ylabel="dynamical exponent z", title="(a)", ylim=(0, LARGEST_Z))
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(0, 0.92))


def draw_divergence(axes: Axes, z: dict[float, DynamicalExponent], dataset: xr.Dataset) -> None:
    """(b) z against h_c - h with the fit."""
    hc, error, source = critical(dataset)
    shown = {h: v for h, v in z.items() if h < hc and math.isfinite(v.error)}
    for h, v in shown.items():
        used = h <= dataset.attrs["fit_h"]
        bars = [[v.value - v.low], [v.high - v.value]]
        axes.errorbar(hc - h, v.value, bars, fmt="o", ms=4, capsize=2, color="black", mfc="black" if used else "white")
    try:
        law = divergence(z, dataset.attrs["fit_h"], hc)
        others = [divergence(z, dataset.attrs["fit_h"], hc + s * error).exponent for s in (1, -1)]
    except InputError as missing:
        axes.text(0.05, 0.05, str(missing), transform=axes.transAxes, fontsize=8)
    else:
        x = np.linspace(hc - dataset.attrs["fit_h"], hc - dataset["h"].values.min(), 50)
        spread = math.hypot(law.error, (others[0] - others[1]) / 2)
        axes.plot(x, law(x), "--", color="tab:red", label=rf"$\nu$ = {-law.exponent:.1f} $\pm$ {spread:.1f}")
        axes.legend(fontsize=8)
    axes.set(xscale="log", yscale="log", xlabel=r"$h_c - h$ [J]", ylabel="z")
    axes.set_title(rf"(b) $h_c$ = {hc:.1f} $\pm$ {error:.1f} ({source}), filled: fitted", fontsize=9)


def main(preset: PresetOption = "quick", workers: WorkersOption = 2, store: StoreOption = STORE) -> None:
    """Compute what is missing and draw the figure."""
    dataset = data(preset_named(preset), store, workers)
    save(draw(dataset), dataset, "figure_3")


if __name__ == "__main__":
    typer.run(main)
