"""Ground states by DMRG against orbitals and dense diagonalisation."""

from functools import reduce

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness.engines.pure.ground import ground_energy, ground_state
from tnness.errors import InputError
from tnness.operators.basis import spin_half as s
from tnness.operators.basis import spinless as f
from tnness.operators.terms import total
from tnness.problems.lindbladian import Lindbladian

FIELDS = np.random.default_rng(1).uniform(-2, 2, 7)


def chain(space, delta=0.0):
    """The same energies in fermions and in spins: hopping -1, fields on particles, interaction 2 delta."""
    found, n = Lindbladian([space] * 7), space.N
    for i in range(6):
        if space is f:
            found.hamiltonian(-1.0 * (f.Cd(i) * f.C(i + 1) + f.Cd(i + 1) * f.C(i)))
        else:
            found.hamiltonian(-0.5 * (s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1)))
        found.hamiltonian(2 * delta * (n(i) - 0.5) * (n(i + 1) - 0.5))
    for i, field in enumerate(FIELDS):
        found.hamiltonian(field * n(i))
    return found


def dense(problem):
    sites = range(7)
    parities = {i: problem.spaces[i].parity for i in sites}
    return total(problem.hamiltonian_terms).matrix(sites, dict.fromkeys(sites, 2), parities)


@pytest.mark.parametrize("space", [f, s], ids=["fermions", "spins"])
@pytest.mark.parametrize("delta", [0.0, 1.3])
def test_ground_state_of_three_particles(space, delta):
    problem = chain(space, delta)
    h, number = dense(problem), reduce(np.add.outer, [np.real(np.diag(space.N.matrix))] * 7).ravel()
    sector = np.flatnonzero(number == 3)
    lowest = np.linalg.eigvalsh(h[np.ix_(sector, sector)])[0]
    vector = ground_state(problem, 3).dense()
    assert_allclose(np.vdot(vector, vector), 1.0, atol=1e-12)
    assert_allclose(np.vdot(vector, number * vector).real, 3.0, atol=1e-12)
    assert np.linalg.norm(h @ vector - lowest * vector) < 1e-7
    assert_allclose(ground_energy(problem, 3), lowest, atol=1e-10)


def test_empty_and_full_chains_are_products():
    for particles, level in ((0, 0), (7, 1)):
        state = ground_state(chain(f), particles)
        assert state.bond_dimensions == (1,) * 6
        assert abs(state.dense()[level * (2**7 - 1)]) == 1


def test_a_hamiltonian_that_moves_the_particle_number():
    problem = chain(s)
    problem.hamiltonian(s.X(2))
    with pytest.raises(InputError, match="does not conserve the particle number"):
        ground_state(problem, 3)


def test_too_many_particles():
    with pytest.raises(InputError, match="0 to 7 particles, got 8"):
        ground_state(chain(f), 8)
