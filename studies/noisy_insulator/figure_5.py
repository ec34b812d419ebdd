"""Beyond the paper: the exact average beside averages over samples of the noise, in one potential."""

import numpy as np
import typer
import xarray as xr
from drawing import PresetOption, preset_named, save, title
from matplotlib.figure import Figure
from presets import SITE, Preset

from tnness import evolve, find
from tnness.engines.gaussian import Gaussian
from tnness.engines.trajectories import Trajectories

SEED = 11


def data(preset: Preset) -> dict[str, xr.Dataset]:
    """Energy absorbed: exact, and sampled with its standard errors."""
    curves = preset.both
    model = find("noisy-anderson")(n=curves.n[0], disorder=curves.disorder[0], **SITE)
    exact = evolve(model, curves.times, engine=Gaussian(tolerance=curves.tolerance), seed=SEED)
    sampled = evolve(model, curves.times, engine=Trajectories(realizations=curves.noises, dt=0.1), seed=SEED)
    table = xr.Dataset(
        {
            "exact": exact["energy_absorbed"].drop_attrs(),
            "sampled": sampled["energy_absorbed"].drop_attrs(),
            "error": sampled["energy_absorbed_error"].drop_attrs(),
        }
    )
    about = {"n": curves.n[0], "disorder": curves.disorder[0], "noises": curves.noises}
    return {"energy": table.assign_attrs(about)}


def deviations(table: xr.Dataset) -> xr.DataArray:
    """(sampled - exact) / standard error, from the time on at which the noise has acted."""
    here = table.sel(time=slice(0.5, None))
    return (here["sampled"] - here["exact"]) / here["error"]


def draw(tables: dict[str, xr.Dataset], name: str) -> Figure:
    """(a) both averages, (b) their difference in standard errors."""
    table = tables["energy"]
    figure = Figure(figsize=(8.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(table["time"], table["exact"], "k-", lw=1, label="exact average")
    left.errorbar(table["time"], table["sampled"], table["error"], fmt="o", ms=2.5, lw=0.8, label="trajectories")
    left.set(xscale="log", xlabel="t", ylabel=r"$\Delta\epsilon$ [J]", title="(a)")
    left.legend(fontsize=7)
    z = deviations(table)
    right.axhspan(-2, 2, color="grey", alpha=0.2, lw=0)
    right.plot(z["time"], z, "o", ms=3)
    right.set(xscale="log", xlabel="t", ylabel="(sampled - exact) / standard error", title="(b) grey: two errors")
    about = table.attrs
    told = f"one potential, L = {about['n']}, W = {about['disorder']:g}, {about['noises']} trajectories, dt = 0.1"
    title(figure, f"{told}\nground state, J = gamma = 1", name)
    return figure


def main(preset: PresetOption = "quick") -> None:
    """Compute and draw the figure."""
    tables = data(preset_named(preset))
    z = deviations(tables["energy"])
    print(f"rms deviation {float(np.sqrt((z**2).mean())):.2f} standard errors, largest {float(abs(z).max()):.2f}")
    save(draw(tables, preset), tables, "figure_5", preset)


if __name__ == "__main__":
    typer.run(main)
