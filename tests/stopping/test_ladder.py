"""What a run in stages says of a state that never comes to rest."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from tnness import TEBD, Lindbladian, Observable, expectation, steady_state
from tnness import spin_half as s
from tnness.stopping.ladder import OSCILLATES, Ladder
from tnness.stopping.target import Target


@dataclass(frozen=True, kw_only=True)
class HalfClosed:
    """A driven spin, and beside it two spins that nothing damps: they exchange an excitation for ever."""

    n: int = 3

    def problem(self) -> Lindbladian:
        chain = Lindbladian([s] * self.n)
        chain.hamiltonian(s.X(1) * s.X(2) + s.Y(1) * s.Y(2) + 0.3 * s.Z(1))
        chain.jump(s.Sp(0))
        chain.jump(s.Sm(0), rate=0.5)
        return chain

    def observables(self):
        return {"z": expectation([s.Z(i) for i in range(self.n)], "site")}


def test_a_closed_part_that_oscillates_is_not_told_to_raise_the_bond_dimension():
    """The chain is kept exactly (chi = 4 would do): neither truncation nor time is missing."""
    record = steady_state(HalfClosed(), engine=TEBD(chi=16, dt=0.4, order=2), initial="product:001")
    assert record.outcome == OSCILLATES
    assert "--chi" not in record.outcome
    assert not record.certificate.converged
    assert record.certificate.discarded_weight < 1e-11


@dataclass(frozen=True, kw_only=True)
class Warming:
    """Spins that warm up at one rate: the ratio of two magnetisations is at its end from the first step on."""

    n: int = 4
    rate: float = 0.02

    def problem(self) -> Lindbladian:
        chain = Lindbladian([s] * self.n)
        for i in range(self.n - 1):
            chain.hamiltonian(0.2 * s.Z(i) * s.Z(i + 1))
        for i in range(self.n):
            chain.jump(s.Sp(i), rate=self.rate * (6 + i) / 10)
            chain.jump(s.Sm(i), rate=self.rate * (4 - i) / 10)
        return chain

    def observables(self):
        def ratio(view):
            below = view.expect(s.Z(2))
            return view.expect(s.Z(1)) / below if below else math.nan

        return {"ratio": Observable(ratio, sites=(1, 2), description="<Z_1>/<Z_2>")}


def test_a_ratio_that_is_at_its_end_early_does_not_end_the_first_stage():
    """The later stages, which are dearer, begin where the chain has relaxed: 1/rate = 50."""
    record = steady_state(Warming(), engine=TEBD(chi=16, schedule=(4,), dt=1.0), tolerance=0.1, watch=["ratio"])
    first = record.history.of(0)
    assert record.history.times[first[-1]] > 100
    assert record["ratio"].item() == pytest.approx(2 / 3, rel=1e-6)


@pytest.mark.parametrize(
    ("relaxation", "trotter", "truncation", "relaxed", "stepped"),
    [
        (0.4, 0.1, 0.2, True, True),  # all fit
        (0.6, 0.1, 0.2, False, True),  # more than half of all
        (0.46, 1.2, 0.8, False, False),  # time reduces both: neither may rest on the other
        (0.05, 1.2, 0.8, True, False),
        (0.05, 0.05, 0.8, True, True),
        (0.46, 1.2, 3.0, True, True),  # no time would make them fit
        (5.0, 1.2, 3.0, False, True),
    ],
)
def test_errors_that_time_reduces_must_fit_beside_the_one_that_it_does_not(
    relaxation, trotter, truncation, relaxed, stepped
):
    told = {"relaxation": relaxation, "trotter": trotter, "truncation": truncation}
    estimates = {kind: {"z": np.array([0.01 * error, 0.0])} for kind, error in told.items()}
    rule = Ladder(None, None, 4, dict, Target(0.01))
    last = {"z": np.array([1.0, -0.5])}
    assert rule._fits("relaxation", estimates, last) == relaxed
    assert rule._fits("trotter", estimates, last) == stepped
