"""Gate ensembles: exact designs against independent averages, and the paper's tables (with their errata)."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness.errors import InputError, ModelError
from tnness.operators.basis import operator_space
from tnness.problems.ensembles import (
    chained,
    fixed,
    haar_second_moment,
    haar_su2,
    mapped,
    mixture,
    over_angles,
    phases,
    replica_map,
)

HADAMARD = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
PHASE = np.diag([1, 1j])


def cliffords() -> np.ndarray:
    """The 24 one-qubit Clifford gates up to a phase: a unitary 2-design (Gottesman), found by closure."""
    found = [np.eye(2, dtype=complex)]
    for gate in found:
        for generator in (HADAMARD, PHASE):
            new = generator @ gate
            if all(abs(abs(np.trace(new.conj().T @ old)) - 2) > 1e-9 for old in found):
                found.append(new)
    return np.array(found)


def second_moment(gates):
    channels = [np.kron(u, u.conj()) for u in gates]
    return sum(np.kron(c, c) for c in channels) / len(channels)


def test_su2_equals_the_clifford_group_and_weingarten():
    gates = cliffords()
    assert len(gates) == 24
    assert_allclose(haar_su2().second_moment(), second_moment(gates), atol=1e-14)
    assert_allclose(haar_second_moment(2), second_moment(gates), atol=1e-14)


def test_phases_equal_finer_quadrature():
    gates = [
        np.diag(np.exp(1j * np.array([a, b, a]))) for a, b in itertools.product(2 * np.pi * np.arange(7) / 7, repeat=2)
    ]
    assert_allclose(phases(np.eye(3), [0, 1, 0]).second_moment(), second_moment(gates), atol=1e-14)


@pytest.mark.parametrize(
    "ensemble",
    [
        haar_su2(),
        phases(HADAMARD, [0, None]),
        over_angles(1, lambda a: np.exp(1j * a * np.array([1, -1]))[..., None] * np.eye(2)),
        mixture([(0.3, haar_su2()), (0.7, phases(np.eye(2), [0, 1]))]),
        chained(haar_su2(), fixed(HADAMARD)),
        mapped(haar_su2(), lambda u: np.kron(u, np.eye(2))),
    ],
    ids=["su2", "phases", "angles", "mixture", "chained", "mapped"],
)
def test_what_is_drawn_has_the_moments_of_the_design(ensemble):
    rng = np.random.default_rng(5)
    channels = np.array([np.kron(u, u.conj()) for u in ensemble.sample(rng, 4000)])
    size = channels.shape[1] ** 2
    drawn = np.einsum("kab,kcd->acbd", channels, channels, optimize=True).reshape(size, size) / len(channels)
    assert_allclose(drawn, ensemble.second_moment(), atol=6 / np.sqrt(4000))  # six standard errors of a unit modulus
    assert_allclose(channels.mean(axis=0), ensemble.first_moment(), atol=6 / np.sqrt(4000))


def test_haar_moment_is_a_projector_that_keeps_the_trace():
    moment = haar_second_moment(4)
    assert_allclose(moment @ moment, moment, atol=1e-13)
    trace = np.einsum("ij,kl->ijkl", np.eye(4), np.eye(4)).ravel()
    assert_allclose(trace @ moment, trace, atol=1e-13)


def test_bad_ensembles_are_refused():
    with pytest.raises(InputError, match="not unitary"):
        fixed(np.diag([1, 2]))
    with pytest.raises(InputError, match=r"sum to 1, got 0\.5, 0\.6"):
        mixture([(0.5, haar_su2()), (0.6, haar_su2())])
    with pytest.raises(InputError, match=r"sum to 1, got -0\.5, 1\.5"):
        mixture([(-0.5, haar_su2()), (1.5, haar_su2())])


def test_an_average_that_leaves_the_space_is_refused():
    projectors = [np.diag(np.eye(4)[k]) for k in range(4)]
    space = operator_space("populations", projectors, {})
    with pytest.raises(ModelError, match="leave the real span"):
        replica_map(fixed(np.kron(HADAMARD, np.eye(2))), space)
    with pytest.raises(ModelError, match="gates of 2 levels do not act"):
        replica_map(haar_su2(), space)
