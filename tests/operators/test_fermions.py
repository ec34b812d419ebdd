"""Fermions that enter and leave at both ends, against Jordan-Wigner matrices of the whole chain and its covariance."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import systems
from chains import random_density_matrix, seeds
from tnness import TEBD, Lindbladian, Observable, evolve, expectation, steady_state
from tnness.engines.exact import Exact, steady_vector
from tnness.engines.gaussian import Gaussian
from tnness.operators.basis import LocalSpace, coefficients, density_matrix, quantum_space
from tnness.operators.basis import spinless as f
from tnness.operators.terms import Operator, total
from tnness.problems.lindbladian import Jump

LOWER, ONE, SIGN = np.array([[0, 1], [0, 0]]), np.eye(2), np.diag([1, -1])
UP, DOWN = np.kron(LOWER, ONE), np.kron(SIGN, LOWER)  # up first; levels: empty, down, up, both
electron = quantum_space(
    "electron",
    {"Nu": UP.T @ UP, "Nd": DOWN.T @ DOWN, "P": np.kron(SIGN, SIGN)},
    odd={"Cu": UP, "Cud": UP.T, "Cd": DOWN, "Cdd": DOWN.T},
)
MODES = {"spinless": f, "electron": electron}
WORDS = {"spinless": systems.SPINLESS, "electron": systems.ELECTRON}
SIZES = [("spinless", 2), ("spinless", 3), ("electron", 2)]  # whose Liouvillian is solved densely in a blink
MIXED = [0.3055, 0.3311, 0.3549]  # <n_i>
UPWARD = [0.4926, 0.4609, 0.4228]  # <n_up,i>
ENGINES = pytest.mark.parametrize("engine", [Exact(), TEBD(chi=16, dt=0.2)], ids=["exact", "tebd"])


@dataclass(frozen=True)
class Paired:
    """Hops and pairs on three sites; one end loses particles, the other is a mixture of loss and gain."""

    def problem(self) -> Lindbladian:
        chain = Lindbladian([f] * 3)
        for i in range(2):
            hop, pair = f.Cd(i) * f.C(i + 1), f.Cd(i) * f.Cd(i + 1)
            chain.hamiltonian(hop + hop.dagger() + 0.5 * (pair + pair.dagger()))
        for i, field in enumerate((0.3, 0.5, 0.7)):
            chain.hamiltonian(field * f.N(i))
        chain.jump(f.C(0))
        chain.jump(f.C(2) + 0.5 * f.Cd(2))
        return chain

    def observables(self) -> dict[str, Observable]:
        return {"n": expectation([f.N(i) for i in range(3)], "site")}


@dataclass(frozen=True)
class Electrons:
    """Free electrons on three sites: in at site 0, out at site 2."""

    def problem(self) -> Lindbladian:
        e, chain = electron, Lindbladian([electron] * 3)
        for i in range(2):
            hop = e.Cud(i) * e.Cu(i + 1) + e.Cdd(i) * e.Cd(i + 1)
            chain.hamiltonian(hop + hop.dagger())
        chain.jump(e.Cud(0), 0.5)
        chain.jump(e.Cdd(0), 0.2)
        chain.jump(e.Cu(2), 0.6)
        chain.jump(e.Cd(2), 0.3)
        return chain

    def observables(self) -> dict[str, Observable]:
        return {name: expectation([getattr(electron, name)(i) for i in range(3)], "site") for name in ("Nu", "Nd")}


def random_fermions(space: LocalSpace, n: int, seed: int, interaction: float) -> Lindbladian:
    """All fields, hops and pairs, equal-site ones too, with complex amplitudes; mixtures of all c and c^+ at both ends.

    Densities of neighbours and of a site repel with `interaction` and lose their phases at a rate of its size.
    """
    chain, rng = Lindbladian([space] * n), np.random.default_rng(seed)
    odd = [operator for operator in space.operators.values() if operator.odd]
    densities = [operator for name, operator in space.operators.items() if name.startswith("N")]

    def mixture(operators) -> Operator:
        return total(complex(*rng.standard_normal(2)) * operator for operator in operators)

    for i in range(n):
        term = mixture(a(i) * b(i) for a in odd for b in odd if a is not b)
        chain.hamiltonian(term + term.dagger())
    for i in range(n - 1):
        term = mixture(a(i) * b(i + 1) for a in odd for b in odd)
        chain.hamiltonian(term + term.dagger())
        if interaction:
            chain.hamiltonian(interaction * total(a(i) * b(i + 1) for a in densities for b in densities))
    for i in range(n) if interaction else ():
        chain.hamiltonian(interaction * total(a(i) * b(i) for a, b in pairwise(densities)))
        chain.jump(mixture(a(i) for a in densities), interaction)
    for end in (0, n - 1):
        for _ in range(len(odd) // 2):
            chain.jump(mixture(a(end) for a in odd), rng.uniform(0.2, 1))
    return chain


def liouvillian(chain: Lindbladian, words: systems.Words):
    return systems.dense_liouvillian(*systems.fermion_equation(chain, words))


def rate_of_change(chain: Lindbladian, words: systems.Words, rho):
    """-i[H, rho] + sum_L D[L] rho, with no superoperator: for three electrons."""
    hamiltonian, jumps = systems.fermion_equation(chain, words)
    effective = -1j * hamiltonian - sum(jump.conj().T @ jump for jump in jumps) / 2
    return effective @ rho + rho @ effective.conj().T + sum(jump @ rho @ jump.conj().T for jump in jumps)


# ---------------------------------------------------------------- the oracle itself


def test_modes_anticommute():
    modes = [systems.jordan_wigner(k, 4) for k in range(4)]
    for j, a in enumerate(modes):
        for k, b in enumerate(modes):
            assert_allclose(a @ b + b @ a, 0, atol=0)
            assert_allclose(a @ b.T + b.T @ a, (j == k) * np.eye(16), atol=0)


@given(seed=seeds, size=st.sampled_from(SIZES))
def test_dense_steady_states_of_quadratic_chains_have_the_fillings_of_their_covariance(seed, size):
    kind, n = size
    chain, words = random_fermions(MODES[kind], n, seed, interaction=0.0), WORDS[kind]
    if n == 3:
        chain.jumps += (Jump(0.4 * f.C(1) - 0.7j * f.Cd(1), rate=1.0),)  # the oracles take any site
    rho = systems.dense_steady_state(liouvillian(chain, words))
    modes = n * systems.modes_per_site(words)
    destroyers = [systems.jordan_wigner(k, modes) for k in range(modes)]
    fillings = [systems.expect(c.T @ c, rho) for c in destroyers]
    assert_allclose(fillings, systems.majorana_fillings(chain, words), atol=1e-9)


# ---------------------------------------------------------------- known answers


@ENGINES
def test_a_mixture_of_loss_and_gain_at_the_last_site(engine):
    chain = Paired().problem()
    dense = systems.dense_steady_state(liouvillian(chain, systems.SPINLESS))
    expected = [systems.expect(systems.fermion_operator(f.N(i), 3, systems.SPINLESS), dense) for i in range(3)]
    assert_allclose(expected, MIXED, atol=5e-5)
    assert_allclose(systems.majorana_fillings(chain, systems.SPINLESS), expected, atol=1e-12)
    record = steady_state(Paired(), engine=engine, tolerance=1e-5)
    assert record.outcome in ("exact", "converged")
    assert_allclose(record["n"], expected, atol=1e-9 if engine == Exact() else 2e-5)


@ENGINES
def test_electrons_that_do_not_interact_are_two_kinds_of_spinless_fermions(engine):
    """The covariance equation of either kind alone is the engine `gaussian`'s."""
    expected = {}
    for name, gain, loss in (("Nu", 0.5, 0.6), ("Nd", 0.2, 0.3)):
        chain = Lindbladian([f] * 3)
        for i in range(2):
            chain.hamiltonian(f.Cd(i) * f.C(i + 1) + f.Cd(i + 1) * f.C(i))
        chain.jump(f.Cd(0), gain)
        chain.jump(f.C(2), loss)
        ((_, view),) = Gaussian().solve(chain).views
        expected[name] = [view.expect(f.N(i)) for i in range(3)]
    assert_allclose(expected["Nu"], UPWARD, atol=5e-5)
    fillings = systems.majorana_fillings(Electrons().problem(), systems.ELECTRON)  # site by site: up, down
    assert_allclose(fillings, np.transpose([expected["Nu"], expected["Nd"]]).ravel(), atol=1e-12)
    record = steady_state(Electrons(), engine=engine, tolerance=1e-5)
    assert record.outcome in ("exact", "converged")
    for name, values in expected.items():
        assert_allclose(record[name], values, atol=1e-9 if engine == Exact() else 2e-5)


@ENGINES
def test_a_transient_with_a_mixture_at_the_last_site(engine):
    start, times = np.diag(np.eye(8)[0b010]), [0.5, 2.0]
    history = systems.dense_evolve(liouvillian(Paired().problem(), systems.SPINLESS), start, times)
    fillings = [systems.fermion_operator(f.N(i), 3, systems.SPINLESS) for i in range(3)]
    record = evolve(Paired(), times, engine=engine, initial="product:010")
    expected = [[systems.expect(operator, rho) for operator in fillings] for rho in history]
    assert_allclose(record["n"], expected, atol=1e-10 if engine == Exact() else 2e-4)


# ---------------------------------------------------------------- random chains


@given(seed=seeds, kind=st.sampled_from(sorted(MODES)), n=st.integers(2, 3), interaction=st.sampled_from([0.0, 0.7]))
def test_states_of_even_parity_change_as_jordan_wigner_matrices_say(seed, kind, n, interaction):
    chain, words = random_fermions(MODES[kind], n, seed, interaction), WORDS[kind]
    parity = systems.total_parity(n * systems.modes_per_site(words))
    rho = random_density_matrix(len(parity), np.random.default_rng(seed))
    even = (rho + parity @ rho @ parity) / 2
    changed = chain.generator().apply(coefficients(even, chain.spaces).ravel())
    expected = rate_of_change(chain, words, even)
    assert_allclose(density_matrix(changed, chain.spaces), expected, atol=1e-12 * np.abs(expected).max())


@given(seed=seeds, size=st.sampled_from(SIZES), interaction=st.sampled_from([0.0, 0.7]))
def test_steady_states_are_those_of_jordan_wigner_matrices(seed, size, interaction):
    kind, n = size
    chain, words = random_fermions(MODES[kind], n, seed, interaction), WORDS[kind]
    expected = systems.dense_steady_state(liouvillian(chain, words))
    found = density_matrix(steady_vector(chain.generator()).vector, chain.spaces)
    assert_allclose(found, expected, atol=1e-10)
