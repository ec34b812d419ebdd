"""Fig. 4: classical hopping with exponential rates, and R/xi against xi t; and with the rates of eigenstates."""

from pathlib import Path

import numpy as np
import typer
import xarray as xr
from drawing import STORE, PresetOption, StoreOption, WorkersOption, averaged, preset_named, save, title
from matplotlib.figure import Figure
from presets import Curves, Preset

from tnness import evolve, find
from tnness.study.collect import collect
from tnness.study.sweep import sweep

TIMES = [float(t) for t in np.geomspace(0.1, 1e10, 111)]
SEED = 2022


def data(preset: Preset, store: Path, workers: int) -> dict[str, xr.Dataset]:
    """R of the exponential rates, and quantum against secular spreading in the same potentials."""
    model = find("hopping-master-equation")
    curves = [evolve(model(n=preset.hopping_sites, xi=xi), TIMES)["rms_displacement"] for xi in preset.lengths]
    table = xr.concat(curves, xr.DataArray(list(preset.lengths), dims="xi", name="xi"))
    return {"hopping": table.to_dataset(name="value"), "secular": secular(preset.spreading[0], store, workers)}


def secular(curves: Curves, store: Path, workers: int) -> xr.Dataset:
    """R of the quantum chain, twice, and of its secular equation."""
    quantum = averaged(curves, "rms_displacement", store, workers)
    place = store / curves.folder("spectral")
    sweep(
        "hopping-master-equation",
        {"n": curves.n, "disorder": curves.disorder},
        store=place,
        parameters={"rates": "eigenstates"},
        realizations=curves.realizations,
        independent=("n", "disorder"),
        seed=SEED,
        times=curves.times,
        workers=workers,
    )
    classical = collect(place, variables=["rms_displacement"], certificate=False)["rms_displacement"]
    return xr.Dataset({"quantum": 2 * quantum["value"], "classical": classical.mean("realization")}).assign_attrs(
        realizations=curves.realizations
    )


def draw(tables: dict[str, xr.Dataset], name: str) -> Figure:
    """(a) R, (b) collapsed, (c) the chain and its secular equation."""
    figure = Figure(figsize=(10.5, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    table, both = tables["hopping"], tables["secular"]
    for number, xi in enumerate(table["xi"].values):
        here = table["value"].sel(xi=xi)
        left.plot(here["time"], here, color=f"C{number}", lw=1.2, label=rf"$\xi$ = {xi:g}")
        middle.plot(xi * here["time"], here / xi, color=f"C{number}", lw=1.2)
    span = np.geomspace(10, 1e10, 50)
    middle.plot(span, np.log(span) / np.sqrt(3), "k--", lw=0.8, label=r"$\ln(\xi t)/\sqrt{3}$")
    left.set(xscale="log", xlabel="t", ylabel="R [site]", title="(a) exponential rates")
    middle.set(xscale="log", xlabel=r"$\xi t$", ylabel=r"R/$\xi$", title="(b) collapsed")
    left.legend(fontsize=7)
    middle.legend(fontsize=7)
    for number, w in enumerate(both["disorder"].values):
        here = both.sel(disorder=w).isel(n=0)
        right.plot(here["time"], here["quantum"], color=f"C{number}", lw=1.2, label=f"W = {w:g}")
        right.plot(here["time"], here["classical"], color=f"C{number}", lw=1.0, ls="--")
    right.set(
        xscale="log", xlabel="t", ylabel="width of the excitation [site]", title="(c) chain; dashed: secular rates"
    )
    right.legend(fontsize=7)
    counts = f"(c) L = {both['n'].values[0]}, {both.attrs['realizations']} realisations of the disorder, gamma = J = 1"
    title(figure, f"hopping master equation, spectral engine, n = 1000 in (a, b)\n{counts}", name)
    return figure


def main(preset: PresetOption = "quick", workers: WorkersOption = 1, store: StoreOption = STORE) -> None:
    """Compute what is missing and draw the figure."""
    tables = data(preset_named(preset), store, workers)
    scaled = tables["hopping"]["value"] / tables["hopping"]["xi"]
    for xi in tables["hopping"]["xi"].values:
        here = np.interp(np.log(1e8), np.log(xi * scaled["time"]), scaled.sel(xi=xi))
        print(f"xi = {xi:g}: R/xi = {here:.4f} at xi t = 1e8")
    save(draw(tables, preset), tables, "figure_4", preset)


if __name__ == "__main__":
    typer.run(main)
