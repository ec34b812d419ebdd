"""`tnness run` with good input."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from command_line import TINY, Answer, refused, well
from tnness import Record


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


def test_a_steady_state_prints_its_values_certificate_and_what_comes_next(here):
    answer = well("run", *TINY, "--chi", 4, "--out", "new.nc")
    for words in (
        "ssep, n = 4",
        "density",
        "outcome: converged",
        "largest error:",
        "tested: residual",
        "record: new.nc",
    ):
        assert words in answer.out
    assert "discarded_weight" not in answer.out
    (better,) = [line for line in answer.out.splitlines() if line.startswith("next, more accurate")]
    well(*better.partition("tnness ")[2].split(), "--out", "better.nc", "-q")
    worst = {name: Record.open(name)["current_error"].max() for name in ("new.nc", "better.nc")}
    assert worst["better.nc"] < worst["new.nc"]
    record = Record.open("new.nc")
    (row,) = [line.split() for line in answer.out.splitlines() if line.startswith("  2 ") and line.count("+-") == 1][:1]
    assert abs(float(row[1]) - float(record["density"][2])) <= float(row[3])
    assert not Path("new.nc.part").exists()
    assert not list(here.glob(".*"))


def test_without_out_the_name_says_model_and_parameters_and_the_same_command_finds_it(here):
    place = Path(well("run", *TINY, "--engine", "exact").out.partition("record: ")[2].strip())
    assert place.name.startswith("ssep_n=4_")
    assert place.is_file()
    refused("run", *TINY, "--engine", "exact", told=(place.name, "exists already"))
    other = well("run", *TINY, "-p", "rate=2", "--engine", "exact").out.partition("record: ")[2].strip()
    assert other.startswith("ssep_n=4_rate=2.0_")


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
    refused("run", "file.nc", "--chi", 16, told=("file.nc names its model by a file", "--model", "chains.py:Pumped"))
    well("run", "file.nc", "--model", "chains.py:Pumped", "--chi", 16)
    well("run", "chains.py:Pumped", "-p", "rate=0.5", "--engine", "exact", "--out", "exact-file.nc")
    with xr.open_dataset("file.nc") as record, xr.open_dataset("exact-file.nc") as exact:
        np.testing.assert_allclose(record["z"], exact["z"], atol=5e-3)


def test_overwrite_replaces_a_finished_record(here):
    before = Path("steady.nc").read_bytes()
    well("run", *TINY, "-p", "rate=2", "--engine", "exact", "--out", "steady.nc", "--overwrite")
    assert Path("steady.nc").read_bytes() != before
    with xr.open_dataset("steady.nc") as record:
        assert record.attrs["engine"] == "exact"


def test_a_kick_is_left_out_only_where_it_is_asked_for(tmp_path, monkeypatch):
    """In `run`, `converge` and `sweep`: the outcome says so."""
    monkeypatch.chdir(tmp_path)
    chain = ("xx-dephasing", "-p", "n=3", "--no-kick", "--quiet")
    well("run", *chain, "--chi", 16, "--out", "r.nc")
    assert Record.open("r.nc").outcome == "converged, without a kick"
    well("converge", *chain, "--chi", "8,16", "--out", "c.nc")
    assert "converged, without a kick" in str(Record.open("c.nc").dataset["outcome"].values)
    well("sweep", *chain, "--grid", "gamma=1", "--chi", 16, "--store", "s", "--workers", 0)
    point = next(iter((tmp_path / "s" / "points").rglob("*.nc")))
    assert Record.open(point).outcome == "converged, without a kick"
