"""Figures of collected sweeps: what is drawn against what, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness import Record
from tnness.errors import InputError
from tnness.study.collect import collect, open_table
from tnness.study.figure import plot
from tnness.study.sweep import sweep
from tnness.study.sweep_figure import Directions, sweep_panels

NOISY = f"{Path(__file__).parent / 'sweep_models.py'}:Noisy"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    store = tmp_path_factory.mktemp("sweep")
    grid = {"gamma": [0.5, 1.0, 2.0], "n": [2, 3]}
    sweep(NOISY, grid, store=store, parameters={"fails_below": -0.9}, realizations=4, engine="exact", workers=0)
    return collect(store)


def curves(axes):
    return {line.get_label(): (line.get_xdata(), line.get_ydata()) for line in axes.lines}


def test_means_over_realizations_with_their_errors(table):
    (axes,) = sweep_panels(table, ["x"], Directions(x="gamma", curves="n")).axes
    drawn = curves(axes)
    assert set(drawn) == {"n = 2", "n = 3"}
    values = table["x"].sel(n=3)
    assert_allclose(drawn["n = 3"][1], np.nanmean(values, axis=-1))
    (band,) = [c.get_paths()[0].vertices for c in axes.collections[1:2]]
    given = np.isfinite(values).sum("realization")
    error = np.nanstd(values, axis=-1, ddof=1) / np.sqrt(given)
    assert_allclose(band[:, 1].max(), (values.mean("realization") + error).max())


def test_the_longest_axis_is_the_abscissa_and_the_next_the_curves(table):
    (axes,) = sweep_panels(table, ["x"], Directions()).axes
    assert axes.get_xlabel() == "gamma"
    assert set(curves(axes)) == {"n = 2", "n = 3"}


def test_an_axis_of_the_observable_comes_first(table):
    (axes,) = sweep_panels(table, ["z"], Directions(at={"n": 3})).axes
    assert axes.get_xlabel() == "site $i$"
    assert set(curves(axes)) == {"gamma = 0.5", "gamma = 1.0", "gamma = 2.0"}


def test_axes_of_a_single_value_are_not_drawn(table):
    one = table.isel(n=[1], gamma=slice(None))
    (axes,) = sweep_panels(one, ["z"], Directions()).axes
    assert set(curves(axes)) == {"gamma = 0.5", "gamma = 1.0", "gamma = 2.0"}
    assert_allclose(curves(axes)["gamma = 1.0"][1], np.nanmean(one["z"].sel(gamma=1.0, n=3), axis=0))


def test_the_title_counts_the_points(table):
    said = sweep_panels(table, ["x"], Directions()).get_suptitle()
    failed = int((~np.isfinite(table["x"])).sum())
    assert f"{24 - failed} exact" in said
    assert "4 realizations" in said
    assert not failed or f"{failed} failed" in said


@pytest.mark.parametrize(
    ("names", "directions", "told"),
    [
        (["y"], Directions(), "no observable 'y'"),
        (["x"], Directions(x="h"), "no axis 'h'"),
        (["z"], Directions(), "depends on n too: fix them, for instance by --at n=2"),
        (["x"], Directions(at={"gamma": 3.0}), "gamma = 3.0 is not on the grid: 0.5, 1.0, 2.0"),
    ],
)
def test_what_cannot_be_drawn(table, names, directions, told):
    with pytest.raises(InputError, match=told):
        sweep_panels(table, names, directions)


def test_a_table_from_its_file(table, tmp_path):
    Record(table).save(tmp_path / "t.nc")
    assert plot(tmp_path / "t.nc", names=["x"], directions=Directions(logarithmic="x")).stat().st_size > 5000
    assert plot(tmp_path / "t.nc").exists()


def test_a_table_draws_itself(table, tmp_path):
    """As `tnness plot` does, from `collect` and from a file."""
    Record(table).save(tmp_path / "t.nc")
    for drawn in (table, open_table(tmp_path / "t.nc")):
        figure = drawn.tnness.plot("x", x="gamma", curves="n", logarithmic="x")
        (axes,) = figure.axes
        assert axes.get_xscale() == "log"
        expected = curves(sweep_panels(table, ["x"], Directions(x="gamma", curves="n")).axes[0])
        for label, (x, y) in curves(axes).items():
            assert_allclose(x, expected[label][0])
            assert_allclose(y, expected[label][1])
    assert len(table.tnness.plot().axes) == len(sweep_panels(table, [], Directions()).axes)
    assert table.tnness.plot("z", at={"n": 3}).axes[0].get_xlabel() == "site $i$"


def test_a_table_refuses_what_it_cannot_draw(table):
    with pytest.raises(InputError, match="no observable 'y'"):
        table.tnness.plot("y")
    with pytest.raises(InputError, match='logarithmic = \'z\': "", "x", "y" or "xy" is needed'):
        table.tnness.plot("x", logarithmic="z")
    with pytest.raises(InputError, match="the dataset is no table of a sweep"):
        table.drop_attrs().tnness.plot("x")


def test_one_realization_alone_is_drawn(table):
    (axes,) = sweep_panels(table, ["x"], Directions(x="gamma", curves="n", at={"realization": 1})).axes
    assert_allclose(curves(axes)["n = 3"][1], table["x"].sel(n=3).isel(realization=1))
