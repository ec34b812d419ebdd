"""Fig. 6: current density through a square of random links against eps: finite as eps -> 0, then linear."""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from networks import averaged_currents
from presets import PRESETS, Preset

from tnness.records.style import canvas, dots, headline, shade
from tnness.study.scripts import script


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Mean current density and its error."""
    return averaged_currents(preset.charge_plane, store, workers, dim=2)


def draw(table: xr.Dataset) -> Figure:
    """Data and straight lines c1 + c2 eps."""
    figure, (axes,) = canvas(1, 1)
    eps = table["eps"].values
    for k, alpha in enumerate(table["alpha"].values):
        one, color = table.sel(alpha=alpha), shade(k, table.sizes["alpha"])
        slope, start = np.polyfit(eps, one["current"].values, 1)
        off = np.abs(one["current"].values - start - slope * eps).max() / float(one["current"].max())
        label = rf"$\alpha$ = {alpha:g}: {start:.4f} + {slope:.4f} $\epsilon$, off by {100 * off:.0f} %"
        dots(axes, eps, one["current"], one["current_error"], ms=3, color=color, label=label)
        axes.plot(eps, start + slope * eps, "-", lw=0.8, color=color)
    axes.set(xlabel=r"$\epsilon$", ylabel=r"current density $j / Na$", ylim=(0, 1.55 * float(table["current"].max())))
    axes.legend(loc="upper left")
    n = table.attrs["n"]
    what = rf"charge network, d = 2, {n} x {n}, V = 0.1 N, $\sigma_0 = 1$, $a\Gamma_0 = 5$"
    headline(figure, f"{table.attrs['preset']} preset: {what}\n{table.attrs['realizations']} realizations; lines: fits")
    return figure


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw)
