"""Localisation length of bars: Lambda against W for several widths, W_c and nu from finite-size scaling."""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from presets import PRESETS, Preset
from samples import ratios
from scipy.optimize import curve_fit

from tnness.records.style import canvas, dots, headline, lettered, power_of_ten
from tnness.study.scripts import script

IRRELEVANT = -2.8
"""Exponent of the leading correction to scaling; Slevin and Ohtsuki's -2.8(5). Its amplitude is fitted."""


def law(at: tuple[np.ndarray, np.ndarray], critical: float, nu: float, correction: float, *series: float) -> np.ndarray:
    """ln Lambda = b M^-2.8 + a0 + a1 y + a2 y^2 + ..., y = (W / W_c - 1) M^(1/nu)."""
    disorder, width = at
    y = (disorder / critical - 1) * width ** (1 / nu)
    return np.polyval(series[::-1], y) + correction * width**IRRELEVANT


def fit(data: xr.Dataset, corrected: bool = True, order: int = 2) -> tuple[np.ndarray, np.ndarray, float]:
    """Parameters, their errors, and chi^2 per degree of freedom; with or without the correction to scaling."""
    width, disorder = np.meshgrid(data["width"], data["disorder"], indexing="ij")
    at = (disorder.ravel(), width.ravel().astype(float))
    values = np.log(data["ratio"].values.ravel())
    errors = (data["ratio_error"] / data["ratio"]).values.ravel()
    free = np.array([True, True, corrected, *[True] * (order + 1)])
    start = np.array([16.5, 1.57, 0.0, np.log(0.58), -0.5, *[0.0] * (order - 1)])

    def model(at: tuple[np.ndarray, np.ndarray], *parameters: float) -> np.ndarray:
        full = start.copy()
        full[free] = parameters
        return law(at, *full)

    kept, covariance = curve_fit(model, at, values, p0=start[free], sigma=errors, absolute_sigma=True, maxfev=20_000)
    found, spread = start.copy(), np.zeros(len(start))
    found[free], spread[free] = kept, np.sqrt(np.diagonal(covariance))
    chi2 = np.sum(((law(at, *found) - values) / errors) ** 2) / max(1, len(values) - free.sum())
    return found, spread, float(chi2)


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Lambda of bars, and the fit."""
    table = ratios(preset, store, workers)
    found, errors, chi2 = fit(table)
    about = {"critical": found[0], "critical_error": errors[0], "nu": found[1], "nu_error": errors[1], "chi2": chi2}
    return table.assign(slices=("width", list(preset.bars.values()))).assign_attrs(about)


def draw(table: xr.Dataset) -> Figure:
    """Crossing curves with the fit, and all of them against y."""
    found, errors, chi2 = fit(table)
    figure, (left, right) = canvas(1, 2, sharey=True)
    fine = np.linspace(float(table["disorder"].min()), float(table["disorder"].max()), 100)
    for k, width in enumerate(table["width"].values):
        one, style = table.sel(width=width), {"fmt": "osD^v"[k], "ms": 3, "color": f"C{k}"}
        label = f"M = {width}, {power_of_ten(float(one['slices']))} slices"
        dots(left, one["disorder"], one["ratio"], one["ratio_error"], label=label, **style)
        left.plot(fine, np.exp(law((fine, np.full_like(fine, width)), *found)), lw=0.8, color=f"C{k}")
        y = (one["disorder"].values / found[0] - 1) * width ** (1 / found[1])
        dots(right, y, one["ratio"], one["ratio_error"], label=f"M = {width}", **style)
    left.set(xlabel="disorder $W$", ylabel=r"$\Lambda = 1 / (\gamma_{\min} M)$")
    right.set(xlabel=r"$(W / W_c - 1) M^{1/\nu}$")
    for axes in (left, right):
        axes.legend()
    told = rf"$W_c$ = {found[0]:.2f} $\pm$ {errors[0]:.2f}, $\nu$ = {found[1]:.2f} $\pm$ {errors[1]:.2f}"
    lettered((left, right), ("lines: fit", rf"{told}, $\Lambda_c$ = {np.exp(found[3]):.3f}"))
    what = r"bars $M \times M$, E = 0; fit with a correction $\propto M^{-2.8}$, $\chi^2$ per degree of freedom"
    headline(figure, f"{table.attrs['preset']} preset: {what} {chi2:.1f}")
    return figure


def tell(table: xr.Dataset) -> str:
    """The fit with and without a correction to scaling."""
    lines = [str(table.to_dataframe())]
    for name, corrected in (("with", True), ("without", False)):
        found, errors, chi2 = fit(table, corrected)
        told = f"W_c = {found[0]:.2f} +- {errors[0]:.2f}, nu = {found[1]:.2f} +- {errors[1]:.2f}"
        lines.append(f"{name} a correction to scaling: {told}, Lambda_c = {np.exp(found[3]):.4f}, chi2 {chi2:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
