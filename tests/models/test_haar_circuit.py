"""The circuit of Haar gates against its closed forms and against drawn circuits."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import unitary_group

from measured import exact_values, tebd_values
from tnness import steady_state
from tnness.errors import InputError
from tnness.model.parameters import build
from tnness.model.registry import find
from tnness.problems.ensembles import haar_replica_map, haar_second_moment
from tnness_models.haar_circuit import classes, strings

HAAR = find("haar-circuit")


def populations(matrix, sites):
    """A map of coefficients as one of populations."""
    own = classes(2)
    scale = own if sites == 1 else np.kron(own, own)
    return matrix * scale[:, None] / scale[None, :]


def test_haar_gates_spread_every_string_over_all_fifteen():
    expected = np.array([[1, 0, 0, 0], *[[0, w, w, w] for w in (1 / 5, 1 / 5, 3 / 5)]])
    assert_allclose(populations(haar_replica_map(strings()), 2), expected, atol=1e-14)


def test_haar_map_equals_the_second_moment():
    elements = np.einsum("aij,bkl->abikjl", *[strings().elements] * 2).reshape(4, *[2] * 8)
    # rows s1 s1' s2 s2', columns the same -> (s1 s2)(t1 t2) of the first replica, then of the second
    flat = elements.transpose(0, 1, 3, 5, 7, 2, 4, 6, 8).reshape(4, 256)
    moment = flat.conj() @ haar_second_moment(4) @ flat.T
    assert_allclose(haar_replica_map(strings()), moment, atol=1e-13)


def test_end_is_the_papers():
    assert_allclose(populations(HAAR(n=2).end_map, 1), [[0, 0], [0.2, -0.6]], atol=1e-14)  # b = 0.2, d = 0.6


@pytest.mark.parametrize("n", [2, 3, 6, 10])
def test_purity_is_the_closed_form(n):
    values = exact_values(HAAR(n=n))
    assert_allclose(values["purity"], 3 * 2**n / (2 * 4**n + 1), rtol=1e-9)
    printed = exact_values(HAAR(n=n, bulk="printed"))
    assert_allclose(printed["purity"], 2 / (2**n + 1), rtol=1e-9)
    assert_allclose(printed["deficit"], np.log2(2 / (1 + 2.0**-n)), atol=1e-9)


@pytest.mark.parametrize(("n", "levels"), [(2, 3), (5, 3), (10, 3), (4, 4)])
def test_purity_of_more_levels_is_the_closed_form(n, levels):
    d = float(levels)
    values = exact_values(HAAR(n=n, levels=levels))
    assert_allclose(values["purity"], (d + 1) * d**n / (d ** (2 * n + 1) + 1), rtol=1e-9)
    assert_allclose(values["deficit"], np.log2(1 + 1 / d), atol=2 * d ** (-2 * n))


def test_the_space_is_orthonormal_and_holds_every_average():
    """Of 1 x 1, the swap and their products only: E of U S U^+ x U S^+ U^+ over one-site gates."""
    space = strings(3)
    flat = space.elements.reshape(2, -1)
    assert_allclose(flat @ flat.conj().T, np.eye(2), atol=1e-14)
    gates = unitary_group.rvs(3, size=20_000, random_state=np.random.default_rng(1))
    operator = np.diag([1.0, 1.0, -2.0])
    turned = gates @ operator @ gates.conj().transpose(0, 2, 1)
    mean = np.einsum("kab,kcd->acbd", turned, turned).reshape(9, 9) / len(gates)
    within = np.einsum("a,aij->ij", space.vector(mean), space.elements)
    assert_allclose(mean, within, atol=0.05)
    assert_allclose(space.vector(mean), space.vector(np.kron(operator, operator)), atol=1e-12)


@pytest.mark.parametrize(("d", "expected"), [(2, 12 / 33), (3, 36 / 244)])
def test_drawn_circuits_have_this_purity(d, expected):
    n, rng = 2, np.random.default_rng(11)
    rho, purities = np.eye(d**n) / d**n, []
    pure = np.diag([1.0, *[0.0] * (d - 1)])
    for step in range(6000):
        gate = unitary_group.rvs(d**2, random_state=rng)
        if rng.integers(n) == 0:
            whole = np.kron(gate, np.eye(d)) @ np.kron(pure, rho) @ np.kron(gate, np.eye(d)).conj().T
            rho = np.einsum("aiaj->ij", whole.reshape(d, d**n, d, d**n))
        else:
            rho = gate @ rho @ gate.conj().T
        if step > 50:
            purities.append(np.trace(rho @ rho).real)
    blocks = np.array(purities[: len(purities) // 50 * 50]).reshape(-1, 50).mean(axis=1)  # longer than the memory
    error = blocks.std(ddof=1) / np.sqrt(len(blocks))
    assert abs(blocks.mean() - expected) < 4 * error
    if d == 2:
        assert abs(blocks.mean() - 0.4) > 6 * error  # what the printed chain says


def test_tebd_reaches_exact():
    values, run = tebd_values(HAAR(n=6), until=80.0, chi=8, dt=0.5)
    assert run.trace_drift == pytest.approx(0, abs=1e-8)
    assert_allclose(values["purity"], 3 * 2**6 / (2 * 4**6 + 1), rtol=1e-5)


def test_forty_sites_are_certified():
    record = steady_state(HAAR(n=40), tolerance=1e-4)
    assert record.outcome == "converged"
    assert_allclose(record["deficit"], np.log2(1.5), atol=1e-4)


def test_bad_parameters_are_refused():
    with pytest.raises(InputError, match="n = 1"):
        build(HAAR, {"n": 1})
    with pytest.raises(InputError, match="bulk = 'clifford'"):
        build(HAAR, {"bulk": "clifford"})
    with pytest.raises(InputError, match="levels = 1"):
        HAAR(levels=1)
    with pytest.raises(InputError, match="levels = 3: the printed matrix"):
        HAAR(levels=3, bulk="printed")
