"""Localisation length of bars: Lambda against W for several widths, W_c and nu from finite-size scaling."""

import numpy as np
import typer
import xarray as xr
from drawing import FIGURES, STORE, PresetOption
from matplotlib.figure import Figure
from presets import PRESETS, Preset
from samples import ratios
from scipy.optimize import curve_fit

from tnness.study.scripts import StoreOption, WorkersOption, preset_named, save

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


def draw(data: xr.Dataset, preset: Preset) -> Figure:
    """Crossing curves with the fit, and all of them against y."""
    found, errors, chi2 = fit(data)
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    fine = np.linspace(float(data["disorder"].min()), float(data["disorder"].max()), 100)
    for k, width in enumerate(data["width"].values):
        one = data.sel(width=width)
        label = f"M = {width}, {preset.bars[int(width)]:.1e} slices"
        left.errorbar(
            one["disorder"],
            one["ratio"],
            one["ratio_error"],
            marker="o",
            ms=3,
            lw=0,
            elinewidth=1,
            color=f"C{k}",
            label=label,
        )
        left.plot(fine, np.exp(law((fine, np.full_like(fine, width)), *found)), lw=0.8, color=f"C{k}")
        y = (one["disorder"].values / found[0] - 1) * width ** (1 / found[1])
        right.errorbar(y, one["ratio"], one["ratio_error"], marker="o", ms=3, lw=0, elinewidth=1, color=f"C{k}")
    left.set(xlabel="W", ylabel=r"$\Lambda = 1 / (\gamma_{min} M)$", title="(a)")
    left.legend(fontsize=7)
    told = rf"$W_c$ = {found[0]:.2f} $\pm$ {errors[0]:.2f}, $\nu$ = {found[1]:.2f} $\pm$ {errors[1]:.2f}"
    right.set(xlabel=r"$(W / W_c - 1) M^{1/\nu}$", title=rf"(b) {told}, $\Lambda_c$ = {np.exp(found[3]):.3f}")
    what = rf"bars M x M, E = 0; fit with a correction ~ $M^{{-2.8}}$, $\chi^2$ per degree of freedom {chi2:.1f}"
    figure.suptitle(f"{preset.name} preset: {what}", fontsize=8)
    return figure


def main(preset: PresetOption = "quick", workers: WorkersOption = 0, store: StoreOption = STORE) -> None:
    """Compute what is missing and draw."""
    chosen = preset_named(PRESETS, preset)
    data = ratios(chosen, store, workers)
    found, errors, chi2 = fit(data)
    data.attrs |= {
        "critical": found[0],
        "critical_error": errors[0],
        "nu": found[1],
        "nu_error": errors[1],
        "chi2": chi2,
    }
    save(draw(data, chosen), {"": data}, FIGURES / f"figure_lyapunov_{preset}")
    print(data.to_dataframe())
    for name, corrected in (("with", True), ("without", False)):
        found, errors, chi2 = fit(data, corrected)
        told = f"W_c = {found[0]:.2f} +- {errors[0]:.2f}, nu = {found[1]:.2f} +- {errors[1]:.2f}"
        print(f"{name} a correction to scaling: {told}, Lambda_c = {np.exp(found[3]):.4f}, chi2 {chi2:.2f}")


if __name__ == "__main__":
    typer.run(main)
