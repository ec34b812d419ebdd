"""Initial states by name, and the names that are refused."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness import evolve, find
from tnness.engines.initial import Initial, parse_initial
from tnness.errors import InputError
from tnness.network.chain_state import ChainState
from tnness.operators.basis import boson, electron, spin_half


@pytest.mark.parametrize(
    ("given", "kind", "value"),
    [
        (None, "identity", None),
        ("identity", "identity", None),
        ("product:0,12,3", "product", "0,12,3"),
        ("thermal:-0.5", "thermal", -0.5),
        ("ground:3", "ground", 3),
        ("ghz", "ghz", None),
        ("random:7:12", "random", (7, 12)),
    ],
)
def test_names(given, kind, value):
    initial = parse_initial(given)
    assert (initial.kind, initial.value) == (kind, value)
    assert parse_initial(initial) is initial


def test_a_domain_wall_is_a_product():
    initial = parse_initial("domain_wall:2")
    assert initial.kind == "product"
    populations = initial.populations([spin_half, electron, boson(5), spin_half])
    assert [int(p.argmax()) for p in populations] == [0, 0, 1, 1]
    for wall, levels in ((0, [1, 1]), (2, [0, 0])):
        assert [int(p.argmax()) for p in parse_initial(f"domain_wall:{wall}").populations([spin_half] * 2)] == levels
    with pytest.raises(InputError, match="domain_wall:3 needs a site of the chain, 0 to 2"):
        parse_initial("domain_wall:3").populations([spin_half] * 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("domain_wall:x", "initial = 'domain_wall:x': domain_wall:K takes"),
        ("domain_wall", "domain_wall:K takes"),
        ("ghz:3", "ghz takes nothing else"),
        ("random:7", "random:SEED:CHI takes two numbers"),
        ("random:7:0", "random:SEED:CHI takes two numbers, the second one at least 1"),
        ("random", "random:SEED:CHI takes"),
        ("neel", "identity, thermal:BETA, product:01.*, domain_wall:K, ghz, random:SEED:CHI or ground:N is needed"),
        (3.5, "initial = a float"),
    ],
)
def test_what_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        parse_initial(given)


def test_numbers_and_states_keep_their_kind():
    state = ChainState.product([[1.0, 0.0]] * 2)
    assert parse_initial(state).kind == "network"
    assert parse_initial(np.eye(4)).kind == "array"
    assert parse_initial([[1.0, 0.0], [0.0, 1.0]]).kind == "array"
    tensors = parse_initial(state.tensors)
    assert tensors.kind == "tensors"
    assert_allclose(tensors.value[0], state.tensors[0])
    assert Initial().text == "identity"


NO_STATES = {
    "nothing": np.array(None),
    "a number": np.array(2.0),
    "a text": np.array("x"),
    "objects": np.array([None, 1], dtype=object),
    "ragged": [[[1], [2, 3]]],
    "ragged tensors": [[[[1], [2, 3]]]],
    "tensors and none": [np.ones((1, 4, 1)), None],
    "several kinds": [np.ones((2, 2)), [1, 0], np.ones((2, 2, 2))],
    "texts": [[1, 0], [0, 1], "1"],
    "tables": [{}] * 3,
    "no finite numbers": np.full(8, np.inf),
    "beyond squares": np.full(8, 1e200),
    "long numbers": "ground:" + "9" * 5000,
    "long seeds": "random:1:" + "9" * 5000,
    "long levels": "product:0,1," + "9" * 5000,
}


@pytest.mark.parametrize("given", NO_STATES.values(), ids=NO_STATES)
@pytest.mark.parametrize(
    ("model", "engine"),
    [("xxz-driven", "tebd"), ("xxz-driven", "exact"), ("xx-dephasing", "gaussian"), ("random-circuit", "gaussian")],
)
def test_what_is_no_state_is_refused_in_one_line_by_every_engine(given, model, engine):
    with pytest.raises(InputError) as refused:
        evolve(find(model)(n=3), [0.0, 0.1], engine=engine, initial=given)
    assert "\n" not in str(refused.value)
