"""Every point of the study is one certified steady state, solved once and kept as one record."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import xarray as xr
from tqdm import tqdm

from tnness import TEBD, Record, find, steady_state

STORE = Path("runs") / "phase_three"
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
    def file(self) -> str:
        """The point's settings as a file name."""
        order = "second" if self.delta is None else f"delta={self.delta:g}"
        engine = "exact" if self.n <= EXACT_UP_TO else f"chi={self.chi}_dt={self.dt:g}_tol={self.tolerance:g}"
        return f"n={self.n}_p1={self.p1:g}_p2={self.p2:g}_{order}_{engine}.nc"

    def solve(self) -> Record:
        """The observables and the certificate, without the tensors."""
        field = 0.5 if self.delta is None else self.delta / 2
        order = "second" if self.delta is None else "finite"
        model = find("replica-abc")(n=self.n, p1=self.p1, p2=self.p2, m_left=field, m_right=-field, order=order)
        engine = "exact" if self.n <= EXACT_UP_TO else TEBD(chi=self.chi, dt=self.dt)
        began = time.process_time()
        record = steady_state(model, engine=engine, tolerance=self.tolerance, initial=model.initial_state("tebd"))
        record.dataset.attrs["cpu_seconds"] = time.process_time() - began
        return Record(record.dataset)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Chains of several lengths at several gates, one bond dimension each length."""

    gates: tuple[tuple[float, float], ...]  # (p1, p2)
    chi: dict[int, int]  # length -> bond dimension

    def points(self) -> Iterator[Point]:
        """Every point, short chains first."""
        for (n, chi), (p1, p2) in product(sorted(self.chi.items()), self.gates):
            yield Point(n=n, p1=p1, p2=p2, chi=chi)


def run(points: Iterable[Point], store: Path) -> None:
    """Solve every point that the store does not hold yet, one after the other."""
    wanted = {point.file: point for point in points}
    missing = [point for point in wanted.values() if not (store / point.file).exists()]
    store.mkdir(parents=True, exist_ok=True)
    for point in tqdm(missing, desc="points"):
        point.solve().save(store / point.file)


def opened(point: Point, store: Path) -> xr.Dataset:
    """The record of a point."""
    return Record.open(store / point.file).dataset


def entropy(data: xr.Dataset) -> float:
    """Delta S, per delta^2 at second order (nats)."""
    return float(data["entropy_deviation"])


def middle(data: xr.Dataset, name: str = "mutual_information") -> float:
    """The mutual information of the two halves, the longer one on the right (nats)."""
    values = np.asarray(data[name])
    return float(values[(len(values) + 1) // 2 - 1])


def error(data: xr.Dataset, name: str) -> float:
    """The certificate's error of an observable; 0 of an exact one."""
    return float(np.nan_to_num(np.max(data[name].attrs.get("error", 0.0))))
