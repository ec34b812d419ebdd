"""The contact process, classical and quantum, against its rules, dense matrices, and each other."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from measured import exact_values
from systems.dense import LOWER, OCCUPATION, RAISE, X, bond_operator, dense_evolve, dense_liouvillian, site_operator
from systems.markov import configurations, contact_moves, evolved, master_equation, occupations
from tnness import evolve
from tnness.engines.exact import Exact
from tnness.engines.tebd import TEBD
from tnness.errors import InputError
from tnness.model.parameters import build
from tnness.model.protocol import generator_of
from tnness.model.registry import find

Contact, Quantum = find("contact-process"), find("quantum-contact-process")
TIMES = [0.3, 1.0, 4.0]
every_engine = pytest.mark.parametrize("engine", [Exact(), TEBD(chi=64, dt=0.05)], ids=["exact", "tebd"])


def decays(jumps, hamiltonian, n, times):
    """(times, 2^n, 2^n): evolution from all sites up."""
    full = np.zeros((2**n, 2**n))
    full[0, 0] = 1
    return dense_evolve(dense_liouvillian(hamiltonian, jumps), full, times)


def quantum_rho(model, times):
    n = model.n
    bonds = range(n - 1)
    hamiltonian = model.omega * sum(
        bond_operator(X, OCCUPATION, i, n) + bond_operator(OCCUPATION, X, i, n) for i in bonds
    )
    jumps = [np.sqrt(model.decay) * site_operator(LOWER, i, n) for i in range(n)]
    for i in bonds:
        jumps.append(np.sqrt(model.branching) * bond_operator(OCCUPATION, RAISE, i, n))
        jumps.append(np.sqrt(model.branching) * bond_operator(RAISE, OCCUPATION, i, n))
    return decays(jumps, hamiltonian, n, times)


# ---------------------------------------------------------------- classical


def test_the_generator_is_the_master_equation():
    expected = master_equation(3, contact_moves(2.2, 0.7))
    found = generator_of(Contact(n=3, infection=2.2, recovery=0.7)).matrix().toarray()
    assert_allclose(found, expected, atol=1e-14)


@every_engine
def test_densities_decay_as_the_rules_say(engine):
    record = evolve(Contact(n=5), TIMES, engine=engine)
    probabilities = evolved(master_equation(5, contact_moves(3.29785, 1.0)), (1,) * 5, TIMES)
    tolerance = 1e-9 if engine.name == "exact" else 1e-5
    assert_allclose(record["density"], occupations(probabilities), atol=tolerance)
    assert_allclose(record["mean_density"], occupations(probabilities).mean(axis=1), atol=tolerance)
    assert_allclose(record["survival"], 1 - probabilities[:, 0], atol=tolerance)


def test_a_site_is_active_as_often_as_activity_survives_from_it_alone():
    n, time = 5, 2.0
    densities = evolve(Contact(n=n), [time], engine=Exact())["density"].values[-1]
    for site in range(n):
        single = "".join("1" if i == site else "0" for i in range(n))
        record = evolve(Contact(n=n), [time], engine=Exact(), initial=f"product:{single}")
        assert_allclose(record["survival"].values[-1], densities[site], atol=1e-9)


def test_the_empty_chain_is_the_steady_state():
    values = exact_values(Contact(n=4))
    assert_allclose(values["density"], 0, atol=1e-9)
    assert_allclose(values["survival"], 0, atol=1e-9)


# ---------------------------------------------------------------- quantum


@every_engine
def test_quantum_densities_are_those_of_dense_matrices(engine):
    model = Quantum(n=3, omega=1.3, branching=0.4, decay=0.8)
    record, rho = evolve(model, TIMES, engine=engine), quantum_rho(model, TIMES)
    diagonals = np.einsum("tii->ti", rho).real
    occupied = 1 - np.array(configurations(3), float)  # Kronecker factors count from up
    tolerance = 1e-9 if engine.name == "exact" else 1e-5
    assert_allclose(record["density"], diagonals @ occupied, atol=tolerance)
    assert_allclose(record["survival"], 1 - diagonals[:, -1], atol=tolerance)


def test_without_oscillations_it_is_the_classical_process():
    quantum = evolve(Quantum(n=4, omega=0.0, branching=1.1), TIMES, engine=Exact())
    probabilities = evolved(master_equation(4, contact_moves(2.2, 1.0)), (1,) * 4, TIMES)
    assert_allclose(quantum["density"], occupations(probabilities), atol=1e-9)
    assert_allclose(quantum["survival"], 1 - probabilities[:, 0], atol=1e-9)


def test_the_empty_quantum_chain_does_not_move():
    record = evolve(Quantum(n=4, omega=2.0), [1.0], engine=Exact(), initial="product:1111")
    assert_allclose(record["density"], 0, atol=1e-12)


@pytest.mark.parametrize("model", [Contact, Quantum])
def test_small_and_the_full_chain(model):
    assert model().small() == model(n=4)
    record = evolve(model(n=3), [0.0], engine=Exact())
    assert_allclose(record["density"], 1, atol=1e-12)


@pytest.mark.parametrize(
    ("model", "parameters", "reason"),
    [
        (Contact, {"n": 0}, "n = 0"),
        (Contact, {"infection": -1.0}, "infection = -1: a rate"),
        (Quantum, {"decay": -0.5}, "decay = -0.5: a rate"),
        (Quantum, {"omga": 1.0}, "did you mean 'omega'"),
    ],
)
def test_bad_parameters_are_refused(model, parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(model, parameters)
