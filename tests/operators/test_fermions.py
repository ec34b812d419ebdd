"""Fermions that enter and leave anywhere, against Jordan-Wigner matrices of the whole chain and its covariance."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import systems
from chains import dense_operator, even_density_matrix, random_density_matrix, seeds
from tnness import TEBD, Lindbladian, Observable, evolve, expectation, steady_state
from tnness.engines.exact import Exact, steady_vector
from tnness.engines.gaussian import Gaussian
from tnness.errors import InputError
from tnness.network.chain_state import ChainState
from tnness.network.dense_view import DenseView
from tnness.network.doubling import density_from_pure
from tnness.network.initial import product_state
from tnness.operators.basis import LocalSpace, coefficients, density_matrix, electron, spin_half, tj
from tnness.operators.basis import spinless as f
from tnness.operators.terms import Operator, total

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
    """All fields, hops and pairs, equal-site ones too, with complex amplitudes; mixtures of c and c^+ on every site.

    Densities of neighbours and of a site repel with `interaction` and lose their phases at a rate of its size.
    """
    chain, rng = Lindbladian([space] * n), np.random.default_rng(seed)
    odd = [operator for operator in space.operators.values() if operator.odd]
    densities = [
        operator for name, operator in space.operators.items() if name in ("Nu", "Nd") or (space is f and name == "N")
    ]

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
    for i in range(n):
        for _ in range(len(odd) // 2):
            chain.jump(mixture(a(i) for a in odd), rng.uniform(0.2, 1))
    for i in range(n - 1):
        chain.jump(mixture(a(j) for a in odd for j in (i, i + 1)), rng.uniform(0, 0.5))
    return chain


def liouvillian(chain: Lindbladian, words: systems.Words):
    return systems.dense_liouvillian(*systems.fermion_equation(chain, words))


def in_modes(kind: str, rho):
    """A state in the order of modes: an electron has the levels empty, up, down, both, modes empty, down, up, both."""
    if kind == "spinless":
        return rho
    order = [0, 2, 1, 3]
    n = round(np.log(len(rho)) / np.log(4))
    whole = np.arange(len(rho)).reshape((4,) * n)[np.ix_(*(order,) * n)].ravel()
    return rho[np.ix_(whole, whole)]


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
    changed = chain.generator().apply(coefficients(in_modes(kind, even), chain.spaces).ravel())
    expected = rate_of_change(chain, words, even)
    assert_allclose(
        in_modes(kind, density_matrix(changed, chain.spaces)), expected, atol=1e-12 * np.abs(expected).max()
    )


@given(seed=seeds, size=st.sampled_from(SIZES), interaction=st.sampled_from([0.0, 0.7]))
def test_steady_states_are_those_of_jordan_wigner_matrices(seed, size, interaction):
    kind, n = size
    chain, words = random_fermions(MODES[kind], n, seed, interaction), WORDS[kind]
    expected = systems.dense_steady_state(liouvillian(chain, words))
    found = density_matrix(steady_vector(chain.generator()).vector, chain.spaces)
    assert_allclose(in_modes(kind, found), expected, atol=1e-10)


# ---------------------------------------------------------------- sources in the bulk


def test_the_odd_sector_does_not_decide_whether_a_steady_state_is_unique():
    """Without strings the middle site would keep its coherence with the ends for ever."""
    chain = Lindbladian([f] * 3)
    for i in range(2):
        hop, pair = f.Cd(i) * f.C(i + 1), f.Cd(i) * f.Cd(i + 1)
        chain.hamiltonian(hop + hop.dagger() + 0.5 * (pair + pair.dagger()))
    chain.jump(f.C(0) + f.Cd(0))
    chain.jump(f.C(2))
    expected = systems.dense_steady_state(liouvillian(chain, systems.SPINLESS))
    assert_allclose(density_matrix(steady_vector(chain.generator()).vector, chain.spaces), expected, atol=1e-10)


@pytest.mark.parametrize("n", [2, 3, 7])
@given(seed=seeds)
def test_gaussian_takes_loss_and_gain_on_any_site_and_hops_of_any_length(n, seed):
    rng, chain = np.random.default_rng(seed), Lindbladian([f] * n)
    for i in range(n):
        chain.hamiltonian(rng.standard_normal() * f.N(i))
        chain.jump(f.C(i), rng.uniform(0.1, 1))
        chain.jump(f.Cd(i), rng.uniform(0, 1))
    for i in range(n - 1):
        hop = complex(*rng.standard_normal(2)) * f.Cd(i) * f.C(i + 1)
        chain.hamiltonian(hop + hop.dagger())
    ((_, view),) = Gaussian().solve(chain).views
    expected = systems.majorana_fillings(chain, systems.SPINLESS)
    assert_allclose([view.expect(f.N(i)) for i in range(n)], expected, atol=1e-9)


@given(seed=seeds)
def test_words_of_views_need_no_strings(seed):
    """Products of operators in any order, over electrons, spins and spinless fermions, in any state of even parity."""
    rng = np.random.default_rng(seed)
    spaces = [electron, spin_half, f, tj]
    rho = even_density_matrix(spaces, rng)
    view = DenseView(coefficients(rho, spaces).ravel(), spaces, {"trace": [space.trace for space in spaces]})
    for _ in range(10):
        sites = rng.integers(0, 4, rng.integers(1, 6)).tolist()
        factors = [list(spaces[i].operators.values()) for i in sites]
        term = np.prod([own[rng.integers(len(own))](i) for own, i in zip(factors, sites, strict=True)])
        expected = 0 if term.odd else np.trace(dense_operator(term, spaces) @ rho)
        assert_allclose(view.expect(term), expected, atol=1e-12)


def test_electrons_obey_their_algebra():
    ops = {name: electron.operators[name].matrix for name in electron.operators}
    assert_allclose(ops["Cud"] @ ops["Cd"], ops["Sp"])
    assert_allclose(ops["Sp"] @ ops["Sm"] - ops["Sm"] @ ops["Sp"], 2 * ops["Sz"])
    assert_allclose(ops["N"], np.diag([0, 1, 1, 2]))
    assert_allclose(tj.Cu.matrix @ tj.Cdd.matrix, 0)


def test_states_that_superpose_even_and_odd_are_refused():
    with pytest.raises(InputError, match="superposes even and odd numbers of fermions"):
        product_state([f] * 3, [np.full((2, 2), 0.5)] * 3)
    amplitudes = ChainState.product([np.array([1.0, 1.0])] * 3)
    with pytest.raises(InputError, match="superposes even and odd numbers of fermions"):
        density_from_pure(amplitudes, [f] * 3)
