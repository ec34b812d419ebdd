"""Sweeps in one process: what is computed, kept, collected, refused."""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal

import small_runs
from noisy_sweeps import GRID, NOISY, run
from tnness import TEBD, Exact, Record, expectation, steady_state
from tnness import spin_half as s
from tnness.errors import InputError, RecordError
from tnness.model.registry import find
from tnness.study.collect import CONVERGED, DAMAGED, EXACT, FAILED, MISSING, NOT_ASKED, collect
from tnness.study.plan import canonical
from tnness.study.status import status
from tnness.study.store import Store
from tnness.study.sweep import sweep

HERE = Path(__file__).parent / "sweep_models.py"


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    store = tmp_path_factory.mktemp("sweep") / "store"
    assert run(store).complete
    return store


def test_every_point_equals_a_run_of_its_own(done):
    table = collect(done)
    assert table["z"].dims == ("gamma", "n", "realization", "site")
    assert_array_equal(table["status"], EXACT)
    for gamma in GRID["gamma"]:
        for n in GRID["n"]:
            for realization in range(2):
                point = table.sel(gamma=gamma, n=n, realization=realization)
                own = steady_state(find(NOISY)(n=n, gamma=gamma), engine=Exact(), seed=int(point["seed"]))
                assert_array_equal(point["z"][:n], own["z"])
                assert_array_equal(point["x"], own["x"])
                assert np.isnan(point["z"][n:]).all()


def test_the_seed_is_shared_along_gamma_and_not_along_n(done):
    seeds = collect(done)["seed"].values
    assert_array_equal(seeds[0], seeds[1])
    assert len(set(seeds[0].ravel().tolist())) == 4


def test_points_are_records_that_open_with_xarray(done):
    path = next((done / "points").glob("*/*.nc"))
    with xr.open_dataset(path) as read:
        assert {"z", "x"} <= set(read.data_vars)
        assert read.attrs["outcome"] == "exact"
        assert json.loads(read.attrs["point"]).keys() == {"gamma", "n"}
    assert Record.open(path).snapshot is None


def test_nothing_is_computed_twice_and_more_is_added(tmp_path):
    run(tmp_path, {"gamma": [0.5], "n": [2]}, 1)
    (first,) = (tmp_path / "points").glob("*/*.nc")
    before = first.stat().st_mtime_ns
    assert run(tmp_path, {"gamma": [0.5, 1.0], "n": [2]}, 2).done == 4
    assert run(tmp_path, {"gamma": [1.0], "n": [3]}, 1).done == 1
    assert first.stat().st_mtime_ns == before
    table = collect(tmp_path)
    assert table["status"].sizes == {"gamma": 2, "n": 2, "realization": 2}
    assert (table["status"] == NOT_ASKED).sum() == 3
    assert_array_equal(table["status"].sel(gamma=1.0, n=3), [EXACT, NOT_ASKED])
    assert json.loads(table.attrs["tally"]) == {"exact": 5}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"seed": 1}, "root_seed = 0 there, 1 here"),
        ({"tolerance": 1e-5}, "tolerance = 0.01 there, 1e-05 here"),
        ({"parameters": {"fails_below": -3.0}}, "parameters.fails_below = -2.0 there, -3.0 here"),
        ({"independent": []}, r"independent = \[\"n\"\] there, \[\] here"),
        ({"engine": "tebd"}, 'engine = "exact" there, "tebd" here'),
        ({"watch": ["x"]}, r"watch = \[\] there, \[\"x\"\] here"),
        ({"times": [1.0]}, r"times = null there, \[1.0\] here"),
        ({"grid": {"gamma": [0.5]}}, r"axes = \[\"gamma\", \"n\"\] there"),
    ],
)
def test_other_settings_are_refused_with_the_difference(done, changed, told):
    with pytest.raises(RecordError, match=told):
        run(done, **changed)


def test_one_share_after_the_other_makes_the_whole(tmp_path, done):
    for k in range(3):
        run(tmp_path, task=(k, 3))
    whole, shared = collect(done), collect(tmp_path)
    assert_array_equal(shared["z"], whole["z"])
    with pytest.raises(InputError, match="task 3/3: K/M"):
        run(tmp_path, task=(3, 3))


def test_a_time_evolution_and_an_axis_of_the_engine(tmp_path):
    grid = {"gamma": [0.5], "chi": [1, 16]}
    run(tmp_path, grid, 1, engine="tebd", times=[0.0, 0.5], independent=[], parameters={"n": 3})
    table = collect(tmp_path)
    assert table["z"].dims == ("gamma", "chi", "realization", "time", "site")
    assert_allclose(table["time"], [0, 0.5])
    assert abs(table["z"].sel(chi=1) - table["z"].sel(chi=16)).max() > 1e-4


def test_points_are_judged_by_what_is_watched(tmp_path):
    """A run of its own with the same watch; the errors of what is not watched are missing in the table."""
    about = {"model": f"{small_runs.__file__}:Apart", "engine": TEBD(chi=4), "initial": "product:010", "workers": 0}
    for _ in range(2):  # the second finds all there
        assert sweep(grid={"rate": [0.02, 0.05]}, store=tmp_path, watch=("fast", "energy"), **about).complete
    table = collect(tmp_path)
    assert_array_equal(table["status"], CONVERGED)
    assert np.isfinite(table["energy_error"]).all()
    assert np.isfinite(table["slow"]).all()
    assert "slow_error" not in table
    assert (abs(table["slow"] - 0.2) > 0.1).all()  # far from its end: nobody waited for it
    own = {"engine": about["engine"], "initial": about["initial"], "watch": ["energy", "fast"]}
    for rate in (0.02, 0.05):
        point = table.sel(rate=rate, realization=0)
        record = steady_state(find(about["model"])(rate=rate), seed=int(point["seed"]), **own)
        assert_array_equal(point["slow"], record["slow"])


def test_a_store_of_before_there_was_watch_goes_on(tmp_path):
    """Neither the manifest nor the hash of a point holds what is left at its default."""
    assert run(tmp_path, {"gamma": [0.5], "n": [2]}, 1).complete
    manifest, (request,) = json.loads((tmp_path / "sweep.json").read_bytes()), list(tmp_path.glob("requests/*.json"))
    assert "watch" not in manifest
    (point,) = json.loads(request.read_bytes())["points"]
    settings = manifest | {"parameters": Record.open(next(tmp_path.glob("points/*/*.nc"))).settings["parameters"]}
    kept = ("model", "parameters", "engine", "engine_settings", "times", "tolerance", "max_time", "initial", "measure")
    settings = {key: settings[key] for key in kept} | {"tolerance": 1e-3}  # of the relaxation: a tenth of the total
    settings["parameters"] |= {"gamma": 0.5, "n": 2, "fields": None}
    assert point["identity"] == hashlib.sha256(canonical(settings).encode()).hexdigest()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"watch": ["zz"]}, r"no observable 'zz' \(did you mean 'z'\?\)"),
        ({"watch": "z"}, "a list of strings"),
        ({"watch": ["z"], "times": [1.0]}, "a time evolution is not judged"),
    ],
)
def test_what_cannot_be_watched_makes_no_store(settings, told, tmp_path):
    with pytest.raises(InputError, match=told):
        run(tmp_path / "store", **settings)
    assert not (tmp_path / "store").exists()


def test_states_are_kept_where_they_are_asked_for(tmp_path):
    run(tmp_path, {"gamma": [0.5]}, 1, keep_states=True, independent=[])
    (path,) = (tmp_path / "points").glob("*/*.nc")
    assert Record.open(path).state.dims == (4, 4)


def test_a_measuring_function_replaces_the_solution(tmp_path):
    run(tmp_path, {"gamma": [0.5, 0.7]}, 2, measure=f"{HERE}:slow", independent=[])
    table = collect(tmp_path)
    assert_allclose(table["gamma_again"], np.array([[0.5, 0.5], [0.7, 0.7]]))
    assert_array_equal(table["seed_modulo"], table["seed"] % 10**6)


def test_a_point_that_fails_is_kept_with_its_traceback_and_not_averaged(tmp_path):
    settings = {"grid": {"gamma": [1.0]}, "realizations": 8, "parameters": {"fails_below": 0.0}, "independent": []}
    summary = run(tmp_path, **settings)
    table = collect(tmp_path)
    fields = [np.random.default_rng(int(s)).uniform(-1, 1, 2)[0] for s in table["seed"].values[0]]
    assert 0 < summary.failed < 8
    assert_array_equal(table["status"][0] == FAILED, np.array(fields) < 0)
    assert_array_equal(np.isnan(table["x"][0]), np.array(fields) < 0)
    failure = summary.failures[0]
    assert "ZeroDivisionError" in failure.error
    assert "sweep_models.py" in failure.traceback
    assert failure.attempts == 1
    assert str(failure.seed) in str(status(tmp_path))
    assert run(tmp_path, **settings).failures[0].attempts == 1  # left alone
    assert run(tmp_path, **settings, retry_failed=True).failures[0].attempts == 2


def test_what_a_measuring_function_may_not_return(tmp_path):
    summary = run(tmp_path, {"gamma": [1.0]}, 1, measure=f"{HERE}:wrong", independent=[])
    assert "returns a Record, a Dataset or numbers" in summary.failures[0].error
    with pytest.raises(InputError, match="has no function 'none'"):
        run(tmp_path / "b", {"gamma": [1.0]}, 1, measure=f"{HERE}:none", independent=[])


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[:2000] + b"!" + b[2001:]])
def test_a_damaged_record_is_named_left_out_and_computed_again(tmp_path, done, damage, capsys):
    run(tmp_path)
    path = sorted((tmp_path / "points").glob("*/*.nc"))[3]
    path.write_bytes(damage(path.read_bytes()))
    table = collect(tmp_path)
    assert (table["status"] == DAMAGED).sum() == 1
    assert table.attrs["damaged"] == str(path)
    summary = run(tmp_path, progress=True)
    assert summary.damaged == (path,)
    assert f"{path} is damaged or holds another point" in capsys.readouterr().err
    xr.testing.assert_equal(collect(tmp_path).drop_vars("cpu_seconds"), collect(done).drop_vars("cpu_seconds"))


def test_a_table_of_an_unfinished_sweep(tmp_path):
    with pytest.raises(RecordError, match="there is no sweep in"):
        collect(tmp_path)
    run(tmp_path, task=(0, 2))
    table = collect(tmp_path, variables=["x"], certificate=False)
    assert (table["status"] == MISSING).sum() == 4
    assert np.isnan(table["x"].values[table["status"].values == MISSING]).all()
    assert set(table.data_vars) == {"status", "seed", "cpu_seconds", "x", "x_error"}
    with pytest.raises(InputError, match="no record of the sweep has a variable 'y'"):
        collect(tmp_path, variables=["y"])
    assert str(status(tmp_path)) == "8 points: 4 done, 0 running, 0 failed, 4 missing"


def test_coordinates_of_the_records_are_kept(tmp_path):
    sweep("ssep", {"n": [2, 4]}, store=tmp_path, engine="exact", workers=0)
    table = collect(tmp_path)
    assert_array_equal(table["site"], [0, 1, 2, 3])
    assert np.isnan(table["density"].sel(n=2)[0, 2:]).all()
    assert table["status"].attrs["flag_meanings"].split(", ")[CONVERGED] == "converged"


CLAIM = """
import sys, time
from tnness.study.store import Store
with Store(sys.argv[1]).claim(sys.argv[2]) as mine:
    print(mine, flush=True)
    sys.stdin.readline()
"""


def holder(store, key):
    command = [sys.executable, "-c", CLAIM, str(store), key]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "True\n"
    return process


def test_a_claim_holds_while_its_process_lives(tmp_path):
    run(tmp_path, task=(0, 10**6))
    store = Store(tmp_path)
    key = store.points()[5].key
    process = holder(tmp_path, key)
    try:
        with store.claim(key) as mine:
            assert not mine
        assert list(store.running()) == [key]
        assert status(tmp_path).running == 1
        assert run(tmp_path).elsewhere == 1
    finally:
        process.kill()
        process.communicate()
    assert store.running() == {}
    assert run(tmp_path).complete
    assert not list((tmp_path / "claims").iterdir())


def test_the_rate_and_the_end(tmp_path):
    run(tmp_path, task=(0, 2))
    store = Store(tmp_path)
    key = next(p.key for p in store.points() if p.key not in store.finished())
    with store.claim(key):
        told = str(status(tmp_path))
    assert "rate: " in told
    assert "expected end: " in told


def test_a_foreign_folder(tmp_path):
    (tmp_path / "sweep.json").write_text("{}")
    with pytest.raises(RecordError, match="is not the manifest of a sweep"):
        status(tmp_path)
    (tmp_path / "sweep.json").write_text("{")
    with pytest.raises(RecordError, match="cannot be read"):
        run(tmp_path)


def test_an_unknown_dask_scheduler(tmp_path, monkeypatch):
    monkeypatch.setattr("tnness.study.execution.ANSWER", 0.5)
    with pytest.raises(InputError, match="no Dask scheduler answers"):
        run(tmp_path, dask="tcp://127.0.0.1:9", workers=None)


def test_records_hold_what_is_needed_to_repeat_them(done):
    with h5py.File(next((done / "points").glob("*/*.nc"))) as file:
        assert file.attrs["seed"].item() > 0
        assert {"settings", "parameters", "versions", "host", "cpu_seconds", "realization"} <= set(file.attrs)


def test_a_sweep_without_a_terminal_counts_its_points(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("tnness.study.sweep.SILENCE", -1.0)  # no silence is short enough
    with caplog.at_level("INFO", "tnness"):
        sweep("ssep", {"n": [2, 3]}, store=tmp_path / "told", engine="exact", workers=0, progress=True)
    assert [record.getMessage() for record in caplog.records] == [
        "2 points: done 1, failed 0",
        "2 points: done 2, failed 0",
    ]
    caplog.clear()
    sweep("ssep", {"n": [2, 3]}, store=tmp_path / "silent", engine="exact", workers=0)
    assert not caplog.records


def test_the_keys_that_a_request_states_are_those_of_its_points(done, tmp_path):
    store = Store.open(done)
    (request,) = (done / "requests").glob("*.json")
    content = json.loads(request.read_bytes())
    assert content["keys"] == [point.key for point in store.points()]
    assert store.keys() == store.finished().keys()
    copy = tmp_path / "copy"
    shutil.copytree(done, copy)
    for other in ({name: value for name, value in content.items() if name != "keys"}, content | {"keys": [1]}):
        (copy / "requests" / request.name).write_text(json.dumps(other))
        assert status(copy).done == len(store.points())  # written by an earlier version: the keys are computed


@dataclass(frozen=True, kw_only=True)
class Growing(small_runs.Pumped):
    """A chain with an observable that is one number on two sites, and a list on more."""

    n: int = 2

    def observables(self):
        z = expectation([s.Z(i) for i in range(self.n)], "site")
        return {"z": z if self.n > 2 else expectation(s.Z(0))}


def test_an_observable_of_other_axes_at_another_point_is_refused_in_one_line(tmp_path):
    sweep(Growing, {"n": [2, 3]}, store=tmp_path / "s", engine="exact", workers=0)
    with pytest.raises(RecordError, match=r"'z' of .*\.nc has the shape .*: one table cannot hold both"):
        collect(tmp_path / "s")
