"""The Anderson wire: its first number, what full correlations obey, and what it refuses."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness import InputError, Record, steady_state
from tnness.engines.transfer import Transfer
from tnness.model.parameters import build
from tnness.model.protocol import draw
from tnness.model.registry import find
from transfer_chains import FIRST_COHERENCE, FIRST_POTENTIAL, dense_coherence

AndersonWire = find("anderson-wire")


def values(model, engine=None):
    return steady_state(model, engine=engine or Transfer()).dataset


def test_first_number():
    model = draw(AndersonWire(size=4), 104)
    assert_allclose(model.potential, FIRST_POTENTIAL)
    found = values(model)
    assert float(found["mutual_coherence"]) == pytest.approx(FIRST_COHERENCE, rel=1e-9)
    assert found["mutual_coherence_error"] < 1e-9 * FIRST_COHERENCE
    assert found.attrs["outcome"] == "converged"


def test_record_against_dense_integrals(tmp_path):
    model = AndersonWire(size=2, length=5, disorder=10.0, energies=(0.0, 1.0), coherence_matrix=True, bias=0.2)
    steady_state(model, seed=3, out=tmp_path / "wire.nc")
    record = Record.open(tmp_path / "wire.nc")
    drawn = draw(model, 3)
    assert json.loads(record.dataset.attrs["parameters"])["potential"] == [
        [list(r) for r in p] for p in drawn.potential
    ]
    dense = dense_coherence(drawn.problem(), 0.2, 60)
    matrix = record["coherence_matrix"]
    assert_allclose(matrix.sel(part="real") + 1j * matrix.sel(part="imaginary"), dense, atol=1e-9)
    assert_allclose(record["density"], np.trace(dense.reshape(5, 4, 5, 4), axis1=1, axis2=3).diagonal().real, atol=1e-9)
    block = dense[:8, -8:]  # the middle slice is left out
    assert float(record["mutual_coherence"]) == pytest.approx(2 * np.sum(np.abs(block) ** 2), rel=1e-6)
    current = [-2 * np.trace(dense[4 * x : 4 * x + 4, 4 * x + 4 : 4 * x + 8]).imag for x in range(4)]
    assert_allclose(record["current"], current, rtol=1e-6)
    assert list(record["transmission"]["energy"].values) == [0.0, 1.0]


def test_full_correlations():
    found = values(AndersonWire(size=3, disorder=12.0, full=True, detectors=(1, 20)))
    assert float(found["mutual_information"]) > float(found["mutual_information_bound"]) > 0
    assert float(found["negativity"]) > 0
    assert float(found["mutual_coherence_full"]) > float(found["mutual_coherence"])
    assert 0 < float(found["density_full"].sum()) < 27
    view = Transfer().view(draw(AndersonWire(size=3, disorder=12.0), 0).problem())
    g = view.filled(0.0495).correlation
    meters = found["interferometer"]
    r, t = np.sqrt(0.5), 1j * np.sqrt(0.5)
    difference = 2 * np.real((np.conj(r) * t - np.conj(t) * r) * g[1, 20])  # (86)
    assert_allclose(meters[0] - meters[1], difference, atol=1e-12)
    assert_allclose(meters.sum(), (g[1, 1] + g[20, 20]).real, atol=1e-12)


def test_coherence_grows_with_the_bias_and_vanishes_without():
    model = draw(AndersonWire(size=3, disorder=8.0), 1)
    weak, strong = (
        float(values(build(AndersonWire, {**vars(model), "bias": b}))["mutual_coherence"]) for b in (1e-3, 2e-3)
    )
    assert strong == pytest.approx(
        4 * weak, rel=1e-3
    )  # quadratic, as long as the window is narrower than any resonance


def test_clean_wire_with_equal_leads():
    """No scattering: every channel open at the window's energies carries its quantum."""
    found = values(AndersonWire(size=3, disorder=0.0, t_par=1.0, bias=0.05, energies=(0.3,)))
    channels = int(np.sum(np.abs(0.3 - np.linalg.eigvalsh(_ring()) * 1.0) < 2))
    assert float(found["transmission"][0]) == pytest.approx(channels, abs=1e-10)
    assert found.attrs["outcome"] == "converged"
    assert_allclose(found["density"], 0, atol=1e-12)  # as many go left as right


def _ring():
    step = np.roll(np.eye(3), 1, axis=0)
    return np.kron(step + step.T, np.eye(3)) + np.kron(np.eye(3), step + step.T)


@pytest.mark.parametrize("rule", ["poles", "legendre"])
def test_rules_agree(rule):
    found = values(AndersonWire(size=4, disorder=21.0, energy_rule=rule, t_contact=0.5))
    auto = values(AndersonWire(size=4, disorder=21.0, t_contact=0.5))
    assert float(found["mutual_coherence"]) == pytest.approx(float(auto["mutual_coherence"]), rel=1e-5)


def test_energies_outside_the_band_transmit_nothing():
    assert_allclose(values(AndersonWire(size=2, energies=(11.0, -30.0)))["transmission"], 0)


@pytest.mark.parametrize("length", [1, 2])
def test_a_single_site_and_two(length):
    found = values(AndersonWire(size=1, length=length, disorder=1.0))
    assert found.sizes["slice"] == length
    assert (float(found["mutual_coherence"]) > 0) == (length == 2)


def test_window_across_a_threshold():
    found = values(AndersonWire(size=4, disorder=4.0, t_par=1.0))
    assert found.attrs["outcome"] == "converged"
    assert float(found["certificate_current_spread"]) < 1e-10


def test_potential_from_a_file(tmp_path):
    np.save(tmp_path / "v.npy", FIRST_POTENTIAL)
    model = build(AndersonWire, {"size": 4, "potential": str(tmp_path / "v.npy")})
    assert_allclose(model.potential, FIRST_POTENTIAL)


def test_small():
    assert AndersonWire(size=12, length=20).small() == AndersonWire(size=4)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"size": 0}, "size = 0"),
        ({"disorder": -1.0}, "disorder"),
        ({"bias": 0.0}, "bias = 0"),
        ({"t_par": 0.0}, "t_par = 0"),
        ({"t_contact": 0.0}, "not connected"),
        ({"energies": []}, "energies"),
        ({"energy_rule": "pole"}, "did you mean 'poles'"),
        ({"size": 2, "potential": [[[1.0]]]}, r"must have shape \(2, 2, 2\)"),
        ({"size": 1, "potential": [[[float("nan")]]]}, "nan"),
        ({"potential": "nowhere.npy"}, "no .npy file"),
        ({"detectors": [0, 1]}, "full"),
        ({"size": 1, "full": True, "detectors": [0, 1]}, "sites are 0 to 0"),
    ],
)
def test_bad_parameters_are_refused(parameters, reason):
    with pytest.raises(InputError, match=reason):
        build(AndersonWire, parameters)
