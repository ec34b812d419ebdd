"""`check`: every registered model passes; every mistake is found, and named."""

import re
import time
from dataclasses import dataclass, replace

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
    two_point,
)
from tnness import spin_half as s
from tnness.model.protocol import draw
from tnness.problems.generator import ChainGenerator
from tnness.runs.job import ENGINES
from tnness.study.check import smallest
from tnness.study.finding import FAILED, NOTED, PASSED


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
    started = time.thread_time()
    found = check(find(name), name)
    assert time.thread_time() - started < 10  # seconds
    assert failures(found) == []
    assert set(verdicts(found).values()) <= {PASSED, NOTED}


@pytest.mark.parametrize("name", ["mbl-heisenberg", "ssep", "xx-dephasing", "xxz-driven"])
def test_what_is_looked_at_in_a_chain_with_one_steady_state(name):
    own = {what: verdict for what, verdict in verdicts(check(find(name), name)).items() if what not in ENGINES}
    assert set(own.values()) == {PASSED}
    assert list(own) == [
        "problem",
        "model",
        "statement",
        "trace",
        "observables",
        "steady state",
        "positivity",
        "relaxation",
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
    failed = failures(found)
    assert len(failed) == 1
    assert re.search(f"problem: .*{told}", failed[0])


@pytest.mark.parametrize(
    ("observables", "told"),
    [
        ({"z": expectation([s.Z(i) for i in range(5)], "site")}, "'z' reads site 4; the chain has sites 0 to 2"),
        ({"z": Observable(lambda view: view.expect(s.Z(3)))}, "site 3; the chain has sites 0 to 2"),
        ({"z": Observable(lambda view: [1.0, 2.0])}, "shape"),
        ({"z": Observable(lambda view: 1 / 0)}, "own code raised ZeroDivisionError"),
        (
            {"a": expectation([s.Z(0)], "x"), "b": expectation([s.Z(0), s.Z(1)], "x")},
            "'b' has 2 values along 'x', but 'a' has 1: conflicting sizes",
        ),
        ({"z": expectation([s.Z(0), s.Z(1)], "site")}, "'z' has 2 values along 'site', but the chain has 3"),
        ({"j": expectation([s.Z(0)] * 3, "bond")}, "'j' has 3 values along 'bond', but the chain has 2"),
        ({"hop": expectation(s.Sp(0) * s.Sm(1))}, "'hop' cannot be measured: it is complex"),
        ({"hops": two_point(s.Sp, s.Sm)}, "'hops' cannot be measured: it is complex"),
        (
            {"z": Observable(lambda view: [1.0 + 0.5j], ("x",))},
            "'z' cannot be measured: it is complex",
        ),
        ({"z": Observable(lambda view: np.array([1.0, np.inf]), ("x",))}, "'z' is not finite on a generic state"),
        ({"z": Observable(lambda view: float("nan"))}, "'z' is not finite"),
        ({"time": expectation(s.Z(0))}, "no observable can be called 'time'"),
        ([s.Z(0)], "must return a dictionary"),
    ],
)
def test_wrong_observables_fail_with_the_reason(observables, told):
    found = check(with_observables(observables))
    failed = [finding for finding in found if finding.verdict == FAILED]
    assert [finding.subject for finding in failed] == ["observables"]
    assert told in failed[0].detail


def test_a_chain_of_one_site_passes_and_one_of_none_fails():
    @dataclass(frozen=True)
    class Single:
        """One site, or none."""

        n: int = 1

        def problem(self):
            chain = Lindbladian([s] * self.n)
            chain.jump(s.Sm(0))
            return chain

        def observables(self):
            return {"z": expectation(s.Z(0))}

    assert failures(check(Single())) == []
    assert "at least one site" in failures(check(Single(n=0)))[0]


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
    assert verdicts(found)["relaxation"] == NOTED
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

    assert "it cannot be made without parameters" in failures(check(Needy))[0]


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
    import tnness.network.trotter as trotter

    layers = trotter.layers
    monkeypatch.setattr(trotter, "layers", lambda order, steps: [(p, 1.01 * f) for p, f in layers(order, steps)])
    found = verdicts(check(Pumped()))
    assert found["dynamics"] == FAILED
    assert found["Trotter order 4"] == FAILED


def test_wrong_matrices_would_be_noticed(monkeypatch):
    """A generator with one bond of another sign: no test that uses it alone can tell."""
    build = Lindbladian.generator

    def other(chain):
        built = build(chain)
        bonds = [*built.bond_terms[:-1], built.bond_terms[-1].T.copy()]
        return ChainGenerator(built.spaces, built.site_terms, bonds, origin=built.origin)

    monkeypatch.setattr(Lindbladian, "generator", other)
    assert verdicts(check(Pumped()))["statement"] == FAILED


# ---------------------------------------------------------------- how a model is declared


def told_of(cls):
    return [finding.detail for finding in check(cls) if finding.subject == "model" and finding.verdict == FAILED]


def test_a_model_that_may_change_is_refused():
    @dataclass(kw_only=True)
    class Loose:
        n: int = 3
        problem, observables = Pumped.problem, Pumped.observables
        gamma: float = 1.0

    assert told_of(Loose) == ["Loose is not frozen, so that its parameters may change: write @dataclass(frozen=True)"]


def test_a_field_without_annotation_is_refused():
    @dataclass(frozen=True, kw_only=True)
    class Bare(Pumped):
        LEVELS = 2
        engines = ("tebd", "exact")
        field = 0.5

    assert told_of(Bare) == ["field = 0.5 has no annotation, so that it is no parameter: write field: float = ..."]


@pytest.mark.parametrize(
    ("named", "told"),
    [(("tebdd", "exact"), "there is no engine 'tebdd' (did you mean 'tebd'?)"), ("tebd", "a tuple of names is needed")],
)
def test_engines_that_do_not_exist_are_refused(named, told):
    failed = told_of(dataclass(frozen=True, kw_only=True)(type("Named", (Pumped,), {"engines": named})))
    assert len(failed) == 1
    assert told in failed[0]


def test_random_numbers_in_the_problem_are_refused():
    @dataclass(frozen=True, kw_only=True)
    class Restless(Pumped):
        def problem(self):
            chain = super().problem()
            chain.hamiltonian(np.random.rand() * s.Z(0))  # noqa: NPY002 - the mistake
            return chain

    assert told_of(Restless) == [
        "problem() stated another equation the second time: take random numbers in draw(rng), and keep them"
    ]


def test_random_numbers_in_the_observables_are_refused():
    @dataclass(frozen=True, kw_only=True)
    class Restless(Pumped):
        def observables(self):
            return {"z": expectation(np.random.rand() * s.Z(0)), "x": expectation(s.X(0))}  # noqa: NPY002

    assert told_of(Restless) == ["observables() measured something else the second time: z"]


def test_a_draw_that_ignores_its_generator_is_refused():
    @dataclass(frozen=True, kw_only=True)
    class Drawn(Pumped):
        field: float = 0.0

        def draw(self, rng):
            return replace(self, field=float(np.random.rand()), gamma=rng.random())  # noqa: NPY002

    failed = told_of(Drawn)
    assert len(failed) == 1
    assert "other values of field for the same seed" in failed[0]


# ---------------------------------------------------------------- from the default start


def test_tebd_starts_where_a_user_would():
    """Far from the steady state: the time that it takes stands beside 1/gap."""
    found = {finding.subject: finding for finding in check(Pumped(n=4))}
    times = re.search(r"converged at t = ([\d.]+), ([\d.]+) times 1/gap; largest error", found["relaxation"].detail)
    gap = float(found["steady state"].detail.split()[-1])
    assert float(times[1]) * gap == pytest.approx(float(times[2]), rel=0.02)
    assert float(times[2]) > 1


def test_a_claim_that_is_wrong_fails(monkeypatch):
    """A run that claims too little of an error of a tenth."""
    import tnness.study.check as module

    def steady_state(*arguments, **named):
        record = solve(*arguments, **named)
        record.dataset["z"] = record.dataset["z"] + 0.1
        return record

    solve = module.steady_state
    monkeypatch.setattr(module, "steady_state", steady_state)
    found = {finding.subject: finding for finding in check(Pumped())}
    assert found["relaxation"].verdict == FAILED
    assert "'z' is off by 1.0e-01" in found["relaxation"].detail


def test_a_chain_too_slow_for_the_check_is_no_failure():
    @dataclass(frozen=True, kw_only=True)
    class Slow(Pumped):
        def problem(self):
            chain = Lindbladian([s] * 3)
            for i in range(3):
                chain.hamiltonian(s.X(i))
                chain.jump(s.Z(i), rate=1e-4)
                chain.jump(s.Sm(i), rate=1e-4)
            return chain

    found = verdicts(check(Slow()))
    assert found["relaxation"] == NOTED
    assert FAILED not in found.values()


def test_what_is_infinite_only_in_the_steady_state_fails():
    @dataclass(frozen=True, kw_only=True)
    class Dark(Pumped):
        def problem(self):
            chain = Lindbladian([s] * 3)
            for i in range(3):
                chain.jump(s.Sm(i))
            return chain

        def observables(self):
            def odds(view):
                return np.log(max(view.expect(s.N(0)), 0.0) or 0.0)

            return {"z": expectation(s.Z(0)), "odds": Observable(odds, monitored=False)}

    with np.errstate(divide="ignore"):
        failed = failures(check(Dark()))
    assert failed == ["observables: 'odds' is not finite in the steady state"]


def test_observables_are_shown_with_their_shapes():
    found = {finding.subject: finding.detail for finding in check(Pumped())}
    assert found["observables"] == "z (3,), energy, entanglement (2,)"
    assert "n = 3" in found["problem"]
    assert np.isfinite(float(found["steady state"].split()[-1]))
