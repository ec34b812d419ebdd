"""Fig. 6: current density through a square of random links against eps: finite as eps -> 0, then linear."""

from pathlib import Path

import numpy as np
import typer
import xarray as xr
from drawing import FIGURES, STORE, PresetOption, colour
from matplotlib.figure import Figure
from networks import currents
from presets import PRESETS, Preset

from tnness.study.scripts import StoreOption, WorkersOption, preset_named, save
from tnness.study.statistics import average


def averages(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Mean current density and its error."""
    data = currents(preset.charge_plane, store, workers, dim=2)
    found = average(data["current"].transpose("realisation", "alpha", "eps").values)
    kept = xr.Dataset(coords={"alpha": data["alpha"], "eps": data["eps"]}, attrs=data.attrs)
    kept["current"], kept["current_error"] = (("alpha", "eps"), found.value), (("alpha", "eps"), found.error)
    return kept


def draw(data: xr.Dataset, preset: Preset) -> Figure:
    """Data and straight lines c1 + c2 eps."""
    figure = Figure(figsize=(5.6, 4.4), layout="constrained")
    axes = figure.subplots()
    eps = data["eps"].values
    for k, alpha in enumerate(data["alpha"].values):
        one, shade = data.sel(alpha=alpha), colour(k, data.sizes["alpha"])
        slope, start = np.polyfit(eps, one["current"].values, 1)
        off = np.abs(one["current"].values - start - slope * eps).max() / float(one["current"].max())
        label = rf"$\alpha$ = {alpha:g}: {start:.4f} + {slope:.4f} $\epsilon$, off by {100 * off:.0f} %"
        axes.errorbar(
            eps, one["current"], one["current_error"], marker="o", ms=3, lw=0, elinewidth=1, color=shade, label=label
        )
        axes.plot(eps, start + slope * eps, "-", lw=0.8, color=shade)
    axes.set(xlabel=r"$\epsilon$", ylabel=r"$j / Na$", ylim=(0, None))
    axes.legend(fontsize=7)
    n = data.attrs["n"]
    what = rf"charge network, d = 2, {n} x {n}, V = 0.1 N, $\sigma_0 = 1$, $a\Gamma_0 = 5$"
    figure.suptitle(
        f"{preset.name} preset: {what},\n{data.attrs['realisations']} realisations; lines: fits", fontsize=8
    )
    return figure


def main(preset: PresetOption = "quick", workers: WorkersOption = 0, store: StoreOption = STORE) -> None:
    """Compute what is missing and draw."""
    chosen = preset_named(PRESETS, preset)
    data = averages(chosen, store, workers)
    save(draw(data, chosen), {"": data}, FIGURES / f"figure_6_{preset}")


if __name__ == "__main__":
    typer.run(main)
