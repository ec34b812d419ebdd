"""The simulated critical path of a chain in segments."""

import pytest

from benchmarks.cores import Parts, Schedule

PARTS = Parts(gate=1.0, move=0.1, merge=1.5, send=0.0)


def test_one_segment_is_the_serial_sweep():
    """Each of the inner bonds has a gate once in two layers, and is passed once."""
    assert Schedule(20, 1, 1, PARTS).seconds() == pytest.approx(19 * 1.1)


def test_two_halves_take_half_the_bonds_and_a_merge():
    assert Schedule(20, 1, 2, PARTS).seconds() == pytest.approx(9 * 1.1 + 1.5)


def test_more_segments_pay_for_their_centres():
    """Inner segments move their centre once more; all wait for the sweep that restores the centres."""
    path = Schedule(40, 1, 4, PARTS, restored=1).seconds()
    assert path == pytest.approx(9 * 1.2 + 1.5 + 39 * 0.1)
    assert Schedule(40, 1, 4, PARTS, restored=6).seconds() < path


def test_parts_of_a_small_chain_are_measured():
    parts = Parts.measured(16, repeats=1)
    assert 0 < parts.move < parts.gate
    assert parts.merge > 0
