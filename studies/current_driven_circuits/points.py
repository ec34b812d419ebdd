"""Steady states of the averaged replica at order delta^2, kept as records; closed equations where they are exact."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tnness import TEBD, Record, find, steady_state
from tnness_models.replica_solutions import phase_two

STORE = Path("runs") / "current_driven_circuits"
SMALL = 1e-3
"""delta at which the Gaussian equations, exact at any bias, are read for their second order."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """Gates and length; chi = 0 where the closed Gaussian equations are exact (p2 = 0)."""

    n: int
    p1: float
    p2: float
    chi: int = 64
    dt: float = 1.6
    tolerance: float = 1e-3

    @property
    def file(self) -> str:
        """The point's settings as a file name."""
        return f"n={self.n}_p1={self.p1:g}_p2={self.p2:g}_chi={self.chi}_dt={self.dt:g}_tol={self.tolerance:g}.nc"


@dataclass(frozen=True)
class Answer:
    """Delta S and I of the two halves, per delta^2 (nats), and how the point ended."""

    deviation: float
    information: float
    outcome: str


def solve(point: Point, store: Path) -> Answer:
    """Return a point, solved now or found in the store."""
    if point.p2 == 0:
        return gaussian(point.n, point.p1)
    file = store / point.file
    if not file.exists():
        store.mkdir(parents=True, exist_ok=True)
        model = find("replica-abc")(n=point.n, p1=point.p1, p2=point.p2, order="second")
        engine = TEBD(chi=point.chi, dt=point.dt)
        record = steady_state(model, engine=engine, tolerance=point.tolerance, initial=model.initial_state("tebd"))
        Record(record.dataset).save(file)
    data = Record.open(file).dataset
    half = float(data["mutual_information"][point.n // 2 - 1])
    return Answer(float(data["entropy_deviation"]), half, str(data.attrs["outcome"]))


def gaussian(n: int, p1: float) -> Answer:
    """The closed equations of p2 = 0."""
    values = phase_two(n, p1, 0.5 + SMALL / 2, 0.5 - SMALL / 2) / SMALL**2
    deviation = 2 * np.trace(values) + 4 * np.triu(values, 1).sum()
    return Answer(float(deviation), float(4 * values[: n // 2, n // 2 :].sum()), "exact")
