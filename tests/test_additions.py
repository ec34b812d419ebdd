"""What a user adds, each in one place and without touching the package: here is all that it takes.

An engine, a stopping rule, a kind of observable, and a truncation method, at work together in one run.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness import (
    TEBD,
    Engine,
    Lindbladian,
    Observable,
    Report,
    Rule,
    Snapshot,
    expectation,
    register_engine,
    register_truncation,
    steady_state,
)
from tnness import spin_half as s
from tnness.engines.registry import ENGINES
from tnness.network import truncation
from tnness.network.dense_view import DenseView
from tnness.network.truncation import Split

# ---------------------------------------------------------------- a kind of observable: one function


def mutual_information(first, second):
    """S(A) + S(B) - S(AB)."""
    return Observable(
        lambda view: view.entropy(first) + view.entropy(second) - view.entropy([*first, *second]),
        unit="nat",
        needs=("entropy",),
    )


# ---------------------------------------------------------------- a stopping rule: one class


class Halved(Rule):
    """Over when the last look changed half as much as one half the run ago, and by less than the tolerance.

    Its error is that change: what a decay that halves itself again and again has still to go.
    """

    judges = True

    def __init__(self, tolerance):
        self.tolerance = tolerance

    def changes(self, history):
        """The last change of every observable, and that of half the run ago."""
        series = {name: np.array(values) for name, values in history.values.items()}
        return {name: (np.abs(x[-1] - x[len(x) // 2]).max(), np.abs(x[len(x) // 2] - x[0]).max())
                for name, x in series.items()}  # fmt: skip

    def over(self, history):
        if len(history.times) < 4:
            return False
        return all(late < min(self.tolerance, early / 2 + 1e-12) for late, early in self.changes(history).values())

    def errors(self, history):
        return {"relaxation": {name: late for name, (late, _) in self.changes(history).items()}}

    def verdict(self, history):
        return "halved" if self.over(history) else "not halved"


# ---------------------------------------------------------------- an engine: one dataclass, and its run


@dataclass(frozen=True, kw_only=True)
class Euler(Engine):
    """Implicit Euler steps, by dense linear algebra."""

    dt: float = 0.5  # time step [time]

    like = "tebd"

    def begin(self, problem, start):
        generator = problem.generator()
        mixed = np.ones(1)
        for space in generator.spaces:
            mixed = np.kron(mixed, space.vector(np.eye(space.levels) / space.levels))
        return EulerRun(self.dt, generator, mixed)

    def resume(self, problem, start, snapshot):
        return EulerRun(self.dt, problem.generator(), snapshot.arrays["vector"], snapshot.numbers["time"])

    def rule(self, run, start):
        return Halved(start.ask.tolerance)


@dataclass
class EulerRun:
    dt: float
    generator: object
    vector: np.ndarray
    time: float = 0.0

    def step(self, until=None):
        dt = self.dt if until is None else until - self.time
        matrix = np.eye(len(self.vector)) - dt * self.generator.matrix().toarray()
        self.vector, self.time = np.linalg.solve(matrix, self.vector), self.time + dt
        return Report(self.time)

    def view(self):
        return DenseView(self.vector, self.generator.spaces, self.generator.functionals)

    def save(self):
        return Snapshot({"vector": self.vector}, {"time": self.time})


@dataclass(frozen=True, kw_only=True)
class Driven:
    """Three spins between a source and a drain."""

    rate: float = 1.0  # of both ends [1/time]

    def problem(self):
        chain = Lindbladian([s] * 3)
        for i in range(2):
            chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
        chain.jump(s.Sp(0), rate=self.rate)
        chain.jump(s.Sm(2), rate=self.rate)
        return chain

    def observables(self):
        return {"z": expectation([s.Z(i) for i in range(3)], "site"), "shared": mutual_information([0], [1, 2])}


@pytest.fixture
def euler():
    register_engine("euler")(Euler)
    yield
    ENGINES.pop("euler")


def test_an_engine_with_a_rule_of_its_own_and_a_new_kind_of_observable(euler):
    """The engine is found by its name; the rule's errors cover what is left to the exact answer."""
    record = steady_state(Driven(), engine="euler", tolerance=1e-4)
    exact = steady_state(Driven(), engine="exact")
    assert record.outcome == "halved"
    assert exact["shared"] > 0.01
    for name, error in record.certificate.estimates["relaxation"].items():
        assert (np.abs(record[name] - exact[name]) <= error).all()
        assert error.max() < 1e-4
    assert steady_state(Driven(), engine="euler", max_time=1.0).outcome == "not halved"
    assert steady_state(Driven(), engine="euler", watch=["shared"], tolerance=1e-4).outcome == "halved"


def test_a_truncation_method_is_chosen_by_its_name(monkeypatch):
    """One function, registered: runs take it, records name it, and at full bond dimension nothing is lost."""
    monkeypatch.setattr(truncation, "TRUNCATIONS", dict(truncation.TRUNCATIONS))
    splits = []

    @register_truncation("eigenvectors")
    def eigenvectors(matrix, guess, settings, rng):
        """The leading eigenvectors of M M^+."""
        splits.append(matrix.shape)
        weights, vectors = np.linalg.eigh(matrix @ matrix.T)
        basis = vectors[:, ::-1][:, : min(settings.chi, *matrix.shape)]
        return Split(
            basis, basis.T @ matrix, max(0.0, float(1 - weights[::-1][: basis.shape[1]].sum() / weights.sum()))
        )

    record = steady_state(Driven(), engine=TEBD(chi=16, method="eigenvectors"))
    assert splits
    assert record.used["method"] == "eigenvectors"
    assert record.outcome == "converged"
    exact = steady_state(Driven(), engine="exact")
    assert_allclose(record["z"], exact["z"], atol=2e-3)
