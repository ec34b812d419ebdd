"""Dense Lindblad equations from their terms: against the oracle of `systems`, and against what engines use."""

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose

import systems as exact
from chains import QUANTUM, random_lindbladian, random_matrix, seeds
from tnness import Lindbladian, bit, classical, find, spin_one, spinless
from tnness import spin_half as s
from tnness.errors import InputError
from tnness.operators.terms import LocalOperator
from tnness.problems.dense import DenseEquation, deviation

f = spinless
ROUND = 1e-12
FIELDS = (0.37, -0.81, 0.23)


def assert_equal_equations(chain, hamiltonian, jumps):
    """Their Liouvillians are equal, and so is what they do to a matrix."""
    equation = DenseEquation.of(chain)
    expected = exact.dense_liouvillian(hamiltonian, jumps)
    assert_allclose(exact.dense_liouvillian(equation.hamiltonian, list(equation.jumps)), expected, atol=ROUND)
    rho = random_matrix(len(hamiltonian), np.random.default_rng(3))
    assert_allclose(
        equation.change(rho).ravel(), expected @ rho.ravel(), atol=ROUND * np.abs(expected).max() * len(rho)
    )


def test_the_xx_chain_is_that_of_the_oracle():
    model = find("xx-dephasing")(n=3, coupling=1.3, gamma=0.8, mu=0.6, dephasing=0.45, fields=FIELDS)
    assert_equal_equations(model.problem(), *exact.xx_dephasing_dense(3, 1.3, 0.8, 0.6, 0.45, FIELDS))


def test_fermions_are_those_of_the_oracle():
    """Strings: hops across a site, in no order; pairs; losses on every site."""
    n, chain = 4, Lindbladian([f] * 4)
    rng = np.random.default_rng(5)
    for i in range(n - 1):
        term = complex(*rng.standard_normal(2)) * f.C(i + 1) * f.Cd(i) + 0.3 * f.C(i) * f.C(i + 1)
        chain.hamiltonian(term + term.dagger())
    for i in (0, n - 1):
        chain.jump(f.C(i) - 0.4j * f.Cd(i), rate=0.7)
    across = 0.5 * f.Cd(0) * f.C(3) * f.N(1) + 0.2j * f.C(3) * f.C(1)
    chain.hamiltonian_terms += (across + across.dagger(),)
    chain.jumps += (type(chain.jumps[0])(f.C(2) + 0.3 * f.Cd(0), 0.6),)
    assert_equal_equations(chain, *exact.fermion_equation(chain, exact.SPINLESS))


CHAINS = {name: [space] * (3 if space.levels == 2 else 2) for name, space in QUANTUM.items()}
CHAINS |= {"bits": [bit] * 5, "three states": [classical(3)] * 3, "spin and spin-1": [s, spin_one]}


@pytest.mark.parametrize("spaces", CHAINS.values(), ids=CHAINS)
@settings(deadline=None, max_examples=8)
@given(seed=seeds)
def test_the_local_matrices_are_the_equation(spaces, seed):
    chain = random_lindbladian(spaces, seed)
    assert deviation(chain, chain.generator()) < ROUND


def stated(space=s, *, coupling=1.0, phase=0.4, rate=0.7, site=1, string=1.0):
    """A chain of four sites with a current, a field and a jump of two sites."""
    chain = Lindbladian([space] * 4)
    raise_, lower, number = (s.Sp, s.Sm, s.Z) if space is s else (f.Cd, f.C, f.N)
    for i in range(3):
        hop = coupling * np.exp(1j * phase) * raise_(i) * lower(i + 1)
        chain.hamiltonian(hop + hop.dagger() + 0.3 * number(i) * number(i + 1))
    chain.hamiltonian(0.6 * number(site))
    chain.jump(lower(0), rate=rate)
    chain.jump(string * raise_(3) + 0.5 * lower(3), rate=0.4)
    chain.jump(raise_(1) * lower(2), rate=0.3)
    return chain


@pytest.mark.parametrize("space", [s, f], ids=["spins", "fermions"])
@pytest.mark.parametrize(
    "changed", [{"coupling": 1.01}, {"phase": -0.4}, {"rate": 0.71}, {"site": 2}, {"string": -1.0}], ids=str
)
def test_every_mistake_shows(space, changed):
    right, wrong = stated(space), stated(space, **changed)
    assert deviation(right, right.generator()) < ROUND
    assert deviation(right, wrong.generator()) > 1e-4


def test_a_jump_without_its_conjugate_shows():
    chain, wrong = Lindbladian([s] * 2), Lindbladian([s] * 2)
    matrix = random_matrix(2, np.random.default_rng(1))
    chain.jump(LocalOperator("L", matrix)(0))
    wrong.jump(LocalOperator("L", matrix.conj())(0))
    assert deviation(chain, wrong.generator()) > 1e-3


def test_a_long_chain_is_refused():
    with pytest.raises(InputError, match="1024 states is too large"):
        DenseEquation.of(Lindbladian([s] * 10))
