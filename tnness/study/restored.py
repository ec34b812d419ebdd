"""Points of a sweep whose numbers a collected table holds: they become records of the store, and are not computed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tnness.errors import RecordError
from tnness.model.protocol import UNKNOWN
from tnness.records.lazily import lazily
from tnness.records.record import Record
from tnness.runs.driver import provenance
from tnness.runs.job import differences
from tnness.study.collect import CONVERGED, EXACT, NOT_CONVERGED, REFERENCE, open_table
from tnness.study.plan import REALIZATION, Plan, Point, canonical
from tnness.study.store import Store

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = lazily("xarray")

OUTCOME = {NOT_CONVERGED: "not converged", CONVERGED: "converged", EXACT: "exact"}
"""The outcome of a restored record; that of a point that is done depends on what was asked."""
OWN = ("status", "seed", "cpu_seconds")
"""Columns that are no numbers of a record."""


def restore(store: Store, plan: Plan, points: Sequence[Point], path: str | Path) -> int:
    """Write the points that a table holds as records into a store; return how many.

    Parameters
    ----------
    store: where the plan is registered. points: those that are missing there. path: of a table from `collect`.

    Raises
    ------
    RecordError: the table is of a sweep with other settings or other physics, or cannot be read.
    """
    table = open_table(path)
    changed = differences(json.loads(table.attrs["settings"]), store.base)
    if changed:
        raise RecordError(f"the table {path} is of a sweep with other settings: {'; '.join(changed)}")
    _check_physics(table, plan, path)
    status, seeds = table["status"].values, table["seed"].values
    axes = [str(dim) for dim in table["status"].dims if dim != REALIZATION]
    places = {axis: {canonical(v): i for i, v in enumerate(table[axis].values.tolist())} for axis in axes}
    count, origins = 0, dict[str, dict[str, Any]]()  # of every point of the grid, where the record of one seed says it
    for point in points:
        place = [places[axis].get(canonical(point.values[axis])) for axis in axes]
        if None in place or point.realization >= table.sizes[REALIZATION]:
            continue
        index = (*place, point.realization)
        if status[index] < NOT_CONVERGED or int(seeds[index]) != point.seed:
            continue
        at, values = dict(zip([*axes, REALIZATION], index, strict=True)), canonical(point.values)
        if values not in origins:
            origins[values] = provenance(plan.job_at(point.values, point.seed), float("nan"), float("nan"))
        record = _record(table.isel(at), origins[values], point, "complete" if plan.measure is None else "measured")
        record.dataset.attrs["restored_from"] = str(path)
        store.keep(point.key, record.image(point.key))
        count += 1
    return count


def _record(row: xr.Dataset, origin: Mapping[str, Any], point: Point, done: str) -> Record:
    """Return one point of a table as a record. origin: of a record with another seed. done: the outcome of what is."""
    numbers = row.drop_vars([name for name in row.coords if name not in row.dims] + list(OWN))
    settings = json.loads(origin["settings"])
    about = dict(origin) | {"settings": json.dumps(settings | ({"seed": point.seed} if "seed" in settings else {}))}
    about |= {"outcome": OUTCOME.get(int(row["status"]), done), "cpu_seconds": float(row["cpu_seconds"])}
    about |= {"realization": point.realization, "point": canonical(point.values), "seed": np.uint64(point.seed)}
    numbers.attrs = about
    return Record(numbers)


def _check_physics(table: xr.Dataset, plan: Plan, path: str | Path) -> None:
    """Refuse a table whose model states another problem now. Tables of earlier versions do not tell."""
    told: dict[str, Any] = json.loads(table.attrs.get(REFERENCE, "{}"))
    if not told:
        return
    now = plan.reference_at(told["values"])
    if UNKNOWN not in (told["physics"], now.physics) and told["physics"] != now.physics:
        raise RecordError(
            f"the table {path} is of other physics: what model {plan.name!r} states at {canonical(told['values'])} is "
            "not what it was (its file or its package has changed)"
        )
    then, measure = told["measure"] or "", now.measure or ""
    same_python = then.partition(":")[0] == measure.partition(":")[0]  # digests of others cannot be compared
    if same_python and then != measure:
        raise RecordError(f"the table {path} was measured by other code than that of {plan.measure} now")
