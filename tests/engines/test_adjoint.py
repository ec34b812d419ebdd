"""The adjoint error: observables evolved backwards, against dense exponentials and exact steady states."""

from dataclasses import dataclass

import numpy as np
import pytest
import scipy.linalg as linalg
from numpy.testing import assert_allclose

import tnness
from tests.chains import coefficients, dense_operator, random_lindbladian
from tests.systems import xx_dephasing_exact
from tnness import TEBD, InputError, Observable, Record, expectation, find, steady_state
from tnness import spin_half as s
from tnness.engines.adjoint import Backwards
from tnness.network.chain_state import ChainState
from tnness.network.chain_view import ChainView
from tnness.network.overlap import overlap
from tnness.network.truncation import Truncation
from tnness.operators.basis import bit as b
from tnness.operators.basis import classical, oddness, spinless


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """Particles that hop to the right rather than to the left, and vanish in pairs."""

    n: int = 6

    def problem(self):
        chain = tnness.Lindbladian([b] * self.n)
        for i in range(self.n - 1):
            chain.jump(b.Sm(i) * b.Sp(i + 1), rate=1.0)
            chain.jump(b.Sp(i) * b.Sm(i + 1), rate=0.3)
            chain.jump(b.Sm(i) * b.Sm(i + 1), rate=0.2)
        chain.jump(b.Sp(0), rate=0.9)
        chain.jump(b.Sm(self.n - 1), rate=0.6)
        return chain

    def observables(self):
        return {
            "density": expectation([b.N(i) for i in (1, 3)], "place"),
            "pairs": expectation(sum((b.N(i) * b.N(i + 1) for i in range(self.n - 1)), 0 * b.N(0))),
            "square": Observable(lambda view: view.expect(b.N(0)) ** 2),
        }


@dataclass(frozen=True, kw_only=True)
class Driven:
    """A chain of spins in a tilted field, driven at its ends, with weak dephasing."""

    n: int = 6

    def problem(self):
        chain = tnness.Lindbladian([s] * self.n)
        for i in range(self.n - 1):
            chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1) + s.Z(i) * s.Z(i + 1))
        for i in range(self.n):
            chain.hamiltonian(0.7 * s.X(i) + 0.3 * s.Z(i))
            chain.jump(s.Z(i), rate=0.1)
        for site, up, down in ((0, 0.8, 0.2), (self.n - 1, 0.3, 0.7)):
            chain.jump(s.Sp(site), rate=up)
            chain.jump(s.Sm(site), rate=down)
        return chain

    def observables(self):
        middle = self.n // 2
        return {
            "z": expectation([s.Z(0), s.Z(middle)], "place"),
            "current": expectation(s.X(middle) * s.Y(middle + 1) - s.Y(middle) * s.X(middle + 1)),
        }


def test_covectors_evolve_by_the_transposed_generator():
    spaces = [s, classical(3), b, s]
    chain, rng = random_lindbladian(spaces, 7), np.random.default_rng(1)
    generator = chain.generator()
    state = ChainState.from_dense(np.r_[1.0, 0.1 * rng.standard_normal(generator.dimension - 1)], generator.dims)
    backwards = Backwards(generator, state, 4, 0.01, Truncation(chi=100, method="svd"), 0.1)
    operator = (1 + 2j) * s.Sp(0) * s.Sm(3) * b.N(2) + s.Z(3) - 0.3
    dense = dense_operator(operator, spaces)
    covector = coefficients((dense + dense.conj().T) / 2, spaces)
    found = backwards.covector(operator)
    assert_allclose(found.dense(), covector, atol=1e-13)
    expected = linalg.expm(0.1 * generator.matrix().toarray().T) @ covector
    assert_allclose(backwards.evolved(found).dense(), expected, atol=1e-6 * np.abs(covector).max())


def test_covectors_of_fermions_read_what_views_read():
    spaces = [spinless, s, spinless, spinless]
    chain = random_lindbladian(spaces, 3)
    generator, rng = chain.generator(), np.random.default_rng(2)
    vector = np.where(oddness(spaces), 0.0, rng.standard_normal(generator.dimension))
    vector[0] = 3.0
    state = ChainState.from_dense(vector, generator.dims)
    backwards = Backwards(generator, state.copy(), 2, 0.01, Truncation(chi=100, method="svd"), 0.01)
    operator = spinless.Cd(0) * spinless.C(3) + spinless.Cd(3) * spinless.C(0) + s.Z(1) * spinless.N(2)
    view = ChainView(state, generator.spaces, generator.functionals)
    read = overlap(backwards.covector(operator), state).value / overlap(backwards.covector(0 * s.Z(1) + 1), state).value
    assert_allclose(read, view.expect(operator), rtol=1e-10)


def signed(model, engine, factor, **about):
    record = steady_state(model, engine=engine, adjoint=factor, **about)
    exact = steady_state(model, engine="exact")
    true = {name: (record[name] - exact[name]).values for name in model.observables()}
    return record, true


def test_errors_of_truncation_come_with_their_signs(tmp_path):
    record, true = signed(
        Lattice(), TEBD(chi=2, dt=0.4), 4, watch=["density", "pairs"], tolerance=0.5, out=tmp_path / "r.nc"
    )
    scale = np.abs(true["density"]).max()
    assert scale > 1e-4
    assert_allclose(record["density_adjoint_error"], true["density"], atol=0.1 * scale)
    assert_allclose(record["pairs_adjoint_error"], true["pairs"], rtol=0.1)
    assert record["density_adjoint_error"].dims == ("place",)
    assert "square_adjoint_error" not in record.dataset
    read = Record.open(tmp_path / "r.nc")
    assert_allclose(read["density_adjoint_error"], record["density_adjoint_error"])
    assert read.settings["adjoint"] == 4


@pytest.mark.slow
def test_errors_of_a_quantum_chain_come_with_their_signs():
    record, true = signed(Driven(), TEBD(chi=8), 4, tolerance=1.0)
    assert np.abs(true["z"]).min() > 1e-3
    assert_allclose(record["z_adjoint_error"], true["z"], rtol=0.2)
    assert_allclose(record["current_adjoint_error"], true["current"], rtol=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("n", [7, 8])
def test_errors_of_an_exactly_solved_chain_come_with_their_signs(n):
    record = steady_state(find("xx-dephasing")(n=n), engine=TEBD(chi=8), adjoint=4, tolerance=0.05)
    exact = xx_dephasing_exact(n, 1.0, 1.0, 1.0, 1.0)
    for name in ("z", "current"):
        true = record[name].values - exact[name]
        assert np.abs(true).max() > 1e-4
        assert_allclose(record[f"{name}_adjoint_error"], true, atol=0.1 * np.abs(true).max())


def test_an_observable_that_is_not_linear_is_refused_before_the_run():
    with pytest.raises(InputError, match=r"adjoint: observable 'square' cannot be evolved backwards: it is no linear"):
        steady_state(Lattice(), engine=TEBD(chi=3), adjoint=4, watch=["square"])


@pytest.mark.parametrize("engine", ["exact", "accelerated"])
def test_engines_that_evolve_nothing_backwards_refuse(engine):
    with pytest.raises(InputError, match=f"adjoint: engine '{engine}' evolves no observables backwards"):
        steady_state(Driven(n=3), engine=engine, adjoint=4)


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({"adjoint": -1}, "adjoint = -1: a multiple of chi"),
        ({"adjoint": 4, "kick": False}, "adjoint: without a kick"),
    ],
)
def test_requests_that_cannot_be_met_are_refused(about, told):
    with pytest.raises(InputError, match=told):
        steady_state(Lattice(n=3), engine=TEBD(chi=3), **about)
