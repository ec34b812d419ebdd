"""Fig. 2: variation of the local temperatures against eps, its power-law fits, and the fraction P that gives h_c."""

from pathlib import Path

import ensemble
import numpy as np
import xarray as xr
from analysis import group, growing, power_law_of, variation
from drawing import engine_of, script, title
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from presets import Preset

from tnness.study.statistics import Resampled, bootstrap, fraction_crossing

COUPLING, VARIATION = r"coupling $\epsilon$ [J]", r"$\delta\beta/\bar\beta$"


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Local temperatures at every (h, eps, realization); Fig. 3 is made of the same points."""
    dataset = ensemble.data(preset.transition, store, workers)
    dataset.attrs |= {"preset": preset.name, "fit_eps": preset.fit_eps, "fit_h": preset.fit_h}
    return dataset


def fractions(dataset: xr.Dataset) -> tuple[list[Resampled], Resampled]:
    """P at every h, and h_c where it falls through 1/2, with bootstrap errors."""
    samples = [growing(group(dataset, h=h)) for h in dataset["h"].values]
    return [bootstrap(np.mean, sample) for sample in samples], fraction_crossing(dataset["h"].values, samples)


def colour(dataset: xr.Dataset, h: float) -> tuple:
    """The colour of a field strength in every panel."""
    strengths = dataset["h"].values.tolist()
    return colormaps["viridis"](0.92 * strengths.index(h) / max(1, len(strengths) - 1))


def draw(dataset: xr.Dataset) -> Figure:
    """The three panels."""
    figure = Figure(figsize=(11.5, 4.2), layout="constrained")
    panels = figure.subplots(1, 3)
    draw_variation(panels[0], dataset)
    draw_fits(panels[1], dataset)
    draw_fraction(panels[2], dataset)
    title(figure, describe(dataset), dataset)
    return figure


def describe(dataset: xr.Dataset) -> str:
    """Sizes, engines and realizations in words."""
    sizes = ", ".join(str(n) for n in dataset["n"].values)
    engines = ", ".join(engine_of(chi) for chi in dataset["chi"].values)
    counts = [group(dataset, h=h).sizes["realization"] for h in dataset["h"].values]
    realizations = " to ".join(str(count) for count in sorted({min(counts), max(counts)}))
    return f"N = {sizes} ({engines}), {realizations} realizations"


def draw_variation(axes: Axes, dataset: xr.Dataset) -> None:
    """(a) Every h on linear axes."""
    for h in dataset["h"].values:
        here = group(dataset, h=h)
        estimate = variation(here)
        style = {"fmt": "o-", "ms": 3, "lw": 1, "capsize": 2, "color": colour(dataset, h)}
        axes.errorbar(here["eps"], estimate.value, estimate.error, label=f"{h:g}", **style)
    axes.set(xlabel=COUPLING, ylabel=VARIATION, title="(a)", ylim=(0, None))
    axes.legend(title="h [J]", fontsize=7, title_fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))


def draw_fits(axes: Axes, dataset: xr.Dataset) -> None:
    """(b) Power laws for the smaller h, on logarithmic axes."""
    largest = dataset.attrs["fit_eps"]
    for h in dataset["h"].values[dataset["h"].values <= dataset.attrs["fit_h"]]:
        here = group(dataset, h=h)
        estimate, (law, gamma) = variation(here), power_law_of(here, largest)
        axes.errorbar(here["eps"], estimate.value, estimate.error, fmt="o", ms=3.5, capsize=2, color=colour(dataset, h))
        inside = np.array([here["eps"].values.min(), largest])
        label = rf"h = {h:g}: 1/2z = {gamma.value:.2f} $\pm$ {gamma.error:.2f}"
        axes.plot(inside, law(inside), "--", lw=1.2, color=colour(dataset, h), label=label)
    axes.set(xscale="log", yscale="log", xlabel=COUPLING, ylabel=VARIATION, title="(b)")
    axes.set_ylim(top=axes.get_ylim()[1] * 3)  # room for the legend
    axes.legend(fontsize=7, loc="upper left")


def draw_fraction(axes: Axes, dataset: xr.Dataset) -> None:
    """(c) The fraction P of realizations that grow with eps, and h_c where P = 1/2."""
    fraction, critical = fractions(dataset)
    values, errors = zip(*((p.value, p.error) for p in fraction), strict=True)
    axes.errorbar(dataset["h"], values, errors, fmt="o-", ms=4, lw=1, capsize=2, color="black")
    axes.axhline(0.5, color="grey", lw=0.8, ls=":")
    if np.isfinite(critical.value):
        low, high = critical.value - critical.error, critical.value + critical.error
        axes.axvspan(low, high, color="tab:red", alpha=0.15, lw=0)
    growth = r"P($\delta\beta/\bar\beta$ grows at the smallest $\epsilon$)"
    axes.set(xlabel="disorder h [J]", ylabel=growth, title="(c)", ylim=(0, 1.05))
    axes.text(0.04, 0.04, crossing_in_words(critical), transform=axes.transAxes, fontsize=8)


def crossing_in_words(critical: Resampled) -> str:
    """h_c with its error, and how often the bootstrap found one."""
    share = f"{critical.defined:.0%} of the bootstrap samples"
    if not np.isfinite(critical.value):
        return f"P does not fall through 1/2\n({share} do)"
    found = rf"$P = 1/2$ at h = {critical.value:.1f} $\pm$ {critical.error:.1f}"
    return found if critical.defined == 1 else f"{found}\n({share} cross)"


if __name__ == "__main__":
    script("figure_2", data, draw)
