"""Jobs as files: what they ask for, what a record writes, and what is refused."""

import shlex
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from command_line import MODELS, refused, well
from tnness import Record
from tnness.runs.job_file import _value, job_text, read_job

JOB = """model = "ssep"

[parameters]
n = 3
rate = 2.0

[engine]
name = "tebd"
chi = 4
schedule = [2]

[ask]
seed = 5
tolerance = 0.05
watch = ["current"]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("job.toml").write_text(JOB)
    Path("chains.py").write_text(MODELS + "\nopen('loaded', 'w').close()\n")
    return tmp_path


def test_a_file_gives_what_the_options_give(folder):
    well("run", "job.toml", "--out", "a.nc", "-q")
    flags = "-p n=3 -p rate=2 --engine tebd --chi 4 --schedule 2 --seed 5 --tol 0.05 --watch current"
    well("run", "ssep", *shlex.split(flags), "--out", "b.nc", "-q")
    assert Record.open("a.nc").settings == Record.open("b.nc").settings


def test_the_command_line_counts_more_than_the_file(folder):
    well("run", "job.toml", "-p", "n=2", "--engine", "exact", "--seed", 6, "--out", "a.nc", "-q")
    settings = Record.open("a.nc").settings
    assert (settings["parameters"]["n"], settings["parameters"]["rate"]) == (2, 2.0)
    assert (settings["engine"], settings["seed"]) == ("exact", 6)


@pytest.mark.parametrize("more", ["", "--time 0,0.5,1", "--initial product:010"])
def test_a_record_writes_the_file_of_its_own_run(folder, more):
    more = more if more.startswith("--init") else f"{more} --order 2" if more else "--order 2"
    well("run", "ssep", "-p", "n=3", "--chi", 4, *more.split(), "--out", "a.nc", "-q")
    well("show", "a.nc", "--job", "again.toml")
    well("run", "again.toml", "--out", "b.nc", "-q")
    assert Record.open("a.nc").settings == Record.open("b.nc").settings
    refused("show", "a.nc", "--job", "again.toml", told=("exists already",))


def test_a_file_of_a_model_is_loaded_only_if_the_user_names_it(folder):
    Path("job.toml").write_text('model = "chains.py:Pumped"\n[engine]\nname = "exact"\n')
    refused("run", "job.toml", "--out", "r.nc", told=("job.toml names its model by a file", "--model chains.py:Pumped"))
    assert not Path("loaded").exists()
    well("run", "job.toml", "--model", "chains.py:Pumped", "--out", "r.nc", "-q")
    assert Path("loaded").exists()
    Path("job.toml").write_text('model = "ssep"\n[engine]\nname = "other.py:Engine"\n')
    refused("run", "job.toml", "--out", "s.nc", told=("names its engine by a file",))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model = 3", ("names no model",)),
        ('modell = "ssep"', ("no part 'modell'", "did you mean 'model'")),
        ('model = "ssep"\nparameters = 3', ("a table [parameters]",)),
        ('model = "ssep"\n[ask]\nsed = 3', ("no field 'sed'", "did you mean 'seed'")),
        ('model = "ssep"\n[ask]\nseed = "x"', ("seed",)),
        ('model = "ssep"\n[ask]\nseed = -1', ("seed = -1",)),
        ('model = "ssep"\n[ask]\ntimes = [0.0, 1.0]\nwatch = ["current"]', ("--watch",)),
        ('model = "ssep"\n[parameters]\nm = 3', ("no parameter 'm'",)),
        ('model = "ssep"\n[engine]\nchi = "x"', ("chi",)),
        ('model = "ssep"\n[engine]\nname = 3', ("the name of the engine",)),
        ('model = "ssep"\n[engine]\nch = 3', ("'ch'",)),
        ('model = "sep"', ("did you mean 'ssep'",)),
        ('out = "/etc/passwd"\nmodel = "ssep"', ("no part 'out'",)),
        ("model = ", ("is no TOML",)),
        ("\x00", ("is no TOML",)),
        ("a = " + "[" * 5000, ("is no TOML",)),
    ],
)
def test_what_is_refused(folder, text, told):
    Path("job.toml").write_text(text)
    refused("run", "job.toml", "--out", "r.nc", told=told)


def test_a_file_that_is_not_there(folder):
    refused("run", "no.toml", told=("no.toml could not be read",))


values = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(values)
def test_every_value_that_a_record_can_hold_is_read_back(value):
    try:
        text = _value(value)
        text.encode()
    except UnicodeEncodeError:
        return  # half a letter, which no file can hold
    assert tomllib.loads(f"x = {text}")["x"] == value


def test_a_file_reads_as_it_was_written(folder):
    job = read_job("job.toml")
    assert (job.model, job.engine, dict(job.settings)) == ("ssep", "tebd", {"chi": 4, "schedule": [2]})
    well("run", "job.toml", "--out", "a.nc", "-q")
    Path("again.toml").write_text(job_text(Record.open("a.nc")))
    again = read_job("again.toml")
    assert job.ask.items() <= again.ask.items()
    assert again.ask["initial"] == "identity"
    assert again.settings["chi"] == 4
