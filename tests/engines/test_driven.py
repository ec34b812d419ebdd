"""Evolution with a generator that depends on time, gates and channels, Floquet steady states: against dense ones."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from chains import coefficients
from driven_chains import Told, positive, waves
from tnness import (
    TEBD,
    Exact,
    Lindbladian,
    Observable,
    Record,
    collect,
    evolve,
    expectation,
    extend,
    find,
    steady_state,
    sweep,
)
from tnness.engines.ask import Ask, Start
from tnness.engines.driven import DrivenGates, operation_layers
from tnness.engines.initial import parse_initial
from tnness.engines.registry import ENGINES
from tnness.errors import InputError, ModelError, NumericalError
from tnness.operators.basis import spin_half as s
from tnness.operators.basis import spinless as f
from tnness.problems.envelope import Piecewise
from tnness.runs.solve import Changes

FULL = {"cutoff": 1e-28, "method": "svd"}
"""Settings without truncation."""


def neel(spaces):
    """The state product:0101... as a dense matrix."""
    size = 2 ** len(spaces)
    rho = np.zeros((size, size), complex)
    place = sum(2 ** (len(spaces) - 1 - i) for i in range(1, len(spaces), 2))
    rho[place, place] = 1
    return rho


def solved(problem, engine, end):
    """The state at a time, from product:0101..., as a dense vector."""
    initial = parse_initial("product:" + "01" * (problem.n // 2) + "0" * (problem.n % 2))
    run: Any = engine.begin(problem, Start(initial, Ask(times=(end,))))
    while run.time < end:
        run.step(end)
    state = run.chain_state()
    vector = state.dense()
    return vector / (vector @ trace_of(problem))


def trace_of(problem):
    covector = np.ones(1)
    for space in problem.spaces:
        covector = np.kron(covector, space.trace)
    return covector


def spins(n, seed, reach, static=False):
    """A chain with terms over `reach` bonds, envelopes and rates: all of them random waves, or constant."""
    told, rng = Told([s] * n), np.random.default_rng(seed)
    for i in range(n - reach):
        told.hamiltonian(0.5 * s.X(i) * s.X(i + reach) + 0.5 * s.Y(i) * s.Y(i + reach), None if static else waves(rng))
    for i in range(n - 1):
        told.hamiltonian(0.3 * s.Z(i) * s.Z(i + 1), None if static else waves(rng))
    for i in range(n):
        told.hamiltonian(0.4 * s.X(i), None if static or i % 2 else waves(rng))
        told.jump(s.Sm(i), 0.2 if static or i % 2 else positive(rng))
    return told


# ---------------------------------------------------------------- evolution


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("reach", [1, 2, 3])
def test_the_exact_engine_integrates_to_ten_digits(seed, reach):
    told = spins(4, seed, reach)
    expected = coefficients(told.evolved(neel(told.spaces), 1.5), told.spaces)
    assert_allclose(solved(told.chain, Exact(), 1.5), expected, atol=1e-10)


def test_fermions_with_sources_anywhere_are_driven_too():
    told, rng = Told([f] * 4), np.random.default_rng(4)
    for i in range(3):
        told.hamiltonian(f.Cd(i) * f.C(i + 1) + f.Cd(i + 1) * f.C(i), waves(rng))
        told.hamiltonian(0.5 * f.Cd(i) * f.Cd(i + 1) + 0.5 * f.C(i + 1) * f.C(i), waves(rng))
    for i in range(4):
        told.jump(f.C(i) + 0.5 * f.Cd(i), positive(rng))
    told.at([0.5], [f.C(2) + f.Cd(2)])
    told.at([0.7], [f.C(1), f.Cd(1)])
    expected = coefficients(told.evolved(neel(told.spaces), 1.0), told.spaces)
    assert_allclose(solved(told.chain, Exact(), 1.0), expected, atol=1e-10)
    assert_allclose(solved(told.chain, TEBD(chi=16, dt=0.1, **FULL), 1.0), expected, atol=1e-5)


@pytest.mark.parametrize(("order", "least", "most"), [(2, 3.7, 4.5), (4, 14, 22)])
@pytest.mark.parametrize("static", [True, False], ids=["static", "driven"])
@pytest.mark.parametrize(("n", "reach"), [(4, 1), (5, 2)], ids=["neighbours", "blocks"])
def test_errors_fall_with_the_order_when_the_step_is_halved(n, reach, static, order, least, most):
    told = spins(n, 3, reach, static)
    expected = solved(told.chain, Exact(), 1.0)
    steps = (0.5, 0.25) if reach == 2 else (0.25, 0.125, 0.0625)
    errors = [
        np.linalg.norm(solved(told.chain, TEBD(chi=64, dt=dt, order=order, **FULL), 1.0) - expected) for dt in steps
    ]
    assert errors[-1] > 1e-10  # else round-off is measured
    for coarse, fine in pairwise(errors):
        assert least < coarse / fine < most


def test_a_function_that_jumps_keeps_the_order_where_it_says_so():
    """Steps of 0.25 and 0.125 that end at the jumps; a plain function with the same values falls to first order."""
    pieces = Piecewise({0.0: 1.0, 0.3: lambda t: -math.cos(t), 0.55: 2.0})
    ratios = {}
    for name, envelope in (("pieces", pieces), ("plain", lambda t: pieces(t))):
        told = Told([s] * 3)
        told.hamiltonian(s.X(0) * s.X(1) + s.Z(1) * s.Z(2), envelope)
        told.hamiltonian(0.7 * s.Y(1) + 0.5 * s.X(2))
        told.jump(s.Sm(0), 0.5)
        expected = coefficients(told.evolved(neel(told.spaces), 1.0, (0.3, 0.55)), told.spaces)
        if name == "pieces":
            assert_allclose(solved(told.chain, Exact(), 1.0), expected, atol=1e-10)
        runs = [solved(told.chain, TEBD(chi=64, dt=dt, **FULL), 1.0) for dt in (0.25, 0.125)]
        errors = [np.linalg.norm(run - expected) for run in runs]
        ratios[name] = errors[0] / errors[1]
    assert ratios["pieces"] > 14
    assert ratios["plain"] < 8


@pytest.mark.parametrize("symmetry", ["charges", "parity"])
def test_a_drive_that_conserves_a_charge_runs_in_its_blocks(symmetry):
    told = Told([s] * 4)
    for i in range(3):
        told.hamiltonian(0.5 * s.X(i) * s.X(i + 1) + 0.5 * s.Y(i) * s.Y(i + 1), lambda t: 1 + math.cos(3 * t) / 2)
    for i in range(4):
        told.hamiltonian(0.3 * i * s.Z(i), math.sin)
        told.jump(s.Z(i), lambda t: 0.1 + 0.1 * math.cos(t))
    told.jump(s.Sp(0), 0.5)
    told.at([0.5], [math.sqrt(0.5) * s.I(2), math.sqrt(0.5) * s.Z(2)])
    expected = coefficients(told.evolved(neel(told.spaces), 1.0), told.spaces)
    engine = TEBD(chi=64, dt=0.1, symmetry=symmetry)
    initial = Start(parse_initial("product:0101"), Ask(times=(1.0,)))
    run: Any = engine.begin(told.chain, initial)
    while run.time < 1:
        run.step(1.0)
    assert run.sectors is not None
    assert run.symmetry == symmetry
    assert_allclose(solved(told.chain, engine, 1.0), expected, atol=1e-6)
    told.at([0.2], [s.X.exp(0.3j)(0)])  # it turns what was conserved
    expected = coefficients(told.evolved(neel(told.spaces), 1.0), told.spaces)
    assert_allclose(solved(told.chain, engine, 1.0), expected, atol=1e-6)


def test_a_rate_that_falls_below_zero_on_the_way_is_refused():
    chain = Lindbladian([s] * 2)
    chain.jump(s.Sm(0), lambda t: 1 - t)
    for engine in (Exact(), TEBD(chi=4)):
        with pytest.raises(ModelError, match=r"jump 0 \(Sm\(0\)\) has the negative rate .* at t = "):
            solved(chain, engine, 3.0)


# ---------------------------------------------------------------- gates and channels


def circuit():
    """Two kinds of layers on four spins: two-site gates, then noise and one-site gates; one after the other."""
    told, rng = Told([s] * 4), np.random.default_rng(8)
    for layer in range(4):
        for i in range(layer % 2, 3, 2):
            angle = rng.uniform(0, 2)
            told.at([float(layer)], [math.cos(angle) - 1j * math.sin(angle) * s.X(i) * s.Z(i + 1)])
        for i in range(4):
            told.at([float(layer)], [s.X.exp(-1j * rng.uniform(0, 2))(i)])
            told.at([float(layer)], [math.sqrt(0.9) * s.I(i), math.sqrt(0.1) * s.Sp(i) * s.Sm(i), *damping(i)])
    return told


def damping(i):
    """What a list that begins with .9 and .1 n needs besides."""
    return [math.sqrt(0.1) * s.Sp(i)]


@pytest.mark.parametrize("engine", [Exact(), TEBD(chi=16, **FULL)], ids=["exact", "tebd"])
def test_a_noisy_circuit_is_the_dense_one(engine):
    told = circuit()
    for end in (1.0, 4.0):
        expected = coefficients(told.evolved(neel(told.spaces), end), told.spaces)
        assert_allclose(solved(told.chain, engine, end), expected, atol=1e-11)


def test_gates_act_between_stretches_of_evolution():
    told = spins(4, 5, 1)
    told.at([0.0, 0.35, 0.7], [math.cos(0.4) - 1j * math.sin(0.4) * s.Z(1) * s.Z(2)])
    told.at([0.35, 1.0], [math.sqrt(0.7) * s.I(3), math.sqrt(0.3) * s.Z(3)])
    expected = coefficients(told.evolved(neel(told.spaces), 1.0), told.spaces)
    assert_allclose(solved(told.chain, Exact(), 1.0), expected, atol=1e-10)
    assert_allclose(solved(told.chain, TEBD(chi=64, dt=0.05, **FULL), 1.0), expected, atol=2e-7)


def test_gates_over_three_sites_act_on_blocks():
    told = spins(5, 6, 1)
    told.at([0.25], [math.cos(0.4) - 1j * math.sin(0.4) * s.Z(1) * s.X(3)])
    expected = coefficients(told.evolved(neel(told.spaces), 0.5), told.spaces)
    assert_allclose(solved(told.chain, TEBD(chi=64, dt=0.25, **FULL), 0.5), expected, atol=1e-5)


def test_operations_that_share_no_site_share_a_layer():
    chain = Lindbladian([s] * 5)
    for i in (0, 2, 4):
        chain.at(0.0, s.X(i))
    chain.at(0.0, s.Z(0) * s.Z(1))
    chain.at(0.0, s.Z(1) * s.Z(2))
    layers = operation_layers(chain.drive().operations, chain.drive().static.dims)
    assert [[bond for bond, gate in enumerate(layer) if gate is not None] for layer in layers] == [[0, 2], [1, 3]]


def test_equal_bonds_and_equal_phases_of_a_drive_share_their_gates():
    chain = Lindbladian([s] * 8)
    for i in range(7):
        chain.hamiltonian(s.X(i) * s.X(i + 1), Piecewise({0.0: 1.0, 0.5: 2.0}, period=1.0))
    gates = DrivenGates(chain.drive(), np.dtype(float))
    for _ in range(3):
        [*gates.period(2, 1.0, 0.25)]
    shared = Piecewise({0.0: 1.0, 0.5: 2.0}, period=1.0)
    alike = Lindbladian([s] * 8)
    for i in range(7):
        alike.hamiltonian(s.X(i) * s.X(i + 1), shared)
    few = DrivenGates(alike.drive(), np.dtype(float))
    for _ in range(3):
        [*few.period(2, 1.0, 0.25)]
    assert len(few._kept) == 2 * 2  # two values, steps and half steps on even bonds, steps on odd ones
    assert len(gates._kept) > 4 * len(few._kept)


def test_operations_far_apart_are_refused_by_tebd_in_one_line():
    chain = Lindbladian([s] * 6)
    chain.at(0.0, s.X(0) * s.X(5))
    with pytest.raises(ModelError, match="acts on sites 0, 5: use engine 'exact', or another order"):
        solved(chain, TEBD(chi=4), 1.0)


# ---------------------------------------------------------------- Floquet steady states

PERIOD = 1.2


@dataclass(frozen=True)
class Shaken:
    """Spins with a shaken field, a pulse and a noisy moment in each period, and loss."""

    n: int = 2
    loss: float = 1.0

    def told(self) -> Told:
        told, rate = Told([s] * self.n), 2 * math.pi / PERIOD
        for i in range(self.n - 1):
            told.hamiltonian(0.5 * s.X(i) * s.X(i + 1) + 0.5 * s.Y(i) * s.Y(i + 1))
        for i in range(self.n):
            told.hamiltonian(0.8 * s.X(i), lambda t: math.cos(rate * t))
            told.hamiltonian(0.5 * s.Z(i), Piecewise({0.0: 1.0, 0.4: -1.0}, period=PERIOD))
            told.jump(s.Sm(i), lambda t: self.loss * (1 + 0.5 * math.sin(rate * t)))
        return told

    def problem(self) -> Lindbladian:
        chain = self.told().chain
        chain.at(0.5, s.X.exp(-0.3j)(0), every=PERIOD)
        chain.at(0.0, [math.sqrt(0.8), math.sqrt(0.2) * s.Z(1)], every=PERIOD)
        return chain

    def dense(self):
        told = self.told()
        told.at([0.5], [s.X.exp(-0.3j)(0)])
        told.at([0.0], [math.sqrt(0.8) * s.I(1), math.sqrt(0.2) * s.Z(1)])
        return coefficients(told.floquet_state(PERIOD, (0.4,)), told.spaces)

    def observables(self) -> dict[str, Observable]:
        return {
            "z": expectation([s.Z(i) for i in range(self.n)], "site"),
            "x": expectation([s.X(i) for i in range(self.n)], "site"),
        }


def expectations(vector, spaces):
    """<X_i> of a dense vector of coefficients."""
    values = []
    for i in range(len(spaces)):
        covector = np.ones(1)
        for j, space in enumerate(spaces):
            covector = np.kron(covector, space.covector(s.X.matrix).real if i == j else space.trace)
        values.append(covector @ vector)
    return np.array(values)


@pytest.mark.parametrize("n", [2, 3])
def test_the_exact_floquet_state_is_the_fixed_point_of_the_dense_map(n):
    model = Shaken(n)
    run: Any = Exact().begin(model.problem(), Start(ask=Ask(period=PERIOD)))
    run.step()
    assert_allclose(run.vector, model.dense(), atol=1e-9)
    values = np.linalg.eigvals(_map_of(model))
    second = np.sort(np.abs(values))[-2]
    assert run.gap == pytest.approx(-math.log(second) / PERIOD, rel=1e-6)


def _map_of(model):
    told = model.told()
    told.at([0.5], [s.X.exp(-0.3j)(0)])
    told.at([0.0], [math.sqrt(0.8) * s.I(1), math.sqrt(0.2) * s.Z(1)])
    return told.map_of(PERIOD, (0.4,))


def test_a_larger_map_is_iterated(monkeypatch):
    told = Told([s] * 2)
    told.hamiltonian(s.X(0) * s.X(1), lambda t: math.cos(2 * math.pi * t))
    told.jump(s.Sm(0), 0.7)
    told.jump(s.Sp(1) + 0.5 * s.Z(1), 0.4)
    monkeypatch.setattr("tnness.engines.floquet.DENSE_MAP", 4)
    run: Any = Exact().begin(told.chain, Start(ask=Ask(period=1.0)))
    run.step()
    assert_allclose(run.vector, coefficients(told.floquet_state(1.0), told.spaces), atol=1e-9)


@pytest.fixture(scope="module")
def certified():
    return steady_state(Shaken(3), engine=TEBD(chi=8, dt=0.3), period=PERIOD, tolerance=1e-3)


@pytest.fixture(scope="module")
def dense():
    return expectations(Shaken(3).dense(), [s] * 3)


def test_tebd_certifies_the_floquet_state_with_true_errors(certified, dense):
    assert certified.outcome == "converged"
    error = np.abs(certified["x"].values - dense)
    assert (error <= 1.5 * certified["x_error"].values).all()  # Richardson knows it to some percent
    assert 1e-8 < error.max() < 1e-3
    assert certified.time == pytest.approx(PERIOD * round(certified.time / PERIOD), abs=1e-9)
    figures = certified.certificate.figures()
    assert figures["forgets_in"] == pytest.approx(PERIOD * round(figures["forgets_in"] / PERIOD))
    assert math.isnan(figures["residual"])
    assert figures["positivity"] > 0


def test_the_step_that_was_used_divides_the_period(certified):
    parts = PERIOD / certified.used["dt"]
    assert parts == pytest.approx(round(parts))
    assert certified.settings["period"] == PERIOD


def test_a_floquet_state_goes_on_with_more_bond_dimension(tmp_path, certified, dense):
    path = tmp_path / "f.nc"
    certified.save(path)
    more = extend(path, Changes({"chi": 10}), model=Shaken, out=tmp_path / "g.nc")
    assert more.outcome == "converged"
    assert more.settings["period"] == PERIOD
    assert_allclose(more["x"].values, dense, atol=1e-3)


def test_a_chain_that_keeps_a_sum_has_no_single_floquet_state():
    @dataclass(frozen=True)
    class Keeping(Shaken):
        def problem(self):
            chain = Lindbladian([s] * self.n)
            for i in range(self.n - 1):
                chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1), lambda t: math.cos(2 * math.pi * t))
            chain.jump(s.Z(0), 0.5)
            return chain

    with pytest.raises(NumericalError, match="the Floquet steady state is not unique"):
        steady_state(Keeping(), engine="exact", period=1.0)
    record = steady_state(Keeping(), engine=TEBD(chi=8), period=1.0, max_time=200.0)
    assert record.outcome.startswith("the steady state is not unique: a sum of one-site operators is conserved")


def test_an_answer_at_twice_the_period_is_not_called_steady():
    """A perfect flip in each period, and nothing else but dephasing: the spin points up and down in turn."""

    @dataclass(frozen=True)
    class Flipping(Shaken):
        def problem(self):
            chain = Lindbladian([s] * 2)
            chain.jump(s.Z(0), 0.2)
            for i in range(2):
                chain.at(0.0, s.X(i), every=1.0)
            return chain

    with pytest.raises(NumericalError, match="answers at a multiple of the period"):
        steady_state(Flipping(), engine="exact", period=1.0)
    record = steady_state(Flipping(), engine=TEBD(chi=4), initial="product:01", period=1.0, max_time=60.0)
    assert not record.certificate.converged


@pytest.mark.parametrize(
    ("ask", "engine", "text"),
    [
        ({}, "tebd", "no static steady state: --period T gives its states at multiples of T, --time its evolution"),
        ({}, "exact", "no static steady state: --period T"),
        ({"period": 1.0}, "tebd", "does not repeat after it"),
        ({"period": PERIOD}, TEBD(dt=0.5), r"dt = 0.5 does not divide the period 1.2: dt = 0.4 does"),
        ({"period": PERIOD, "watch": ["x"], "adjoint": 4}, "tebd", "adjoint: a chain that depends on time"),
        ({"period": -1.0}, "tebd", "period = -1.0: a time > 0 is needed"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(ask, engine, text):
    with pytest.raises((InputError, ModelError), match=text) as raised:
        steady_state(Shaken(2), engine=engine, **ask)
    assert "\n" not in str(raised.value)


def test_the_period_may_be_the_models_own_also_in_a_sweep(tmp_path):
    """omega changes along the axis, and the period with it."""
    model = find("driven-floquet")
    sweep(model, {"omega": [2.0, 3.0]}, store=tmp_path, parameters={"n": 2}, engine="exact", own_period=True, workers=0)
    table = collect(tmp_path)
    for omega in (2.0, 3.0):
        given = steady_state(model(n=2, omega=omega), engine="exact", period=2 * math.pi / omega)
        own = steady_state(model(n=2, omega=omega), engine="exact", own_period=True)
        assert own.settings["period"] == given.settings["period"]
        for record in (own, table.sel(omega=omega)):
            assert_allclose(record["z"].values.squeeze(), given["z"].values, atol=1e-12)
    assert abs(table["z"].values[0] - table["z"].values[1]).max() > 1e-3


@pytest.mark.parametrize(
    ("model", "ask", "text"),
    [
        (find("xx-dephasing")(n=2), {"own_period": True}, "own_period: xx-dephasing has no number `period`"),
        (find("driven-floquet")(n=2), {"own_period": True, "period": 2.0}, "period and own_period: give a number, or"),
    ],
)
def test_a_period_that_is_not_there_is_refused(model, ask, text):
    with pytest.raises(InputError, match=text):
        steady_state(model, engine="exact", **ask)


def test_a_period_belongs_to_a_drive_and_to_a_steady_state():
    @dataclass(frozen=True)
    class Still(Shaken):
        def problem(self):
            chain = Lindbladian([s] * 2)
            chain.jump(s.Sm(0))
            return chain

    with pytest.raises(InputError, match="period = 1: the problem does not depend on time"):
        steady_state(Still(), engine="tebd", period=1.0)
    with pytest.raises(InputError, match="it belongs to a steady state"):
        Ask(times=(1.0,), period=1.0)


# ---------------------------------------------------------------- going on


def advanced(run, steps):
    for _ in range(steps):
        run.step()
    return run


@pytest.mark.parametrize(("steps", "kicked"), [(1, False), (3, False), (12, True)])
def test_a_saved_floquet_run_goes_on_bit_for_bit(steps, kicked):
    """Within a period as well, and with kicks on their way."""
    engine, problem = TEBD(chi=6, schedule=(), block=1), Shaken(3).problem()
    start = Start(ask=Ask(period=PERIOD))
    run: Any = engine.begin(problem, start)
    if kicked:
        while not run.is_sample or run.time == 0:
            run.step()
        run.begin_kicks(10 * PERIOD)
    advanced(run, steps)
    assert (run.kicks is not None) == kicked  # the second kick is on its way
    again: Any = engine.resume(Shaken(3).problem(), start, run.save())
    for _ in range(7):
        run.step()
        again.step()
    assert again.time == run.time
    for ours, theirs in zip(run.state.tensors, again.state.tensors, strict=True):
        assert_array_equal(ours, theirs)
    if kicked:
        assert run.kicked[-1].dump() == again.kicked[-1].dump()


def test_an_evolution_in_two_pieces_is_the_one_in_one_piece(tmp_path):
    model, engine = Shaken(3), TEBD(chi=4, dt=0.2)
    whole = evolve(model, [0.5, 0.8, 1.3], engine=engine, initial="product:010")
    path = tmp_path / "e.nc"
    evolve(model, [0.5, 0.8], engine=engine, initial="product:010", out=path)
    extended = extend(path, Changes(times=[1.3]), model=Shaken)
    for name in ("x", "z"):
        assert_array_equal(extended[name].values, whole[name].values)
        assert_array_equal(extended[f"{name}_error"].values, whole[f"{name}_error"].values)


def test_errors_of_a_driven_evolution_are_claimed_truly():
    model, times = Shaken(3), [0.0, 0.5, 1.2, 2.0]
    exact = evolve(model, times, engine="exact", initial="product:010")
    record = evolve(model, times, engine=TEBD(chi=8, dt=0.3), initial="product:010")
    for name in ("x", "z"):
        error, claim = np.abs(record[name].values - exact[name].values), record[f"{name}_error"].values
        assert (error <= claim + 1e-12).all()
        assert claim.max() < 10 * error.max()


def test_other_functions_are_other_physics(tmp_path):
    @dataclass(frozen=True)
    class Loud(Shaken):
        size: float = 1.0

        def problem(self):
            chain = Lindbladian([s] * 2)
            size = LOUDNESS[0]
            chain.hamiltonian(s.X(0), lambda t: size * math.cos(t))
            return chain

    LOUDNESS = [1.0]
    path = tmp_path / "l.nc"
    evolve(Loud(), [1.0], engine="exact", out=path)
    assert isinstance(extend(path, Changes(times=[2.0]), model=Loud, out=tmp_path / "m.nc"), Record)
    LOUDNESS[0] = 1.5
    with pytest.raises(Exception, match="other physics"):
        extend(path, Changes(times=[2.0]), model=Loud, out=tmp_path / "n.nc")


def test_a_thermal_start_is_that_of_the_chain_at_time_zero():
    chain = Lindbladian([s] * 3)
    for i in range(2):
        chain.hamiltonian(s.X(i) * s.X(i + 1), lambda t: math.cos(t))
    chain.hamiltonian(s.Z(1), lambda t: 5 * math.sin(t))
    starts = [
        Exact().begin(problem, Start(parse_initial("thermal:0.7"), Ask(times=(1.0,)))).save().arrays["vector"]
        for problem in (chain, chain.frozen(0.0))
    ]
    assert_allclose(starts[0], starts[1], atol=1e-14)


@pytest.mark.parametrize("engine", ["gaussian", "spectral"])
def test_engines_that_know_no_clock_say_so(engine):
    chain = Lindbladian([f] * 3)
    chain.hamiltonian(f.Cd(0) * f.C(1) + f.Cd(1) * f.C(0), math.cos)
    chain.jump(f.N(1))
    with pytest.raises((InputError, ModelError)) as raised:
        ENGINES[engine]().begin(chain, Start(parse_initial("product:010"), Ask(times=(1.0,))))
    assert "\n" not in str(raised.value)
    if engine != "spectral":
        assert "this chain depends on time" in str(raised.value)
