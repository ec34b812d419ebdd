"""Physics is content: a file whose model has changed is not gone on from, one whose model has only moved is."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from command_line import in_process_of_its_own
from tnness import TEBD, Changes, Lindbladian, Observable, evolve, expectation, extend, steady_state, sweep
from tnness import spin_half as s
from tnness.errors import Doubt, Interrupted, RecordError
from tnness.model.registry import find
from tnness.records.record import Record
from tnness.runs.physics import Physics
from tnness.study.status import status

MODEL = """
from dataclasses import dataclass

from tnness import Lindbladian, Observable, expectation
from tnness import spin_half as s


@dataclass(frozen=True, kw_only=True)
class Pumped:
    n: int = 3

    def problem(self):
        chain = Lindbladian([s] * self.n)
        for i in range(self.n - 1):
            chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
        chain.jump(s.Sp(0), rate=1.0)
        chain.jump(s.Sm(self.n - 1), rate=1.0)
        return chain

    def observables(self):
        return {
            "z": expectation([s.Z(i) for i in range(self.n)], "site"),
            "own": Observable(lambda view: 2.0 * view.expect(s.Z(0))),
        }
"""
STORE = ("--store", "s", "--workers", 0, "--quiet")
RUN = ("--chi", 8, "--dt", 0.1, "--order", 2)
OTHER_RATE = MODEL.replace("s.Sp(0), rate=1.0", "s.Sp(0), rate=5.0")
OTHER_OBSERVABLE = MODEL.replace("[s.Z(i) for", "[s.X(i) for")
OTHER_FUNCTION = MODEL.replace("2.0 * view", "3.0 * view")


def tnness(*arguments):
    """Call the command line in a process of its own, so that a file is read as it is now."""
    return in_process_of_its_own(*arguments)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("m.py").write_text(MODEL)
    return tmp_path


@pytest.fixture(scope="module")
def evolved(tmp_path_factory):
    """An evolution to t = 1."""
    folder = tmp_path_factory.mktemp("evolved")
    (folder / "m.py").write_text(MODEL)
    answer = tnness("run", folder / "m.py:Pumped", *RUN, "--time", "0,1", "--out", folder / "e.nc", "--quiet")
    assert answer.status == 0, answer
    return folder


@pytest.mark.parametrize(
    ("text", "told"), [(OTHER_RATE, "other physics"), (OTHER_OBSERVABLE, "observable 'z' measures something else")]
)
def test_an_evolution_is_not_extended_with_other_physics(here, evolved, text, told):
    """Without the check it would be one trajectory with two physics, and `complete`."""
    (evolved / "m.py").write_text(text)
    try:
        before = (evolved / "e.nc").read_bytes()
        answer = tnness("run", evolved / "e.nc", "--model", evolved / "m.py:Pumped", "--time", "1.5,2", "--quiet")
        assert answer.status == 2
        assert told in answer.err
        assert (evolved / "e.nc").read_bytes() == before
    finally:
        (evolved / "m.py").write_text(MODEL)


def test_a_function_that_cannot_be_seen_through_is_a_warning(here, evolved):
    shutil.copy(evolved / "e.nc", "e.nc")
    (evolved / "m.py").write_text(OTHER_FUNCTION)
    try:
        answer = tnness("run", "e.nc", "--model", evolved / "m.py:Pumped", "--time", "1.5,2")
        assert answer.status == 0, answer
        assert "the code of own has changed since the record was written" in answer.err
    finally:
        (evolved / "m.py").write_text(MODEL)


def test_an_extension_with_the_same_physics_goes_on(here, evolved):
    shutil.copy(evolved / "e.nc", "e.nc")
    assert tnness("run", "e.nc", "--model", evolved / "m.py:Pumped", "--time", "1.5,2", "--quiet").status == 0
    assert_allclose(Record.open("e.nc")["time"], [0, 1, 1.5, 2])


def test_an_unfinished_run_is_not_continued_with_other_physics_but_with_a_moved_file(here):
    model, stops = find("m.py:Pumped")(), []
    name = f"{here / 'm.py'}:Pumped"

    def stop(view):
        stops.append(1)
        if len(stops) == 4:
            raise Interrupted("stopped")
        return view.expect(s.Z(0))

    with pytest.MonkeyPatch.context() as patch:
        plain = type(model).observables
        patch.setattr(type(model), "observables", lambda self: plain(self) | {"own": Observable(stop)})
        with pytest.raises(Interrupted, match=r"saved in r\.nc\.part"):
            steady_state(model, engine=TEBD(chi=8, dt=0.1, order=2), out="r.nc", name=name)
    part = Path("r.nc.part").read_bytes()
    command = ("run", "m.py:Pumped", *RUN, "--out", "r.nc", "--quiet")

    Path("m.py").write_text(OTHER_RATE)
    answer = tnness(*command)
    assert answer.status == 2
    assert "other physics" in answer.err
    assert Path("r.nc.part").read_bytes() == part

    Path("m.py").unlink()
    Path("elsewhere").mkdir()
    Path("elsewhere/moved.py").write_text(MODEL)
    answer = tnness("run", "elsewhere/moved.py:Pumped", *RUN, "--out", "r.nc", "--quiet")
    assert answer.status == 0, answer
    assert np.abs(Record.open("r.nc")["z"][0]) > 0


def test_a_sweep_is_not_continued_with_other_physics(here):
    command = (
        "sweep",
        "m.py:Pumped",
        "--grid",
        "n=2,3",
        "--engine",
        "exact",
        "--store",
        "s",
        "--workers",
        0,
        "--quiet",
    )
    assert tnness(*command).status == 0
    more = [argument if argument != "n=2,3" else "n=2,3,4" for argument in command]
    Path("m.py").write_text(OTHER_RATE)
    answer = tnness(*more)
    assert answer.status == 2
    assert "holds a sweep of other physics" in answer.err
    Path("m.py").write_text(MODEL)
    assert tnness(*more).status == 0


RATE = MODEL.replace("n: int = 3", "n: int = 3\n    rate: float = 1.0")
BEYOND_THE_FIRST = RATE.replace("s.Sp(0), rate=1.0", "s.Sp(0), rate=self.rate if self.rate < 1.5 else 5.0")
AS_IT_WAS = BEYOND_THE_FIRST.replace("5.0", "self.rate * 1.0")


@pytest.mark.parametrize(
    ("edited", "told"),
    [
        (BEYOND_THE_FIRST, 'holds a point of model .*, {"rate":2}, that is not what it would be now: other physics'),
        (AS_IT_WAS.replace("[s.Z(i) for", "[s.X(i) for"), "observable 'z' measures something else than it did"),
    ],
)
def test_a_sweep_is_not_continued_if_any_of_its_points_has_other_physics(here, edited, told):
    """The edit leaves the first point as it was: the table would hold two physics."""
    Path("m.py").write_text(BEYOND_THE_FIRST.replace("5.0", "self.rate"))
    given = ("--engine", "exact", *STORE)
    assert tnness("sweep", "m.py:Pumped", "--grid", "rate=1,2", *given).status == 0
    before = {path: path.read_bytes() for path in Path("s").rglob("*") if path.is_file()}
    Path("m.py").write_text(edited)
    answer = tnness("sweep", "m.py:Pumped", "--grid", "rate=1,2,3", *given)
    assert answer.status == 2
    assert re.search(told, answer.err)
    assert {path: path.read_bytes() for path in Path("s").rglob("*") if path.is_file()} == before
    Path("m.py").write_text(AS_IT_WAS)
    answer = tnness("sweep", "m.py:Pumped", "--grid", "rate=1,2,3", *given)
    assert (answer.status, answer.err) == (0, "")


def test_a_function_that_a_sweep_cannot_see_through_is_a_warning(here):
    given = ("--engine", "exact", *STORE)
    assert tnness("sweep", "m.py:Pumped", "--grid", "n=2", *given).status == 0
    Path("m.py").write_text(OTHER_FUNCTION)
    answer = tnness("sweep", "m.py:Pumped", "--grid", "n=2,3", *given)
    assert (answer.status, answer.err) == (0, "the code of own has changed since the store was begun\n")


def test_a_model_behind_a_measuring_function_has_changed(here):
    Path("own.py").write_text("def measure(setting):\n    return {'levels': float(setting.model.problem().n)}\n")
    given = ("--measure", f"{here}/own.py:measure", *STORE)
    assert tnness("sweep", "m.py:Pumped", "--grid", "n=2", *given).status == 0
    Path("m.py").write_text(MODEL.replace("rate=1.0", "rate=1.0 if self.n < 3 else 2.0"))
    answer = tnness("sweep", "m.py:Pumped", "--grid", "n=2,3", *given)
    assert answer.status == 0
    assert answer.err == f"the code of model {here}/m.py:Pumped has changed since the store was begun\n"


def pumped(rate):
    """A class called `Pumped`, as a notebook makes another each time that a cell is executed."""

    @dataclass(frozen=True)
    class Pumped:
        n: int = 3

        def problem(self):
            chain = Lindbladian([s] * self.n)
            for i in range(self.n - 1):
                chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
            chain.jump(s.Sp(0), rate=rate)
            chain.jump(s.Sm(self.n - 1))
            return chain

        def observables(self):
            return {"z": expectation([s.Z(i) for i in range(self.n)], "site")}

    return Pumped


def test_two_classes_of_one_name_are_told_apart(here):
    one, other, engine = pumped(1.0), pumped(5.0), TEBD(chi=8, dt=0.1)
    evolve(one(), [0.5], engine=engine, out="e.nc")
    steady_state(one(), engine=engine, out="r.nc")
    sweep(one, {"n": [2]}, store="s", engine="exact", workers=0)
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    for go_on in (
        lambda cls: extend("e.nc", Changes(times=[1.0]), model=cls),
        lambda cls: extend("r.nc", Changes({"chi": 9}), model=cls),
        lambda cls: sweep(cls, {"n": [2, 3]}, store="s", engine="exact", workers=0),
    ):
        with pytest.raises(RecordError, match="other physics"):
            go_on(other)
        assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before
    assert extend("e.nc", Changes(times=[1.0]), model=pumped(1.0)).outcome == "complete"


def test_a_steady_state_of_other_physics_is_no_coarse_stage(here):
    """Its state is where the run starts, and nothing more."""
    engine = TEBD(chi=8, dt=0.1, order=2)
    first = steady_state(find("m.py:Pumped")(), engine=engine)
    Path("other.py").write_text(OTHER_RATE)
    other = find("other.py:Pumped")
    record = steady_state(other(), engine=engine, initial=first, name="Pumped")
    assert record.history.stages[0] == 0
    again = steady_state(find("m.py:Pumped")(), engine=TEBD(chi=16, dt=0.1, order=2), initial=first)
    assert again.history.stages[0] == -1


def test_a_sweep_whose_model_has_moved_goes_on(here):
    given = ("--engine", "exact", "--store", "s", "--workers", 0, "--quiet")
    assert tnness("sweep", "m.py:Pumped", "--grid", "n=2,3", *given).status == 0
    Path("elsewhere").mkdir()
    Path("m.py").rename("elsewhere/moved.py")
    assert tnness("sweep", "elsewhere/moved.py:Pumped", "--grid", "n=2,3,4", *given).status == 0
    assert str(status("s")).startswith("3 points: 3 done")
    Path("elsewhere/moved.py").write_text(OTHER_RATE)
    answer = tnness("sweep", "elsewhere/moved.py:Pumped", "--grid", "n=2,3,4", *given)
    assert answer.status == 2
    assert "holds a sweep with other settings" in answer.err


def test_another_version_of_the_package_is_said(here, capsys):
    steady_state(find("ssep")(n=2), engine="exact", out="r.nc")
    record = Record.open("r.nc")
    record.dataset.attrs["versions"] = json.dumps({"tnness": "0.0.1"})
    record.save("r.nc")
    extend("r.nc", progress=True)
    assert "the record was written by tnness 0.0.1, this is" in capsys.readouterr().err
    record.save("r.nc")
    with pytest.warns(Doubt, match=r"the record was written by tnness 0\.0\.1, this is"):
        extend("r.nc")
    sweep("ssep", {"n": [2]}, store="s", engine="exact", workers=0)
    about = json.loads(Path("s/sweep.json").read_text())
    Path("s/sweep.json").write_text(json.dumps(about | {"version": "0.0.1"}))
    sweep("ssep", {"n": [2, 3]}, store="s", engine="exact", workers=0, progress=True)
    assert "the store was begun by tnness 0.0.1, this is" in capsys.readouterr().err


HOSTILE = """
from pathlib import Path
Path("loaded").write_text("by whom?")
"""


def test_nothing_that_a_record_names_is_loaded_unasked(here):
    """A record from a stranger is opened, drawn, started from and verified; its file of a model stays closed."""
    own = ("m.py:Pumped", *RUN, "--time", "0,0.5")
    assert tnness("run", *own, "--out", "r.nc", "--quiet").status == 0
    command = (
        "sweep",
        "m.py:Pumped",
        "--grid",
        "n=2,3",
        "--engine",
        "exact",
        "--store",
        "s",
        "--workers",
        0,
        "--quiet",
    )
    assert tnness(*command).status == 0
    Path("m.py").write_text(HOSTILE + MODEL)
    for line in ("plot r.nc", "verify r.nc", "status s", "collect s --out t.nc", "verify s"):
        assert tnness(*line.split()).status == 0, line
    assert tnness("run", "ssep", "-p", "n=3", "--initial", "r.nc", "--engine", "exact", "--out", "i.nc").status in (
        0,
        2,
    )
    answer = tnness("run", "r.nc", "--time", "1,2")
    assert answer.status == 2
    assert "names its model by a file, which is not loaded unasked" in answer.err
    assert not Path("loaded").exists()
    assert tnness("run", "r.nc", "--model", "m.py:Pumped", "--time", "1,2").status == 0
    assert Path("loaded").exists()


ENGINE = """
from dataclasses import dataclass

from tnness import Engine, register_engine
from tnness.engines.exact import Exact


@register_engine("mine")
@dataclass(frozen=True, kw_only=True)
class Mine(Exact):
    like = "exact"
"""


def test_an_engine_in_a_file_of_its_own(here):
    Path("e.py").write_text(ENGINE)
    answer = tnness("run", "m.py:Pumped", "--engine", "mine", "--out", "r.nc")
    assert answer.status == 2
    assert "there is no engine 'mine'" in answer.err
    assert "file.py:NAME" in answer.err
    for name in ("e.py:mine", "e.py:Mine"):
        assert tnness("run", "m.py:Pumped", "--engine", name, "--out", "r.nc", "--overwrite", "--quiet").status == 0
    assert Record.open("r.nc").settings["engine"] == "mine"
    answer = tnness("run", "m.py:Pumped", "--engine", "e.py:other", "--out", "s.nc")
    assert "e.py registers no engine 'other'" in answer.err
    command = ("sweep", "m.py:Pumped", "--engine", "e.py:mine", "--grid", "n=2,3", "--store", "s", "--workers", 1)
    assert tnness(*command).status == 0


def test_what_is_not_known_is_no_difference():
    known = Physics("abc", {"z": ("1", True), "own": ("cpython-311:1", False)})
    assert known.other_than(Physics()) == Physics().other_than(known) == []
    assert known.doubts(Physics("abc", {"own": ("cpython-312:2", False)})) == []
    assert known.doubts(Physics("abc", {"own": ("cpython-311:2", False)})) == ["own"]
    assert len(known.other_than(Physics("def", {"z": ("2", True)}))) == 2


def test_a_record_states_its_physics(here):
    record = steady_state(find("m.py:Pumped")(), engine="exact")
    known = Physics.load(record.dataset.attrs)
    assert known == Physics.of(find("m.py:Pumped")().problem(), find("m.py:Pumped")().observables())
    same = Physics.of(find("m.py:Pumped")().problem(), {"z": expectation([1.0 * s.Z(i) for i in range(3)], "site")})
    assert same.other_than(known) == []
