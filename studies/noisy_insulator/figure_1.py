"""Fig. 1: the energy absorbed from the ground state, exactly averaged over the noise, against time."""

from pathlib import Path

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
    first, second = preset.energy
    return {
        "disorder": averaged(first, "energy_absorbed", store, workers),
        "size": averaged(second, "energy_absorbed", store, workers),
    }


def draw(tables: dict[str, xr.Dataset], name: str) -> Figure:
    """(a) against W, (b) against L with the energy density in the inset."""
    figure = Figure(figsize=(8.4, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    first, second = tables["disorder"], tables["size"]
    draw_curves(left, first, "disorder", "W")
    left.set(ylabel=r"$\Delta\epsilon$ [J]", title=f"(a) L = {first['n'].values[0]}")
    draw_curves(right, second, "n", "L")
    right.set(ylabel=r"$\Delta\epsilon$ [J]", title=f"(b) W = {second['disorder'].values[0]:g}")
    right.legend(fontsize=7, ncols=2)
    inset = right.inset_axes((0.1, 0.52, 0.36, 0.26))
    for number, n in enumerate(second["n"].values):
        here = second.sel(n=n).isel(disorder=0)
        inset.plot(here["time"], here["value"] / n, color=f"C{number}", lw=1)
    inset.set_xscale("log")
    inset.set_title(r"$\Delta\epsilon / L$", fontsize=7)
    inset.tick_params(labelsize=6)
    counts = f"{first.attrs['realizations']} and {second.attrs['realizations']} realisations of the disorder"
    title(figure, f"exact average over the noise (gaussian engine), ground state, J = gamma = 1\n{counts}", name)
    return figure


def main(preset: PresetOption = "quick", workers: WorkersOption = 1, store: StoreOption = STORE) -> None:
    """Compute what is missing and draw the figure."""
    chosen = preset_named(preset)
    tables = data(chosen, store, workers)
    tell_slopes(tables["disorder"], "J")
    save(draw(tables, preset), tables, "figure_1", preset)


if __name__ == "__main__":
    typer.run(main)
