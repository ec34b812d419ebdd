"""Fig. 1: temperature fluctuations of the one-dimensional thermal network against eps, and their exponents."""

from pathlib import Path

import numpy as np
import typer
import xarray as xr
from analysis import diffusive_variation, fit_range, printed_z, slope, suggested_z, variation
from drawing import FIGURES, PARAMETERS, STORE, PresetOption, colour
from matplotlib.figure import Figure
from networks import thermal
from presets import PRESETS, Preset

from tnness.study.scripts import StoreOption, WorkersOption, preset_named, save


def averages(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """dT/T and its exponent for every size and alpha, with errors."""
    parts = []
    for ensemble in preset.thermal:
        data = thermal(ensemble, store, workers)
        values = [variation(data.sel(alpha=a)) for a in ensemble.alpha]
        slopes = [slope(data.sel(alpha=a), *fit_range(a)) for a in ensemble.alpha]
        part = xr.Dataset(coords={"alpha": list(ensemble.alpha), "eps": list(ensemble.eps)})
        part["variation"] = (("alpha", "eps"), [v.value for v in values])
        part["variation_error"] = (("alpha", "eps"), [v.error for v in values])
        part["slope"] = ("alpha", [s.value for s in slopes])
        part["slope_error"] = ("alpha", [s.error for s in slopes])
        part["realisations"] = ensemble.realisations
        parts.append(part.assign_coords(n=ensemble.n))
    return xr.concat(parts, dim="n", data_vars="all", coords="minimal", compat="override")


def draw(data: xr.Dataset, preset: Preset) -> Figure:
    """Fluctuations at the paper's size; exponents at all sizes against both predictions."""
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    main = data.sel(n=1000)
    eps = data["eps"].values
    for k, alpha in enumerate(data["alpha"].values):
        one = main.sel(alpha=alpha)
        shade = colour(k, data.sizes["alpha"])
        label = rf"$\alpha$ = {alpha:g}: {float(one['slope']):.4f} $\pm$ {float(one['slope_error']):.4f}"
        left.errorbar(
            eps,
            one["variation"],
            one["variation_error"],
            marker="o",
            ms=3,
            lw=0,
            elinewidth=1,
            color=shade,
            label=label,
        )
        low = (eps >= fit_range(alpha)[0] * 0.99) & (eps <= fit_range(alpha)[1] * 1.01)
        anchor = float(one["variation"].values[low][0])
        for z, style in ((suggested_z(alpha), "-"), (printed_z(alpha), ":")):
            left.plot(eps[low], anchor * (eps[low] / eps[low][0]) ** (1 / (2 * z)), style, lw=1, color=shade)
        if alpha > 1:
            left.plot(eps, diffusive_variation(alpha, eps), "--", lw=0.8, color=shade)
    left.set(xscale="log", yscale="log", xlabel=r"$\epsilon$", ylabel=r"$\delta T / \bar T$", title="(a) N = 1000")
    left.legend(fontsize=6.5, title="exponent", title_fontsize=7)
    for k, n in enumerate(data["n"].values):
        one = data.sel(n=n)
        right.errorbar(
            one["alpha"],
            one["slope"],
            one["slope_error"],
            marker="o",
            ms=3,
            lw=0,
            elinewidth=1,
            color=f"C{k}",
            label=f"N = {n}",
        )
    fine = np.linspace(0.15, 3, 300)
    right.plot(fine, [1 / (2 * suggested_z(a)) for a in fine], "k-", lw=1, label=r"$z = 1 + 1/\alpha$, then 2")
    right.plot(fine, [1 / (2 * printed_z(a)) for a in fine], "k:", lw=1, label=r"$z = 1/\alpha$ (paper), then 2")
    right.set(
        xlabel=r"$\alpha = a/\xi$", ylabel=r"exponent of $\epsilon$, $1/2z$", ylim=(0, 0.55), title="(b) all sizes"
    )
    right.legend(fontsize=7)
    counts = ", ".join(
        f"{int(m)} at N = {n}" for n, m in zip(data["n"].values, data["realisations"].values, strict=True)
    )
    lines = "lines over the fitted range: z = 1 + 1/alpha (solid), 1/alpha (dotted); eq. (12), z = 2 (dashed)"
    what = f"{preset.name} preset: thermal network, d = 1; {PARAMETERS}"
    figure.suptitle(f"{what}; realisations: {counts}\n{lines}", fontsize=8)
    return figure


def main(preset: PresetOption = "quick", workers: WorkersOption = 0, store: StoreOption = STORE) -> None:
    """Compute what is missing and draw."""
    chosen = preset_named(PRESETS, preset)
    data = averages(chosen, store, workers)
    save(draw(data, chosen), {"": data}, FIGURES / f"figure_1_{preset}")
    for n in data["n"].values:
        for alpha in data["alpha"].values:
            one = data.sel(n=n, alpha=alpha)
            fitted = f"{float(one['slope']):.4f} +- {float(one['slope_error']):.4f}"
            lines = [1 / (2 * z(alpha)) for z in (suggested_z, printed_z)]
            print(f"N = {n:>5}, alpha = {alpha:<4g} {fitted}; 1 + 1/alpha: {lines[0]:.4f}, 1/alpha: {lines[1]:.4f}")


if __name__ == "__main__":
    typer.run(main)
