"""Sweeps block by block: the same states as without charges, and the same numbers after saving."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from chains import seeds
from tnness import TEBD, find
from tnness.model.protocol import generator_of
from tnness.network.chain_state import ChainState
from tnness.network.sector_state import SectorState
from tnness.network.sectors import Rules
from tnness.network.sweep import sweep_layer
from tnness.network.trotter import Gates, layers
from tnness.network.truncation import Truncation
from tnness.operators.basis import spin_half as s
from tnness.operators.charges import Charges
from tnness.problems.lindbladian import Lindbladian

N, D = 6, 3
GIVEN = Charges([[[-1], [0], [1]]] * N, [0])
EXACT = Truncation(chi=1000, method="svd", cutoff=1e-28)


def conserving_gates(rng):
    """Random two-site matrices that conserve the given charge, on even and on odd bonds."""
    total = np.add.outer([-1, 0, 1], [-1, 0, 1]).ravel()
    blocks = (total[:, None] == total[None, :]).astype(float)
    gates = [np.eye(9) + 0.5 * blocks * rng.standard_normal((9, 9)) for _ in range(N - 1)]
    return [[g if i % 2 == parity else None for i, g in enumerate(gates)] for parity in (0, 1)]


def neutral():
    return ChainState.product([np.eye(3)[k] for k in (0, 2, 1, 2, 0, 1)])


def driven(n, seed):
    """A chain with a charge, with random couplings and jumps on all sites."""
    chain, rng = Lindbladian([s] * n), np.random.default_rng(seed)
    for i in range(n - 1):
        j, d = rng.uniform(-1, 1, 2)
        chain.hamiltonian(j * (s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1)) + d * s.Z(i) * s.Z(i + 1))
        chain.jump(s.Sp(i) * s.Sm(i + 1), rate=rng.uniform(0, 0.5))
    for i in range(n):
        chain.hamiltonian(rng.uniform(-1, 1) * s.Z(i))
        for jump in (s.Sp(i), s.Sm(i), s.Z(i), s.Sm(i) + 0 * s.Sm(i)):
            chain.jump(jump, rate=rng.uniform(0, 0.3))
    return chain.generator()


def product(n, rng):
    return ChainState.product([np.array([1, 0, 0, rng.uniform(-1, 1)]) / 2 for _ in range(n)])


@pytest.mark.parametrize("layer_count", [1, 2, 7])
def test_sweeps_equal_sweeps_without_charges(layer_count):
    rng = np.random.default_rng(3)
    gates, truncation = conserving_gates(rng), Truncation(chi=100, method="svd", cutoff=1e-26)
    charged, plain = SectorState.adapted(neutral(), Rules(GIVEN)), neutral()
    for layer in range(layer_count):
        charged.sweep(gates[layer % 2], truncation, rng)
        sweep_layer(plain, gates[layer % 2], truncation, rng)
    state = charged.real()
    assert_allclose(state.dense(), plain.dense(), atol=1e-11 * np.abs(plain.dense()).max())
    assert state.bond_dimensions == plain.bond_dimensions


@settings(max_examples=10)
@given(seed=seeds, kind=st.sampled_from(["conserved", "parities"]), n=st.integers(2, 5))
def test_density_operators_in_blocks_are_those_without(seed, kind, n):
    """Exact up to round-off: both charges and parities of random dissipative chains, from random product states."""
    generator, rng = driven(n, seed), np.random.default_rng(seed)
    plain = product(n, rng)
    plain.move_centre(n - 1)
    charged = SectorState.adapted(plain, Rules(getattr(generator, kind)))
    gates = Gates(generator.merged_bonds, np.dtype(float))
    for parity, fraction in layers(4, 1):
        sweep_layer(plain, gates.layer(parity, 0.4 * fraction), EXACT, rng)
        charged.sweep(gates.layer(parity, 0.4 * fraction), EXACT, rng)
    charged.normalise()
    assert_allclose(charged.real().dense(), plain.dense(), atol=1e-11 * np.abs(plain.dense()).max())


def test_truncation_discards_what_an_svd_of_the_whole_discards():
    rng = np.random.default_rng(4)
    gates = conserving_gates(rng)
    charged, plain = SectorState.adapted(neutral(), Rules(GIVEN)), neutral()
    plain.move_centre(N - 1)  # both sweep the same way
    for layer in range(6):
        truncation = Truncation(chi=8, method="svd", cutoff=0.0)
        result = charged.sweep(gates[layer % 2], truncation, rng)
        expected = sweep_layer(plain, gates[layer % 2], truncation, rng)
        assert result[0] == pytest.approx(expected[0], rel=1e-9, abs=1e-13)
        charged.normalise()
        plain.normalise()
    state = charged.real()
    assert max(state.bond_dimensions) == 8
    assert_allclose(state.dense(), plain.dense(), atol=1e-10 * np.abs(plain.dense()).max())


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("symmetry", ["charges", "parity"])
@pytest.mark.parametrize("power", [0, 1])
def test_blocks_drop_no_more_than_the_dense_kernel(symmetry, power, dtype):
    """Little more weight (a last pair may not fit), and the same densities within the error of truncation."""
    generator, runs = driven(8, 5), {}
    for kind in ("none", symmetry):
        engine = TEBD(chi=32, dt=0.4, schedule=(), symmetry=kind, power=power, dtype=dtype)
        runs[kind] = engine.init(generator, product(8, np.random.default_rng(1)), seed=2)
        for _ in range(12):
            runs[kind].step()
    dense, blocks = runs["none"], runs[symmetry]
    assert blocks.sectors is not None
    assert dense.sectors is None
    assert blocks.discarded < 1.15 * dense.discarded
    assert blocks.state.dtype == dtype
    z = [[run.view().expect(s.Z(i)) for i in range(8)] for run in (dense, blocks)]
    assert_allclose(*z, atol=3 * np.sqrt(dense.discarded / 12))


def test_any_gauge_of_a_state_of_definite_charge_is_taken():
    rng = np.random.default_rng(7)
    charged, gates = SectorState.adapted(neutral(), Rules(GIVEN)), conserving_gates(rng)
    for layer in range(4):
        charged.sweep(gates[layer % 2], Truncation(chi=50, method="svd"), rng)
    dense = charged.real().dense()
    adapted = SectorState.adapted(ChainState.from_dense(dense, (D,) * N), Rules(GIVEN))
    assert_allclose(adapted.real().dense(), dense, atol=1e-12 * np.abs(dense).max())


def test_a_state_without_a_definite_charge_is_left_alone():
    assert SectorState.adapted(ChainState.product([np.ones(3)] * N), Rules(GIVEN)) is None
    tilted = ChainState.product([np.array([1, 0.3, 0, 0.1]) / 2] * 4)
    assert SectorState.adapted(tilted, Rules(driven(4, 0).conserved)) is None
    run = TEBD(chi=16, dt=0.2, schedule=(), symmetry="charges").init(driven(4, 0), tilted)
    run.step()
    assert run.sectors is None


def test_blocks_are_entered_by_stages():
    """At chi = 16 blocks are slower than none; at 64 they are used, from the state that the stage before left."""
    generator = driven(6, 1)
    run = TEBD(chi=64, dt=0.3, schedule=(16,)).init(generator, product(6, np.random.default_rng(0)))
    for _ in range(4):
        run.step()
    assert run.sectors is None
    run.next_stage()
    run.next_stage()
    before = run.view().expect(s.Z(2))
    run._enter(run._present)
    assert run.sectors is not None
    assert run.view().expect(s.Z(2)) == pytest.approx(before, abs=1e-4)
    again = TEBD(chi=64, dt=0.3, schedule=(16,)).restore(generator, run.save())
    for one in (run, again):
        one.step()
    for own, saved in zip(run.state.tensors, again.state.tensors, strict=True):
        assert_array_equal(own, saved)


def test_sectors_that_nothing_completes_are_dropped():
    rng = np.random.default_rng(8)
    charged, gates = SectorState.adapted(neutral(), Rules(GIVEN)), conserving_gates(rng)
    for layer in range(3):
        charged.sweep(gates[layer % 2], Truncation(chi=50, method="svd"), rng)
    dense = charged.real().dense()
    stray = dense.reshape((D,) * N).copy()
    stray[2, 2, 2, 2, 2, 2] = 1e-14 * np.linalg.norm(dense)  # round-off with another total charge
    adapted = SectorState.adapted(ChainState.from_dense(stray, (D,) * N), Rules(GIVEN))
    for layer in range(3):
        for state in (charged, adapted):
            state.sweep(gates[layer % 2], Truncation(chi=100, method="svd"), rng)
    expected = charged.real().dense()
    assert_allclose(adapted.real().dense(), expected, atol=1e-9 * np.abs(expected).max())


def test_a_sector_that_the_start_lacks_is_found():
    """From the identity, whose only charge is 0, hopping and a drive populate the coherences between sites."""
    chain = Lindbladian([s] * 6)
    for i in range(5):
        chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
    chain.jump(s.Sp(0))
    chain.jump(s.Sm(5))
    start = ChainState.product([np.array([1.0, 0, 0, 0])] * 6)
    currents = []
    for kind in ("none", "charges"):
        run = TEBD(chi=64, dt=0.1, symmetry=kind).init(chain.generator(), start)
        for _ in range(10):
            run.step(1.0)
        currents.append(run.view().expect(s.X(0) * s.Y(1) - s.Y(0) * s.X(1)))
    assert abs(currents[0]) > 1e-3
    assert_allclose(currents[1], currents[0], atol=1e-8)


@pytest.mark.parametrize("case", ["replica", "charges", "parity"])
def test_an_interrupted_run_goes_on_to_the_same_numbers(case):
    if case == "replica":
        model = find("replica-abc")(n=5, order="second")
        generator, settings_, start = (
            generator_of(model),
            TEBD(chi=20, dt=0.5, schedule=()),
            model.initial_state("tebd"),
        )
    else:
        generator, settings_ = driven(6, 3), TEBD(chi=20, dt=0.3, schedule=(), symmetry=case)
        start = product(6, np.random.default_rng(0))
    whole = settings_.init(generator, start)
    for _ in range(6):
        whole.step()
    part = settings_.init(generator, start)
    for _ in range(3):
        part.step()
    part = settings_.restore(generator, part.save())
    for _ in range(3):
        part.step()
    assert whole.sectors is not None
    for own, saved in zip(whole.state.tensors, part.state.tensors, strict=True):
        assert_array_equal(own, saved)
    for own, saved in zip(whole.sectors.vectors, part.sectors.vectors, strict=True):
        assert_array_equal(own, saved)
