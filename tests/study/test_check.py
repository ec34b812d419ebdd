"""`check`: every registered model passes; every mistake is found, and named."""

from dataclasses import dataclass

import numpy as np
import pytest

from small_runs import Pumped
from tnness import (
    Lindbladian,
    Observable,
    bit,
    check,
    expectation,
    find,
    levels,
    models,
)
from tnness import spin_half as s
from tnness.model.protocol import draw
from tnness.runs.job import ENGINES
from tnness.study.check import FAILED, NOTED, PASSED, smallest


def verdicts(findings):
    return {finding.subject: finding.verdict for finding in findings}


def failures(findings):
    return [f"{finding.subject}: {finding.detail}" for finding in findings if finding.verdict == FAILED]


@dataclass(frozen=True, kw_only=True)
class Chain(Pumped):
    """Pumped with one more term, stated by `extra`."""

    def problem(self):
        chain = super().problem()
        self.extra(chain)
        return chain

    def extra(self, chain):
        """Add what a test needs."""


def with_term(add):
    return type("Wrong", (Chain,), {"extra": lambda self, chain: add(chain)})()


def with_observables(found):
    return type("Wrong", (Pumped,), {"observables": lambda self: found})()


@pytest.mark.parametrize("name", sorted(models()))
def test_every_registered_model_passes(name):
    found = check(find(name), name)
    assert failures(found) == []
    assert set(verdicts(found).values()) <= {PASSED, NOTED}


@pytest.mark.parametrize("name", ["mbl-heisenberg", "ssep", "xx-dephasing", "xxz-driven"])
def test_what_is_looked_at_in_a_chain_with_one_steady_state(name):
    own = {what: verdict for what, verdict in verdicts(check(find(name), name)).items() if what not in ENGINES}
    assert set(own.values()) == {PASSED}
    assert list(own) == [
        "problem",
        "trace",
        "observables",
        "steady state",
        "positivity",
        "exact against TEBD",
        "dynamics",
        "Trotter order 2",
        "Trotter order 4",
    ]


def test_terms_beyond_neighbours_are_checked_against_tdvp():
    found = check(with_term(lambda chain: chain.hamiltonian(0.3 * s.Z(0) * s.Z(2))))
    assert failures(found) == []
    assert "TDVP against exact evolution" in next(f.detail for f in found if f.subject == "dynamics")


def test_an_instance_passes_too():
    assert failures(check(Pumped(n=3, gamma=0.4))) == []


@pytest.mark.parametrize(
    ("add", "told"),
    [
        (lambda chain: chain.jump(s.Sp(1), rate=-0.5), "negative rate -0.5"),
        (lambda chain: chain.jump(s.Sp(1), rate=float("nan")), "has rate nan"),
        (lambda chain: chain.hamiltonian(1j * s.X(0) * s.X(1)), "not Hermitian"),
        (lambda chain: chain.jump(s.Z(5)), "5"),
        (lambda chain: {}["nothing"], r"own code raised KeyError: 'nothing' \(.*test_check\.py, line \d+\)"),
    ],
)
def test_a_wrong_problem_fails_with_the_reason(add, told):
    found = check(with_term(add))
    assert len(found) == 1
    assert found[0].subject == "problem"
    assert found[0].verdict == FAILED
    with pytest.raises(ValueError, match=told):
        raise ValueError(found[0].detail)


@pytest.mark.parametrize(
    ("observables", "told"),
    [
        ({"z": expectation([s.Z(i) for i in range(5)], "site")}, "site 4; the chain has sites 0 to 2"),
        ({"z": Observable(lambda view: view.expect(s.Z(3)))}, "site 3; the chain has sites 0 to 2"),
        ({"z": Observable(lambda view: [1.0, 2.0])}, "shape"),
        ({"z": Observable(lambda view: 1 / 0)}, "own code raised ZeroDivisionError"),
        ({"a": expectation([s.Z(0)], "x"), "b": expectation([s.Z(0), s.Z(1)], "x")}, "conflicting sizes"),
        ({"time": expectation(s.Z(0))}, "no observable can be called 'time'"),
        ([s.Z(0)], "must return a dictionary"),
    ],
)
def test_wrong_observables_fail_with_the_reason(observables, told):
    found = check(with_observables(observables))
    assert found[-1].subject == "observables"
    assert found[-1].verdict == FAILED
    assert told in found[-1].detail


def test_a_chain_of_one_site_fails():
    class Single:
        """One site."""

        def problem(self):
            return Lindbladian([s])

        def observables(self):
            return {}

    assert "at least 2 sites" in failures(check(dataclass(Single)()))[0]


def test_a_steady_state_that_is_not_unique_is_said():
    @dataclass(frozen=True)
    class Closed(Pumped):
        def problem(self):
            chain = Lindbladian([s] * 3)
            for i in range(2):
                chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
            chain.jump(s.Z(1))
            return chain

    found = check(Closed())
    steady = next(finding for finding in found if finding.subject == "steady state")
    assert steady.verdict == NOTED
    assert "not unique" in steady.detail
    assert failures(found) == []


def test_a_model_too_large_to_solve_is_told_so():
    wide = levels(6)

    @dataclass(frozen=True)
    class Wide:
        n: int = 3

        def problem(self):
            chain = Lindbladian([wide] * self.n)
            chain.jump(wide.T01(0))
            return chain

        def observables(self):
            return {}

    assert "give the model a small()" in failures(check(Wide()))[0]


def test_a_class_that_needs_parameters_fails_plainly():
    @dataclass(frozen=True)
    class Needy(Pumped):
        extra: int

    assert "own code raised TypeError" in failures(check(Needy))[0]


def test_the_smallest_instance():
    mbl = find("mbl-heisenberg")
    assert smallest(mbl(n=20)).n == 4
    assert smallest(mbl(n=20), seed=3).fields_z == draw(mbl(n=4), 3).fields_z
    assert smallest(Pumped(n=9)).n == 4  # no small(): n is cut
    assert smallest(Pumped(n=3)).n == 3

    @dataclass(frozen=True)
    class Explicit(Pumped):
        fields: tuple[float, ...] = (0.1,) * 6

        def __post_init__(self):
            from tnness.model.checks import site_profile

            site_profile("fields", self.fields, self.n)

    assert smallest(Explicit(n=6)).n == 6


def test_a_master_equation_is_checked_in_its_own_space():
    @dataclass(frozen=True)
    class Flip:
        n: int = 3

        def problem(self):
            chain = Lindbladian([bit] * self.n)
            for i in range(self.n):
                chain.jump(bit.Sp(i), rate=1.0)
                chain.jump(bit.Sm(i), rate=0.5)
            return chain

        def observables(self):
            return {"density": expectation([bit.N(i) for i in range(self.n)], "site")}

    found = check(Flip())
    assert failures(found) == []
    assert "no error: the layers commute" in found[-1].detail


def test_a_wrong_engine_would_be_noticed(monkeypatch):
    """Gates of a twice too long step: dynamics, Trotter order and the steady state against TEBD tell."""
    import tnness.engines.tebd as tebd

    layers = tebd.layers
    monkeypatch.setattr(tebd, "layers", lambda order, steps: [(p, 1.01 * f) for p, f in layers(order, steps)])
    found = verdicts(check(Pumped()))
    assert found["dynamics"] == FAILED
    assert found["Trotter order 4"] == FAILED


def test_observables_are_shown_with_their_shapes():
    found = {finding.subject: finding.detail for finding in check(Pumped())}
    assert found["observables"] == "z (3,), energy, entanglement (2,)"
    assert "n = 3" in found["problem"]
    assert np.isfinite(float(found["steady state"].split()[-1]))
