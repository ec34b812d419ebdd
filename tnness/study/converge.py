"""Convergence of a steady state in bond dimension and time step, with an extrapolation and an error bar."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tnness.engines.ask import TOLERANCE, Ask, names_of
from tnness.engines.protocol import Engine
from tnness.engines.registry import engine_class
from tnness.errors import InputError, RecordError, TnnessError
from tnness.records.lazily import lazily
from tnness.records.record import BURSTS, ERROR, EXTRAPOLATED, FORMAT, Record, error_of, observables_in, part_path
from tnness.records.values import cautious, change, scale
from tnness.runs.checkpoint import CHECKPOINT_EVERY, Output
from tnness.runs.driver import Driver
from tnness.runs.job import Job, differences, name_of, offered_engines
from tnness.runs.solve import chosen_engine
from tnness.typed import field_types, typed

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = lazily("xarray")


BOND_AND_STEP = {"chi", "dt"}
"""The settings that an engine must have: bond dimension and time step."""


@typed
def converge(
    model: Any,
    chi: Sequence[int],
    dt: Sequence[float | None] = (None,),
    *,
    engine: Engine | str | None = None,
    seed: int = 0,
    initial: Any = None,
    tolerance: float = TOLERANCE,
    atol: float | None = None,
    period: float | None = None,
    own_period: bool = False,
    max_time: float | None = None,
    watch: Sequence[str] = (),
    kick: bool = True,
    adjoint: int = 0,
    out: str | Path | None = None,
    overwrite: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
    progress: bool = False,
    name: str | None = None,
) -> xr.Dataset:
    """Run a steady state at every (dt, chi), each starting from the one before, and extrapolate to chi -> infinity.

    Parameters
    ----------
    chi: increasing bond dimensions, at least two. dt: time steps; the results of the smallest one are extrapolated.
        None is the engine's default. engine: an engine with a bond dimension and a time step, or its name; default: the
        model's first engine that has both.
    initial: initial state of the run at the first bond dimension. others: as for `steady_state`. Finished points are
        kept in `out` + ".points" until the convergence is finished.

    Returns
    -------
    A dataset with every observable and its error NAME_error over (dt, chi, ...), and for each of them NAME_extrapolated
    and NAME_extrapolated_error: linear in 1/chi through the last two points at the smallest dt; the error of an element
    is the larger of its last step in chi and the distance extrapolated, plus its spread over dt (or its Trotter error)
    and the relaxation still to come at the two points. If `watch` names observables, only these are extrapolated: the
    others may not have relaxed.
    """
    about = {"seed": seed, "initial": initial, "tolerance": tolerance, "atol": atol, "max_time": max_time}
    ask = Ask(**about, period=period, own_period=own_period, watch=names_of(watch), kick=kick, adjoint=adjoint)
    job = Job(model, name or name_of(model), chosen_engine(model, engine or default_engine(model)), ask)
    return converged(job, chi, dt, Output(None if out is None else Path(out), overwrite, checkpoint_every), progress)


def converged(
    job: Job, chi: Sequence[int], dt: Sequence[float | None], output: Output, progress: bool = False
) -> xr.Dataset:
    """Return the convergence of a job, as `converge` does.

    Parameters
    ----------
    job: the steady state; its engine's bond dimension and time step are varied. output: where the convergence goes.
    """
    chis, steps = _checked(chi, dt)
    # several time steps show the Trotter error themselves
    job = replace(job, engine=_settings(job.engine, chis, steps), ask=replace(job.ask, refine=len(steps) == 1))
    out = output.path
    points = Points(job, None if out is None else Path(f"{out}.points"), output.every, progress)
    try:
        rows = [points.row(chis, step) for step in steps]
    except TnnessError:
        points.remove_folder()
        raise
    dataset = _assemble(rows, chis, job)
    if out is not None:
        Record(dataset).save(out)
        points.remove()
    return dataset


def finished(job: Job, chi: Sequence[int], dt: Sequence[float | None], path: Path) -> xr.Dataset | None:
    """Return the convergence that a file holds, if it is that of this job; remove what is left of its points.

    So a process that was killed between its record and its figure is finished by the same command.
    """
    chis, steps = _checked(chi, dt)
    record = Record.open(path)
    if record.dataset.attrs.get("kind") != "convergence" or list(record.dataset["chi"].values) != chis:
        return None
    engine = _at(job.engine, chi=chis[-1], dt=steps[-1])
    engine = _at(engine, schedule=()) if hasattr(engine, "schedule") else engine
    last = replace(job, engine=engine, ask=replace(job.ask, refine=len(steps) == 1))
    initial = {"initial": record.settings["initial"]}  # of the last point: the point before it
    if len(record.dataset["dt"]) != len(steps) or differences(record.settings, last.settings | initial):
        return None
    if last.other(record):
        return None
    points = Points(job, Path(f"{path}.points"))
    points.files = list(Path(f"{path}.points").glob("*chi=*.nc*"))
    points.remove()
    return record.dataset


def default_engine(model: Any) -> str:
    """Return the model's first engine that has a bond dimension and a time step; if none has, its first engine."""
    offered = offered_engines(model)
    return next((name for name in offered if field_types(engine_class(name)).keys() >= BOND_AND_STEP), offered[0])


def _settings(engine: Engine, chis: Sequence[int], steps: Sequence[float | None]) -> Engine:
    """Return the engine; refuse one without bond dimension and time step, and invalid settings at any point."""
    settings = field_types(type(engine))
    if not settings.keys() >= BOND_AND_STEP:
        raise InputError(
            f"converge varies the bond dimension and the time step: engine {engine.name!r} has "
            f"{', '.join(sorted(settings)) or 'no settings'}"
        )
    for step, bond in itertools.product(steps, chis):
        _at(engine, chi=bond, dt=step)
    return engine


def _at(engine: Engine, **settings: Any) -> Engine:
    return replace(engine, **settings)  # type: ignore[type-var]


@dataclass
class Points:
    """The points of a convergence, kept in a folder until the convergence is finished.

    job: its settings hold for all points. folder: None keeps the points in memory. every: seconds between checkpoints.
    shown: whether progress is shown.
    """

    job: Job
    folder: Path | None
    every: float = CHECKPOINT_EVERY
    shown: bool = False

    def __post_init__(self) -> None:
        self.files: list[Path] = []
        if self.folder is not None:
            self.folder.mkdir(exist_ok=True)

    def row(self, chis: Sequence[int], dt: float | None) -> list[Record]:
        """Return the steady states at one time step, each started from the one before."""
        records: list[Record] = []
        for chi in chis:
            engine = _at(self.job.engine, chi=chi, dt=dt)
            if records and hasattr(engine, "schedule"):
                engine = _at(engine, schedule=())
            ask = replace(self.job.ask, initial=records[-1]) if records else self.job.ask
            job = replace(self.job, engine=engine, ask=ask)
            records.append(self._point(job, f"chi={chi}.nc" if dt is None else f"dt={dt}_chi={chi}.nc"))
        return records

    def remove(self) -> None:
        """Remove the files of the points; other files in the folder stay."""
        for file in self.files:
            file.unlink(missing_ok=True)
        self.remove_folder()

    def remove_folder(self) -> None:
        """Remove the folder if nothing is in it."""
        if self.folder is not None:
            with contextlib.suppress(OSError):
                self.folder.rmdir()

    def _point(self, job: Job, file: str) -> Record:
        """Run one point, or read its record from an earlier, interrupted call."""
        target = None if self.folder is None else self.folder / file
        if target is not None:
            self.files += [target, part_path(target)]
        if target is None or not target.exists():
            return Driver(job, Output(target, every=self.every), self.shown).run()
        record = Record.open(target)
        changed = job.changed(record)
        if changed:
            raise RecordError(
                f"{self.folder} holds an unfinished convergence with other settings ({'; '.join(changed)}): "
                "remove it, or give another --out"
            )
        return record


def _checked(chi: Sequence[int], dt: Sequence[float | None]) -> tuple[list[int], list[float | None]]:
    chis, steps = list(chi), list(dt)
    if len(chis) < 2 or sorted(set(chis)) != chis:
        raise InputError(f"chi = {chis}: at least two increasing bond dimensions are needed")
    if not steps or (None in steps and len(steps) > 1) or len(set(steps)) < len(steps):
        raise InputError(f"dt = {steps}: give different time steps, as numbers")
    return chis, sorted(steps, key=lambda s: -(s or 0.0))


def _assemble(rows: list[list[Record]], chis: list[int], job: Job) -> xr.Dataset:
    first, best = rows[0][0].dataset, rows[-1][-1].dataset
    variables: dict[str, xr.Variable] = {}
    shared = [str(k) for k in first.data_vars if all(k in record.dataset for row in rows for record in row)]
    extrapolated = [k for k in observables_in(first) if not job.ask.watch or k in job.ask.watch]
    errors = [error_of(k) for k in extrapolated if any(error_of(k) in r.dataset for row in rows for r in row)]
    for key in dict.fromkeys([*(k for k in shared if k not in BURSTS), *errors]):
        stack = np.array([[_values(record.dataset, key) for record in row] for row in rows])
        attributes = next(r.dataset[key].attrs for row in rows for r in row if key in r.dataset)
        dims = first[key.removesuffix(ERROR) if key in errors else key].dims
        variables[key] = xr.Variable(("dt", "chi", *dims), stack, attributes)
        if key in extrapolated:
            value, error = extrapolate(stack[-1], chis)
            error = cautious(error) + _still_to_come(rows[-1], chis, key) + _step_errors(rows, key)
            about = {"units": attributes.get("units", "1"), "long_name": f"{key}, chi -> infinity"}
            limit = f"{key}{EXTRAPOLATED}"
            variables[limit] = xr.Variable(first[key].dims, value, about)
            about |= {"long_name": f"error of {key}, chi -> infinity"}
            variables[error_of(limit)] = xr.Variable(first[key].dims, error, about)
    outcomes = [[record.outcome for record in row] for row in rows]
    variables["outcome"] = xr.Variable(("dt", "chi"), np.array(outcomes, dtype=str))
    coordinates = {"dt": [float(row[0].used["dt"]) for row in rows], "chi": chis, **first.coords}
    return xr.Dataset(variables, coordinates, dict(best.attrs, kind="convergence", format=FORMAT))


def _values(dataset: xr.Dataset, name: str) -> NDArray[np.float64]:
    """Return a variable's numbers; NaN for an error that is not known."""
    return dataset[name].values if name in dataset else np.full(dataset[name.removesuffix(ERROR)].shape, math.nan)


def _still_to_come(row: list[Record], chis: Sequence[int], key: str) -> NDArray[np.float64]:
    """Return the relaxation still to come at the last two points, as the extrapolation multiplies it."""
    before, last = (_error(record, "relaxation", key) for record in row[-2:])
    weight = _weight(chis)
    return (1 + weight) * last + weight * before


def _step_errors(rows: list[list[Record]], key: str) -> NDArray[np.float64]:
    """Return the spread over dt, or the Trotter error at the only dt, if it is known."""
    if len(rows) > 1:
        last, before = (row[-1].dataset[key].values for row in (rows[-1], rows[-2]))
        return cautious(np.abs(change(before, last)))
    return np.nan_to_num(_error(rows[-1][-1], "trotter", key), nan=0.0, posinf=math.inf)


def _error(record: Record, kind: str, key: str) -> NDArray[np.float64]:
    """Return one kind of error of every element; the worst relative one for an observable without its own."""
    values, certificate = record.dataset[key].values, record.certificate
    worst = certificate.figures().get(kind, math.nan) * scale(values)
    return certificate.estimates.get(kind, {}).get(key, np.full_like(values, worst))


def _weight(chis: Sequence[int]) -> float:
    """Return the distance extrapolated over that of the last two points, in 1/chi."""
    return chis[-2] / (chis[-1] - chis[-2])


def extrapolate(values: NDArray[np.float64], chis: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Extrapolate linearly in 1/chi through the last two points; the first axis runs over chi.

    Returns
    -------
    The value at 1/chi = 0 and its error: the larger of the last step and the distance extrapolated.

    >>> value, error = extrapolate(np.array([1.5, 1.25]), [2, 4])
    >>> float(value), float(error)
    (1.0, 0.25)
    """
    last = change(values[-2], values[-1])
    return values[-1] + _weight(chis) * last, max(1.0, _weight(chis)) * np.abs(last)


def table(dataset: xr.Dataset) -> str:
    """Return the convergence of every scalar observable (and the largest entry of every other) as text."""
    names = [str(k) for k in dataset.data_vars if f"{k}{EXTRAPOLATED}" in dataset]
    lines = ["  ".join(["        dt", "  chi", *(f"{_heading(dataset, k):>20}" for k in names), "outcome"])]
    for i, dt in enumerate(dataset["dt"].values):
        for j, chi in enumerate(dataset["chi"].values):
            cells = [f"{_scalar(dataset[k].values[i, j]):20.10g}" for k in names]
            outcome = str(dataset["outcome"].values[i, j]).partition(":")[0]
            lines.append("  ".join([f"{dt:10.4g}", f"{chi:5d}", *cells, outcome]))
    cells = [f"{_with_error(dataset, k):>20}" for k in names]
    lines.append("  ".join([" " * 10, "  inf", *cells]))
    return "\n".join(lines)


def _heading(dataset: xr.Dataset, name: str) -> str:
    return name if dataset[name].ndim == 2 else f"max|{name}|"


def _scalar(value: NDArray[np.float64]) -> float:
    return float(value) if value.ndim == 0 else float(np.fmax.reduce(np.abs(value), axis=None))


def _with_error(dataset: xr.Dataset, name: str) -> str:
    limit = f"{name}{EXTRAPOLATED}"
    value, error = _scalar(dataset[limit].values), _scalar(dataset[error_of(limit)].values)
    digits = max(0, 1 - math.floor(math.log10(error))) if error > 0 and math.isfinite(error) else 6
    return f"{value:.{min(digits, 12)}f} +- {error:.1e}"
