"""Beyond the paper: the exact average beside averages over samples of the noise, in one potential."""

from pathlib import Path

import numpy as np
import xarray as xr
from curves import UNITS
from matplotlib.figure import Figure
from presets import PRESETS, SITE, Preset

from tnness import evolve, find
from tnness.engines.gaussian import Gaussian
from tnness.engines.trajectories import Trajectories
from tnness.records.style import GUIDE, canvas, dots, headline, lettered
from tnness.study.scripts import script

SEED_OF_POTENTIAL = 11


def data(preset: Preset, store: Path, workers: int = 0) -> dict[str, xr.Dataset]:
    """Energy absorbed: exact, and sampled with its standard errors."""
    curves = preset.both
    model = find("noisy-anderson")(n=curves.n[0], disorder=curves.disorder[0], **SITE)
    exact = evolve(model, curves.times, engine=Gaussian(tolerance=curves.tolerance), seed=SEED_OF_POTENTIAL)
    sampled = evolve(
        model, curves.times, engine=Trajectories(realizations=curves.noises, dt=0.1), seed=SEED_OF_POTENTIAL
    )
    table = xr.Dataset(
        {
            "exact": exact["energy_absorbed"].drop_attrs(),
            "sampled": sampled["energy_absorbed"].drop_attrs(),
            "error": sampled["energy_absorbed_error"].drop_attrs(),
        }
    )
    about = {"n": curves.n[0], "disorder": curves.disorder[0], "noises": curves.noises}
    return {"energy": table.astype(np.float32).assign_attrs(about)}


def deviations(table: xr.Dataset) -> xr.DataArray:
    """(sampled - exact) / standard error, from the time on at which the noise has acted."""
    here = table.sel(time=slice(0.5, None))
    return (here["sampled"] - here["exact"]) / here["error"]


def draw(tables: dict[str, xr.Dataset]) -> Figure:
    """(a) both averages, (b) their difference in standard errors."""
    table = tables["energy"]
    figure, (left, right) = canvas(1, 2)
    left.plot(table["time"], table["exact"], "k-", label="exact average")
    dots(left, table["time"], table["sampled"], table["error"], ms=2.5, label="trajectories")
    left.set_ylabel(r"absorbed energy $\Delta\epsilon$ [$J$]")
    left.legend(loc="upper left")
    z = deviations(table)
    right.axhspan(-2, 2, color="grey", alpha=0.2, lw=0)
    right.axhline(0, **GUIDE)
    right.plot(z["time"], z, "o")
    right.set(ylabel="(sampled - exact) / standard error", ylim=(-3.2, 3.2))
    for axes in (left, right):
        axes.set(xscale="log", xlabel=r"time $t$ [$1/J$]")
    lettered((left, right), ("both averages", "their difference; grey: two errors"))
    about = table.attrs
    told = f"one potential, L = {about['n']}, W = {about['disorder']:g}, {about['noises']} trajectories, $dt$ = 0.1"
    headline(figure, f"{about['preset']} preset: {told}, from the ground state, {UNITS}")
    return figure


def tell(tables: dict[str, xr.Dataset]) -> str:
    """The deviation in standard errors."""
    z = deviations(tables["energy"])
    return f"rms deviation {float(np.sqrt((z**2).mean())):.2f} standard errors, largest {float(abs(z).max()):.2f}"


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
