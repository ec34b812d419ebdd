"""The study of the current-driven circuits, end to end on the shortest chains."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from study_modules import modules_of


@pytest.fixture(scope="module")
def study():
    with modules_of("current_driven_circuits") as found:
        yield found


@pytest.fixture(scope="module")
def tiny(study):
    presets = study["presets"]
    cuts = (
        presets.Cut(name="I to II", gates=((1e-6, 0.0), (1.0, 0.0)), varied="p1", lengths=(40, 80), chi=0),
        presets.Cut(name="II to III", gates=((0.5, 0.1), (0.5, 0.5)), varied="p2", lengths=(4, 6), chi=24),
    )
    return presets.Preset(name="tiny", cuts=cuts, haar=(2, 3), drawn=(2,), steps=4000)


def test_crossovers(study, tiny, tmp_path):
    module = study["figure_4"]
    dataset = module.data(tiny, tmp_path)
    _, deviation = module.exponents(dataset, "I to II", "deviation")
    _, information = module.exponents(dataset, "I to II", "information")
    assert_allclose(deviation, [1, 1], atol=0.05)  # a volume law in both phases
    assert_allclose(information, [3, 1], atol=0.15)  # (52): p1 L^3 close to phase I
    figure = module.draw(dataset)
    assert isinstance(figure, Figure)
    study["drawing"].save(figure, dataset, "figure_4", tmp_path)


def test_purities(study, tiny):
    dataset = study["figure_11"].data(tiny)
    assert_allclose(dataset["haar"], dataset["haar_closed"], atol=1e-4)
    assert_allclose(dataset["printed"], dataset["printed_closed"], atol=1e-4)
    assert abs(dataset["drawn"].values[0] - 12 / 33) < 5 * dataset["drawn_error"].values[0]
    assert isinstance(study["figure_11"].draw(dataset), Figure)


def test_gates_act_on_both_sides(study):
    rng = np.random.default_rng(2)
    gate, rho = (rng.standard_normal((4, 4)) + 1j * rng.standard_normal((4, 4)) for _ in range(2))
    big = np.kron(np.eye(2), gate)
    rho = np.kron(np.diag([0.3, 0.7]), rho + rho.conj().T)
    assert_allclose(study["figure_11"].apply(gate, rho, 1, 3), big @ rho @ big.conj().T, atol=1e-12)


@pytest.mark.parametrize(("r1", "r2"), [(0.001, 0.1), (0.1, 0.1), (1.0, 0.1)])
def test_fronts_settle_at_the_marginal_speed(study, r1, r2):
    module = study["operator_front"]
    assert_allclose(module.integrated_speed(r1, r2), module.marginal_speed(r1, r2), rtol=0.03)
