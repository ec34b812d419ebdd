"""The disordered chains of the figures, computed by sweeps: what is asked for, and what becomes of it.

The disorder belongs to (n, h, realization): the same for every eps and chi, and independent for different h and n.
Points that fail are kept too, with the reason, and are counted in every figure.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from tnness import TEBD, Accelerated, evolve, steady_state
from tnness.study.collect import NOT_ASKED, STATES
from tnness.study.collect import collect as collect_sweep
from tnness.study.point import Setting
from tnness.study.sweep import sweep

MODEL, ROOT_SEED = "mbl-heisenberg", 2020
EXACT_UP_TO = 8
"""Sites up to which a chain is solved exactly; longer ones by time evolution with bond dimension chi."""
ACCELERATED = Accelerated(power=0)
KEPT = ["beta", "energy", "beta_variation"]
CLAIM = "beta_variation_error"
AXES = ("n", "h", "chi", "eps", "realization")


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """A grid of disordered chains: every size, field strength, coupling and bond dimension, `realizations` times."""

    n: tuple[int, ...]  # sites
    h: tuple[float, ...]  # strength of the random fields [J]
    eps: tuple[float, ...]  # rate of the dissipation [J]
    realizations: int
    chi: tuple[int, ...] = (100,)  # bond dimensions of chains beyond EXACT_UP_TO sites
    tolerance: float = 1e-3  # of the relaxation, relative
    longest: float = 30.0  # eps t after which a point that has not relaxed is given up, and counted
    accelerate: bool = False  # whether evolution jumps to the steady state instead of waiting 1/eps for it
    watch: tuple[str, ...] = ()  # what a point is judged by; default: all that is monitored
    drive: str = "correlated"
    field_weight: float = 1.0

    @property
    def exact(self) -> tuple[int, ...]:
        """The sizes that are solved exactly."""
        return tuple(n for n in self.n if n <= EXACT_UP_TO)

    @property
    def evolved(self) -> tuple[int, ...]:
        """The sizes that are evolved in time."""
        return tuple(n for n in self.n if n > EXACT_UP_TO)

    @property
    def points(self) -> int:
        """How many steady states there are."""
        sizes = len(self.exact) + len(self.evolved) * len(self.chi)
        return sizes * len(self.h) * len(self.eps) * self.realizations


@dataclass(frozen=True, kw_only=True)
class Relaxation:
    """Time evolutions from infinite temperature, one realization each, on times that scale with 1/eps."""

    n: tuple[int, ...]
    h: float
    eps: tuple[float, ...]
    chi: int
    end: float = 10.0  # last eps t
    count: int = 80  # times
    drive: str = "correlated"
    field_weight: float = 1.0

    @property
    def scaled_times(self) -> tuple[float, ...]:
        """The times, in units of 1/eps."""
        return tuple(self.end * (k + 1) / self.count for k in range(self.count))


def temperatures(setting: Setting) -> xr.Dataset:
    """Local temperatures and energy of a steady state; the longest time of the sweep counts in units of 1/eps."""
    longest = setting.job.ask.max_time
    assert longest is not None
    record = steady_state(
        setting.model,
        engine=setting.engine,
        seed=setting.seed,
        tolerance=setting.job.ask.tolerance,
        max_time=longest / setting.values["eps"],
        watch=setting.job.ask.watch,
    )
    return record.dataset[[*KEPT, *([CLAIM] if CLAIM in record.dataset else [])]]


def relaxing(setting: Setting) -> xr.Dataset:
    """The variation against eps t; the times of the sweep are in units of 1/eps."""
    scaled = np.array(setting.job.ask.times)
    record = evolve(setting.model, scaled / setting.values["eps"], engine=setting.engine, seed=setting.seed)
    return record.dataset[["beta_variation"]].assign_coords(time=scaled).rename(time="eps_time")


def data(ensembles: Sequence[Ensemble], store: Path, workers: int) -> xr.Dataset:
    """Compute what the stores lack, and return all of it in one table.

    Returns
    -------
    `mean` and `variance` of the local temperatures over the bonds (NaN where a point has none), `energy`, `status`
    (index into STATES), `claim` (the error that the engine states for the variation of one chain, relative to it) and
    `cpu_seconds`, with the dimensions AXES; chi = 0 stands for exact.
    """
    tables = []
    for ensemble in ensembles:
        if ensemble.exact:
            tables.append(_table(_swept(ensemble, store, workers, exact=True), ensemble))
        if ensemble.evolved:
            tables.append(_table(_swept(ensemble, store, workers, exact=False), ensemble))
    whole = xr.merge(tables, join="outer", compat="no_conflicts").transpose(*AXES)
    whole["status"] = whole["status"].fillna(NOT_ASKED).astype(np.int8)
    whole.attrs = {"drive": ensembles[0].drive, "field_weight": ensembles[0].field_weight, "status": ", ".join(STATES)}
    return whole


def exact_temperatures(ensemble: Ensemble, store: Path, workers: int) -> xr.DataArray:
    """beta of every bond (n, h, eps, realization, bond) in the exactly solved chains of an ensemble."""
    return _swept(ensemble, store, workers, exact=True)["beta"]


def relaxation(asked: Relaxation, store: Path, workers: int) -> xr.Dataset:
    """Compute the evolutions that the store lacks, and return `variation` (n, eps, eps_time)."""
    folder = store / f"{choice(asked)}_relaxation_h={asked.h:g}_chi={asked.chi}_to={asked.end:g}_{asked.count}"
    sweep(
        MODEL,
        {"n": asked.n, "eps": asked.eps},
        store=made(folder),
        parameters={"h": asked.h, "drive": asked.drive, "field_weight": asked.field_weight},
        independent=("n",),
        seed=ROOT_SEED,
        engine=TEBD(chi=asked.chi) if asked.chi else "exact",
        times=asked.scaled_times,
        measure=relaxing,
        workers=workers,
        progress=True,
    )
    table = collect_sweep(folder, certificate=False).sel(realization=0, drop=True)
    table = table.sel(n=list(asked.n), eps=list(asked.eps))
    return table[["beta_variation"]].rename(beta_variation="variation").drop_attrs()


def _swept(ensemble: Ensemble, store: Path, workers: int, exact: bool) -> xr.Dataset:
    """The part of an ensemble that one engine serves, from its own store."""
    evolution = "accelerated" if ensemble.accelerate else "tebd"
    judged = "".join(f"_{name}" for name in ensemble.watch)
    engine = "exact" if exact else f"{evolution}_tol={ensemble.tolerance:g}{judged}_to={ensemble.longest:g}"
    folder = store / f"{choice(ensemble)}_{engine}"
    grid = {"n": ensemble.exact if exact else ensemble.evolved, "h": ensemble.h, "eps": ensemble.eps}
    sweep(
        MODEL,
        grid if exact else grid | {"chi": ensemble.chi},
        store=made(folder),
        parameters={"drive": ensemble.drive, "field_weight": ensemble.field_weight},
        realizations=ensemble.realizations,
        independent=("n", "h"),
        seed=ROOT_SEED,
        engine="exact" if exact else ACCELERATED if ensemble.accelerate else TEBD(),
        tolerance=1e-3 if exact else ensemble.tolerance,
        max_time=1.0 if exact else ensemble.longest,
        watch=() if exact else ensemble.watch,
        measure=temperatures,
        workers=workers,
        progress=True,
    )
    table = collect_sweep(folder, certificate=False)
    if exact:
        table = table.expand_dims(chi=[0])
    own = {axis: list(values) for axis, values in grid.items()}
    return table.sel(own | {"realization": range(ensemble.realizations)})


def choice(asked: Ensemble | Relaxation) -> str:
    """What a store's name says of the drive and the field weight: one store holds one choice."""
    return f"{asked.drive}_field-weight={asked.field_weight:g}"


def made(folder: Path) -> Path:
    """A store's folder; those above it exist."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder


def _table(swept: xr.Dataset, ensemble: Ensemble) -> xr.Dataset:
    """What figures are made of, see `data`, for the chi of an ensemble."""
    if ensemble.evolved and "chi" in swept.dims and swept.sizes["chi"] > 1:
        swept = swept.sel(chi=list(ensemble.chi))
    mean, variance = moments(swept)
    table = swept[["status", "cpu_seconds", "energy"]].assign(mean=mean, variance=variance)
    if CLAIM in swept:
        table["claim"] = swept[CLAIM] / abs(swept["beta_variation"])
    return table.drop_attrs()


def moments(swept: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Mean and variance over the bonds; a bond that no finite temperature fits leaves the point without a value."""
    beta = swept["beta"]
    bonds = xr.DataArray(swept["n"].values - 1, dims="n")
    whole = np.isfinite(beta).sum("bond") == bonds
    return beta.mean("bond").where(whole), beta.var("bond").where(whole)


def complete(dataset: xr.Dataset) -> xr.Dataset:
    """The realizations that have a value at every coupling: the errors at different eps are correlated."""
    along = [axis for axis in dataset["mean"].dims if axis != "realization"]
    return dataset.isel(realization=np.flatnonzero(np.isfinite(dataset["mean"]).all(along)))


def tally(dataset: xr.Dataset) -> str:
    """How many points there are and how they ended, for a figure's title."""
    counts = Counter(dataset["status"].values.ravel().tolist())
    counts.pop(NOT_ASKED, None)
    ended = ", ".join(f"{counts[status]} {name}" for status, name in enumerate(STATES) if counts[status])
    return f"{sum(counts.values())} points: {ended}"
