"""Kicks that are forgotten soon must be forgotten twice, in other directions."""

import math
from dataclasses import dataclass, field

import pytest

from tnness.stopping.forgetting import Forgetting
from tnness.stopping.kicked import Kicked


def told(at, forgets_in, limit=15.0):
    left = 0.05 if math.isfinite(forgets_in) else 0.8
    return Kicked(at, limit, forgets_in, left, 0, 0.1, 0.1)


@dataclass
class Settled:
    """A settled run; `waiting` holds what its next kicks will tell."""

    waiting: list
    time: float = 10.0
    patience: float = 15.0
    conserved: tuple = ()
    kicked: list = field(default_factory=list)

    def begin_kicks(self, limit, reads=()):
        self.kicked.append(self.waiting.pop(0))


def kicked(*waiting):
    run = Settled(list(waiting))
    forgetting = Forgetting(run, (), "", 1e4)
    for _ in range(4):
        forgetting.kick()
    return forgetting, run


def test_a_pair_that_took_its_time_is_enough():
    forgetting, run = kicked(told(10, 5.0), told(10, 5.0))
    assert forgetting.passed
    assert len(run.kicked) == 1


def test_a_pair_that_was_forgotten_soon_is_confirmed_by_another():
    forgetting, run = kicked(told(10, 1.0), told(10, 1.5), told(10, 1.0))
    assert forgetting.passed
    assert len(run.kicked) == 2
    assert forgetting.figures()["forgets_in"] == 1.5  # that of the slower one


def test_a_slow_mode_that_the_first_pair_missed_is_seen_by_the_second():
    forgetting, run = kicked(told(10, 1.0), told(10, math.inf))
    assert not forgetting.passed
    assert forgetting.failed
    assert forgetting.rate != forgetting.rate  # NaN: nothing was forgotten
    run.time, run.waiting = 15.0, [told(15, 12.0)]
    forgetting.kick()  # one and a half times later the same directions are tried again
    assert forgetting.passed
    assert forgetting.rate == pytest.approx(math.log(10) / 12)
