"""Convergence in chi and dt: the extrapolation, its error, and calls that are interrupted."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks.calibration_models import Drawn
from small_runs import Apart, observables
from tnness import TEBD, Exact, Record, converge, find, steady_state
from tnness.engines.ask import Ask
from tnness.errors import InputError, NumericalError, RecordError
from tnness.model.protocol import generator_of
from tnness.study.converge import extrapolate, table
from tnness.study.figure import plot

XX = find("xx-dephasing")(n=4, dephasing=0.5)
CHIS = [6, 9, 12]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A convergence in chi alone, and its file."""
    path = tmp_path_factory.mktemp("whole") / "c.nc"
    return converge(XX, CHIS, out=path), path


@given(value=st.floats(-5, 5), slope=st.floats(-5, 5))
def test_what_is_linear_in_one_over_chi_is_extrapolated_exactly(value, slope):
    chis = [8, 16, 32]
    series = np.array([[value + slope / chi, value] for chi in chis])
    found, error = extrapolate(series, chis)
    assert_allclose(found, [value, value], atol=1e-12)
    assert error[0] == pytest.approx(max(abs(slope) / 32, 0), abs=1e-12)  # last step = distance for a doubled chi
    assert error[1] == 0


def test_axes_and_attributes(whole):
    dataset, path = whole
    assert dataset["z"].dims == ("dt", "chi", "site")
    assert dataset["z_extrapolated"].dims == dataset["z_extrapolated_error"].dims == ("site",)
    assert_array_equal(dataset["chi"], CHIS)
    assert_array_equal(dataset["site"], range(4))
    assert dataset["outcome"].dims == ("dt", "chi")
    assert dataset["certificate_residual"].dims == ("dt", "chi")
    assert dataset.attrs["kind"] == "convergence"
    assert dataset.attrs["outcome"] == str(dataset["outcome"].values[-1, -1])
    assert dataset["z_error"].dims == ("dt", "chi", "site")
    assert dataset["current_extrapolated"].attrs["units"] == "energy"
    with xr.open_dataset(path) as found:
        xr.testing.assert_identical(found.load(), dataset)
    assert Record.open(path).snapshot is None
    assert list(path.parent.iterdir()) == [path]  # the points are gone


def test_the_exact_answer_lies_within_the_error(whole):
    dataset, _ = whole
    exact = observables(steady_state(XX, engine="exact"))
    for name in exact:
        assert (np.abs(dataset[f"{name}_extrapolated"] - exact[name]) <= dataset[f"{name}_extrapolated_error"]).all()
        assert dataset[f"{name}_extrapolated_error"].max() < 0.05


def test_each_point_starts_from_the_one_before(whole):
    """The first is a steady state of its own; the rest are its extensions."""
    dataset, _ = whole
    alone = steady_state(XX, engine=TEBD(chi=CHIS[0]))
    assert_array_equal(dataset["z"][0, 0], alone["z"])
    second = steady_state(XX, engine=TEBD(chi=CHIS[1], schedule=()), initial=alone)
    assert_array_equal(dataset["z"][0, 1], second["z"])


def test_several_time_steps():
    dataset = converge(XX, [6, 12], [0.2, 0.4])
    assert_array_equal(dataset["dt"], [0.4, 0.2])  # the finest last
    exact = observables(steady_state(XX, engine="exact"))
    spread = np.abs(dataset["z"][1, -1] - dataset["z"][0, -1]).values
    assert spread.max() > 1e-5
    assert (dataset["z_extrapolated_error"].values >= spread).all()
    assert (np.abs(dataset["z_extrapolated"] - exact["z"]) <= dataset["z_extrapolated_error"]).all()


def test_a_point_is_run_at_its_own_time_step():
    """With several steps no point is refined to half of its own."""
    dataset = converge(XX, [6, 12], [0.4, 0.2], engine=TEBD(order=2))
    plain = steady_state(XX, engine=TEBD(chi=6, order=2, dt=0.4))
    assert plain.snapshot.numbers["refined"] == 1
    coarse, fine = (np.abs(dataset["z"][i, 1] - steady_state(XX, engine="exact")["z"]).max() for i in (0, 1))
    assert coarse / fine == pytest.approx(4, rel=0.4)  # second order


def test_the_default_time_step_is_the_engines():
    for order in (2, 4):
        dataset = converge(XX, [6, 12], engine=TEBD(order=order), tolerance=0.05)
        engine, generator = TEBD(order=order), generator_of(XX)
        factor = engine.step_factor(generator, Ask(tolerance=0.05))
        assert float(dataset["dt"][0]) == factor * engine.time_step(generator)


def test_the_table(whole):
    dataset, _ = whole
    lines = table(dataset).splitlines()
    assert len(lines) == 1 + len(CHIS) + 1
    assert lines[0].split()[:4] == ["dt", "chi", "max|z|", "max|current|"]
    assert [line.split()[1] for line in lines[1:-1]] == ["6", "9", "12"]
    assert lines[-1].split()[0] == "inf"
    assert "+-" in lines[-1]
    assert ":" not in lines[1]  # advice is left out


def test_the_table_shows_an_observable_that_has_no_number_anywhere(whole):
    dataset = whole[0].copy(deep=True)
    dataset["z"][:] = np.nan
    assert [line.split()[2] for line in table(dataset).splitlines()[1:-1]] == ["nan"] * len(CHIS)


# ---------------------------------------------------------------- interrupted


def halt_at(point, monkeypatch, step=0):
    """Let the run of one point fail in this process."""
    from tnness.runs.driver import Driver

    measure, seen = Driver._measure, []

    def stopping(driver, observables, view):
        if driver.output.path is not None and driver.output.path.name == point:
            seen.append(1)
            if len(seen) > step:
                raise NumericalError("halted")
        return measure(driver, observables, view)

    monkeypatch.setattr(Driver, "_measure", stopping)


def halted(path, monkeypatch, point="chi=9.nc", **settings):
    with monkeypatch.context() as patch:
        halt_at(point, patch, step=3)
        with pytest.raises(NumericalError, match=r"c\.nc\.points"):
            converge(XX, CHIS, out=path, **settings)


def test_finished_points_are_kept_and_the_rest_is_continued(whole, tmp_path, monkeypatch):
    dataset, _ = whole
    path = tmp_path / "c.nc"
    halted(path, monkeypatch)
    kept = sorted(p.name for p in (tmp_path / "c.nc.points").iterdir())
    assert kept == ["chi=6.nc", "chi=9.nc.part"]
    assert not path.exists()
    again = converge(XX, CHIS, out=path)
    for name in dataset.variables:
        assert_array_equal(again[name], dataset[name])
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model": replace(XX, gamma=2.0)}, r"parameters.gamma = 1.0 there, 2.0 here"),
        ({"tolerance": 1e-2}, "tolerance = "),
        ({"watch": ["z"]}, r'watch = \[\] there, \["z"\] here'),
        ({"seed": 5}, "seed = 0 there, 5 here"),
        ({"max_time": 50.0}, "max_time = null there"),
        ({"engine": TEBD(order=2)}, "engine_settings.order = 4 there, 2 here"),
    ],
)
def test_points_of_other_settings_are_never_mixed_in(change, told, tmp_path, monkeypatch):
    path = tmp_path / "c.nc"
    halted(path, monkeypatch, tolerance=1e-2 / 3) if "tolerance" in change else halted(path, monkeypatch)
    before = {p: p.read_bytes() for p in (tmp_path / "c.nc.points").iterdir()}
    with pytest.raises(RecordError, match=told):
        converge(change.pop("model", XX), CHIS, out=path, **change)
    assert {p: p.read_bytes() for p in (tmp_path / "c.nc.points").iterdir()} == before


def test_what_else_lies_in_the_folder_stays(tmp_path):
    folder = tmp_path / "c.nc.points"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    converge(XX, [6, 12], out=tmp_path / "c.nc", tolerance=0.05)
    assert [p.name for p in folder.iterdir()] == ["notes.txt"]


# ---------------------------------------------------------------- judged by some


def test_what_is_watched_alone_is_extrapolated(tmp_path):
    """The third spin of Apart has not relaxed when the two others have: no error bar says that it has."""
    about = {"engine": TEBD(schedule=()), "dt": [0.2, 0.1], "out": tmp_path / "c.nc"}
    dataset = converge(Apart(), [3, 4], watch=["fast"], **about)
    assert dataset["slow"].dims == ("dt", "chi")
    assert dataset["fast_extrapolated"].dims == dataset["fast_extrapolated_error"].dims == ("pair",)
    for name in ("slow", "energy", "entanglement"):
        assert f"{name}_extrapolated" not in dataset
        assert f"{name}_error" not in dataset
    exact = steady_state(Apart(), engine="exact")
    assert np.all(np.abs(dataset["fast_extrapolated"] - exact["fast"]) <= dataset["fast_extrapolated_error"])
    assert abs(dataset["slow"][-1, -1] - exact["slow"]) > 0.02
    assert "max|fast|" in table(dataset)
    assert "slow" not in table(dataset)
    assert json.loads(dataset.attrs["settings"])["watch"] == ["fast"]
    assert plot(tmp_path / "c.nc").exists()  # curves without an end


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("chi", "dt", "settings", "told"),
    [
        ([8], [None], {}, "at least two increasing"),
        ([], [None], {}, "at least two increasing"),
        ([8, 4], [None], {}, "at least two increasing"),
        ([4, 4], [None], {}, "at least two increasing"),
        ([0, 4], [None], {}, "chi = 0"),
        ([4, 8], [], {}, "give different time steps"),
        ([4, 8], [0.1, None], {}, "give different time steps"),
        ([4, 8], [0.1, 0.1], {}, "give different time steps"),
        ([4, 8], [0.1, -0.1], {}, "dt = -0.1"),
        ([4, 8], [None], {"engine": Exact()}, "engine 'exact' has tolerance"),
        ([4, 8], [None], {"tolerance": -1}, "tolerance = -1"),
        ([4, 8], [None], {"seed": -1}, "seed = -1"),
        ([4, 8], [None], {"watch": ["zz"]}, "did you mean 'z'"),
    ],
)
def test_bad_input_writes_nothing(chi, dt, settings, told, tmp_path):
    with pytest.raises(InputError, match=told):
        converge(XX, chi, dt, out=tmp_path / "c.nc", **settings)
    assert list(tmp_path.iterdir()) == []


def test_a_finished_convergence_is_in_the_way(whole, tmp_path):
    path = tmp_path / "c.nc"
    path.write_bytes(whole[1].read_bytes())
    with pytest.raises(RecordError, match="exists already"):
        converge(XX, CHIS, out=path)
    assert path.read_bytes() == whole[1].read_bytes()
    assert list(tmp_path.iterdir()) == [path]
    converge(XX, [6, 12], out=path, overwrite=True, tolerance=0.05)
    assert_array_equal(Record.open(path).dataset["chi"], [6, 12])
    with pytest.raises(RecordError, match="does not exist"):
        converge(XX, CHIS, out=tmp_path / "none" / "c.nc")


# ---------------------------------------------------------------- the error bar

RANDOM = ("xyz-fields", "xxz-ends", "pair-loss", "asymmetric-hops", "quantum-ssep", "weak-bulk", "contact-process")


def test_the_error_bar_covers_random_chains():
    """Four sites at a quarter and half of the full bond dimension, against the exact steady state."""
    ratios = []
    for kind in RANDOM:
        model = Drawn(kind=kind, n=4, seed=1)
        chis = [4, 8] if model.problem().spaces[0].dim == 4 else [2, 3]
        dataset = converge(model, chis, tolerance=0.05, max_time=60, kick=False, name=kind)
        exact = steady_state(model, engine="exact")
        for name in model.observables():
            off = np.abs(dataset[f"{name}_extrapolated"] - exact[name]).values.ravel()
            ratios.append(off / (dataset[f"{name}_extrapolated_error"].values.ravel() + 1e-9))
    ratio = np.concatenate(ratios)
    assert len(ratio) > 100
    assert (ratio <= 1).mean() >= 0.95
    assert ratio.max() < 5
