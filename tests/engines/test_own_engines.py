"""Engines of one's own: one that solves in one go, one whose answer is an average, and what happens around them.

Their problem is a set of decaying numbers, whose solution is written down.
"""

import os
import signal
import sys
import types
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal

from tnness import (
    Changes,
    Engine,
    Estimate,
    Exact,
    InputError,
    Interrupted,
    ModelError,
    Observable,
    Record,
    Report,
    Rule,
    Snapshot,
    Start,
    Unavailable,
    View,
    check,
    evolve,
    extend,
    find,
    models,
    register_engine,
    steady_state,
    sweep,
)
from tnness.engines.registry import ENGINES, engine_class
from tnness.runs.job import engine_for
from tnness.stopping.answers import COMPLETE, Sampling, Told


@dataclass(frozen=True)
class Decay:
    """x' = source - rates x: the problem of these tests."""

    rates: np.ndarray
    source: np.ndarray

    def summary(self) -> str:
        return f"{len(self.rates)} decaying numbers"

    def at(self, start: np.ndarray, time: float) -> np.ndarray:
        fixed = self.source / self.rates
        return fixed + (start - fixed) * np.exp(-self.rates * time)


class Numbers(View):
    """A view of numbers, known to a tenth."""

    def __init__(self, values: np.ndarray) -> None:
        super().__init__()
        self.values = values

    def numbers(self) -> Estimate:
        return Estimate(self.values, 0.1 * np.abs(self.values))


@dataclass(frozen=True, kw_only=True)
class Closed(Engine):
    """Solves in one go; `scale` multiplies the answer."""

    scale: float = 1.0

    def begin(self, problem: Any, start: Start) -> "ClosedRun":
        if not isinstance(problem, Decay):
            raise ModelError(f"engine {self.name!r} takes a Decay, not a {type(problem).__name__}")
        first = np.asarray(start.initial.value if start.initial.kind == "array" else np.zeros(len(problem.rates)))
        return ClosedRun(self, problem, start, first)

    def resume(self, problem: Any, start: Start, snapshot: Snapshot) -> "ClosedRun":
        numbers = snapshot.numbers
        return ClosedRun(self, problem, start, snapshot.arrays["first"], float(numbers["time"]), int(numbers["done"]))

    def rule(self, run: "ClosedRun", start: Start) -> Rule:
        return Told(lambda: "converged" if run.done else "nothing was solved", run.figures)


@dataclass
class ClosedRun:
    settings: Closed
    problem: Decay
    start: Start
    first: np.ndarray
    time: float = 0.0
    done: int = 0

    def step(self, until: float | None = None) -> Report:
        self.start.report("solving", 0.5)
        self.time, self.done = np.inf if until is None else until, self.done + 1
        return Report(self.time, finished=until is None)

    def view(self) -> Numbers:
        return Numbers(self.settings.scale * self.problem.at(self.first, self.time))

    def figures(self) -> dict[str, float]:
        return {"smallest_rate": float(self.problem.rates.min())}

    def save(self) -> Snapshot:
        return Snapshot({"first": self.first}, {"time": self.time, "done": self.done})


@dataclass(frozen=True, kw_only=True)
class Sampled(Closed):
    """The answer is an average over samples, each of which follows from its number."""

    samples: int = 4096
    told: str = COMPLETE

    def begin(self, problem: Any, start: Start) -> "SampledRun":
        return SampledRun(self, start)

    def resume(self, problem: Any, start: Start, snapshot: Snapshot) -> "SampledRun":
        return SampledRun(self, start, int(snapshot.numbers["done"]))

    def rule(self, run: Any, start: Start) -> Rule:
        return Sampling(lambda: self.told, lambda: {"weight": 1.0})


@dataclass
class SampledRun:
    settings: Sampled
    start: Start
    done: int = 0

    @property
    def time(self) -> float:
        return float(self.done)

    def step(self, until: float | None = None) -> Report:
        self.done += 1
        return Report(self.time, finished=self.done == self.settings.samples)

    def view(self) -> Numbers:
        return Numbers(np.random.default_rng([self.start.seed, self.done]).standard_normal(3))

    def save(self) -> Snapshot:
        return Snapshot({}, {"done": self.done})


@dataclass(frozen=True, kw_only=True)
class Decaying:
    """Decaying numbers."""

    n: int = 3  # numbers

    engines: ClassVar[tuple[str, ...]] = ("closed", "sampled")

    def problem(self) -> Decay:
        return Decay(1.0 + np.arange(self.n), np.ones(self.n))

    def observables(self) -> dict[str, Observable]:
        def never(view: Any) -> float:
            raise Unavailable("of another engine")

        energies = np.linspace(-1, 1, self.n)
        return {
            "x": Observable(lambda v: v.numbers(), ("energy",), coordinates={"energy": energies}, needs=("numbers",)),
            "total": Observable(lambda v: Estimate(v.values.sum(), 0.5), unit="J"),
            "largest": Observable(lambda v: v.values.max()),
            "never": Observable(never),
            "entropy": Observable(lambda v: v.entropy([0]), needs=("entropy",)),
        }


@dataclass(frozen=True, kw_only=True)
class Started(Decaying):
    """Decaying numbers that begin at 7."""

    asked: ClassVar[list[str]] = []

    def initial_state(self, engine: str) -> np.ndarray:
        self.asked.append(engine)
        return np.full(self.n, 7.0)


@pytest.fixture(autouse=True)
def registered():
    """The engines of this module, known for the time of a test."""
    before = dict(ENGINES)
    register_engine("closed")(Closed)
    register_engine("sampled")(Sampled)
    yield
    ENGINES.clear()
    ENGINES.update(before)


# ---------------------------------------------------------------- solved in one go


def test_a_steady_state_with_the_errors_that_its_view_knows(tmp_path):
    record = steady_state(Decaying(), engine=Closed(scale=2.0), out=tmp_path / "a.nc")
    assert record.outcome == "converged"
    assert record.certificate.further == {"smallest_rate": 1.0}
    assert "never" not in record.dataset
    assert_allclose(record["x"], 2 / np.arange(1, 4))
    assert_allclose(record["x"]["energy"], [-1, 0, 1])
    assert_allclose(record["x_error"], 0.2 / np.arange(1, 4))
    assert record["total_error"] == 0.5
    assert "largest_error" not in record.dataset
    with xr.open_dataset(tmp_path / "a.nc") as read:
        assert read.attrs["model"] == "Decaying"
        assert_allclose(read["x"], record["x"])
    again = Record.open(tmp_path / "a.nc")
    assert again.certificate.figures()["smallest_rate"] == 1.0
    assert again.settings["engine_settings"] == again.used == {"scale": 2.0}


def test_an_evolution_keeps_each_time_with_its_errors():
    record = evolve(Decaying(n=2), [0.0, 0.5, 2.0], engine="closed")
    assert record["x"].dims == record["x_error"].dims == ("time", "energy")
    assert_allclose(record["x"][1], (1 - np.exp([-0.5, -1.0])) / [1, 2])
    assert record["total_error"].dims == ("time",)
    assert_allclose(record["total_error"], 0.5)
    assert record.time == 2.0


@pytest.mark.parametrize(("model", "initial", "x"), [(Decaying, None, 0), (Decaying, [3.0] * 3, 3), (Started, None, 7)])
def test_it_starts_where_it_is_told_to_or_where_the_model_says(model, initial, x):
    Started.asked.clear()
    record = evolve(model(), [0.0], engine="closed", initial=None if initial is None else np.array(initial))
    assert_allclose(record["x"][0], x)
    assert Started.asked == ["closed"] * (model is Started)


def test_a_model_is_asked_in_the_name_of_the_engine_that_another_is_like():
    @register_engine("closed-2")
    @dataclass(frozen=True, kw_only=True)
    class Kin(Closed):
        like = "closed"

    Started.asked.clear()
    assert_allclose(evolve(Started(), [0.0], engine="closed-2")["x"], 7.0)
    assert Started.asked == ["closed"]
    assert evolve(Started(), [0.0], engine=Kin(scale=2.0)).settings["engine"] == "closed-2"


def test_an_extended_steady_state_is_solved_again_and_an_evolution_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("tnness.model.registry._MODELS", models() | {"Decaying": Decaying})
    steady_state(Decaying(), out=tmp_path / "a.nc")
    assert_allclose(extend(tmp_path / "a.nc", Changes(engine={"scale": 3.0}))["x"], 3 / np.arange(1, 4))
    evolve(Decaying(), [0.0, 0.5], out=tmp_path / "b.nc", initial=np.ones(3))
    extended = extend(tmp_path / "b.nc", Changes(times=[1.0]))
    assert_array_equal(extended["x"], evolve(Decaying(), [0.0, 0.5, 1.0], initial=np.ones(3))["x"])


@dataclass(frozen=True, kw_only=True)
class Stepping(Closed):
    """Steps by 1, claims nothing, and begins a steady state that is extended anew."""

    def begin(self, problem: Any, start: Start) -> "SteppingRun":
        return SteppingRun(self, problem, start, np.zeros(len(problem.rates)))

    def rule(self, run: Any, start: Start) -> Rule:
        return Rule()


@dataclass
class SteppingRun(ClosedRun):
    def step(self, until: float | None = None) -> Report:
        self.time += 1.0
        return Report(self.time)


def test_a_run_that_begins_anew_has_its_whole_time_once_more():
    register_engine("stepping")(Stepping)
    model = Decaying()
    first = steady_state(model, engine=Stepping(), max_time=50.0)
    assert first.outcome == "no error estimate: the engine gives no stopping rule"
    assert first.time == 50.0
    assert steady_state(model, engine=Stepping(scale=2.0), initial=first, max_time=20.0).time == 20.0


# ---------------------------------------------------------------- averages


def test_samples_of_a_steady_state_are_averaged():
    record = steady_state(Decaying(), engine="sampled")
    assert record.outcome == "converged"
    assert record["x"].dims == ("energy",)
    assert_allclose(record["x_error"], 1 / 64, rtol=0.4)
    assert np.abs(record["x"] * 64).max() < 4
    assert record["total_error"] == pytest.approx(np.sqrt(3) / 64, rel=0.4)
    assert record.certificate.further == {"weight": 1.0, "samples": 4096.0}
    told = "truncation dominates: raise --chi"
    assert steady_state(Decaying(), engine=Sampled(told=told)).outcome == told


def test_a_few_samples_are_no_average():
    record = steady_state(Decaying(), engine=Sampled(samples=4))
    assert record.outcome == "the error of x has not levelled off: raise steps"
    assert "x_error" not in record.dataset


def test_averages_are_judged_by_what_is_watched():
    """Observables of a circuit are averaged over time: the verdict is on those watched, errors are known of all."""

    @dataclass(frozen=True, kw_only=True)
    class Clock(find("random-circuit")):
        def observables(self):
            offered = super().observables()
            return {"density": offered["density"], "clock": Observable(lambda view: view.time)}

    circuit = Clock(n=4, p1=0.8, steps=2000)
    assert "clock" in steady_state(circuit).outcome
    record = steady_state(circuit, watch=["density"])
    assert record.outcome == "converged"
    assert "clock" in record.dataset
    assert_array_equal(record["density_error"], steady_state(circuit)["density_error"])


# ---------------------------------------------------------------- refusals


def test_an_engine_that_judges_nothing_refuses_to_watch():
    with pytest.raises(InputError, match="watch: engine 'closed' judges nothing by its observables"):
        steady_state(Decaying(), watch=["x"])


def test_an_engine_of_chains_refuses_another_problem():
    with pytest.raises(ModelError, match="not a Lindbladian"):
        steady_state(Decaying(), engine=Exact())


def test_what_the_engine_cannot_give_is_left_out_and_refused_where_it_is_watched(capsys):
    record = steady_state(Decaying(), engine="sampled", progress=True)
    assert not {"entropy", "never"} & set(record.dataset)
    assert "cannot give never (of another engine); entropy (a Numbers gives no 'entropy')" in capsys.readouterr().err
    with pytest.raises(InputError, match="engine 'sampled' cannot give 'entropy': a Numbers gives no 'entropy'"):
        steady_state(Decaying(), engine="sampled", watch=["entropy"])


def test_a_model_whose_observables_the_engine_cannot_give():
    @dataclass(frozen=True)
    class Nothing(Decaying):
        def observables(self):
            return {"never": super().observables()["never"]}

    with pytest.raises(ModelError, match="none of its observables"):
        steady_state(Nothing())


def test_settings_by_name():
    assert engine_for(Decaying(), scale=2.0) == Closed(scale=2.0)
    with pytest.raises(InputError, match=r"engine 'closed' has no setting 'chi' \(known: scale\)"):
        engine_for(Decaying(), chi=3)
    with pytest.raises(InputError, match=r"there is no engine 'closd' \(did you mean 'closed'\?\)"):
        engine_for(Decaying(), "closd")
    with pytest.raises(InputError, match="engine 'exact' does not serve model 'Decaying'; it is served by closed"):
        engine_for(Decaying(), "exact")


def test_an_engine_is_registered_once_and_only_where_it_is_one():
    assert engine_class("closed") is Closed
    assert register_engine("closed")(Closed) is Closed
    with pytest.raises(InputError, match="engine 'closed' is registered twice"):
        register_engine("closed")(Sampled)
    with pytest.raises(InputError, match="'int' is no engine: derive it from"):
        register_engine("number")(int)  # type: ignore[type-var]
    with pytest.raises(InputError, match="is no frozen dataclass"):
        register_engine("loose")(type("Loose", (Engine,), {}))
    with pytest.raises(InputError, match=r"engine Empty has no begin\(\)"):
        register_engine("empty")(dataclass(frozen=True)(type("Empty", (Engine,), {})))


def test_workers_that_cannot_import_the_engine_end_the_sweep(tmp_path, monkeypatch):
    """Its module is known to this process alone: the first worker says so, and none is started for ever."""
    module = types.ModuleType("known_here_alone")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    module.Hidden = type("Hidden", (Exact,), {"__module__": module.__name__})  # type: ignore[attr-defined]
    module.Hidden = dataclass(frozen=True, kw_only=True)(module.Hidden)
    register_engine("hidden")(module.Hidden)
    monkeypatch.setattr("tnness.study.sweep.ATTEMPTS", 1)
    with pytest.raises(InputError, match=r"a worker cannot load what it is to compute .*known_here_alone"):
        sweep("ssep", {"n": [3]}, engine=module.Hidden(), store=tmp_path, workers=1, progress=False)


# ---------------------------------------------------------------- interrupts


def interrupting(step, at):
    """A step that is interrupted at one of its calls, while it computes."""
    calls = []

    def interrupted(run, until=None):
        calls.append(until)
        if len(calls) == at:
            os.kill(os.getpid(), signal.SIGINT)
        return step(run, until)

    return interrupted


def test_an_interrupt_ends_a_long_step_at_its_next_report(monkeypatch, tmp_path):
    out = tmp_path / "a.nc"
    with monkeypatch.context() as patch:
        patch.setattr(ClosedRun, "step", interrupting(ClosedRun.step, 3))
        with pytest.raises(Interrupted, match=r"interrupted; saved in .*a\.nc\.part: run the same command again"):
            evolve(Decaying(), [0.5, 1.0, 1.5], out=out)
    assert Record.open(tmp_path / "a.nc.part").time == 1.0
    record = evolve(Decaying(), [0.5, 1.0, 1.5], out=out)
    assert_array_equal(record["x"], evolve(Decaying(), [0.5, 1.0, 1.5])["x"])
    assert [path.name for path in tmp_path.iterdir()] == ["a.nc"]


def test_an_interrupted_average_goes_on_with_the_samples_that_are_missing(monkeypatch, tmp_path):
    engine, whole = Sampled(samples=600), steady_state(Decaying(), engine=Sampled(samples=600))
    with monkeypatch.context() as patch:
        patch.setattr(SampledRun, "step", interrupting(SampledRun.step, 123))
        with pytest.raises(Interrupted, match="interrupted at time 123"):
            steady_state(Decaying(), engine=engine, out=tmp_path / "a.nc")
    assert Record.open(tmp_path / "a.nc.part").averages["x"].count == 123
    record = steady_state(Decaying(), engine=engine, out=tmp_path / "a.nc")
    xr.testing.assert_identical(record.dataset.drop_attrs(), whole.dataset.drop_attrs())
    assert record.certificate.further["samples"] == 600


# ---------------------------------------------------------------- check


def test_check_runs_it():
    subjects = {finding.subject: finding for finding in check(Decaying())}
    assert subjects["problem"].detail.startswith("3 decaying numbers")
    assert subjects["closed"].verdict == subjects["sampled"].verdict == "ok"
    assert "x, total, largest" in subjects["closed"].detail.replace("x_error, ", "")
