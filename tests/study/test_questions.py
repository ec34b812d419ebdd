"""Sweeps that ask a question at every point, and the figures of questions."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose

from tnness import Correlation, Counting, Modes, Record, collect, correlation, counting, find, modes, sweep
from tnness.errors import InputError, RecordError
from tnness.records.drawing import panels
from tnness.study.sweep_figure import Directions, sweep_panels

SSEP, XX = find("ssep"), find("xx-dephasing")


def test_modes_of_every_point_are_those_of_a_run_of_its_own(tmp_path):
    assert sweep("ssep", {"n": [3, 4]}, store=tmp_path, engine="exact", question=Modes(count=2), workers=0).complete
    table = collect(tmp_path)
    for n in (3, 4):
        own = modes(SSEP(n=n), 2, engine="exact")
        assert_allclose(table["rate"].sel(n=n, realization=0), own["rate"])
    (drawn, *_) = sweep_panels(table, ["rate"], Directions("n", "mode")).axes
    assert_allclose(drawn.lines[0].get_xdata(), [3, 4])
    assert_allclose(drawn.lines[0].get_ydata(), table["rate"].values[:, 0, 0])


def test_counters_of_every_point(tmp_path):
    question = Counting(counter="right", points=4)
    assert sweep("ssep", {"n": [2, 3]}, store=tmp_path, engine="exact", question=question, workers=0).complete
    table = collect(tmp_path)
    assert_allclose(table["mean"].values[:, 0], [1 / 3, 1 / 4], atol=1e-4)
    assert_allclose(table["field"], question.fields)
    own = counting(SSEP(n=2), "right", points=4, engine="exact")
    assert_allclose(table["theta"].sel(n=2, realization=0), own["theta"])


def test_correlations_of_networks_begin_with_the_steady_state_of_each_point(tmp_path):
    question = Correlation(first=("Z(1)",), second=("Z(1)",))
    about = {"engine": "tebd", "times": [0.5], "workers": 0, "question": question}
    assert sweep("xx-dephasing", {"n": [2, 3]}, store=tmp_path, **about).complete
    table = collect(tmp_path)
    for n in (2, 3):
        exact = correlation(XX(n=n), "Z(1)", "Z(1)", [0.5], engine="exact")
        assert_allclose(
            table["connected_real"].sel(n=n).values.ravel(), exact["connected_real"].values.ravel(), atol=1e-3
        )


def test_a_store_holds_one_question(tmp_path):
    sweep("ssep", {"n": [2]}, store=tmp_path, engine="exact", question=Modes(count=1), workers=0)
    with pytest.raises(RecordError, match="question"):
        sweep("ssep", {"n": [2]}, store=tmp_path, engine="exact", question=Modes(count=2), workers=0)


def test_a_question_needs_its_times_and_takes_no_others(tmp_path):
    question = Correlation(first=("N(0)",), second=("N(0)",))
    with pytest.raises(InputError, match="correlation needs --time"):
        sweep("ssep", {"n": [2]}, store=tmp_path, engine="exact", question=question, workers=0)
    with pytest.raises(InputError, match="modes are those of the chain"):
        sweep("ssep", {"n": [2]}, store=tmp_path, engine="exact", question=Modes(), times=[1.0], workers=0)
    with pytest.raises(InputError, match=r"modes\(\) has no option 'sed'.*seed"):
        modes(SSEP(n=2), sed=1)


def test_correlations_are_curves_named_by_their_operators():
    record = correlation(SSEP(n=3), ["N(0)", "N(1)"], "N(2)", [0.0, 0.5, 1.0], engine="exact")
    (axes,) = panels(record.dataset, ["connected_real"]).axes
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["N(0), N(2)", "N(1), N(2)"]
    curves = [line for line in axes.lines if len(line.get_xdata()) == 3]
    for k, line in enumerate(curves[:2]):
        assert_allclose(line.get_ydata(), record["connected_real"].values[:, k, 0])
    assert to_hex(curves[0].get_color()) != to_hex(curves[1].get_color())


def test_modes_are_points_at_whole_numbers():
    record = modes(SSEP(n=3), 3, engine="exact")
    (axes,) = panels(record.dataset, ["rate"]).axes
    assert axes.lines[0].get_linewidth() == 0
    assert np.all(axes.xaxis.get_major_locator()() % 1 == 0)
    assert isinstance(record, Record)
