"""Energy spreading: diffusion where links are equal, energy kept, ends reflecting."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness import InputError, evolve, steady_state
from tnness.model.parameters import build
from tnness.model.registry import find

EnergySpreading = find("energy-spreading")


def test_equal_links_diffuse():
    """sigma^2 = 2 D t, D = gamma0 e^-1, as long as no energy has reached the ends; the energy is kept."""
    times = [0.0, 0.5, 2.0, 10.0]
    found = evolve(EnergySpreading(n=101, lengths=(1.0,) * 100, gamma0=5.0), times).dataset
    assert_allclose(found["width"], np.sqrt(2 * 5 * np.exp(-1) * np.array(times)), atol=1e-6)  # sqrt of round-off
    assert_allclose(found["energy"].sum("site"), 1, rtol=1e-13)
    assert found.attrs["outcome"] == "complete"


def test_many_decades_of_time():
    found = evolve(EnergySpreading(n=60, alpha=0.5), [1e-6, 1.0, 1e3, 1e9], seed=2).dataset
    assert (np.diff(found["width"])[:2] > 0).all()
    assert_allclose(found["energy"].sum("site"), 1, atol=1e-12)
    assert (found["energy"] > -1e-12).all()


def test_two_islands_by_hand():
    rate = 5 * np.exp(-1.7)
    found = evolve(EnergySpreading(n=2, lengths=(1.7,), start=0), [0.3]).dataset
    assert float(found["width"][0]) ** 2 == pytest.approx((1 - np.exp(-2 * rate * 0.3)) / 2, rel=1e-12)


def test_it_needs_times():
    with pytest.raises(InputError, match="give --time"):
        steady_state(EnergySpreading(n=4))


@pytest.mark.parametrize(("parameters", "reason"), [({"n": 4, "start": 4}, "islands are 0 to 3"), ({"n": 1}, "n = 1")])
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(EnergySpreading, parameters)
