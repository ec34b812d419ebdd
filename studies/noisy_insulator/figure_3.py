"""Fig. 3: how far a density excitation has spread at infinite temperature, exactly averaged over the noise."""

from pathlib import Path

import numpy as np
import typer
import xarray as xr
from drawing import (
    STORE,
    PresetOption,
    StoreOption,
    WorkersOption,
    averaged,
    draw_curves,
    preset_named,
    save,
    tell_slopes,
    title,
)
from matplotlib.figure import Figure
from presets import Preset


def data(preset: Preset, store: Path, workers: int) -> dict[str, xr.Dataset]:
    """Both panels."""
    first, second = preset.spreading
    tables = {
        "disorder": averaged(first, "rms_displacement", store, workers),
        "size": averaged(second, "rms_displacement", store, workers),
    }
    if preset.longest is not None:
        tables["longest"] = averaged(preset.longest, "rms_displacement", store, workers)
    return tables


def uniform(n: int) -> float:
    """R of an excitation that is spread evenly over n sites, seen from site n // 2 - 1, with the factor 1/4."""
    return float(np.sqrt(np.mean((np.arange(n) - (n // 2 - 1)) ** 2) / 4))


def draw(tables: dict[str, xr.Dataset], name: str) -> Figure:
    """(a) against W, (b) against L, with the end that a finite chain comes to."""
    figure = Figure(figsize=(8.4, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    first, second = tables["disorder"], tables["size"]
    draw_curves(left, first, "disorder", "W")
    left.set(ylabel="R [site]", title=f"(a) L = {first['n'].values[0]}")
    draw_curves(right, second, "n", "L")
    for number, n in enumerate(second["n"].values):
        right.axhline(uniform(n), color=f"C{number}", ls=":", lw=0.8)
    right.set(ylabel="R [site]", title=f"(b) W = {second['disorder'].values[0]:g}; dotted: evenly spread")
    if "longest" in tables:
        alone = tables["longest"].isel(disorder=0, n=0)
        right.plot(
            alone["time"], alone["value"], "k-", lw=1, label=f"L = {tables['longest']['n'].values[0]}, one potential"
        )
        right.legend(fontsize=7)
    counts = f"{first.attrs['realizations']} and {second.attrs['realizations']} realisations of the disorder"
    title(figure, f"exact average over the noise (gaussian engine), J = gamma = 1\n{counts}", name)
    return figure


def main(preset: PresetOption = "quick", workers: WorkersOption = 1, store: StoreOption = STORE) -> None:
    """Compute what is missing and draw the figure."""
    tables = data(preset_named(preset), store, workers)
    tell_slopes(tables["disorder"], "sites")
    save(draw(tables, preset), tables, "figure_3", preset)


if __name__ == "__main__":
    typer.run(main)
