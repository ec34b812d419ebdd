"""The contract of views: the words they give, the reasons for what they do not, and observables judged by them."""

import copy
import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness import evolve
from tnness.engines.exact import Exact
from tnness.engines.fermions.view import GaussianView
from tnness.engines.pure.trajectory_view import TrajectoryView
from tnness.engines.pure.view import PureView
from tnness.engines.tebd import TEBD
from tnness.engines.wire.views import BarView, DecayView, TransferView
from tnness.errors import InputError, Unavailable
from tnness.model.registry import find
from tnness.network.chain_state import ChainState
from tnness.network.chain_view import ChainView
from tnness.network.dense_view import DenseView
from tnness.observables.observable import (
    Observable,
    available,
    expectation,
    measured,
    operator_entanglement,
    purity,
    renyi2_entropy,
    renyi2_mutual_information,
    two_point,
)
from tnness.observables.views import DERIVED, View
from tnness.operators.basis import spin_half, spinless
from tnness.runs.watch import check_given, left_out_line

WORDS = {
    "expect", "product", "marginal", "correlations", "density", "correlation", "entropy", "renyi2", "log_purity",
    "negativity", "spin_negativity", "transposed_moment", "charge_distribution", "schmidt_values",
    "functional", "excitation", "average",
}  # fmt: skip
READ = {
    "expect": lambda view: view.expect(spinless.N(0)),
    "product": lambda view: view.product({0: np.eye(2)}),
    "marginal": lambda view: view.marginal([0]),
    "correlations": lambda view: view.correlations(spinless.N, spinless.N),
    "density": lambda view: view.density,
    "correlation": lambda view: view.correlation,
    "entropy": lambda view: view.entropy([0]),
    "renyi2": lambda view: view.renyi2([0]),
    "log_purity": lambda view: view.log_purity(),
    "negativity": lambda view: view.negativity([0], [1]),
    "spin_negativity": lambda view: view.spin_negativity([0], [1]),
    "transposed_moment": lambda view: view.transposed_moment([0], [1]),
    "charge_distribution": lambda view: view.charge_distribution("N"),
    "schmidt_values": lambda view: view.schmidt_values(0),
    "functional": lambda view: view.functional("trace"),
    "excitation": lambda view: view.excitation(0),
    "average": lambda view: view.average(lambda one: 1.0),
}
G = np.array([[0.6, 0.2j], [-0.2j, 0.3]])
SPACES = [spinless] * 2
TRACE = {"trace": [spinless.trace] * 2}


def dense():
    return DenseView(np.kron(spinless.vector(np.diag([0.7, 0.3])), spinless.vector(np.eye(2) / 2)), SPACES, TRACE)


def network():
    return ChainView(ChainState.product([spinless.vector(np.diag([0.7, 0.3]))] * 2), SPACES, TRACE)


def pure():
    return PureView(ChainState.product([[0.6, 0.8], [1.0, 0.0]]), SPACES)


VIEWS = {
    "dense": dense,
    "network": network,
    "pure": pure,
    "gaussian": lambda: GaussianView(G, SPACES, excitation={0: np.array([0.5, 0.5])}),
    "averaged over noise": lambda: GaussianView(G, SPACES, gaussian=False),
    "trajectories": lambda: TrajectoryView([pure(), pure()], SPACES),
    "trajectories of particles": lambda: TrajectoryView([GaussianView(G, SPACES)] * 2, SPACES),
    "nothing": View,
}


@pytest.mark.parametrize("build", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("word", sorted(WORDS))
def test_a_word_is_given_or_refused_in_one_line(build, word):
    view = build()
    if word in view.gives:
        READ[word](view)
    else:
        with pytest.raises(Unavailable) as caught:
            READ[word](view)
        assert str(caught.value)
        assert "\n" not in str(caught.value)


def test_what_each_representation_gives():
    assert DenseView.gives & WORDS == WORDS - {"excitation"}
    assert ChainView.gives == DenseView.gives
    assert PureView.gives & WORDS == WORDS - {"excitation", "functional"}
    everything = GaussianView(G, SPACES, excitation={0: np.ones(2)})
    lacking = {"product", "marginal", "functional", "spin_negativity", "transposed_moment"}
    assert everything.gives == WORDS - lacking
    assert GaussianView(G, SPACES, gaussian=False).gives == {"expect", "density", "correlation", "average"}
    assert TransferView.gives == {
        "average", "solution", "transmission", "states", "resonances", "nonequilibrium", "equilibrium", "filled",
        "decayed", "check_unitarity",
    }  # fmt: skip
    assert (DecayView.gives, BarView.gives) == ({"average", "decayed"}, {"average", "lyapunov"})
    assert set(DERIVED) < WORDS


def test_a_name_that_no_view_has_is_unavailable_with_a_suggestion():
    with pytest.raises(Unavailable, match=r"a DenseView gives no 'entropi' \(did you mean 'entropy'\?\)"):
        dense().entropi([0])
    with pytest.raises(Unavailable, match=r"a View gives no 'colour'$"):
        _ = View().colour


def test_the_reason_belongs_to_the_view():
    with pytest.raises(Unavailable, match="an average over noise is no Gaussian state"):
        GaussianView(G, SPACES, gaussian=False).entropy()
    with pytest.raises(Unavailable, match="how a single one spreads"):
        pure().excitation(0)
    with pytest.raises(Unavailable, match="the spreading from site 1 was not computed"):
        GaussianView(G, SPACES, excitation={0: np.ones(2)}).excitation(1)


def test_python_still_asks_its_questions():
    view = dense()
    assert hasattr(view, "entropy")
    assert not hasattr(view, "entropi")
    assert not hasattr(view, "__array__")
    assert not hasattr(View(), "density")  # a word, but not of this view
    for copied in (copy.copy(view), copy.deepcopy(view), _sent(network())):
        assert_allclose(copied.density[0], 0.3)
        assert copied.gives == view.gives
    with pytest.raises(AttributeError, match="_hidden"):
        _ = view._hidden


def _sent(view):
    return pickle.loads(pickle.dumps(view))  # noqa: S301  (our own)


def test_a_mistake_inside_a_word_is_not_hidden():
    class Broken(View):
        @property
        def density(self):
            return None.shape

    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'shape'"):
        _ = Broken().density


def test_what_one_view_refuses_another_of_its_class_may_give():
    one, other = dense(), dense()
    one.refuse({"entropy": "not today"})
    assert "entropy" not in one.gives
    assert "entropy" in other.gives
    with pytest.raises(Unavailable, match="not today"):
        one.entropy([0])
    assert other.entropy([0]) > 0


# ---------------------------------------------------------------- observables


def test_constructors_name_what_they_need():
    z = spin_half.Z
    assert expectation(z(0)).needs == expectation([z(0), z(1)], "site").needs == ("expect",)
    assert (two_point(z, z).needs, two_point(z, z, connected=True).needs) == (
        ("correlations",),
        ("correlations", "expect"),
    )
    assert (purity().needs, operator_entanglement().needs) == (("log_purity",), ("schmidt_values",))
    assert renyi2_entropy().needs == renyi2_mutual_information().needs == ("renyi2",)
    assert replace(purity(), monitored=False).needs == ("log_purity",)


def test_needs_are_judged_without_measuring():
    def never(view):
        raise AssertionError("measured")

    observables = {
        "given": Observable(never, needs=("entropy", "average")),
        "spread": Observable(never, needs=("entropy", "excitation")),
        "tried": Observable(lambda view: view.entropy([0, 1])),
        "apart": Observable(lambda view: view.excitation(0)),
    }
    offered, left_out = available(observables, dense())
    assert list(offered) == ["given", "tried"]
    assert left_out == dict.fromkeys(("spread", "apart"), "a DenseView gives no 'excitation'")
    with pytest.raises(AssertionError, match="measured"):
        available(observables, dense(), rehearse=True)


def test_a_rehearsal_finds_what_needs_do_not_tell():
    far = {"far": expectation(spinless.N(0) * spinless.N(1))}
    averaged = GaussianView(G, SPACES, gaussian=False)
    assert available(far, averaged) == (far, {})
    assert list(available(far, averaged, rehearse=True)[1]) == ["far"]


def test_what_is_unavailable_is_not_measured():
    observables = {
        "n": expectation(spinless.N(0)),
        "entropy": Observable(lambda view: view.entropy(), needs=("entropy",)),
        "spread": Observable(lambda view: view.excitation(0)),
        "guarded": Observable(lambda view: 1.0, needs=("excitation",)),
    }
    assert list(measured(observables, dense())) == ["n", "entropy"]
    assert list(measured(observables, VIEWS["averaged over noise"]())) == ["n"]
    with pytest.raises(ZeroDivisionError):
        measured({"wrong": Observable(lambda view: 1 / 0)}, dense())


def test_a_view_without_the_base_class_is_measured_as_it_is():
    @dataclass(frozen=True)
    class Own:
        x: float

    observables = {"x": Observable(lambda view: view.x, needs=("x",))}
    assert available(observables, Own(2.0)) == (observables, {})
    assert measured(observables, Own(2.0))["x"].value == 2.0


def test_what_is_watched_must_be_given():
    _, left_out = available({"spread": Observable(lambda view: view.excitation(0))}, dense())
    with pytest.raises(InputError, match="engine 'exact' cannot give 'spread': a DenseView gives no 'excitation'"):
        check_given(["spread"], [], "exact", left_out)
    assert left_out_line(left_out, "exact") == "engine 'exact' cannot give spread (a DenseView gives no 'excitation')"
    assert left_out_line({}, "exact") == ""
    both = {"a": "no N", "b": "no N", "c": "too long"}
    assert left_out_line(both, "tebd") == "engine 'tebd' cannot give a, b (no N); c (too long)"


# ---------------------------------------------------------------- a kind of observable: one function


def mutual_information(first, second, **about):
    """S(A) + S(B) - S(AB), a kind of observable that the package does not have."""

    def measure(view):
        return view.entropy(first) + view.entropy(second) - view.entropy([*first, *second])

    return Observable(measure, unit="nat", needs=("entropy",), **about)


class Loud(View):
    """A representation of one's own, with a word of its own beside those that follow from its marginals."""

    def __init__(self, rho):
        super().__init__(SPACES)
        self.rho = rho

    def marginal(self, sites):
        folded = self.rho.reshape(2, 2, 2, 2)
        return {
            (0,): np.einsum("iaja->ij", folded),
            (1,): np.einsum("aiaj->ij", folded),
            (0, 1): self.rho,
        }[tuple(sites)]

    def loudness(self):
        return float(self.rho[0, 0].real)


def test_a_new_kind_of_observable_is_one_function():
    """On every view that gives entropies, in runs of three engines, and left out with its reason elsewhere."""
    kind = mutual_information([0], [1])
    bell = np.outer([1, 0, 0, 1], [1, 0, 0, 1]) / 2
    assert_allclose(kind(Loud(bell)), 2 * np.log(2))
    assert_allclose(kind(GaussianView(np.full((2, 2), 0.5), SPACES)), 2 * np.log(2), atol=1e-12)
    for view in (dense(), network(), pure()):
        assert_allclose(kind(view), 0, atol=1e-12)
    offered, left_out = available({"i": kind}, VIEWS["averaged over noise"]())
    assert offered == {}
    assert left_out["i"].startswith("an average over noise")

    class Shared(find("xx-dephasing")):
        def observables(self):
            return {"i": mutual_information([0], [1, 2])}

    values = [
        evolve(Shared(n=3, dephasing=0.0, mu=0.8), [1.0], engine=engine)["i"].item()
        for engine in (Exact(), "gaussian", TEBD(chi=64, dt=0.01))
    ]
    assert values[0] > 1e-3
    assert_allclose(values, values[0], atol=1e-6)


def test_a_new_word_is_one_method():
    loud = {"loudness": Observable(lambda view: view.loudness(), needs=("loudness",))}
    rho = np.diag([0.4, 0.3, 0.2, 0.1])
    derived = {"entropy", "renyi2", "negativity", "spin_negativity", "transposed_moment", "log_purity"}
    assert Loud.gives == {"average", "marginal", "loudness"} | derived
    assert measured(loud, Loud(rho))["loudness"].value == 0.4
    assert_allclose(Loud(rho).log_purity(), np.log(0.3))
    assert available(loud, dense()) == ({}, {"loudness": "a DenseView gives no 'loudness'"})
