"""Phase II: the volume laws of Delta S and I, (34)-(36), against length and bias."""

from pathlib import Path

import numpy as np
import typer
import xarray as xr
from biases import DELTAS, averaged
from drawing import STORE, PresetOption, StoreOption, WorkersOption, preset_named, save, title
from matplotlib.figure import Figure
from presets import Preset

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
    return found.assign_coords(n_closed=list(CLOSED)).assign_attrs(preset=preset.name, shown=preset.shown)


def against_length(axes, table: xr.Dataset, name: str, limit: float) -> None:
    """A quantity per delta^2 L: at some biases, its second order, the closed equations and the limit of long chains."""
    n, marks = table["n"], dict(zip((0.25, 0.5, 0.75, 1.0), "osD^", strict=True))
    for number, (delta, mark) in enumerate(marks.items()):
        here, scale = table.sel(delta=delta), delta**2 * n
        style = {"fmt": mark, "ms": 4, "capsize": 2, "color": f"C{number}", "label": rf"$\delta$ = {delta:g}"}
        axes.errorbar(n, here[name] / scale, here[f"{name}_error"] / scale, **style)
    axes.plot(table["n_closed"], table[f"closed_{name}"] / table["n_closed"], "k-", lw=0.9, label="(D8)-(D10)")
    axes.axhline(limit, color="grey", ls="--", lw=0.9, label=f"L to infinity: {limit:.4f}")
    axes.set_xscale("log")
    axes.set_xlabel("L")
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top + 0.35 * (top - bottom))
    axes.legend(fontsize=7, ncols=3, loc="upper right")


def draw(table: xr.Dataset) -> Figure:
    """Delta S and I against L and against delta; (34) and (36) along the chain."""
    figure = Figure(figsize=(10, 6.6), layout="constrained")
    panels = figure.subplot_mosaic("aaabbb;ccddee")
    against_length(panels["a"], table, "deviation", 1 / 6)
    panels["a"].set(ylabel=r"$\Delta S / (\delta^2 L)$ [nat]", title="(a) entropy deviation, (35)")
    against_length(panels["b"], table, "information", 1 / 16)
    panels["b"].set(ylabel=r"$I / (\delta^2 L)$ [nat]", title="(b) mutual information of the halves, (36)")
    shown = int(table.attrs["shown"])
    here, d = table.sel(n=shown), np.linspace(0, 1, 101)
    for number, (name, limit, label) in enumerate((("deviation", 1 / 6, r"$\Delta S$"), ("information", 1 / 16, "I"))):
        error = here[f"{name}_error"] / shown
        style = {"fmt": "o", "ms": 4, "color": f"C{number}", "label": f"{label} / L"}
        panels["c"].errorbar(DELTAS, here[name] / shown, error, **style)
        panels["c"].plot(d, limit * d**2, "--", color=f"C{number}", lw=0.9)
    panels["c"].set(xlabel=r"$\delta$", ylabel="per site [nat]", title=f"(c) L = {shown}; dashed: $\\delta^2/6$, /16")
    panels["c"].legend(fontsize=7)
    along(panels["d"], panels["e"], here, shown)
    counts = ", ".join(
        f"L = {int(n)}: {int(r)} x {int(g):.2g}"
        for n, r, g in zip(table["n"], table["realizations"], table["gates"], strict=True)
    )
    title(figure, f"p1 = 1, p2 = 0, Gaussian circuits, von Neumann entropies\ntrajectories x gates: {counts}", table)
    return figure


def along(left, right, here: xr.Dataset, shown: int) -> None:
    """a(x, 1/2) against x, and I against the place of the cut, both to second order."""
    x, y = np.arange(1, shown + 1) / (shown + 1), (shown // 2 + 1) / (shown + 1)
    off = np.arange(shown) != shown // 2
    site, cut = here["coherence"].values[:shown], here["second_information"].values[: shown - 1]
    left.errorbar(x[off], shown * site[off], shown * here["coherence_error"].values[:shown][off], fmt="C0.", ms=3)
    left.plot(x[off], shown * here["closed_coherence"].values[off], "k-", lw=0.9, label="(D8)-(D10)")
    left.plot(x, np.minimum(x, y) * (1 - np.maximum(x, y)), "--", color="grey", lw=0.9, label="(34)")
    left.set(xlabel="x", ylabel=r"$L\,E|G_{ij}|^2 / \delta^2$", title=f"(d) y = {y:.2f}, L = {shown}")
    z = np.arange(1, shown) / shown
    right.errorbar(z, cut / shown, here["second_information_error"].values[: shown - 1] / shown, fmt="C0.", ms=3)
    right.plot(z, here["closed_cuts"].values / shown, "k-", lw=0.9, label="(D8)-(D10)")
    right.plot(z, z**2 * (1 - z) ** 2, "--", color="grey", lw=0.9, label=r"(36): $z^2(1-z)^2$")
    right.set(xlabel="z", ylabel=r"$I / (\delta^2 L)$, second order", title=f"(e) cut at zL, L = {shown}")
    for axes in (left, right):
        axes.legend(fontsize=7)


def tell(table: xr.Dataset) -> None:
    """Print the volume laws."""
    for n in table["n"].values:
        for delta in (0.25, 0.5, 1.0):
            here = table.sel(n=n, delta=delta)
            told = [
                f"{float(here[k]) / n:.4f}({float(here[f'{k}_error']) / n:.4f})" for k in ("deviation", "information")
            ]
            print(f"L = {n}, delta = {delta}: Delta S / L = {told[0]}, I / L = {told[1]}")


def main(preset: PresetOption = "quick", store: StoreOption = STORE, workers: WorkersOption = 0) -> None:
    """Compute what is missing, print the numbers and draw the figure."""
    table = data(preset_named(preset), store, workers)
    tell(table)
    save(draw(table), table, "volume_law")


if __name__ == "__main__":
    typer.run(main)
