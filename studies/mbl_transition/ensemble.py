"""The disorder loop: every point is solved once, in a process of its own pool, and kept as one small record.

The disorder belongs to (n, h, realisation): the same for every eps and chi, and independent for different h and n.
Points that fail are kept too, with the reason, and are counted in every figure.
"""

import multiprocessing
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from tnness import TEBD, Interrupted, Record, TnnessError, evolve, find, steady_state
from tnness.model import Model
from tnness.record import FORMAT

ROOT_SEED = 2020
EXACT, CONVERGED, NOT_CONVERGED, FAILED = range(4)
STATUS = ("exact", "converged", "not converged", "failed")
KEPT = ["beta", "energy", "beta_variation"]
AXES = ("n", "h", "chi", "eps", "realisation")


class Job(Protocol):
    """Something to solve: a file name that is its own, and a record."""

    @property
    def file(self) -> str: ...

    def solve(self) -> Record: ...


def disorder_seed(n: int, h: float, realisation: int) -> int:
    """The seed of a realisation, the same for every eps: `tnness run ... --seed` repeats a point with it."""
    return int(np.random.SeedSequence([ROOT_SEED, n, round(1000 * h), realisation]).generate_state(1)[0])


@dataclass(frozen=True, kw_only=True)
class Point:
    """A steady state: exact where chi = 0, else by time evolution."""

    n: int
    h: float
    eps: float
    chi: int
    realisation: int
    tolerance: float = 1e-3
    longest: float = 30.0  # eps t after which a point that has not relaxed is given up
    drive: str = "correlated"
    field_weight: float = 1.0

    @property
    def file(self) -> str:
        """The point's settings as a file name, below a folder for the choice of drive and temperature."""
        engine = "exact" if self.chi == 0 else f"chi={self.chi}_tol={self.tolerance:g}_to={self.longest:g}"
        point = f"n={self.n}_h={self.h:g}_eps={self.eps:g}_{engine}_r={self.realisation:03d}.nc"
        return f"{self.drive}_field-weight={self.field_weight:g}/{point}"

    def solve(self) -> Record:
        """The local temperatures and the energy of the steady state, without its tensors."""
        record = steady_state(
            model_of(self),
            engine="exact" if self.chi == 0 else TEBD(chi=self.chi),
            seed=disorder_seed(self.n, self.h, self.realisation),
            tolerance=self.tolerance,
            max_time=self.longest / self.eps,
        )
        return Record(record.dataset[KEPT])


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """The relaxation of one realisation from infinite temperature."""

    n: int
    h: float
    eps: float
    chi: int
    times: tuple[float, ...]
    realisation: int = 0
    drive: str = "correlated"
    field_weight: float = 1.0

    @property
    def file(self) -> str:
        """The trajectory's settings as a file name."""
        end, count = self.eps * self.times[-1], len(self.times)
        run = f"n={self.n}_h={self.h:g}_eps={self.eps:g}_chi={self.chi}_r={self.realisation:03d}"
        return f"{self.drive}_field-weight={self.field_weight:g}/relaxation_{run}_to={end:g}_{count}.nc"

    def solve(self) -> Record:
        """The local temperatures and the energy against time, without the final tensors."""
        model = model_of(self)
        seed = disorder_seed(self.n, self.h, self.realisation)
        engine = TEBD(chi=self.chi) if self.chi else "exact"
        return Record(evolve(model, self.times, engine=engine, seed=seed).dataset[KEPT])


def model_of(job: Point | Trajectory) -> Model:
    """The chain of a job; its disorder is drawn from the seed of the run."""
    return find("mbl-heisenberg")(n=job.n, h=job.h, eps=job.eps, drive=job.drive, field_weight=job.field_weight)


def run(jobs: Iterable[Job], store: Path, workers: int = 2) -> None:
    """Solve every job that the store does not hold yet, `workers` at a time (0: here, one after the other)."""
    wanted = {job.file: job for job in jobs}
    missing = [job for job in wanted.values() if not (store / job.file).exists()]
    for folder in {(store / job.file).parent for job in missing}:
        folder.mkdir(parents=True, exist_ok=True)
    with tqdm(total=len(wanted), initial=len(wanted) - len(missing), desc="points", smoothing=0) as bar:
        for status in _solved(missing, store, workers):
            bar.update()
            if status == STATUS[FAILED]:
                bar.write("a point failed; its record says why")


def _solved(jobs: Sequence[Job], store: Path, workers: int) -> Iterable[str]:
    if workers == 0:
        yield from (solve_into(store, job) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")  # a forked BLAS may hang
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:
        futures = [pool.submit(solve_into, store, job) for job in jobs]
        try:
            yield from (future.result() for future in as_completed(futures))
        finally:
            pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    threadpool_limits(1)


def solve_into(store: Path, job: Job) -> str:
    """Solve a job, save its record and return its status; a failure is a record too."""
    started = time.process_time()
    try:
        record = job.solve()
    except Interrupted:
        raise
    except TnnessError as error:
        record = Record(xr.Dataset(attrs={"format": FORMAT, "outcome": f"failed: {error}"}))
    record.dataset.attrs["cpu_seconds"] = time.process_time() - started
    record.save(store / job.file)
    return STATUS[status_of(record.outcome)]


def status_of(outcome: str) -> int:
    """The certificate's outcome as one of four."""
    if outcome.startswith("failed"):
        return FAILED
    return {"exact": EXACT, "converged": CONVERGED}.get(outcome, NOT_CONVERGED)


def collect(points: Iterable[Point], store: Path) -> xr.Dataset:
    """Mean and variance of the local temperatures over the bonds, for every point, in one labelled table.

    Returns
    -------
    `mean` and `variance` (NaN where a point failed or was not asked for), `energy`, `status` (index into STATUS, -1
    where no point was asked for) and `cpu_seconds`, with the dimensions AXES; chi = 0 stands for exact.
    """
    wanted = {tuple(getattr(point, axis) for axis in AXES): point for point in points}
    coords = {axis: sorted({key[i] for key in wanted}) for i, axis in enumerate(AXES)}
    shape = [len(values) for values in coords.values()]
    table = {name: np.full(shape, np.nan) for name in ("mean", "variance", "energy", "cpu_seconds")}
    table["status"] = np.full(shape, -1, dtype=np.int8)
    for key, point in wanted.items():
        index = tuple(coords[axis].index(value) for axis, value in zip(AXES, key, strict=True))
        for name, value in _figures(store / point.file).items():
            table[name][index] = value
    dataset = xr.Dataset({name: (AXES, values) for name, values in table.items()}, coords=coords)
    first = next(iter(wanted.values()))
    dataset.attrs = {"drive": first.drive, "field_weight": first.field_weight, "status": ", ".join(STATUS)}
    return dataset


def _figures(file: Path) -> dict[str, float]:
    """What one record says of its chain; read by h5py, in a millisecond where a labelled table takes a hundred."""
    with h5py.File(file) as record:
        figures = {"status": status_of(record.attrs["outcome"]), "cpu_seconds": np.squeeze(record.attrs["cpu_seconds"])}
        if figures["status"] == FAILED:
            return figures
        beta, energy = record["beta"][...], record["energy"][()]
    if not np.isfinite(beta).all():  # a bond that no finite temperature fits
        return figures | {"status": FAILED}
    return figures | {"mean": beta.mean(), "variance": beta.var(), "energy": energy}


def complete(dataset: xr.Dataset) -> xr.Dataset:
    """The realisations that have a value at every coupling: the errors at different eps are correlated."""
    along = [axis for axis in dataset["mean"].dims if axis != "realisation"]
    return dataset.isel(realisation=np.flatnonzero(np.isfinite(dataset["mean"]).all(along)))


def tally(dataset: xr.Dataset) -> str:
    """How many points there are and how they ended, for a figure's title."""
    counts = Counter(dataset["status"].values.ravel().tolist())
    counts.pop(-1, None)
    ended = ", ".join(f"{counts[status]} {name}" for status, name in enumerate(STATUS) if counts[status])
    return f"{sum(counts.values())} points: {ended}"
