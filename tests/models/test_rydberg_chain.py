"""Rydberg chains against dense matrices, the blockade against a strong repulsion and against two atoms by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from measured import exact_values
from systems.dense import LOWER, OCCUPATION, ONE, X, Z, dense_liouvillian, dense_steady_state, expect, site_operator
from tnness import evolve
from tnness.engines.exact import Exact
from tnness.engines.tebd import TEBD
from tnness.errors import InputError
from tnness.model.parameters import build
from tnness.model.registry import find
from tnness.runs.job import engine_for

EXACT = 1e-9
Rydberg = find("rydberg-chain")
CLOSED = {"decay": 0.0, "dephasing": 0.0}


def dense_density(model):
    """The steady state (2^n, 2^n) of the formulas in the model's text."""
    n = model.n
    number, down = ([site_operator(o, i, n) for i in range(n)] for o in (OCCUPATION, ONE - OCCUPATION))
    hamiltonian = -model.detuning * sum(number)
    for i in range(n):
        term = model.omega / 2 * site_operator(X, i, n)
        for j in (i - 1, i + 1) if model.blockade else ():
            term = term @ down[j] if 0 <= j < n else term
        hamiltonian = hamiltonian + term
        for j in range(i) if not model.blockade else ():
            hamiltonian = hamiltonian + model.repulsion / (i - j) ** model.alpha * number[i] @ number[j]
    jumps = [np.sqrt(model.decay) * site_operator(LOWER, i, n) for i in range(n)]
    jumps += [np.sqrt(model.dephasing) * site_operator(Z, i, n) for i in range(n)]
    return dense_steady_state(dense_liouvillian(hamiltonian, jumps))


@pytest.mark.parametrize("blockade", [False, True])
@pytest.mark.parametrize("n", [2, 4])
def test_steady_states_are_those_of_dense_matrices(n, blockade):
    model = Rydberg(n=n, omega=1.7, detuning=0.4, repulsion=1.3, alpha=2.0, blockade=blockade, dephasing=0.1)
    values, rho = exact_values(model), dense_density(model)
    number = [site_operator(OCCUPATION, i, n) for i in range(n)]
    densities = np.array([expect(o, rho) for o in number])
    pairs = np.array([[expect(a @ b, rho) for b in number] for a in number])
    assert_allclose(values["rydberg"], densities, atol=EXACT)
    assert_allclose(values["staggered"], (densities * (-1.0) ** np.arange(n)).mean(), atol=EXACT)
    assert_allclose(values["neighbours"], np.diagonal(pairs, 1), atol=EXACT)
    assert_allclose(values["rydberg_correlation"], pairs - np.outer(densities, densities), atol=EXACT)


def test_two_atoms_in_blockade_oscillate_faster_by_the_root_of_two():
    """One excitation is shared: sum <N> = sin^2(sqrt(2) omega t / 2) on resonance."""
    times = [0.3, 1.1, 2.0]
    record = evolve(Rydberg(n=2, omega=1.4, detuning=0.0, blockade=True, **CLOSED), times, engine=Exact())
    expected = np.sin(np.sqrt(2) * 1.4 * np.array(times) / 2) ** 2
    assert_allclose(record["rydberg"].values.sum(axis=1), expected, atol=1e-8)
    assert_allclose(record["neighbours"], 0, atol=1e-12)


def test_a_strong_repulsion_of_neighbours_becomes_the_blockade():
    """alpha = 40 leaves neighbours alone; what remains falls as 1/repulsion."""
    given = {"n": 3, "omega": 1.0, "detuning": 0.2, "decay": 0.3, "dephasing": 0.1}
    limit = evolve(Rydberg(blockade=True, **given), [1.5], engine=Exact())["rydberg"].values[-1]
    apart = []
    for repulsion in (80.0, 160.0):
        record = evolve(Rydberg(repulsion=repulsion, alpha=40.0, **given), [1.5], engine=Exact())
        apart.append(np.abs(record["rydberg"].values[-1] - limit).max())
    assert apart[0] < 2e-4
    assert 1.8 < apart[0] / apart[1] < 2.2


def test_tebd_joins_atoms_in_twos_for_the_blockade():
    model = Rydberg(n=6, omega=2.0, detuning=0.0, blockade=True, decay=0.2, dephasing=0.1)
    expected = evolve(model, [1.0], engine=Exact())
    record = evolve(model, [1.0], engine=TEBD(chi=32, dt=0.1), errors=False)
    for name in ("rydberg", "staggered", "neighbours", "rydberg_correlation"):
        assert_allclose(record[name], expected[name], atol=1e-5, err_msg=name)


def test_the_engine_follows_from_the_terms():
    assert engine_for(Rydberg(n=8)).name == "tdvp"
    assert engine_for(Rydberg(n=8, blockade=True)).name == "tebd"


def test_small():
    assert Rydberg(blockade=True).small() == Rydberg(n=4, blockade=True)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"n": 1}, "n = 1"),
        ({"decay": -1.0}, "decay = -1: a rate"),
        ({"alpha": -6.0}, "alpha = -6: the repulsion falls"),
        ({"blockad": True}, "did you mean 'blockade'"),
    ],
)
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(Rydberg, parameters)
