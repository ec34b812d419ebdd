"""Fig. 5: current through a line of random links against eps, beside the mean resistivity of eq. (5)."""

from pathlib import Path

import typer
import xarray as xr
from analysis import mean_current, resistive_current
from drawing import FIGURES, STORE, PresetOption, colour
from matplotlib.figure import Figure
from networks import currents
from presets import PRESETS, Preset

from tnness.study.scripts import StoreOption, WorkersOption, preset_named, save
from tnness.study.statistics import average


def averages(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Mean current and its error."""
    data = currents(preset.charge, store, workers)
    found = average(data["current"].transpose("realisation", "alpha", "eps").values)
    kept = xr.Dataset(coords={"alpha": data["alpha"], "eps": data["eps"]}, attrs=data.attrs)
    kept["current"], kept["current_error"] = (("alpha", "eps"), found.value), (("alpha", "eps"), found.error)
    return kept


def draw(data: xr.Dataset, preset: Preset) -> Figure:
    """Data, and eq. (5) without any free number for alpha < 1."""
    figure = Figure(figsize=(5.6, 4.4), layout="constrained")
    axes = figure.subplots()
    eps = data["eps"].values
    for k, alpha in enumerate(data["alpha"].values):
        one, shade = data.sel(alpha=alpha), colour(k, data.sizes["alpha"])
        axes.errorbar(
            eps,
            one["current"],
            one["current_error"],
            marker="o",
            ms=3,
            lw=0,
            elinewidth=1,
            color=shade,
            label=rf"$\alpha$ = {alpha:g}",
        )
        axes.plot(eps, mean_current(alpha, eps), "-", lw=0.8, color=shade)
        if alpha < 1:
            axes.plot(eps, resistive_current(alpha, eps), ":", lw=0.8, color=shade)
    axes.set(xscale="log", yscale="log", xlabel=r"$\epsilon$", ylabel="j")
    axes.legend(fontsize=7)
    what = rf"charge network, d = 1, N = {data.attrs['n']}, V = 0.1 N, $\sigma_0 = 1$, $a\Gamma_0 = 5$"
    told = f"{data.attrs['realisations']} realisations; mean resistance of a link: exact (lines), eq. (5) (dotted)"
    figure.suptitle(f"{preset.name} preset: {what},\n{told}", fontsize=8)
    return figure


def main(preset: PresetOption = "quick", workers: WorkersOption = 0, store: StoreOption = STORE) -> None:
    """Compute what is missing and draw."""
    chosen = preset_named(PRESETS, preset)
    data = averages(chosen, store, workers)
    save(draw(data, chosen), {"": data}, FIGURES / f"figure_5_{preset}")
    for alpha in data["alpha"].values:
        one = data["current"].sel(alpha=alpha).values
        ratio = one / resistive_current(alpha, data["eps"].values)
        exact = one / mean_current(alpha, data["eps"].values)
        print(f"over the exact mean: {exact[0]:.3f} to {exact[-1]:.3f}", end="; ")
        print(f"alpha = {alpha:<4g} j = {one[0]:.3e} to {one[-1]:.3e}; over eq. (5): {ratio[0]:.2f} to {ratio[-1]:.2f}")


if __name__ == "__main__":
    typer.run(main)
