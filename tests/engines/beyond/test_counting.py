"""Counting statistics against the tilted Kronecker matrix, the formula of Levitov, known cumulants, and symmetries."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad

from chains import dense_lindbladian
from tnness import TEBD, Ask, Exact, Lindbladian, Start, bit, expectation, find, spin_half, spinless
from tnness.engines.beyond.counting import Counting
from tnness.errors import InputError, ModelError
from tnness.problems.tilted import tilted
from tnness.runs.beyond import counting

XX, XXZ, SSEP = find("xx-dephasing"), find("xxz-driven"), find("ssep")


def theta_of_matrices(chain, counter, field):
    """The leading eigenvalue of the tilted equation, from the Jordan-Wigner matrices of the terms."""
    hamiltonian, jumps = dense_lindbladian(chain)
    one = np.eye(len(hamiltonian))
    whole = -1j * (np.kron(hamiltonian, one) - np.kron(one, hamiltonian.T))
    for matrix, jump in zip(jumps, chain.jumps, strict=True):
        square = matrix.conj().T @ matrix
        weight = np.exp(field * dict(jump.counts).get(counter, 0.0))
        whole += weight * np.kron(matrix, matrix.conj()) - (np.kron(square, one) + np.kron(one, square.T)) / 2
    return np.linalg.eigvals(whole).real.max()


@pytest.mark.parametrize("counter", ["left", "right"])
@pytest.mark.parametrize("spread", [True, False])
def test_theta_is_the_leading_eigenvalue_of_the_tilted_equation(counter, spread):
    model = XXZ(n=3, delta=0.7, mu=0.4)
    record = counting(model, counter, points=4, spread=spread, engine="exact")
    for field, theta in zip(record["field"].values, record["theta"].values, strict=True):
        assert_allclose(theta, theta_of_matrices(model.problem(), counter, field), atol=1e-11)


@pytest.mark.parametrize("engine", ["exact", "gaussian"])
def test_theta_is_the_same_wherever_the_field_sits(engine):
    model = XX(n=4, dephasing=0.0, mu=0.6, fields=(0.3, -0.2, 0.7, 0.0))
    counters = ("left", "right", "bond:0", "bond:2")
    thetas = [counting(model, counter, points=4, engine=engine)["theta"].values for counter in counters]
    for theta in thetas[1:]:
        assert_allclose(theta, thetas[0], atol=1e-11)


def test_free_fermions_follow_the_formula_of_levitov():
    """theta = int dw/2pi ln(1 + T(w) [f_L (1 - f_R)(e^l - 1) + f_R (1 - f_L)(e^-l - 1)])."""
    n, mu, gamma = 12, 0.6, 1.3
    record = counting(XX(n=n, dephasing=0.0, mu=mu, gamma=gamma), points=4, engine="gaussian")
    hopping = 2.0 * (np.eye(n, k=1) + np.eye(n, k=-1)) - 0.5j * gamma * np.diag([1.0, *[0.0] * (n - 2), 1.0])
    left, right = (1 + mu) / 2, (1 - mu) / 2

    def integrand(energy, field):
        green = np.linalg.solve(energy * np.eye(n) - hopping, np.eye(n)[:, -1])[0]
        rate = gamma**2 * abs(green) ** 2
        return np.log1p(rate * (left * (1 - right) * np.expm1(field) + right * (1 - left) * np.expm1(-field))) / (
            2 * np.pi
        )

    for field, theta in zip(record["field"].values, record["theta"].values, strict=True):
        expected = quad(integrand, -30, 30, args=(field,), limit=2000, epsabs=1e-9, points=[-4, 0, 4])[0]
        assert_allclose(theta, expected, atol=2e-5)  # the tails beyond |w| = 30


def test_cumulants_of_the_exclusion_process():
    """The mean is 1/(n + 1); of three sites the noise is that of the matrix, by perturbation theory."""
    model = SSEP(n=3)
    record, chain = counting(model, engine="exact"), model.problem()
    matrix = chain.generator().matrix().toarray()
    values, vectors = np.linalg.eig(matrix)
    steady = vectors[:, np.abs(values).argmin()].real
    steady /= steady.sum()
    jumps = tilted(chain, "left", 1.0, spread=False).matrix().toarray() - matrix
    jumps = jumps / np.expm1(1.0)  # only particles that enter
    mean = jumps.sum(axis=0) @ steady
    response = -np.linalg.pinv(matrix) @ (jumps @ steady - mean * steady)
    response -= steady * response.sum()
    noise = mean + 2 * jumps.sum(axis=0) @ response
    assert_allclose(record["mean"], 0.25, atol=1e-10)
    assert_allclose([record["mean"], record["noise"]], [mean, noise], atol=1e-9)
    assert_allclose(record["fano"], noise / mean, atol=1e-9)
    for name in ("mean", "noise", "third_cumulant"):
        assert float(record[f"{name}_error"]) < 1e-6
    assert_allclose(record["large_deviation"].values.min(), 0, atol=1e-2)
    assert np.all(record["large_deviation"].values > -1e-9)


def test_a_driven_chain_obeys_the_symmetry_of_gallavotti_and_cohen():
    """theta(l) = theta(-l - A), A = ln of (in, out at the left) over those at the right."""
    model, mu = XX(n=3, dephasing=0.8, mu=0.3, gamma=1.0), 0.3
    affinity = 2 * np.log((1 + mu) / (1 - mu))
    chain = model.problem()
    for field in (0.4, -0.2):
        pair = [theta_of_matrices(chain, "left", value) for value in (field, -field - affinity)]
        assert_allclose(*pair, atol=1e-10)
        found = [
            np.linalg.eigvals(tilted(chain, "bond:1", value).matrix().toarray()).real.max()
            for value in (field, -field - affinity)
        ]
        assert_allclose(found, pair, atol=1e-10)


@dataclass(frozen=True)
class Fermions:
    """Three fermions with loss in the bulk, counted apart from the rest."""

    engines = ("exact", "gaussian")

    def problem(self):
        f, chain = spinless, Lindbladian([spinless] * 3)
        for i in range(2):
            chain.hamiltonian(f.Cd(i) * f.C(i + 1) + f.Cd(i + 1) * f.C(i) + 0.3 * f.N(i))
        chain.jump(f.Cd(0), rate=0.7, counts={"left": 1, "all": 1})
        chain.jump(f.C(1), rate=0.4, counts={"lost": 1, "all": -1})
        chain.jump(f.C(2), rate=0.6, counts={"all": -1})
        return chain

    def observables(self):
        return {"density": expectation([spinless.N(i) for i in range(3)], "site")}


@pytest.mark.parametrize("counter", ["left", "lost", "bond:0", "bond:1"])
def test_fermions_that_are_lost_in_the_bulk(counter):
    exact, closed = (counting(Fermions(), counter, points=4, engine=name) for name in ("exact", "gaussian"))
    assert_allclose(closed["theta"], exact["theta"], atol=1e-11)


def test_a_counter_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match=r"the chain has no counter 'lft' .did you mean 'left'"):
        counting(SSEP(n=3), "lft", engine="exact")


def test_counts_are_checked():
    chain = Lindbladian([bit] * 2)
    with pytest.raises(ModelError, match="not finite"):
        chain.jump(bit.Sp(0), counts={"left": np.inf})
    chain.jump(bit.Sp(0), counts="left")
    assert chain.jumps[0].counts == (("left", 1.0),)


def test_counts_change_no_physics():
    with_counts, without = (Lindbladian([spin_half] * 2) for _ in range(2))
    with_counts.jump(spin_half.Sp(0), counts="left")
    without.jump(spin_half.Sp(0))
    assert with_counts.digest() == without.digest()


@dataclass(frozen=True)
class TASEP:
    """The totally asymmetric exclusion process with unit rates."""

    n: int = 5

    def problem(self):
        chain = Lindbladian([bit] * self.n)
        for i in range(self.n - 1):
            chain.jump(bit.Sm(i) * bit.Sp(i + 1))
        chain.jump(bit.Sp(0), counts="left")
        chain.jump(bit.Sm(self.n - 1), counts="right")
        return chain

    def observables(self):
        return {"density": expectation([bit.N(i) for i in range(self.n)], "site")}

    @property
    def mean(self):
        """(n + 2) / (2 (2n + 1))."""
        return (self.n + 2) / (2 * (2 * self.n + 1))

    @property
    def noise(self):
        """Derrida, Evans, Mallick, J. Stat. Phys. 79, 833 (1995)."""
        f, n = math.factorial, self.n
        return 3 * f(4 * n + 1) * (f(n) * f(n + 2)) ** 2 / (2 * f(2 * n + 1) ** 3 * f(2 * n + 3))


@pytest.mark.parametrize("n", [3, 6])
def test_the_asymmetric_process_has_the_noise_of_derrida_evans_and_mallick(n):
    model = TASEP(n)
    record = counting(model, engine="exact", points=6, largest=0.4)
    assert_allclose([record["mean"], record["noise"]], [model.mean, model.noise], atol=1e-6)


def test_models_of_one_sided_hops_count_at_their_ends():
    wanted = TASEP(4)
    for counter in ("left", "right"):
        record = counting(find("tasep")(n=4), counter=counter, engine="exact", points=6, largest=0.4)
        assert_allclose([record["mean"], record["noise"]], [wanted.mean, wanted.noise], atol=1e-6)


def test_long_chains_evolve_to_the_same_theta():
    model = TASEP(4)
    exact = counting(model, engine="exact", points=4)
    record = counting(model, engine=TEBD(chi=8), points=4, tolerance=1e-3)
    apart = np.abs(record["theta"].values - exact["theta"].values)
    assert np.all(apart <= record["theta_error"].values + 1e-12)
    assert np.all(apart < 1e-3 * np.abs(exact["theta"].values))
    assert abs(float(record["mean"]) - model.mean) <= float(record["mean_error"])


@dataclass(frozen=True, kw_only=True)
class AtOneField(Counting):
    """theta at a single field."""

    @property
    def fields(self):
        return np.array([0.4])


@pytest.mark.slow
def test_theta_that_truncation_moves_for_ever_is_told_with_an_error_that_holds():
    """chi 8 and 4 of 64: theta jitters at 1e-4 of itself, and would do so for 20000 steps."""
    problem, start = find("xx-dephasing")(n=6, dephasing=0.5, mu=0.6).problem(), Start(ask=Ask(tolerance=1e-5))
    run = AtOneField().solver(TEBD(chi=8)).begin(problem, start)
    while not run.step().finished:
        assert run.steps < 4000
    exact = AtOneField().solver(Exact()).begin(problem, start)
    exact.step()
    assert "raise chi" in run.verdict()
    assert abs(run.table.theta - exact.table.theta) <= run.table.errors
    assert run.table.errors < 0.05 * exact.table.theta


def test_an_interrupted_counting_goes_on_bit_for_bit():
    problem, start = TASEP(3).problem(), Start(ask=Ask(tolerance=1e-2))
    solver = Counting(points=4).solver(TEBD(chi=4, order=2))
    whole, first = solver.begin(problem, start), solver.begin(problem, start)
    for _ in range(40):
        whole.step()
    for _ in range(25):
        first.step()
    second = solver.resume(problem, start, first.save())
    for _ in range(15):
        second.step()
    assert whole.place == second.place
    assert_array_equal(whole.table.theta, second.table.theta)
    for one, other in zip(whole.state.tensors, second.state.tensors, strict=True):
        assert_array_equal(one, other)


def test_a_field_that_has_no_time_to_settle_is_told():
    record = counting(TASEP(4), engine=TEBD(chi=4), points=4, max_time=1.0)
    assert "had not settled" in record.outcome
