"""Fig. 2: the entanglement entropy of half the chain, from random product states, averaged over trajectories."""

from pathlib import Path

import numpy as np
import typer
import xarray as xr
from drawing import (
    STORE,
    PresetOption,
    StoreOption,
    WorkersOption,
    averaged,
    draw_curves,
    preset_named,
    save,
    tell_slopes,
    title,
)
from matplotlib.figure import Figure
from presets import Curves, Preset

from tnness.engines.fermions.entropy import entropy
from tnness.engines.trajectories import Trajectories

RANDOM_GAUSSIAN = np.log(2) - 0.5
"""S/L of half the chain, averaged over all Gaussian states at half filling, L large: 0.193."""
QUARTER = np.log(2) / 4
"""The paper's other estimate, 0.173."""


def random_gaussian(n: int, samples: int = 200) -> float:
    """S/L of half of n sites in random orbitals, each particle number as likely as in the random products: an estimate.

    A site is occupied with probability 1/2; the number varies, and with it S: below the value at half filling.
    """
    rng, found = np.random.default_rng(n), []
    for _ in range(samples):
        count = rng.binomial(n, 0.5)
        gaussian = rng.standard_normal((2, n, max(count, 1)))
        orbitals = np.linalg.qr(gaussian[0] + 1j * gaussian[1])[0][:, :count]
        found.append(entropy(orbitals.conj() @ orbitals.T, slice(0, n // 2)))
    return float(np.mean(found)) / n


def data(preset: Preset, store: Path, workers: int) -> dict[str, xr.Dataset]:
    """Both panels."""

    def entropies(curves: Curves) -> xr.Dataset:
        engine = Trajectories(realizations=curves.noises, dt=0.1)
        return averaged(curves, "entanglement_entropy", store, workers, engine, initial="random-product")

    first, second = preset.entanglement
    return {"disorder": entropies(first), "size": entropies(second)}


def draw(tables: dict[str, xr.Dataset], name: str) -> Figure:
    """(a) against W, (b) against L, (c) S/L with the two estimates of its end."""
    figure = Figure(figsize=(10.5, 3.6), layout="constrained")
    left, right, density = figure.subplots(1, 3)
    first, second = tables["disorder"], tables["size"]
    draw_curves(left, first, "disorder", "W")
    left.set(ylabel="S [nat]", title=f"(a) L = {first['n'].values[0]}")
    draw_curves(right, second, "n", "L")
    right.set(ylabel="S [nat]", title=f"(b) W = {second['disorder'].values[0]:g}")
    scaled = second.assign(value=second["value"] / second["n"], error=second["error"] / second["n"])
    draw_curves(density, scaled, "n", "L")
    for number, n in enumerate(second["n"].values):
        density.plot(second["time"][[-4, -1]], [random_gaussian(n)] * 2, color=f"C{number}", ls="--", lw=1.5)
    density.axhline(RANDOM_GAUSSIAN, color="black", ls="--", lw=0.8)
    density.axhline(QUARTER, color="grey", ls=":", lw=1.0)
    density.text(0.12, RANDOM_GAUSSIAN + 0.002, r"ln 2 - 1/2 = 0.193", fontsize=7)
    density.text(0.12, QUARTER + 0.002, r"(ln 2)/4 = 0.173", fontsize=7, color="grey")
    density.set(ylabel="S / L [nat]", title="(c) short dashes: random orbitals")
    counts = f"{first.attrs['realizations']} disorders and products, {first.attrs['noises']} noises each, dt = 0.1"
    title(figure, f"Gaussian trajectories from random product states, J = gamma = 1\n{counts}", name)
    return figure


def main(preset: PresetOption = "quick", workers: WorkersOption = 1, store: StoreOption = STORE) -> None:
    """Compute what is missing and draw the figure."""
    tables = data(preset_named(preset), store, workers)
    tell_slopes(tables["disorder"], "nat")
    last = tables["size"].isel(time=-1, disorder=0)
    for n in last["n"].values:
        here = last.sel(n=n)
        print(f"L = {n}: S/L = {float(here['value']) / n:.4f} +- {float(here['error']) / n:.4f} at the last time")
    save(draw(tables, preset), tables, "figure_2", preset)


if __name__ == "__main__":
    typer.run(main)
