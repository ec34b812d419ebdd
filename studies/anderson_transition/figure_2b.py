"""Fig. 2b: dC_d/dx at x = 24 against y = (W / W_c - 1) L0^(1/nu)."""

import numpy as np
import typer
import xarray as xr
from drawing import FIGURES, LEADS, STORE, PresetOption
from matplotlib.figure import Figure
from presets import CRITICAL, PRESETS, Preset
from samples import slopes

from tnness.study.scripts import StoreOption, WorkersOption, preset_named, save
from tnness.study.statistics import average

NU = 1.57
LOCALISED = 0.8
"""y beyond which the area law is drawn."""


def averages(rows: dict[tuple[int, float], xr.Dataset], preset: Preset) -> xr.Dataset:
    """Mean slope with its error, and the worst error of an energy integral."""
    sizes, disorder = list(preset.scaling_sizes), list(preset.scaling_disorder)
    found = xr.Dataset(coords={"size": sizes, "disorder": disorder})
    for name in ("slope", "slope_error", "integral_error"):
        found[name] = (("size", "disorder"), np.empty((len(sizes), len(disorder))))
    for (size, w), row in rows.items():
        at = {"size": size, "disorder": w}
        mean = average(row["slope"].values)
        found["slope"].loc[at], found["slope_error"].loc[at] = mean.value, mean.error
        found["integral_error"].loc[at] = float(row["integral"].max())
    return found


def amplitude(data: xr.Dataset) -> float:
    """Return A of A y^-nu fitted to the localised points of all sizes."""
    y = (data["disorder"] / CRITICAL - 1) * data["size"] ** (1 / NU)
    chosen = (y > LOCALISED).transpose("size", "disorder").values
    values, errors = data["slope"].values[chosen], data["slope_error"].values[chosen]
    law = y.transpose("size", "disorder").values[chosen] ** -NU
    return float(np.sum(law * values / errors**2) / np.sum(law**2 / errors**2))


def draw(data: xr.Dataset, preset: Preset) -> Figure:
    """All sizes against y, and A y^-nu through the last point of the largest."""
    figure = Figure(figsize=(5.6, 4.4), layout="constrained")
    axes = figure.subplots()
    for k, size in enumerate(data["size"].values):
        one = data.sel(size=size)
        y = (one["disorder"].values / CRITICAL - 1) * size ** (1 / NU)
        axes.errorbar(
            y, one["slope"], one["slope_error"], marker="o", ms=4, lw=0.7, color=f"C{k}", label=rf"$L_0$ = {size}"
        )
    law = amplitude(data)
    fine = np.linspace(LOCALISED, 3.0, 50)
    axes.plot(
        fine,
        law * fine**-NU,
        "k--",
        lw=0.8,
        label=rf"$\propto \xi / L_0 \propto y^{{-\nu}}$, fitted to y > {LOCALISED}",
    )
    axes.axvline(0, color="0.7", lw=0.6)
    axes.set(xlabel=r"$y = (W/W_c - 1) L_0^{1/\nu}$, $\nu = 1.57$", ylabel=r"$dC_d/dx$ at $x = 24$", ylim=(0, None))
    axes.legend(fontsize=7)
    counts = ", ".join(f"{n} at {size}" for size, n in preset.scaling_sizes.items())
    worst = float(data["integral_error"].max())
    figure.suptitle(
        f"{preset.name} preset: {LEADS}\nrealisations of each W: {counts}; integrals to {worst:.0e}", fontsize=8
    )
    return figure


def main(preset: PresetOption = "quick", workers: WorkersOption = 0, store: StoreOption = STORE) -> None:
    """Compute what is missing and draw."""
    chosen = preset_named(PRESETS, preset)
    data = averages(slopes(chosen, store, workers), chosen)
    save(draw(data, chosen), {"": data}, FIGURES / f"figure_2b_{preset}")
    print(data.to_dataframe())


if __name__ == "__main__":
    typer.run(main)
