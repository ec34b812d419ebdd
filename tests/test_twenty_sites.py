"""The main job at n = 20: certified steady states and transients against exact solutions of interacting chains.

What is asked: an error below 1e-3, and inside what the certificate claims.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import systems
from tnness import TEBD, evolve, find, steady_state

N = 20
FIELDS = tuple(np.random.default_rng(3).uniform(-1, 1, N).tolist())
DRIVEN = {"coupling": 1.0, "gamma": 1.0, "mu": 1.0, "dephasing": 1.0}

pytestmark = pytest.mark.slow


def assert_within_the_claim(record, exact, names, tolerance):
    for name in names:
        error = np.abs(record[name].values - exact[name])
        assert error.max() < tolerance, (name, error)
        assert (error < record[f"{name}_error"].values).all(), name


@pytest.mark.parametrize(("delta", "chi"), [(0.5, 32), (1.0, 64)])
def test_the_driven_xxz_chain(delta, chi):
    record = steady_state(find("xxz-driven")(n=N, delta=delta), engine=TEBD(chi=chi))
    assert_within_the_claim(record, systems.prosen_exact(N, delta, 1.0), ("z", "current"), 1e-3)


def test_the_xx_chain_with_dephasing_and_random_fields():
    record = steady_state(find("xx-dephasing")(n=N, **DRIVEN, fields=FIELDS), engine=TEBD(chi=64), tolerance=1e-4)
    exact = systems.xx_covariance_steady(N, **DRIVEN, fields=FIELDS)
    assert_within_the_claim(record, exact, ("z", "current"), 1e-3)


def test_its_transient():
    times = [1.0, 5.0, 20.0]
    record = evolve(find("xx-dephasing")(n=N, **DRIVEN, fields=FIELDS), times, engine=TEBD(chi=32))
    exact = systems.xx_covariance_transient(N, **DRIVEN, fields=FIELDS, times=times)
    for name in ("z", "current"):
        assert_allclose(record[name], exact[name], atol=1e-3)
