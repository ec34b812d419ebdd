"""The benchmark of chains, at sizes of a test: its references, its errors, its table."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import systems
from benchmarks.chains import HEADER, Row, free_densities, power_law_operator, quench, ring, spin_ladder, spinless_chain
from tnness import TDVP, TEBD, Lindbladian, find, periodic, spinless


@pytest.mark.parametrize(
    ("chain", "engine", "order", "reach"),
    [
        (find("j1-j2-dissipative")(n=5).problem(), TEBD(chi=64, dt=0.2), (), 2),
        (spin_ladder(3), TEBD(chi=64, dt=0.2), (), 2),
        (ring(5), TEBD(chi=64, dt=0.1), periodic(5), 2),
        (find("rydberg-chain")(n=5, alpha=3.0).problem(), TDVP(chi=64, dt=0.2), (), 4),
    ],
    ids=["j1-j2", "ladder", "ring", "power law"],
)
def test_quenches_at_full_bond_dimension_are_off_by_the_time_step_alone(chain, engine, order, reach):
    row = quench("a chain", chain, engine, order)
    assert chain.reach == reach
    assert 0 < row.found < 2e-4
    assert (row.n, row.chi, row.engine.split(",")[0]) == (chain.n, 64, engine.name)


def test_the_densities_of_free_fermions_are_those_of_their_majorana_operators():
    f, gain, loss = spinless, [0.3, 0.0, 0.5, 0.1], [0.2, 0.7, 0.0, 0.4]
    chain = Lindbladian([f] * 4)
    for i in range(3):
        hop = f.Cd(i) * f.C(i + 1)
        chain.hamiltonian(1.3 * (hop + hop.dag()))
    for i in range(4):
        chain.jump(f.Cd(i), gain[i])
        chain.jump(f.C(i), loss[i])
    assert_allclose(free_densities(1.3, gain, loss), systems.majorana_fillings(chain, systems.SPINLESS), atol=1e-12)


def test_spinless_chains_and_operators_in_small():
    assert spinless_chain(4).found < 1e-4
    row = power_law_operator(12)
    assert row.found < 1e-8
    assert row.meets
    assert 4 < power_law_operator(12, of_width=True).found <= 20


def test_rows_stand_under_their_header():
    line = str(Row("a chain", "tebd", 8, 32, 0.25, 1.234e-4, "an answer", 0.5))
    assert line.index("an answer") == HEADER.index("against")
    assert line.split()[-9:] == ["tebd", "8", "32", "0.25", "1.2e-04", "-", "0.5", "an", "answer"]
    assert "nan" not in str(Row("b", "tdvp", 8, 0, None, float(np.float64(0.1)), "c", 0.0))
