"""`check` of models that depend on time: right ones pass, wrong ones are found."""

import math
from dataclasses import dataclass

from tnness import Lindbladian, Observable, check, expectation
from tnness import spin_half as s
from tnness.problems.driven import Drive


@dataclass(frozen=True)
class Shaken:
    n: int = 2
    period: float = 1.0
    factor: float = 2 * math.pi
    least: float = 0.0

    def problem(self) -> Lindbladian:
        chain = Lindbladian([s] * self.n)
        chain.hamiltonian(s.X(0) * s.X(1), lambda t: math.cos(self.factor * t))
        for i in range(self.n):
            chain.jump(s.Sm(i), lambda t: self.least + 1 + math.sin(self.factor * t))
        return chain

    def observables(self) -> dict[str, Observable]:
        return {"z": expectation([s.Z(i) for i in range(self.n)], "site")}


def verdicts(model):
    return {finding.subject: (finding.verdict, finding.detail) for finding in check(model)}


def test_a_right_model_passes():
    found = verdicts(Shaken())
    assert {verdict for verdict, _ in found.values()} == {"ok"}
    assert "converged" in found["Floquet state"][1]
    assert found.keys() >= {"statement", "observables", "evolution"}


def test_a_rate_below_zero_is_found():
    verdict, detail = verdicts(Shaken(least=-0.5))["statement"]
    assert verdict == "FAILED"
    assert "negative rate" in detail


def test_a_period_that_is_none_is_found():
    verdict, detail = verdicts(Shaken(period=0.8))["Floquet state"]
    assert verdict != "ok"
    assert "does not repeat after it" in detail


def test_matrices_that_are_not_those_of_the_terms_are_found(monkeypatch):
    right = Drive.values

    def wrong(self, start, end):
        return lambda time: 1.01 * right(self, start, end)(time)

    monkeypatch.setattr(Drive, "values", wrong)
    assert verdicts(Shaken())["statement"][0] == "FAILED"


def test_observables_that_cannot_be_read_are_found():
    @dataclass(frozen=True)
    class Wrong(Shaken):
        def observables(self):
            return {"z": expectation([s.Z(5)], "site")}

    assert verdicts(Wrong())["observables"][0] == "FAILED"
