"""Two drives of every bond on the same chains: what of the order parameter is the chain's, and what is the drive's.

`correlated` and `singlet` (see the model) take the same energy out of every exchange, one along z and one in all
directions of spin. The couplings, sizes and disorder are those of `figure_weak`; every difference is taken with the
same realizations in both.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import figure_weak
import levels
import numpy as np
import xarray as xr
from analysis import between, difference_of_exponents, group, growing, power_law_of, shift_of_crossing, variation
from ensemble import tally
from figure_2 import COUPLING, DISORDER, VARIATION, colour
from figure_weak import couplings, limit, strengths
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from presets import PRESETS, Preset
from words import engine_of

from tnness.records.style import GUIDE, canvas, dots, headline, lettered
from tnness.study.scripts import script
from tnness.study.statistics import Resampled, bootstrap, fraction_crossing, jackknife, ratio_of_averages

DRIVES = ("correlated", "singlet")
STYLES, SHADES = ("o-", "s--"), ("black", "C1")


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Local temperatures at every (drive, n, h, eps, realization); of exact ones also calibrated and as eps -> 0."""
    parts = []
    for drive in DRIVES:
        chosen = preset.choosing(drive, 1.0)
        read = levels.calibrated(chosen.weak, store, workers).data_vars
        parts.append(figure_weak.data(chosen, store, workers).assign(read))
    dataset = xr.concat(parts, dim="drive", combine_attrs="override").assign_coords(drive=list(DRIVES))
    return dataset.drop_vars(["cpu_seconds", "energy", "spacing", "jumps"], errors="ignore")


def at(dataset: xr.Dataset, n: int, h: float) -> list[xr.Dataset]:
    """For each drive the realizations that are complete under both."""
    here = group(dataset, n=n, h=h)
    return [here.sel(drive=drive, drop=True) for drive in DRIVES]


def lengths(dataset: xr.Dataset) -> list[tuple[int, float]]:
    """Every (n, h) that has been computed."""
    return [(n, h) for n in dataset["n"].values.tolist() for h in strengths(dataset.isel(drive=0), n)]


def grown(parts: list[xr.Dataset], pair: tuple[float, float]) -> list[np.ndarray]:
    """Under each drive, which realizations grow from the first eps of a pair to the second."""
    return [growing(between(part, *pair).sel(eps=list(pair))) for part in parts]


def crossings(dataset: xr.Dataset, n: int, pair: tuple[float, float]) -> tuple[list[Resampled], Resampled]:
    """Where P = 1/2 under each drive, and what the second differs by from the first, the same realizations in both."""
    h = strengths(dataset.isel(drive=0), n)
    first, second = zip(*(grown(at(dataset, n, x), pair) for x in h), strict=True)
    return [fraction_crossing(h, first), fraction_crossing(h, second)], shift_of_crossing(h, first, second)


def shift_between_pairs(dataset: xr.Dataset, n: int, drive: int) -> Resampled:
    """How far P = 1/2 moves under one drive from the first pair of eps to the last."""
    h = strengths(dataset.isel(drive=0), n)
    first, last = ([grown(at(dataset, n, x), couplings(dataset, "pairs")[k])[drive] for x in h] for k in (0, -1))
    return shift_of_crossing(h, first, last)


def ratios(parts: list[xr.Dataset]) -> Resampled:
    """The second drive's order parameter over the first's, at every eps."""

    def ratio(*samples: np.ndarray) -> np.ndarray:
        return ratio_of_averages(*samples[2:]) / ratio_of_averages(*samples[:2])

    return jackknife(ratio, *(part[name].values for part in parts for name in ("variance", "mean")))


def ratio_of_limits(parts: list[xr.Dataset]) -> Resampled:
    """The same as eps -> 0 at fixed length."""
    names = {"limit_variance": "variance", "limit_mean": "mean"}
    return ratios([part[list(names)].rename(names) for part in parts])


def ratio_of_means(parts: list[xr.Dataset]) -> Resampled:
    """The second drive's mean inverse temperature over the first's, at every eps."""
    return jackknife(lambda a, b: b.mean(axis=0) / a.mean(axis=0), *(part["mean"].values for part in parts))


def calibrated(parts: list[xr.Dataset]) -> list[xr.Dataset]:
    """The same with thermometers that agree in equilibrium, see `levels.calibrated`."""
    names = {"calibrated_variance": "variance", "calibrated_mean": "mean"}
    return [part[list(names)].rename(names) for part in parts]


def exponents(parts: list[xr.Dataset], ends: tuple[float, float]) -> list[Resampled]:
    """1/2z in a range of eps under each drive, and what the second's differs by."""
    low, high = ends
    found = [power_law_of(part, high, low)[1] for part in parts]
    return [*found, difference_of_exponents(*(between(part, low, high) for part in parts))]


def table(dataset: xr.Dataset) -> str:
    """The figure's numbers as text."""
    first, second = DRIVES
    lines = []
    readings = {"": list} | ({", calibrated": calibrated} if "calibrated_mean" in dataset else {})
    for name, reading in readings.items():
        for ends in couplings(dataset, "ranges"):
            lines.append(f"1/2z{name}, eps = {ends[0]:g} to {ends[1]:g}: N, h, {first}, {second}, difference")
            for n, h in lengths(dataset):
                found = exponents(reading(at(dataset, n, h)), ends)
                lines.append("   ".join([f"{n}   {h:g}", *map(said, found)]))
    for pair in couplings(dataset, "pairs"):
        lines.append(f"P{pair}: N, h, {first}, {second}, difference, how often both agree (if independent)")
        for n, h in lengths(dataset):
            before, after = grown(at(dataset, n, h), pair)
            found = [bootstrap(np.mean, sample.astype(float)) for sample in (before, after, after - 1.0 * before)]
            p, q = before.mean(), after.mean()
            agree = f"{np.mean(before == after):.0%} ({p * q + (1 - p) * (1 - q):.0%})"
            lines.append("   ".join([f"{n}   {h:g}", *map(said, found), agree]))
        for n in dataset["n"].values.tolist():
            critical, shift = crossings(dataset, n, pair)
            lines.append(
                f"P = 1/2, N = {n}: " + "   ".join(f"{x.value:.2f} +- {x.error:.2f}" for x in (*critical, shift))
            )
    for n in dataset["n"].values.tolist():
        shifts = [shift_between_pairs(dataset, n, k) for k in range(len(DRIVES))]
        lines.append(f"P = 1/2, last pair - first, N = {n}: " + "   ".join(map(said, shifts)))
    lines.append(f"{second} / {first}: N, h, mean beta at the smallest eps, variation as eps -> 0 and at each eps")
    for n, h in lengths(dataset):
        parts = at(dataset, n, h)
        means, change = ratio_of_means(parts), ratios(parts)
        found = [Resampled(means.value[0], means.error[0])]
        found += [ratio_of_limits(parts)] if "limit_mean" in dataset else []
        found += [Resampled(v, e) for v, e in zip(change.value, change.error, strict=True)]
        lines.append("   ".join([f"{n}   {h:g}", *(said(ratio) for ratio in found)]))
    return "\n".join(lines)


def said(found: Resampled) -> str:
    """A number with its error."""
    return f"{found.value:+.3f} +- {found.error:.3f}"


def draw(dataset: xr.Dataset) -> Figure:
    """The four panels, for the shortest chains."""
    n = int(dataset["n"].values[0])
    figure, panels = canvas(2, 2)
    draw_variation(panels[0], dataset, n)
    draw_exponents(panels[1], dataset, n)
    draw_fraction(panels[2], dataset, n)
    draw_ratios(panels[3], dataset, n)
    counts = {at(dataset, n, h)[0].sizes["realization"] for h in strengths(dataset.isel(drive=0), n)}
    engine = ", ".join(engine_of(chi) for chi in dataset["chi"].values)
    what = f"two drives of every bond, N = {n} ({engine}), {'-'.join(map(str, sorted(counts)))} realizations"
    lettered(panels)
    headline(figure, f"{dataset.attrs['preset']} preset: {what}; all sizes: {tally(dataset)}")
    return figure


def look(drive: int, shade: object, filled: bool = True) -> dict[str, Any]:
    """How a drive is drawn in every panel."""
    style = {"fmt": STYLES[drive], "ms": 4, "lw": 1, "capsize": 2}
    return style | {"color": shade, "mfc": shade if filled else "white"}


def draw_variation(axes: Axes, dataset: xr.Dataset, n: int) -> None:
    """(a) The variation under both drives at some of the h, and where it ends at this length."""
    edge = float(dataset["eps"].min()) / 1.8
    strong = strengths(dataset.isel(drive=0), n)
    for h in strong[:: max(1, len(strong) // 4)]:
        for k, here in enumerate(at(dataset, n, h)):
            style = look(k, colour(dataset, h), filled=k == 0)
            estimate = variation(here)
            dots(axes, here["eps"], estimate.value, estimate.error, label=f"{h:g}" if k == 0 else None, **style)
            if "limit_mean" in dataset:
                end = limit(here)
                style["fmt"] = "<"
                dots(axes, edge / 1.15**k, end.value, end.error, **style)
    axes.set(xscale="log", yscale="log", xlabel=COUPLING, ylabel=VARIATION)
    axes.set_ylim(bottom=axes.get_ylim()[0] / 2)
    heading = "filled correlated, open singlet,\nleft: limit at this N; h [J]:"
    axes.legend(title=heading, title_fontsize=7, ncols=4, loc="lower right")


def draw_exponents(axes: Axes, dataset: xr.Dataset, n: int) -> None:
    """(b) 1/2z in the paper's range, as read and with thermometers that agree in equilibrium."""
    h = np.array(strengths(dataset.isel(drive=0), n))
    ends = couplings(dataset, "ranges")[0]
    readings = {"": list} | ({", calibrated": calibrated} if "calibrated_mean" in dataset else {})
    for name, reading in readings.items():
        found = list(zip(*(exponents(reading(at(dataset, n, x)), ends) for x in h), strict=True))
        for k, drive in enumerate(DRIVES):
            style = look(k, SHADES[k], filled=not name)
            points(axes, h + 0.12 * k, found[k], label=f"{drive}{name}", **style)
    axes.axhline(0, **GUIDE)
    where = rf"exponent $1/2z$, $\epsilon$ = {ends[0]:g} to {ends[1]:g}"
    axes.set(xlabel=DISORDER, ylabel=where)
    axes.legend()


def draw_fraction(axes: Axes, dataset: xr.Dataset, n: int) -> None:
    """(c) P(h) at the paper's smallest couplings and at the last ones, and by what the crossings differ."""
    h = np.array(strengths(dataset.isel(drive=0), n))
    pairs = couplings(dataset, "pairs")
    moved = []
    for number, pair in enumerate((pairs[0], pairs[-1])):
        for k, drive in enumerate(DRIVES):
            found = [bootstrap(np.mean, grown(at(dataset, n, x), pair)[k]) for x in h]
            label = rf"{drive}: $\epsilon$ = {pair[0]:g}, {pair[1]:g}"
            points(axes, h + 0.12 * k, found, label=label, **look(k, SHADES[k], filled=number == 0))
        shift = crossings(dataset, n, pair)[1]
        moved.append(rf"{shift.value:+.1f} $\pm$ {shift.error:.1f}" if np.isfinite(shift.value) else "none")
    axes.axhline(0.5, **GUIDE)
    axes.set(xlabel=DISORDER, ylabel=rf"$P$({VARIATION} grows)", ylim=(0, 1.9))
    heading = "crossing, singlet - correlated:\n" + ", ".join(moved)
    axes.legend(loc="upper right", title=heading, title_fontsize=7)


def draw_ratios(axes: Axes, dataset: xr.Dataset, n: int) -> None:
    """(d) What is the drive's own: the mean inverse temperature, and the size of the variation."""
    h = np.array(strengths(dataset.isel(drive=0), n))
    parts = [at(dataset, n, x) for x in h]
    eps = parts[0][0]["eps"].values
    smallest, paper = 0, int(np.argmin(np.abs(eps - couplings(dataset, "pairs")[0][0])))
    means = [ratio_of_means(part) for part in parts]
    changes = [ratios(part) for part in parts]
    label = rf"mean $\beta$, $\epsilon$ = {eps[smallest]:g}"
    points(axes, h, [Resampled(x.value[0], x.error[0]) for x in means], label=label, **look(0, "C0"))
    for number, place in enumerate((paper, smallest)):
        found = [Resampled(x.value[place], x.error[place]) for x in changes]
        label = rf"{VARIATION}, $\epsilon$ = {eps[place]:g}"
        style = look(1, "C2", filled=number == 0)
        points(axes, h + 0.12 * number, found, label=label, **style)
    axes.axhline(1, **GUIDE)
    axes.set(xlabel=DISORDER, ylabel="singlet / correlated")
    axes.set_ylim(bottom=0)
    axes.legend()


def points(axes: Axes, x: np.ndarray, found: Sequence[Resampled], **style: Any) -> None:
    """Numbers with their error bars."""
    dots(axes, x, [one.value for one in found], [one.error for one in found], **style)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, table)
