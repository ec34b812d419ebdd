"""The response of a profile, against exact conductors; and jumps, against the densities that were asked for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tnness import find
from tnness.engines.weak.profile import Profile
from tnness.engines.weak.transported import Transported
from tnness.model.protocol import generator_of
from tnness.network.chain_view import ChainView
from tnness.network.initial import identity_state

SSEP = find("ssep")(n=12, inject_left=0.7, remove_left=0.2, inject_right=0.1, remove_right=0.5)


def profile_of(model):
    generator = generator_of(model)
    return Profile(generator, Transported.of(generator))


def sample(profile, densities, conductances):
    """What a chain of these conductances shows: its densities, currents and sources."""
    rates, targets = profile.transported.rates, profile.transported.targets
    currents = conductances * (densities[:-1] - densities[1:])
    sources = [rate * (target - n) for rate, target, n in zip(rates, targets, densities[[0, -1]], strict=True)]
    return np.r_[densities, currents, sources]


def burst(profile, densities, conductances):
    return profile.burst(np.arange(4.0), np.tile(sample(profile, densities, conductances), (4, 1)))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_one_burst_of_an_even_conductor_shows_where_its_profile_rests(seed):
    rng, profile = np.random.default_rng(seed), profile_of(SSEP)
    densities, conductances = rng.uniform(-0.4, 0.4, 12), np.full(11, rng.uniform(0.1, 5))
    shown = burst(profile, densities, conductances)
    profile.learn(shown)
    assert_allclose(profile.conductances, conductances, rtol=1e-9)
    end = densities + profile.newton(shown.drift)
    flat = sample(profile, end, conductances)
    assert_allclose(profile._drift(flat), 0, atol=1e-9)


def test_derridas_profile_is_where_the_exclusion_process_rests():
    profile = profile_of(SSEP)
    start = burst(profile, profile.start, np.ones(11))
    profile.learn(start)
    sign = np.sign(profile.transported.densities[0][1])
    assert_allclose(sign * (profile.start + profile.newton(start.drift)) + 0.5, SSEP.profile(), atol=1e-12)


def test_the_slow_rate_is_the_smallest_of_the_response():
    profile = profile_of(SSEP)
    profile.conductances = np.linspace(0.5, 2.0, 11)
    matrix = np.column_stack([-profile._drift(sample(profile, e, profile.conductances)) for e in np.eye(12)])
    offset = -profile._drift(sample(profile, np.zeros(12), profile.conductances))
    assert_allclose(profile.rate, np.linalg.eigvalsh(matrix - offset[:, None]).min())


@pytest.mark.parametrize("kind", ["sites", "bonds"])
def test_of_a_drift_along_the_chain_every_pattern_lasts_as_long_as_its_modes(kind):
    """Patterns of sites are those of the density; those of bonds have free ends, where a uniform one lasts for ever."""
    profile = profile_of(SSEP)
    profile.conductances = np.full(11, 1.5)
    k = np.arange(11 if kind == "bonds" else 12)
    if kind == "bonds":
        modes, rates = np.cos(np.pi * np.outer(k + 0.5, k) / 11), 1.5 * (2 - 2 * np.cos(np.pi * k / 11))
    else:
        matrix = np.column_stack([-profile._drift(sample(profile, e, profile.conductances)) for e in np.eye(12)])
        offset = -profile._drift(sample(profile, np.zeros(12), profile.conductances))
        rates, modes = np.linalg.eigh(matrix - offset[:, None])
    for mode, rate in zip(modes.T, rates, strict=True):
        assert_allclose(profile.lasts(mode, 0.2), mode / max(0.2, rate / 2), atol=1e-9)
    both = profile.lasts(modes[:, 1] + 3 * modes[:, 6], 1e-6)
    assert_allclose(both, 2 * modes[:, 1] / rates[1] + 6 * modes[:, 6] / rates[6], atol=1e-9)


@pytest.mark.parametrize("model", [SSEP, find("ssep")(n=6, space="quantum"), find("fermi-hubbard-driven")(n=4)])
def test_a_jump_reaches_the_densities_that_were_asked_for(model):
    profile = profile_of(model)
    spaces, rng = profile.generator.spaces, np.random.default_rng(4)
    target = rng.uniform(-0.4, 0.4, profile.n)
    correlated = [model.steady_network()] if hasattr(model, "steady_network") else []
    for state in (identity_state(spaces), *correlated):
        moved = profile.moved(state, target)
        view = ChainView(moved, spaces, profile.generator.functionals)
        assert_allclose(profile.energies(view)[: profile.n], target, atol=1e-4)


def test_what_is_no_normal_diffusion_is_objected_to():
    profile = profile_of(SSEP)
    straight, ones = profile.start, np.ones(11)

    def objection(conductances, end=straight):
        profile.learn(burst(profile, straight, conductances))
        return profile.objection(end)

    assert objection(ones) == ""
    assert objection(-ones) == "a current flows up the gradient"
    assert "reservoirs" in objection(ones, end=straight + 0.2 * np.sign(straight))


def test_a_conductance_that_changes_from_burst_to_burst_is_told():
    profile = profile_of(SSEP)

    def unsteady(*conductances, first=True):
        bursts = [burst(profile, profile.start, np.full(11, c)) for c in conductances]
        return profile.unsteady(bursts, first)

    assert unsteady(1) == ""
    assert unsteady(1, 0.8) == ""  # the currents of a product state flow freely at first
    assert unsteady(1, 0.8, first=False) == "the conductance changes from 1 to 0.8"
    assert unsteady(1, 1.2) == "the conductance changes from 1 to 1.2"
    assert unsteady(1, 0.6) == "the conductance changes from 1 to 0.6"
    assert unsteady(1, 1, 0.8) == "the conductance changes from 1 to 0.8"
    assert unsteady(1, 0.6, 0.61) == ""


def test_a_burst_is_read_back_from_its_row():
    profile = profile_of(SSEP)
    even = burst(profile, profile.start, np.ones(11))
    assert even.row == type(even).of(np.array(even.row), profile.n).row
