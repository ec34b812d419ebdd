"""Beyond the paper: interacting particles on short chains, heating and entanglement."""

from pathlib import Path

import typer
import xarray as xr
from drawing import SEED, STORE, PresetOption, StoreOption, WorkersOption, preset_named, save, title
from matplotlib.figure import Figure
from presets import SITE, Interacting, Preset

from tnness.engines.exact import Exact
from tnness.engines.trajectories import Trajectories
from tnness.study.collect import collect
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
    return xr.Dataset({"value": values.mean("realization"), "error": error}).assign_attrs(
        n=n, disorder=about.disorder, realizations=about.realizations, noises=about.noises
    )


def draw(tables: dict[str, xr.Dataset], name: str) -> Figure:
    """(a) energy from the ground state, (b) entanglement from random products."""
    figure = Figure(figsize=(8.4, 3.8), layout="constrained")
    panels = figure.subplots(1, 2)
    labels = {"energy": r"$\Delta\epsilon$ [J]", "entanglement": "S of half the chain [nat]"}
    for axes, (part, table) in zip(panels, tables.items(), strict=True):
        for number, delta in enumerate(table["delta"].values):
            here = table.sel(delta=delta)
            axes.plot(here["time"], here["value"], color=f"C{number}", lw=1.2, label=rf"$\Delta$ = {delta:g}")
            low, high = here["value"] - here["error"], here["value"] + here["error"]
            axes.fill_between(here["time"], low, high, color=f"C{number}", alpha=0.2, lw=0)
        axes.set(xscale="log", xlabel="t", ylabel=labels[part], title=f"{part}, L = {table.attrs['n']}")
        axes.legend(fontsize=7)
    about = tables["energy"].attrs
    told = f"W = {about['disorder']:g}, half filling, {about['realizations']} realisations of the disorder"
    noises = f"(a) density matrix, exact engine; (b) matrix-product trajectories, {about['noises']} noises each"
    title(figure, f"{told}\n{noises}", name)
    return figure


def main(preset: PresetOption = "quick", workers: WorkersOption = 1, store: StoreOption = STORE) -> None:
    """Compute what is missing and draw the figure."""
    tables = data(preset_named(preset), store, workers)
    save(draw(tables, preset), tables, "figure_6", preset)


if __name__ == "__main__":
    typer.run(main)
