"""Correlations in time against the exponential of the Kronecker matrix, sum rules, and closed formulas."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import expm, null_space

from chains import dense_lindbladian, dense_operator
from tnness import TEBD, Ask, Lindbladian, Record, Start, expectation, find, product_state, spinless, steady_state
from tnness import spin_half as s
from tnness.engines.beyond.correlation import Correlation, spectrum
from tnness.engines.initial import Initial
from tnness.errors import InputError, RecordError
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


@pytest.mark.parametrize("picture", ["schroedinger", "heisenberg"])
def test_networks_give_the_same_in_both_pictures(picture):
    model = XXZ(n=3, delta=0.6, mu=0.5)
    steady, about = steady_state(model, engine="exact"), {"picture": picture, "errors": False}
    record = correlation(model, FIRST, SECOND, TIMES[:2], engine=TEBD(chi=4, dt=0.1), initial=steady, **about)
    exact = correlation(model, FIRST, SECOND, TIMES[:2], engine="exact")
    for name in ("connected_real", "connected_imag", "correlation_real", "correlation_imag"):
        assert_allclose(record[name], exact[name], atol=1e-6, err_msg=name)


def test_the_steady_state_is_found_first_and_kept_beside_the_record(tmp_path):
    model, engine = XXZ(n=2, delta=0.6, mu=0.5), TEBD(chi=4)
    record = correlation(model, "Z(0)", "Z(0)", [0.0, 0.5], engine=engine, out=tmp_path / "in_time.nc")
    steady = Record.open(tmp_path / "in_time.steady.nc")
    again = correlation(model, "Z(0)", "Z(0)", [0.0, 0.5], engine=engine, initial=steady)
    assert_allclose(again["correlation_real"], record["correlation_real"], atol=1e-14)
    assert np.isfinite(record["connected_real_error"]).all()


def test_fermions_in_time_with_hops_between_neighbours():
    f = spinless

    @dataclass(frozen=True)
    class Wire:
        engines = ("tebd", "exact", "gaussian")

        def problem(self):
            chain = Lindbladian([f] * 3)
            for i in range(2):
                chain.hamiltonian(f.Cd(i) * f.C(i + 1) + f.Cd(i + 1) * f.C(i) + 0.4 * f.N(i))
            chain.jump(f.Cd(0), rate=0.8)
            chain.jump(f.C(1), rate=0.3)
            chain.jump(f.C(2), rate=0.5)
            return chain

        def observables(self):
            return {"density": expectation([f.N(i) for i in range(3)], "site")}

    first, second = ["N(0)", "Cd(1)*C(2)"], ["Cd(0)*C(1)", "N(2)"]
    steady = steady_state(Wire(), engine="exact")
    records = [
        correlation(Wire(), first, second, [0.0, 0.7], engine=engine, errors=False, initial=initial)
        for engine, initial in (("exact", None), ("gaussian", None), (TEBD(chi=8, dt=0.1), steady))
    ]
    for record in records[1:]:
        for name in ("correlation_real", "correlation_imag"):
            assert_allclose(record[name], records[0][name], atol=1e-5, err_msg=name)


def test_an_interrupted_correlation_goes_on_bit_for_bit():
    problem, ask = XXZ(n=3, delta=0.6, mu=0.5).problem(), Ask(times=(0.5, 1.0))
    solver = Correlation(first=("Z(0)",), second=("Sp(1)*Sm(2)",)).solver(TEBD(chi=3, dt=0.1))
    start = Start(Initial("network", product_state([s] * 3, [[0.7, 0.3]] * 3)), ask)
    whole, first = solver.begin(problem, start), solver.begin(problem, start)
    for _ in range(8):
        whole.step(1.0)
    for _ in range(5):
        first.step(1.0)
    second = solver.resume(problem, Start(Initial(), ask), first.save())
    for _ in range(3):
        second.step(1.0)
    assert_array_equal(whole.view().correlation_in_time, second.view().correlation_in_time)


def test_the_steady_state_is_asked_for():
    solver = Correlation(first=("Z(0)",), second=("Z(1)",)).solver(TEBD(chi=3))
    with pytest.raises(InputError, match="needs the steady state"):
        solver.begin(XXZ(n=3).problem(), Start(ask=Ask(times=(1.0,))))


def test_a_steady_state_of_other_physics_is_refused(tmp_path):
    """A record left beside an earlier answer is not taken for that of another chain, whose sites are like its own."""
    here = {"engine": TEBD(chi=16), "errors": False, "out": tmp_path / "c.nc"}
    correlation(find("xx-dephasing")(n=3), "Z(1)", "Z(1)", [0.0, 0.5], **here)
    (tmp_path / "c.nc").unlink()
    with pytest.raises(RecordError, match="other physics") as error:
        correlation(find("xx-dephasing")(n=3, mu=0.1), "Z(1)", "Z(1)", [0.0, 0.5], **here)
    assert "\n" not in str(error.value)


def test_a_steady_state_that_is_not_certified_is_refused():
    model = find("xx-dephasing")(n=3)
    early = steady_state(model, engine=TEBD(chi=16), max_time=1.0)
    with pytest.raises(RecordError, match="needs a certified steady state"):
        correlation(model, "Z(1)", "Z(1)", [0.0, 0.5], engine=TEBD(chi=16), initial=early)
