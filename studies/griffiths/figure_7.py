"""Fig. 7: z from temperature fluctuations of the open network and from the spreading of energy in the closed one."""

from pathlib import Path

import numpy as np
import xarray as xr
from analysis import fit_range, printed_z, slope, suggested_z, width_slope
from matplotlib.figure import Figure
from networks import spreading, thermal
from presets import PARAMETERS, PRESETS, Preset

from tnness.records.style import GUIDE, canvas, dots, headline, lettered, shade
from tnness.study.scripts import script

WIDTHS = (5.0, 60.0)
"""Range of sigma_E in the fits: beyond the first links, before the ends are felt (N = 1000)."""


def data(preset: Preset, store: Path, workers: int) -> xr.Dataset:
    """sigma_E(t), and both z with errors."""
    samples = spreading(preset.spreading, store, workers)
    opened = thermal(next(e for e in preset.thermal if e.n == preset.spreading.n), store, workers)
    alphas = samples["alpha"].values
    kept = xr.Dataset(coords={"alpha": samples["alpha"], "time": samples["time"]}, attrs=samples.attrs)
    kept["width"] = np.sqrt(samples["square_width"].mean("realization"))
    for name, fits in (
        ("closed", [width_slope(samples.sel(alpha=a), *WIDTHS) for a in alphas]),
        ("open", [slope(opened.sel(alpha=a), *fit_range(a)) for a in alphas]),
    ):
        power = 1 if name == "closed" else 2
        kept[f"z_{name}"] = ("alpha", [1 / (power * f.value) for f in fits])
        kept[f"z_{name}_error"] = ("alpha", [f.error / (power * f.value**2) for f in fits])
    return kept


def draw(table: xr.Dataset) -> Figure:
    """The widths, and both z against both predictions."""
    figure, (left, right) = canvas(1, 2)
    for k, alpha in enumerate(table["alpha"].values):
        style = {"ms": 2, "lw": 0.8, "color": shade(k, table.sizes["alpha"]), "label": rf"$\alpha$ = {alpha:g}"}
        left.loglog(table["time"], table["width"].sel(alpha=alpha), "o-", **style)
    for width in WIDTHS:
        left.axhline(width, **GUIDE)
    left.set(xlabel="time $t$", ylabel=r"width $\sigma_E$ [sites]")
    left.legend(loc="upper left", ncols=2)
    left.set_ylim(top=left.get_ylim()[1] * 12)
    for name, marker in (("closed", "s"), ("open", "o")):
        dots(right, table["alpha"], table[f"z_{name}"], table[f"z_{name}_error"], fmt=marker, ms=4, label=name)
    below, above = np.geomspace(0.18, 1, 200, endpoint=False), np.array([1.0, 3.1])
    right.plot(below, [suggested_z(a) for a in below], "k-", label=r"$1 + 1/\alpha$")
    right.plot(below, [printed_z(a) for a in below], "k:", label=r"$1/\alpha$ (paper)")
    right.plot(above, [2, 2], "k--", lw=0.8, label=r"2, $\alpha \geq 1$")
    right.axvline(1, **GUIDE)
    right.set(xlabel=r"$\alpha = a/\xi$", ylabel="dynamical exponent $z$")
    right.legend()
    lettered((left, right), ("closed network; fits between the dotted lines", "both networks"))
    counts = f"closed: {table.attrs['realizations']} realizations; open: those of Fig. 1"
    headline(figure, f"{table.attrs['preset']} preset: networks of N = {table.attrs['n']}, {counts}; {PARAMETERS}")
    return figure


def tell(table: xr.Dataset) -> str:
    """Both z."""
    lines = []
    for alpha in table["alpha"].values:
        one = table.sel(alpha=alpha)
        found = [f"{k} {float(one[f'z_{k}']):.3f} +- {float(one[f'z_{k}_error']):.3f}" for k in ("closed", "open")]
        lines.append(f"alpha = {alpha:<4g} {', '.join(found)}; 1 + 1/alpha: {suggested_z(alpha):.3f}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
