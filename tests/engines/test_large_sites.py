"""Runs on large sites, on sites of different spaces and on a single one."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import scipy.linalg as linalg
import scipy.sparse as sparse
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp

from chains import coefficients, dense_lindbladian, random_density_matrix
from tnness.engines.exact import Exact
from tnness.engines.initial import parse_initial
from tnness.engines.starting import density_operator
from tnness.engines.tebd import TEBD
from tnness.errors import InputError
from tnness.network.chain_state import ChainState
from tnness.network.chain_view import ChainView
from tnness.network.initial import product_state
from tnness.observables.observable import cutoff_weight, expectation
from tnness.operators.basis import LocalSpace, boson, spin_half
from tnness.problems import lindbladian
from tnness.problems.generator import ChainGenerator
from tnness.problems.lindbladian import Lindbladian
from tnness.runs.solve import evolve, steady_state
from tnness.stopping.balance import checks, residual


def driven(spaces: list[LocalSpace], drive: float = 0.3) -> Lindbladian:
    """Bosons and spins: hopping, drive, interaction, loss."""
    chain = Lindbladian(spaces)
    raising = [space.operators.get("Bd", space.operators.get("Sp"))(i) for i, space in enumerate(spaces)]
    for i in range(len(spaces) - 1):
        hop = raising[i] * raising[i + 1].dag()
        chain.hamiltonian(0.7 * (hop + hop.dag()))
    for i, space in enumerate(spaces):
        chain.hamiltonian(drive * (raising[i] + raising[i].dag()) + 0.2 * space.N(i) * space.N(i))
        chain.jump(raising[i].dag(), rate=0.5 + 0.1 * i)
    return chain


def exact_gates(generator: ChainGenerator, order: int, dt: float, time: float) -> ChainState:
    settings = TEBD(chi=10**4, dt=dt, order=order, cutoff=1e-28, method="svd", schedule=())
    run = settings.init(generator, density_operator(parse_initial(f"product:{'0' * generator.n}"), generator))
    while run.time < time - 1e-9:
        run.step(time)
    return run.chain_state()


@pytest.mark.parametrize("spaces", [[boson(2), spin_half, boson(3)], [boson(3), boson(2)]], ids=["3", "2"])
@pytest.mark.parametrize(("order", "least"), [(2, 3.8), (4, 14.0)])
def test_gates_in_factors_keep_the_order(monkeypatch, spaces, order, least):
    monkeypatch.setattr(lindbladian, "LARGEST_TERM", 5)
    generator = driven(spaces).generator()
    assert generator.is_factored
    start = density_operator(parse_initial(f"product:{'0' * len(spaces)}"), generator).dense()
    wanted = linalg.expm(0.6 * generator.matrix().toarray()) @ start
    errors = [np.linalg.norm(exact_gates(generator, order, dt, 0.6).dense() - wanted) for dt in (0.1, 0.05)]
    assert errors[0] / errors[1] >= least
    assert errors[1] < {2: 1e-3, 4: 1e-8}[order]


def test_checks_of_a_state_do_without_matrices_of_bonds(monkeypatch):
    spaces = [boson(2), spin_half, boson(3)]
    usual = driven(spaces).generator()
    rng = np.random.default_rng(2)
    state = product_state(spaces, [random_density_matrix(space.levels, rng) for space in spaces])
    view = ChainView(state, spaces, usual.functionals)
    one = checks(usual, view, residual(usual, state))
    monkeypatch.setattr(lindbladian, "LARGEST_TERM", 5)
    generator = driven(spaces).generator()
    other = checks(generator, view, residual(generator, state))
    for name in ("residual", "local_balance", "positivity", "cutoff_weight"):
        assert_allclose(other[name], one[name], rtol=1e-10)
    vector = state.dense()
    assert_allclose(one["residual"], np.linalg.norm(usual.apply(vector)) / np.linalg.norm(vector))


@dataclass(frozen=True)
class Dimer:
    """Two driven bosonic modes that exchange bosons."""

    cutoff: int = 12  # largest occupation
    drive: float = 0.8

    def problem(self):
        return driven([boson(self.cutoff)] * 2, self.drive)

    def observables(self):
        b = boson(self.cutoff)
        current = 1j * (b.Bd(0) * b.B(1) - b.Bd(1) * b.B(0))
        numbers = expectation([b.N(i) for i in range(2)], "site")
        return {"n": numbers, "current": expectation(current), "last": cutoff_weight([b] * 2)}


def by_integration(cutoff: int, drive: float, time: float) -> tuple[np.ndarray, np.ndarray]:
    """N_i and the population of the last level of each site, from the d^2 x d^2 density matrix by Runge and Kutta."""
    d = cutoff + 1
    lower, one = np.diag(np.sqrt(np.arange(1, d)), 1), np.eye(d)
    a = [np.kron(lower, one), np.kron(one, lower)]
    n = [x.T @ x for x in a]
    h = 0.7 * (a[0].T @ a[1] + a[1].T @ a[0]) + sum(drive * (x + x.T) + 0.2 * m @ m for x, m in zip(a, n, strict=True))
    rates = (0.5, 0.6)
    effective = sparse.csr_array(-1j * h - sum(rate * m for rate, m in zip(rates, n, strict=True)) / 2)
    a = [sparse.csr_array(x) for x in a]

    def change(_, flat):
        rho = flat.reshape(d * d, d * d)
        drift = effective @ rho
        jumps = sum(r * (x @ (x @ rho).T).T for r, x in zip(rates, a, strict=True))
        return (drift + drift.conj().T + jumps).ravel()

    rho = np.zeros((d * d, d * d), complex)
    rho[0, 0] = 1
    rho = solve_ivp(change, (0, time), rho.ravel(), rtol=1e-9, atol=1e-11).y[:, -1].reshape(d * d, d * d)
    last = np.diag(np.eye(d)[-1])
    reads = [n, [np.kron(last, one), np.kron(one, last)]]
    return tuple(np.array([np.trace(rho @ m).real for m in ms]) for ms in reads)  # type: ignore[return-value]


def test_two_driven_sites_of_thirteen_levels():
    """Against an integration of the dense matrix: 1e-6."""
    numbers, last = by_integration(12, 2.5, 0.4)
    record = evolve(Dimer(drive=2.5), [0.4], engine=TEBD(chi=48, dt=0.05), initial="product:0,0", errors=False)
    assert_allclose(record["n"].values[-1], numbers, atol=1e-6)
    assert_allclose(record["last"].values[-1], last, atol=1e-7)
    assert_allclose(record.certificate.figures()["cutoff_weight"], last.max(), atol=1e-7)


def test_a_steady_state_of_large_sites_is_certified(monkeypatch):
    monkeypatch.setattr(lindbladian, "LARGEST_TERM", 5)
    model = Dimer(cutoff=2, drive=0.3)
    record = steady_state(model, engine=TEBD(chi=9))
    exact = steady_state(model, engine=Exact())
    assert record.certificate.converged
    assert_allclose(record["n"].values, exact["n"].values, atol=1e-4)
    assert (np.abs(record["n"] - exact["n"]) <= record["n_error"] + 1e-12).all()
    assert_allclose(record.certificate.figures()["cutoff_weight"], float(exact["last"].max()), rtol=1e-2)


@dataclass(frozen=True)
class Mode:
    """A single driven mode: a coherent state."""

    cutoff: int = 14
    drive: float = 0.5

    def problem(self):
        b, chain = boson(self.cutoff), Lindbladian([boson(self.cutoff)])
        chain.hamiltonian(0.2 * b.N(0) + self.drive * (b.B(0) + b.Bd(0)))
        chain.jump(b.B(0))
        return chain

    def observables(self):
        b = boson(self.cutoff)
        return {"n": expectation(b.N(0)), "last": cutoff_weight([b])}


def test_a_single_site_is_solved_exactly_and_by_default():
    """alpha = -i drive/(1/2 + .2 i), N = |alpha|^2, Poissonian occupations."""
    record = steady_state(Mode())
    number = 0.25 / (0.25 + 0.04)
    assert record.outcome == "exact"
    assert record.settings["engine"] == "exact"
    assert_allclose(float(record["n"]), number, atol=1e-8)
    poisson = math.exp(-number) * number**14 / math.factorial(14)
    assert_allclose(record.certificate.figures()["cutoff_weight"], poisson, rtol=0.2)
    late = evolve(Mode(), [0.0, 1.0], initial="product:3")
    assert_allclose(late["n"].values[0], 3)
    with pytest.raises(InputError, match="takes chains of at least two sites: this one is solved by engine 'exact'"):
        steady_state(Mode(), engine=TEBD(chi=4))


@pytest.mark.parametrize("spaces", [[boson(2), spin_half, boson(3)], [boson(4)]], ids=["three", "one"])
def test_thermal_states(monkeypatch, spaces):
    monkeypatch.setattr(lindbladian, "LARGEST_TERM", 5)
    chain = driven(spaces)
    h, _ = dense_lindbladian(chain)
    rho = linalg.expm(-0.4 * h)
    state = density_operator(parse_initial("thermal:0.4"), chain.generator())
    assert_allclose(state.dense(), coefficients(rho / np.trace(rho), spaces), atol=1e-7)


def test_bosons_that_hop_and_get_lost():
    """<b^+_i b_j> obeys a closed equation: dG/dt = A G + G A^+, A = -i h - Gamma/2. A gate as a matrix: 134 MB."""

    @dataclass(frozen=True)
    class Hopping:
        def problem(self):
            b, chain = boson(7), Lindbladian([boson(7)] * 3)
            for i in range(2):
                chain.hamiltonian(b.Bd(i) * b.B(i + 1) + b.Bd(i + 1) * b.B(i))
            for i in range(3):
                chain.jump(b.B(i), rate=0.2 * (i + 1))
            return chain

        def observables(self):
            b = boson(7)
            return {"n": expectation([b.N(i) for i in range(3)], "site")}

    h = np.eye(3, k=1) + np.eye(3, k=-1)
    moved = linalg.expm(0.2 * (-1j * h - 0.1 * np.diag([1, 2, 3])))
    wanted = np.diag(moved @ np.diag([0, 2, 0]) @ moved.conj().T).real
    record = evolve(Hopping(), [0.2], engine=TEBD(chi=10, dt=0.1, order=4), initial="product:0,2,0", errors=False)
    assert_allclose(record["n"].values[-1], wanted, atol=1e-6)
