"""The work on one point of a sweep, from its claim to its record."""

from __future__ import annotations

import enum
import socket
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tnness.engines.protocol import Engine
from tnness.errors import Interrupted, ModelError
from tnness.records.lazily import lazily
from tnness.records.record import Record
from tnness.runs.checkpoint import Output
from tnness.runs.driver import provenance
from tnness.runs.job import Job
from tnness.runs.solve import run
from tnness.study.measuring import function
from tnness.study.plan import Plan, Point, canonical
from tnness.study.store import Failure, Store

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = lazily("xarray")


Measure = Callable[["Setting"], "Record | xr.Dataset | Mapping[str, float]"]


class Ended(enum.Enum):
    """The end of the work at a point."""

    DONE = "done"
    FAILED = "failed"
    ELSEWHERE = "elsewhere"  # another process has claimed or finished it
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Setting:
    """The argument of a measuring function: a point of the sweep, and the job that would solve it.

    model: without its disorder drawn. engine: with its settings at this point. seed: of the disorder. values: on the
    axes. realization: counted from 0.
    """

    job: Job
    model: Any
    values: dict[str, Any]
    realization: int

    @property
    def engine(self) -> Engine:
        """The engine at this point."""
        return self.job.engine

    @property
    def seed(self) -> int:
        """The seed of the disorder; the engine's random streams are derived from it."""
        return self.job.ask.seed

    def solve(self) -> Record:
        """Return the steady state, or the evolution, that the plan asks for."""
        return run(self.job, Output())


@dataclass(frozen=True)
class Task:
    """The work that is sent to a worker. measure: the measuring function, in place of its name in the plan."""

    folder: Path
    plan: Plan
    point: Point
    measure: Measure | None = None
    keep_states: bool = False

    def __call__(self) -> Ended:
        """Claim the point, solve it, and keep its record or its error.

        Raises
        ------
        RecordError: the store cannot be written; this is not kept as an error of the point.
        """
        store, key = Store(self.folder), self.point.key
        with store.claim(key) as mine:
            if not mine or store.record_path(key).exists():
                return Ended.ELSEWHERE
            started = time.process_time()
            try:
                record = self._solved()
            except Interrupted:
                return Ended.INTERRUPTED
            except Exception as error:  # no error of one point may stop the others
                store.fail(self._failure(error))
                return Ended.FAILED
            record.dataset.attrs |= self._about | {"cpu_seconds": time.process_time() - started}
            kept = record if self.keep_states else Record(record.dataset, estimates=record.estimates)
            store.keep(key, kept.image(key))
        return Ended.DONE

    def _solved(self) -> Record:
        plan, values = self.plan, self.point.values
        setting = Setting(plan.job_at(values, self.point.seed), plan.model_at(values), values, self.point.realization)
        if plan.measure is None:
            return setting.solve()
        return _as_record((self.measure or function(plan.measure))(setting), setting)

    @property
    def _about(self) -> dict[str, Any]:
        """The attributes that give a record's place in the sweep."""
        values = {"realization": self.point.realization, "point": canonical(self.point.values)}
        return values | {"seed": np.uint64(self.point.seed), "host": socket.gethostname()}

    def _failure(self, error: Exception) -> Failure:
        text = f"{type(error).__name__}: {error}"
        point = self.point
        return Failure(point.key, point.values, point.realization, point.seed, text, traceback.format_exc())


def _as_record(result: Any, setting: Setting) -> Record:
    """Return the result of a measuring function as a record, with its provenance."""
    if isinstance(result, Record):
        return result
    if isinstance(result, Mapping) and not isinstance(result, xr.Dataset):
        result = xr.Dataset({name: ((), float(value)) for name, value in result.items()})
    if not isinstance(result, xr.Dataset):
        raise ModelError(f"a measuring function returns a Record, a Dataset or numbers by name, not {result!r}")
    about = provenance(setting.job, float("nan"), float("nan"))
    return Record(result.assign_attrs({"outcome": "measured", **result.attrs, **about}))
