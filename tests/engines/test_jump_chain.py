"""The chain of quantum jumps: its fixed point, what it conserves, and where it cannot be used."""

import numpy as np
import pytest
import scipy.linalg as linalg
from hypothesis import given, settings
from numpy.testing import assert_allclose

import systems as exact
from chains import coefficients, dense_lindbladian, density_matrix, random_lindbladian, seeds
from tnness.engines.exact import steady_vector
from tnness.engines.jump_chain import JumpChain, Unsuitable
from tnness.operators.basis import bit, spin_half, spin_one
from tnness.problems.generator import ChainGenerator
from tnness.problems.lindbladian import Lindbladian

s = spin_half
SPACES = [s, spin_one, s]


@settings(max_examples=8)
@given(seed=seeds)
def test_one_jump_is_minus_k_inverse_j(seed):
    chain = random_lindbladian(SPACES, seed)
    hamiltonian, jumps = dense_lindbladian(chain)
    effective = -1j * hamiltonian - sum(jump.conj().T @ jump for jump in jumps) / 2
    vector = np.random.default_rng(seed).standard_normal(4 * 9 * 4)
    rho = density_matrix(vector, SPACES)
    jumped = sum(jump @ rho @ jump.conj().T for jump in jumps)
    waited = linalg.solve_sylvester(effective, effective.conj().T, -jumped)  # A X + X A^+ = -J rho
    assert_allclose(JumpChain(chain.generator()).apply(vector), coefficients(waited, SPACES), atol=1e-9)


@settings(max_examples=8)
@given(seed=seeds)
def test_the_flux_of_jumps_is_conserved(seed):
    chain = random_lindbladian(SPACES, seed)
    jump_chain = JumpChain(chain.generator())
    vector = np.random.default_rng(seed).standard_normal(4 * 9 * 4)
    _, jumps = dense_lindbladian(chain)
    flux = sum(np.trace(jump @ density_matrix(vector, SPACES) @ jump.conj().T).real for jump in jumps)
    assert_allclose(jump_chain._flux @ vector, flux, atol=1e-9)
    assert_allclose(jump_chain._flux @ jump_chain.apply(vector), flux, atol=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_the_fixed_point_is_the_steady_state(seed):
    generator = random_lindbladian([s] * 4, seed).generator()
    found = JumpChain(generator).steady(seed=0, tolerance=1e-10)
    direct = steady_vector(generator)
    trace = exact.product_state([space.trace[None] for space in generator.spaces])[0]
    assert_allclose(found.value, 1, atol=1e-10)
    assert abs(found.next_value) < 1
    assert_allclose(found.vector / (trace @ found.vector), direct.vector, atol=1e-10)


@pytest.mark.slow
def test_seven_sites_equal_the_independent_dense_route():
    chain = random_lindbladian([s] * 7, 0)
    expected = exact.jump_chain_steady_state(*dense_lindbladian(chain))
    found = steady_vector(chain.generator())
    local = found.vector.reshape(4, -1) @ exact.product_state([s.trace[None]] * 6)[0]
    assert_allclose(np.tensordot(local, s.elements, 1), exact.reduced(expected, (0,)), atol=1e-9)
    assert_allclose(found.vector @ found.vector, np.trace(expected @ expected).real, rtol=1e-8)


@pytest.mark.parametrize("eps", [1e-2, 1e-6])
def test_weak_drives_cost_no_more(eps, monkeypatch):
    """How many jumps it takes to forget does not grow as the rates go to zero together."""
    chain = random_lindbladian([s] * 4, 1)
    for jump in chain.jumps:
        object.__setattr__(jump, "rate", eps * jump.rate)
    jump_chain, calls, apply = JumpChain(chain.generator()), [], JumpChain.apply
    monkeypatch.setattr(JumpChain, "apply", lambda self, vector: calls.append(1) or apply(self, vector))
    found = jump_chain.steady(seed=0, tolerance=1e-10)
    expected = exact.weak_drive_steady_state(*dense_lindbladian(chain))
    found = density_matrix(found.vector, [s] * 4)
    assert len(calls) < 150
    assert_allclose(found / np.trace(found), expected, atol=20 * eps)


# ---------------------------------------------------------------- where it cannot be used


def test_without_jumps_on_quantum_spaces_it_does_not_apply():
    assert not JumpChain.applies(random_lindbladian([bit] * 2, 0).generator())
    bare = ChainGenerator([s] * 2, np.zeros((2, 4, 4)), [np.zeros((16, 16))])
    assert not JumpChain.applies(bare)
    with pytest.raises(Unsuitable, match="not made from a Lindbladian"):
        JumpChain(bare)


def test_a_dark_state_is_said():
    chain = Lindbladian([s] * 2)
    chain.jump(s.Sm(0))
    chain.jump(s.Sm(1))
    with pytest.raises(Unsuitable, match="dark state"):
        JumpChain(chain.generator())


def test_a_defective_effective_hamiltonian_is_said():
    """H = X/2 and a loss of rate 2 meet at an exceptional point of -iH - |up><up|."""
    chain = Lindbladian([s] * 2)
    for i in range(2):
        chain.hamiltonian(0.5 * s.X(i))
        chain.jump(s.Sm(i), 2.0)
    with pytest.raises(Unsuitable, match="defective"):
        JumpChain(chain.generator())
