"""What happens when things go wrong."""

from dataclasses import dataclass

import numpy as np
import pytest

from halting import LOW, XX, halt_after
from small_runs import QUICK, Pumped, assert_same_numbers
from tnness import Observable, Record, expectation, extend, steady_state
from tnness import spin_half as s
from tnness.errors import ModelError, NumericalError
from tnness.records.record import part_path


def test_a_nan_stops_the_run_with_the_last_good_state_saved(tmp_path, monkeypatch):
    path = tmp_path / "r.nc"
    with monkeypatch.context() as patch:
        halt_after(4, patch, NumericalError)
        with pytest.raises(NumericalError, match=r"halted; the last good state is in .*r\.nc\.part") as error:
            steady_state(XX, engine=LOW, out=path)
    assert "\n" not in str(error.value)
    part = Record.open(part_path(path))
    assert len(part.history.times) == 4
    assert all(np.isfinite(tensor).all() for tensor in part.snapshot.arrays.values())
    assert_same_numbers(extend(path), steady_state(XX, engine=LOW))  # and it can be gone on from


def test_a_nan_in_the_state_itself_is_noticed(tmp_path, monkeypatch):
    """A NaN that appears in a sweep never reaches the state that is kept."""
    import tnness.engines.tebd as tebd

    sweep, count = tebd.sweep_layer, [0]

    def poisoned(state, *arguments):
        count[0] += 1
        result = sweep(state, *arguments)
        if count[0] == 40:
            state.tensors[1] = np.full_like(state.tensors[1], np.nan)
        return result

    monkeypatch.setattr(tebd, "sweep_layer", poisoned)
    with pytest.raises(NumericalError, match="not finite"):
        steady_state(XX, engine=LOW, out=tmp_path / "r.nc")
    part = Record.open(part_path(tmp_path / "r.nc"))
    assert part.time > 0
    assert np.isfinite(part.state.dense()).all()


def test_an_observable_that_fails_on_the_way_keeps_the_run(tmp_path):
    calls = []

    class Moody(Pumped):
        def observables(self):
            def measure(view):
                calls.append(1)
                return 1.0 / (12 - len(calls))

            return {"x": Observable(measure)}

    with pytest.raises(
        ModelError, match=r"own code raised ZeroDivisionError: .*test_failures\.py, line \d+\); the last"
    ):
        steady_state(Moody(), engine=QUICK, out=tmp_path / "r.nc")
    assert Record.open(part_path(tmp_path / "r.nc")).time > 0


def test_a_mistake_is_found_before_the_first_step(monkeypatch):
    """Observables that do not fit into one record, or read a site that is not there, are refused at once."""
    halt_after(0, monkeypatch)

    @dataclass(frozen=True)
    class Clashing(Pumped):
        def observables(self):
            return {"a": expectation([s.Z(0)], "site"), "b": expectation([s.Z(0), s.Z(1)], "site")}

    @dataclass(frozen=True)
    class Outside(Pumped):
        def observables(self):
            return {"a": expectation(s.Z(7))}

    @dataclass(frozen=True)
    class Broken(Pumped):
        def problem(self):
            return {}["nothing"]

    for model, told in (
        (Clashing(), "do not fit one record: .*site"),
        (Outside(), "site 7"),
        (Broken(), r"own code raised KeyError: 'nothing' \(.*test_failures.py, line"),
    ):
        with pytest.raises(ModelError, match=told):
            steady_state(model, engine=QUICK)


@pytest.mark.parametrize("name", ["time", "chi", "dt", "outcome", "certificate_residual", "a/b", "", 3])
def test_names_that_no_observable_can_have(name):
    @dataclass(frozen=True)
    class Named(Pumped):
        def observables(self):
            return {name: expectation(s.Z(0))}

    with pytest.raises(ModelError, match="no observable can be called"):
        steady_state(Named(), engine=QUICK)


def test_observables_that_are_none():
    class Wrong(Pumped):
        def observables(self):
            return {"z": 3}

    with pytest.raises(ModelError, match="must return a dictionary of Observables"):
        steady_state(Wrong(), engine=QUICK)
