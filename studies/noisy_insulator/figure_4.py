"""Fig. 4: classical hopping with exponential rates, and R/xi against xi t; and with the rates of eigenstates."""

from pathlib import Path

import numpy as np
import xarray as xr
from curves import SEED, UNITS, averaged
from matplotlib.figure import Figure
from presets import PRESETS, Curves, Preset

from tnness import evolve, find
from tnness.records.style import canvas, headline, lettered
from tnness.study.collect import collect
from tnness.study.scripts import script
from tnness.study.sweep import sweep

TIMES = [float(t) for t in np.geomspace(0.1, 1e10, 111)]


def data(preset: Preset, store: Path, workers: int) -> dict[str, xr.Dataset]:
    """R of the exponential rates, and quantum against secular spreading in the same potentials."""
    model = find("hopping-master-equation")
    curves = [evolve(model(n=preset.hopping_sites, xi=xi), TIMES)["rms_displacement"] for xi in preset.lengths]
    table = xr.concat(curves, xr.DataArray(list(preset.lengths), dims="xi", name="xi"))
    hopping = table.to_dataset(name="value").astype(np.float32).assign_attrs(n=preset.hopping_sites)
    return {"hopping": hopping, "secular": secular(preset.spreading[0], store, workers)}


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
    table = xr.Dataset({"quantum": 2 * quantum["value"], "classical": classical.mean("realization")})
    return table.astype(np.float32).assign_attrs(realizations=curves.realizations)


def draw(tables: dict[str, xr.Dataset]) -> Figure:
    """(a) R, (b) collapsed, (c) the chain and its secular equation."""
    figure, panels = canvas(1, 3)
    left, middle, right = panels
    table, both = tables["hopping"], tables["secular"]
    for number, xi in enumerate(table["xi"].values):
        here, style = table["value"].sel(xi=xi), {"color": f"C{number}", "ls": ("-", "--", "-.", ":")[number % 4]}
        left.plot(here["time"], here, color=f"C{number}", label=rf"$\xi$ = {xi:g}")
        middle.plot(xi * here["time"], here / xi, label=rf"$\xi$ = {xi:g}", **style)
    span = np.geomspace(10, 1e10, 50)
    middle.plot(span, np.log(span) / np.sqrt(3), "k--", lw=0.8, label=r"$\ln(\xi t)/\sqrt{3}$")
    left.set(xlabel=r"time $t$", ylabel="displacement $R$ [sites]")
    middle.set(xlabel=r"$\xi t$", ylabel=r"$R/\xi$")
    for number, w in enumerate(both["disorder"].values):
        here = both.sel(disorder=w).isel(n=0)
        right.plot(here["time"], here["quantum"], color=f"C{number}", label=f"W = {w:g}")
        right.plot(here["time"], here["classical"], color=f"C{number}", ls="--")
    right.set(xlabel=r"time $t$ [$1/J$]", ylabel="width of the excitation [sites]", ylim=(0, 38))
    right.legend(loc="upper left", ncols=2)
    for axes in panels:
        axes.set_xscale("log")
    for axes in (left, middle):
        axes.legend(loc="upper left")
    lettered(panels, ("exponential rates", "collapsed", "chain (full), secular rates (dashed)"))
    counts = f"(c) L = {both['n'].values[0]}, {both.attrs['realizations']} realizations of the disorder, {UNITS}"
    what = f"hopping master equation; (a, b) L = {table.attrs['n']}; {counts}"
    headline(figure, f"{table.attrs['preset']} preset: {what}")
    return figure


def tell(tables: dict[str, xr.Dataset]) -> str:
    """R/xi at one xi t."""
    scaled, lines = tables["hopping"]["value"] / tables["hopping"]["xi"], []
    for xi in tables["hopping"]["xi"].values:
        here = np.interp(np.log(1e8), np.log(xi * scaled["time"]), scaled.sel(xi=xi))
        lines.append(f"xi = {xi:g}: R/xi = {here:.4f} at xi t = 1e8")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
