"""A short attack on every boundary; `python -m benchmarks.attack` is the long one."""

import inspect

import pytest

import tnness
from benchmarks.attack.__main__ import ATTACKS, attack
from benchmarks.attack.entries import PASSIVE, entries
from benchmarks.attack.folder import prepared
from benchmarks.attack.running import fresh
from benchmarks.attack.tally import Answer, Journal

SECONDS = 3.0
"""Of each attack in the suite."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("attack"))


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_is_a_traceback_hangs_changes_or_is_lost(name, place):
    tally = attack(name, place, 25, SECONDS, seed=1)
    assert tally.cases > 0
    assert not tally.faults, tally.faults


def test_every_public_call_is_attacked(place):
    with fresh(place):
        known = entries()
        for name, entry in known.items():
            kinds = {parameter.kind for parameter in inspect.signature(entry.function).parameters.values()}
            assert set(entry.right) <= set(entry.names) or inspect.Parameter.VAR_KEYWORD in kinds, name
    assert set(tnness.__all__) - PASSIVE <= known.keys()
    assert {f"engine.{name}" for name in ("tebd", "tdvp", "exact", "gaussian", "transfer")} <= known.keys()


def test_a_journal_goes_on_where_an_earlier_attack_has_ended(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.write("lines", 1, Answer("done", "0: models", seconds=0.5))
    journal.write("lines", 1, Answer("hang", "1: run", "why", 2))
    journal.write("lines", 2, Answer("done", "0: show"))
    journal.write("kills", 1, Answer("same", "0: tebd", counts=3))
    tally = journal.read("lines", 1)
    assert (tally.tries, tally.cases, tally.counts["hang"]) == (2, 3, 2)
    assert [str(fault) for fault in tally.faults] == ["hang: why  <-  1: run"]
    assert "3 cases" in str(tally)
    assert journal.read("kills", 1).cases == 3
