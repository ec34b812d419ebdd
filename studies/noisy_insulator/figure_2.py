"""Fig. 2: the entanglement entropy of half the chain, from random product states, averaged over trajectories."""

from pathlib import Path

import numpy as np
import xarray as xr
from curves import UNITS, averaged, draw_curves, told_slopes
from matplotlib.figure import Figure
from presets import PRESETS, Curves, Preset

from tnness.engines.fermions.entropy import entropy
from tnness.engines.trajectories import Trajectories
from tnness.records.style import canvas, headline, lettered
from tnness.study.scripts import script

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


def draw(tables: dict[str, xr.Dataset]) -> Figure:
    """(a) against W, (b) against L, (c) S/L with the two estimates of its end."""
    figure, panels = canvas(1, 3)
    left, right, density = panels
    first, second = tables["disorder"], tables["size"]
    draw_curves(left, first, "disorder", "W")
    draw_curves(right, second, "n", "L")
    highest = max(axes.get_ylim()[1] for axes in (left, right))
    for axes in (left, right):
        axes.set(ylabel="entropy $S$ [nat]", ylim=(0, highest))
    draw_curves(density, second.assign({k: second[k] / second["n"] for k in ("value", "error")}), "n", "L")
    for number, n in enumerate(second["n"].values):
        density.plot(second["time"][[-4, -1]], [random_gaussian(n)] * 2, color=f"C{number}", ls="--", lw=1.5)
    density.axhline(RANDOM_GAUSSIAN, color="k", ls="--", lw=0.8, label="ln 2 - 1/2 = 0.193")
    density.axhline(QUARTER, color="grey", ls=":", lw=1.0, label="(ln 2)/4 = 0.173")
    density.set(ylabel="$S / L$ [nat]", ylim=(0, 0.27))
    density.legend(ncols=2, loc="upper left")
    strength = f"W = {second['disorder'].values[0]:g}"
    lettered(panels, (f"L = {first['n'].values[0]}", strength, f"{strength}; short dashes: random orbitals"))
    counts = f"{first.attrs['realizations']} disorders and products, {first.attrs['noises']} noises each, $dt$ = 0.1"
    how = f"Gaussian trajectories from random product states, {UNITS}"
    headline(figure, f"{first.attrs['preset']} preset: {how}; {counts}")
    return figure


def tell(tables: dict[str, xr.Dataset]) -> str:
    """How fast the entropy grows, and where it ends."""
    lines, last = [told_slopes(tables["disorder"], "nat")], tables["size"].isel(time=-1, disorder=0)
    for n in last["n"].values:
        here = last.sel(n=n)
        found = f"{float(here['value']) / n:.4f} +- {float(here['error']) / n:.4f}"
        lines.append(f"L = {n}: S/L = {found} at the last time")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
