"""The driver: steady states and evolutions of every model against exact answers, extensions, schedules, settings."""

import functools
import math
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import systems
from runs import QUICK, Pumped, assert_same_numbers, observables
from tnness import (
    TEBD,
    ChainGenerator,
    Changes,
    Exact,
    Observable,
    Record,
    bit,
    evolve,
    expectation,
    extend,
    find,
    identity_state,
    product_state,
    steady_state,
    two_point,
)
from tnness import spin_half as s
from tnness.errors import InputError, ModelError, NumericalError, RecordError
from tnness.job import Job, Origin, differences, engine_for, initial_state, label
from tnness.model import generator_of
from tnness.network.chain_view import ChainView
from tnness.record import part_path

XX = find("xx-dephasing")(n=3, dephasing=0.5, fields=(0.3, -0.2, 0.7))
LOW, HIGH = TEBD(chi=3), TEBD(chi=4)  # chi = 4 holds every state of three spins
RATES = {"inject_left": 0.9, "remove_left": 0.4, "inject_right": 0.3, "remove_right": 1.1}


# ---------------------------------------------------------------- against exact answers


def test_ssep_is_derridas():
    record = steady_state(find("ssep")(n=5, **RATES), engine="tebd")
    expected = systems.ssep_exact(5, **RATES)
    assert record.outcome == "converged"
    assert_allclose(record["density"], expected["density"], atol=1e-4)
    assert_allclose(record["current"], expected["current"], atol=1e-4)


def test_xx_with_dephasing_is_the_covariance_equations():
    expected = systems.xx_covariance_steady(3, 1.0, 1.0, 1.0, 0.5, XX.fields)
    exact, record = steady_state(XX, engine="exact"), steady_state(XX, engine=HIGH)
    for name in ("z", "current"):
        assert_allclose(exact[name], expected[name], atol=1e-9)
        assert_allclose(record[name], expected[name], atol=record[name].attrs["error"])
        assert record[name].attrs["error"] < 2e-2
    assert (exact.outcome, record.outcome) == ("exact", "converged")


def test_xxz_is_prosens():
    record = steady_state(find("xxz-driven")(n=4, delta=0.5), engine="exact")
    expected = systems.prosen_exact(4, 0.5, 1.0)
    for name in ("z", "current", "zz"):
        assert_allclose(record[name], expected[name], atol=1e-9)


def test_mbl_is_the_dense_one():
    model = find("mbl-heisenberg")(n=3, eps=0.3, fields_z=(0.31, -0.77, 0.52), fields_x=(-0.65, 0.22, 0.81))
    expected = systems.mbl_exact(3, 2.0, 0.3, model.fields_z, model.fields_x)
    exact, record = steady_state(model, engine="exact"), steady_state(model, engine=HIGH)
    for name, values in expected.items():
        assert_allclose(exact[name], values, atol=1e-9)
        assert_allclose(record[name], values, atol=record[name].attrs["error"])


@pytest.mark.parametrize("engine", [TEBD(chi=4, dt=0.1), Exact()])
def test_a_transient_is_the_covariance_equations(engine):
    times = [0.0, 0.3, 1.0, 2.5]
    expected = systems.xx_covariance_transient(3, 1.0, 1.0, 1.0, 0.5, XX.fields, times)
    record = evolve(XX, times, engine=engine)
    assert_array_equal(record["time"], times)
    assert record["z"].dims == ("time", "site")
    for name in ("z", "current"):
        assert_allclose(record[name], expected[name], atol=1e-5)
    assert record.time == 2.5


def test_a_transient_from_a_product_state():
    expected = systems.xx_covariance_transient(3, 1.0, 1.0, 1.0, 0.5, XX.fields, [0.5], [1, -1, -1])
    record = evolve(XX, [0.5], engine=TEBD(chi=4, dt=0.1), initial="product:011")
    assert_allclose(record["z"], expected["z"], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("weight", [1.0, 0.5])
def test_the_reference_mbl_case(weight):
    case = systems.mbl_exact_reference()
    model = find("mbl-heisenberg")(**case.parameters(), field_weight=weight)
    expected = case.beta_variation_whole if weight == 1 else case.beta_variation_half
    loose = steady_state(model, engine=TEBD(chi=64))
    tight = steady_state(model, engine=TEBD(chi=64, dt=0.1, schedule=()), tolerance=1e-7)
    for record, tolerance in ((loose, 1e-3), (tight, 1e-6)):
        assert_allclose(record["energy"], case.energy, atol=tolerance)
        assert_allclose(record["beta_variation"], expected, atol=tolerance)


# ---------------------------------------------------------------- schedules and settings


def test_a_schedule_is_gone_through():
    record = steady_state(XX, engine=TEBD(chi=4, schedule=(3,)))
    run = TEBD(chi=4, schedule=(3,)).stages(generator_of(XX))
    assert [stage.chi for stage in run] == [3, 3, 4]
    assert run[1].dt == run[0].dt / 2
    assert sorted(set(record.history.stages))[:3] == [0, 1, 2]
    assert all(np.diff(record.history.stages) >= 0)
    assert max(record.state.bond_dimensions) == 4
    assert np.all(np.diff(record.history.times) > 0)


def test_a_blocks_length_is_the_distance_of_measurements():
    record = steady_state(XX, engine=TEBD(chi=4, schedule=(), dt=0.1, order=2, block=5), max_time=3.0)
    assert_allclose(np.diff(record.history.times[:6]), 0.5)


def test_single_precision_agrees():
    single, double = (steady_state(XX, engine=TEBD(chi=16, dtype=d)) for d in ("float32", "float64"))
    for name in ("z", "current"):
        assert_allclose(single[name], double[name], atol=1e-4)
    assert single.snapshot.arrays["tensor_0000"].dtype == np.float32


def test_a_tighter_tolerance_is_a_smaller_error():
    exact = observables(steady_state(XX, engine="exact"))
    engine = TEBD(chi=4, dt=0.2, schedule=())
    loose, tight = (steady_state(XX, engine=engine, tolerance=t) for t in (1e-2, 1e-4))
    errors = [max(np.abs(record[k] - exact[k]).max() for k in exact) for record in (loose, tight)]
    assert errors[1] < 5e-5 < errors[0]


def test_disorder_follows_the_seed_and_is_kept():
    model = find("mbl-heisenberg")(n=3)
    first, again, other = (steady_state(model, engine="exact", seed=seed) for seed in (1, 1, 2))
    assert_same_numbers(first, again)
    assert not np.allclose(first["sz"], other["sz"])
    fields = first.settings["parameters"]["fields_z"]
    assert fields == list(np.random.default_rng(1).uniform(-1, 1, 3))
    explicit = replace(model, fields_z=tuple(fields), fields_x=tuple(first.settings["parameters"]["fields_x"]))
    assert_array_equal(steady_state(explicit, engine="exact", seed=1)["sz"], first["sz"])


@pytest.mark.parametrize("initial", ["identity", "thermal:0.5", "product:011", "state", "record"])
def test_the_steady_state_forgets_where_it_began(initial):
    start: object = initial
    if initial == "state":
        start = product_state([s] * 3, [np.diag([0.9, 0.1])] * 3)
    if initial == "record":
        start = steady_state(replace(XX, dephasing=0.4), engine=HIGH)
    exact = observables(steady_state(XX, engine="exact"))
    record = steady_state(XX, engine=HIGH, initial=start)
    assert record.outcome == "converged"
    for name in exact:
        assert_allclose(record[name], exact[name], atol=record[name].attrs["error"])
        assert record[name].attrs["error"] < 2e-2


def test_initial_states_by_name():
    generator = generator_of(find("mbl-heisenberg")(n=3, fields_z=(0.1, 0.2, 0.3), fields_x=(0.0, 0.5, -0.5)))
    thermal = initial_state("thermal:0.7", generator)
    assert max(thermal.bond_dimensions) > 1
    assert initial_state(thermal, generator) is thermal
    up = Observable(lambda view: view.expect(s.Z(0)))
    for name, value in (("product:010", 1.0), ("product:100", -1.0)):
        state = initial_state(name, generator)
        assert_allclose(up(ChainView(state, generator.spaces, generator.functionals)), value)


WRONG_STARTS = ["identities", "product:01", "product:012", "product:01x", "product:", "thermal:hot", "thermal:nan", ""]


@pytest.mark.parametrize("initial", WRONG_STARTS)
def test_initial_states_that_are_none(initial):
    with pytest.raises(InputError, match=r"product:|initial ="):
        steady_state(XX, engine=QUICK, initial=initial)


def test_a_thermal_state_needs_a_hamiltonian():
    generator = ChainGenerator([bit, bit], [np.zeros((2, 2))] * 2, [np.zeros((4, 4))])
    with pytest.raises(InputError, match="a model with a Hamiltonian"):
        initial_state("thermal:1", generator)


def test_an_initial_state_of_another_chain():
    with pytest.raises(InputError, match="local dimensions"):
        steady_state(XX, engine=QUICK, initial=identity_state([s] * 4))


# ---------------------------------------------------------------- extension


@pytest.fixture(scope="module")
def coarse(tmp_path_factory):
    path = tmp_path_factory.mktemp("coarse") / "old.nc"
    steady_state(XX, engine=LOW, out=path)
    return path


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
        assert record.certificate.estimates["truncation"][name] < 1e-5  # nothing is dropped any more
        assert_allclose(record[name], exact[name], atol=record[name].attrs["error"])
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
    old = steady_state(XX, engine=LOW, out=path)
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
        (tmp_path / "e.nc", Changes(times=[2.0], tolerance=1e-2), "belong to a steady state"),
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


# ---------------------------------------------------------------- files


def test_a_finished_record_is_in_the_way(tmp_path):
    path = tmp_path / "r.nc"
    steady_state(Pumped(), engine="exact", out=path)
    before = path.read_bytes()
    with pytest.raises(RecordError, match="exists already; give --overwrite"):
        steady_state(Pumped(gamma=2.0), engine="exact", out=path)
    assert path.read_bytes() == before
    steady_state(Pumped(gamma=2.0), engine="exact", out=path, overwrite=True)
    assert Record.open(path).settings["parameters"]["gamma"] == 2.0


class Halt(Exception):
    """Something that no driver can foresee."""


def halt_after(steps, monkeypatch, error=Halt):
    """Let TEBD fail after some steps in this process."""
    step, count = type(QUICK.init(generator_of(Pumped()), identity_state([s] * 3))).step, [0]

    def counted(run, until=None):
        count[0] += 1
        if count[0] > steps:
            raise error("halted")
        return step(run, until)

    monkeypatch.setattr("tnness.engines.tebd.TEBDRun.step", counted)


def halted_part(steps, start):
    """The checkpoint of a run that stopped after some steps."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        halt_after(steps, patch)
        with pytest.raises(Halt):
            start(Path(folder) / "r.nc")
        return (Path(folder) / "r.nc.part").read_bytes()


@functools.cache
def pumped_part():
    return halted_part(4, lambda out: steady_state(Pumped(), engine=QUICK, out=out, checkpoint_every=0))


@functools.cache
def xx_part():
    return halted_part(3, lambda out: steady_state(XX, engine=LOW, out=out, checkpoint_every=0))


@pytest.fixture
def halted(tmp_path):
    """A run of Pumped that stopped after four steps."""
    part_path(tmp_path / "r.nc").write_bytes(pumped_part())
    return tmp_path / "r.nc"


def test_an_unfinished_run_is_a_record_too(halted):
    part = Record.open(part_path(halted))
    assert not halted.exists()
    assert part.unfinished
    assert part.outcome == "unfinished"
    assert len(part.history.times) == 4
    assert part["z"].dims == ("site",)
    assert part["z"].attrs["units"] == "1"
    assert part.certificate.outcome == "unfinished"
    assert max(part.state.bond_dimensions) > 1
    assert part.settings["engine_settings"]["chi"] == 8


def test_it_is_continued_bit_for_bit(halted):
    whole = steady_state(Pumped(), engine=QUICK)
    record = steady_state(Pumped(), engine=QUICK, out=halted)
    assert_same_numbers(record, whole)
    assert_same_numbers(record, Record.open(halted))
    assert not part_path(halted).exists()


def test_checkpoints_never_change_a_number(tmp_path):
    often = steady_state(Pumped(), engine=QUICK, out=tmp_path / "r.nc", checkpoint_every=0.2)
    assert_same_numbers(often, steady_state(Pumped(), engine=QUICK))


def test_other_settings_are_refused(halted):
    before = part_path(halted).read_bytes()
    for settings, told in (
        ({"engine": replace(QUICK, chi=9)}, r"engine_settings.chi = 8 there, 9 here"),
        ({"engine": QUICK, "tolerance": 1e-4}, r"tolerance = 0.001 there, 0.0001 here"),
        ({"engine": "exact"}, r'engine = "tebd" there, "exact" here'),
        ({"engine": QUICK, "initial": "product:000"}, r"initial = "),
        ({"engine": QUICK, "seed": 1}, r"seed = 0 there, 1 here"),
    ):
        with pytest.raises(RecordError, match=told):
            steady_state(Pumped(), out=halted, **settings)
    with pytest.raises(RecordError, match=r"parameters.gamma = 1.0 there, 2.0 here"):
        steady_state(Pumped(gamma=2.0), engine=QUICK, out=halted)
    with pytest.raises(RecordError, match="kind = "):
        evolve(Pumped(), [1.0], engine=QUICK, out=halted)
    assert part_path(halted).read_bytes() == before
    assert not halted.exists()


def test_a_damaged_checkpoint_is_refused(halted):
    part_path(halted).write_bytes(b"half")
    with pytest.raises(RecordError, match=r"r\.nc\.part cannot be read"):
        steady_state(Pumped(), engine=QUICK, out=halted)


@pytest.fixture
def killed_xx(tmp_path):
    """A registered model, stopped after three steps of its first stage."""
    part_path(tmp_path / "r.nc").write_bytes(xx_part())
    return tmp_path / "r.nc"


@pytest.mark.parametrize("suffix", ["", ".part"])
def test_an_unfinished_run_is_continued_by_its_name(suffix, killed_xx):
    record = extend(f"{killed_xx}{suffix}")
    assert_same_numbers(record, steady_state(XX, engine=LOW))
    assert killed_xx.exists()
    assert not part_path(killed_xx).exists()


def test_an_unfinished_run_can_be_extended(killed_xx, monkeypatch):
    """More bond dimension from its present state; interrupted once more, the same command goes on."""
    time = Record.open(part_path(killed_xx)).time
    with monkeypatch.context() as patch:
        halt_after(2, patch)
        with pytest.raises(Halt):
            extend(killed_xx, Changes({"chi": 4}), checkpoint_every=0)
    part = Record.open(part_path(killed_xx))
    assert part.settings["engine_settings"]["chi"] == 4
    assert len(part.history.times) == 2
    assert part.history.times[0] > time
    record = extend(killed_xx, Changes({"chi": 4}))
    exact = observables(steady_state(XX, engine="exact"))
    for name in exact:
        assert_allclose(record[name], exact[name], atol=record[name].attrs["error"])


@pytest.mark.parametrize("again", ["the same", "the part", "the part bare"])
def test_an_extension_in_place_is_continued_bit_for_bit(again, coarse, tmp_path, monkeypatch):
    path, changes = tmp_path / "r.nc", Changes({"chi": 4})
    path.write_bytes(coarse.read_bytes())
    with monkeypatch.context() as patch:
        halt_after(2, patch)
        with pytest.raises(Halt):
            extend(path, changes, checkpoint_every=0)
    assert path.read_bytes() == coarse.read_bytes()  # the old record stands until the new one is complete
    if again == "the same":
        record = extend(path, changes)
    else:
        record = extend(part_path(path), changes if again == "the part" else None)
    assert_same_numbers(record, extend(coarse, changes, out=tmp_path / "whole.nc"))
    assert not part_path(path).exists()


def test_an_unfinished_run_does_not_replace_a_foreign_record(killed_xx, coarse):
    killed_xx.write_bytes(coarse.read_bytes())
    with pytest.raises(RecordError, match="exists already"):
        extend(part_path(killed_xx))
    assert killed_xx.read_bytes() == coarse.read_bytes()


def test_killed_between_the_record_and_its_checkpoint(coarse, tmp_path, monkeypatch):
    """The record is there, its checkpoint too: the checkpoint is over, not an unfinished run in the way."""
    path, changes = tmp_path / "r.nc", Changes({"chi": 4})
    path.write_bytes(coarse.read_bytes())
    with monkeypatch.context() as patch:
        halt_after(2, patch)
        with pytest.raises(Halt):
            extend(path, changes, checkpoint_every=0)
    left = part_path(path).read_bytes()
    extend(path, changes)
    part_path(path).write_bytes(left)
    os.utime(part_path(path), (path.stat().st_mtime - 1,) * 2)
    assert extend(path, changes).settings["engine_settings"]["chi"] == 4
    assert not part_path(path).exists()


@pytest.mark.parametrize("steps", [1, 9])
def test_an_evolution_is_continued_bit_for_bit(steps, tmp_path, monkeypatch):
    times = [0.0, 0.7, 1.0, 1.9]
    with monkeypatch.context() as patch:
        halt_after(steps, patch)
        with pytest.raises(Halt):
            evolve(Pumped(), times, engine=replace(QUICK, dt=0.1), out=tmp_path / "r.nc", checkpoint_every=0)
    part = Record.open(part_path(tmp_path / "r.nc"))
    assert part["z"].dims == ("time", "site")
    assert len(part["time"]) == sum(t <= part.time for t in times)
    record = evolve(Pumped(), times, engine=replace(QUICK, dt=0.1), out=tmp_path / "r.nc")
    assert_same_numbers(record, evolve(Pumped(), times, engine=replace(QUICK, dt=0.1)))


def test_an_unfinished_evolution_takes_other_settings_for_what_is_left(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        halt_after(8, patch)
        with pytest.raises(Halt):
            evolve(XX, [0.0, 0.5, 1.0], engine=TEBD(chi=3, dt=0.1), out=tmp_path / "r.nc", checkpoint_every=0)
    record = extend(tmp_path / "r.nc", Changes({"dt": 0.05}))
    assert_array_equal(record["time"], [0.0, 0.5, 1.0])
    assert_allclose(record["z"], evolve(XX, [0.0, 0.5, 1.0], engine=TEBD(chi=3, dt=0.05))["z"], atol=1e-3)


# ---------------------------------------------------------------- when things go wrong


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

    sweep, count = tebd.sweep, [0]

    def poisoned(state, *arguments):
        count[0] += 1
        result = sweep(state, *arguments)
        if count[0] == 40:
            state.tensors[1] = np.full_like(state.tensors[1], np.nan)
        return result

    monkeypatch.setattr(tebd, "sweep", poisoned)
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

    with pytest.raises(ModelError, match=r"own code raised ZeroDivisionError: .*test_solve\.py, line \d+\); the last"):
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
        (Broken(), r"own code raised KeyError: 'nothing' \(.*test_solve.py, line"),
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


# ---------------------------------------------------------------- settings that cannot be


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"engine": "tebb"}, r"there is no engine 'tebb' \(did you mean 'tebd'\?\)"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": 1.5}, "seed = 1.5"),
        ({"seed": True}, "seed = True"),
        ({"tolerance": 0.0}, "tolerance = 0.0"),
        ({"tolerance": math.nan}, "tolerance = nan"),
        ({"tolerance": math.inf}, "tolerance = inf"),
        ({"max_time": 0.0}, "max_time = 0.0"),
        ({"max_time": math.nan}, "max_time = nan"),
        ({"checkpoint_every": -1.0}, "checkpoint_every = -1.0"),
        ({"checkpoint_every": math.nan}, "checkpoint_every = nan"),
    ],
)
def test_wrong_settings_of_a_steady_state(arguments, message):
    with pytest.raises(InputError, match=message):
        steady_state(Pumped(), **arguments)


@pytest.mark.parametrize("times", [[], [1.0, 1.0], [2.0, 1.0], [-0.1, 1.0], [0.0, math.nan], [math.inf]])
def test_times_that_cannot_be(times):
    with pytest.raises(InputError, match="times must be increasing numbers >= 0"):
        evolve(Pumped(), times)


def test_what_is_not_a_model():
    with pytest.raises(InputError, match="is not a model"):
        steady_state(3)


def test_engine_for():
    assert engine_for(XX, None, chi=12, dt=None) == TEBD(chi=12)
    assert engine_for(XX, "exact") == Exact()
    with pytest.raises(InputError, match="engine 'exact' has no setting 'chi'"):
        engine_for(XX, "exact", chi=3)

    class OnlyExact(Pumped):
        engines = ("exact",)

    assert engine_for(OnlyExact()) == Exact()
    with pytest.raises(InputError, match="engine 'tebd' does not serve model 'OnlyExact'; it is served by exact"):
        engine_for(OnlyExact(), "tebd")


# ---------------------------------------------------------------- the job


def job(**changes):
    settings = {"model": Pumped(), "name": "p", "engine": QUICK, "seed": 0, "initial": "identity"}
    return Job(**(settings | {"kind": "steady_state"} | changes))


def test_jobs_with_equal_settings_are_the_same_job():
    assert job().settings == job().settings
    assert differences(job().settings, job().settings) == []
    changed = job(engine=replace(QUICK, schedule=(2, 4)), max_time=7).settings
    assert differences(job().settings, changed) == [
        "engine_settings.schedule = null there, [2, 4] here",
        "max_time = null there, 7 here",
    ]


def test_a_label_is_equal_for_equal_states_only():
    first, second = product_state([s] * 2, [np.eye(2) / 2] * 2), product_state([s] * 2, [np.diag([0.6, 0.4])] * 2)
    assert label(first) == label(first.copy())
    assert label(first) != label(second)
    assert label("identity") == "identity"


def test_an_origin_survives_json():
    from tnness.certificate import Prior

    prior = Prior(8, 0.1 + 0.2, 1 / 3, {"trotter": {"z": 1e-300}, "truncation": {}})
    for origin in (Origin(), Origin(1 / 7, 3), Origin(2.5, 0, prior)):
        assert Origin.load(origin.dump()) == origin


def test_two_point_functions_are_measured_at_the_end():
    @dataclass(frozen=True)
    class Correlated(Pumped):
        def observables(self):
            return {"zz": two_point(s.Z, s.Z, connected=True), "z": expectation([s.Z(i) for i in range(3)], "site")}

    record = steady_state(Correlated(), engine=QUICK)
    assert "zz" not in record.history.values
    assert record["zz"].dims == ("site", "site_2")
    assert_allclose(np.diag(record["zz"]), 1 - record["z"].values ** 2, atol=1e-12)
