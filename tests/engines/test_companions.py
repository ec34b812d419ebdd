"""Companions of a time evolution: what they tell of its errors, held against exact evolutions."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tnness import TEBD, Changes, Record, evolve, extend, find
from tnness.engines.ask import Ask, Start
from tnness.engines.companions import begun, part_of, resumed
from tnness.engines.initial import parse_initial

XXZ, NEEL = find("xxz-driven")(n=4, delta=0.5), "product:0101"
TIMES = [0.0, 0.3, 0.7, 1.5, 1.6, 3.0]
SWAP = find("random-circuit")(n=6, p1=0.5, p2=0.5)


def off(record, exact, name):
    return np.abs(record[name].values - exact[name].values)


@pytest.fixture(scope="module")
def exact():
    return evolve(XXZ, TIMES, engine="exact", initial=NEEL)


def test_an_exact_evolution_has_no_error(exact):
    assert exact.outcome == "complete"
    for name in ("z", "current"):
        assert exact[f"{name}_error"].dims == exact[name].dims
        assert_array_equal(exact[f"{name}_error"], 0)


@pytest.mark.parametrize(("order", "dt"), [(2, 0.2), (4, 0.8)])
def test_at_full_bond_dimension_the_error_is_that_of_the_time_step(exact, order, dt):
    """By Richardson, it is known almost exactly: the claim is the largest error, and a third of it more."""
    record = evolve(XXZ, TIMES, engine=TEBD(chi=16, order=order, dt=dt), initial=NEEL, tolerance=1e-6)
    for name in ("z", "current"):
        error, claim = off(record, exact, name), record[f"{name}_error"].values
        assert (error <= claim + 1e-12).all()
        assert claim.max() < 3 * error.max()
        assert (record.certificate.estimates["truncation"][name] < 0.1 * claim.max()).all()
    assert record.outcome == "trustworthy to t = 0: Trotter error: lower --dt"


def test_the_companion_takes_exactly_two_steps_for_one():
    """Also where steps are shortened to hit the times asked for."""
    start = Start(parse_initial(NEEL), Ask(times=tuple(TIMES)))
    run = begun(TEBD(chi=4, dt=0.25, block=2), XXZ.problem(), start)
    for until in TIMES[1:]:
        while run.time < until:
            run.step(until)
        assert run.beside["trotter"].steps == 2 * run.main.steps
        assert {run.main.time, *(beside.time for beside in run.beside.values())} == {until}


def test_truncation_is_seen_where_it_begins():
    """Six sites at a third of the full bond dimension: right at first, wrong later, and the outcome says when."""
    model, times = replace(XXZ, n=6), np.linspace(0, 5, 26)
    exact = evolve(model, times, engine="exact", initial="product:010101")
    record = evolve(model, times, engine=TEBD(chi=24), initial="product:010101", tolerance=0.02)
    told, reason = record.outcome.split(": ", 1)
    assert reason.startswith("truncation: raise --chi (discarded weight ")
    trusted = float(told.removeprefix("trustworthy to t = "))
    assert record.certificate.further["trusted_to"] == pytest.approx(trusted, rel=1e-3)
    assert 0 < trusted < 5
    before = times <= trusted
    for name in ("z", "current"):
        error, claim = off(record, exact, name), record[f"{name}_error"].values
        assert error[before].max() < 0.02 * np.abs(exact[name]).max()
        assert (error <= claim + 1e-12).mean() > 0.95
        assert (claim[1:] >= claim[:-1]).all()


def test_errors_change_no_number():
    about = {"engine": TEBD(chi=12, method="randomized"), "initial": NEEL, "tolerance": 5.0}
    with_errors, without = (evolve(XXZ, TIMES, errors=errors, **about) for errors in (True, False))
    assert_array_equal(with_errors["z"], without["z"])
    assert (with_errors.outcome, without.outcome) == ("complete", "complete, without error estimates")
    assert "z_error" not in without.dataset
    assert not without.estimates


def test_a_companion_that_is_lost_leaves_an_infinite_error(tmp_path):
    """Two of sixteen bonds cannot hold the trace; the evolution itself goes on, and can be continued."""
    model, times = replace(XXZ, n=5), np.linspace(0, 6, 13)
    about = {"engine": TEBD(chi=4), "initial": "product:01010"}
    whole = evolve(model, times, **about)
    assert np.isfinite(whole["z"]).all()
    assert np.isinf(whole["z_error"].values[-1]).any()
    assert "truncation: raise --chi" in whole.outcome
    evolve(model, times[:4], out=tmp_path / "r.nc", **about)
    longer = extend(tmp_path / "r.nc", Changes(times=times[4:]))
    for name in ("z", "z_error"):
        assert_array_equal(longer[name], whole[name])


def test_what_extends_a_record_without_errors_has_none(tmp_path):
    evolve(XXZ, TIMES[:3], engine=TEBD(chi=16), initial=NEEL, errors=False, out=tmp_path / "r.nc")
    record = extend(tmp_path / "r.nc", Changes(times=TIMES[3:]))
    assert record.outcome == "complete, without error estimates"
    record = extend(tmp_path / "r.nc", Changes(times=[4.0], errors=True))
    assert record.outcome.startswith("no error estimate of ")
    assert "z_error" not in record.dataset


def test_at_another_bond_dimension_the_companions_go_on_from_their_own_states(tmp_path):
    """The error that was made stays: a running maximum never falls."""
    old = evolve(XXZ, TIMES[:4], engine=TEBD(chi=12), initial=NEEL, out=tmp_path / "r.nc")
    new = extend(tmp_path / "r.nc", Changes({"chi": 16}, times=TIMES[4:]), out=tmp_path / "s.nc")
    assert_array_equal(new["z_error"][:4], old["z_error"])
    assert (new["z_error"][-1] >= old["z_error"][-1]).all()
    parts = [part_of(new.snapshot, kind) for kind in ("truncation", "trotter")]
    assert [max(tensor.shape[0] for tensor in part.arrays.values() if tensor.ndim == 3) for part in parts] == [8, 16]


def test_a_saved_run_goes_on_with_its_companions():
    problem, engine = XXZ.problem(), TEBD(chi=8)
    start = Start(parse_initial(NEEL), Ask(times=(2.0,)))
    runs = [begun(engine, problem, start) for _ in range(2)]
    for k in range(60):
        for run in runs:
            if run.time < 2.0:
                run.step(2.0)
        if k % 7 == 3:
            runs[1] = resumed(engine, problem, start, runs[1].save())
    first, second = (run.save() for run in runs)
    assert first.numbers == second.numbers
    for name, array in first.arrays.items():
        assert_array_equal(array, second.arrays[name], err_msg=name)


def test_a_circuit_is_compared_with_half_its_bond_dimension():
    times = np.linspace(0, 4, 9)
    exact, record = (evolve(SWAP, times, engine=e, seed=3) for e in ("exact", TEBD(chi=16)))
    assert exact.outcome == "complete"
    name = "entropy" if "entropy" in record.dataset else "entropy_deviation"
    for key in {"density", name} & set(record.dataset):
        error, claim = off(record, exact, key), record[f"{key}_error"].values
        assert (error <= claim + 1e-9).mean() > 0.9
    assert_allclose(record.certificate.estimates["trotter"]["density"], 0)


def test_the_record_holds_the_errors_by_kind(tmp_path):
    record = evolve(XXZ, TIMES, engine=TEBD(chi=8), initial=NEEL, out=tmp_path / "r.nc")
    again = Record.open(tmp_path / "r.nc")
    parts = [again.certificate.estimates[kind]["z"] for kind in ("trotter", "truncation")]
    assert_allclose(sum(parts), record["z_error"])
