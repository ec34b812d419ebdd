"""A run of TEBD on two cores: the answer of one core, the same after an interruption, refused where it cannot be."""

import numpy as np
import pytest

from tnness import steady_state
from tnness.engines.tebd import TEBD
from tnness.errors import InputError
from tnness.model.protocol import generator_of
from tnness.model.registry import find
from tnness.network.initial import identity_state

BARE = find("mbl-heisenberg")(n=6, h=2.0, eps=0.3, fields_z=(0.3, -0.8, 1.1, 0.2, -1.7, 0.6), fields_x=(0.4,) * 6)


def run_of(threads, chi=64, **more):
    generator = generator_of(BARE)
    return TEBD(chi=chi, dt=0.2, threads=threads, **more).init(generator, identity_state(generator.spaces), seed=3)


def test_two_cores_give_what_one_gives():
    """At full bond dimension, where only the cutoff of the weights differs."""
    one, two = run_of(1), run_of(2)
    for run in (one, two):
        while run.time < 2.0:
            run.step(until=2.0)
    np.testing.assert_allclose(two.marginals(), one.marginals(), atol=1e-7)
    assert abs(two.trace_drift) < 1e-7


def test_a_run_on_two_cores_goes_on_bit_for_bit():
    whole, first = run_of(2, chi=8), run_of(2, chi=8)
    for run in (whole, first):
        run.step()
    again = first.settings.restore(first.generator, first.save())
    for run in (whole, again):
        run.step()
        run.step(until=1.0)
    for a, b in zip(whole.state.tensors, again.state.tensors, strict=True):
        np.testing.assert_array_equal(a, b)
    assert whole.save().numbers == again.save().numbers


def test_a_steady_state_on_two_cores_is_within_its_claims():
    exact = steady_state(BARE, engine="exact")
    found = steady_state(BARE, engine=TEBD(chi=48, threads=2))
    assert found.outcome == "converged"
    for name in ("sz", "ss"):
        assert (np.abs(found[name] - exact[name]) <= found[f"{name}_error"]).all()


@pytest.mark.parametrize(
    ("model", "settings", "reason"),
    [
        (BARE, {"threads": 3}, "one core sweeps a chain, or two"),
        (BARE, {"threads": 2, "method": "marginals"}, "truncation by 'marginals' is swept by one core"),
        (find("xx-dephasing")(n=4), {"threads": 2, "symmetry": "charges"}, "blocks of conserved charges"),
        (find("xx-dephasing")(n=3), {"threads": 2}, "less than 4 sites"),
    ],
)
def test_where_one_core_sweeps_two_are_refused(model, settings, reason):
    with pytest.raises(InputError, match=reason):
        steady_state(model, engine=TEBD(chi=8, **settings))
