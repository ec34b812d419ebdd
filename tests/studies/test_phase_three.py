"""The study of phase III, end to end on the shortest chains."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from study_modules import modules_of


@pytest.fixture(scope="module")
def study():
    with modules_of("phase_three") as found:
        yield found


@pytest.fixture(scope="module")
def tiny(study):
    presets, points = study["presets"], study["points"]
    return presets.Preset(
        name="tiny",
        sizes=(points.Sizes(gates=(presets.HALF, (0.25, 0.75)), chi={2: 0, 4: 0, 5: 16}),),
        chis=tuple(presets.at(5, chi) for chi in (8, 16)),
        steps=tuple(presets.at(5, 16, dt=dt) for dt in (1.2, 1.6)),
        deltas=tuple(presets.at(3, 0, delta=delta) for delta in (0.05, 0.4)),
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


def test_sizes(study, tiny, store):
    module = study["figure_sizes"]
    dataset = module.data(tiny, store).assign_attrs(preset="tiny")
    assert set(dataset["outcome"].values.tolist()) <= {"exact", "converged"} | {
        o for o in dataset["outcome"].values.tolist() if "raise" in o or "lower" in o
    }
    four = module.group(dataset, 0.5, 0.5).isel(point=1)
    assert_allclose([four["deviation"], four["information"]], [0.8550, 0.2033], atol=5e-5)
    assert "L -> infinity" in module.report(dataset)
    figure = module.draw(dataset)
    assert isinstance(figure, Figure)


def test_convergence(study, tiny, store, monkeypatch):
    module = study["figure_convergence"]
    monkeypatch.setattr(module, "LENGTH", 4)
    monkeypatch.setattr(module, "COUNT", 3)
    dataset = module.data(tiny, store).assign_attrs(preset="tiny")
    small = dataset.isel(point=np.flatnonzero((dataset["varied"] == "delta") & (dataset["value"] < 0.1)))
    assert_allclose(small["information"], small["reference"], rtol=2e-2)  # corrections are 4 delta^2
    assert isinstance(module.draw(dataset), Figure)


def test_limits_are_recovered_from_their_own_form(study):
    n = np.array([12.0, 16, 20, 28, 40])
    assert_allclose(study["theory"].limit(n, 1.5 - 3 / n), [1.5, -3], rtol=1e-12)
    assert_allclose(study["theory"].limit(n, 1.5 - 3 / n + 2 / n**2, (1.0, 2.0)), [1.5, -3, 2], rtol=1e-9)


def test_claims_are_the_papers(study):
    deviation, information = study["theory"].claimed(np.array([4.0, 10.0]), 0.5, 0.5)
    assert_allclose(deviation, [2.658, 1.063], atol=1e-3)
    assert_allclose(information, [0.3062, 0.0490], atol=1e-4)


def test_a_pair_spreads_and_keeps_its_weight(study):
    module = study["figure_front"]
    times = np.array([0.0, 0.4, 0.8])
    shares = module.spread(8, 0.5, 0.5, times, chi=64)
    assert_allclose(shares[:, -1], 1, atol=0.02)  # what has left through the ends
    assert_allclose(shares[0], [0, 0, 0, 0, 0, 1, 1, 1, 1], atol=1e-12)
    speed, ends = module.speed(times, shares)
    assert ends[0] == pytest.approx(4.5, abs=1e-9)
    assert 0 < speed < 1
