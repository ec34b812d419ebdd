"""The measured circuit of (54), phase I to III without coherences: its entropy deviation against p1 L^2, exactly.

A measurement of all spins after every gate leaves diagonal states. At order delta^2 their averaged equations close
on two sites: nothing is cut off, and the interactions drop out.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from presets import PRESETS, Preset

from tnness import find
from tnness.model.protocol import generator_of
from tnness.records.style import GUIDE, canvas, headline, lettered, shade
from tnness.study.scripts import script
from tnness_models.replica_solutions import two_point


def deviation(n: int, p1: float) -> float:
    """Delta S / delta^2 of the measured circuit (nats)."""
    return two_point(
        generator_of(find("replica-abc")(n=n, p1=p1, p2=0.0, order="second", coherences=False))
    ).entropy_deviation


def data(preset: Preset, store: Path, workers: int = 0) -> xr.Dataset:
    """Delta S by length at the same p1 L^2, NaN where p1 would exceed 1, and at p1 = 0 and p1 = 1."""
    lengths, scaled = list(preset.measured), np.geomspace(0.01, max(preset.measured) ** 2, 25)
    values = [[deviation(n, y / n**2) if y <= n**2 else np.nan for y in scaled] for n in lengths]
    table = xr.Dataset({"deviation": (("n", "scaled"), values)}, coords={"n": lengths, "scaled": scaled})
    for name, p1 in (("none", 0.0), ("all", 1.0)):
        table[name] = ("n", [deviation(n, p1) for n in lengths])
    return table


def half(one: xr.Dataset) -> float:
    """p1 L^2 at which Delta S is half of that at p1 = 0, by interpolation in the logarithm."""
    there = one["deviation"].notnull().values
    share = (one["deviation"] / one["none"]).values[there]
    return float(np.exp(np.interp(-0.5, -share, np.log(one["scaled"].values[there]))))


def powers(table: xr.Dataset) -> xr.DataArray:
    """d ln Delta S / d ln L at fixed p1, between each length and the next, against p1 L^2 of their geometric mean."""
    lengths, rows = table["n"].values, []
    for n, longer in pairwise(lengths):
        p1 = table["scaled"].values / (n * longer)
        pair = []
        for k in (n, longer):
            one = table["deviation"].sel(n=k).values
            there = np.isfinite(one)
            at = np.log(p1 * k**2)
            logarithms = np.interp(at, np.log(table["scaled"].values[there]), np.log(one[there]), np.nan, np.nan)
            pair.append(np.where(p1 <= 1, logarithms, np.nan))
        rows.append((pair[1] - pair[0]) / np.log(longer / n))
    return xr.DataArray(rows, dims=("pair", "scaled"), coords={"scaled": table["scaled"], "pair": lengths[:-1]})


def draw(table: xr.Dataset) -> Figure:
    """Delta S over that of phase I, and its power of L, against p1 L^2."""
    figure, (left, right) = canvas(1, 2)
    count = table.sizes["n"]
    for k, n in enumerate(table["n"].values):
        one = table.sel(n=n)
        left.loglog(
            one["scaled"], one["deviation"] / one["none"], "o-", ms=3, lw=0.8, color=shade(k, count), label=f"L = {n}"
        )
    fine = np.geomspace(30, float(table["scaled"].max()), 20)
    left.loglog(fine, 9 / fine, "k--", lw=0.9, label=r"$(3/p_1L)/(L/3)$, small $p_1$")
    each = powers(table)
    for k, n in enumerate(each["pair"].values):
        longer = table["n"].values[k + 1]
        right.semilogx(
            each["scaled"], each.sel(pair=n), "o-", ms=3, lw=0.8, color=shade(k, count), label=f"L = {n}, {longer}"
        )
    for power in (1, -1):
        right.axhline(power, **GUIDE)
    left.set(xlabel="$p_1 L^2$", ylabel=r"$\Delta S(p_1) / \Delta S(0)$", ylim=(1e-4, 2))
    right.set(xlabel="$p_1 L^2$", ylabel=r"$d \ln \Delta S / d \ln L$", ylim=(-1.3, 1.3))
    left.legend(loc="lower left")
    right.legend(loc="upper right")
    lettered((left, right), ("entropy deviation, order $\\delta^2$", "between neighbouring lengths"))
    headline(figure, f"{table.attrs['preset']} preset: measured after every gate, (54); exact, independent of $p_2$")
    return figure


def tell(table: xr.Dataset) -> str:
    """Where the crossover is, and both ends."""
    lines = []
    for n in table["n"].values:
        one = table.sel(n=n)
        ends = f"Delta S(0) = {float(one['none']):.4f} delta^2, L Delta S(p1 = 1) = {n * float(one['all']):.4f} delta^2"
        lines.append(f"L = {n}: half of phase I at p1 L^2 = {half(one):.3f}; {ends}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
