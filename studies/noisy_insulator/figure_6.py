"""Beyond the paper: interacting particles on short chains, heating and entanglement."""

from pathlib import Path

import numpy as np
import xarray as xr
from curves import SEED, UNITS
from matplotlib.figure import Figure
from presets import PRESETS, SITE, Interacting, Preset

from tnness.engines.exact import Exact
from tnness.engines.trajectories import Trajectories
from tnness.records.style import canvas, headline, lettered, ribbon
from tnness.study.collect import collect
from tnness.study.scripts import script
from tnness.study.sweep import sweep


def data(preset: Preset, store: Path, workers: int) -> dict[str, xr.Dataset]:
    """Energy absorbed by exact density matrices, entanglement by matrix-product trajectories."""
    about = preset.interacting
    noisy = Trajectories(realizations=about.noises, dt=0.1, method="mps", chi=2 ** (about.n_network // 2), cutoff=1e-10)
    return {
        "energy": averaged(about, "energy_absorbed", Exact(), about.n_exact, "ground", store, workers),
        "entanglement": averaged(
            about, "entanglement_entropy", noisy, about.n_network, "random-product", store, workers
        ),
    }


def averaged(
    about: Interacting, variable: str, engine: Exact | Trajectories, n: int, initial: str, store: Path, workers: int
) -> xr.Dataset:
    """Mean and standard error over the disorder, the same for every delta: (delta, time)."""
    place = store / f"{variable}_n={n}_W={about.disorder:g}_{about.realizations}_{about.noises}_to={about.end:g}"
    sweep(
        "noisy-anderson",
        {"delta": about.delta},
        store=place,
        parameters=SITE | {"n": n, "disorder": about.disorder, "initial": initial, "filling": n // 2},
        realizations=about.realizations,
        seed=SEED,
        engine=engine,
        times=about.times,
        workers=workers,
        progress=True,
    )
    values = collect(place, variables=[variable], certificate=False)[variable]
    error = values.std("realization", ddof=1) / about.realizations**0.5
    table = xr.Dataset({"value": values.mean("realization"), "error": error}).astype(np.float32)
    return table.assign_attrs(n=n, disorder=about.disorder, realizations=about.realizations, noises=about.noises)


def draw(tables: dict[str, xr.Dataset]) -> Figure:
    """(a) energy from the ground state, (b) entanglement from random products."""
    figure, panels = canvas(1, 2)
    labels = {
        "energy": r"absorbed energy $\Delta\epsilon$ [$J$]",
        "entanglement": "entropy $S$ of half the chain [nat]",
    }
    for axes, (part, label) in zip(panels, labels.items(), strict=True):
        for delta in tables[part]["delta"].values:
            here = tables[part].sel(delta=delta)
            ribbon(axes, here["time"], here["value"], here["error"], label=rf"$\Delta$ = {delta:g}")
        axes.set(xscale="log", xlabel=r"time $t$ [$1/J$]", ylabel=label, ylim=(0, None))
        axes.legend(loc="upper left")
    about, n = tables["energy"].attrs, tables["entanglement"].attrs["n"]
    tops = (f"density matrix, L = {about['n']}", f"matrix-product trajectories, L = {n}, {about['noises']} noises each")
    lettered(panels, tops)
    told = f"W = {about['disorder']:g}, half filling, {about['realizations']} realizations of the disorder, {UNITS}"
    headline(figure, f"{about['preset']} preset: {told}")
    return figure


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw)
