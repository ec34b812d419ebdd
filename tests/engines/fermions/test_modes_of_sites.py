"""Quadratic chains with several modes a site and jumps that are sums, against dense Jordan-Wigner matrices."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose

import systems
from chains import dense_lindbladian, random_density_matrix, seeds
from systems import ELECTRON, SPINLESS
from tnness import TEBD, Exact, Lindbladian, spin_half, spinless, tj
from tnness.engines.fermions.counting import Exchange
from tnness.engines.fermions.modes import OneBodyModes
from tnness.engines.fermions.quadratic import NotQuadratic, modes_of, quadratic
from tnness.engines.fermions.view import GaussianView
from tnness.engines.gaussian import Gaussian
from tnness.errors import InputError, Unavailable
from tnness.operators.basis import electron as e
from tnness.operators.terms import total

f = spinless


def number(rng):
    return complex(*rng.standard_normal(2))


def wires(space, n):
    """The destroyers of every site."""
    return [(e.Cu(i), e.Cd(i)) if space is e else (f.C(i),) for i in range(n)]


def random_wires(space, n, seed, near=False, noise=True):
    """Hops, fields, and sources, sinks and noise on every site; others that are sums over all modes, or over two sites.

    near: hops to neighbours only.
    """
    chain, rng = Lindbladian([space] * n), np.random.default_rng(seed)
    every = [c for own in wires(space, n) for c in own]
    for i, first in enumerate(every):
        for second in every[i + 1 :]:
            if not near or second.sites[0] - first.sites[0] < 2:
                hop = number(rng) * first.dag() * second
                chain.hamiltonian(hop + hop.dag())
        chain.hamiltonian(rng.standard_normal() * first.dag() * first)
    spread = [c for own in wires(space, n)[: 2 if space is e else n] for c in own]
    for own in (*wires(space, n), spread):
        chain.jump(total(number(rng) * c for c in own), rng.uniform(0.1, 0.5))
        chain.jump(total(number(rng) * c.dag() for c in reversed(own)), rng.uniform(0.1, 0.5))
        if noise:
            densities = total(rng.standard_normal() * c.dag() * c for c in own)
            chain.jump(np.exp(0.7j) * densities + number(rng), rng.uniform(0.1, 0.5))
    return chain


def words(space):
    return ELECTRON if space is e else SPINLESS


def correlations(rho, modes):
    lowering = [systems.jordan_wigner(k, modes) for k in range(modes)]
    return np.array([[np.trace(rho @ a.T @ b) for b in lowering] for a in lowering])


def even_state(modes, rng):
    rho, parity = random_density_matrix(2**modes, rng), systems.total_parity(modes)
    return (rho + parity @ rho @ parity) / 2


@pytest.mark.parametrize(("space", "n", "examples"), [(f, 4, 10), (e, 2, 10), (e, 3, 2)], ids=["f-4", "e-2", "e-3"])
def test_the_correlations_of_any_state_change_as_the_dense_equation_says(space, n, examples):
    """G and dG/dt of random states that are not Gaussian."""

    @settings(max_examples=examples)
    @given(seed=seeds)
    def holds(seed):
        chain = random_wires(space, n, seed)
        hamiltonian, jumps = systems.fermion_equation(chain, words(space))
        modes = n * systems.modes_per_site(words(space))
        rho = even_state(modes, np.random.default_rng(seed))
        effective = -1j * hamiltonian - sum(jump.conj().T @ jump for jump in jumps) / 2
        change = effective @ rho + rho @ effective.conj().T + sum(jump @ rho @ jump.conj().T for jump in jumps)
        found, expected = quadratic(chain).derivative(correlations(rho, modes)), correlations(change, modes)
        assert_allclose(found, expected, atol=1e-12 * max(1, np.abs(expected).max()))

    holds()


@pytest.mark.parametrize("noise", [True, False])
@pytest.mark.parametrize(("space", "n"), [(f, 3), (e, 2)], ids=["spinless", "electrons"])
def test_steady_states_and_dynamics_are_those_of_the_density_matrix(space, n, noise):
    chain, modes = random_wires(space, n, 5, noise=noise), n * systems.modes_per_site(words(space))
    liouvillian = systems.dense_liouvillian(*systems.fermion_equation(chain, words(space)))
    (((_, view),)) = Gaussian().solve(chain).views
    steady = correlations(systems.dense_steady_state(liouvillian), modes)
    assert_allclose(view.correlation, steady, atol=1e-11)
    filled = 1 if space is f else 3
    start = np.zeros((2**modes,) * 2)
    place = (2 ** (modes // n) - 1) << (modes - modes // n)  # site 0 is full
    start[place, place] = 1
    later = systems.dense_evolve(liouvillian, start, [0.0, 0.4, 1.5])
    views = Gaussian().solve(chain, initial=f"product:{filled}{'0' * (n - 1)}", times=[0.0, 0.4, 1.5]).views
    for (_, view), rho in zip(views, later, strict=True):
        assert_allclose(view.correlation, correlations(rho, modes), atol=1e-8)


def test_sources_and_sinks_of_electrons_in_the_bulk_are_those_of_majorana_operators():
    chain = random_wires(e, 6, 1, noise=False)
    ((_, view),) = Gaussian().solve(chain).views
    assert_allclose(np.diag(view.correlation).real, systems.majorana_fillings(chain, ELECTRON), atol=1e-11)


def test_gates_find_the_same_electrons():
    """Three sites at full bond dimension, sums over two sites included."""
    chain = random_wires(e, 3, 2, near=True)
    ((_, free),) = Gaussian().solve(chain, initial="product:310", times=[0.5]).views
    gates = TEBD(chi=16, dt=0.05, method="svd", cutoff=1e-28)
    ((_, view),) = gates.solve(chain, initial="product:310", times=[0.5]).views
    watched = [e.Nu(i) for i in range(3)] + [e.Nd(i) for i in range(3)] + [e.N(1), e.Sp(0) + e.Sm(0)]
    watched += [e.Cud(0) * e.Cd(2) + e.Cdd(2) * e.Cu(0)]
    for operator in watched:
        assert_allclose(view.expect(operator), free.expect(operator), atol=2e-5)


def test_a_view_of_electrons_reads_what_the_density_matrix_holds():
    """Densities, spins, products of two densities, entropies, and distributions of particles."""
    chain = random_wires(e, 2, 3, noise=False)
    ((_, free),) = Gaussian().solve(chain).views
    *_, (_, dense) = Exact().solve(chain).views
    pairs = [e.Nu(0) * e.Nd(0), e.N(0) * e.N(1), e.Sz(0) * e.Sz(1)]
    for operator in [e.N(0), e.Sz(1), e.Sp(0) + e.Sm(0), e.Cud(0) * e.Cd(1) + e.Cdd(1) * e.Cu(0), *pairs]:
        assert_allclose(free.expect(operator), dense.expect(operator), atol=1e-11)
    assert_allclose(free.density, dense.density, atol=1e-11)
    for first, second in ((e.N, e.N), (e.Nu, e.Sz)):
        assert_allclose(free.correlations(first, second), dense.correlations(first, second), atol=1e-11)
    for sites in ([0], [1], [0, 1]):
        assert_allclose(free.entropy(sites), dense.entropy(sites), atol=1e-10)
        assert_allclose(free.renyi2(sites), dense.renyi2(sites), atol=1e-10)
        for name in ("N", "Nu"):
            found = dense.charge_distribution(name, sites)
            assert_allclose(free.charge_distribution(name, sites)[: len(found)], found, atol=1e-11)
    with pytest.raises(Unavailable, match="numbers of particles"):
        free.charge_distribution("Sz")
    with pytest.raises(Unavailable, match="sums of densities"):
        free.correlations(e.Sp, e.Sm)


def test_modes_are_counted_site_by_site():
    spaces = (f, e, spin_half, f & f)
    assert [list(own) for own in modes_of(spaces)] == [[0], [1, 2], [3], [4, 5]]
    with pytest.raises(NotQuadratic, match="site 1 is a tj, neither a spin 1/2 nor a product of fermionic modes"):
        modes_of((f, tj))


def test_a_composite_site_of_two_fermions_is_two_modes():
    pair = f & f
    chain, plain = Lindbladian([pair, f]), Lindbladian([f] * 3)
    for hop in (pair.Cd0(0) * pair.C1(0), 0.7j * pair.Cd1(0) * f.C(1)):
        chain.hamiltonian(hop + hop.dag())
    for hop in (f.Cd(0) * f.C(1), 0.7j * f.Cd(1) * f.C(2)):
        plain.hamiltonian(hop + hop.dag())
    chain.jump(pair.C1(0) + 0.5 * f.C(1))
    plain.jump(f.C(1) + 0.5 * f.C(2))
    found, expected = quadratic(chain), quadratic(plain)
    for name in ("hamiltonian", "loss", "gain", "dephasing"):
        assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-15)


@pytest.mark.parametrize("field", [0.4, -0.6])
def test_jumps_that_are_sums_are_counted(field):
    """theta of fermions that enter and leave in superpositions of three sites, by the tilted dense equation."""
    chain, rng = random_wires(f, 3, 4, noise=False), np.random.default_rng(0)
    counted = Lindbladian([f] * 3)
    counted.hamiltonian_terms = chain.hamiltonian_terms
    counted.jumps = tuple(replace(j, counts=(("out", float(rng.integers(-1, 2))),)) for j in chain.jumps)
    hamiltonian, jumps = dense_lindbladian(counted)
    whole, one = systems.dense_liouvillian(hamiltonian, jumps), np.eye(8)
    whole = whole + sum(
        np.expm1(field * dict(j.counts)["out"]) * np.kron(m, m.conj())
        for j, m in zip(counted.jumps, jumps, strict=True)
    )
    even = np.kron(systems.total_parity(3), systems.total_parity(3)).diagonal() > 0
    theta = np.linalg.eigvals(whole[np.ix_(even, even)]).real.max()
    assert len(one) == 8
    assert_allclose(Exchange.of(counted, "out").theta(field), theta, atol=1e-11)
    with pytest.raises(InputError, match="a jump takes particles from both sides of bond:1"):
        Exchange.of(counted, "bond:1")


def test_the_slowest_modes_under_shared_noise_are_eigenvalues_of_the_dense_equation():
    chain = Lindbladian([f] * 3)
    for i in range(2):
        chain.hamiltonian(f.Cd(i) * f.C(i + 1) + f.Cd(i + 1) * f.C(i))
    chain.jump(f.N(0) - 0.5 * f.N(2), 0.8)
    chain.jump(f.Cd(0) + 0.3 * f.Cd(1), 0.3)
    chain.jump(f.C(2), 0.4)
    form = quadratic(chain)
    liouvillian = systems.dense_liouvillian(*systems.fermion_equation(chain, SPINLESS))
    values = np.linalg.eigvals(liouvillian)
    for value in OneBodyModes(form, 3).values[:3]:
        assert np.abs(values - value).min() < 1e-9


def test_a_matrix_of_the_modes_is_a_start():
    chain = random_wires(e, 2, 6)
    rng = np.random.default_rng(1)
    unitary = np.linalg.qr(rng.standard_normal((4, 4)) + 1j * rng.standard_normal((4, 4)))[0]
    start = (unitary * [0.1, 0.9, 0.3, 0.5]) @ unitary.conj().T
    ((_, view),) = Gaussian().solve(chain, initial=start, times=[0.0]).views
    assert isinstance(view, GaussianView)
    assert_allclose(view.correlation, start, atol=1e-15)
