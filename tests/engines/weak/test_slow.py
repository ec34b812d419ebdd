"""Slow variables against dense algebra."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.linalg as linalg
from numpy.testing import assert_allclose

import systems
from tnness import spin_half as s
from tnness.engines.weak.densities import REACH
from tnness.engines.weak.slow import SlowVariables
from tnness.errors import InputError
from tnness.model.protocol import generator_of
from tnness.network.dense_view import DenseView
from tnness.operators.basis import coefficients, density_matrix
from tnness.problems.lindbladian import Lindbladian
from weak_chains import Magnet, chain


def terms_of(model):
    """The terms of H as dense matrices, from left to right: a site's field, then the exchange to the next."""
    n, found = model.n, []
    for i in range(n):
        field = systems.mbl_hamiltonian(1, model.h, model.fields_z[i : i + 1], model.fields_x[i : i + 1])
        found.append(np.kron(np.kron(np.eye(2**i), field), np.eye(2 ** (n - i - 1))))
        if i + 1 < n:
            exchange = systems.mbl_hamiltonian(2, 0.0, (0.0,) * 2, (0.0,) * 2)
            found.append(np.kron(np.kron(np.eye(2**i), exchange), np.eye(2 ** (n - i - 2))))
    return found


def dense(slow):
    """The densities as dense matrices."""
    n = len(slow.spaces)
    return [density_matrix(q.embedded(slow.spaces, 0, n), slow.spaces) for q in slow.densities]


def averaged(model, operators, time):
    """What the motion of the whole chain leaves of dense operators: exp(-t/T)/T weighs both directions of time."""
    energies, states = np.linalg.eigh(systems.mbl_hamiltonian(model.n, model.h, model.fields_z, model.fields_x))
    kept = 1 / (1 + ((energies[:, None] - energies) * time) ** 2)
    return [states @ (states.conj().T @ q @ states * kept) @ states.conj().T for q in operators]


def answers(model):
    """SlowVariables of a model, its densities, and its dissipator on dense operators."""
    jumps = [np.sqrt(model.eps) * jump for jump in systems.mbl_jumps(model.n, model.drive)]
    dissipator = systems.dense_dissipator(jumps)
    slow = SlowVariables(generator_of(model))
    return slow, dense(slow), lambda x: (dissipator @ x.ravel()).reshape(x.shape)


def products(first, second):
    return np.array([[np.trace(a @ b).real / 16 for b in second] for a in first])


def test_densities_are_the_terms_of_the_energy_and_all_else_on_a_site_or_along_two_fields():
    model = chain()
    operators = np.array(dense(SlowVariables(generator_of(model))))
    assert len(operators) == 7 + 2 * 4 + 3
    assert_allclose(operators[:7], terms_of(model), atol=1e-12)
    assert_allclose(np.trace(operators, axis1=1, axis2=2), 0, atol=1e-12)
    fields = terms_of(model)[::2]
    wanted = [
        systems.site_operator(pauli, site, 4) for site in range(4) for pauli in (systems.SX, systems.SY, systems.SZ)
    ]
    wanted += [first @ second for first, second in pairwise(fields)]
    flat = operators.reshape(len(operators), -1).T
    for one in wanted:
        weights = np.linalg.lstsq(flat, one.ravel(), rcond=None)[0]
        assert_allclose(flat @ weights, one.ravel(), atol=1e-12)
    beside = products(operators[7:], operators[:7])
    assert_allclose(beside, 0, atol=1e-12)


def test_covariances_and_response_equal_dense_traces():
    model = chain(eps=0.1)
    slow, operators, dissipated = answers(model)
    energy = systems.mbl_hamiltonian(4, model.h, model.fields_z, model.fields_x)
    assert_allclose(sum(operators[:7]), energy, atol=1e-12)
    assert_allclose(slow.covariance, products(operators, operators), atol=1e-12)
    rate = -np.trace(energy @ dissipated(energy)).real / np.trace(energy @ energy).real
    assert slow.rate == pytest.approx(rate)
    left = averaged(model, operators, 1 / rate)
    where = [q.bond for q in slow.densities]
    near = np.abs(np.subtract.outer(where, where)) <= REACH
    assert_allclose(slow.heating, [np.trace(q @ dissipated(np.eye(16))).real / 16 for q in left], atol=1e-12)
    assert_allclose(slow.kept, near * products(left, left), atol=1e-12)
    assert_allclose(slow.response, -1.0 * near * products(left, [dissipated(q) for q in left]), atol=1e-12)


def test_what_the_averages_miss_conserves_the_energy_and_lets_all_else_decay():
    slow = answers(chain())[0]
    assert_allclose(slow.mixing[:7].sum(axis=0), 0, atol=1e-15)
    assert_allclose(slow.mixing, slow.mixing.T)
    assert (np.diag(slow.mixing) > 0).all()
    assert not slow.mixing[:7, 7:].any()
    flow = slow.heating + slow.jacobian @ slow.start
    assert_allclose(slow._slow.T @ flow, 0, atol=1e-12)


def near_identity(model, terms, multipliers):
    """1 - sum lambda_k q_k as a view, and as a density matrix."""
    generator = generator_of(model)
    rho = (np.eye(16) - sum(x * q for x, q in zip(multipliers, terms, strict=True))) / 16
    return DenseView(coefficients(rho, generator.spaces).ravel(), generator.spaces, generator.functionals), rho


def test_energies_and_multipliers_of_a_hot_state():
    """exp(-sum lambda_k q_k) at small lambda: to first order the multipliers of the gates come back."""
    model = chain()
    slow, terms, _ = answers(model)
    wanted = 1e-4 * np.linspace(-1, 2, slow.count)
    view, rho = near_identity(model, terms, wanted)
    energies = slow.energies(view)
    assert_allclose(energies, [np.trace(q @ rho).real for q in terms], atol=1e-14)
    assert_allclose(slow.gates(energies), wanted, rtol=1e-9, atol=1e-15)


def test_multipliers_are_what_the_motion_leaves_of_gates():
    """exp(-sum lambda_k q_k), and then time for everything fast to average out: the slow lambda come back."""
    model = chain(h=6.0, eps=0.1)
    slow, operators, _ = answers(model)
    wanted = slow._slow @ np.linspace(-1e-4, 2e-4, slow._slow.shape[1])
    rho = (
        np.eye(16) / 16
        - sum(x * q for x, q in zip(wanted, averaged(model, operators, 1 / slow.rate), strict=True)) / 16
    )
    energies = np.array([np.trace(q @ rho).real for q in averaged(model, operators, 1 / slow.rate)])
    assert_allclose(slow.multipliers(energies), wanted, rtol=1e-6, atol=1e-12)
    assert slow.distance(energies) == pytest.approx(np.sqrt(wanted @ slow.kept @ wanted))


def shared(model):
    """Combinations of densities and the share of their variance that the motion leaves, by dense traces."""
    slow, operators, _ = answers(model)
    left = averaged(model, operators, 1 / slow.rate)
    where = [q.bond for q in slow.densities]
    near = np.abs(np.subtract.outer(where, where)) <= REACH
    return slow, left, *linalg.eigh(near * products(left, left), products(operators, operators))


def test_jumps_reach_what_keeps_a_quarter_of_its_variance_and_leave_what_the_motion_wipes_out():
    """A state off by a combination of densities: jumps know by how much where it is slow, and else see nothing."""
    model = chain(h=2.0)
    slow, left, shares, combinations = shared(model)
    assert np.sum((shares > 0.25) & (shares < 0.9)) >= 3
    assert np.sum(shares < 0.02) >= 3
    for share, multipliers in zip(shares, 1e-4 * combinations.T, strict=True):
        rho = (np.eye(16) - sum(x * q for x, q in zip(multipliers, left, strict=True))) / 16
        told = slow.multipliers(np.array([np.trace(q @ rho).real for q in left]))
        if share > 0.25:
            assert_allclose(told, multipliers, atol=0.1 * np.abs(multipliers).max())
        elif share < 0.02:
            assert np.abs(told).max() < 0.05 * np.abs(multipliers).max()


def test_named_densities_stand_beside_the_energy():
    slow = SlowVariables(generator_of(Magnet()))
    assert slow.count == 7 + 4 + 2 * 4 + 3  # energy and magnetisation, then what else is on a site, and pairs of fields
    assert_allclose(slow.covariance[7:11, 7:11], np.eye(4) / 4, atol=1e-12)
    assert_allclose(slow.covariance @ slow.gates(slow.covariance[3]), -slow.covariance[3], atol=1e-12)
    assert not slow.mixing[:7, 7:11].any()  # energy does not turn into magnetisation


def test_a_density_that_the_hamiltonian_changes_is_refused():
    tilted = Magnet(slow=False).problem()
    tilted.nearly_conserved([s.Sx(i) for i in range(4)])
    with pytest.raises(InputError, match="density 0 is not conserved"):
        SlowVariables(tilted.generator())


def test_strong_dissipation_is_refused():
    with pytest.raises(InputError, match="is for weak dissipation: on a bond its norm is"):
        SlowVariables(generator_of(chain(n=2, eps=5.0)))


def test_dissipation_that_leaves_the_energy_alone_is_refused():
    lonely = Lindbladian([s] * 2)
    lonely.hamiltonian(s.Sz(0) * s.Sz(1))
    lonely.jump(s.Sz(0), rate=0.01)
    with pytest.raises(InputError, match="does not relax the energy"):
        SlowVariables(lonely.generator())
