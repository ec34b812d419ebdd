"""Fig. 2a: mutual coherence between the halves against size: volume law, volume law, area law?"""

import numpy as np
import typer
import xarray as xr
from drawing import FIGURES, LEADS, STORE, PresetOption
from matplotlib.figure import Figure
from presets import PRESETS, Preset
from samples import coherence

from tnness.study.scripts import StoreOption, WorkersOption, preset_named, save
from tnness.study.statistics import average, power_law


def averages(rows: dict[tuple[int, float], xr.Dataset], preset: Preset) -> xr.Dataset:
    """Mean and median of C_d with errors of the mean, and the worst error of an energy integral."""
    sizes, disorder = list(preset.sizes), list(preset.disorder)
    found = xr.Dataset(coords={"size": sizes, "disorder": disorder})
    for name in ("mean", "mean_error", "median", "integral_error"):
        found[name] = (("size", "disorder"), np.empty((len(sizes), len(disorder))))
    for (size, w), row in rows.items():
        at = {"size": size, "disorder": w}
        mean = average(row["mutual_coherence"].values)
        found["mean"].loc[at], found["mean_error"].loc[at] = mean.value, mean.error
        found["median"].loc[at] = float(row["mutual_coherence"].median())
        found["integral_error"].loc[at] = float(row["certificate_quadrature"].max())
    return found


def draw(data: xr.Dataset, preset: Preset) -> Figure:
    """Means with volume and area laws through the largest size."""
    figure = Figure(figsize=(5.6, 4.4), layout="constrained")
    axes = figure.subplots()
    sizes = data["size"].values
    fine = np.linspace(sizes[0], sizes[-1], 50)
    for k, w in enumerate(data["disorder"].values):
        one = data.sel(disorder=w)
        fit = power_law(sizes, one["mean"].values, one["mean_error"].values)
        label = rf"W = {w:g}: $L_0^{{{fit.exponent:.1f} \pm {fit.error:.1f}}}$"
        axes.errorbar(
            sizes, one["mean"], one["mean_error"], marker="o", ms=4, lw=0, elinewidth=1, color=f"C{k}", label=label
        )
        axes.plot(sizes, one["median"], "x", ms=4, color=f"C{k}", alpha=0.6)
        for power, style in ((3, "-"), (2, "--")):
            axes.plot(fine, float(one["mean"][-1]) * (fine / sizes[-1]) ** power, style, lw=0.7, color=f"C{k}")
    axes.set(xscale="log", yscale="log", xlabel=r"$L_0$", ylabel=r"$C_d(L:R)$", xticks=sizes, xticklabels=sizes)
    axes.minorticks_off()
    axes.legend(fontsize=7, title="fit to the means", title_fontsize=7)
    counts = ", ".join(f"{n} at {size}" for size, n in preset.sizes.items())
    what = rf"{preset.name} preset: $\delta\mu / W_c = 3 \cdot 10^{{-3}}$, {LEADS}"
    lines = r"crosses: medians; lines: $L_0^3$ (full), $L_0^2$ (dashed)"
    figure.suptitle(f"{what}\nrealisations of each W: {counts}\n{lines}", fontsize=8)
    return figure


def main(preset: PresetOption = "quick", workers: WorkersOption = 0, store: StoreOption = STORE) -> None:
    """Compute what is missing and draw."""
    chosen = preset_named(PRESETS, preset)
    data = averages(coherence(chosen, store, workers), chosen)
    save(draw(data, chosen), {"": data}, FIGURES / f"figure_2a_{preset}")
    print(data.to_dataframe())


if __name__ == "__main__":
    typer.run(main)
