"""How much the jumps (`drive`) and the reading of a bond's energy (`field_weight`) matter, at weak coupling.

The same disorder under each choice, so that differences are taken realization by realization. `correlated` and
`singlet` drive every bond; `figure_drives.py` compares what they give. The jumps of `literal` leave the identity alone;
those of `one-sided` do so but for the ends,

    sum_k [L_k, L_k^+] = (S^z_1 - S^z_N) / 2,

whose fields have a random sign: the mean temperature over the disorder vanishes, and nothing can be divided by it.
"""

from dataclasses import replace
from pathlib import Path

import ensemble
import levels
import numpy as np
import xarray as xr
from analysis import between, group, growing, power_law_of, variation
from ensemble import tally
from figure_2 import COUPLING, DISORDER, VARIATION, colour
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from presets import PRESETS, Preset
from words import engine_of

from tnness.records.style import GUIDE, canvas, dots, headline, lettered
from tnness.study.scripts import script
from tnness.study.statistics import Resampled, average, bootstrap, jackknife, ratio_of_averages

CHOICES = (("correlated", 1.0), ("correlated", 0.5), ("singlet", 1.0), ("one-sided", 1.0))
"""drive and field_weight; the first is the default."""
WEIGHTS, DEFINED = 2, 3
"""The first so many choices differ in field_weight alone; the first so many have an order parameter."""
STYLES, SHADES = ("o-", "s--", "D-.", "^:"), ("black", "C0", "C2", "C1")


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Local temperatures at every (choice, n, h, eps, realization), and in equilibrium where there is an order."""
    asked = [replace(preset.choices, drive=drive, field_weight=weight) for drive, weight in CHOICES]
    parts = [ensemble.data((one,), store, workers) for one in asked]
    for k in range(DEFINED):
        parts[k] = parts[k].assign(levels.thermal(asked[k], store, workers).data_vars)
    dataset = xr.concat(parts, dim="choice", combine_attrs="drop", data_vars="all")
    dataset = dataset.assign_coords(choice=[f"{drive}, weight {weight:g}" for drive, weight in CHOICES])
    ranges = {"ranges": np.ravel(preset.ranges), "pairs": np.ravel(preset.pairs)}
    dataset.attrs = {"drive": "correlated", "field_weight": 1.0, **ranges}
    return dataset


def at(dataset: xr.Dataset, choice: int, h: float) -> xr.Dataset:
    """The complete realizations of one choice at one h."""
    return group(dataset.isel(choice=choice), h=h)


def ends_of(dataset: xr.Dataset, name: str) -> list[tuple[float, float]]:
    """The first and the last of the preset's `ranges` or `pairs` of eps."""
    ends = np.reshape(dataset.attrs[name], (-1, 2))
    return [(float(low), float(high)) for low, high in (ends[0], ends[-1])]


def halving(dataset: xr.Dataset, h: float) -> Resampled:
    """O(weight 1/2) / O(weight 1) - 1 at every eps, O the variation, with the jackknife errors of the same disorder."""
    pair = group(dataset.isel(choice=[0, 1]), h=h).transpose("realization", "choice", "eps")

    def change(variance: np.ndarray, mean: np.ndarray) -> np.ndarray:
        whole, half = ratio_of_averages(variance, mean)
        return half / whole - 1

    return jackknife(change, pair["variance"].values, pair["mean"].values)


def fraction(here: xr.Dataset, pair: tuple[float, float]) -> Resampled:
    """P between two neighbouring couplings, with its bootstrap error."""
    return bootstrap(np.mean, growing(between(here, *pair)))


def thermal(here: xr.Dataset) -> Resampled:
    """The order parameter of chains in global equilibrium, at the energy of the limit eps -> 0."""
    return jackknife(ratio_of_averages, here["thermal_variance"].values, here["thermal_mean"].values)


def table(dataset: xr.Dataset) -> str:
    """The figure's numbers as text."""
    ranges, pairs = ends_of(dataset, "ranges"), ends_of(dataset, "pairs")
    said = [f"1/2z, {low:g}..{high:g}" for low, high in ranges] + [f"P({low:g}, {high:g})" for low, high in pairs]
    said += ["variation in equilibrium"] if "thermal_mean" in dataset else []
    lines = ["   ".join(["choice", "h", *said, "mean beta at the smallest eps"])]
    for k, name in enumerate(dataset["choice"].values):
        for h in dataset["h"].values:
            here, found = at(dataset, k, h), []
            if k < DEFINED:
                found += [power_law_of(here, high, low)[1] for low, high in ranges]
                found += [fraction(here, pair) for pair in pairs]
                found += [thermal(here)] if "thermal_mean" in dataset else []
            found.append(average(here["mean"].isel(eps=0).values))
            lines.append("   ".join([f"{name}   {h:g}", *(f"{x.value:+.3f} +- {x.error:.3f}" for x in found)]))
    for h in dataset["h"].values:
        change = halving(dataset, h)
        row = [f"{v:+.1%} +- {e:.1%}" for v, e in zip(change.value, change.error, strict=True)]
        lines.append("   ".join([f"variation, weight 1/2 against 1, h = {h:g}, each eps:", *row]))
    return "\n".join(lines)


def draw(dataset: xr.Dataset) -> Figure:
    """The four panels."""
    figure, panels = canvas(2, 2)
    draw_variation(panels[0], dataset)
    draw_exponents(panels[1], dataset)
    draw_fraction(panels[2], dataset)
    draw_means(panels[3], dataset)
    count = min(at(dataset, k, h).sizes["realization"] for k in range(len(CHOICES)) for h in dataset["h"].values)
    engine = ", ".join(engine_of(chi) for chi in dataset["chi"].values)
    what = f"choices of jumps and of the weight of a field, N = {dataset['n'].item()} ({engine}), {count} realizations"
    lettered(panels)
    headline(figure, f"{dataset.attrs['preset']} preset: {what}; {tally(dataset)}")
    return figure


def look(choice: int, filled: bool = True, shade: object = None) -> dict:
    """How a choice is drawn in every panel."""
    colour_of = SHADES[choice] if shade is None else shade
    style = {"fmt": STYLES[choice], "ms": 4}
    return style | {"color": colour_of, "mfc": colour_of if filled else "white"}


def draw_variation(axes: Axes, dataset: xr.Dataset) -> None:
    """(a) The variation with whole and with half shared fields."""
    for h in dataset["h"].values:
        for k in range(WEIGHTS):
            here = at(dataset, k, h)
            estimate = variation(here)
            label = f"h = {h:g}" if k == 0 else None
            style = look(k, filled=k == 0, shade=colour(dataset, h))
            dots(axes, here["eps"] * 1.04**k, estimate.value, estimate.error, label=label, **style)
            if "thermal_mean" in dataset:
                end = thermal(here)
                dots(axes, float(here["eps"].min()) / 1.8, end.value, end.error, **style | {"fmt": "<"})
    axes.set(xscale="log", yscale="log", xlabel=COUPLING, ylabel=VARIATION)
    axes.set_ylim(bottom=axes.get_ylim()[0] / 12)
    said = "weight of a field: filled 1, open 1/2"
    said += "\n" + r"$\triangleleft$ in global equilibrium" if "thermal_mean" in dataset else ""
    axes.legend(ncols=2, loc="lower right", title=said, title_fontsize=7)


def draw_exponents(axes: Axes, dataset: xr.Dataset) -> None:
    """(b) 1/2z in the paper's range and in the last one."""
    h = dataset["h"].values
    for number, (low, high) in enumerate(ends_of(dataset, "ranges")):
        for k in range(WEIGHTS):
            found = [power_law_of(at(dataset, k, x), high, low)[1] for x in h]
            values, errors = zip(*((gamma.value, gamma.error) for gamma in found), strict=True)
            label = rf"weight {CHOICES[k][1]:g}: $\epsilon$ = {low:g} to {high:g}"
            dots(axes, h + 0.1 * k, values, errors, label=label, **look(k, filled=number == 0))
    axes.axhline(0, **GUIDE)
    axes.set(xlabel=DISORDER, ylabel=r"exponent $1/2z$")
    axes.legend()


def draw_fraction(axes: Axes, dataset: xr.Dataset) -> None:
    """(c) P(h) at the paper's smallest pair of couplings and at the last."""
    h = dataset["h"].values
    for number, pair in enumerate(ends_of(dataset, "pairs")):
        for k in range(WEIGHTS):
            found = [fraction(at(dataset, k, x), pair) for x in h]
            values, errors = zip(*((p.value, p.error) for p in found), strict=True)
            label = rf"weight {CHOICES[k][1]:g}: $\epsilon$ = {pair[0]:g}, {pair[1]:g}"
            dots(axes, h + 0.1 * k, values, errors, label=label, **look(k, filled=number == 0))
    axes.axhline(0.5, **GUIDE)
    axes.set(xlabel=DISORDER, ylabel=rf"$P$({VARIATION} grows)", ylim=(0, 1.6))
    axes.legend(loc="upper right")


def draw_means(axes: Axes, dataset: xr.Dataset) -> None:
    """(d) The mean inverse temperature, which every order parameter is divided by."""
    h = dataset["h"].values
    for k, name in enumerate(dataset["choice"].values):
        found = [average(at(dataset, k, x)["mean"].isel(eps=0).values) for x in h]
        values, errors = zip(*((mean.value, mean.error) for mean in found), strict=True)
        dots(axes, h + 0.1 * k, values, errors, label=str(name), **look(k, filled=k != 1))
    axes.axhline(0, **GUIDE, label="literal")
    smallest = float(dataset["eps"].min())
    axes.set(xlabel=DISORDER, ylabel=rf"mean $\beta$ at $\epsilon$ = {smallest:g} J [$1/J$]")
    axes.legend()


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, table)
