"""Fig. 3: how far a density excitation has spread at infinite temperature, exactly averaged over the noise."""

from pathlib import Path

import numpy as np
import xarray as xr
from curves import UNITS, averaged, counted, draw_curves, told_slopes
from matplotlib.figure import Figure
from presets import PRESETS, Preset

from tnness.records.style import canvas, headline, lettered
from tnness.study.scripts import script


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


def draw(tables: dict[str, xr.Dataset]) -> Figure:
    """(a) against W, (b) against L, with the end that a finite chain comes to."""
    figure, (left, right) = canvas(1, 2)
    first, second = tables["disorder"], tables["size"]
    draw_curves(left, first, "disorder", "W")
    draw_curves(right, second, "n", "L")
    for number, n in enumerate(second["n"].values):
        right.axhline(uniform(n), color=f"C{number}", ls=":", lw=0.8)
    if "longest" in tables:
        alone = tables["longest"].isel(disorder=0, n=0)
        label = f"L = {tables['longest']['n'].values[0]}, one potential"
        right.plot(alone["time"], alone["value"], "k-", label=label)
    right.legend(loc="upper left", ncols=1 if "longest" in tables else 2)
    highest = max(axes.get_ylim()[1] for axes in (left, right))
    for axes in (left, right):
        axes.set_ylabel("displacement $R$ [sites]")
        axes.set_ylim(0, axes.get_ylim()[1] if "longest" in tables else 1.25 * highest)
    strength = f"W = {second['disorder'].values[0]:g}; dotted: evenly spread"
    lettered((left, right), (f"L = {first['n'].values[0]}", strength))
    how = f"exact average over the noise, {UNITS}; {counted(tables, 'disorder', 'size')}"
    headline(figure, f"{first.attrs['preset']} preset: {how}")
    return figure


def tell(tables: dict[str, xr.Dataset]) -> str:
    """How fast an excitation spreads."""
    return told_slopes(tables["disorder"], "sites")


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
