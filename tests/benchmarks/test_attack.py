"""A short attack on every boundary; `python -m benchmarks.attack` is the long one."""

import pytest

from benchmarks.attack import ATTACKS, attack, prepared

SECONDS = 3.0
"""Of each attack in the suite."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("attack"))


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_is_a_traceback_hangs_changes_or_is_lost(name, place):
    tally = attack(name, place, 25, SECONDS, seed=1)
    assert tally.cases > 0
    assert not tally.faults, tally.shown
