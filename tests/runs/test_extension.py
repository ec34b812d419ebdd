"""Records that are extended."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from halting import HIGH, LOW, XX
from small_runs import QUICK, assert_same_numbers, assert_within_its_errors, observables
from tnness import TEBD, Changes, Record, evolve, extend, steady_state
from tnness.errors import InputError, RecordError
from tnness.model.protocol import generator_of
from tnness.model.registry import find


def test_more_bond_dimension_from_where_it_was(coarse, tmp_path):
    old = Record.open(coarse)
    record = extend(coarse, Changes({"chi": 4}), out=tmp_path / "new.nc")
    assert old.outcome != "converged"
    assert record.outcome == "converged"
    assert record.history.times[0] == old.time  # the record is the coarse stage
    assert record.history.stages[0] == -1
    assert record.time > old.time
    assert set(record.history.stages) <= {-1, 0, 1}
    scratch = steady_state(XX, engine=HIGH)
    assert len(record.history.times) < len(scratch.history.times)
    exact = observables(steady_state(XX, engine="exact"))
    for name in exact:
        assert np.abs(old[name] - exact[name]).max() > 1e-3
        assert record.certificate.estimates["truncation"][name].max() < 1e-5  # nothing is dropped any more
        assert_within_its_errors(record, name, exact[name])
    assert_same_numbers(record, Record.open(tmp_path / "new.nc"))
    assert Record.open(coarse).time == old.time  # the old one is as it was


def test_without_out_the_old_record_is_replaced(coarse, tmp_path):
    path = tmp_path / "r.nc"
    path.write_bytes(coarse.read_bytes())
    record = extend(path, Changes({"chi": 4}))
    assert_same_numbers(record, Record.open(path))
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_as_from_python(coarse, tmp_path):
    by_path = extend(coarse, Changes({"chi": 4}), out=tmp_path / "a.nc")
    by_record = steady_state(XX, engine=HIGH, initial=Record.open(coarse))
    assert_same_numbers(by_path, by_record)


def test_more_time_for_what_had_not_relaxed(tmp_path):
    path = tmp_path / "r.nc"
    first = steady_state(XX, engine=HIGH, max_time=2.0, out=path)
    assert first.outcome.startswith("not relaxed")
    record = extend(path, Changes(max_time=100.0))
    assert record.time > first.time
    assert record.settings["max_time"] == 100.0
    exact = observables(steady_state(XX, engine="exact"))
    for name in exact:
        assert_allclose(record[name], exact[name], atol=2e-3)


def test_a_finer_step_knows_the_trotter_error(coarse, tmp_path):
    old = Record.open(coarse)
    dt = TEBD().time_step(generator_of(XX))
    record = extend(coarse, Changes({"dt": dt / 4}), out=tmp_path / "r.nc")
    assert record.certificate.trotter < old.certificate.trotter
    assert record.snapshot.numbers["refined"] == 0  # the old record is the coarser step


def test_a_refined_record_is_known_at_its_finer_step(tmp_path):
    """chi = 8 was refined to dt/2: its Trotter error is that of dt/2, and says nothing of a run at dt."""
    path = tmp_path / "r.nc"
    old = steady_state(XX, engine=replace(LOW, schedule=()), out=path)
    assert old.snapshot.numbers["refined"] == 1
    record = extend(path, Changes({"chi": 4}))
    assert record.snapshot.numbers["refined"] == 1


def test_an_exact_record_is_extended_by_nothing(tmp_path):
    path = tmp_path / "r.nc"
    steady_state(XX, engine="exact", out=path)
    assert extend(path, Changes()).outcome == "exact"


def test_a_record_of_another_system_is_only_a_state():
    other = steady_state(replace(XX, gamma=0.5), engine=HIGH)
    record = steady_state(XX, engine=HIGH, initial=other)
    assert record.history.stages[0] == 0
    assert record.history.times[0] < 1.0


def test_more_times_of_an_evolution(tmp_path):
    whole = evolve(XX, [0.0, 0.5, 1.0, 1.5], engine=TEBD(chi=4, dt=0.1), out=tmp_path / "whole.nc")
    evolve(XX, [0.0, 0.5], engine=TEBD(chi=4, dt=0.1), out=tmp_path / "r.nc")
    record = extend(tmp_path / "r.nc", Changes(times=[1.0, 1.5]))
    assert_array_equal(record["time"], whole["time"])
    for name in ("z", "current"):
        assert_allclose(record[name], whole[name], atol=1e-12)
    third = extend(tmp_path / "r.nc", Changes({"chi": 8}, times=[2.0]))
    assert_array_equal(third["time"], [0.0, 0.5, 1.0, 1.5, 2.0])


def test_an_extension_leaves_the_record_it_was_given():
    first = evolve(XX, [0.0, 0.5], engine=QUICK)
    evolve(XX, [1.0], engine=QUICK, initial=first)
    assert first.history.times == [0.0, 0.5]


def test_an_evolution_from_a_steady_state_begins_at_zero(coarse, tmp_path):
    record = extend(coarse, Changes(times=[0.0, 1.0]), out=tmp_path / "quench.nc")
    assert_array_equal(record["time"], [0.0, 1.0])
    assert_allclose(record["z"][0], Record.open(coarse)["z"], atol=1e-12)
    other = evolve(replace(XX, mu=-1.0), [0.0, 1.0], engine=QUICK, initial=Record.open(coarse))
    assert other["z"][1, 0] < other["z"][0, 0]


def test_extensions_that_make_no_sense(coarse, tmp_path):
    evolve(XX, [0.0, 0.5], engine=QUICK, out=tmp_path / "e.nc")
    for path, changes, message in (
        (coarse, Changes(times=[1.0]), "--out says where"),
        (tmp_path / "e.nc", Changes(), "--time says how far"),
        (tmp_path / "e.nc", Changes(times=[0.5]), "must lie beyond it"),
        (tmp_path / "e.nc", Changes(times=[]), "increasing numbers"),
        (tmp_path / "e.nc", Changes(times=[2.0], max_time=1.0), "belong to a steady state"),
        (coarse, Changes({"chi": 0}), "chi = 0"),
        (coarse, Changes({"chis": 8}), "no setting 'chis'"),
        (coarse, Changes(tolerance=-1.0), "tolerance"),
    ):
        before = path.read_bytes()
        with pytest.raises(InputError, match=message):
            extend(path, changes)
        assert path.read_bytes() == before
    with pytest.raises(InputError, match="must lie beyond it"):
        evolve(XX, [0.2], engine=QUICK, initial=Record.open(tmp_path / "e.nc"))
    Record(Record.open(coarse).dataset).save(tmp_path / "stateless.nc")
    with pytest.raises(RecordError, match="holds no state"):
        extend(tmp_path / "stateless.nc")


def test_an_extension_of_few_measurements_ends_and_claims_little(tmp_path):
    """Too few for what still moves after a kick: it used to be an error of NumPy."""
    model = find("ssep")(n=3)
    steady_state(model, engine=TEBD(chi=2, dt=0.2), max_time=2.0, out=tmp_path / "r.nc")
    record = extend(tmp_path / "r.nc", Changes({"chi": 3}, max_time=2.0))
    assert not record.certificate.converged
