"""Sec. IV and App. F: a circuit without conservation on sites of more levels: how many bits its entropy lacks."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from figure_11 import drawn
from matplotlib.figure import Figure

from tnness import find, steady_state
from tnness.records.style import canvas, dots, headline, power_of_ten
from tnness.study.scripts import script


@dataclass(frozen=True, kw_only=True)
class Qudits:
    """Chains of several numbers of levels."""

    levels: tuple[int, ...]
    lengths: tuple[int, ...]
    drawn: dict[int, tuple[int, ...]]  # lengths at which circuits are drawn, by levels
    steps: int  # gates of each of them


PRESETS = {
    "quick": Qudits(
        levels=(2, 3, 4), lengths=(2, 3, 4, 6, 8, 12), drawn={2: (2, 3, 4), 3: (2, 3), 4: (2,)}, steps=40_000
    ),
    "paper": Qudits(
        levels=(2, 3, 4, 6),
        lengths=(2, 3, 4, 6, 8, 12, 20),
        drawn={2: (2, 3, 4, 5, 6), 3: (2, 3, 4), 4: (2, 3)},
        steps=200_000,
    ),
}


def closed(d: float, n: np.ndarray) -> np.ndarray:
    """n log2 d + log2 E Tr rho^2 in closed form."""
    return np.log2((d + 1) / d) - np.log2(1 + d ** -(2 * n + 1.0))


def data(preset: Qudits, store: Path, workers: int = 0) -> xr.Dataset:
    """What the averaged chain lacks, and circuits that are drawn: (levels, n)."""
    model, shape = find("haar-circuit"), (len(preset.levels), len(preset.lengths))
    found, mean, error = (np.full(shape, np.nan) for _ in range(3))
    for i, d in enumerate(preset.levels):
        for j, n in enumerate(preset.lengths):
            found[i, j] = float(steady_state(model(n=n, levels=d), tolerance=1e-5)["deficit"])
            if n in preset.drawn.get(d, ()):
                value, spread = drawn(n, preset.steps, seed=100 * d + n, d=d)
                mean[i, j], error[i, j] = n * np.log2(d) + np.log2(value), spread / value / np.log(2)
    dims = ("levels", "n")
    table = {"chain": (dims, found), "drawn": (dims, mean), "drawn_error": (dims, error)}
    coordinates = {"levels": list(preset.levels), "n": list(preset.lengths)}
    return xr.Dataset(table, coords=coordinates, attrs={"steps": preset.steps})


def draw(table: xr.Dataset) -> Figure:
    """What the entropy lacks, against length, for every number of levels."""
    figure, (axes,) = canvas(1, 1)
    fine = np.linspace(table["n"].values[0], table["n"].values[-1], 100)
    for k, d in enumerate(table["levels"].values):
        one, color = table.sel(levels=d), f"C{k}"
        axes.plot(fine, closed(d, fine), "-", lw=0.9, color=color, label=f"d = {d}")
        axes.plot(one["n"], one["chain"], "o", ms=7, mfc="none", color=color)
        dots(axes, one["n"], one["drawn"], one["drawn_error"], fmt="s", ms=3, color="k")
    axes.set(xlabel="length $L$", ylabel=r"$L \log_2 d + \log_2 E\,\mathrm{Tr}\,\rho^2$ [bit]", ylim=(0, 0.75))
    axes.legend(loc="upper right", ncols=table.sizes["levels"])
    gates = power_of_ten(table.attrs["steps"])
    counts = f"lines: closed form, circles: averaged chain,\nsquares: drawn circuits, {gates} gates"
    headline(figure, f"{table.attrs['preset']} preset: Haar gates, sites of d levels\n{counts}")
    return figure


def tell(table: xr.Dataset) -> str:
    """The deficits: chain, closed form, drawn."""
    lines = []
    for d in table["levels"].values:
        for n in table["n"].values:
            one = table.sel(levels=d, n=n)
            told = f"d = {d}, L = {n}: chain {float(one['chain']):.5f}, closed {float(closed(d, np.array(n))):.5f}"
            if np.isfinite(one["drawn"]):
                told += f", drawn {float(one['drawn']):.4f}({float(one['drawn_error']):.4f})"
            lines.append(told)
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
