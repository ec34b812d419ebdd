"""Pure Gaussian states under noise: the block kernel against the plain loop, averages against the exact equation."""

import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose

from tnness.engines.fermions.quadratic import Quadratic
from tnness.engines.fermions.renewal import Renewal
from tnness.engines.fermions.trajectories import GaussianTrajectories


def noisy(n, strengths, seed=1, disorder=2.0):
    potential = np.random.default_rng(seed).uniform(-disorder, disorder, n)
    h = (np.diag(potential) - np.eye(n, k=1) - np.eye(n, k=-1)).astype(complex)
    dephasing = np.zeros(n)
    for site, strength in strengths.items():
        dephasing[site] = strength
    return Quadratic(h, np.zeros(n), np.zeros(n), dephasing)


def generators(count, seed=5):
    return [np.random.default_rng([seed, number]) for number in range(count)]


def plain(form, orbitals, rng, length, steps):
    """The loop as one would write it: dense half steps and kicks."""
    half = scipy.linalg.expm(-0.5j * form.hamiltonian * length / steps)
    state = orbitals.copy()
    for _ in range(steps):
        state = half @ state
        for site, eta in zip(form.noisy, rng.standard_normal(len(form.noisy)), strict=True):
            state[site] *= np.exp(-1j * eta * np.sqrt(form.dephasing[site] * length / steps))
        state = half @ state
    return state


@pytest.mark.parametrize("strengths", [{3: 1.0}, {1: 0.5, 3: 1.3, 4: 0.2}], ids=["one site", "three sites"])
@pytest.mark.parametrize("block", [1, 7, 32])
def test_blocks_equal_the_plain_loop(strengths, block):
    form = noisy(8, strengths)
    orbitals = np.linalg.eigh(form.hamiltonian)[1][:, :4].astype(complex)
    system = GaussianTrajectories(form, orbitals, generators(3), block)
    system.advance(1.3, 10)
    system.advance(2.0, 20)
    for found, rng in zip(system.orbitals(), generators(3), strict=True):
        state = plain(form, plain(form, orbitals, rng, 1.3, 10), rng, 2.0, 20)
        assert_allclose(found, state, atol=1e-13)


def test_orbitals_stay_orthonormal():
    form = noisy(30, {14: 1.0})
    system = GaussianTrajectories(form, np.eye(30, dtype=complex)[:, ::2], generators(2))
    system.advance(1000.0, 10_000)
    assert system.unitarity(15) < 1e-11


def test_averages_agree_with_the_exact_equation_within_their_errors():
    form = noisy(8, {3: 1.0})
    orbitals = np.linalg.eigh(form.hamiltonian)[1][:, :4].astype(complex)
    system = GaussianTrajectories(form, orbitals, generators(400))
    system.advance(10.0, 200)
    densities = (np.abs(system.orbitals()) ** 2).sum(axis=2)  # (realizations, n)
    start = np.array([orbitals.conj() @ orbitals.T])
    ((_, exact),) = Renewal(form.hamiltonian, 3, 1.0).evolve(start, [10.0])
    z = (densities.mean(axis=0) - np.diag(exact[0]).real) / (densities.std(axis=0, ddof=1) / 20)
    assert np.sqrt(np.mean(z**2)) < 2
    assert abs(z).max() < 3.5


def test_the_split_is_second_order_on_average():
    """The kick's average is exact, exp(-gamma dt/2) on coherences: what is left is Strang's error."""
    form = noisy(6, {2: 1.0})
    orbitals = np.linalg.eigh(form.hamiltonian)[1][:, :3]
    start = orbitals.conj() @ orbitals.T
    ((_, exact),) = Renewal(form.hamiltonian, 2, 1.0).evolve(start[None], [4.0])
    errors = []
    for steps in (20, 40, 80):
        half = scipy.linalg.expm(0.5j * form.hamiltonian.T * 4.0 / steps)
        damp = np.ones((6, 6))
        damp[2] = damp[:, 2] = np.exp(-0.5 * 4.0 / steps)
        damp[2, 2] = 1.0
        g = start.astype(complex)
        for _ in range(steps):
            g = half @ (damp * (half @ g @ half.conj().T)) @ half.conj().T
        errors.append(abs(g - exact[0]).max())
    assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), 2.0, atol=0.1)
