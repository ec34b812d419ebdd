"""What happens when things go wrong."""

import copy
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from halting import LOW, XX, halt_after
from small_runs import QUICK, Pumped, assert_same_numbers
from tnness import TEBD, Lindbladian, Observable, Record, expectation, extend, steady_state
from tnness import spin_half as s
from tnness.errors import Interrupted, ModelError, NumericalError, WriteError
from tnness.model.protocol import generator_of
from tnness.records import record as records
from tnness.records.files import write_whole
from tnness.records.record import part_path
from tnness.runs import checkpoint
from tnness.runs.checkpoint import Output


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
    from tnness.engines import tebd_run

    sweep, count = tebd_run.sweep_layer, [0]

    def poisoned(state, *arguments):
        count[0] += 1
        result = sweep(state, *arguments)
        if count[0] == 40:
            state.tensors[1] = np.full_like(state.tensors[1], np.nan)
        return result

    monkeypatch.setattr(tebd_run, "sweep_layer", poisoned)
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


def test_an_interrupt_is_not_swallowed_by_the_code_of_a_model(tmp_path):
    """`except Exception` in an observable used to turn a signal into a number."""
    calls = []

    class Careful(Pumped):
        def observables(self):
            def measure(view):
                calls.append(1)
                try:
                    if len(calls) == 6:
                        raise Interrupted("told to stop", signal.SIGTERM)
                    return 1.0
                except Exception:
                    return 0.0

            return {"x": Observable(measure), "z": expectation(s.Z(0))}

    with pytest.raises(Interrupted, match="told to stop; saved in") as raised:
        steady_state(Careful(), engine=QUICK, out=tmp_path / "r.nc")
    assert raised.value.number == signal.SIGTERM
    assert copy.copy(raised.value).number == signal.SIGTERM  # as it comes back from a worker


def test_a_checkpoint_without_room_is_a_note_and_the_run_goes_on(tmp_path, monkeypatch, capsys):
    def full(self, record):
        raise WriteError("r.nc.part could not be written: No space left on device")

    monkeypatch.setattr(Output, "checkpoint", full)
    record = steady_state(Pumped(), engine=QUICK, out=tmp_path / "r.nc", checkpoint_every=0, progress=True)
    assert_same_numbers(record, steady_state(Pumped(), engine=QUICK))
    assert "no checkpoint at time 0." in capsys.readouterr().err


def test_a_record_without_room_is_tried_again_and_then_written_elsewhere(tmp_path, monkeypatch):
    written, places = write_whole, []

    def full(path, content, replace=True):
        places.append(str(path))
        if str(path).endswith(("r.nc", "r.nc.part")):
            raise WriteError(f"{path} could not be written: No space left on device")
        written(path, content, replace)

    monkeypatch.setattr(checkpoint, "write_whole", full)
    monkeypatch.setattr(records, "write_whole", full)
    monkeypatch.setattr(checkpoint, "PAUSE", 0.0)
    with pytest.raises(WriteError, match=r"No space left on device; the record of this run is in .*r-2\.nc"):
        steady_state(Pumped(), engine="exact", out=tmp_path / "r.nc")
    assert [Path(place).name for place in places] == ["r.nc"] * checkpoint.TRIES + ["r.nc.part", "r-2.nc"]
    assert Record.open(tmp_path / "r-2.nc").outcome == "exact"


class WeaklyDriven(Pumped):
    """A chain of four whose ends are driven, and which entangles faster than they disturb it."""

    def problem(self):
        chain = Lindbladian([s] * 4)
        for i in range(3):
            chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1) + 0.5 * s.Z(i) * s.Z(i + 1))
        chain.jump(s.Sm(0), 0.5)
        chain.jump(s.Sp(3), 0.5)
        return chain

    def observables(self):
        return {"z": expectation([s.Z(i) for i in range(4)], "site")}


def test_a_coarse_stage_that_loses_its_state_is_left_for_the_next_one():
    """The answer is that of the last stage; without a coarse one at its time step nothing tells its truncation."""
    dt = TEBD().time_step(generator_of(WeaklyDriven()))
    with pytest.raises(NumericalError, match="the trace of the state is not positive"):
        steady_state(WeaklyDriven(), engine=TEBD(chi=2, schedule=(), dt=dt), initial="product:0110")
    record = steady_state(WeaklyDriven(), engine=TEBD(chi=16, schedule=(2,), dt=dt), initial="product:0110")
    assert set(record.history.stages).isdisjoint({0, 1})
    exact = steady_state(WeaklyDriven(), engine="exact")
    assert np.abs(record["z"].values - exact["z"].values).max() < 1e-2
    assert record.outcome.startswith("converged")  # at the full bond dimension nothing is dropped


class StartsAlike(Pumped):
    """A model whose start does not ask which engine it is for."""

    def initial_state(self):
        return "product:010"


def test_a_start_that_does_not_take_the_engine_is_refused_in_one_line():
    with pytest.raises(ModelError, match=r"initial_state\(engine\) takes the engine's name") as error:
        steady_state(StartsAlike(), engine=QUICK)
    assert "\n" not in str(error.value)
