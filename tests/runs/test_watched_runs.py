"""Steady states that are judged by some of their observables: when they stop, their errors, records that go on."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import small_runs
from halting import halted_part
from small_runs import Apart, assert_same_numbers
from tnness import TEBD, Accelerated, Changes, Observable, Record, evolve, expectation, extend, find, steady_state
from tnness import spin_half as s
from tnness.errors import InputError, RecordError, Unavailable
from tnness.records.record import part_path

FULL = TEBD(chi=4)  # holds every state of three spins
NAME = f"{small_runs.__file__}:Apart"
SLOW = 0.2  # <Z_2> of the steady state: (0.6 - 0.4) / (0.6 + 0.4)


def solved(watch=(), **settings):
    settings = {"engine": FULL, "initial": "product:010", "name": NAME, "watch": watch} | settings
    return steady_state(Apart(), **settings)


@pytest.fixture(scope="module")
def exact():
    return steady_state(Apart(), engine="exact")


@pytest.fixture(scope="module")
def everything():
    return solved()


@pytest.fixture(scope="module")
def early(tmp_path_factory):
    """A run judged by what is fast, and its file."""
    path = tmp_path_factory.mktemp("early") / "r.nc"
    return solved(["fast", "energy"], out=path), path


def within_errors(record, exact, names):
    for name in names:
        assert (np.abs(record[name] - exact[name]) <= record[f"{name}_error"]).all()
        assert record[f"{name}_error"].max() < 5e-3


def test_a_run_stops_when_what_is_watched_is_known(early, everything, exact):
    record, _ = early
    assert record.outcome == everything.outcome == "converged"
    assert record.time < everything.time / 5
    within_errors(record, exact, ["fast", "energy"])
    assert abs(record["slow"] - SLOW) > 0.1  # at its time the third spin is far from its end
    within_errors(everything, exact, ["fast", "energy", "slow"])


def test_errors_are_estimated_of_what_is_watched_alone(early):
    record, path = early
    for found in (record, Record.open(path)):
        assert set(found.history.values) == {"fast", "energy"}
        assert all(set(of) == {"fast", "energy"} for of in found.certificate.estimates.values())
        assert set(found.certificate.errors) == {"fast", "energy"}
        for name in ("slow", "entanglement"):
            assert np.isfinite(found[name]).all()
            assert f"{name}_error" not in found.dataset
        assert found.settings["watch"] == ["energy", "fast"]


def test_the_slow_one_alone_takes_as_long_as_all(everything):
    record = solved(["slow"])
    assert record.outcome == "converged"
    assert record.time == pytest.approx(everything.time, rel=0.1)
    assert abs(record["slow"] - SLOW) <= record["slow_error"]
    assert "fast_error" not in record.dataset


def test_to_watch_all_is_the_default(everything):
    assert_same_numbers(solved(["energy", "slow", "fast"]), everything)


def test_the_order_of_names_is_nothing(early):
    assert_same_numbers(solved(("energy", "fast", "fast")), early[0])


def test_the_exact_engine_takes_it():
    record = steady_state(Apart(), engine="exact", watch=["slow"])
    assert record["slow_error"] == 0
    assert float(record["slow"]) == pytest.approx(SLOW)
    assert "fast_error" not in record.dataset


# ---------------------------------------------------------------- records that go on


def test_a_record_is_no_prior_of_what_it_did_not_watch(early, exact, tmp_path):
    old, path = early
    for watch in (["slow"], []):
        record = extend(path, Changes(watch=watch), model=Apart, out=tmp_path / "r.nc", overwrite=True)
        assert record.outcome == "converged"
        assert record.history.times[0] > old.time  # the time goes on
        assert min(record.history.stages) == 0  # its values are no coarse stage: they have not relaxed
        assert record.settings["watch"] == sorted(watch)
        within_errors(record, exact, watch or ["fast", "energy", "slow"])


@pytest.mark.parametrize("watch", [None, ["energy"]])
def test_a_record_is_the_coarse_stage_of_what_it_watched(watch, early, exact, tmp_path):
    old, path = early
    record = extend(path, Changes({"chi": 8}, watch=watch), model=Apart, out=tmp_path / "r.nc")
    assert record.history.stages[0] == -1
    assert record.outcome == "converged"
    assert record.time - old.time < old.time
    watched = watch or ["energy", "fast"]
    assert record.settings["watch"] == sorted(watched)
    assert all(set(of) <= set(watched) for of in record.certificate.estimates.values())
    within_errors(record, exact, watched)


def test_a_record_that_watched_all_is_the_coarse_stage_of_some(everything):
    record = steady_state(Apart(), engine=TEBD(chi=8), initial=everything, name=NAME, watch=["fast"])
    assert record.history.stages[0] == -1
    assert all(set(of) == {"fast"} for of in record.certificate.estimates.values())
    assert record.certificate.relaxation_rate == everything.certificate.relaxation_rate


def halted_run(path, **settings):
    start = {"engine": FULL, "initial": "product:010", "name": NAME, "checkpoint_every": 0} | settings
    part_path(path).write_bytes(halted_part(6, lambda out: steady_state(Apart(), out=out, **start)))


@pytest.mark.parametrize("by", ["itself", "its name"])
def test_an_unfinished_run_goes_on_by_what_it_watched(by, early, tmp_path):
    path = tmp_path / "r.nc"
    halted_run(path, watch=["fast", "energy"])
    assert_same_numbers(solved(["energy", "fast"], out=path) if by == "itself" else extend(path, model=Apart), early[0])


def test_an_unfinished_run_is_not_continued_by_another_watch(early, exact, tmp_path):
    path = tmp_path / "r.nc"
    halted_run(path, watch=["fast", "energy"])
    with pytest.raises(RecordError, match=r'watch = \["energy", "fast"\] there, \["slow"\] here'):
        solved(["slow"], out=path)
    record = extend(path, Changes(watch=["slow"]), model=Apart)
    assert record.settings["watch"] == ["slow"]
    within_errors(record, exact, ["slow"])


def without_watch(path):
    """Turn a record into one of before there was this setting."""
    record = Record.open(path)
    settings = {key: value for key, value in record.settings.items() if key != "watch"}
    record.dataset.attrs["settings"] = json.dumps(settings)
    record.save(path)


def test_an_older_unfinished_run_goes_on(everything, tmp_path):
    for again in (lambda path: solved(out=path), lambda path: extend(path, model=Apart)):
        path = tmp_path / "r.nc"
        halted_run(path)
        without_watch(part_path(path))
        assert_same_numbers(again(path), everything)
        path.unlink()


def test_an_older_record_watched_all(everything, tmp_path):
    everything.save(tmp_path / "r.nc")
    without_watch(tmp_path / "r.nc")
    record = extend(tmp_path / "r.nc", Changes({"chi": 8}), model=Apart)
    assert record.settings["watch"] == []
    assert record.history.stages[0] == -1
    assert set(record.history.values) == {"fast", "energy", "slow"}


def test_an_evolution_from_a_record_watches_nothing(early, tmp_path):
    record = extend(early[1], Changes(times=[0.0, 30.0]), model=Apart, out=tmp_path / "e.nc")
    assert record.settings["watch"] == []
    assert_allclose(record["slow"][0], early[0]["slow"], atol=1e-12)
    decay = np.exp(-0.05 * 30)
    assert_allclose(record["slow"][1] - SLOW, (early[0]["slow"] - SLOW) * decay, atol=1e-4)


# ---------------------------------------------------------------- accelerated


def test_an_accelerated_run_settles_by_what_is_watched():
    chain = find("mbl-heisenberg")(n=3, h=2.0, eps=0.03)
    engine = Accelerated(chi=4, schedule=(), burst=15.0, block=4)
    record = steady_state(chain, engine=engine, seed=3, tolerance=5e-3, watch=["energy", "beta_variation"])
    exact = steady_state(chain, engine="exact", seed=3)
    assert set(record.certificate.estimates["relaxation"]) == {"energy", "beta_variation"}
    for name in ("energy", "beta_variation"):
        assert_allclose(record[name], exact[name], rtol=2e-2)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("watch", "told"),
    [
        (["fasst"], "did you mean 'fast'"),
        (["entanglement"], "the model does not monitor 'entanglement'"),
        ("fast", "a list of strings"),
    ],
)
def test_what_cannot_be_watched_is_refused_before_anything_is_written(watch, told, tmp_path):
    with pytest.raises(InputError, match=told):
        solved(watch, out=tmp_path / "r.nc")
    assert list(tmp_path.iterdir()) == []


def test_what_the_engine_cannot_give_is_not_watched():
    def never(view):
        raise Unavailable("not of this state")

    @dataclass(frozen=True, kw_only=True)
    class Partly(Apart):
        def observables(self):
            return {"fast": expectation(s.Z(0)), "never": Observable(never)}

    assert "never" not in steady_state(Partly(), engine="exact").dataset
    with pytest.raises(InputError, match="engine 'exact' cannot give 'never'"):
        steady_state(Partly(), engine="exact", watch=["never"])


def test_a_time_evolution_is_not_judged(tmp_path):
    evolve(Apart(), [0.0, 0.5], engine=replace(FULL, dt=0.1), out=tmp_path / "e.nc", name=NAME)
    with pytest.raises(InputError, match="belong to a steady state"):
        extend(tmp_path / "e.nc", Changes(times=[1.0], watch=["fast"]), model=Apart)


def test_an_engine_that_solves_in_one_go_judges_nothing():
    with pytest.raises(InputError, match="engine 'gaussian' judges nothing by its observables"):
        steady_state(find("xx-dephasing")(n=3), engine="gaussian", watch=["z"])
