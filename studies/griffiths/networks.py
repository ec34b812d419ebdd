"""The ensembles: sweeps whose points solve many realizations as one batch, and what is kept of each."""

from pathlib import Path

import numpy as np
import xarray as xr
from presets import Ensemble

from tnness.engines.transfer import Transfer
from tnness.study.point import Setting
from tnness.study.scripts import swept
from tnness.study.statistics import average

SEED = 2020
LINE, SQUARE = 200_000, 1_000_000
"""Islands of all lines of a point together, and numbers in the blocks of all its squares: sizes that arrays like."""
MODES = 4
"""Closed networks of a point: each is diagonalised by itself."""


def networks(n: int, dim: int) -> int:
    """How many networks a point holds."""
    return max(1, LINE // n if dim == 1 else SQUARE // n**3)


def temperatures(setting: Setting) -> xr.Dataset:
    """Mean and variance of the temperatures of each network."""
    model, rng, count = setting.model, np.random.default_rng(setting.seed), networks(setting.model.n, setting.model.dim)
    islands = model.n**model.dim
    links = model.n - 1 if model.dim == 1 else 2 * model.n * (model.n - 1)
    lengths = model.links.draw(rng, (count, links))
    g1 = model.gbar + rng.uniform(-model.dg1, model.dg1, (count, islands))
    g2 = model.gbar + rng.uniform(-model.dg2, model.dg2, (count, islands))
    found = Transfer().view(model.chain(lengths, g1, g2, model.eps)).solution().reshape(count, -1)
    return xr.Dataset({"mean": ("network", found.mean(axis=-1)), "variance": ("network", found.var(axis=-1))})


def current_densities(setting: Setting) -> xr.Dataset:
    """Current over the width of each network."""
    model, count = setting.model, networks(setting.model.n, setting.model.dim)
    links, width = (model.n, 1) if model.dim == 1 else (model.n**2 + (model.n - 1) ** 2, model.n)
    lengths = model.links.draw(np.random.default_rng(setting.seed), (count, links))
    solution = Transfer().view(model.chain(lengths, model.eps)).solution()
    return xr.Dataset({"current": ("network", model.total_current(lengths, model.eps, solution) / width)})


def square_widths(setting: Setting) -> xr.Dataset:
    """sum_i (i - start)^2 e_i(t) of each network."""
    model, times = setting.model, list(setting.job.ask.times or ())
    chain = model.chain(model.links.draw(np.random.default_rng(setting.seed), (MODES, model.n - 1)))
    squares = (np.arange(model.n) - model.origin) ** 2
    found = [view.decayed() @ squares for _, view in Transfer().solve(chain, times=times).views]
    return xr.Dataset({"square_width": (("time", "network"), found)}, {"time": times})


def thermal(ensemble: Ensemble, store: Path, workers: int, dim: int = 1) -> xr.Dataset:
    """Mean and variance of the temperatures of each realization, (alpha, eps, realization)."""
    return _swept("thermal-network", temperatures, ensemble, store, workers, dim)


def currents(ensemble: Ensemble, store: Path, workers: int, dim: int = 1) -> xr.Dataset:
    """Current density of each realization, (alpha, eps, realization)."""
    return _swept("charge-network", current_densities, ensemble, store, workers, dim)


def averaged_currents(ensemble: Ensemble, store: Path, workers: int, dim: int = 1) -> xr.Dataset:
    """Mean current density and its error, (alpha, eps)."""
    samples = currents(ensemble, store, workers, dim)
    found = average(samples["current"].transpose("realization", "alpha", "eps").values)
    kept = xr.Dataset(coords={"alpha": samples["alpha"], "eps": samples["eps"]}, attrs=samples.attrs)
    kept["current"], kept["current_error"] = (("alpha", "eps"), found.value), (("alpha", "eps"), found.error)
    return kept


def spreading(ensemble: Ensemble, store: Path, workers: int) -> xr.Dataset:
    """sum_i (i - start)^2 e_i(t) of each realization, (alpha, time, realization)."""
    times = ensemble.eps
    table = swept(
        "energy-spreading",
        {"alpha": ensemble.alpha},
        store / f"energy-spreading_n={ensemble.n}_to={times[-1]:g}_{len(times)}",
        parameters={"n": ensemble.n},
        realizations=-(-ensemble.realizations // MODES),
        independent=("n", "alpha"),
        seed=SEED,
        engine=Transfer(),
        times=times,
        measure=square_widths,
        workers=workers,
    )
    return _realizations(table[["square_width"]], ensemble)


def _swept(model: str, measure, ensemble: Ensemble, store: Path, workers: int, dim: int) -> xr.Dataset:
    table = swept(
        model,
        {"alpha": ensemble.alpha, "eps": ensemble.eps},
        store / f"{model}_n={ensemble.n}_dim={dim}",
        parameters={"n": ensemble.n, "dim": dim},
        realizations=-(-ensemble.realizations // networks(ensemble.n, dim)),
        independent=("n", "alpha"),
        seed=SEED,
        engine=Transfer(),
        measure=measure,
        workers=workers,
    )
    return _realizations(table.drop_vars(["status", "seed", "cpu_seconds"]), ensemble)


def _realizations(table: xr.Dataset, ensemble: Ensemble) -> xr.Dataset:
    """All networks of all points in a row, as many as were asked for."""
    flat = table.rename(realization="point").stack(realization=("point", "network"), create_index=False)
    flat = flat.isel(realization=slice(ensemble.realizations)).drop_attrs()
    return flat.assign_attrs(n=ensemble.n, realizations=ensemble.realizations)
