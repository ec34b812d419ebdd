"""Driven bosons against coherent states, a single site's closed formula, and dense matrices."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import gamma as gamma_function

from measured import exact_values
from systems.dense import bond_operator, dense_liouvillian, dense_steady_state, expect, site_operator
from tnness.errors import InputError
from tnness.model.parameters import build
from tnness.model.registry import find

EXACT = 1e-9
Bosons = find("bose-hubbard-driven")
NAMES = {"occupation", "field_real", "field_imag", "pairs", "current"}


def coherent_fields(model):
    """<b_i> without interaction: i d<b>/dt = (h - i loss/2) <b> + drive = 0."""
    h = -model.hopping * (np.eye(model.n, k=1) + np.eye(model.n, k=-1)) - model.detuning * np.eye(model.n)
    drive = np.where(np.arange(model.n) > 0, 1.0 if model.driven == "all" else 0.0, 1.0) * model.drive
    return np.linalg.solve(h - 0.5j * model.loss * np.eye(model.n), -drive.astype(complex))


def single_site_occupation(drive, detuning, interaction, loss):
    """<n> of one driven site (Drummond and Walls): z |Gamma(c)/Gamma(c + 1)|^2 0F2(|c + 1|^2, z) / 0F2(|c|^2, z)."""
    c, z = 2 * (-detuning - 0.5j * loss) / interaction, 2 * abs(2 * drive / interaction) ** 2

    def series(shift):
        """sum_k z^k / k! |Gamma(c + shift)/Gamma(c + shift + k)|^2"""
        total, term = 0.0, 1.0
        for k in range(60):
            total += term
            term *= z / (k + 1) / abs(c + shift + k) ** 2
        return total

    return z / 2 * abs(gamma_function(c) / gamma_function(c + 1)) ** 2 * series(1) / series(0)


@pytest.mark.parametrize("driven", ["first", "all"])
def test_without_interaction_every_site_is_in_a_coherent_state(driven):
    """|<b>|^2 < 0.03: the weight above four bosons is below 1e-9."""
    model = Bosons(n=2, cutoff=4, interaction=0.0, hopping=0.7, detuning=0.4, drive=0.1, driven=driven)
    values, fields = exact_values(model), coherent_fields(model)
    assert set(values) == NAMES
    assert_allclose(values["field_real"] + 1j * values["field_imag"], fields, atol=1e-7)
    assert_allclose(values["occupation"], np.abs(fields) ** 2, atol=1e-7)
    assert_allclose(values["pairs"], np.abs(fields) ** 4, atol=1e-7)
    current = 2 * model.hopping * np.imag(np.conj(fields[:-1]) * fields[1:])
    assert_allclose(values["current"], current, atol=1e-7)
    if driven == "first":
        assert_allclose(
            values["current"], model.loss * values["occupation"][1:], atol=1e-7
        )  # what leaves the last site


@pytest.mark.parametrize(("interaction", "detuning"), [(1.0, 0.3), (2.5, -0.2), (4.0, 1.0)])
def test_a_single_site_is_that_of_drummond_and_walls(interaction, detuning):
    model = Bosons(n=2, cutoff=4, hopping=0.0, interaction=interaction, detuning=detuning, drive=0.1)
    values = exact_values(model)
    expected = single_site_occupation(0.1, detuning, interaction, 1.0)
    assert_allclose(values["occupation"], [expected, 0], atol=1e-7)


def test_two_sites_are_those_of_dense_matrices():
    model, d = Bosons(n=2, cutoff=3, hopping=0.8, interaction=1.7, detuning=0.3, drive=0.9, loss=1.1), 4
    b = np.diag(np.sqrt(np.arange(1.0, d)), 1)
    number = b.T @ b
    local = 1.7 / 2 * number @ (number - np.eye(d)) - 0.3 * number
    hamiltonian = -0.8 * (bond_operator(b.T, b, 0, 2) + bond_operator(b, b.T, 0, 2))
    hamiltonian = hamiltonian + sum(site_operator(local, i, 2) for i in range(2)) + 0.9 * site_operator(b + b.T, 0, 2)
    jumps = [np.sqrt(1.1) * site_operator(b, i, 2) for i in range(2)]
    rho, values = dense_steady_state(dense_liouvillian(hamiltonian, jumps)), exact_values(model)
    assert_allclose(values["occupation"], [expect(site_operator(number, i, 2), rho) for i in range(2)], atol=EXACT)
    fields = [np.trace(site_operator(b, i, 2) @ rho) for i in range(2)]
    assert_allclose(values["field_real"] + 1j * values["field_imag"], fields, atol=EXACT)
    assert_allclose(
        values["current"], 1.1 * values["occupation"][1:], atol=EXACT
    )  # what comes in at the last site leaves


def test_small():
    assert Bosons(drive=0.2).small() == Bosons(n=3, cutoff=2, drive=0.2)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"n": 1}, "n = 1"),
        ({"cutoff": 0}, "cutoff = 0"),
        ({"loss": -1.0}, "loss = -1: a rate"),
        ({"driven": "last"}, "driven = 'last'"),
    ],
)
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(Bosons, parameters)
