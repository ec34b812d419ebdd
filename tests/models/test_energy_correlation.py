"""Energy correlations of scattering states, against matrices that are formed in full."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness import InputError, steady_state
from tnness.model.parameters import build
from tnness.model.protocol import draw
from tnness.model.registry import find
from transfer_chains import dense_green

EnergyCorrelation = find("energy-correlation")


@pytest.mark.parametrize("size", [2, 4])
def test_against_full_matrices(size):
    model = draw(EnergyCorrelation(size=size, detunings=(0.0, 3.0), energy=0.13), 5)
    chain = model.problem()
    m, half = size**2, size**3 // 2

    def rho(energy):
        green = dense_green(chain, energy)[:, :m]
        return green @ (-2 * chain.leads[0].self_energy(energy).imag) @ green.conj().T

    one, two = rho(0.13), rho(0.13 + 3 / (size + 2) ** 2)
    a, b = slice(m, m + half), slice(m + half, m + 2 * half)
    expected = [2 * np.vdot(one[a, b], other[a, b]).real for other in (one, two)]
    found = steady_state(model).dataset
    assert_allclose(found["correlation"], expected, rtol=1e-10)
    assert_allclose(found["i_ab"], [1, expected[1] / expected[0]], rtol=1e-10)
    assert float(found["f_ab"]) == pytest.approx(2 * expected[0] / ((size + 2) * size) ** 2)
    inside = [
        np.vdot(one[a, a], other[a, a]).real - np.sum(np.diag(one)[a] * np.diag(other)[a]).real for other in (one, two)
    ]
    weight = 2 / (size + 2) ** 2 / (2 * np.pi) ** 2
    assert float(found["entropy_deviation"]) == pytest.approx(weight * 3 * sum(inside), rel=1e-9)
    assert float(found["mutual_information"]) == pytest.approx(weight * 3 * sum(expected), rel=1e-9)


def test_volume_law_at_small_sizes():
    """f_AB grows with the size: 0.31 at L = 4, 0.35 at 6 (ours; literal eq. (72)), over realizations."""
    means = []
    for size in (2, 4):
        means.append(np.mean([steady_state(EnergyCorrelation(size=size), seed=s).dataset["f_ab"] for s in range(20)]))
    assert means[0] < means[1]


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"size": 3}, "even"),
        ({"detunings": [1.0]}, "increase from 0"),
        ({"detunings": [0.0, 2.0, 1.0]}, "increase from 0"),
        ({"potential": [1.0]}, "finite numbers"),
        ({"t_par": -1.0}, "t_par"),
    ],
)
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(EnergyCorrelation, parameters)
