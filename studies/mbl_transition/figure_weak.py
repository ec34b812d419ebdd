"""A decade below the paper's couplings: what becomes of the exponents and of the fraction P, and where a chain ends."""

from pathlib import Path

import ensemble
import levels
import numpy as np
import xarray as xr
from analysis import between, change_of_exponent, group, growing, power_law_of, shift_of_crossing, variation
from figure_2 import COUPLING, DISORDER, VARIATION, colour
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from presets import PRESETS, Preset
from words import choosing, engine_of, said_above

from tnness.records.style import GUIDE, canvas, dots, lettered
from tnness.study.scripts import script
from tnness.study.statistics import Resampled, bootstrap, fraction_crossing, jackknife, ratio_of_averages

RANGE_COLOURS = ("black", "C4", "C1")
PAIR_COLOURS = ("black", "C1")
SIZE_MARKERS = "osD^"


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Local temperatures at every (n, h, eps, realization), and their limit eps -> 0 for exactly solved chains."""
    dataset = ensemble.data(preset.weak, store, workers)
    dataset = dataset.assign(levels.limits(preset.weak, store, workers).data_vars)
    ranges = {"ranges": np.ravel(preset.ranges), "pairs": np.ravel(preset.pairs)}
    dataset.attrs |= {**ranges}
    return dataset


def couplings(dataset: xr.Dataset, name: str) -> list[tuple[float, float]]:
    """The `ranges` or `pairs` of eps, smallest first, that the preset names."""
    return [(float(low), float(high)) for low, high in np.reshape(dataset.attrs[name], (-1, 2))]


def strengths(dataset: xr.Dataset, n: int) -> list[float]:
    """The h at which chains of n sites have been computed."""
    there = np.isfinite(dataset["mean"].sel(n=n)).any(["chi", "eps", "realization"])
    return dataset["h"].values[there.values].tolist()


def limit(here: xr.Dataset) -> Resampled:
    """The order parameter as eps -> 0 at fixed size, with its jackknife error."""
    mean, variance = here["limit_mean"].values, here["limit_variance"].values
    given = np.isfinite(mean)
    return jackknife(ratio_of_averages, variance[given], mean[given])


def resolving(here: xr.Dataset) -> float:
    """The eps below which the drive resolves single levels: jumps in all of the chain, times eps = level spacing."""
    return float((here["spacing"] / here["jumps"]).mean())


def grown(dataset: xr.Dataset, n: int, pair: tuple[float, float]) -> list[np.ndarray]:
    """At every h, which realizations grow with eps from the first of a pair to the second."""
    return [growing(between(group(dataset, n=n, h=h), *pair).sel(eps=list(pair))) for h in strengths(dataset, n)]


def crossings(dataset: xr.Dataset, n: int) -> tuple[list[Resampled], Resampled]:
    """Where P = 1/2 for the first pair and for the last, and the difference, which the same realizations give."""
    first, last = (grown(dataset, n, pair) for pair in (couplings(dataset, "pairs")[k] for k in (0, -1)))
    h = strengths(dataset, n)
    return [fraction_crossing(h, sample) for sample in (first, last)], shift_of_crossing(h, first, last)


def table(dataset: xr.Dataset) -> str:
    """The figure's numbers as text: 1/2z in every range of eps, what the last differs by from the first, P = 1/2."""
    ranges = couplings(dataset, "ranges")
    names = [f"{low:g}..{high:g}" for low, high in ranges]
    lines = ["   ".join(["N", "h", *(f"1/2z, {name}" for name in names), *(f"{n} - {names[0]}" for n in names[1:])])]
    for n in dataset["n"].values:
        for h in strengths(dataset, n):
            here = group(dataset, n=n, h=h)
            found = [power_law_of(here, high, low)[1] for low, high in ranges]
            found += [change_of_exponent(here, ranges[0], ends) for ends in ranges[1:]]
            row = [f"{n}   {h:g}", *(f"{gamma.value:+.3f} +- {gamma.error:.3f}" for gamma in found)]
            if "limit_mean" in dataset:
                end = limit(here)
                row.append(f"limit {end.value:.4f} +- {end.error:.4f}, resolved below eps = {resolving(here):.4f}")
            lines.append("   ".join(row))
    found, shift = crossings(dataset, int(dataset["n"].values[0]))
    for name, where in (("first pair", found[0]), ("last pair", found[1]), ("last - first", shift)):
        lines.append(f"P = 1/2, {name}: {where.value:.2f} +- {where.error:.2f} ({where.defined:.0%} of the samples)")
    return "\n".join(lines)


def draw(dataset: xr.Dataset) -> Figure:
    """The three panels."""
    figure, panels = canvas(1, 3, width_ratios=(1.25, 1, 1))
    draw_variation(panels[0], dataset)
    draw_exponents(panels[1], dataset)
    draw_fraction(panels[2], dataset)
    ranges = couplings(dataset, "ranges")
    lines = rf"full line: fit from {ranges[0][0]:g} to {ranges[0][1]:g}, dashed: {ranges[-1][0]:g} to {ranges[-1][1]:g}"
    lettered(panels, (lines, "", f"N = {int(dataset['n'].values[0])}"))
    said_above(figure, describe(dataset), dataset)
    return figure


def describe(dataset: xr.Dataset) -> str:
    """Sizes, engines and realizations in words."""
    counts = {
        n: sorted({group(dataset, n=n, h=h).sizes["realization"] for h in strengths(dataset, n)})
        for n in dataset["n"].values
    }
    sizes = ", ".join(f"{n} ({' to '.join(str(c) for c in (few[0], *few[1:][-1:]))})" for n, few in counts.items())
    engines = ", ".join(engine_of(chi) for chi in dataset["chi"].values)
    return f"below the paper's couplings, N (realizations) = {sizes}; {engines}"


def draw_variation(axes: Axes, dataset: xr.Dataset) -> None:
    """(a) Variation, fits in the paper's range and in the last one, and the limit of a chain of this length."""
    ranges = couplings(dataset, "ranges")
    smallest = float(dataset["eps"].min())
    edge = smallest / 1.7
    for number, n in enumerate(dataset["n"].values):
        for h in strengths(dataset, n):
            here = group(dataset, n=n, h=h)
            own = {"color": colour(dataset, h), "mfc": colour(dataset, h) if number == 0 else "white"}
            style = {"lw": 0.8, "zorder": 3, **own}
            estimate = variation(here)
            label = f"{h:g}" if number == 0 else None
            dots(axes, here["eps"], estimate.value, estimate.error, fmt=SIZE_MARKERS[number], label=label, **style)
            if "limit_mean" in dataset:
                end = limit(here)
                dots(axes, edge / 1.12**number, end.value, end.error, fmt="<", **style)
                scale = resolving(here)
                height = np.exp(np.interp(np.log(scale), np.log(here["eps"]), np.log(estimate.value)))
                axes.plot(scale, height, "|", ms=11, mew=1.6, color=own["color"])
            if number == 0:
                for ends, line in ((ranges[0], "-"), (ranges[-1], "--")):
                    law, _ = power_law_of(here, ends[1], ends[0])
                    axes.plot(ends, law(ends), line, lw=1.1, color=own["color"])
    axes.set(xscale="log", yscale="log", xlabel=COUPLING, ylabel=VARIATION)
    axes.legend(title="$h$ [$J$]", title_fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    sizes = [f"{name} N = {n}" for name, n in zip(("filled", "open"), dataset["n"].values, strict=False)]
    said = [", ".join(sizes)]
    if "limit_mean" in dataset:
        said += [r"$\triangleleft$ limit $\epsilon \to 0$ at this N;  | $\epsilon$ resolves single levels"]
    axes.set_ylim(bottom=axes.get_ylim()[0] / 2)
    axes.text(0.03, 0.02, "\n".join(said), transform=axes.transAxes, fontsize=7)


def draw_exponents(axes: Axes, dataset: xr.Dataset) -> None:
    """(b) 1/2z against h, from fits whose smallest eps is the paper's and a decade less."""
    for number, n in enumerate(dataset["n"].values):
        h = np.array(strengths(dataset, n))
        for place, (ends, shade) in enumerate(zip(couplings(dataset, "ranges"), RANGE_COLOURS, strict=False)):
            found = [power_law_of(group(dataset, n=n, h=x), ends[1], ends[0])[1] for x in h]
            values, errors = zip(*((gamma.value, gamma.error) for gamma in found), strict=True)
            style = {"color": shade, "mfc": shade if number == 0 else "white", "ms": 4}
            label = rf"N = {n}: $\epsilon$ = {ends[0]:g} to {ends[1]:g}"
            line = "-" if number == 0 else ":"
            beside = 0.07 * (place - 1) + 0.2 * number
            dots(axes, h + beside, values, errors, fmt=SIZE_MARKERS[number] + line, label=label, **style)
    axes.axhline(0, **GUIDE)
    axes.set(xlabel=DISORDER, ylabel=r"exponent $1/2z$ of $\delta\beta/\bar\beta \sim \epsilon^{1/2z}$")
    axes.legend()


def draw_fraction(axes: Axes, dataset: xr.Dataset) -> None:
    """(c) P(h) at the smallest couplings of the paper and at these, and where each falls through 1/2."""
    n = int(dataset["n"].values[0])
    h = np.array(strengths(dataset, n))
    found, shift = crossings(dataset, n)
    pairs = couplings(dataset, "pairs")
    for place, (pair, critical, shade) in enumerate(zip((pairs[0], pairs[-1]), found, PAIR_COLOURS, strict=True)):
        fractions = [bootstrap(np.mean, sample) for sample in grown(dataset, n, pair)]
        values, errors = zip(*((p.value, p.error) for p in fractions), strict=True)
        label = rf"$\epsilon$ = {pair[0]:g}, {pair[1]:g}: {_crossing(critical)}"
        style = {"fmt": ("o-", "s--")[place], "ms": 4, "color": shade, "label": label}
        dots(axes, h + 0.1 * place, values, errors, **style)
        if np.isfinite(critical.value):
            low, high = critical.value - critical.error, critical.value + critical.error
            axes.axvspan(low, high, color=shade, alpha=0.12, lw=0)
    axes.axhline(0.5, **GUIDE)
    growth = rf"$P$({VARIATION} grows from the smaller $\epsilon$)"
    axes.set(xlabel=DISORDER, ylabel=growth, ylim=(0, 1.4))
    moved = rf"it moves by {shift.value:+.1f} $\pm$ {shift.error:.1f}" if np.isfinite(shift.value) else None
    axes.legend(loc="upper left", title=moved, title_fontsize=7)


def _crossing(critical: Resampled) -> str:
    """h at P = 1/2 with its error, and how often the bootstrap found one."""
    if not np.isfinite(critical.value):
        return f"no crossing ({critical.defined:.0%} of the samples have one)"
    share = "" if critical.defined >= 0.995 else f" ({critical.defined:.0%} of the samples)"
    return rf"$P = 1/2$ at {critical.value:.1f} $\pm$ {critical.error:.1f}{share}"


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, table, choose=choosing)
