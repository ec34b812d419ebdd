"""The exact answers of systems.py checked against each other and against dense steady states.

ROUND is what a dense solve or a matrix exponential of a few hundred unknowns of order one leaves of 1e-16.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import expm

import systems as exact

ROUND = 1e-11
FIELDS = [0.37, -0.81, 0.23, 0.64]
SSEP_RATES = {"inject_left": 0.9, "remove_left": 0.4, "inject_right": 0.3, "remove_right": 1.1}


def dense(system):
    return exact.dense_steady_state(exact.dense_liouvillian(*system))


# ---------------------------------------------------------------- the dense route itself


def test_liouvillian_acts_as_the_lindblad_equation():
    rng = np.random.default_rng(0)
    hamiltonian, jump, rho = rng.normal(size=(3, 4, 4)) + 1j * rng.normal(size=(3, 4, 4))
    hamiltonian = hamiltonian + hamiltonian.conj().T
    decay = jump.conj().T @ jump
    expected = (
        -1j * (hamiltonian @ rho - rho @ hamiltonian) + jump @ rho @ jump.conj().T - (decay @ rho + rho @ decay) / 2
    )
    liouvillian = exact.dense_liouvillian(hamiltonian, [jump])
    assert_allclose((liouvillian @ rho.ravel()).reshape(4, 4), expected, atol=ROUND)


def test_reduced_states_of_a_product_are_its_factors():
    local = [np.diag([p, 1 - p]) + 0.1 * exact.X for p in (0.3, 0.6, 0.8)]
    rho = exact.product_state(local)
    assert_allclose(exact.reduced(rho, (1,)), local[1], atol=1e-15)
    assert_allclose(exact.reduced(rho, (2, 0)), np.kron(local[2], local[0]), atol=1e-15)
    spin_one = [np.diag([0.5, 0.3, 0.2]), np.diag([0.1, 0.2, 0.7])]
    assert_allclose(exact.reduced(exact.product_state(spin_one), (1,), d=3), spin_one[1], atol=1e-15)


def test_jump_chain_equals_the_null_vector():
    system = exact.xx_dephasing_dense(3, 1.3, 0.8, 0.6, 0.45, FIELDS[:3])
    assert_allclose(exact.jump_chain_steady_state(*system), dense(system), atol=ROUND)


# ---------------------------------------------------------------- XX chain with dephasing


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("dephasing", [0.0, 0.7])
def test_xx_formula_and_covariance_equal_dense(n, dephasing):
    parameters = (n, 0.8, 1.4, 0.6, dephasing)
    formula, covariance = exact.xx_dephasing_exact(*parameters), exact.xx_covariance_steady(*parameters)
    rho = dense(exact.xx_dephasing_dense(*parameters))
    for answer in (formula, covariance):
        assert_allclose(answer["z"], exact.z_profile(rho), atol=ROUND)
        assert_allclose(answer["current"], exact.spin_current(rho, coupling=0.8), atol=ROUND)


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("dephasing", [0.0, 0.7])
def test_xx_covariance_with_fields_equals_dense(n, dephasing):
    parameters = (n, 0.8, 1.4, 0.6, dephasing, FIELDS[:n])
    covariance, rho = exact.xx_covariance_steady(*parameters), dense(exact.xx_dephasing_dense(*parameters))
    assert_allclose(covariance["z"], exact.z_profile(rho), atol=ROUND)
    assert_allclose(covariance["current"], exact.spin_current(rho, coupling=0.8), atol=ROUND)


def test_free_xx_neighbours_are_anticorrelated():
    rho = dense(exact.xx_dephasing_dense(4, 0.8, 1.4, 0.6, 0.0))
    z = exact.z_profile(rho)
    connected = np.diagonal(exact.zz_correlation(rho) - np.outer(z, z), offset=1)
    assert_allclose(exact.xx_free_neighbour_correlation(4, 0.8, 1.4, 0.6), connected, atol=ROUND)


def test_xx_covariance_transient_equals_dense_evolution():
    parameters, times = (3, 0.8, 1.4, 0.6, 0.7, FIELDS[:3]), [0.0, 0.3, 1.0, 4.0]
    profile = np.array([0.5, -0.9, 0.2])
    rho = exact.product_state([(exact.ONE + z * exact.Z) / 2 for z in profile])
    history = exact.dense_evolve(exact.dense_liouvillian(*exact.xx_dephasing_dense(*parameters)), rho, times)
    transient = exact.xx_covariance_transient(*parameters, times, profile)
    assert_allclose(transient["z"], [exact.z_profile(state) for state in history], atol=ROUND)
    assert_allclose(transient["current"], [exact.spin_current(state, 0.8) for state in history], atol=ROUND)


def test_long_xx_chain_without_fields_follows_the_formula():
    parameters = (40, 1.0, 1.0, 0.5, 0.3)
    formula, covariance = exact.xx_dephasing_exact(*parameters), exact.xx_covariance_steady(*parameters)
    assert_allclose(covariance["z"], formula["z"], atol=ROUND)
    assert_allclose(covariance["current"], formula["current"], atol=ROUND)


def test_long_disordered_xx_chain_relaxes_to_a_uniform_current():
    fields = np.random.default_rng(3).uniform(-1, 1, 20)
    parameters = (20, 1.0, 1.0, 0.8, 0.5, fields)
    steady = exact.xx_covariance_steady(*parameters)
    assert_allclose(steady["current"], steady["current"][0], atol=ROUND)  # continuity
    relaxed = exact.xx_covariance_transient(*parameters, [100.0, 800.0], 0.0)
    assert_allclose(relaxed["z"][-1], steady["z"], atol=1e-9)  # slowest rate 0.057: exp(-46)
    again = exact.xx_covariance_transient(*parameters, [5.0], steady["covariance"])
    assert_allclose(again["z"][0], steady["z"], atol=ROUND)


# ---------------------------------------------------------------- XXZ chain at maximal driving


@pytest.mark.parametrize(
    ("n", "delta", "gamma"),
    [(2, 0.5, 1.0), (3, -0.7, 0.4), (3, 1.0, 2.3), (4, 0.0, 1.0), (4, 1.0, 1.0), (4, 1.7, 0.4)],
)
def test_prosen_equals_dense(n, delta, gamma):
    answer, rho = exact.prosen_exact(n, delta, gamma), dense(exact.xxz_dense(n, delta, gamma))
    assert_allclose(answer["z"], exact.z_profile(rho), atol=ROUND)
    assert_allclose(answer["current"], exact.spin_current(rho), atol=ROUND)
    assert_allclose(answer["zz"], exact.zz_correlation(rho), atol=ROUND)


def test_prosen_equals_the_jump_chain_at_six_sites():
    answer = exact.prosen_exact(6, 0.6, 1.0)
    rho = exact.jump_chain_steady_state(*exact.xxz_dense(6, 0.6, 1.0))
    assert_allclose(answer["z"], exact.z_profile(rho), atol=ROUND)
    assert_allclose(answer["zz"], exact.zz_correlation(rho), atol=ROUND)


@pytest.mark.parametrize(
    ("delta", "current", "first", "tenth"),
    [
        (0.5, 0.901253487850, 0.098746512150, 0.000357286187),
        (1.0, 0.177881550180, 0.822118449820, 0.067547102293),
    ],
)
def test_prosen_at_twenty_sites(delta, current, first, tenth):
    answer = exact.prosen_exact(20, delta, 1.0)
    printed = [answer["current"][0], answer["z"][0], answer["z"][9]]
    assert_allclose(printed, [current, first, tenth], rtol=0, atol=5e-13)  # half of the last digit printed


def test_prosen_insulator_and_long_chains_stay_finite():
    insulator = exact.prosen_exact(20, 1.5, 1.0)
    assert_allclose(insulator["current"][0], 5.2611e-8, rtol=1e-5)  # five digits printed
    long = exact.prosen_exact(100, 1.0, 1.0)
    assert_allclose(long["z"], -long["z"][::-1], atol=1e-12)  # left-right reflection with spin flip
    assert_allclose(1 - long["z"][0], long["current"][0], atol=1e-12)  # Gamma (1 - <Z_first>) flows in
    with pytest.raises(OverflowError, match="long doubles"):
        exact.prosen_exact(200, 2.0, 1.0)


# ---------------------------------------------------------------- exclusion process


@pytest.mark.parametrize(("n", "rate"), [(2, 1.0), (3, 1.0), (4, 0.6), (5, 2.5)])
def test_ssep_formula_equals_the_master_equation(n, rate):
    generator = exact.dense_ssep_generator(n, rate=rate, **SSEP_RATES)
    assert_allclose(generator.sum(axis=0), 0, atol=1e-14)  # probability is kept
    measured = exact.ssep_observables(exact.dense_stationary_probability(generator), rate)
    for name, value in exact.ssep_exact(n, rate=rate, **SSEP_RATES).items():
        assert_allclose(value, measured[name], atol=ROUND, err_msg=name)


def test_quantum_exclusion_has_the_classical_probabilities():
    rho = dense((np.zeros((8, 8)), exact.ssep_jumps(3, rate=0.6, **SSEP_RATES)))
    classical = exact.dense_stationary_probability(exact.dense_ssep_generator(3, rate=0.6, **SSEP_RATES))
    assert_allclose(rho, np.diag(classical), atol=ROUND)
    measured = exact.ssep_observables(np.diag(rho).real, 0.6)
    formula = exact.ssep_exact(3, rate=0.6, **SSEP_RATES)
    assert_allclose(measured["correlation"], formula["correlation"], atol=ROUND)


def test_ssep_between_equal_reservoirs_is_a_product():
    answer = exact.ssep_exact(6, 0.6, 0.4, 1.2, 0.8)
    assert_allclose(answer["density"], 0.6, atol=1e-15)
    assert_allclose(answer["correlation"], 0.24 * np.eye(6), atol=1e-15)


# ---------------------------------------------------------------- MBL Heisenberg chain


def test_mbl_reference_case():
    reference = exact.mbl_exact_reference()
    for weight, variation in ((1.0, reference.beta_variation_whole), (0.5, reference.beta_variation_half)):
        answer = exact.mbl_exact(**reference.parameters(), field_weight=weight)
        assert_allclose(answer["energy"], reference.energy, rtol=0, atol=2e-12)  # twelve decimals printed
        assert_allclose(answer["beta_variation"], variation, rtol=0, atol=2e-12)


@pytest.mark.parametrize("drive", ["correlated", "literal", "one-sided", "singlet"])
def test_mbl_jump_chain_equals_the_null_vector(drive):
    system = exact.mbl_dense(4, 2.0, 0.1, FIELDS, FIELDS[::-1], drive)
    assert_allclose(exact.jump_chain_steady_state(*system), dense(system), atol=ROUND)


def test_literal_drive_heats_to_the_identity():
    rho = dense(exact.mbl_dense(4, 2.0, 0.1, FIELDS, FIELDS[::-1], "literal"))
    assert_allclose(rho, np.eye(16) / 16, atol=ROUND)
    limit = exact.mean_temperature_limit(4, 2.0, FIELDS, FIELDS[::-1], "literal")
    assert limit == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("drive", ["correlated", "one-sided", "singlet"])
def test_drive_feeds_in_no_power_in_the_steady_state(drive):
    fields = (FIELDS, FIELDS[::-1])
    rho = dense(exact.mbl_dense(4, 2.0, 0.3, *fields, drive))
    assert exact.expect(exact.mbl_heating(4, 2.0, *fields, drive), rho) == pytest.approx(0, abs=ROUND)


def test_weak_drive_limit_is_reached_linearly():
    reference = exact.mbl_exact_reference()
    parameters = reference.parameters()
    limit = exact.weak_drive_steady_state(*exact.mbl_dense(**parameters))
    distances = [
        np.abs(exact.jump_chain_steady_state(*exact.mbl_dense(**parameters | {"eps": eps})) - limit).max()
        for eps in (1e-4, 1e-5)
    ]
    assert distances[0] / distances[1] == pytest.approx(10, rel=0.01)
    heating = exact.mbl_heating(reference.n, reference.h, reference.fields_z, reference.fields_x)
    assert exact.expect(heating, limit) == pytest.approx(0, abs=ROUND)


def test_mean_temperature_balances_the_heating_of_a_thermal_state():
    fields = (FIELDS, FIELDS[::-1])
    beta = exact.mean_temperature_limit(4, 2.0, *fields)
    hamiltonian = exact.mbl_hamiltonian(4, 2.0, *fields)
    thermal = expm(-beta * hamiltonian)
    thermal /= np.trace(thermal)
    change = (exact.dense_dissipator(exact.mbl_jumps(4)) @ thermal.ravel()).reshape(16, 16)
    power = exact.expect(hamiltonian, change)
    assert power == pytest.approx(0, abs=1e-12)
    assert beta > 0  # antiparallel neighbours: the drive cools


@pytest.mark.parametrize("beta", [-3.0, -0.2, 0.0, 1e-4, 0.45, 6.0])
def test_local_temperature_of_a_thermal_pair(beta):
    bond = exact.mbl_bond_hamiltonians(2, 2.0, [0.3, -0.7], [0.5, 0.2])[0]
    thermal = expm(-beta * bond)
    fitted = exact.local_temperature(thermal / np.trace(thermal), bond)
    assert fitted == pytest.approx(beta, abs=1e-12, rel=1e-10)  # populations fall like exp(-beta E)


def test_local_temperature_minimises_the_misfit_of_any_pair():
    rng = np.random.default_rng(5)
    for _ in range(20):
        bond = exact.mbl_bond_hamiltonians(2, 3.0, *rng.uniform(-1, 1, (2, 2)))[0]
        matrix = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
        rho = matrix @ matrix.conj().T + 4 * np.eye(4)
        rho /= np.trace(rho)
        fitted = exact.local_temperature(rho, bond)

        def misfit(beta, rho=rho, bond=bond):
            thermal = expm(-beta * bond)
            return np.linalg.norm(rho - thermal / np.trace(thermal)) ** 2

        assert misfit(fitted) <= min(misfit(beta) for beta in np.linspace(-6, 6, 61)) + 1e-14


def test_ground_state_of_a_pair_is_infinitely_cold():
    bond = exact.mbl_bond_hamiltonians(2, 2.0, [0.3, -0.7], [0.5, 0.2])[0]
    ground = np.linalg.eigh(bond)[1][:, 0]
    assert exact.local_temperature(np.outer(ground, ground.conj()), bond) == np.inf
