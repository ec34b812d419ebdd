"""Fig. 2: variation of the local temperatures against eps, its power-law fits, and the fraction P that gives h_c."""

from pathlib import Path

import ensemble
import numpy as np
import xarray as xr
from analysis import group, growing, power_law_of, variation
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from presets import PRESETS, Preset
from words import choosing, engine_of, said_above

from tnness.records.style import GUIDE, canvas, dots, lettered, shade
from tnness.study.scripts import script
from tnness.study.statistics import Resampled, bootstrap, fraction_crossing

COUPLING, VARIATION = r"coupling $\epsilon$ [$J$]", r"$\delta\beta/\bar\beta$"
DISORDER = "disorder $h$ [$J$]"


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Local temperatures at every (h, eps, realization); Fig. 3 is made of the same points."""
    dataset = ensemble.data(preset.transition, store, workers)
    dataset.attrs |= {"fit_eps": preset.fit_eps, "fit_h": preset.fit_h}
    return dataset


def fractions(dataset: xr.Dataset) -> tuple[list[Resampled], Resampled]:
    """P at every h, and h_c where it falls through 1/2, with bootstrap errors."""
    samples = [growing(group(dataset, h=h)) for h in dataset["h"].values]
    return [bootstrap(np.mean, sample) for sample in samples], fraction_crossing(dataset["h"].values, samples)


def colour(dataset: xr.Dataset, h: float) -> tuple:
    """The colour of a field strength in every panel."""
    strengths = dataset["h"].values.tolist()
    return shade(strengths.index(h), len(strengths))


def draw(dataset: xr.Dataset) -> Figure:
    """The three panels."""
    figure, panels = canvas(1, 3)
    draw_variation(panels[0], dataset)
    draw_fits(panels[1], dataset)
    draw_fraction(panels[2], dataset)
    lettered(panels, ("", "dashed: power laws", crossing_in_words(fractions(dataset)[1])))
    said_above(figure, describe(dataset), dataset)
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
        style = {"fmt": "o-", "ms": 3, "color": colour(dataset, h)}
        dots(axes, here["eps"], estimate.value, estimate.error, label=f"{h:g}", **style)
    axes.set(xlabel=COUPLING, ylabel=VARIATION, ylim=(0, None))
    axes.set_ylim(top=1.3 * axes.get_ylim()[1])
    axes.legend(title="$h$ [$J$]", title_fontsize=7, loc="upper right", ncols=4)


def draw_fits(axes: Axes, dataset: xr.Dataset) -> None:
    """(b) Power laws for the smaller h, on logarithmic axes."""
    largest = dataset.attrs["fit_eps"]
    for h in dataset["h"].values[dataset["h"].values <= dataset.attrs["fit_h"]]:
        here = group(dataset, h=h)
        estimate, (law, gamma) = variation(here), power_law_of(here, largest)
        dots(axes, here["eps"], estimate.value, estimate.error, color=colour(dataset, h))
        inside = np.array([here["eps"].values.min(), largest])
        label = rf"h = {h:g}: $1/2z$ = {gamma.value:.2f} $\pm$ {gamma.error:.2f}"
        axes.plot(inside, law(inside), "--", lw=1.2, color=colour(dataset, h), label=label)
    axes.set(xscale="log", yscale="log", xlabel=COUPLING, ylabel=VARIATION)
    axes.set_ylim(top=axes.get_ylim()[1] * 3)  # room for the legend
    axes.legend(loc="upper left")


def draw_fraction(axes: Axes, dataset: xr.Dataset) -> None:
    """(c) The fraction P of realizations that grow with eps, and h_c where P = 1/2."""
    fraction, critical = fractions(dataset)
    values, errors = zip(*((p.value, p.error) for p in fraction), strict=True)
    dots(axes, dataset["h"], values, errors, fmt="o-", ms=4, color="k")
    axes.axhline(0.5, **GUIDE)
    if np.isfinite(critical.value):
        low, high = critical.value - critical.error, critical.value + critical.error
        axes.axvspan(low, high, color="C1", alpha=0.15, lw=0)
    growth = r"P($\delta\beta/\bar\beta$ grows at the smallest $\epsilon$)"
    axes.set(xlabel=DISORDER, ylabel=growth, ylim=(0, 1.05))


def crossing_in_words(critical: Resampled) -> str:
    """h_c with its error, and how often the bootstrap found one."""
    share = f"{critical.defined:.0%} of the bootstrap samples"
    if not np.isfinite(critical.value):
        return f"no fall through 1/2\n({share} have one)"
    found = rf"$P = 1/2$ at $h$ = {critical.value:.1f} $\pm$ {critical.error:.1f}"
    return found if critical.defined >= 0.995 else f"{found}\n({share} cross)"


def tell(dataset: xr.Dataset) -> str:
    """The order parameter at every (h, eps), the claims of its points, and 1/2z of every h."""
    lines = []
    for h in dataset["h"].values:
        here = group(dataset, h=h)
        estimate, (_, gamma) = variation(here), power_law_of(here, dataset.attrs["fit_eps"])
        for number, eps in enumerate(here["eps"].values):
            row = f"h = {h:g}, eps = {eps:g}: variation {estimate.value[number]:.4f} +- {estimate.error[number]:.4f}"
            if "claim" in here:
                claims = here["claim"].sel(eps=eps).values
                row += f"; claims of a chain: median {np.nanmedian(claims):.1%}, largest {np.nanmax(claims):.1%}"
            lines.append(f"{row}; {float(here['cpu_seconds'].sel(eps=eps).mean()):.1f} CPU s")
        lines.append(f"h = {h:g}: 1/2z = {gamma.value:.3f} +- {gamma.error:.3f} ({here.sizes['realization']} chains)")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell, choose=choosing)
