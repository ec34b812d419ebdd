"""Sweeps of what a script defines, names that a table cannot have, and sizes that no store can."""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, make_dataclass
from pathlib import Path

import pytest

from command_line import call, in_process_of_its_own, refused
from small_runs import Pumped
from tnness import TEBD, Ask, Counting, Modes, Observable, evolve, expectation, steady_state, sweep
from tnness import spin_half as s
from tnness.engines.trajectories import Trajectories
from tnness.engines.transfer import Transfer
from tnness.errors import InputError, ModelError
from tnness.model.parameters import parameters
from tnness.model.registry import module_from_file
from tnness.runs.job import Job
from tnness.study.plan import Plan

SCRIPT = """
from dataclasses import dataclass

import tnness
from tnness import Lindbladian, expectation
from tnness import spin_half as s


@dataclass(frozen=True, kw_only=True)
class Pumped:
    n: int = 2
    rate: float = 1.0

    def problem(self):
        chain = Lindbladian([s] * self.n)
        chain.jump(s.Sp(0), rate=self.rate)
        chain.jump(s.Sm(self.n - 1), rate=self.rate)
        return chain

    def observables(self):
        return {"z": expectation([s.Z(i) for i in range(self.n)], "site")}


done = tnness.sweep(Pumped, {"rate": [1.0, 2.0]}, store="s", engine="exact", workers=1)
print(done.done, done.failed)
"""


@pytest.mark.parametrize("given", ["file", "stdin"])
def test_a_sweep_of_a_class_in_an_unguarded_script_ends(tmp_path, given):
    """It goes by value; its workers used to die on it, and were started again for ever."""
    (tmp_path / "script.py").write_text(SCRIPT)
    arguments = ["script.py"] if given == "file" else ["-"]
    done = subprocess.run(
        [sys.executable, *arguments], input=SCRIPT, capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert done.stdout == "2 0\n", done.stderr


@pytest.mark.parametrize(
    ("axis", "told"),
    [("status", "column"), ("z", "an observable"), ("site", "axis of an observable"), ("z_error", "error")],
)
def test_an_axis_that_has_another_meaning_in_the_table_is_refused_before_the_first_point(tmp_path, axis, told):
    model = SCRIPT.split("done =")[0].replace("rate: float", f"{axis}: float").replace("self.rate", f"self.{axis}")
    (tmp_path / "m.py").write_text(model)
    answer = call("sweep", f"{tmp_path}/m.py:Pumped", "--grid", f"{axis}=1,2", "--store", tmp_path / "s")
    assert answer.status == 2
    assert f"axis {axis}: in the table of the sweep this is the name of " in answer.err
    assert told in answer.err
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("name", ["draw", "small", "problem", "initial_state"])
def test_a_parameter_is_not_called_like_a_method_of_models(name):
    with pytest.raises(ModelError, match=f"a parameter cannot be called '{name}'"):
        parameters(make_dataclass("Named", [(name, int, 1)], frozen=True))


def test_sizes_are_refused_before_they_are_allocated(tmp_path):
    started = time.monotonic()
    with pytest.raises(InputError, match="at most 2,000,000 fit into one store"):
        Plan(model="ssep", grid={"n": list(range(2, 2002))}, realizations=10**6)
    answer = call("run", "ssep", "--time", "0:1:1000000000", "--out", tmp_path / "r.nc")
    assert "count from 1 to 1,000,000" in answer.err
    answer = call("run", "ssep", "-p", f"n={'[' * 3000}", "--out", tmp_path / "r.nc")
    assert "too deep to be read" in answer.err
    assert time.monotonic() - started < 5


@dataclass(frozen=True, kw_only=True)
class Ratio(Pumped):
    """A chain with an observable that is no number: always, in the beginning (0/0), or from then on."""

    lost: str = "always"

    def observables(self):
        measure = {
            "always": lambda view: float("nan"),
            "at first": lambda view: 1.0 if not_zero(view) else float("nan"),
            "later": lambda view: float("nan") if not_zero(view) else 1.0,
        }[self.lost]
        return {"ratio": Observable(measure), "z": expectation(s.Z(0))}


def not_zero(view):
    return abs(view.expect(s.Z(0))) > 1e-9


@pytest.mark.parametrize("engine", ["exact", "tebd"])
def test_an_observable_that_is_never_a_number_is_refused_before_the_first_step(engine, tmp_path):
    with pytest.raises(ModelError, match="ratio is NaN everywhere, in the initial state and in a random one"):
        steady_state(Ratio(), engine=engine, out=tmp_path / "r.nc")
    with pytest.raises(ModelError, match="ratio is NaN everywhere"):
        evolve(Ratio(), [0.0, 1.0], engine=engine)
    assert not list(tmp_path.iterdir())


def test_an_observable_that_becomes_a_number_is_measured():
    record = steady_state(Ratio(lost="at first"), engine="exact")
    assert record.outcome == "exact"
    assert record["ratio"] == 1


def test_a_number_that_is_none_at_the_end_is_not_certified():
    record = steady_state(Ratio(lost="later"), engine="exact")
    assert record.outcome == "no number: ratio is NaN everywhere"
    assert not record.certificate.converged


def test_the_figure_of_a_convergence_that_was_killed_is_drawn_by_the_same_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ("converge", "ssep", "-p", "n=3", "--chi", "2,4", "--out", "c.nc", "--quiet")
    assert call(*command).status == 0
    before = Path("c.nc").read_bytes()
    Path("c.png").unlink()
    Path("c.nc.points").mkdir()
    Path("c.nc.points/chi=2.nc").write_bytes(b"left")
    assert call(*command).status == 0
    assert Path("c.png").exists()
    assert Path("c.nc").read_bytes() == before
    assert not Path("c.nc.points").exists()
    refused(*command, told=("c.nc exists already",))
    Path("c.png").unlink()
    refused(*[word if word != "2,4" else "2,5" for word in command], told=("c.nc exists already",))


def test_plotting_a_store_says_what_to_do_first(tmp_path):
    (tmp_path / "s").mkdir()
    answer = call("plot", tmp_path / "s")
    assert answer.status == 2
    assert f"tnness collect {tmp_path / 's'} --out" in answer.err


def test_the_package_does_not_blame_the_model_for_its_own_errors(monkeypatch):
    """An error without a line of the user's in its traceback stays what it is."""
    import tnness.runs.job as job

    def broken(model, name):
        return [][1]

    broken.__code__ = broken.__code__.replace(co_filename=job.__file__)
    monkeypatch.setattr(job, "problem_of", broken)
    with pytest.raises(IndexError):
        _ = Job(Pumped(), "pumped", TEBD(), Ask()).problem


def test_the_words_for_too_little_memory_blame_the_line_of_the_model(tmp_path):
    """NumPy's own error is a kind of MemoryError, and its compiled lines are not the user's."""
    source = SCRIPT.split("done =")[0].replace("chain = ", "np.random.default_rng(0).random(10**14)\n        chain = ")
    (tmp_path / "m.py").write_text("import numpy as np\n" + source)
    told = refused("run", f"{tmp_path}/m.py:Pumped", "--engine", "exact", "--out", tmp_path / "r.nc", told=("memory",))
    assert "its own code asked for more memory than this machine has" in told
    assert "m.py, line" in told


def test_an_axis_that_is_too_long_is_named_by_its_own_option(tmp_path):
    told = refused("sweep", "ssep", "--grid", "rate=1:2:100000000", "--store", tmp_path / "s")
    assert "--grid rate = 1:2:100000000" in told
    assert "--time" not in told


def test_a_measuring_function_that_has_changed_is_told_in_a_quiet_sweep_too(tmp_path):
    (tmp_path / "own.py").write_text("def measure(setting):\n    return {'own': 1.0}\n")
    command = (
        "sweep",
        "ssep",
        "--measure",
        f"{tmp_path}/own.py:measure",
        "--workers",
        0,
        "--store",
        tmp_path / "s",
        "-q",
    )
    assert in_process_of_its_own(*command, "--grid", "n=2").err == ""
    (tmp_path / "own.py").write_text("def measure(setting):\n    return {'own': 2.0}\n")
    answer = in_process_of_its_own(*command, "--grid", "n=2,3")
    assert answer.err == f"the code of {tmp_path}/own.py:measure has changed since the store was begun\n"


def test_a_file_that_is_edited_within_a_second_is_not_taken_for_its_bytecode(tmp_path, monkeypatch):
    """Python compares the length and the second of a file with those that its bytecode remembers."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "bytecode"))
    file = tmp_path / "edited.py"
    values = []
    for text in ("VALUE = 1\n", "VALUE = 2\n"):
        file.write_text(text)
        os.utime(file, (1e9, 1e9))
        values.append(module_from_file(file).VALUE)
        for name in [name for name in sys.modules if name.startswith("_tnness_file_edited")]:
            del sys.modules[name]
    assert values == [1, 2]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (lambda: TEBD(power=101), "power = 101: an integer, 0 to 100"),
        (lambda: TEBD(block=1001), "block = 1001: the steps between measurements are 1 to 1000"),
        (lambda: Trajectories(substeps=1001), "substeps = 1001: a time step has at most 1,000"),
        (lambda: Transfer(nodes=1001), "nodes = 1001: a panel has 2 to 1000"),
        (lambda: Counting(points=1002), "points = 1002: an even number of fields, 4 to 1000"),
        (lambda: Modes(count=10_001), "count = 10001: an integer, 1 to 10,000"),
        (lambda: sweep("ssep", {"n": [2]}, store="s", workers=1001), "workers = 1001: 1 to 1000 processes"),
        (lambda: TEBD(chi=10**20), "chi = 100000000000000000000 is too large"),
    ],
)
def test_what_would_keep_one_step_from_ending_is_refused(given, told, tmp_path, monkeypatch):
    """A signal is answered between two steps: none of them may take for ever."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=re.escape(told)):
        given()
    assert not list(tmp_path.iterdir())
