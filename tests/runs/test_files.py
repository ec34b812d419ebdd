"""Files: finished, unfinished, damaged, continued."""

import functools
import os
import threading
from dataclasses import replace

import pytest
from numpy.testing import assert_allclose, assert_array_equal

from halting import LOW, XX, Halt, halt_after, halted_part
from small_runs import QUICK, Pumped, assert_same_numbers, assert_within_its_errors, observables
from tnness import (
    TEBD,
    Changes,
    Record,
    evolve,
    extend,
    steady_state,
)
from tnness.errors import RecordError
from tnness.records.claims import claim
from tnness.records.record import part_path
from tnness.runs.checkpoint import Output


def test_a_finished_record_is_in_the_way(tmp_path):
    path = tmp_path / "r.nc"
    steady_state(Pumped(), engine="exact", out=path)
    before = path.read_bytes()
    with pytest.raises(RecordError, match="exists already; give --overwrite"):
        steady_state(Pumped(gamma=2.0), engine="exact", out=path)
    assert path.read_bytes() == before
    steady_state(Pumped(gamma=2.0), engine="exact", out=path, overwrite=True)
    assert Record.open(path).settings["parameters"]["gamma"] == 2.0


@functools.cache
def xx_part():
    return halted_part(3, lambda out: steady_state(XX, engine=LOW, out=out, checkpoint_every=0))


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
        ({"engine": QUICK, "tolerance": 1e-4}, r"tolerance = 0.01 there, 0.0001 here"),
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
        assert_within_its_errors(record, name, exact[name], 1.1)  # an estimate, not a bound


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


def test_two_runs_do_not_write_one_file(tmp_path):
    """The second says who is writing it, and computes nothing."""
    path, errors = tmp_path / "r.nc", []

    def second():
        try:
            steady_state(Pumped(), engine="exact", out=path)
        except RecordError as error:
            errors.append(str(error))

    with Output(path).claimed():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert len(errors) == 1
    assert "another run is writing" in errors[0]
    assert f"process {os.getpid()}" in errors[0]
    assert not list(tmp_path.iterdir())


def test_a_file_that_appears_during_a_run_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "r.nc"
    record, publish = steady_state(Pumped(), engine="exact"), Output.publish

    def late(self, record):
        path.write_bytes(b"another program's")
        publish(self, record)

    monkeypatch.setattr(Output, "publish", late)
    with pytest.raises(RecordError, match=r"exists already: .*; the record of this run is in .*r-2\.nc"):
        steady_state(Pumped(), engine="exact", out=path)
    assert path.read_bytes() == b"another program's"
    assert_same_numbers(Record.open(tmp_path / "r-2.nc"), record)


def test_a_killed_claim_is_no_obstacle(tmp_path):
    (tmp_path / ".r.nc.claim").write_text("half")
    steady_state(Pumped(), engine="exact", out=tmp_path / "r.nc")
    assert [path.name for path in tmp_path.iterdir()] == ["r.nc"]
    with claim(tmp_path / ".r.nc.claim") as mine:
        assert mine
