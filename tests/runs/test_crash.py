"""Bad days: a run that is killed, interrupted or breaks down keeps what it had, and goes on to the same numbers."""

import os
import shutil
import signal
import socket
from pathlib import Path

import numpy as np
import pytest

from processes import PATIENCE, assert_same, complete, contents, finish, start, wait_for
from tnness import NumericalError, steady_state
from tnness.engines import tebd, tebd_run
from tnness.errors import RecordError
from tnness.model.registry import find
from tnness.records.record import Record
from tnness.runs.solve import Changes, extend

HOST, DEAD = socket.gethostname(), 2**22 - 7
"""This machine, and the number of a process that is not there."""
BRIEF = ("--tol", "1e-9", "--max-time", "6")  # given up after as many steps as it takes to stop it between two
RUNS = {
    "steady": ("xxz-driven", "-p", "n=4", "--chi", "8", "--schedule", "5", "--dt", "0.1", *BRIEF, "--out", "run.nc"),
    "evolution": ("xxz-driven", "-p", "n=4", "--chi", "6", "--dt", "0.05", "--time", "0.07:5:60", "--out", "run.nc"),
    "extension": ("run.nc", "--chi", "10", "--dt", "0.1", *BRIEF),
}
MODEL = """
from dataclasses import dataclass

from tnness import Lindbladian, expectation
from tnness import spin_half as s


@dataclass(frozen=True, kw_only=True)
class Stiff:
    n: int = 3
    rate: float = 1e6  # fourth order steps back in time, where this decay grows beyond every number

    def problem(self):
        chain = Lindbladian([s] * self.n)
        for i in range(self.n - 1):
            chain.hamiltonian(s.X(i) * s.X(i + 1))
            chain.jump(s.Sm(i) * s.Sp(i + 1), rate=self.rate)
        return chain

    def observables(self):
        return {"z": expectation([s.Z(i) for i in range(self.n)], "site")}
"""


def kill(folder: Path, *arguments: str, changes: int = 1) -> None:
    """Start a run that saves whenever it can, and kill it where its checkpoint has changed."""
    process = start(folder, *arguments, "--checkpoint-every", "0")
    try:
        wait_for(process, folder / "run.nc.part", changes)
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL


@pytest.fixture(scope="module")
def coarse(tmp_path_factory) -> Path:
    """A finished steady state for extension, which no test changes."""
    folder = tmp_path_factory.mktemp("coarse")
    complete(folder, "xxz-driven", "-p", "n=4", "--chi", "6", "--tol", "1e-2", "--out", "run.nc")
    return folder / "run.nc"


@pytest.fixture(scope="module")
def whole(tmp_path_factory, coarse) -> dict[str, Path]:
    """The records of runs that nothing stopped."""
    found = {}
    for kind, arguments in RUNS.items():
        folder = tmp_path_factory.mktemp(kind)
        if kind == "extension":
            shutil.copy(coarse, folder)
        complete(folder, *arguments)
        found[kind] = folder / "run.nc"
    return found


# ---------------------------------------------------------------- killed


@pytest.mark.parametrize("kind", RUNS)
def test_a_killed_run_goes_on_to_the_same_numbers_bit_for_bit(kind, tmp_path, coarse, whole):
    if kind == "extension":
        shutil.copy(coarse, tmp_path)
    before = contents(tmp_path)
    kill(tmp_path, *RUNS[kind], changes=3)
    reached = Record.open(tmp_path / "run.nc.part")
    assert reached.unfinished
    assert before.items() <= contents(tmp_path).items()  # what is extended is still there, whole
    complete(tmp_path, *RUNS[kind])
    assert list(contents(tmp_path)) == ["run.nc"]  # no checkpoint, no half-written file
    assert Record.open(tmp_path / "run.nc").time > reached.time
    assert_same(tmp_path / "run.nc", whole[kind])


def test_a_run_killed_between_its_record_and_the_end_of_its_checkpoint_is_finished(tmp_path):
    """The record is there, the checkpoint too: the next run of the same settings says that it is finished."""
    out, settings = tmp_path / "run.nc", {"engine": "exact", "name": "ssep"}
    model = find("ssep")(n=3)
    steady_state(model, out=out, **settings)
    before = out.read_bytes()
    left = tmp_path / "run.nc.part"
    record = Record.open(out)
    record.dataset.attrs["outcome"] = "unfinished"
    record.save(left)
    os.utime(left, ns=(0, out.stat().st_mtime_ns - 1000))
    with pytest.raises(RecordError, match="exists already"):
        steady_state(model, out=out, **settings)
    assert out.read_bytes() == before


def test_what_a_process_killed_while_writing_left_is_no_obstacle(tmp_path):
    for name in (".run.nc.1-1@elsewhere.tmp", ".run.nc.part.1-1@elsewhere.tmp", f".run.nc.{DEAD}-1@{HOST}.tmp"):
        (tmp_path / name).write_bytes(b"half a record")
    os.utime(tmp_path / ".run.nc.1-1@elsewhere.tmp", (0, 0))
    os.utime(tmp_path / ".run.nc.part.1-1@elsewhere.tmp", (0, 0))
    others = {".run.nc.bak.tmp", ".run.nc.2-1@elsewhere.tmp", f".run.nc.{os.getpid()}-2@{HOST}.tmp"}
    for name in others:
        (tmp_path / name).write_bytes(b"not ours, or of a process that lives")
    steady_state(find("ssep")(n=3), engine="exact", out=tmp_path / "run.nc")
    assert Record.open(tmp_path / "run.nc").outcome == "exact"
    assert {path.name for path in tmp_path.iterdir()} == {"run.nc", *others}


# ---------------------------------------------------------------- interrupted


def test_an_interrupted_run_is_saved_and_says_how_to_continue(tmp_path, whole):
    process = start(tmp_path, *RUNS["evolution"])  # the default interval: no checkpoint falls before the signal
    try:
        assert process.stderr is not None
        assert "xxz-driven" in process.stderr.readline()  # the first tenth is done
        assert not contents(tmp_path)
        process.send_signal(signal.SIGINT)
        status, err = finish(process)
    finally:
        process.kill()
    assert status == 130, err
    assert "Traceback" not in err
    (told,) = [line for line in err.splitlines() if line.startswith("tnness: ")]
    assert "interrupted" in told
    assert "run.nc.part" in told
    assert "run the same command again to continue" in told
    assert list(contents(tmp_path)) == ["run.nc.part"]
    complete(tmp_path, *RUNS["evolution"])
    assert list(contents(tmp_path)) == ["run.nc"]
    assert_same(tmp_path / "run.nc", whole["evolution"])


# ---------------------------------------------------------------- broken down


def test_a_run_that_overflows_stops_with_the_last_good_state_saved(tmp_path):
    (tmp_path / "stiff.py").write_text(MODEL)
    arguments = ("stiff.py:Stiff", "--chi", "4", "--dt", "0.1", "--out", "run.nc")
    status, err = finish(start(tmp_path, *arguments))
    assert status == 1
    told = err.splitlines()[-1]
    assert told.startswith("tnness: ")
    assert "Traceback" not in err
    assert "not finite" in told
    assert "run.nc.part" in told
    assert not (tmp_path / "run.nc").exists()
    kept = Record.open(tmp_path / "run.nc.part")
    assert kept.unfinished
    assert all(np.isfinite(tensor).all() for tensor in kept.state.tensors)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_nan_stops_the_run_and_the_good_part_of_it_is_continued(bad, tmp_path, monkeypatch):
    model, sweep, sweeps = find("ssep")(n=4), tebd_run.sweep_layer, []

    def failing(state, *given):
        dropped = sweep(state, *given)
        sweeps.append(1)
        if len(sweeps) == 100:
            state.tensors[1] = np.full_like(state.tensors[1], bad)
        return dropped

    settings = {"engine": tebd.TEBD(chi=4), "tolerance": 1e-5}
    with monkeypatch.context() as patch, np.errstate(all="ignore"):
        patch.setattr(tebd_run, "sweep_layer", failing)
        with pytest.raises(NumericalError, match=r"run\.nc\.part") as raised:
            steady_state(model, out=tmp_path / "run.nc", **settings)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "run.nc").exists()
    kept = Record.open(tmp_path / "run.nc.part")
    assert kept.unfinished
    assert kept.time > 0
    assert all(np.isfinite(tensor).all() for tensor in kept.state.tensors)
    shutil.copy(tmp_path / "run.nc.part", tmp_path / "other.nc.part")

    steady_state(model, out=tmp_path / "run.nc", **settings)  # the same again, on a better day
    steady_state(model, out=tmp_path / "whole.nc", **settings)
    assert_same(tmp_path / "run.nc", tmp_path / "whole.nc")

    changed = {"engine": {"dt": 0.05}, "tolerance": 1e-3}  # or with other settings, from where it was
    other = extend(tmp_path / "other.nc.part", Changes(**changed))
    assert other.time > kept.time
    assert other.settings["engine_settings"]["dt"] == 0.05
    assert not (tmp_path / "other.nc.part").exists()
