"""Phase II: the volume laws of Delta S and I, (34)-(36), against length and bias."""

from pathlib import Path

import numpy as np
import xarray as xr
from biases import DELTAS, averaged
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from presets import PRESETS, Preset

from tnness.records.style import canvas, dots, headline, lettered, power_of_ten
from tnness.study.scripts import script
from tnness_models.replica_solutions import phase_two

CLOSED = (4, 6, 8, 12, 16, 25, 35, 50, 70, 100, 140, 200)
"""Lengths at which the closed equations are drawn."""


def data(preset: Preset, store: Path, workers: int = 0) -> xr.Dataset:
    """Averages over trajectories at every length, and the closed equations (D8)-(D10)."""
    found = xr.concat([averaged(length, store, workers) for length in preset.volume], "n", join="outer")
    found = found.assign_coords(n=[length.n for length in preset.volume], delta=DELTAS)
    found["gates"] = "n", [length.gates for length in preset.volume]
    found["realizations"] = "n", [length.realizations for length in preset.volume]
    solutions = [phase_two(n, 1.0, 1.0, 0.0) for n in CLOSED]
    found["closed_deviation"] = "n_closed", [2 * np.trace(a) + 4 * np.triu(a, 1).sum() for a in solutions]
    found["closed_information"] = "n_closed", [4 * a[: len(a) // 2, len(a) // 2 :].sum() for a in solutions]
    shown = phase_two(preset.shown, 1.0, 1.0, 0.0)
    found["closed_coherence"] = "x", shown[:, preset.shown // 2]
    found["closed_cuts"] = "z", [4 * shown[:k, k:].sum() for k in range(1, preset.shown)]
    return found.assign_coords(n_closed=list(CLOSED)).assign_attrs(shown=preset.shown)


def against_length(axes: Axes, table: xr.Dataset, name: str, limit: float) -> None:
    """A quantity per delta^2 L: at some biases, its second order, the closed equations and the limit of long chains."""
    n, marks = table["n"], dict(zip((0.25, 0.5, 0.75, 1.0), "osD^", strict=True))
    for number, (delta, mark) in enumerate(marks.items()):
        here, scale = table.sel(delta=delta), delta**2 * n
        style = {"fmt": mark, "color": f"C{number}", "label": rf"$\delta$ = {delta:g}"}
        dots(axes, n, here[name] / scale, here[f"{name}_error"] / scale, **style)
    axes.plot(table["n_closed"], table[f"closed_{name}"] / table["n_closed"], "k-", lw=0.9, label="(D8)-(D10)")
    axes.axhline(limit, color="grey", ls="--", lw=0.9, label=rf"$L \to \infty$: {limit:.4f}")
    axes.set(xscale="log", xlabel="length $L$")
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top + 0.35 * (top - bottom))
    axes.legend(ncols=3, loc="upper right")


def draw(table: xr.Dataset) -> Figure:
    """Delta S and I against L and against delta; (34) and (36) along the chain."""
    figure, panels = canvas(2, 3)
    against_length(panels[0], table, "deviation", 1 / 6)
    panels[0].set_ylabel(r"$\Delta S / (\delta^2 L)$ [nat]")
    against_length(panels[1], table, "information", 1 / 16)
    panels[1].set_ylabel(r"$I / (\delta^2 L)$ [nat]")
    shown = int(table.attrs["shown"])
    here, d = table.sel(n=shown), np.linspace(0, 1, 101)
    laws = (("deviation", 6, r"$\Delta S / L$"), ("information", 16, "$I / L$"))
    for number, (name, part, label) in enumerate(laws):
        color = f"C{number}"
        dots(panels[2], DELTAS, here[name] / shown, here[f"{name}_error"] / shown, color=color, label=label)
        panels[2].plot(d, d**2 / part, "--", color=color, lw=0.9, label=rf"$\delta^2 / {part}$")
    panels[2].set(xlabel=r"bias $\delta$", ylabel="per site [nat]")
    panels[2].legend()
    along(panels[3], panels[4], here, shown)
    panels[5].set_axis_off()
    tops = ("entropy deviation, (35)", "mutual information of the halves, (36)", f"L = {shown}")
    y = (shown // 2 + 1) / (shown + 1)
    lettered(panels[:5], (*tops, f"y = {y:.2f}, L = {shown}", f"cut at zL, L = {shown}"))
    rows = zip(table["n"].values, table["realizations"].values, table["gates"].values, strict=True)
    counts = ", ".join(rf"{int(r)} $\times$ {power_of_ten(float(g))} at L = {int(n)}" for n, r, g in rows)
    what = r"$p_1 = 1$, $p_2 = 0$, Gaussian circuits, von Neumann entropies"
    headline(figure, f"{table.attrs['preset']} preset: {what}\ntrajectories $\\times$ gates: {counts}")
    return figure


def along(left: Axes, right: Axes, here: xr.Dataset, shown: int) -> None:
    """a(x, 1/2) against x, and I against the place of the cut, both to second order."""
    x, y = np.arange(1, shown + 1) / (shown + 1), (shown // 2 + 1) / (shown + 1)
    off = np.arange(shown) != shown // 2
    site, cut = here["coherence"].values[:shown], here["second_information"].values[: shown - 1]
    errors = here["coherence_error"].values[:shown], here["second_information_error"].values[: shown - 1]
    dots(left, x[off], shown * site[off], shown * errors[0][off], ms=2, label="circuits")
    left.plot(x[off], shown * here["closed_coherence"].values[off], "k-", lw=0.9, label="(D8)-(D10)")
    left.plot(x, np.minimum(x, y) * (1 - np.maximum(x, y)), "--", color="grey", lw=0.9, label="(34)")
    left.set(xlabel="place $x$", ylabel=r"$L\,E|G_{ij}|^2 / \delta^2$")
    z = np.arange(1, shown) / shown
    dots(right, z, cut / shown, errors[1] / shown, ms=2, label="circuits")
    right.plot(z, here["closed_cuts"].values / shown, "k-", lw=0.9, label="(D8)-(D10)")
    right.plot(z, z**2 * (1 - z) ** 2, "--", color="grey", lw=0.9, label=r"(36): $z^2(1-z)^2$")
    right.set(xlabel="place of the cut $z$", ylabel=r"$I / (\delta^2 L)$, second order [nat]")
    for axes in (left, right):
        axes.legend(loc="lower center")


def tell(table: xr.Dataset) -> str:
    """The volume laws."""
    lines = []
    for n in table["n"].values:
        for delta in (0.25, 0.5, 1.0):
            here = table.sel(n=n, delta=delta)
            told = [
                f"{float(here[k]) / n:.4f}({float(here[f'{k}_error']) / n:.4f})" for k in ("deviation", "information")
            ]
            lines.append(f"L = {n}, delta = {delta}: Delta S / L = {told[0]}, I / L = {told[1]}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
