"""The benchmark of whole steady states: every contestant ends in the exact one."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.contestants import QuimbPeer, TenpyPeer
from benchmarks.peers import Case, Race, Row, cases, line, prosen, small
from benchmarks.workload import DrivenChain, DrivenXXZ
from systems import prosen_exact
from tnness import steady_state


def short(name: str, goal: float = 5e-2) -> Case:
    """A chain of four sites at full bond dimension, and its exact state as the reference."""
    case = next(case for case in cases() if case.name == name)
    chain = DrivenXXZ(4) if name == "xxz-driven" else DrivenChain(n=4)
    case = replace(case, chain=chain, chi=16, goal=goal)
    case.__dict__["reference"] = case.of_record(steady_state(case.model, engine="exact")), "exact"
    return case


def test_reference_is_the_known_exact_state():
    known = prosen_exact(7, 0.5, 1.0)
    assert np.abs(prosen(7, 0.5) - np.append(known["z"], known["current"])).max() < 1e-12


@pytest.mark.parametrize("name", ["xxz-driven", "mbl-heisenberg"])
def test_all_reach_the_exact_state_of_four_sites(name):
    """The model of tnness and the matrices of the peers are one chain; both orders end within the goal."""
    race = Race(short(name), limit=600.0)
    rows = [race.ours(symmetry="none"), race.run(TenpyPeer(16), 2), race.run(QuimbPeer(16, dtype=np.float64), 4)]
    rows += [race.run(TenpyPeer(16, dtype=np.float64, qr=True), 4)]
    for row in rows:
        assert row.error <= race.case.goal, row
        assert not row.about
    assert len({round(row.ended) for row in rows[1:]}) <= 2  # one look more or less


def test_what_takes_too_long_is_extrapolated_and_marked():
    race = Race(short("xxz-driven"), limit=600.0)
    race.run(TenpyPeer(16), 2)
    cut = Race(race.case, limit=0.0, needed=race.needed, full=race.full)
    row = cut.run(TenpyPeer(16), 2)
    assert row.extrapolated
    assert "of " + str(race.needed[2]) in row.about
    assert "~" in line(row, Row("tnness", 1.0))


def test_qutip_solves_the_same_six_sites():
    pytest.importorskip("qutip")
    import sys

    for row in small(sys.executable):
        assert row.error < 1e-8
