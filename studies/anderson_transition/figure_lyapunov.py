"""Localisation length of bars: Lambda against W for several widths, W_c and nu from finite-size scaling."""

import numpy as np
import typer
import xarray as xr
from drawing import STORE, PresetOption, StoreOption, preset_named, save
from matplotlib.figure import Figure
from presets import Preset
from samples import ratios
from scipy.optimize import curve_fit


def law(at: tuple[np.ndarray, np.ndarray], critical: float, nu: float, *series: float) -> np.ndarray:
    """ln Lambda = a0 + a1 y + a2 y^2 + ..., y = (W / W_c - 1) M^(1/nu): no irrelevant variables."""
    disorder, width = at
    return np.polyval(series[::-1], (disorder / critical - 1) * width ** (1 / nu))


def fit(data: xr.Dataset, order: int = 2) -> tuple[np.ndarray, np.ndarray, float]:
    """Parameters, their errors, and chi^2 per degree of freedom."""
    width, disorder = np.meshgrid(data["width"], data["disorder"], indexing="ij")
    at = (disorder.ravel(), width.ravel().astype(float))
    values = np.log(data["ratio"].values.ravel())
    errors = (data["ratio_error"] / data["ratio"]).values.ravel()
    start = (16.5, 1.57, np.log(0.58), -0.5, *[0.0] * (order - 1))
    found, covariance = curve_fit(law, at, values, p0=start, sigma=errors, absolute_sigma=True, maxfev=20_000)
    chi2 = np.sum(((law(at, *found) - values) / errors) ** 2) / (len(values) - len(start))
    return found, np.sqrt(np.diagonal(covariance)), float(chi2)


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
    right.set(xlabel=r"$(W / W_c - 1) M^{1/\nu}$", title=rf"(b) {told}, $\Lambda_c$ = {np.exp(found[2]):.3f}")
    what = rf"bars M x M, E = 0; fit without irrelevant variables, $\chi^2$ per degree of freedom {chi2:.1f}"
    figure.suptitle(f"{preset.name} preset: {what}", fontsize=8)
    return figure


def main(preset: PresetOption = "quick", store: StoreOption = STORE) -> None:
    """Compute what is missing and draw."""
    chosen = preset_named(preset)
    data = ratios(chosen, store)
    found, errors, chi2 = fit(data)
    data.attrs |= {
        "critical": found[0],
        "critical_error": errors[0],
        "nu": found[1],
        "nu_error": errors[1],
        "chi2": chi2,
    }
    save(draw(data, chosen), data, "figure_lyapunov", chosen)
    print(data.to_dataframe())
    told = f"W_c = {found[0]:.2f} +- {errors[0]:.2f}, nu = {found[1]:.2f} +- {errors[1]:.2f}"
    print(f"{told}, Lambda_c = {np.exp(found[2]):.4f}, chi2 {chi2:.2f}")


if __name__ == "__main__":
    typer.run(main)
