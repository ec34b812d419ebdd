"""Averages over the Hamiltonian's motion, against time evolution."""

import numpy as np
from numpy.testing import assert_allclose
from scipy.integrate import quad_vec
from scipy.linalg import expm

import systems
from tnness import levels
from tnness.engines.weak.motion import Window, windows
from tnness.model.protocol import generator_of
from tnness.operators.basis import coefficients
from tnness.problems.lindbladian import Lindbladian
from weak_chains import chain


def test_an_average_equals_the_integral_over_time():
    model, time = chain(n=3), 0.7
    problem = generator_of(model).origin
    energy = systems.mbl_hamiltonian(3, model.h, model.fields_z, model.fields_x)
    q = np.kron(np.kron(np.diag([1.0, -1.0]), [[0, 1j], [-1j, 0]]), np.eye(2))

    def moved(t):
        forth, back = expm(1j * energy * t), expm(-1j * energy * t)
        return np.exp(-t / time) / time * (forth @ q @ back + back @ q @ forth) / 2

    wanted = quad_vec(moved, 0, 30 * time, epsabs=1e-9)[0]
    found = Window(problem, 0, 3, time).averaged(coefficients(q, problem.spaces))
    assert_allclose(found, coefficients(wanted, problem.spaces), atol=1e-7)
    assert_allclose(
        Window(problem, 0, 3, 1e9).averaged(coefficients(energy, problem.spaces)).ravel(),
        coefficients(energy, problem.spaces).ravel(),
        atol=1e-9,
    )  # the energy does not move


def test_windows_surround_their_bonds():
    found = windows(generator_of(chain(n=12)).origin)
    assert found[(0, 8)] == [0, 1, 2, 3]
    assert found[(1, 9)] == [4]
    assert found[(4, 12)] == [7, 8, 9, 10]
    assert sorted(bond for bonds in found.values() for bond in bonds) == list(range(11))
    assert windows(generator_of(chain(n=4)).origin) == {(0, 4): [0, 1, 2]}


def test_windows_hold_as_many_sites_as_their_levels_allow():
    assert all(stop - start == 3 for start, stop in windows(Lindbladian([levels(5)] * 5)))
    assert windows(Lindbladian([levels(9)] * 3)) == {(0, 2): [0], (1, 3): [1]}
