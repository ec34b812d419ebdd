"""Free fermions with one noisy site and with several, against the dense equation and the reference numbers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness.engines.fermions.renewal import Renewal

ENERGY = [0.4848203832, 2.5080136935, 5.2276326820, 7.6154906860]
SPREADING = [0.5793484656, 1.0303531232, 1.2662701524, 1.4145176891]


def chain(n, disorder, seed):
    potential = np.random.default_rng(seed).uniform(-disorder, disorder, n)
    return np.diag(potential) - np.eye(n, k=1) - np.eye(n, k=-1)


def ground(h, particles):
    orbitals = np.linalg.eigh(h)[1][:, :particles]
    return orbitals.conj() @ orbitals.T


def excitation(n, site):
    return np.diag(np.eye(n)[site])


def dense(h, sites, gammas, start, times):
    """exp of the (n^2, n^2) equation dG/dt = i[h^T, G] + sum gamma (P G P - {P, G}/2), in its eigenbasis."""
    n, one = len(h), np.eye(len(h))
    generator = 1j * (np.kron(h.T, one) - np.kron(one, h))
    for site, gamma in zip(np.atleast_1d(sites), np.atleast_1d(gammas), strict=True):
        p = excitation(n, site)
        generator = generator + gamma * (np.kron(p, p) - (np.kron(p, one) + np.kron(one, p)) / 2)
    values, vectors = np.linalg.eig(generator)
    weights = np.linalg.solve(vectors, start.ravel().astype(complex))
    return np.array([((vectors * np.exp(values * t)) @ weights).reshape(n, n) for t in times])


def test_reference_numbers():
    """W = 3, L = 10, seed 502, half filling: energy absorbed and R, eight digits."""
    h = chain(10, 3.0, 502)
    start = np.array([ground(h, 5), excitation(10, 4)])
    found = np.array([g for _, g in Renewal(h, 4, 1.0).evolve(start, [1.0, 10.0, 100.0, 1e4])])
    energy = np.einsum("ij,tij->t", h, found[:, 0]).real - np.linalg.eigvalsh(h)[:5].sum()
    spreading = np.sqrt((np.arange(10) - 4.0) ** 2 @ np.einsum("tii->it", found[:, 1]).real / 4)
    assert_allclose(energy, ENERGY, atol=1e-8)
    assert_allclose(spreading, SPREADING, atol=1e-8)


@pytest.mark.parametrize(
    ("n", "disorder", "site", "gamma"), [(6, 2.0, 2, 1.0), (8, 0.0, 3, 0.3), (7, 1.0, 0, 8.0), (12, 1.0, 5, 1.0)]
)
def test_correlations_equal_the_dense_equation_over_eight_decades(n, disorder, site, gamma):
    h = chain(n, disorder, 7)
    times = [0.3, 5.0, 5.5, 77.0, 1e3, 3e4, 1e6]
    start = ground(h, n // 2)
    expected = dense(h, site, gamma, start, times)
    found = [g[0] for _, g in Renewal(h, site, gamma).evolve(np.array([start]), times)]
    # both lose t * 1e-16 of relative accuracy to the eigenvalues
    assert_allclose(found, expected, atol=3e-9)


@pytest.mark.parametrize(("n", "sites", "gammas"), [(8, (1, 5), (1.0, 0.3)), (7, (6, 0, 3), (0.2, 2.0, 1.0))])
def test_several_noisy_sites_equal_the_dense_equation_over_six_decades(n, sites, gammas):
    h, times = chain(n, 2.0, 11), [0.3, 5.0, 77.0, 1e3, 3e4, 1e6]
    starts = np.array([ground(h, n // 2), excitation(n, sites[1])])
    found = np.array([g for _, g in Renewal(h, sites, gammas).evolve(starts, times)])
    for k, start in enumerate(starts):
        assert_allclose(found[:, k], dense(h, sites, gammas, start, times), atol=3e-9)


def test_complex_hopping():
    h = chain(6, 1.0, 3).astype(complex)
    h[0, 1] *= np.exp(0.4j)
    h[1, 0] = h[0, 1].conj()
    h[2, 3] *= 1j
    h[3, 2] = h[2, 3].conj()
    start, times = ground(h, 3), [1.0, 30.0, 500.0]
    found = [g[0] for _, g in Renewal(h, 2, 1.0).evolve(np.array([start]), times)]
    assert_allclose(found, dense(h, 2, 1.0, start, times), atol=1e-9)


def test_without_noise_energy_and_density_of_orbitals_stay():
    h = chain(8, 2.0, 1)
    ((_, found),) = Renewal(h, 3, 0.0).evolve(np.array([ground(h, 4)]), [1e6])
    assert_allclose(found[0], ground(h, 4), atol=1e-8)


def test_infinite_temperature_at_last_and_the_particle_number_all_along():
    h = chain(8, 1.0, 2)
    system = Renewal(h, 3, 1.0)
    found = [g[0] for _, g in system.evolve(np.array([ground(h, 3)]), [1.0, 1e3, 1e9])]
    assert_allclose(np.einsum("tii->t", found).real, 3.0, atol=1e-6)
    assert_allclose(found[-1], np.eye(8) * 3 / 8, atol=1e-7)


def test_the_error_estimate_bounds_what_a_tighter_tolerance_changes():
    h, start, times = chain(20, 1.0, 5), excitation(20, 9)[None], [10.0, 1e3, 1e5]
    loose, tight = Renewal(h, 9, 1.0, 1e-5), Renewal(h, 9, 1.0, 1e-10)
    difference = [
        abs(a - b).max() for (_, a), (_, b) in zip(loose.evolve(start, times), tight.evolve(start, times), strict=True)
    ]
    assert max(difference) < 2e-5
    assert loose.steps < tight.steps / 3


@pytest.mark.slow
def test_a_hundred_sites_over_eight_decades():
    """Energy, spreading and every density to 1e-8 of what a hundredfold tighter tolerance gives."""
    h, times = chain(100, 1.0, 3), np.geomspace(1, 1e8, 60)
    start = np.array([ground(h, 50), excitation(100, 49)])
    (loose, tight) = (
        np.array([np.einsum("kii->ki", g).real for _, g in Renewal(h, 49, 1.0, tolerance).evolve(start, times)])
        for tolerance in (1e-8, 1e-10)
    )
    assert_allclose(loose, tight, atol=1e-8)
    assert_allclose(loose.sum(axis=2), [[50.0, 1.0]] * len(times), atol=3e-7)
