"""Fig. 2b: dC_d/dx at x = 24 against y = (W / W_c - 1) L0^(1/nu), and whether one curve holds all sizes."""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from presets import CRITICAL, LEADS, PRESETS, Preset
from samples import slopes
from scipy.linalg import block_diag
from scipy.optimize import curve_fit

from tnness.records.style import GUIDE, canvas, dots, headline, lettered, power_of_ten
from tnness.study.scripts import script
from tnness.study.statistics import average, covariance_of_mean

NU = 1.57
LOCALISED = 0.8
"""y beyond which the area law is drawn."""
ORDER = 3
"""Of the polynomial in y whose exponential is the curve."""
FITS = {"printed": (False, False), "nu": (True, False), "nu and W_c": (True, True)}
"""Which of 1/nu and W_c each fit varies."""


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Slopes and collapses."""
    return averages(slopes(preset, store, workers), preset)


def averages(rows: dict[tuple[int, float], xr.Dataset], preset: Preset) -> xr.Dataset:
    """Mean slope with its error, the worst error of an energy integral, and the collapses."""
    sizes, disorder = list(preset.scaling_sizes), list(preset.scaling_disorder)
    found = xr.Dataset(coords={"size": sizes, "disorder": disorder})
    for name in ("slope", "slope_error", "integral_error"):
        found[name] = (("size", "disorder"), np.empty((len(sizes), len(disorder))))
    for (size, w), row in rows.items():
        at = {"size": size, "disorder": w}
        mean = average(row["slope"].values)
        found["slope"].loc[at], found["slope_error"].loc[at] = mean.value, mean.error
        found["integral_error"].loc[at] = float(row["integral"].max())
    found["realizations"] = "size", list(preset.scaling_sizes.values())
    samples = {size: np.stack([rows[size, w]["slope"].values for w in disorder], axis=1) for size in sizes}
    return found.merge(collapses(samples, disorder)).assign_attrs(errors="correlated")


def curve(at: tuple[np.ndarray, np.ndarray], power: float, critical: float, *series: float) -> np.ndarray:
    """exp(a0 + a1 y + a2 y^2 + ...), y = (W / W_c - 1) L0^power, power = 1/nu."""
    disorder, size = at
    return np.exp(np.polyval(series[::-1], (disorder / critical - 1) * size**power))


def collapses(samples: dict[int, np.ndarray], disorder: list[float]) -> xr.Dataset:
    """Fit one curve to all sizes, with nu as printed, nu free, and nu and W_c free.

    One potential serves at every W, so that the points of a size are correlated: chi^2 takes their covariance, whose
    inverse from n samples of p points is too large by (n - 1) / (n - p - 2) (Hartlap et al. 2007). Sizes with n < p + 3
    are not fitted; with fewer than two sizes, or too few points, all is NaN.
    """
    points = len(disorder)
    kept = [size for size, array in samples.items() if len(array) > points + 2]
    shape = {"fit": list(FITS), "parameter": ["power", "critical", *(f"a{k}" for k in range(ORDER + 1))]}
    found = xr.Dataset(coords=shape)
    for name in ("value", "error"):
        found[name] = (tuple(shape), np.full([len(axis) for axis in shape.values()], np.nan))
    for name in ("chi2", "freedom"):
        found[name] = ("fit", np.full(len(FITS), np.nan))
    found["fitted"] = ("size", [size in kept for size in samples])
    found = found.assign_coords(size=list(samples))
    if len(kept) < 2 or points * len(kept) <= ORDER + 3:
        return found
    at = (np.tile(disorder, len(kept)), np.repeat(np.array(kept, float), points))
    values = np.concatenate([samples[size].mean(axis=0) for size in kept])
    blocks = []
    for array in (samples[size] for size in kept):
        blocks.append(covariance_of_mean(array) * (len(array) - 1) / (len(array) - points - 2))
    covariance = block_diag(*blocks)
    for name, which in FITS.items():
        free = np.array([*which, *[True] * (ORDER + 1)])
        best, spread, chi2 = collapse(at, values, covariance, free)
        found["value"].loc[{"fit": name}], found["error"].loc[{"fit": name}] = best, spread
        found["chi2"].loc[{"fit": name}], found["freedom"].loc[{"fit": name}] = chi2, len(values) - free.sum()
    return found


def collapse(
    at: tuple[np.ndarray, np.ndarray], values: np.ndarray, covariance: np.ndarray, free: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Parameters of `curve`, their errors (0 where held) and chi^2, by generalised least squares."""
    start = np.array([1 / NU, CRITICAL, np.log(0.02), -0.8, *[0.0] * (ORDER - 1)])

    def model(at: tuple[np.ndarray, np.ndarray], *parameters: float) -> np.ndarray:
        full = start.copy()
        full[free] = parameters
        return curve(at, *full)

    kept, errors, info, _, _ = curve_fit(
        model, at, values, p0=start[free], sigma=covariance, absolute_sigma=True, maxfev=20_000, full_output=True
    )
    best, spread = start.copy(), np.zeros(len(start))
    best[free], spread[free] = kept, np.sqrt(np.diagonal(errors))
    return best, spread, float(np.sum(info["fvec"] ** 2))


def amplitude(data: xr.Dataset) -> float:
    """Return A of A y^-nu fitted to the localised points of all sizes."""
    y = (data["disorder"] / CRITICAL - 1) * data["size"] ** (1 / NU)
    chosen = (y > LOCALISED).transpose("size", "disorder").values
    values, errors = data["slope"].values[chosen], data["slope_error"].values[chosen]
    law = y.transpose("size", "disorder").values[chosen] ** -NU
    return float(np.sum(law * values / errors**2) / np.sum(law**2 / errors**2))


def draw(table: xr.Dataset) -> Figure:
    """All sizes against y, with nu as printed and as fitted, and the fitted curves."""
    figure, (left, right) = canvas(1, 2, sharey=True)
    draw_collapse(left, table, "printed")
    law = amplitude(table)
    fine = np.linspace(LOCALISED, left.get_xlim()[1], 50)
    label = rf"$\propto y^{{-\nu}}$, fitted to $y > {LOCALISED}$"
    left.plot(fine, law * fine**-NU, "k--", lw=0.8, label=label)
    left.set(xlabel=rf"$y = (W/W_c - 1) L_0^{{1/\nu}}$, $\nu = {NU}$", ylabel=r"$dC_d/dx$ at $x = 24$")
    draw_collapse(right, table, "nu")
    right.set(xlabel=r"$y = (W/W_c - 1) L_0^{1/\nu}$, $1/\nu$ fitted")
    titles = []
    for name, what in (("printed", "the letter's"), ("nu", "fitted")):
        one = table.sel(fit=name)
        power, error = (float(one[v].sel(parameter="power")) for v in ("value", "error"))
        told = rf" $\pm$ {error:.2f}" if error else ""
        chi2 = rf"$\chi^2$ = {float(one['chi2']):.1f} / {float(one['freedom']):.0f}"
        titles.append(rf"{what}: $1/\nu$ = {power:.2f}{told}; {chi2}")
    for axes in (left, right):
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        axes.legend()
    lettered((left, right), titles)
    sizes, several = table["size"].values, table["realizations"].values
    counts = ", ".join(f"{int(n)} at {size}" for size, n in zip(sizes, several, strict=True))
    worst = power_of_ten(float(table["integral_error"].max()), 0)
    what = f"realizations of each W at $L_0$: {counts}; integrals to {worst}"
    lines = f"lines: exp(polynomial of order {ORDER}), {table.attrs['errors']} errors"
    headline(figure, f"{table.attrs['preset']} preset: {LEADS}, $W_c$ = {CRITICAL}; {lines}\n{what}")
    return figure


def draw_collapse(axes: Axes, table: xr.Dataset, name: str) -> None:
    """The points against y of one fit, and its curve."""
    best = table["value"].sel(fit=name).values
    power, critical = (best[0], best[1]) if np.isfinite(best).all() else (1 / NU, CRITICAL)
    sizes = table["size"].values
    y = {size: (table["disorder"].values / critical - 1) * size**power for size in sizes}
    for size, marker in zip(sizes, "osD^v", strict=False):
        one = table.sel(size=size)
        dots(axes, y[size], one["slope"], one["slope_error"], fmt=marker, label=rf"$L_0$ = {size}")
    axes.axvline(0, **GUIDE)
    fine = np.linspace(min(map(min, y.values())), max(map(max, y.values())), 100)
    axes.plot(fine, np.exp(np.polyval(best[:1:-1], fine)), "k-", lw=0.7)


def tell(table: xr.Dataset) -> str:
    """The points and the collapses."""
    lines = [str(table[["slope", "slope_error", "integral_error"]].to_dataframe())]
    for name in FITS:
        one = table.sel(fit=name)
        power, critical = (
            f"{float(one['value'].sel(parameter=p)):.3f} +- {float(one['error'].sel(parameter=p)):.3f}"
            for p in ("power", "critical")
        )
        chi2 = f"chi2 {float(one['chi2']):.1f} / {float(one['freedom']):.0f}"
        lines.append(f"{name}: 1/nu = {power}, W_c = {critical}, {chi2}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
