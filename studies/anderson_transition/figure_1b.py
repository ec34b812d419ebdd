"""Fig. 1b: the profile of the density that the bias adds, against three laws for the diffusion constant."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from presets import BIAS, LEADS, PRESETS, Preset
from samples import coherence
from scipy.optimize import curve_fit

from tnness.records.style import canvas, dots, headline, lettered
from tnness.study.scripts import script
from tnness.study.statistics import average, covariance_of_mean, jackknife


def profile(diffusion: np.ndarray) -> np.ndarray:
    """The solution of d(D dn/dx)/dx = 0 from 1 to -1, for D on a grid over [0, 1]."""
    resistance = np.concatenate([[0], np.cumsum((1 / diffusion[1:] + 1 / diffusion[:-1]) / 2)])
    return 1 - 2 * resistance / resistance[-1]


GRID = np.linspace(0, 1, 801)


def diffusive(x: np.ndarray, scale: float) -> np.ndarray:
    """Constant D."""
    return scale * np.interp(x, GRID, profile(np.ones_like(GRID)))


def critical(x: np.ndarray, scale: float, depth: float) -> np.ndarray:
    """D = D0 / (1 + x_B / x_c); depth: L0 / x_c."""
    return scale * np.interp(x, GRID, profile(1 / (1 + abs(depth) * np.minimum(GRID, 1 - GRID))))


def localised(x: np.ndarray, scale: float, strength: float) -> np.ndarray:
    """D ~ exp(-x1 (L0 - x1) / (xi^(3/2) L0^(1/2))); strength: (L0 / xi)^(3/2)."""
    return scale * np.interp(x, GRID, profile(np.exp(-abs(strength) * GRID * (1 - GRID))))


LAWS = {"diffusive": diffusive, "critical": critical, "localised": localised}
UNBOUNDED = 1e3
"""Parameter beyond which a law has come to its limit."""
ENOUGH = 30
"""Realizations below which a size has no profile: the errors of its slices and their correlations would mean little."""


def antisymmetric(density: np.ndarray) -> np.ndarray:
    """(n(x) - n(L0 - x)) / 2 of every realization: (realization, slice)."""
    return (density - density[:, ::-1]) / 2


def step_width(density: np.ndarray) -> float:
    """4 sum_(x1 < L0/2) (1 - n(x1) / n(first slice)): 0 of a step, L0 - 1 of a line but for 1 / (L0 - 1)."""
    profile = antisymmetric(density).mean(axis=0)
    half = profile[: len(profile) // 2]
    return float(4 * np.sum(1 - half / half[0]))


def fit(law: Callable[..., np.ndarray], density: np.ndarray) -> tuple[float, float, float]:
    """Parameter with its error and chi^2 of a law in the left half; the slices of a realization are correlated.

    The inverse of a covariance from n samples is too large on average, by (n - 1) / (n - p - 2) of p slices.
    """
    half = antisymmetric(density)[:, : density.shape[1] // 2]
    count, slices = half.shape
    x = (np.arange(slices) + 0.5) / density.shape[1]
    covariance = covariance_of_mean(half) * (count - 1) / (count - slices - 2)
    mean = half.mean(axis=0)
    start = (mean[0],) if law is diffusive else (mean[0], 3.0)
    found, spread = curve_fit(law, x, mean, p0=start, sigma=covariance, absolute_sigma=True, maxfev=20_000)
    off = law(x, *found) - mean
    chi2 = float(off @ np.linalg.solve(covariance, off))
    parameter = (abs(found[1]), np.sqrt(spread[1, 1])) if len(found) > 1 else (np.nan, np.nan)
    return float(parameter[0]), float(parameter[1]), chi2


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Profiles, widths and fits at the letter's bias."""
    return averages(coherence(preset, store, workers), preset)


def averages(rows: dict[tuple[int, float], xr.Dataset], preset: Preset) -> xr.Dataset:
    """Antisymmetrised profiles per site of the sizes with enough realizations, widths of the step, fits of the laws."""
    sizes = [s for s in preset.sizes if any(preset.realizations(s, w) >= ENOUGH for w in preset.disorder)]
    shape = {"size": sizes, "disorder": list(preset.disorder)}
    found = xr.Dataset(coords=shape | {"slice": np.arange(max(sizes)), "law": list(LAWS)})
    for name, extra in (
        ("density", "slice"),
        ("density_error", "slice"),
        ("parameter", "law"),
        ("parameter_error", "law"),
        ("chi2", "law"),
        ("step_width", None),
        ("step_width_error", None),
    ):
        dims = [*shape, extra] if extra else [*shape]
        found[name] = (dims, np.full([found.sizes[d] for d in dims], np.nan))
    for size in sizes:
        for w in [w for w in preset.disorder if preset.realizations(size, w) >= ENOUGH]:
            samples = rows[size, w]["density"].values / size**2
            at = {"size": size, "disorder": w}
            mean = average(antisymmetric(samples))
            found["density"].loc[at | {"slice": slice(0, size - 1)}] = mean.value
            found["density_error"].loc[at | {"slice": slice(0, size - 1)}] = mean.error
            width = jackknife(step_width, samples)
            found["step_width"].loc[at], found["step_width_error"].loc[at] = width.value, width.error
            for name, law in LAWS.items():
                values = fit(law, samples)
                for variable, value in zip(("parameter", "parameter_error", "chi2"), values, strict=True):
                    found[variable].loc[at | {"law": name}] = value
    counts = [[preset.realizations(size, w) for w in preset.disorder] for size in sizes]
    found["realizations"] = (("size", "disorder"), counts)
    return found


def draw(table: xr.Dataset) -> Figure:
    """One panel a W with the fits of the three laws to its largest size; the width of the step against size."""
    count = table.sizes["disorder"]
    figure, panels = canvas(2, (count + 2) // 2)
    titles = []
    for axes, w in zip(panels, table["disorder"].values, strict=False):
        size = int(table["size"].where(table["chi2"].sel(disorder=w, law="diffusive").notnull()).max())
        draw_profile(axes, table.sel(disorder=w, size=size), size)
        several = int(table["realizations"].sel(disorder=w, size=size))
        titles.append(f"W = {w:g}, $L_0$ = {size}, {several} realizations")
    largest = max(max(np.abs(axes.get_ylim())) for axes in panels[:count])
    for axes in panels[:count]:
        axes.set_ylim(-1.1 * largest, 2.2 * largest)
        axes.set(xlabel=r"$x_1 / L_0$", ylabel=r"added density $\delta n$ per site")
        axes.legend(loc="upper left")
    draw_widths(panels[count], table)
    for axes in panels[count + 1 :]:
        axes.set_axis_off()
    lettered(panels[: count + 1], (*titles, "all sizes"))
    laws = r"fits: an amplitude, and $L_0 / x_c$ (critical) or $(L_0 / \xi)^{3/2}$ (localised)"
    headline(figure, f"{table.attrs['preset']} preset: {BIAS}, {LEADS}\nantisymmetrised profiles; {laws}")
    return figure


def draw_profile(axes: Axes, one: xr.Dataset, size: int) -> None:
    """Data of one size and W, and the laws with the fitted parameter and the amplitude of the first slice."""
    x = (np.arange(size) + 0.5) / size
    density, error = (one[name].values[:size] for name in ("density", "density_error"))
    dots(axes, x, density, error, ms=3, color="k")
    for (name, law), style in zip(LAWS.items(), ("-", "--", "-."), strict=True):
        at = one.sel(law=name)
        free = () if name == "diffusive" else (float(at["parameter"]),)
        scale = scale_of(law, x, density, error, free)
        told = f" {told_parameter(at)}" if free else ""
        freedom = size // 2 - 1 - len(free)
        label = rf"{name}{told}: $\chi^2$ = {float(at['chi2']):.1f} / {freedom}"
        axes.plot(GRID, law(GRID, scale, *free), style, label=label)


def told_parameter(at: xr.Dataset) -> str:
    """A fitted parameter with its error, or that it has no upper bound."""
    value, error = float(at["parameter"]), float(at["parameter_error"])
    if np.isnan(value):
        return ""
    if value >= UNBOUNDED:
        return "unbounded"
    return rf"< {value + error:.1g}" if value < error / 10 else rf"{value:.2g} $\pm$ {error:.2g}"


def scale_of(law: Callable[..., np.ndarray], x: np.ndarray, y: np.ndarray, error: np.ndarray, free: tuple) -> float:
    """The amplitude with which a law is drawn, by least squares."""
    shape = law(x, 1.0, *free)
    return float(np.sum(shape * y / error**2) / np.sum(shape**2 / error**2))


def draw_widths(axes: Axes, table: xr.Dataset) -> None:
    """Width of the step against size: L0 - 1 of a line, 2/3 L0 at the critical point, ~ L0^(1/4) localised."""
    sizes = table["size"].values
    for w in table["disorder"].values:
        one = table.sel(disorder=w)
        dots(axes, sizes, one["step_width"], one["step_width_error"], fmt="o-", lw=0.7, label=f"W = {w:g}")
    fine = np.linspace(sizes[0], sizes[-1], 50)
    axes.plot(fine, fine - 1, "k-", lw=0.7, label="a line")
    axes.plot(fine, 2 * fine / 3, "k--", lw=0.7, label=r"critical, $L_0 \gg x_c$")
    last = float(table["step_width"].isel(disorder=-1, size=-1))
    axes.plot(fine, last * (fine / sizes[-1]) ** 0.25, "k:", lw=0.9, label=r"$\propto L_0^{1/4}$")
    axes.set(xlabel="size $L_0$", ylabel="width of the step [slices]", ylim=(0, None), xticks=sizes)
    axes.legend(loc="lower left", ncols=2)


def tell(table: xr.Dataset) -> str:
    """Widths and fits."""
    lines = []
    for size in table["size"].values:
        for w in table["disorder"].values:
            one = table.sel(size=size, disorder=w)
            if np.isnan(one["step_width"]):
                continue
            width = f"width {float(one['step_width']):.2f} +- {float(one['step_width_error']):.2f} slices"
            fits = []
            for name in LAWS:
                at = one.sel(law=name)
                found = f"{float(at['parameter']):.2g} +- {float(at['parameter_error']):.1g}"
                fits.append(f"{name} {found}, chi2 {float(at['chi2']):.1f}")
            lines.append(f"L0 = {size}, W = {w:g}: {width}; {size // 2} slices: {'; '.join(fits)}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
