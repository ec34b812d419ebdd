"""The cavity: resonances against the golden rule and against the corrected and the printed formula."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness import InputError, steady_state
from tnness.model.parameters import build
from tnness.model.protocol import draw
from tnness.model.registry import find

Cavity = find("cavity")


def near(level: float, width: float) -> tuple[float, ...]:
    return tuple(np.linspace(level - 3 * width, level + 3 * width, 61).tolist())


@pytest.mark.parametrize("links", [(0.1, 0.1), (0.05, 0.08)])
def test_resonances_have_golden_rule_widths(links):
    model = draw(Cavity(levels=4, link_left=links[0], link_right=links[1]), 0)
    found = steady_state(model).dataset
    levels, _ = model.closed()
    assert_allclose(found["resonance_position"], levels, atol=2 * max(links) ** 2)
    assert_allclose(found["resonance_width"], model.golden_rule(), rtol=0.05)


def test_corrected_sign_and_not_the_printed_one():
    """S27 is accurate to the links squared; with its printed sign the peak is on the wrong side of the level."""
    model = draw(Cavity(levels=2, link_left=0.05, link_right=0.05), 0)
    levels, _ = model.closed()
    energies = np.array(near(levels[1], model.golden_rule()[1]))
    found = steady_state(build(Cavity, {**vars(model), "energies": tuple(energies)})).dataset["transmission"].values
    errors = [np.abs(model.approximate(energies, 1, sign) - found).max() for sign in (1, -1)]
    assert errors[0] < 0.01
    assert errors[1] > 20 * errors[0]


def test_peak_is_perfect_between_equal_links_and_lorentzian():
    model = Cavity(levels=3, link_left=0.03, link_right=0.03)
    found = steady_state(model).dataset
    centre, width = float(found["resonance_position"][2]), float(found["resonance_width"][2])
    peak = steady_state(build(Cavity, {**vars(model), "energies": (centre, centre + width)})).dataset["transmission"]
    assert_allclose(peak, [1.0, 0.5], atol=1e-3)


def test_two_sites_by_hand():
    """Current, gradient and coherence of the state from the right, from its 2 x 2 equations."""
    model = draw(Cavity(link_left=0.2, link_right=0.3, energies=(0.4, 0.97, -1.2), disorder=0.5), 4)
    found = steady_state(model).dataset
    for index, energy in enumerate(model.energies):
        k = np.arccos(energy / 2)
        matrix = energy * np.eye(2) - np.diag(model.potential) - np.array([[0, 1], [1, 0]])
        matrix = matrix - np.diag([0.04, 0.09]) * np.exp(-1j * k)
        psi = np.linalg.solve(matrix, [0, 0.3 * (2j * np.sin(k)) * 1.0])  # unit amplitude coming in
        assert found["state_coherence"][index] == pytest.approx(abs(psi[0] * psi[1]), rel=1e-10)
        assert found["state_gradient"][index] == pytest.approx(abs(psi[0]) ** 2 - abs(psi[1]) ** 2, rel=1e-9)
        # what enters from the right leaves to the left: J = -v |t|^2
        assert found["state_current"][index] == pytest.approx(
            -2 * np.sin(k) * float(found["transmission"][index]), rel=1e-10
        )


def test_coherence_diverges_while_the_current_does_not():
    """(S31): on resonance of two sites the coherence grows as 1/t^2, the current stays."""
    values = {}
    for link in (0.1, 0.05):
        pole = float(steady_state(Cavity(link_left=link, link_right=link)).dataset["resonance_position"][1])
        found = steady_state(Cavity(link_left=link, link_right=link, energies=(pole,))).dataset
        values[link] = float(found["state_coherence"][0]), float(found["state_current"][0])
    assert values[0.05][0] == pytest.approx(4 * values[0.1][0], rel=0.02)
    assert values[0.05][1] == pytest.approx(values[0.1][1], rel=0.02)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"levels": 0}, "levels = 0"),
        ({"link_left": 0.0}, "closes the cavity"),
        ({"potential": [1.0]}, "potential takes one number per site"),
        ({"energies": [2.5]}, "outside the leads' band"),
        ({"energies": []}, "energies"),
        ({"disorder": -1.0}, "disorder"),
    ],
)
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(Cavity, parameters)


def test_level_outside_the_band_is_bound():
    found = steady_state(Cavity(levels=1, potential=(3.0,), link_left=0.1, link_right=0.1)).dataset
    assert_allclose(found["resonance_width"], 0, atol=1e-15)
