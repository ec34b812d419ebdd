"""Correlations in time against the exponential of the Kronecker matrix, sum rules, and closed formulas."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import expm, null_space

from chains import dense_lindbladian, dense_operator
from tnness import find
from tnness import spin_half as s
from tnness.engines.beyond.correlation import spectrum
from tnness.errors import InputError
from tnness.operators.reading import read_operator, written_operator
from tnness.runs.beyond import correlation

XX, XXZ = find("xx-dephasing"), find("xxz-driven")
TIMES = (0.0, 0.4, 3.0)
FIRST = ("Z(1)", "N(2)", "Sp(0)*Sm(1) + Sp(1)*Sm(0)", "Sp(0)*Sm(1)")
SECOND = ("Z(1)", "Sp(1)*Sm(2)")


def by_matrices(chain, first, second, times):
    """Tr A exp(L t) (B rho), all as matrices (prod d, prod d) in row-major order: (time, first, second)."""
    hamiltonian, jumps = dense_lindbladian(chain)
    one, spaces = np.eye(len(hamiltonian)), list(chain.spaces)
    whole = -1j * (np.kron(hamiltonian, one) - np.kron(one, hamiltonian.T))
    for jump in jumps:
        square = jump.conj().T @ jump
        whole += np.kron(jump, jump.conj()) - (np.kron(square, one) + np.kron(one, square.T)) / 2
    rho = null_space(whole, rcond=1e-10)[:, 0].reshape(one.shape)
    rho = rho / np.trace(rho)
    left, right = ([dense_operator(read_operator(text, spaces), spaces) for text in of] for of in (first, second))
    values = []
    for time in times:
        propagator = expm(whole * time)
        evolved = [(propagator @ (b @ rho).ravel()).reshape(one.shape) for b in right]
        values.append([[np.trace(a @ each) for each in evolved] for a in left])
    return np.array(values)


@pytest.mark.parametrize(
    ("model", "engine"),
    [
        (XXZ(n=3, delta=0.6, mu=0.5), "exact"),
        (XX(n=3, dephasing=0.0, mu=0.6, fields=(0.3, 0.1, -0.7)), "exact"),
        (XX(n=3, dephasing=0.0, mu=0.6, fields=(0.3, 0.1, -0.7)), "gaussian"),
    ],
)
def test_correlations_are_those_of_the_matrices(model, engine):
    record = correlation(model, FIRST, SECOND, TIMES, engine=engine)
    expected = by_matrices(model.problem(), FIRST, SECOND, TIMES)
    assert_allclose(record["correlation_real"], expected.real, atol=1e-9)
    assert_allclose(record["correlation_imag"], expected.imag, atol=1e-9)
    assert record["correlation_real"].dims == ("time", "first", "second")
    assert record.outcome == "complete"


def test_connected_correlations_decay():
    record = correlation(XX(n=3, dephasing=1.0, mu=0.5), "Z(1)", "Z(1)", [0.0, 40.0], engine="exact")
    z = correlation(XX(n=3, dephasing=1.0, mu=0.5), "Z(1)", "1.0", [0.0], engine="exact")["correlation_real"].item()
    assert_allclose(record["connected_real"].values.ravel(), [1 - z**2, 0], atol=1e-9)


def test_a_thousand_sites_are_as_good_as_ten_near_an_end():
    short, long = (
        correlation(XX(n=n, dephasing=0.0, mu=0.4, gamma=2.0), "Z(0)", "Z(1)", [0.0, 0.5], engine="gaussian")
        for n in (40, 80)
    )
    assert_allclose(short["connected_real"], long["connected_real"], atol=1e-10)


def test_the_spectrum_obeys_its_sum_rule():
    """int S(w) dw / 2 pi = C(0), and S >= 0 in the steady state of A = B."""
    times = np.linspace(0, 20, 401)
    record = correlation(XX(n=4, dephasing=0.0, mu=0.4), "Z(1)", "Z(1)", times, engine="gaussian")
    values = record["connected_real"].values[:, 0, 0] + 1j * record["connected_imag"].values[:, 0, 0]
    frequencies = np.linspace(-40, 40, 641)
    found = spectrum(times, values, frequencies, "gauss")
    assert_allclose(np.trapezoid(found, frequencies) / (2 * np.pi), values[0].real, atol=2e-3)
    assert found.min() > -2e-3


@pytest.mark.parametrize("window", ["none", "hann", "gauss"])
def test_the_spectrum_of_a_damped_wave_is_a_lorentzian(window):
    t, w = np.linspace(0, 60, 3001), np.array([-1.0, 0.0, 2.0, 2.5])
    found = spectrum(t, np.exp(-(0.5 + 2j) * t), w, window)
    assert_allclose(found, 2 * 0.5 / (0.25 + (w - 2) ** 2), atol=1e-6 if window == "none" else 5e-2)


def test_operators_are_written_and_read():
    operator = 0.5 * s.Z(0) * s.Z(2) - 1j * s.Sp(1)
    text = written_operator(operator, [s] * 3)
    assert_allclose(dense_operator(read_operator(text, [s] * 3), [s] * 3), dense_operator(operator, [s] * 3))


@pytest.mark.parametrize("text", ["Z(5)", "Q(1)", "Z(0)/2", "__import__('os')", "Z(", "Z(0.5)"])
def test_a_text_that_is_no_operator_is_refused(text):
    with pytest.raises(InputError, match="operator"):
        read_operator(text, [s] * 3)


def test_dephasing_is_refused_by_gaussian():
    with pytest.raises(InputError, match="with dephasing"):
        correlation(XX(n=3), "Z(0)", "Z(1)", [1.0], engine="gaussian")
