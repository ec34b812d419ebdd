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
from tnness.study.statistics import average, power_law

QUANTITIES = {
    "mutual_information": ("$I_1$", "o"),
    "negativity": ("negativity", "s"),
    "mutual_information_bound": ("(S38)", "v"),
    "mutual_coherence_full": ("$C$", "x"),
    "mutual_coherence": ("$C_d$", "+"),
}
"""Of the halves: name in words, and mark."""
DRAWN = ("mutual_information", "negativity", "mutual_information_bound")
AREA, VOLUME = 2, 3


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """Means with errors by (bias, size, disorder), and powers of L0."""
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
    value, error = np.moveaxis(means, 1, -1)[..., 0, :], np.moveaxis(means, 1, -1)[..., 1, :]
    shape = value.shape[:-1]
    pairs = zip(value.reshape(-1, len(sizes)), error.reshape(-1, len(sizes)), strict=True)
    fits = [power_law(np.array(sizes, float), v, e) for v, e in pairs]
    powers = np.array([(fit.exponent, fit.error) for fit in fits]).reshape(*shape, 2)
    table["exponent"] = (("bias", "disorder", "quantity", "stat"), powers)
    return table


def draw(table: xr.Dataset) -> Figure:
    """A panel a bias."""
    figure, panels = canvas(1, table.sizes["bias"])
    for axes, bias in zip(panels, table["bias"].values, strict=True):
        draw_bias(axes, table.sel(bias=bias))
    lettered(panels, [rf"$\delta\mu$ = {bias:g}" for bias in table["bias"].values])
    counts = ", ".join(
        f"{int(n)} at {size}" for size, n in zip(table["size"].values, table["realizations"].values, strict=True)
    )
    laws = "lines: $L_0^3$ (full), $L_0^2$ (dashed)"
    what = f"whole steady state, {LEADS}; cubes of each W at $L_0$: {counts}"
    headline(figure, f"{table.attrs['preset']} preset: {what}\n{laws}; in brackets: powers of $L_0$")
    return figure


def draw_bias(axes: Axes, one: xr.Dataset) -> None:
    """Mutual information, negativity and bound against size."""
    sizes = one["size"].values
    fine = np.linspace(sizes[0], sizes[-1], 50)
    for k, w in enumerate(one["disorder"].values):
        for name in DRAWN:
            word, mark = QUANTITIES[name]
            here = one.sel(disorder=w, quantity=name)
            value, error = here["mean"].sel(stat="value"), here["mean"].sel(stat="error")
            power = float(here["exponent"].sel(stat="value"))
            dots(axes, sizes, value, error, fmt=mark, ms=4, color=f"C{k}", label=f"{word}, W = {w:g} ({power:.1f})")
            if name == "mutual_information":
                for law, style in ((VOLUME, "-"), (AREA, "--")):
                    axes.plot(fine, float(value[0]) * (fine / sizes[0]) ** law, style, lw=0.7, color=f"C{k}")
    axes.set(xscale="log", yscale="log", xlabel="size $L_0$", ylabel="between the halves [nat]")
    axes.set_xticks(sizes, labels=[str(size) for size in sizes])
    axes.minorticks_off()
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * 30)
    axes.legend(ncols=3, loc="upper center")


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
