"""Small runs for the tests: models that solve in a blink, and how two records are compared."""

from dataclasses import dataclass

import numpy as np
from numpy.testing import assert_array_equal

from tnness import TEBD, Lindbladian, Observable, Record, expectation, operator_entanglement
from tnness import spin_half as s
from tnness.records.record import observables_in

QUICK = TEBD(chi=8, order=2, dt=0.2)


@dataclass(frozen=True, kw_only=True)
class Pumped:
    """A chain of three spins, pumped at one end and drained at the other: not registered."""

    n: int = 3  # sites
    gamma: float = 1.0  # rate [1/time]

    def problem(self) -> Lindbladian:
        chain = Lindbladian([s] * self.n)
        for i in range(self.n - 1):
            chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1) + 0.3 * s.Z(i) * s.Z(i + 1))
        chain.jump(s.Sp(0), rate=self.gamma)
        chain.jump(s.Sm(self.n - 1), rate=self.gamma)
        chain.jump(s.Z(1), rate=0.5)
        return chain

    def observables(self) -> dict[str, Observable]:
        return {
            "z": expectation([s.Z(i) for i in range(self.n)], "site", unit="1", description="<Z_i>"),
            "energy": expectation(s.X(0) * s.X(1), unit="J"),
            "entanglement": operator_entanglement(monitored=False),
        }


@dataclass(frozen=True, kw_only=True)
class Apart:
    """A pair of spins with a current through it, and a third spin that nothing couples to them and that is slow."""

    rate: float = 0.05  # at which the third spin relaxes [1/time]

    def problem(self) -> Lindbladian:
        chain = Lindbladian([s] * 3)
        chain.hamiltonian(s.X(0) * s.X(1) + s.Y(0) * s.Y(1) + 0.5 * s.Z(0) * s.Z(1))
        chain.jump(s.Sp(0), rate=1.0)
        chain.jump(s.Sm(1), rate=1.0)
        chain.jump(s.Sp(2), rate=0.6 * self.rate)
        chain.jump(s.Sm(2), rate=0.4 * self.rate)
        return chain

    def observables(self) -> dict[str, Observable]:
        return {
            "fast": expectation([s.Z(0), s.Z(1)], "pair"),
            "energy": expectation(s.X(0) * s.X(1) + s.Y(0) * s.Y(1) + 0.5 * s.Z(0) * s.Z(1)),
            "slow": expectation(s.Z(2), description="<Z_2>, 1/5 in the steady state"),
            "entanglement": operator_entanglement(monitored=False),
        }


def observables(record: Record) -> dict[str, np.ndarray]:
    """Its observables, without their errors and the certificate."""
    return {name: record[name].values for name in observables_in(record.dataset)}


def assert_within_its_errors(record: Record, name: str, expected: np.ndarray, factor: float = 1.0) -> None:
    """Every element of an observable is as near to what is expected as its error says."""
    off, error = np.abs(record[name].values - expected), record[f"{name}_error"].values
    assert (off <= factor * error).all(), f"{name} is off by {off}, its errors are {error}"


def assert_same_numbers(first: Record, second: Record) -> None:
    """Every variable, the state and the history, bit for bit."""
    assert set(first.dataset.variables) == set(second.dataset.variables)
    for name, variable in first.dataset.variables.items():
        assert variable.values.tobytes() == second.dataset[name].values.tobytes(), name
    assert first.estimates.keys() == second.estimates.keys()
    for kind, errors in first.estimates.items():
        for name, error in errors.items():
            assert_array_equal(error, second.estimates[kind][name], strict=True, err_msg=f"{kind} error of {name}")
    assert first.outcome == second.outcome
    assert first.snapshot.arrays.keys() == second.snapshot.arrays.keys()
    for name, array in first.snapshot.arrays.items():
        assert array.dtype == second.snapshot.arrays[name].dtype, name
        assert array.tobytes() == second.snapshot.arrays[name].tobytes(), name
    assert first.snapshot.numbers == second.snapshot.numbers
    old, new = first.history.save(), second.history.save()
    assert old.keys() == new.keys()
    for name in old:
        assert old[name].tobytes() == new[name].tobytes(), name
