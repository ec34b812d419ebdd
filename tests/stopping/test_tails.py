"""Exponential tails with a known end: the extrapolation and the bound on it."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tnness.records.history import History
from tnness.records.values import change, scale, size
from tnness.stopping.tails import FEWEST, Tails
from tnness.stopping.target import Target
from tnness.stopping.waiting import Waiting


class Stages(NamedTuple):
    """Where a run stands among its stages."""

    stage: int
    stage_names: tuple[str, ...]


def recorded(series, times, stage=0, history=None):
    """A history of observables x(t), given by name as functions of time."""
    history = history or History()
    for t in times:
        history.add(float(t), stage, {name: np.asarray(x(t), float) for name, x in series.items()})
    return history


def decay(rate, amplitude=1.0, end=2.0):
    return lambda t: end + amplitude * np.exp(-rate * t)


@given(rate=st.floats(0.05, 1.0), end=st.floats(0.1, 5.0), amplitude=st.floats(0.01, 10.0))
def test_a_pure_exponential_is_extrapolated_exactly(rate, end, amplitude):
    times = np.linspace(0, 4 / rate, 13)  # lag 4, averages of one measurement: r = e^{-4/3}
    tail = Tails(recorded({"x": decay(rate, amplitude, end)}, times)).of(0)
    assert tail.remaining["x"] == pytest.approx(amplitude * math.exp(-rate * times[-1]), rel=1e-6)
    assert tail.rate == pytest.approx(rate, rel=1e-6)
    assert tail.relative == pytest.approx(tail.remaining["x"] / tail.scales["x"])


def test_a_vector_is_extrapolated_by_its_slow_part():
    end, slow, fast = np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.1, 0.0]), np.array([0.0, 1.0, -1.0])
    history = recorded({"x": lambda t: end + slow * np.exp(-0.1 * t) + fast * np.exp(-2 * t)}, np.linspace(0, 30, 61))
    tail = Tails(history).of(0)
    assert tail.remaining["x"] == pytest.approx(
        [0.3 * math.exp(-3.0), 0.1 * math.exp(-3.0), 0.0], rel=0.2, abs=1e-9
    )  # a third of the stage ago it was not alone
    assert tail.rate == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("until", [8.0, 15.0, 30.0, 60.0])
def test_two_modes_are_never_promised_too_early(until):
    """A slow mode of a tenth behind a fast one: wherever the run stops, the bound covers what is left."""
    x = {"x": lambda t: 1.0 + np.exp(-2.0 * t) + 0.1 * np.exp(-0.1 * t)}
    history = recorded(x, np.arange(0, until, 0.25))
    assert Tails(history).bounds(0)["x"] >= 0.1 * math.exp(-0.1 * (until - 0.25))


def test_no_decay_seen_is_no_relaxation():
    """A drift that has not slowed down, and growth, are infinitely far from the end."""
    for x in (lambda t: 1 + 0.01 * t, lambda t: 1 + 1e-3 * np.exp(0.2 * t)):
        tail = Tails(recorded({"x": x}, np.arange(30.0))).of(0)
        assert tail.remaining["x"] == math.inf
        assert tail.relative == math.inf


def test_too_few_measurements_say_nothing():
    history = recorded({"x": decay(1.0)}, np.arange(FEWEST - 1.0))
    assert Tails(history).of(0) is None
    assert Tails(history).bounds(0) is None
    assert Tails(history).of(3) is None
    assert history.time_in(3) == 0
    assert history.last_of(3) is None
    assert math.isnan(Tails(history).rate())
    recorded({"x": decay(1.0)}, [FEWEST - 1.0], history=history)
    assert Tails(history).of(0) is not None


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_neither_the_end_nor_endless(seed):
    """A settled observable with noise: soon called relaxed, with a bound that covers the noise and not much more."""
    rng, history = np.random.default_rng(seed), History()
    while (tail := Tails(history).of(0)) is None or not tail.relative < 1e-3:
        history.add(float(len(history.times)), 0, {"x": 1.0 + 1e-4 * rng.standard_normal()})
        assert len(history.times) < 40
    assert abs(history.last_of(0)["x"] - 1.0) < Tails(history).bounds(0)["x"] < 1e-2


@pytest.mark.parametrize("period", [0.7, 3.0, 11.0, 23.0])
@pytest.mark.parametrize("until", [40.0, 43.0, 47.0])
def test_an_oscillation_is_bounded_wherever_it_stands(period, until):
    """Stopped at a zero crossing, the last change promises the end; the band does not."""
    x = lambda t: 1.0 + np.exp(-0.05 * t) * np.cos(2 * np.pi * t / period)  # noqa: E731
    history = recorded({"x": x}, np.arange(0, until, 0.25))
    envelope = math.exp(-0.05 * until)
    assert Tails(history).bounds(0)["x"] > 0.9 * envelope


def test_a_spiral_that_turns_by_a_quarter_between_two_looks_is_not_at_its_end():
    """Successive changes are at right angles: nothing of the first is left in the second, and yet half of it is."""
    spiral = lambda t: 0.5**t * np.array([np.cos(np.pi * t / 2), np.sin(np.pi * t / 2)])  # noqa: E731
    history = recorded({"x": spiral}, np.linspace(0, 3, 13))  # looks at t = 1, 2, 3
    left = size(spiral(3.0))
    promised = size(Tails(history).of(0).remaining["x"])
    assert 0.1 * left < promised < 10 * left
    first_of_two = Waiting(Target(0.0, 0.1 * left), Stages(0, ("one", "two")))
    assert not first_of_two.over(history)


@pytest.mark.parametrize("seed", range(5))
def test_noise_behind_a_fast_decay_does_not_promise_the_end(seed):
    """The decay is over, and what still moves is noise: its next change is about as large as its last one."""
    noise = 1e-3 * np.random.default_rng(seed).standard_normal((14, 4))
    times = np.linspace(0, 3, 14)
    history = recorded({"x": lambda t: np.exp(9 - 9 * t) + noise[int(np.searchsorted(times, t))]}, times[:13])
    next_change = size(noise[13] - noise[12])
    assert size(Tails(history).of(0).remaining["x"]) > 0.02 * next_change


def test_a_later_stage_decays_no_faster_than_the_first():
    """Ten steps into a later stage the slow mode has not moved: it is held to the rate of the first stage."""
    history = recorded({"x": decay(0.1)}, np.arange(0, 60, 0.5))
    assert Tails(history).rate() == pytest.approx(0.1, rel=0.05)
    both = lambda t: 2.01 + 0.01 * np.exp(-0.1 * (t - 60)) + 0.01 * np.exp(-3 * (t - 60))  # noqa: E731
    recorded({"x": both}, np.arange(60, 65.0, 0.5), 1, history)
    remaining = 0.01 * math.exp(-0.1 * 4.5)
    assert Tails(history).of(1).remaining["x"] < remaining  # the fast mode hides it
    assert remaining < Tails(history).bounds(1)["x"] < 20 * remaining
    assert Tails(history).bounds(1, known_rate=0.01)["x"] > 5 * Tails(history).bounds(1)["x"]


def test_a_drift_in_a_later_stage_ends_at_the_known_rate():
    history = recorded({"x": decay(0.1)}, np.arange(0, 60, 0.5))
    recorded({"x": lambda t: decay(0.1, 0.01)(t - 60)}, np.arange(60, 66.0, 0.5), 1, history)
    assert Tails(history).of(1).remaining["x"] == pytest.approx(0.01 * math.exp(-0.55), rel=0.1)


def test_the_rate_of_the_whole_relaxation_is_no_fit_to_noise():
    rng = np.random.default_rng(0)
    noisy = lambda t: 2 + np.exp(-0.1 * t) + 1e-4 * rng.standard_normal()  # noqa: E731
    assert Tails(recorded({"x": noisy}, np.arange(0, 90, 0.5))).rate() == pytest.approx(0.1, rel=0.3)


def test_every_observable_shares_the_worst_of_the_run():
    """One observable stands still by accident; the run has not relaxed, and its bound says so."""
    history = recorded({"x": decay(0.1), "y": lambda t: 3.0 + 0 * t}, np.arange(0, 30, 0.5))
    tail = Tails(history).of(0)
    assert tail.remaining["y"] == 0
    assert Tails(history).bounds(0)["y"] >= tail.relative * 3.0


def test_infinite_and_undefined_entries():
    """beta of a bond is infinite, a ratio undefined: they count while they change, the rest counts always."""
    whole = recorded({"x": lambda t: [math.inf, 1 + np.exp(-t), math.nan]}, np.arange(0, 30, 0.5))
    assert Tails(whole).of(0).relative < 1e-6
    assert Tails(whole).of(0).scales["x"] == pytest.approx(1.0, abs=1e-3)
    changing = recorded({"x": lambda t: [math.inf if t > 16 else 0.0, 1.0]}, np.arange(0, 20, 0.5))
    assert Tails(changing).of(0).relative == math.inf
    assert (Tails(changing).bounds(0)["x"] == math.inf).all()


def test_change_and_size():
    first, second = np.array([1.0, np.inf, np.nan, 2.0, -np.inf]), np.array([1.5, np.inf, np.nan, np.inf, np.inf])
    assert_array_equal(change(first, second), [0.5, 0.0, 0.0, np.inf, np.inf])
    assert size(np.array([-3.0, 2.0])) == 3.0
    assert size(np.empty(0)) == 0.0
    assert scale(second) == 1.5


def test_an_observable_without_entries_is_relaxed():
    tail = Tails(recorded({"x": lambda t: np.empty(0)}, np.arange(20.0))).of(0)
    assert tail.relative == 0


@given(st.lists(st.floats(-1e3, 1e3), min_size=10, max_size=30))
def test_saved_and_restored_is_the_same(values):
    history = History()
    for i, value in enumerate(values):
        history.add(0.1 * i, i // 12, {"x": np.array(value), "y": np.array([value, -value])})
    restored = History.restore(history.save())
    assert (restored.times, restored.stages) == (history.times, history.stages)
    for name in ("x", "y"):
        assert_array_equal(restored.values[name], history.values[name])
    for stage in (0, 1):
        tails = Tails(restored).of(stage), Tails(history).of(stage)
        assert (tails[0] is None) == (tails[1] is None)
        if tails[0] is not None:
            assert (tails[0].scales, tails[0].relative) == (tails[1].scales, tails[1].relative)
            for name in ("x", "y"):
                assert_array_equal(tails[0].remaining[name], tails[1].remaining[name])


def test_stages_are_told_apart():
    history = recorded({"x": decay(1.0)}, [0.0, 1.0])
    recorded({"x": decay(1.0)}, [2.0, 3.0, 4.0], 1, history)
    assert history.of(1) == [2, 3, 4]
    assert history.time_in(1) == 2.0
    assert_allclose(history.last_of(0)["x"], 2 + math.exp(-1))


def test_a_copy_grows_on_its_own():
    history = recorded({"x": decay(1.0)}, [0.0, 1.0])
    other = recorded({"x": decay(1.0)}, [2.0], history=history.copy())
    assert (len(history.times), len(history.values["x"])) == (2, 2)
    assert (len(other.times), len(other.values["x"])) == (3, 3)


def test_an_element_that_rests_beside_a_growing_oscillation_has_nothing_to_come():
    """The change turns round and grows: what is to come is unknown, but 0 for what has not moved (and no NaN)."""
    history = recorded({"x": lambda t: np.array([1.0, 0.1 * (-1.3) ** round(t)])}, np.arange(10.0))
    remaining = Tails(history).of(0).remaining["x"]
    assert remaining.tolist() == [0.0, math.inf]
