"""Slow variables against dense algebra."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import systems
from tnness import spin_half as s
from tnness.engines.exact import DenseView
from tnness.engines.weak.slow import SlowVariables
from tnness.errors import InputError
from tnness.model import generator_of
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


def answers(model):
    """SlowVariables of a model, its terms, and its dissipator on dense operators."""
    terms = terms_of(model)
    jumps = [np.sqrt(model.eps) * jump for jump in systems.mbl_jumps(model.n, model.drive)]
    dissipator = systems.dense_dissipator(jumps)
    return SlowVariables(generator_of(model)), terms, lambda x: (dissipator @ x.ravel()).reshape(x.shape)


def test_covariance_and_response_equal_dense_traces():
    model = chain(eps=0.1)
    slow, terms, dissipated = answers(model)
    assert_allclose(sum(terms), systems.mbl_hamiltonian(4, model.h, model.fields_z, model.fields_x), atol=1e-12)
    assert_allclose(slow.heating, [np.trace(q @ dissipated(np.eye(16))).real / 16 for q in terms], atol=1e-12)
    assert_allclose(slow.covariance, [[np.trace(a @ b).real / 16 for b in terms] for a in terms], atol=1e-12)
    response = -np.array([[np.trace(a @ dissipated(b)).real / 16 for b in terms] for a in terms])
    assert_allclose(slow.response, response, atol=1e-12)
    assert slow.rate == pytest.approx(response.sum() / slow.covariance.sum())
    jacobian = slow.jacobian(slow.conductances)
    assert_allclose((jacobian - response).sum(axis=0), 0, atol=1e-12)  # conduction moves energy, and makes none
    assert_allclose(slow.heating + jacobian @ slow.start, 0, atol=1e-12)


def test_what_the_jumps_change_equals_the_dense_trace():
    model = chain(eps=0.1)
    slow, terms, dissipated = answers(model)
    view, rho = near_identity(model, terms, np.linspace(-0.1, 0.2, len(terms)))
    assert_allclose(slow.dissipated(view), [np.trace(q @ dissipated(rho)).real for q in terms], atol=1e-13)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_conductances_are_learnt_from_the_flows_that_they_make(seed):
    slow, rng = answers(chain(eps=0.1))[0], np.random.default_rng(seed)
    true = slow.conductances * rng.uniform(0.2, 5.0, len(slow.conductances))
    lambdas = rng.normal(size=(12, slow.count))
    flows = lambdas @ (slow.jacobian(true) - slow.response).T
    found = slow.learnt(-lambdas @ slow.covariance, flows, np.zeros_like(flows))
    assert_allclose(found, true, atol=0.3 * np.abs(true).max())
    assert (found >= 0).all()


def near_identity(model, terms, multipliers):
    """1 - sum lambda_k q_k as a view, and as a density matrix."""
    generator = generator_of(model)
    rho = (np.eye(16) - sum(x * q for x, q in zip(multipliers, terms, strict=True))) / 16
    tensor = rho.reshape((2,) * 8).transpose(0, 4, 1, 5, 2, 6, 3, 7)
    for space in generator.spaces:
        tensor = np.tensordot(tensor, space.elements, ((0, 1), (2, 1)))
    return DenseView(tensor.real.ravel(), generator.spaces, generator.functionals), rho


def test_energies_and_multipliers_of_a_hot_state():
    """exp(-sum lambda_k q_k) at small lambda: to first order the multipliers come back."""
    model = chain()
    terms, slow = terms_of(model), SlowVariables(generator_of(model))
    wanted = 1e-4 * np.linspace(-1, 2, slow.count)
    view, rho = near_identity(model, terms, wanted)
    energies = slow.energies(view)
    assert_allclose(energies, [np.trace(q @ rho).real for q in terms], atol=1e-14)
    assert_allclose(slow.multipliers(energies), wanted, rtol=1e-9, atol=1e-15)


def test_named_densities_stand_beside_the_energy():
    slow = SlowVariables(generator_of(Magnet()))
    assert slow.count == 7 + 4  # four fields and three exchanges, and the magnetisation
    assert_allclose(slow.covariance[7:, 7:], np.eye(4) / 4, atol=1e-12)
    assert_allclose(slow.covariance @ slow.multipliers(slow.covariance[3]), -slow.covariance[3], atol=1e-12)
    between = slow.links[(slow.links[:, 0] < 7) & (slow.links[:, 1] >= 7)]
    assert not len(between)  # energy does not turn into magnetisation


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
