"""Fig. 1: the energy absorbed from the ground state, exactly averaged over the noise, against time."""

from pathlib import Path

import xarray as xr
from curves import UNITS, averaged, counted, draw_curves, told_slopes
from matplotlib.figure import Figure
from presets import PRESETS, Preset

from tnness.records.style import canvas, headline, lettered
from tnness.study.scripts import script


def data(preset: Preset, store: Path, workers: int) -> dict[str, xr.Dataset]:
    """Both panels."""
    first, second = preset.energy
    return {
        "disorder": averaged(first, "energy_absorbed", store, workers),
        "size": averaged(second, "energy_absorbed", store, workers),
    }


def draw(tables: dict[str, xr.Dataset]) -> Figure:
    """(a) against W, (b) against L, (c) the energy density."""
    figure, panels = canvas(1, 3)
    first, second = tables["disorder"], tables["size"]
    draw_curves(panels[0], first, "disorder", "W")
    draw_curves(panels[1], second, "n", "L")
    draw_curves(panels[2], second.assign({k: second[k] / second["n"] for k in ("value", "error")}), "n", "L")
    highest = max(axes.get_ylim()[1] for axes in panels[:2])
    for axes in panels[:2]:
        axes.set(ylabel=r"absorbed energy $\Delta\epsilon$ [$J$]", ylim=(0, highest))
    panels[2].set(ylabel=r"$\Delta\epsilon / L$ [$J$]", ylim=(0, None))
    strength = f"W = {second['disorder'].values[0]:g}"
    lettered(panels, (f"L = {first['n'].values[0]}", strength, f"{strength}, per site"))
    how = f"exact average over the noise, from the ground state, {UNITS}"
    headline(figure, f"{first.attrs['preset']} preset: {how}; {counted(tables, 'disorder', 'size')}")
    return figure


def tell(tables: dict[str, xr.Dataset]) -> str:
    """How fast the energy grows."""
    return told_slopes(tables["disorder"], "J")


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
