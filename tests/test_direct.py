"""Direct engines: solved in one go, measured view by view, recorded with the errors that the views know of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal

from tnness import Exact, Observable, Record, RecordError, check, evolve, find, steady_state
from tnness.engines.protocol import DirectEngine, Solution
from tnness.errors import InputError, Interrupted, ModelError, Unavailable
from tnness.observables.observable import Estimate
from tnness.runs.job import ENGINES, engine_for
from tnness.runs.solve import extend


@dataclass(frozen=True)
class Decay:
    """x' = -rates x + source: the problem of these tests."""

    rates: np.ndarray
    source: np.ndarray

    def summary(self) -> str:
        return f"{len(self.rates)} decaying numbers"


@dataclass(frozen=True)
class View:
    values: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Closed:
    """Solves Decay by its closed form; `scale` multiplies the answer."""

    scale: float = 1.0

    name = "closed"

    def solve(
        self,
        problem: Any,
        *,
        initial: Any = None,
        times: Sequence[float] | None = None,
        seed: int = 0,
        report: Callable[[str, float], None] = lambda text, fraction: None,
    ) -> Solution:
        fixed = self.scale * problem.source / problem.rates
        start = np.zeros_like(fixed) if initial is None else np.full_like(fixed, float(initial))
        figures: dict[str, float] = {}

        def views():
            for k, t in enumerate([np.inf] if times is None else times):
                report("solving", k)
                yield t, View(fixed + (start - fixed) * np.exp(-problem.rates * t))
            figures["smallest_rate"] = float(problem.rates.min())

        return Solution(views(), figures, lambda: "converged" if figures else "nothing was measured")


@dataclass(frozen=True, kw_only=True)
class Decaying:
    """Decaying numbers."""

    n: int = 3  # numbers
    own: float | None = None  # initial value

    engines: ClassVar[tuple[str, ...]] = ("closed",)

    def problem(self) -> Decay:
        return Decay(1.0 + np.arange(self.n), np.ones(self.n))

    def observables(self) -> dict[str, Observable]:
        energies = np.linspace(-1, 1, self.n)

        def never(view: Any) -> float:
            raise Unavailable("of another engine")

        def x(view: View) -> Estimate:
            return Estimate(view.values, 0.1 * view.values)

        return {
            "x": Observable(x, ("energy",), coordinates={"energy": energies}),
            "total": Observable(lambda v: Estimate(v.values.sum(), 0.5), unit="J"),
            "largest": Observable(lambda v: v.values.max()),
            "never": Observable(never),
        }


@dataclass(frozen=True, kw_only=True)
class Started(Decaying):
    def initial_state(self, engine: str) -> float:
        assert engine == "closed"
        return 7.0


@pytest.fixture(autouse=True)
def closed(monkeypatch):
    monkeypatch.setitem(ENGINES, "closed", Closed)


def test_it_is_told_from_an_engine_that_advances():
    assert isinstance(Closed(), DirectEngine)
    assert not isinstance(Exact(), DirectEngine)


def test_a_steady_state(tmp_path):
    record = steady_state(Decaying(), engine=Closed(scale=2.0), out=tmp_path / "a.nc")
    assert record.outcome == "converged"
    assert record.certificate.further == {"smallest_rate": 1.0}
    assert "never" not in record.dataset
    assert_allclose(record["x"], 2 / np.arange(1, 4))
    assert_allclose(record["x"]["energy"], [-1, 0, 1])
    assert_allclose(record["x_error"], 0.2 / np.arange(1, 4))
    assert record["total"].attrs["error"] == 0.5
    assert "error" not in record["largest"].attrs
    with xr.open_dataset(tmp_path / "a.nc") as read:
        assert read.attrs["model"] == "Decaying"
        assert_allclose(read["x"], record["x"])
    again = Record.open(tmp_path / "a.nc")
    assert again.certificate.figures()["smallest_rate"] == 1.0
    assert again.settings["engine_settings"] == {"scale": 2.0}


def test_an_evolution_keeps_each_time_with_its_errors():
    record = evolve(Decaying(n=2), [0.0, 0.5, 2.0], engine="closed")
    assert record["x"].dims == record["x_error"].dims == ("time", "energy")
    assert_allclose(record["x"][1], (1 - np.exp([-0.5, -1.0])) / [1, 2])
    assert record["total_error"].dims == ("time",)
    assert_allclose(record["total_error"], 0.5)
    assert record.time == 2.0


@pytest.mark.parametrize(("model", "initial", "x"), [(Decaying, None, 0), (Decaying, "3", 3), (Started, None, 7)])
def test_it_starts_where_it_is_told_to_or_where_the_model_says(model, initial, x):
    record = evolve(model(), [0.0], engine="closed", initial=initial)
    assert_allclose(record["x"][0], x)


def test_there_is_no_state_to_go_on_from(tmp_path):
    steady_state(Decaying(), out=tmp_path / "a.nc")
    with pytest.raises(RecordError, match="no state to go on from"):
        extend(tmp_path / "a.nc")


def test_samples_of_a_steady_state_are_averaged(monkeypatch):
    def sampled(self, problem, *, seed, **others):
        rng = np.random.default_rng(seed)
        views = ((float(k), View(rng.standard_normal(3))) for k in range(4096))
        return Solution(views, {"weight": 1.0}, lambda: self.told, averaged=True)

    monkeypatch.setattr(Closed, "solve", sampled)
    monkeypatch.setattr(Closed, "told", "complete", raising=False)
    record = steady_state(Decaying())
    assert record.outcome == "converged"
    assert record["x"].dims == ("energy",)
    assert_allclose(record["x_error"], 1 / 64, rtol=0.4)
    assert np.abs(record["x"] * 64).max() < 4
    assert record["total"].attrs["error"] == pytest.approx(np.sqrt(3) / 64, rel=0.4)
    assert record.certificate.further == {"weight": 1.0, "samples": 4096.0}
    monkeypatch.setattr(Closed, "told", "truncation dominates: raise --chi")
    assert steady_state(Decaying()).outcome == "truncation dominates: raise --chi"


def test_averages_are_judged_by_what_is_watched():
    """Observables of a circuit are averaged over time: the verdict is on those watched, errors are known of all."""

    @dataclass(frozen=True, kw_only=True)
    class Clock(find("random-circuit")):
        def observables(self):
            found = super().observables()
            return {"density": found["density"], "clock": Observable(lambda view: view.time)}

    circuit = Clock(n=4, p1=0.8, steps=2000)
    assert "clock" in steady_state(circuit).outcome
    record = steady_state(circuit, watch=["density"])
    assert record.outcome == "converged"
    assert "clock" in record.dataset
    assert_array_equal(record["density_error"], steady_state(circuit)["density_error"])


def test_an_engine_without_averages_judges_nothing():
    with pytest.raises(InputError, match="watch: engine 'closed' solves in one go, and judges nothing"):
        steady_state(Decaying(), watch=["x"])


def test_an_engine_that_advances_refuses_such_a_problem():
    with pytest.raises(ModelError, match="not a Lindbladian"):
        steady_state(Decaying(), engine=Exact())


def test_a_model_whose_observables_the_engine_cannot_give():
    @dataclass(frozen=True)
    class Nothing(Decaying):
        def observables(self):
            return {"never": super().observables()["never"]}

    with pytest.raises(ModelError, match="none of its observables"):
        steady_state(Nothing())


def test_settings_by_name():
    with pytest.raises(InputError, match="has no setting 'chi'"):
        engine_for(Decaying(), chi=3)


def test_an_interrupt_ends_it_at_the_next_report(monkeypatch, tmp_path):
    import os
    import signal

    def interrupted(self, problem, *, report, **others):
        os.kill(os.getpid(), signal.SIGINT)
        report("solving", 0.5)
        raise AssertionError("the report should have raised")

    monkeypatch.setattr(Closed, "solve", interrupted)
    with pytest.raises(Interrupted, match="no unfinished work"):
        steady_state(Decaying(), out=tmp_path / "a.nc")
    assert not list(tmp_path.iterdir())


def test_check_runs_it():
    subjects = {finding.subject: finding for finding in check(Decaying())}
    assert subjects["problem"].detail.startswith("3 decaying numbers")
    assert subjects["closed"].verdict == "ok"
    assert "x, total, largest" in subjects["closed"].detail.replace("x_error, ", "")
