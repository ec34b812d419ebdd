"""The command line, from outside: exit status, what is printed, what is written and what is left alone."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tnness import cli, registry

REGISTERED = ("mbl-heisenberg", "ssep", "xx-dephasing", "xxz-driven")
TINY = ("ssep", "-p", "n=4")
MODELS = '''
"""Models that are not registered: one that is right, and one for every mistake."""

from dataclasses import dataclass

from tnness import Lindbladian, expectation
from tnness import spin_half as s


@dataclass(frozen=True, kw_only=True)
class Pumped:
    """Spins that enter on the left and leave on the right."""

    n: int = 3  # number of sites
    rate: float = 1.0  # of both pumps [1/time]

    def problem(self):
        chain = Lindbladian([s] * self.n)
        for i in range(self.n - 1):
            chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
        chain.jump(s.Sp(0), rate=self.rate)
        chain.jump(s.Sm(self.n - 1), rate=self.rate)
        return chain

    def observables(self):
        return {"z": expectation([s.Z(i) for i in range(self.n)], "site")}


@dataclass(frozen=True, kw_only=True)
class Far(Pumped):
    def problem(self):
        chain = super().problem()
        chain.jump(s.Sm(0) * s.Sm(2))
        return chain


@dataclass(frozen=True, kw_only=True)
class Negative(Pumped):
    def problem(self):
        chain = super().problem()
        chain.jump(s.Z(1), rate=-0.5)
        return chain


@dataclass(frozen=True, kw_only=True)
class Skew(Pumped):
    def problem(self):
        chain = super().problem()
        chain.hamiltonian(1j * s.Z(1))
        return chain


@dataclass(frozen=True, kw_only=True)
class Outside(Pumped):
    def observables(self):
        return {"z": expectation([s.Z(i) for i in range(self.n + 1)], "site")}


@dataclass(frozen=True, kw_only=True)
class Closed(Pumped):
    """Hopping and dephasing keep the magnetisation: many steady states."""

    def problem(self):
        chain = Lindbladian([s] * self.n)
        for i in range(self.n - 1):
            chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
        for i in range(self.n):
            chain.jump(s.Z(i))
        return chain


@dataclass(frozen=True, kw_only=True)
class Buggy(Pumped):
    def problem(self):
        return self.nothing


@dataclass(frozen=True, kw_only=True)
class Unlabelled(Pumped):
    def observables(self):
        return {"z": s.Z(0)}


@dataclass(frozen=True, kw_only=True)
class Needs(Pumped):
    height: float  # of the barrier
'''


@dataclass(frozen=True)
class Answer:
    """What one call of the command line did."""

    status: int
    out: str
    err: str


def call(*arguments: object) -> Answer:
    """Call the command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["tnness", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
    assert isinstance(exit_.value.code, int)
    return Answer(exit_.value.code, out.getvalue(), err.getvalue())


def process(*arguments: object, **settings) -> subprocess.CompletedProcess[str]:
    """Call the command line in a process of its own."""
    command = [sys.executable, "-m", "tnness.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **settings)


def well(*arguments: object) -> Answer:
    """Call the command line, which must succeed without a warning on stderr."""
    answer = call(*arguments)
    assert answer.status == 0, answer.err
    assert "Traceback" not in answer.err
    return answer


def refused(*arguments: object, told: tuple[str, ...] = (), status: int = 2) -> str:
    """Call the command line with bad input: one line on stderr, nothing on stdout, and every file as it was."""
    before = contents(Path())
    answer = call(*arguments)
    assert answer.status == status, answer
    assert_one_line(answer.err)
    assert answer.out == ""
    assert contents(Path()) == before
    for words in told:
        assert words in answer.err
    return answer.err


def assert_one_line(text: str) -> None:
    assert text.startswith("tnness: ")
    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert "Traceback" not in text
    assert len(text.strip()) > len("tnness: ")


def contents(folder: Path) -> dict[str, bytes]:
    found = {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}
    return {name: data for name, data in found.items() if "__pycache__" not in name}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder of finished records, which no test changes."""
    folder = tmp_path_factory.mktemp("made")
    well("run", *TINY, "--chi", 4, "--out", folder / "steady.nc")
    well("run", *TINY, "--engine", "exact", "--out", folder / "exact.nc", "--quiet")
    well("run", *TINY, "--chi", 4, "--time", "0:1:3", "--out", folder / "evolution.nc", "--quiet")
    return folder


@pytest.fixture
def here(made, tmp_path, monkeypatch) -> Path:
    """An empty working folder with a copy of the finished records and of the models file."""
    for file in made.glob("*.nc"):
        shutil.copy(file, tmp_path)
    (tmp_path / "chains.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ---------------------------------------------------------------- models, show


def test_models_lists_every_model_with_its_summary():
    answer = well("models")
    for name in REGISTERED:
        (line,) = [line for line in answer.out.splitlines() if line.startswith(f"{name} ")]
        assert len(line.split()) > 3
    assert answer.err == ""


def test_models_names_only():
    names = well("models", "--names").out.split()
    assert set(REGISTERED) <= set(names)
    assert names == sorted(names)


def test_models_names_a_package_that_could_not_be_loaded(monkeypatch):
    monkeypatch.setattr(registry, "broken_packages", lambda: {"lost (lost.models)": "ImportError: no module"})
    answer = well("models")
    assert "lost (lost.models)" in answer.err
    assert "ImportError: no module" in answer.err
    assert "ssep" in answer.out


@pytest.mark.parametrize("name", REGISTERED)
def test_show_says_everything_about_a_model(name):
    text = well("show", name).out
    for heading in ("Parameters", "Observables", "Problem", "Engines", "doi:"):
        assert heading in text
    assert "number of sites" in text


def test_show_lists_types_defaults_units_and_dimensions():
    lines = [line.split() for line in well("show", "ssep").out.splitlines()]
    assert ["rate", "a", "number", "1.0", "1/time", "rate", "of", "a", "hop", "to", "an", "empty", "neighbour"] in lines
    assert any(line[:4] == ["density_correlation", "site,", "site_2", "1"] for line in lines)


def test_show_a_model_in_a_file(here):
    assert "1/time" in well("show", "chains.py:Pumped").out


def test_show_a_model_with_a_required_parameter(here):
    text = well("show", "chains.py:Needs").out
    assert "required" in text
    assert "of the barrier" in text


# ---------------------------------------------------------------- run: good input


def test_an_exact_steady_state(made):
    with xr.open_dataset(made / "exact.nc") as record:
        n, a, b = 4, 1.0, 1.0  # Derrida 2007
        current = 1 / (n + a + b - 1)
        np.testing.assert_allclose(record["current"], current, rtol=1e-9)
        np.testing.assert_allclose(record["density"], 1 - current * (a + np.arange(n)), atol=1e-9)
        assert record.attrs["outcome"] == "exact"
        assert record.attrs["engine"] == "exact"


@pytest.mark.parametrize("name", ["steady", "exact", "evolution"])
def test_a_record_opens_with_xarray_and_is_labelled(made, name):
    with xr.open_dataset(made / f"{name}.nc") as record:
        time = ("time",) if name == "evolution" else ()
        assert record["density"].dims == (*time, "site")
        assert record["current"].dims == (*time, "bond")
        assert record["density_correlation"].dims == (*time, "site", "site_2")
        assert record["site"].values.tolist() == [0, 1, 2, 3]
        assert record["bond"].values.tolist() == [0, 1, 2]
        assert record["current"].attrs["units"] == "1/time"
        for figure in ("residual", "positivity", "discarded_weight", "trace_drift", "relaxation", "fallbacks"):
            assert record[f"certificate_{figure}"].dims == ()
        assert record.attrs["model"] == "ssep"
        assert record.attrs["engine"] == ("exact" if name == "exact" else "tebd")
        assert record.attrs["seed"] == 0
        assert record.attrs["outcome"]
        assert json.loads(record.attrs["parameters"])["n"] == 4
        assert {"python", "numpy", "tnness"} <= json.loads(record.attrs["versions"]).keys()


def test_a_steady_state_prints_certificate_outcome_and_place(here):
    answer = well("run", *TINY, "--chi", 4, "--out", "new.nc")
    for words in ("certificate", "residual", "discarded_weight", "outcome: converged", "record: new.nc"):
        assert words in answer.out
    assert Path("new.nc").is_file()
    assert not Path("new.nc.part").exists()
    assert not list(here.glob(".*"))


def test_quiet_says_nothing(here):
    assert well("run", *TINY, "--chi", 4, "--out", "new.nc", "--quiet") == Answer(0, "", "")


def test_disorder_is_drawn_once_and_kept(here):
    small = ("mbl-heisenberg", "-p", "n=2", "--engine", "exact", "--quiet")
    well("run", *small, "--seed", 3, "--out", "drawn.nc")
    with xr.open_dataset("drawn.nc") as record:
        drawn = json.loads(record.attrs["parameters"])
        assert record.attrs["seed"] == 3
        energy = float(record["energy"])
    rng = np.random.default_rng(3)
    np.testing.assert_array_equal(drawn["fields_z"], rng.uniform(-1, 1, 2))
    np.testing.assert_array_equal(drawn["fields_x"], rng.uniform(-1, 1, 2))
    fields = [f"-p{name}={json.dumps(drawn[name])}" for name in ("fields_z", "fields_x")]
    well("run", *small, *fields, "--out", "given.nc")
    with xr.open_dataset("given.nc") as record:
        assert float(record["energy"]) == pytest.approx(energy, rel=1e-12)


@pytest.mark.parametrize(("text", "times"), [("0:1:3", [0, 0.5, 1]), ("0.1,0.25,0.3", [0.1, 0.25, 0.3]), ("1", [1])])
def test_times_as_a_range_or_as_a_list(here, text, times):
    well("run", *TINY, "--engine", "exact", "--time", text, "--out", "t.nc", "--quiet")
    with xr.open_dataset("t.nc") as record:
        assert record["time"].values.tolist() == times
        assert record["density"].shape == (len(times), 4)


def test_dynamics_start_from_the_initial_state_that_is_named(here):
    well("run", *TINY, "--time", "0,0.5", "--initial", "product:0110", "--chi", 16, "--out", "t.nc", "-q")
    well("run", *TINY, "--time", "0,0.5", "--initial", "product:0110", "--engine", "exact", "--out", "x.nc", "-q")
    with xr.open_dataset("t.nc") as tebd, xr.open_dataset("x.nc") as exact:
        np.testing.assert_allclose(tebd["density"][0], exact["density"][0], atol=1e-12)
        assert sorted(set(np.round(exact["density"].values[0], 9))) == [0, 1]
        np.testing.assert_allclose(tebd["density"], exact["density"], atol=1e-3)


def test_dynamics_from_a_record_of_a_steady_state_stay_there(here):
    well("run", *TINY, "--engine", "exact", "--time", "1,2", "--initial", "exact.nc", "--out", "t.nc", "-q")
    with xr.open_dataset("t.nc") as record, xr.open_dataset("exact.nc") as steady:
        np.testing.assert_allclose(record["density"].values, np.tile(steady["density"], (2, 1)), atol=1e-9)


def test_a_model_in_a_file_runs_and_its_record_is_extended(here):
    well("run", "chains.py:Pumped", "-p", "rate=0.5", "--chi", 4, "--out", "file.nc")
    with xr.open_dataset("file.nc") as record:
        assert record["z"].dims == ("site",)
        assert json.loads(record.attrs["parameters"]) == {"n": 3, "rate": 0.5}
    well("run", "file.nc", "--chi", 16)
    well("run", "chains.py:Pumped", "-p", "rate=0.5", "--engine", "exact", "--out", "exact-file.nc")
    with xr.open_dataset("file.nc") as record, xr.open_dataset("exact-file.nc") as exact:
        np.testing.assert_allclose(record["z"], exact["z"], atol=5e-3)


def test_overwrite_replaces_a_finished_record(here):
    before = Path("steady.nc").read_bytes()
    well("run", *TINY, "-p", "rate=2", "--engine", "exact", "--out", "steady.nc", "--overwrite")
    assert Path("steady.nc").read_bytes() != before
    with xr.open_dataset("steady.nc") as record:
        assert record.attrs["engine"] == "exact"


# ---------------------------------------------------------------- run: extension


def test_a_steady_state_is_extended_in_place(here):
    with xr.open_dataset("steady.nc") as record:
        time = record.attrs["evolution_time"]
    answer = well("run", "steady.nc", "--chi", 8)
    assert "record: steady.nc" in answer.out
    with xr.open_dataset("steady.nc") as record:
        assert json.loads(record.attrs["settings"])["engine_settings"]["chi"] == 8
        assert record.attrs["evolution_time"] > time
        assert record.attrs["outcome"] == "converged"
    assert not Path("steady.nc.part").exists()


def test_a_steady_state_is_extended_into_another_file(here):
    before = Path("steady.nc").read_bytes()
    well("run", "steady.nc", "--chi", 8, "--out", "pushed.nc")
    assert Path("steady.nc").read_bytes() == before
    with xr.open_dataset("pushed.nc") as record:
        assert json.loads(record.attrs["settings"])["engine_settings"]["chi"] == 8


def test_a_time_evolution_is_extended(here):
    well("run", "evolution.nc", "--time", "1.5,2")
    well("run", *TINY, "--engine", "exact", "--time", "0,0.5,1,1.5,2", "--out", "x.nc")
    with xr.open_dataset("evolution.nc") as record, xr.open_dataset("x.nc") as exact:
        assert record["time"].values.tolist() == [0, 0.5, 1, 1.5, 2]
        np.testing.assert_allclose(record["density"], exact["density"], atol=1e-3)


def test_a_time_evolution_starts_from_a_steady_state(here):
    well("run", "steady.nc", "--time", "1,2", "--out", "after.nc")
    with xr.open_dataset("after.nc") as record, xr.open_dataset("steady.nc") as steady:
        assert record["time"].values.tolist() == [1, 2]
        np.testing.assert_allclose(record["density"].values, np.tile(steady["density"], (2, 1)), atol=5e-3)


# ---------------------------------------------------------------- run: bad input


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("xxz-drivn --out r.nc", ("'xxz-drivn'", "did you mean 'xxz-driven'")),
        ("nothing-like-it --out r.nc", ("known:", "ssep")),
        ("ssep -p rat=1 --out r.nc", ("'rat'", "did you mean 'rate'")),
        ("ssep -p space=quantom --out r.nc", ("quantom", "classical, quantum")),
        ("ssep -p n=four --out r.nc", ("n = 'four'", "an integer")),
        ("ssep -p n=2.5 --out r.nc", ("n = 2.5", "an integer")),
        ("ssep -p n=true --out r.nc", ("an integer",)),
        ("ssep -p n= --out r.nc", ("an integer",)),
        ("ssep -p rate=[1] --out r.nc", ("a number",)),
        ("ssep -p rate=NaN --out r.nc", ("rate = nan", "finite")),
        ("ssep -p rate=nan --out r.nc", ("rate",)),
        ("ssep -p rate=Infinity --out r.nc", ("finite",)),
        ("ssep -p rate=1e999 --out r.nc", ("finite",)),
        ("ssep -p rate=-1 --out r.nc", ("rate = -1",)),
        ("ssep -p n=1 --out r.nc", ("n = 1", "at least 2")),
        ("ssep -p n=0 --out r.nc", ("at least 2",)),
        ("xxz-driven -p mu=2 --out r.nc", ("mu = 2", "between -1 and 1")),
        ("xx-dephasing -p n=3 -p fields=[1,2] --out r.nc", ("fields", "n = 3")),
        ("xx-dephasing -p n=2 -p fields=[1,NaN] --out r.nc", ("fields[1]", "finite")),
        ("xx-dephasing -p n=2 -p fields=[1,[2]] --out r.nc", ("fields[1]", "a number")),
        ("xx-dephasing -p n=2 -p fields=1,2 --out r.nc", ("fields",)),
        ("mbl-heisenberg -p n=3 -p fields_z=[0.1,0.2] --out r.nc", ("fields_z", "n = 3")),
        ("ssep -p n --out r.nc", ("NAME=VALUE",)),
        ("ssep -p =3 --out r.nc", ("NAME=VALUE",)),
        ("ssep -p n=3 -p n=4 --out r.nc", ("n is given twice",)),
        ("ssep --chi 0 --out r.nc", ("chi = 0",)),
        ("ssep --chi -3 --out r.nc", ("chi = -3",)),
        ("ssep --chi many --out r.nc", ("--chi",)),
        ("ssep --chi 4.5 --out r.nc", ("--chi",)),
        ("ssep --dt 0 --out r.nc", ("dt",)),
        ("ssep --dt -0.1 --out r.nc", ("dt",)),
        ("ssep --dt nan --out r.nc", ("dt",)),
        ("ssep --order 3 --out r.nc", ("order = 3", "2, 4")),
        ("ssep --method lu --out r.nc", ("lu", "svd")),
        ("ssep --method sdv --out r.nc", ("did you mean 'svd'",)),
        ("ssep --cutoff -1 --out r.nc", ("cutoff",)),
        ("ssep --cutoff nan --out r.nc", ("cutoff",)),
        ("ssep --power -1 --out r.nc", ("power",)),
        ("ssep --dtype float16 --out r.nc", ("float16", "float32")),
        ("ssep --block 0 --out r.nc", ("block = 0",)),
        ("ssep --schedule 4,x --out r.nc", ("--schedule 4,x",)),
        ("ssep --schedule 0 --out r.nc", ("0",)),
        ("ssep --seed -1 --out r.nc", ("seed = -1",)),
        ("ssep --seed x --out r.nc", ("--seed",)),
        ("ssep --tol 0 --out r.nc", ("0",)),
        ("ssep --tol nan --out r.nc", ("nan",)),
        ("ssep --max-time 0 --out r.nc", ("0",)),
        ("ssep --max-time nan --out r.nc", ("nan",)),
        ("ssep --checkpoint-every -1 --out r.nc", ("-1",)),
        ("ssep --checkpoint-every nan --out r.nc", ("nan",)),
        ("ssep --initial nonsense --out r.nc", ("nonsense", "product:")),
        ("ssep --initial product:01 --out r.nc", ("product:01",)),
        ("ssep -p n=4 --initial product:0120 --out r.nc", ("product:0120",)),
        ("ssep --initial product: --out r.nc", ("product:",)),
        ("xxz-driven -p n=3 --initial thermal:hot --out r.nc", ("thermal:hot",)),
        ("xxz-driven -p n=3 --initial thermal:nan --out r.nc", ("thermal:nan",)),
        ("ssep --initial lost.nc --out r.nc", ("lost.nc",)),
        ("ssep -p n=3 --initial steady.nc --out r.nc", ("dimensions",)),
        ("xxz-driven -p n=4 --initial steady.nc --out r.nc", ("dimensions",)),
        ("ssep --engine tebdd --out r.nc", ("'tebdd'", "did you mean 'tebd'")),
        ("ssep --engine nonsense --out r.nc", ("nonsense", "exact")),
        ("ssep --engine exact --chi 8 --out r.nc", ("'exact'", "'chi'")),
        ("ssep --time 0:1 --out r.nc", ("--time 0:1", "start:stop:count")),
        ("ssep --time 0:1:3:4 --out r.nc", ("--time 0:1:3:4",)),
        ("ssep --time 0:1:0 --out r.nc", ("--time 0:1:0",)),
        ("ssep --time 0:1:2.5 --out r.nc", ("--time 0:1:2.5",)),
        ("ssep --time 1:0:3 --out r.nc", ("--time 1:0:3",)),
        ("ssep --time 0:inf:3 --out r.nc", ("--time 0:inf:3",)),
        ("ssep --time a:b:c --out r.nc", ("--time a:b:c",)),
        ("ssep --time 0,later --out r.nc", ("--time 0,later",)),
        ("ssep --time 0,nan --out r.nc", ("--time 0,nan",)),
        ("ssep --time 1,0.5 --out r.nc", ("increasing",)),
        ("ssep --time 1,1 --out r.nc", ("increasing",)),
        ("ssep --time=-1,0 --out r.nc", (">= 0",)),
        ("ssep --time= --out r.nc", ("--time",)),
        ("ssep --time 0,1 --tol 1e-4 --out r.nc", ("--tol",)),
        ("ssep --time 0,1 --max-time 3 --out r.nc", ("--max-time",)),
        ("ssep", ("--out",)),
        ("ssep --out", ("--out",)),
        ("ssep --out=", ("out",)),
        ("", ("MODEL",)),
        ("ssep --out nowhere/r.nc", ("nowhere", "does not exist")),
        ("ssep --out .", ("folder",)),
        ("ssep --out r.nc --chii 3", ("--chii",)),
        ("ssep other --out r.nc", ("other",)),
        ("ssep -p n=4 --out steady.nc", ("steady.nc exists already", "--overwrite")),
        ("ssep -p n=4 --out chains.py", ("chains.py exists already",)),
        ("lost.py:Pumped --out r.nc", ("lost.py",)),
        ("chains.py --out r.nc", ("file.py:Class",)),
        ("chains.py:Pumpd --out r.nc", ("did you mean 'Pumped'",)),
        ("chains.py:Pumped -p n=1 --out r.nc", ("at least 2 sites",)),
        ("chains.py:Needs --out r.nc", ("height",)),
        ("chains.py:Far --out r.nc", ("sites 0 and 2",)),
        ("chains.py:Negative --out r.nc", ("negative rate",)),
        ("chains.py:Skew --out r.nc", ("not Hermitian",)),
        ("chains.py:Outside --out r.nc", ("site 3",)),
        ("chains.py:Buggy --out r.nc", ("nothing",)),
        ("chains.py:Unlabelled --out r.nc", ("Observable",)),
    ],
)
def test_run_refuses_bad_input(here, arguments, told):
    refused("run", *arguments.split(), told=told)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("this is no Python", ("SyntaxError",)),
        ("import no_such_package", ("no_such_package",)),
        ("1 / 0", ("ZeroDivisionError",)),
        ("class Chain: pass", ("problem()",)),
        ("class Chain:\n    def problem(self): ...\n    def observables(self): ...", ("dataclass",)),
    ],
)
def test_run_refuses_a_file_that_holds_no_model(here, source, told):
    Path("broken.py").write_text(source)
    refused("run", "broken.py:Chain", "--out", "r.nc", told=told)


def test_an_output_folder_that_cannot_be_written(here):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    Path("locked").mkdir(mode=0o500)
    refused("run", *TINY, "--engine", "exact", "--out", "locked/r.nc", told=("locked",))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("lost.nc --chi 8", ("lost.nc",)),
        ("lost.nc.part", ("lost.nc",)),
        ("steady.nc --chi 0", ("chi = 0",)),
        ("steady.nc -p n=5", ("--param",)),
        ("steady.nc --seed 5", ("--seed",)),
        ("steady.nc --engine exact", ("--engine",)),
        ("steady.nc --initial identity", ("--initial",)),
        ("steady.nc --chi 8 --out exact.nc", ("exact.nc exists already",)),
        ("steady.nc --chi 8 --out nowhere/r.nc", ("nowhere",)),
        ("steady.nc --time 1,2", ("--out",)),
        ("steady.nc --tol 0", ("0",)),
        ("exact.nc --chi 8", ("'exact'", "'chi'")),
        ("evolution.nc --chi 8", ("--time",)),
        ("evolution.nc --time 0.5,2", ("1", "beyond")),
        ("evolution.nc --time 2,3 --tol 1e-4", ("time evolution",)),
        ("evolution.nc --time 3,2", ("increasing",)),
        ("evolution.nc --time 2:1:4", ("--time 2:1:4",)),
    ],
)
def test_extension_refuses_bad_input(here, arguments, told):
    refused("run", *arguments.split(), told=told)


def foreign(path: Path) -> None:
    """A netCDF file of someone else."""
    xr.Dataset({"density": ("site", np.ones(4))}, attrs={"model": "ssep"}).to_netcdf(path, engine="h5netcdf")


def impostor(path: Path) -> None:
    """It says that it is a record, and holds nothing of one."""
    xr.Dataset({"density": ("site", np.ones(4))}, attrs={"format": "tnness-record-1"}).to_netcdf(
        path, engine="h5netcdf"
    )


def older(path: Path) -> None:
    attrs = {"format": "tnness-record-0", "settings": "{}", "evolution_time": 0.0}
    xr.Dataset(attrs=attrs).to_netcdf(path, engine="h5netcdf")


@pytest.mark.parametrize(
    "spoil",
    [
        foreign,
        impostor,
        older,
        lambda path: path.write_bytes(b"not a record at all\n" * 50),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:100]),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(path.read_bytes()[:-1000]),
        lambda path: path.write_bytes(bytes(2000) + path.read_bytes()[2000:]),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["foreign", "impostor", "older", "text", "empty", "head", "half", "truncated", "zeroed", "folder"],
)
@pytest.mark.parametrize(
    "arguments", ["run steady.nc --chi 8", "run ssep -p n=4 --initial steady.nc --out r.nc", "plot steady.nc"]
)
def test_a_spoilt_record_is_refused(here, spoil, arguments):
    spoil(here / "steady.nc")
    refused(*arguments.split(), told=("steady.nc",))


def drop_group(path: Path, name: str) -> None:
    import h5netcdf

    with h5netcdf.File(path, "a") as file:
        del file._h5file[name]


def test_a_record_without_a_state_is_not_extended(here):
    drop_group(here / "steady.nc", "state")
    refused("run", "steady.nc", "--chi", 8, told=("steady.nc", "state"))


def test_a_record_of_a_convergence_is_not_extended(here):
    well("converge", *TINY, "--chi", "2,4", "--out", "conv.nc", "--quiet")
    refused("run", "conv.nc", "--chi", 8, told=("conv.nc",))


def test_a_record_of_a_model_that_has_gone_is_refused(here):
    well("run", "chains.py:Pumped", "--engine", "exact", "--out", "file.nc", "-q")
    Path("chains.py").unlink()
    registered = [name for name in sys.modules if name.startswith("_tnness_file_chains")]
    for name in registered:
        del sys.modules[name]
    refused("run", "file.nc", told=("chains.py",))


def interrupt(folder: Path, *arguments: object) -> Path:
    """Leave an unfinished run: the command fails in its third block."""
    from tnness.engines.tebd import TEBDRun
    from tnness.errors import NumericalError

    step, calls = TEBDRun.step, []

    def failing(self, *given, **named):
        calls.append(1)
        if len(calls) > 3:
            raise NumericalError("told to fail")
        return step(self, *given, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TEBDRun, "step", failing)
        answer = call("run", *arguments)
    assert answer.status == 1, answer.err
    (part,) = folder.glob("*.part")
    return part


def test_an_unfinished_run_with_other_settings_is_refused(here):
    part = interrupt(here, *TINY, "--chi", 8, "--out", "r.nc")
    for other in (["--chi", 4], ["--chi", 8, "--seed", 1], ["--chi", 8, "-p", "rate=2"], ["--time", "0,1"]):
        told = refused("run", *TINY, *other, "--out", "r.nc", told=("r.nc.part", "other settings"))
        assert "chi" in told or "seed" in told or "rate" in told
    assert part.exists()


def test_an_unfinished_run_is_continued_by_its_own_command_and_by_its_name(here):
    command = (*TINY, "--chi", 8, "-q")
    well("run", *command, "--out", "whole.nc")
    whole = xr.load_dataset("whole.nc")
    for again in ([*command, "--out", "r.nc"], ["r.nc", "-q"], ["r.nc.part", "-q"]):
        part = interrupt(here, *command, "--out", "r.nc")
        well("run", *again)
        assert not part.exists()
        xr.testing.assert_equal(xr.load_dataset("r.nc"), whole)
        Path("r.nc").unlink()


@pytest.mark.parametrize("spoil", [b"", b"nonsense" * 100])
def test_a_spoilt_unfinished_run_is_refused(here, spoil):
    Path("r.nc.part").write_bytes(spoil)
    refused("run", *TINY, "--chi", 4, "--out", "r.nc", told=("r.nc.part",))


# ---------------------------------------------------------------- converge, plot


def test_converge_writes_a_record_a_figure_and_a_table(here):
    answer = well("converge", *TINY, "--chi", "2,4", "--dt", "0.5,0.25", "--out", "conv.nc")
    for words in ("chi", "max|density|", "inf", "+-", "record: conv.nc", "figure: conv.png"):
        assert words in answer.out
    with xr.open_dataset("conv.nc") as record, xr.open_dataset("exact.nc") as exact:
        assert record["density"].dims == ("dt", "chi", "site")
        assert record["chi"].values.tolist() == [2, 4]
        assert record["dt"].values.tolist() == [0.5, 0.25]
        off = np.abs(record["density_extrapolated"] - exact["density"]).max()
        assert off <= record["density_error"].max()
    assert is_png(Path("conv.png"))
    assert not Path("conv.nc.points").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("ssep --chi 4,8", ("--out",)),
        ("ssep --out c.nc", ("--chi",)),
        ("ssep --chi 4 --out c.nc", ("at least two",)),
        ("ssep --chi 8,4 --out c.nc", ("increasing",)),
        ("ssep --chi 4,4 --out c.nc", ("increasing",)),
        ("ssep --chi 0,4 --out c.nc", ("chi = 0",)),
        ("ssep --chi 4,x --out c.nc", ("--chi 4,x",)),
        ("ssep --chi 4,8 --dt 0 --out c.nc", ("dt",)),
        ("ssep --chi 4,8 --dt 0.1,0.1 --out c.nc", ("dt",)),
        ("ssep --chi 4,8 --dt 0.1,nan --out c.nc", ("--dt 0.1,nan",)),
        ("ssep --chi 4,8 --out nowhere/c.nc", ("nowhere",)),
        ("ssep --chi 4,8 --out steady.nc", ("steady.nc exists already",)),
        ("sep --chi 4,8 --out c.nc", ("did you mean 'ssep'",)),
        ("ssep -p n=1 --chi 4,8 --out c.nc", ("n = 1",)),
        ("ssep --chi 4,8 --seed -1 --out c.nc", ("seed = -1",)),
        ("ssep --chi 4,8 --tol nan --out c.nc", ("nan",)),
        ("ssep --chi 4,8 --checkpoint-every -1 --out c.nc", ("-1",)),
        ("chains.py:Far --chi 4,8 --out c.nc", ("sites 0 and 2",)),
        ("chains.py:Outside --chi 4,8 --out c.nc", ("site 3",)),
    ],
)
def test_converge_refuses_bad_input(here, arguments, told):
    refused("converge", *arguments.split(), told=told)


def test_a_figure_never_takes_the_place_of_its_record(here):
    shutil.copy("steady.nc", "steady.png")
    refused("plot", "steady.png", told=("steady.png",))
    refused("plot", "steady.nc", "--out", "steady.nc", told=("steady.nc",))
    refused("converge", *TINY, "--chi", "2,4", "--out", "c.png", told=("c.png",))


def test_a_model_in_a_file_is_found_again_from_another_folder(here, monkeypatch):
    well("run", "chains.py:Pumped", "--chi", 4, "--out", "file.nc", "-q")
    Path("below").mkdir()
    monkeypatch.chdir("below")
    well("run", "../file.nc", "--chi", 8, "-q")


@pytest.mark.parametrize("name", ["steady", "evolution"])
def test_plot_draws_a_record(here, name):
    assert f"figure: {name}.png" in well("plot", f"{name}.nc").out
    assert is_png(Path(f"{name}.png"))


def test_plot_draws_one_observable_where_it_is_told(here):
    Path("figures").mkdir()
    well("plot", "steady.nc", "-o", "current", "--out", "figures/current.png")
    assert is_png(Path("figures/current.png"))
    assert not Path("steady.png").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("lost.nc", ("lost.nc",)),
        ("chains.py", ("chains.py",)),
        ("steady.nc -o densty", ("did you mean 'density'",)),
        ("steady.nc --out nowhere/f.png", ("nowhere",)),
        ("steady.nc --out f.nonsense", ("f.nonsense",)),
        ("", ("record",)),
    ],
)
def test_plot_refuses_bad_input(here, arguments, told):
    refused("plot", *arguments.split(), told=told)


def is_png(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG\r\n")


# ---------------------------------------------------------------- check


@pytest.mark.parametrize("name", REGISTERED)
def test_check_passes_every_registered_model(name):
    answer = well("check", name)
    assert "FAILED" not in answer.out
    for subject in ("problem", "trace", "observables", "steady state", "positivity", "Trotter order 4"):
        assert subject in answer.out
    assert answer.err == ""


def test_check_passes_a_model_in_a_file(here):
    assert "unique" in well("check", "chains.py:Pumped").out


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Far", "sites 0 and 2"),
        ("Negative", "negative rate"),
        ("Skew", "not Hermitian"),
        ("Outside", "site 3"),
        ("Buggy", "nothing"),
        ("Unlabelled", "Observable"),
    ],
)
def test_check_fails_a_wrong_model_with_the_reason(here, name, told):
    answer = call("check", f"chains.py:{name}")
    assert answer.status == 1
    assert_one_line(answer.err)
    assert told in answer.err
    assert "FAILED" in answer.out
    assert told in answer.out


def test_check_fails_a_chain_of_one_site(here):
    answer = call("check", "chains.py:Pumped", "-p", "n=1")
    assert answer.status != 0
    assert_one_line(answer.err)
    assert "at least 2 sites" in answer.err
    for name in REGISTERED:
        refused("check", name, "-p", "n=1", told=("n = 1",))


def test_check_says_when_the_steady_state_is_not_unique(here):
    answer = well("check", "chains.py:Closed")
    assert "not unique" in answer.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("sep", ("did you mean 'ssep'",)),
        ("ssep -p rat=2", ("did you mean 'rate'",)),
        ("ssep -p rate=NaN", ("finite",)),
        ("mbl-heisenberg --seed -1", ("seed = -1",)),
        ("chains.py:Needs", ("height",)),
        ("lost.py:Chain", ("lost.py",)),
        ("", ("model",)),
    ],
)
def test_check_refuses_bad_input(here, arguments, told):
    refused("check", *arguments.split(), told=told)


# ---------------------------------------------------------------- the command itself


def test_an_unknown_command_and_an_unknown_model_to_show(here):
    refused("rum", told=("rum",))
    refused("show", "sep", told=("did you mean 'ssep'",))
    refused("show", told=("model",))
    refused("models", "--nmes", told=("--nmes",))


def test_without_a_command_there_is_help():
    answer = call()
    assert answer.status == 2
    for command in ("models", "show", "check", "run", "converge", "plot"):
        assert command in answer.out + answer.err


def test_help_of_every_command():
    for command in ("models", "show", "check", "run", "converge", "plot"):
        assert "--help" in well(command, "--help").out


def test_a_process_that_is_given_bad_input(here):
    before = contents(here)
    done = process("run", "xxz-drivn", "--out", "r.nc", cwd=here)
    assert done.returncode == 2
    assert done.stdout == ""
    assert_one_line(done.stderr)
    assert contents(here) == before


def test_a_process_that_runs(here):
    done = process("run", *TINY, "--chi", "4", "--out", "r.nc", cwd=here)
    assert done.returncode == 0, done.stderr
    assert "outcome: converged" in done.stdout
    assert "record: r.nc" in done.stdout
    assert "Warning" not in done.stderr
    xr.testing.assert_equal(xr.load_dataset("r.nc"), xr.load_dataset("steady.nc"))  # the same numbers, bit for bit


def test_a_reader_that_leaves_early_is_no_error(here):
    command = f"{sys.executable} -m tnness.cli show ssep; echo status $? >&2"
    done = subprocess.run(
        ["bash", "-c", f"( {command} ) | true"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == "status 0\n"
