"""The noisy Anderson insulator: reference numbers, the engines against each other, limits, bad input."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness.engines.tebd import TEBD
from tnness.engines.trajectories import Trajectories
from tnness.errors import InputError, ModelError
from tnness.model.registry import find
from tnness.runs.solve import evolve

Noisy = find("noisy-anderson")
SHARED = ("energy_absorbed", "density")


def test_reference_numbers():
    """W = 3, L = 10, seed 502, from the ground state at half filling."""
    record = evolve(Noisy(n=10, disorder=3.0), [1.0, 10.0, 100.0, 1e4], seed=502)
    expected = {
        "energy_absorbed": [0.4848203832, 2.5080136935, 5.2276326820, 7.6154906860],
        "rms_displacement": [0.5793484656, 1.0303531232, 1.2662701524, 1.4145176891],
    }
    for name, values in expected.items():
        assert_allclose(record[name].values, values, atol=1e-8, err_msg=name)
    assert list(record["time"].values) == [1.0, 10.0, 100.0, 1e4]
    assert record.outcome == "complete"


@pytest.mark.parametrize("site", [None, (0, 3)])
@pytest.mark.parametrize("initial", ["ground", "neel", "random-product", "infinite-temperature"])
def test_the_exact_engine_gives_the_same(initial, site):
    model, times = Noisy(n=4, disorder=2.0, initial=initial, site=site), [0.0, 0.6, 4.0]
    free, dense = (evolve(model, times, engine=engine, seed=1) for engine in ("gaussian", "exact"))
    for name in SHARED:
        assert_allclose(free[name].values, dense[name].values, atol=1e-7, err_msg=name)
    assert_allclose(free["energy_absorbed"].values[0], 0.0, atol=1e-12)


def test_the_density_matrix_as_a_network_gives_the_same_at_n_6():
    model, times = Noisy(n=6, disorder=2.0), [0.5, 2.0, 5.0]
    free = evolve(model, times, seed=1)
    network = evolve(model, times, engine=TEBD(chi=64, dt=0.05), seed=1)
    for name in SHARED:
        assert_allclose(network[name].values, free[name].values, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("site", [None, (0, 1), (4, 1)])
def test_a_density_excitation_spreads_as_the_correlations_say(site):
    """C_ij from the densities of the state 2 n_j / 2^n, which any engine can evolve: C = (<n_i> - 1/2) / 2."""
    model, times = Noisy(n=5, disorder=1.5, potential=(0.3, -1.1, 0.8, 1.4, -0.2), site=site), [0.0, 0.7, 5.0]
    dense = evolve(model, times, engine="exact", initial="product:*1***")
    found = evolve(model, times)["density_correlation"].values
    assert_allclose(found, (dense["density"].values - 0.5) / 2, atol=1e-7)
    assert_allclose(found.sum(axis=1), 0.25, atol=1e-12)


@pytest.mark.parametrize("site", [None, (1, 4, 6)])
def test_trajectories_agree_with_the_exact_average_within_three_errors(site):
    model, times = Noisy(n=8, disorder=1.0, site=site), [2.0, 10.0]
    exact = evolve(model, times, seed=3)
    sampled = evolve(model, times, engine=Trajectories(realizations=300, dt=0.05), seed=3)
    z = (sampled["energy_absorbed"].values - exact["energy_absorbed"].values) / sampled["energy_absorbed_error"].values
    assert abs(z).max() < 3
    z = (sampled["density_correlation"].values - exact["density_correlation"].values) / np.maximum(
        sampled["density_correlation_error"].values, 1e-12
    )
    assert np.sqrt(np.mean(z**2)) < 2


def test_entanglement_of_random_products_grows_and_the_average_has_none():
    model = Noisy(n=8, initial="random-product")
    sampled = evolve(model, [0.0, 1.0, 50.0], engine=Trajectories(realizations=20), seed=2)
    entropy = sampled["entanglement_entropy"].values
    assert_allclose(entropy[0], 0.0, atol=1e-12)
    assert entropy[2] > entropy[1] > 0
    assert "entanglement_entropy" not in evolve(model, [1.0], seed=2).dataset


def test_many_noisy_sites_are_left_to_runge_kutta_steps():
    """Beyond half of the sites no particle is followed; a chain shaken everywhere ends at infinite temperature."""
    record = evolve(Noisy(n=6, site=tuple(range(6)), potential=(0.4, -0.9, 0.7, 0.1, -0.3, 1.0)), [2.0, 60.0])
    assert "rms_displacement" not in record.dataset
    assert_allclose(record["density"].values[-1], 0.5, atol=1e-6)
    assert abs(record["density"].values[0] - 0.5).max() > 0.01


def test_without_noise_energy_and_number_stay():
    record = evolve(Noisy(n=10, gamma=0.0, initial="neel"), [0.0, 3.0, 1e3], seed=2)
    assert_allclose(record["energy_absorbed"].values, 0.0, atol=1e-10)
    assert_allclose(record["density"].sum("site").values, 5.0, atol=1e-10)


def test_infinite_temperature_at_last():
    """At fixed N every site is as full as every other, and the energy is that of the mean potential."""
    model = Noisy(n=8, filling=3, potential=(0.4, -0.9, 0.7, 0.1, -0.3, 1.0, -0.6, 0.2))
    record = evolve(model, [1e9])
    h = np.diag(model.potential) - np.eye(8, k=1) - np.eye(8, k=-1)
    absorbed = 3 / 8 * np.trace(h) - np.linalg.eigvalsh(h)[:3].sum()
    assert_allclose(record["energy_absorbed"].values[0], absorbed, atol=1e-6)
    assert_allclose(record["density"].values[0], 3 / 8, atol=1e-6)


def test_the_potential_and_the_product_are_drawn_once():
    drawn = Noisy(n=10, disorder=3.0).draw(np.random.default_rng(502))
    assert_allclose(drawn.potential, np.random.default_rng(502).uniform(-3, 3, 10))
    product = Noisy(n=10, disorder=3.0, initial="random-product", filling=4).draw(np.random.default_rng(502))
    assert product.potential == drawn.potential
    assert sum(product.occupations) == 4
    assert drawn.occupations is None


def test_interactions_are_left_to_networks():
    model = Noisy(n=4, delta=0.5)
    with pytest.raises(ModelError, match=r"is an interaction"):
        evolve(model, [1.0])
    network = evolve(model, [0.0, 1.0], engine=Trajectories(realizations=2))
    assert_allclose(network["energy_absorbed"].values[0], 0.0, atol=1e-9)
    dense = evolve(model, [0.0, 1.0], engine="exact")
    assert_allclose(dense["energy_absorbed"].values[0], 0.0, atol=1e-9)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"n": 1}, "n = 1"),
        ({"site": 100}, "site = 100: the chain has sites 0 to 99"),
        ({"site": -1}, "site = -1"),
        ({"site": (3, 100)}, "site = 100: the chain has sites 0 to 99"),
        ({"site": (3, 3)}, "none twice"),
        ({"site": ()}, "at least one noisy site"),
        ({"filling": 101}, "filling = 101"),
        ({"gamma": -0.1}, "gamma = -0.1"),
        ({"initial": "hot"}, "initial = 'hot'"),
        ({"potential": (1.0, 2.0)}, "potential takes one number per site"),
        ({"occupations": (0, 1)}, "occupations takes 0 or 1"),
    ],
)
def test_bad_input(values, told):
    with pytest.raises(InputError, match=told):
        Noisy(**values)


def test_times_that_do_not_rise():
    with pytest.raises(InputError, match="times must be increasing"):
        evolve(Noisy(n=4), [2.0, 1.0])
