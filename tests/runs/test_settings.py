"""Schedules, settings and initial states."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from halting import HIGH, XX
from small_runs import QUICK, Pumped, assert_same_numbers, assert_within_its_errors, observables
from tnness import (
    TEBD,
    ChainGenerator,
    Exact,
    Observable,
    bit,
    evolve,
    find,
    identity_state,
    product_state,
    steady_state,
)
from tnness import spin_half as s
from tnness.engines.initial import parse_initial
from tnness.engines.starting import density_operator
from tnness.errors import InputError
from tnness.model.protocol import generator_of
from tnness.network.chain_view import ChainView
from tnness.runs.job import engine_for


def test_a_schedule_is_gone_through():
    record = steady_state(XX, engine=TEBD(chi=4, schedule=(3,)))
    run = TEBD(chi=4, schedule=(3,)).stages(generator_of(XX))
    assert [stage.chi for stage in run] == [3, 3, 4]
    assert run[0].dt == pytest.approx(2**0.5 * run[1].dt)
    assert run[1].dt == run[2].dt
    assert sorted(set(record.history.stages))[:3] == [0, 1, 2]
    assert all(np.diff(record.history.stages) >= 0)
    assert max(record.state.bond_dimensions) == 4
    assert np.all(np.diff(record.history.times) > 0)


def test_a_blocks_length_is_the_distance_of_measurements():
    record = steady_state(XX, engine=TEBD(chi=4, schedule=(), dt=0.1, order=2, block=5), max_time=3.0)
    assert_allclose(np.diff(record.history.times[:6]), 0.5)


def test_single_precision_agrees():
    single, double = (steady_state(XX, engine=TEBD(chi=16, dtype=d)) for d in ("float32", "float64"))
    for name in ("z", "current"):
        assert_allclose(single[name], double[name], atol=1e-4)
    assert single.snapshot.arrays["tensor_0000"].dtype == np.float32


def test_a_tighter_tolerance_is_a_smaller_error():
    exact = observables(steady_state(XX, engine="exact"))
    engine = TEBD(chi=4, dt=0.2, schedule=())
    loose, tight = (steady_state(XX, engine=engine, tolerance=t) for t in (1e-2, 1e-4))
    errors = [max(np.abs(record[k] - exact[k]).max() for k in exact) for record in (loose, tight)]
    assert errors[1] < 5e-5 < errors[0]


def test_disorder_follows_the_seed_and_is_kept():
    model = find("mbl-heisenberg")(n=3)
    first, again, other = (steady_state(model, engine="exact", seed=seed) for seed in (1, 1, 2))
    assert_same_numbers(first, again)
    assert not np.allclose(first["sz"], other["sz"])
    fields = first.settings["parameters"]["fields_z"]
    assert fields == list(np.random.default_rng(1).uniform(-1, 1, 3))
    explicit = replace(model, fields_z=tuple(fields), fields_x=tuple(first.settings["parameters"]["fields_x"]))
    assert_array_equal(steady_state(explicit, engine="exact", seed=1)["sz"], first["sz"])


@pytest.mark.parametrize("initial", ["identity", "thermal:0.5", "product:011", "state", "record"])
def test_the_steady_state_forgets_where_it_began(initial):
    start: object = initial
    if initial == "state":
        start = product_state([s] * 3, [np.diag([0.9, 0.1])] * 3)
    if initial == "record":
        start = steady_state(replace(XX, dephasing=0.4), engine=HIGH)
    exact = observables(steady_state(XX, engine="exact"))
    record = steady_state(XX, engine=HIGH, initial=start)
    assert record.outcome == "converged"
    for name in exact:
        assert_within_its_errors(record, name, exact[name])
        assert record[f"{name}_error"].max() < 2e-2


def initial_state(given, generator):
    return density_operator(parse_initial(given), generator)


def test_initial_states_by_name():
    generator = generator_of(find("mbl-heisenberg")(n=3, fields_z=(0.1, 0.2, 0.3), fields_x=(0.0, 0.5, -0.5)))
    thermal = initial_state("thermal:0.7", generator)
    assert max(thermal.bond_dimensions) > 1
    assert initial_state(thermal, generator) is thermal
    up = Observable(lambda view: view.expect(s.Z(0)))
    for name, value in (("product:010", 1.0), ("product:100", -1.0)):
        state = initial_state(name, generator)
        assert_allclose(up(ChainView(state, generator.spaces, generator.functionals)), value)


WRONG_STARTS = ["identities", "product:01", "product:012", "product:01x", "product:", "thermal:hot", "thermal:nan", ""]


@pytest.mark.parametrize("initial", WRONG_STARTS)
def test_initial_states_that_are_none(initial):
    with pytest.raises(InputError, match=r"product:|initial ="):
        steady_state(XX, engine=QUICK, initial=initial)


def test_a_thermal_state_needs_a_hamiltonian():
    generator = ChainGenerator([bit, bit], [np.zeros((2, 2))] * 2, [np.zeros((4, 4))])
    with pytest.raises(InputError, match="a model with a Hamiltonian"):
        initial_state("thermal:1", generator)


def test_an_initial_state_of_another_chain():
    with pytest.raises(InputError, match="local dimensions"):
        steady_state(XX, engine=QUICK, initial=identity_state([s] * 4))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"engine": "tebb"}, r"there is no engine 'tebb' \(did you mean 'tebd'\?\)"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": 1.5}, "seed = 1.5"),
        ({"seed": True}, "seed = True"),
        ({"tolerance": 0.0}, "tolerance = 0.0"),
        ({"tolerance": math.nan}, "tolerance = nan"),
        ({"tolerance": math.inf}, "tolerance = inf"),
        ({"max_time": 0.0}, "max_time = 0.0"),
        ({"max_time": math.nan}, "max_time = nan"),
        ({"checkpoint_every": -1.0}, "checkpoint_every = -1.0"),
        ({"checkpoint_every": math.nan}, "checkpoint_every = nan"),
    ],
)
def test_wrong_settings_of_a_steady_state(arguments, message):
    with pytest.raises(InputError, match=message):
        steady_state(Pumped(), **arguments)


@pytest.mark.parametrize("times", [[], [1.0, 1.0], [2.0, 1.0], [-0.1, 1.0], [0.0, math.nan], [math.inf]])
def test_times_that_cannot_be(times):
    with pytest.raises(InputError, match=r"times must be increasing numbers >= 0|times\[\d\] = .*: a finite number"):
        evolve(Pumped(), times)


def test_what_is_not_a_model():
    with pytest.raises(InputError, match="is not a model"):
        steady_state(3)


def test_engine_for():
    assert engine_for(XX, None, chi=12, dt=None) == TEBD(chi=12)
    assert engine_for(XX, "exact") == Exact()
    with pytest.raises(InputError, match="engine 'exact' has no setting 'chi'"):
        engine_for(XX, "exact", chi=3)

    class OnlyExact(Pumped):
        engines = ("exact",)

    assert engine_for(OnlyExact()) == Exact()
    with pytest.raises(InputError, match="engine 'tebd' does not serve model 'OnlyExact'; it is served by exact"):
        engine_for(OnlyExact(), "tebd")
