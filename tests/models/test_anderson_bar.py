"""The Anderson bar."""

import numpy as np
import pytest

from tnness import InputError, steady_state
from tnness.model.parameters import build
from tnness.model.registry import find

AndersonBar = find("anderson-bar")


def test_localization_ratio_with_its_error():
    found = steady_state(AndersonBar(width=2, length=64_000, disorder=16.5), seed=1).dataset
    gamma, error = float(found["lyapunov"][-1]), float(found["lyapunov_error"][-1])
    assert float(found["localization_ratio"]) == pytest.approx(1 / (2 * gamma))
    assert found["localization_ratio_error"] == pytest.approx(error / (2 * gamma**2))
    assert 0 < error < 0.02 * gamma
    assert (np.diff(found["lyapunov"]) < 0).all()


def test_strong_disorder_localises_on_the_scale_of_the_logarithm():
    """Thouless: for W far above the hopping gamma = <ln |V|> = ln(W/2) - 1 of a chain."""
    found = steady_state(AndersonBar(width=1, length=640_000, disorder=400.0)).dataset
    assert float(found["lyapunov"][0]) == pytest.approx(np.log(200) - 1, rel=0.01)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [({"width": 0}, "width = 0"), ({"disorder": 0.0}, "no localisation length"), ({"length": 0}, "length = 0")],
)
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(AndersonBar, parameters)


def test_small():
    assert AndersonBar(width=8).small() == AndersonBar(width=2, length=20_000)
