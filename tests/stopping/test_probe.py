"""The error of the time step, from a short time at half of it."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from tnness import TEBD, find, steady_state
from tnness.records.history import History
from tnness.stopping.discretisation import FEWEST_LOOKS, Stage, probed_errors, trotter_errors, whole_way


@dataclass
class Refined:
    """What `probed_errors` reads of a run."""

    refined_stage: int = 1


def leaving(decays: float, step: float, looks: int) -> History:
    """A number that settled at 1, and at half the step leaves towards 0.9."""
    history = History()
    history.add(10.0, 0, {"x": np.array([1.0])})
    for look in range(1, looks + 1):
        history.add(10.0 + look * step, 1, {"x": np.array([0.9 + 0.1 * np.exp(-decays * look * step)])})
    return history


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("looks", [4, 9])
def test_a_short_time_tells_the_whole_error(order, looks):
    """All of the way, times 2^p/(2^p - 1)."""
    found = probed_errors(Refined(), order, leaving(0.2, 0.1, looks), 0.2)
    assert found["x"] == pytest.approx(0.1 * 2**order / (2**order - 1))


def test_what_moves_faster_than_the_slowest_rate_is_told_too_large_and_never_too_small():
    slow, right = (probed_errors(Refined(), 4, leaving(0.2, 0.1, 5), rate)["x"] for rate in (0.05, 0.2))
    assert slow > 3 * right


def test_what_answers_at_once_is_not_stretched():
    """A jump of .1 in one step, which relaxes at 50, and a slow way of .01 at 0.05 (share shown at the end: .04)."""
    history, times = History(), 0.1 * np.arange(10)
    for k, t in enumerate(times):
        x = 0.1 * (1 - np.exp(-50 * t)) + 0.01 * (1 - np.exp(-0.05 * t))
        history.add(t, int(k > 0), {"x": np.array([x])})
    assert 0.11 <= whole_way(history, 0, 1, 0.05)["x"][0] < 0.13


def test_an_element_in_which_fast_and_slow_parts_cancel_has_the_error_of_the_others():
    history, times = History(), np.arange(10.0)
    for k, t in enumerate(times):
        slow, fast = 1 - np.exp(-0.1 * t), 0.4 * (1 - np.exp(-3 * t))
        history.add(t, int(k > 0), {"x": np.array([slow, slow - fast])})
    told = whole_way(history, 0, 1, 0.1)["x"]
    assert np.all(told >= [1.0 - 1e-9, 0.6])


def test_nothing_is_told_too_soon_or_without_a_rate():
    assert probed_errors(Refined(), 4, leaving(0.2, 0.1, FEWEST_LOOKS - 1), 0.2) == {}
    assert probed_errors(Refined(), 4, leaving(0.2, 0.1, 9), float("nan")) == {}


@pytest.mark.parametrize(
    ("name", "parameters", "settings"),
    [
        ("xx-dephasing", {"n": 4}, {"order": 2, "dt": 0.05}),
        ("xxz-driven", {"n": 4, "delta": 0.5}, {"order": 4, "dt": 0.3}),
        ("mbl-heisenberg", {"n": 3, "eps": 0.3}, {"order": 2, "dt": 0.1}),
    ],
)
def test_a_run_without_coarse_stages_is_probed_and_its_claims_hold(name, parameters, settings):
    """The stage at dt/2 is shorter than one that relaxes by itself; every element is within its claim."""
    model = find(name)(**parameters)
    record = steady_state(model, engine=TEBD(chi=16, schedule=(), **settings), seed=3)
    exact = steady_state(model, engine="exact", seed=3)
    assert record.certificate.converged, record.outcome
    assert record.snapshot.numbers["refined"] == 1
    first, second = (record.history.time_in(stage) for stage in (0, 1))
    assert second < 0.3 * first
    for observable, errors in record.certificate.estimates["trotter"].items():
        true = np.abs(record[observable].values - exact[observable].values)
        assert np.all(true <= record[f"{observable}_error"].values + 1e-9), observable
        assert np.all(errors > 0)


def two_stages():
    """A stage at dt that ends at 1 by a jump from 0.5, and one at dt/2 whose end is 1.01, by a jump too."""
    history = History()
    for stage, values in enumerate(([0.5, 0.5, 0.5, 1.0], [0.7, 0.7, 0.7, 1.01])):
        for k, value in enumerate(values):
            history.add(10.0 * stage + k, stage, {"x": np.array([value])})
    stages = [Stage(chi=8, dt=0.2), Stage(chi=8, dt=0.1), Stage(chi=16, dt=0.2)]
    return SimpleNamespace(stages=stages, refined=0), history


def test_stages_of_jumps_are_compared_by_their_last_values_alone():
    run, history = two_stages()
    told = trotter_errors(run, 4, history, None, 5.0, lambda stage: None)
    assert told["x"] == pytest.approx(1.3 * 0.01 * 16 / 15)


def test_what_a_stage_that_waited_had_still_to_come_may_hide_as_much_of_the_error():
    run, history = two_stages()
    bare, more = (
        trotter_errors(run, 4, history, None, 5.0, lambda stage, left=left: left) for left in ({}, {"x": 0.3})
    )
    assert more["x"] == pytest.approx(bare["x"] + 0.3 * 16 / 15)
