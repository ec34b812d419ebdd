"""Entanglement across the transition: I_1, negativity and the bound (S38) of the whole steady state, against size.

The letter draws the mutual coherence that the bias adds, C_d; its abstract speaks of the mutual information of the
state, for which C is a bound. Here are both, at the letter's bias, where equilibrium rules, and at a large one.
"""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from presets import LEADS, PRESETS, Preset
from samples import entanglement

from tnness.records.style import canvas, dots, headline, lettered
from tnness.study.scripts import script
from tnness.study.statistics import average

QUANTITIES = {
    "mutual_information": "$I_1$",
    "negativity": "negativity",
    "mutual_information_bound": "(S38)",
    "mutual_coherence_full": "$C$",
    "mutual_coherence": "$C_d$",
}
"""Of the halves, and how the figure calls them."""
DRAWN = ("mutual_information", "negativity", "mutual_information_bound")


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Means with errors by (bias, size, disorder), and powers of L0 from the smallest to the largest."""
    return averages(entanglement(preset, store, workers), preset)


def averages(rows: dict[tuple[float, int], xr.Dataset], preset: Preset) -> xr.Dataset:
    """The table, from samples by (bias, size)."""
    sizes, biases = list(preset.entanglement), list(preset.entanglement_biases)
    table = xr.Dataset(coords={"bias": biases, "size": sizes, "disorder": list(preset.disorder)})
    table = table.assign_coords(quantity=list(QUANTITIES), stat=["value", "error"])
    means = np.empty((len(biases), len(sizes), len(preset.disorder), len(QUANTITIES), 2))
    for (bias, size), row in rows.items():
        for k, w in enumerate(preset.disorder):
            here = [average(row[name].sel(disorder=w).values) for name in QUANTITIES]
            means[biases.index(bias), sizes.index(size), k] = [(mean.value, mean.error) for mean in here]
    table["mean"] = (("bias", "size", "disorder", "quantity", "stat"), means)
    table["realizations"] = ("size", list(preset.entanglement.values()))
    ends = means[:, [0, -1]]  # smallest and largest size
    ratio = np.log(sizes[-1] / sizes[0])
    power = np.log(ends[:, 1, ..., 0] / ends[:, 0, ..., 0]) / ratio
    relative = ends[..., 1] / ends[..., 0]
    power_error = np.hypot(relative[:, 0], relative[:, 1]) / ratio
    table["exponent"] = (("bias", "disorder", "quantity", "stat"), np.stack([power, power_error], axis=-1))
    return table


def draw(table: xr.Dataset) -> Figure:
    """A panel a bias: what one site of the cut has, against W, for every size."""
    figure, panels = canvas(1, table.sizes["bias"], sharey=True)
    for axes, bias in zip(panels, table["bias"].values, strict=True):
        draw_bias(axes, table.sel(bias=bias))
    low, high = panels[0].get_ylim()
    panels[0].set_ylim(low, 40 * high)
    panels[0].set_ylabel("between the halves, over $L_0^2$ [nat]")
    lettered(panels, [rf"$\delta\mu$ = {bias:g}" for bias in table["bias"].values])
    pairs = zip(table["size"].values, table["realizations"].values, strict=True)
    counts = ", ".join(f"{int(n)} at {size}" for size, n in pairs)
    what = f"cubes of each W at $L_0$: {counts}; area law: the same at every $L_0$; volume law: as $L_0$"
    headline(figure, f"{table.attrs['preset']} preset: whole steady state, {LEADS}\n{what}")
    return figure


def draw_bias(axes: Axes, one: xr.Dataset) -> None:
    """Mutual information, negativity and bound of every size against W."""
    sizes, w = one["size"].values, one["disorder"].values
    for k, name in enumerate(DRAWN):
        word = QUANTITIES[name]
        for mark, size in zip("os^D", sizes, strict=False):
            here = one["mean"].sel(size=size, quantity=name) / size**2
            value, error = (here.sel(stat=stat) for stat in ("value", "error"))
            style = {"fmt": f"{mark}-", "ms": 4, "lw": 0.8, "color": f"C{k}"}
            dots(axes, w, value, error, label=f"{word}, $L_0$ = {size}", **style)
    axes.set(yscale="log", xlabel="disorder $W$")
    axes.legend(ncols=3, loc="upper right")


def tell(table: xr.Dataset) -> str:
    """Means and powers."""
    lines = []
    for bias in table["bias"].values:
        for w in table["disorder"].values:
            for name in QUANTITIES:
                here = table.sel(bias=bias, disorder=w, quantity=name)
                values = ", ".join(f"{a:.4g}({b:.2g})" for a, b in here["mean"].transpose("size", "stat").values)
                power, error = here["exponent"].transpose("stat").values
                lines.append(f"bias {bias:g}, W = {w:g}, {name}: {values}; power {power:.2f} +- {error:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
