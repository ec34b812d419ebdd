"""Observables: their dimensions, what they read, and the limits their values must reach."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import systems as exact
from chains import coefficients, random_density_matrix
from tnness.errors import InputError, ModelError
from tnness.network.chain_state import ChainState
from tnness.network.chain_view import ChainView
from tnness.network.dense_view import DenseView
from tnness.observables.observable import (
    Observable,
    expectation,
    operator_entanglement,
    purity,
    renyi2_entropy,
    renyi2_mutual_information,
    two_point,
)
from tnness.operators.basis import spin_half, spin_one

s, N = spin_half, 4
BELL = np.outer([1, 0, 0, 1], [1, 0, 0, 1]) / 2


def view_of(rho, kind):
    spaces, functionals = [s] * N, {"trace": [s.trace] * N}
    vector = coefficients(rho, spaces)
    if kind == "dense":
        return DenseView(vector, spaces, functionals)
    return ChainView(ChainState.from_dense(vector, [4] * N), spaces, functionals)


@pytest.fixture(params=["dense", "network"])
def view(request):
    return lambda rho: view_of(rho, request.param)


def product(seed=0):
    rng = np.random.default_rng(seed)
    return exact.product_state([random_density_matrix(2, rng) for _ in range(N)])


def random_rho(seed=1):
    return random_density_matrix(2**N, np.random.default_rng(seed))


def test_expectations_of_one_operator_and_of_many(view):
    rho = random_rho()
    energy = sum(s.X(i) * s.X(i + 1) for i in range(N - 1))
    one, many = expectation(energy, unit="J"), expectation([s.Z(i) for i in range(N)], "site")
    hamiltonian = sum(exact.bond_operator(exact.X, exact.X, i, N) for i in range(N - 1))
    assert_allclose(one(view(rho)), exact.expect(hamiltonian, rho))
    assert_allclose(many(view(rho)), exact.z_profile(rho))
    assert (one.dims, one.unit, one.sites) == ((), "J", (0, 1, 2, 3))
    assert (many.dims, many.sites) == (("site",), (0, 1, 2, 3))


def test_two_point_functions_plain_and_connected(view):
    rho = random_rho()
    plain, connected = two_point(s.Z, s.Z)(view(rho)), two_point(s.Z, s.Z, connected=True)(view(rho))
    assert_allclose(plain, exact.zz_correlation(rho), atol=1e-13)
    z = exact.z_profile(rho)
    assert_allclose(connected, exact.zz_correlation(rho) - np.outer(z, z), atol=1e-13)
    assert two_point(s.Z, s.Z).dims == ("site", "site_2")
    assert not two_point(s.Z, s.Z).monitored


def test_a_product_state_has_no_correlations_across_cuts(view):
    rho = product()
    local = [np.trace(exact.reduced(rho, (i,)) @ exact.reduced(rho, (i,))).real for i in range(N)]
    assert_allclose(purity()(view(rho)), math.prod(local))
    assert_allclose(renyi2_mutual_information()(view(rho)), 0, atol=1e-12)
    assert_allclose(operator_entanglement()(view(rho)), 0, atol=1e-12)
    assert_allclose(renyi2_entropy()(view(rho)), -np.cumsum(np.log(local))[:-1])
    connected = two_point(s.X, s.Y, connected=True)(view(rho))
    assert_allclose(connected - np.diag(np.diag(connected)), 0, atol=1e-13)


def test_complex_expectations_are_read_part_by_part_or_refused(view):
    """A product that is not Hermitian has a current in its imaginary part, which a real number would lose."""
    amplitudes = np.kron(np.kron([1, 0], [0, 1]), np.eye(4)[0]) + 1j * np.kron(np.kron([0, 1], [1, 0]), np.eye(4)[0])
    rho = np.outer(amplitudes, amplitudes.conj()) / 2
    hop = s.Sp(0) * s.Sm(1)
    assert_allclose(view(rho).expect(hop), 0.5j, atol=1e-14)
    assert_allclose(expectation(hop, part="imag")(view(rho)), 0.5, atol=1e-14)
    assert_allclose(expectation([hop, hop.dag()], "term", part="real")(view(rho)), 0, atol=1e-14)
    assert_allclose(two_point(s.Sp, s.Sm, part="imag")(view(rho))[:2, :2], [[0, 0.5], [-0.5, 0]], atol=1e-14)
    for observable in (expectation(hop), two_point(s.Sp, s.Sm)):
        with pytest.raises(ModelError, match='ask for one with part="real" or part="imag"'):
            observable(view(rho))
    with pytest.raises(InputError, match="part = 'phase' is not one of real, imag"):
        expectation(hop, part="phase")(view(rho))


def test_two_bell_pairs(view):
    """Cut through one pair: S2 = ln 2, mutual information 2 ln 2, four equal operator Schmidt values."""
    rho, expected = np.kron(BELL, BELL), np.array([1, 0, 1]) * math.log(2)
    assert_allclose(purity()(view(rho)), 1)
    assert_allclose(renyi2_entropy()(view(rho)), expected, atol=1e-12)
    assert_allclose(renyi2_mutual_information()(view(rho)), 2 * expected, atol=1e-12)
    assert_allclose(operator_entanglement()(view(rho)), 2 * expected, atol=1e-12)


def test_the_maximally_mixed_state(view):
    rho = np.eye(2**N) / 2**N
    assert_allclose(purity()(view(rho)), 2.0**-N)
    assert_allclose(renyi2_entropy()(view(rho)), np.arange(1, N) * math.log(2))
    assert_allclose(renyi2_mutual_information()(view(rho)), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("observable", "dims"),
    [(purity(), ()), (renyi2_entropy(), ("cut",)), (operator_entanglement(), ("cut",)), (two_point(s.X, s.X), None)],
)
def test_values_have_the_dimensions_they_name(observable, dims):
    value = observable(view_of(random_rho(), "dense"))
    assert value.ndim == len(observable.dims)
    assert dims is None or observable.dims == dims


def test_an_observable_that_measures_another_shape_is_refused():
    wrong = Observable(lambda view: [1.0, 2.0], dims=())
    with pytest.raises(ModelError, match=r"dimensions \(\) was measured as an array of shape \(2,\)"):
        wrong(view_of(random_rho(), "dense"))


def test_several_operators_need_the_name_of_their_dimension():
    with pytest.raises(ModelError, match="needs the name of their dimension"):
        expectation([s.Z(0), s.Z(1)])


@pytest.mark.parametrize("kind", ["dense", "network"])
def test_two_point_functions_of_another_space_are_refused(kind):
    with pytest.raises(ModelError, match="a 3-level operator on site 0, which has 2 levels"):
        two_point(spin_one.Sz, spin_one.Sz)(view_of(random_rho(), kind))


@pytest.mark.parametrize("values", [["left", "right"], np.array(["left", "right"]), (0.5, 1.5), np.arange(2)])
def test_coordinates_are_numbers_or_texts(values):
    observable = Observable(lambda view: [1.0, 2.0], ("meter",), coordinates={"meter": values})
    assert list(observable.coordinates["meter"]) == list(values)


@pytest.mark.parametrize("values", ["left", [object()], [1.0, "right"]])
def test_coordinates_of_other_kinds_are_refused(values):
    with pytest.raises(
        InputError, match=r"coordinates\['meter'\] = .* is not a list of strings or an array of numbers"
    ):
        Observable(lambda view: [1.0, 2.0], ("meter",), coordinates={"meter": values})
