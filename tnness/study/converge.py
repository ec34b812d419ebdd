"""Convergence of a steady state in bond dimension and time step, with an extrapolation and an error bar."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tnness import model as modelling
from tnness.engines.tebd import TEBD
from tnness.errors import InputError, RecordError
from tnness.record import FORMAT, Record, require_folder
from tnness.solve import CHECKPOINT_EVERY, TOLERANCE, engine_for, steady_state


def converge(
    model: Any,
    chi: Sequence[int],
    dt: Sequence[float | None] = (None,),
    *,
    engine: TEBD | None = None,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    max_time: float | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
    progress: bool = False,
    name: str | None = None,
) -> xr.Dataset:
    """Run a steady state at every (dt, chi), each starting from the one before, and extrapolate to chi -> infinity.

    Parameters
    ----------
    chi: increasing bond dimensions, at least two. dt: time steps, the best (smallest) is extrapolated; None is the
        engine's default. engine: other settings of `TEBD`. The rest as for `steady_state`; finished points are kept in
        `out` + ".points" while the whole is unfinished.

    Returns
    -------
    A dataset with every observable over (dt, chi, ...), and for each of them NAME_extrapolated and NAME_error: linear
    in 1/chi through the last two points at the smallest dt; the error is the larger of the last step in chi and the
    distance extrapolated, plus the spread over dt and what is left of the relaxation.
    """
    chis, steps = _checked(chi, dt)
    settings = engine or TEBD()
    if not isinstance(settings, TEBD):
        raise InputError("converge takes the engine 'tebd': it is its bond dimension and time step that are varied")
    points: Path | None = None
    if out is not None:
        if Path(out).exists() and not overwrite:
            raise RecordError(f"{out} exists already; give --overwrite to replace it, or another --out")
        require_folder(Path(out))
        points = Path(f"{out}.points")
        points.mkdir(exist_ok=True)
    rows = []
    for step in steps:
        row: list[Record] = []
        for bond in chis:
            target = points / f"dt={step}_chi={bond}.nc" if points is not None else None
            own = replace(settings, chi=bond, dt=step, schedule=settings.schedule if not row else ())
            row.append(
                _point(
                    model,
                    target,
                    engine=own,
                    seed=seed,
                    initial=row[-1] if row else "identity",
                    tolerance=tolerance,
                    max_time=max_time,
                    checkpoint_every=checkpoint_every,
                    progress=progress,
                    name=name,
                )
            )
        rows.append(row)
    dataset = _assemble(rows, chis, steps, model)
    if out is not None and points is not None:
        Record(dataset).save(out)
        for file in points.iterdir():
            file.unlink()
        points.rmdir()
    return dataset


def _checked(chi: Sequence[int], dt: Sequence[float | None]) -> tuple[list[int], list[float | None]]:
    chis, steps = list(chi), list(dt)
    if len(chis) < 2 or sorted(set(chis)) != chis:
        raise InputError(f"chi = {chis}: at least two increasing bond dimensions are needed")
    if not steps or (None in steps and len(steps) > 1):
        raise InputError(f"dt = {steps}: give the time steps as numbers")
    return chis, sorted(steps, key=lambda s: -(s or 0.0))


def _point(model: Any, target: Path | None, **settings: Any) -> Record:
    """Run one point, or take it from an earlier, interrupted call with the same settings."""
    if target is not None and target.exists():
        record = Record.open(target)
        asked = json.loads(json.dumps(settings["engine"].__dict__))
        if record.settings["engine_settings"] == asked and record.settings["tolerance"] == settings["tolerance"]:
            return record
    return steady_state(model, out=target, overwrite=True, **settings)


def _assemble(rows: list[list[Record]], chis: list[int], steps: list[float | None], model: Any) -> xr.Dataset:
    first = rows[0][0]
    generator = modelling.generator_of(modelling.draw(model, first.settings["seed"]))
    times = [s if s is not None else engine_for(model, "tebd", chi=chis[-1]).time_step(generator) for s in steps]  # type: ignore[attr-defined]
    variables: dict[str, Any] = {}
    for key in (str(k) for k in first.dataset.data_vars):
        stack = np.array([[record.dataset[key].values for record in row] for row in rows])
        dims = ("dt", "chi", *first.dataset[key].dims)
        variables[key] = xr.Variable(dims, stack, dict(first.dataset[key].attrs, error=""))
        variables[key].attrs.pop("error")
        if not key.startswith("certificate_"):
            remaining = float(max(record.certificate.estimates["relaxation"].get(key, 0.0) for record in rows[-1]))
            value, error = extrapolate(stack[-1], chis)
            error = error + remaining + (np.abs(stack[-1, -1] - stack[-2, -1]) if len(steps) > 1 else 0.0)
            about = {"units": first.dataset[key].attrs.get("units", "1"), "long_name": f"{key}, chi -> infinity"}
            variables[f"{key}_extrapolated"] = xr.Variable(first.dataset[key].dims, value, about)
            variables[f"{key}_error"] = xr.Variable(first.dataset[key].dims, error, about | {"long_name": f"error of {key}"})
    outcomes = [[record.outcome for record in row] for row in rows]
    variables["outcome"] = xr.Variable(("dt", "chi"), np.array(outcomes, dtype=str))
    dataset = xr.Dataset(variables, coords={"dt": times, "chi": chis} | {k: v for k, v in first.dataset.coords.items()})
    dataset.attrs = dict(rows[-1][-1].dataset.attrs, kind="convergence", outcome=outcomes[-1][-1], format=FORMAT)
    return dataset


def extrapolate(values: NDArray[np.float64], chis: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Extrapolate linearly in 1/chi through the last two points; the first axis runs over chi.

    Returns
    -------
    The value at 1/chi = 0 and its error: the larger of the last step and the distance extrapolated.

    >>> value, error = extrapolate(np.array([1.5, 1.25]), [2, 4])
    >>> float(value), float(error)
    (1.0, 0.25)
    """
    x1, x2 = 1 / chis[-2], 1 / chis[-1]
    slope = (values[-2] - values[-1]) / (x1 - x2)
    value = values[-1] - slope * x2
    return value, np.maximum(np.abs(values[-1] - values[-2]), np.abs(value - values[-1]))


def table(dataset: xr.Dataset) -> str:
    """Return the convergence of every scalar observable (and the largest entry of every other) as text."""
    names = [str(k) for k in dataset.data_vars if f"{k}_extrapolated" in dataset]
    lines = ["  ".join(["        dt", "  chi", *(f"{_heading(dataset, k):>20}" for k in names), "outcome"])]
    for i, dt in enumerate(dataset["dt"].values):
        for j, chi in enumerate(dataset["chi"].values):
            cells = [f"{_scalar(dataset[k].values[i, j]):20.10g}" for k in names]
            lines.append("  ".join([f"{dt:10.4g}", f"{chi:5d}", *cells, str(dataset["outcome"].values[i, j])]))
    cells = [f"{_with_error(dataset, k):>20}" for k in names]
    lines.append("  ".join([" " * 10, "  inf", *cells]))
    return "\n".join(lines)


def _heading(dataset: xr.Dataset, name: str) -> str:
    return name if dataset[name].ndim == 2 else f"max|{name}|"


def _scalar(value: NDArray[np.float64]) -> float:
    return float(value) if value.ndim == 0 else float(np.nanmax(np.abs(value)))


def _with_error(dataset: xr.Dataset, name: str) -> str:
    value, error = _scalar(dataset[f"{name}_extrapolated"].values), _scalar(dataset[f"{name}_error"].values)
    digits = max(0, 1 - math.floor(math.log10(error))) if error > 0 and math.isfinite(error) else 6
    return f"{value:.{min(digits, 12)}f} +- {error:.1e}"
