"""Fig. 5: negativity per site against the bias in phase II: circuits, and correlations drawn as independent normals."""

from pathlib import Path

import numpy as np
import xarray as xr
from biases import averaged, normals
from matplotlib.figure import Figure
from presets import PRESETS, Preset

from tnness.records.style import GUIDE, canvas, dots, headline, lettered, power_of_ten
from tnness.study.scripts import script, swept


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
    return found.assign_attrs(about)


def draw(table: xr.Dataset) -> Figure:
    """Negativities per site, and the lowest eigenvalue of G."""
    figure, (left, right) = canvas(1, 2)
    n, sampled, delta = table.attrs["n"], table.attrs["sampled"], table["delta"].values
    valid = table["drawn_lowest"].values >= 0
    for number, (name, label) in enumerate((("negativity", "$E_f$"), ("paired_negativity", "$E_l$, candidate"))):
        color = f"C{number}"
        style = {"fmt": "os"[number], "ms": 4, "color": color, "label": f"{label}: circuits, L = {n}"}
        dots(left, delta, table[name] / n, table[f"{name}_error"] / n, **style)
        drawn = table[f"drawn_{name}"].values / sampled
        left.plot(delta[valid], drawn[valid], "-", color=color, label=f"{label}: normals, L = {sampled}")
        beyond = np.flatnonzero(~valid)
        if len(beyond):
            part = slice(max(0, beyond[0] - 1), None)
            left.plot(delta[part], drawn[part], ":", color=color, label="the same, $G$ not a state")
    left.set(xlabel=r"bias $\delta$", ylabel="negativity per site [nat]")
    left.legend(loc="upper left")
    right.plot(delta, table["lowest"], "C0o", ms=4, label=f"circuits, L = {n} (mean)")
    right.plot(delta, table["drawn_lowest"], "C1-", label=f"normals, L = {sampled}")
    right.axhline(0, **GUIDE)
    right.set(xlabel=r"bias $\delta$", ylabel="lowest eigenvalue of $G$")
    right.legend()
    lettered((left, right), ("of the two halves", "a state has none below 0"))
    gates = f"{table.attrs['realizations']} trajectories of {power_of_ten(table.attrs['gates'])} gates"
    what = rf"$p_1 = 1$, $p_2 = 0$; circuits: {gates}; normals: 1 draw, variances (D8)-(D10)"
    headline(figure, f"{table.attrs['preset']} preset: {what}\n$E_l$: pairs of modes by singular values, unproven")
    return figure


def tell(table: xr.Dataset) -> str:
    """Negativities per site at every bias."""
    n, sampled, lines = table.attrs["n"], table.attrs["sampled"], []
    for delta in table["delta"].values:
        here = table.sel(delta=delta)
        told = ", ".join(
            f"{label} {float(here[key]) / n:.5f}({float(here[f'{key}_error']) / n:.5f}), "
            f"normals {float(here[f'drawn_{key}']) / sampled:.5f}"
            for key, label in (("negativity", "E_f / L"), ("paired_negativity", "E_l / L"))
        )
        lowest = f"lowest {float(here['lowest']):.4f}, normals {float(here['drawn_lowest']):.4f}"
        lines.append(f"delta = {delta}: {told}; {lowest}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
