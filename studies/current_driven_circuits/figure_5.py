"""Fig. 5: negativity per site against the bias in phase II: circuits, and correlations drawn as independent normals."""

from pathlib import Path

import numpy as np
import typer
import xarray as xr
from biases import averaged, normals
from drawing import STORE, PresetOption, StoreOption, WorkersOption, preset_named, save, title
from matplotlib.figure import Figure
from presets import Preset

from tnness.study.scripts import swept


def data(preset: Preset, store: Path, workers: int = 0) -> xr.Dataset:
    """E_f and the candidate E_l of circuits, and of normals at a greater length, at every bias."""
    length = next(each for each in preset.volume if each.n == preset.shown)
    circuits = averaged(length, store, workers)
    kept = ("negativity", "paired_negativity", "lowest")
    found = circuits[[name for key in kept for name in (key, f"{key}_error")]]
    place = store / f"normals_n={preset.sampled}"
    drawn = swept(
        "random-circuit", {"n": (preset.sampled,)}, place, parameters={"p1": 1.0}, measure=normals, workers=workers
    )
    for key in kept:
        found[f"drawn_{key}"] = drawn[key].isel(n=0, realization=0, drop=True)
    about = {"n": length.n, "sampled": preset.sampled, "gates": length.gates, "realizations": length.realizations}
    return found.assign_attrs(about, preset=preset.name)


def draw(table: xr.Dataset) -> Figure:
    """Negativities per site, and the lowest eigenvalue of G."""
    figure = Figure(figsize=(9, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.4, 1))
    n, sampled, delta = table.attrs["n"], table.attrs["sampled"], table["delta"].values
    valid = table["drawn_lowest"].values >= 0
    for number, (name, label) in enumerate((("negativity", "$E_f$"), ("paired_negativity", "$E_l$, candidate"))):
        style = {"fmt": "os"[number], "ms": 4, "capsize": 2, "color": f"C{number}"}
        left.errorbar(delta, table[name] / n, table[f"{name}_error"] / n, label=f"{label}: circuits, L = {n}", **style)
        drawn = table[f"drawn_{name}"].values / sampled
        left.plot(delta[valid], drawn[valid], "-", color=f"C{number}", label=f"{label}: normals, L = {sampled}")
        beyond = np.flatnonzero(~valid)
        if len(beyond):
            part = slice(max(0, beyond[0] - 1), None)
            left.plot(delta[part], drawn[part], ":", color=f"C{number}", label="the same, G not a state")
    left.set(xlabel=r"$\delta$", ylabel="per site [nat]", title="negativity of the two halves")
    left.legend(fontsize=7)
    right.plot(delta, table["lowest"], "C0o", ms=4, label=f"circuits, L = {n} (mean)")
    right.plot(delta, table["drawn_lowest"], "C3-", label=f"normals, L = {sampled}")
    right.axhline(0, color="black", lw=0.8)
    right.set(xlabel=r"$\delta$", title="lowest eigenvalue of G: a state has none below 0")
    right.legend(fontsize=7)
    right.title.set_fontsize(9)
    counts = f"{table.attrs['realizations']} x {table.attrs['gates']:.2g} gates; normals: 1 draw, variances (D8)-(D10)"
    title(figure, f"p1 = 1, p2 = 0; circuits: {counts}\n$E_l$: pairs of modes by singular values, unproven", table)
    return figure


def main(preset: PresetOption = "quick", store: StoreOption = STORE, workers: WorkersOption = 0) -> None:
    """Compute what is missing, print the numbers and draw the figure."""
    table = data(preset_named(preset), store, workers)
    n, sampled = table.attrs["n"], table.attrs["sampled"]
    for delta in table["delta"].values:
        here = table.sel(delta=delta)
        told = ", ".join(
            f"{label} {float(here[key]) / n:.5f}({float(here[f'{key}_error']) / n:.5f}), "
            f"normals {float(here[f'drawn_{key}']) / sampled:.5f}"
            for key, label in (("negativity", "E_f / L"), ("paired_negativity", "E_l / L"))
        )
        print(f"delta = {delta}: {told}; lowest {float(here['lowest']):.4f}, normals {float(here['drawn_lowest']):.4f}")
    save(draw(table), table, "figure_5")


if __name__ == "__main__":
    typer.run(main)
