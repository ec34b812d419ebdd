"""Every point of the study is one certified steady state, solved once by a sweep and kept as one record.

There is one sweep for each engine, order and tolerance; the rest of a point's settings are its axes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, product
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from tnness import Record
from tnness.errors import RecordError
from tnness.study.plan import canonical
from tnness.study.store import Store
from tnness.study.sweep import sweep

EXACT_UP_TO = 4
"""Sites up to which the chain is solved exactly; 6^5 dimensions and more are quicker by time evolution."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """A steady state of the averaged replica; `delta` None is order delta^2."""

    n: int
    p1: float
    p2: float
    chi: int
    dt: float = 1.6
    delta: float | None = None
    tolerance: float = 1e-3

    @property
    def engine(self) -> str:
        """What solves it."""
        return "exact" if self.n <= EXACT_UP_TO else "tebd"

    @property
    def order(self) -> str:
        """Of the expansion in delta."""
        return "second" if self.delta is None else "finite"

    @property
    def folder(self) -> str:
        """The name of its sweep."""
        return f"{self.engine}_{self.order}" + ("" if self.engine == "exact" else f"_tol={self.tolerance:g}")

    @property
    def values(self) -> dict[str, Any]:
        """Its place on the sweep's axes."""
        field = 0.5 if self.delta is None else self.delta / 2
        found = {"n": self.n, "p1": self.p1, "p2": self.p2, "m_left": field, "m_right": -field}
        return found if self.engine == "exact" else found | {"chi": self.chi, "dt": self.dt}


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Chains of several lengths at several gates, one bond dimension each length."""

    gates: tuple[tuple[float, float], ...]  # (p1, p2)
    chi: dict[int, int]  # length -> bond dimension

    def points(self) -> Iterator[Point]:
        """Every point, short chains first."""
        for (n, chi), (p1, p2) in product(sorted(self.chi.items()), self.gates):
            yield Point(n=n, p1=p1, p2=p2, chi=chi)


def run(points: Iterable[Point], store: Path, workers: int = 0) -> None:
    """Solve every point that the store does not hold yet."""
    for folder, members in groupby(sorted(points, key=lambda point: point.folder), key=lambda point: point.folder):
        several = list(members)
        store.mkdir(parents=True, exist_ok=True)
        summary = sweep(
            "replica-abc",
            points=list({canonical(point.values): point.values for point in several}.values()),
            store=store / folder,
            parameters={"order": several[0].order},
            engine=several[0].engine,
            tolerance=several[0].tolerance if several[0].engine == "tebd" else 1e-3,
            workers=workers,
            progress=True,
        )
        if summary.failed:
            raise RecordError(f"{summary.failed} points of {store / folder} failed: {summary.failures[0].error}")


def opened(point: Point, store: Path) -> xr.Dataset:
    """The record of a point."""
    return Record.open(next(iter(_paths(point, store)))).dataset


def _paths(point: Point, store: Path) -> Iterator[Path]:
    place, wanted = Store.open(store / point.folder), canonical(point.values)
    return (place.record_path(p.key) for p in place.points() if canonical(p.values) == wanted)


def entropy(data: xr.Dataset) -> float:
    """Delta S, per delta^2 at second order (nats)."""
    return float(data["entropy_deviation"])


def middle(data: xr.Dataset, name: str = "mutual_information") -> float:
    """The mutual information of the two halves, the longer one on the right (nats)."""
    values = np.asarray(data[name])
    return float(values[(len(values) + 1) // 2 - 1])


def error(data: xr.Dataset, name: str) -> float:
    """The largest error of an observable's elements, by the certificate; 0 of an exact one."""
    return float(np.nan_to_num(np.max(data[f"{name}_error"]))) if f"{name}_error" in data else 0.0
