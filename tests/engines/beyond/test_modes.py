"""The slowest modes against closed formulas, the spectrum of the Kronecker matrix, and each other."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from chains import dense_lindbladian, random_lindbladian
from tnness import TEBD, Ask, ChainState, Lindbladian, Record, Start, expectation, extend, find, spin_half, spinless
from tnness.engines.beyond.filtering import Pair
from tnness.engines.beyond.frame import balanced
from tnness.engines.beyond.galerkin import Gathered, image_of, overlaps
from tnness.engines.beyond.modes import Modes
from tnness.engines.beyond.networks import STAGES
from tnness.engines.beyond.starts import sectors_of
from tnness.engines.registry import build_engine
from tnness.errors import InputError
from tnness.network.variational import summed
from tnness.problems.generator import ChainGenerator
from tnness.runs.beyond import modes

XX, XXZ, SSEP = find("xx-dephasing"), find("xxz-driven"), find("ssep")
FIELDS = (0.3, 0.1, -0.7, 0.2)


@dataclass(frozen=True)
class Lossy:
    """Four fermions that are lost in the bulk and enter at an end."""

    engines = ("exact", "gaussian")

    def problem(self):
        chain = Lindbladian([spinless] * 4)
        for i in range(3):
            chain.hamiltonian(spinless.Cd(i) * spinless.C(i + 1) + spinless.Cd(i + 1) * spinless.C(i))
        chain.jump(spinless.C(1), rate=0.4)
        chain.jump(spinless.Cd(3), rate=0.3)
        return chain

    def observables(self):
        return {"density": expectation([spinless.N(i) for i in range(4)], "site")}


def spectrum(chain):
    """All eigenvalues of rho -> drho/dt, from the Jordan-Wigner matrices of the terms."""
    hamiltonian, jumps = dense_lindbladian(chain)
    one = np.eye(len(hamiltonian))
    whole = -1j * (np.kron(hamiltonian, one) - np.kron(one, hamiltonian.T))
    for jump in jumps:
        square = jump.conj().T @ jump
        whole += np.kron(jump, jump.conj()) - (np.kron(square, one) + np.kron(one, square.T)) / 2
    return np.linalg.eigvals(whole)


@pytest.mark.parametrize(
    "chain",
    [
        XXZ(n=3, delta=0.5, mu=0.5),
        XX(n=4, dephasing=0.7, mu=0.6, fields=FIELDS),
        SSEP(n=3, space="quantum"),
    ],
)
def test_modes_of_a_small_chain_are_the_head_of_its_spectrum(chain):
    expected = spectrum(chain.problem())
    record = modes(chain, 6, engine="exact")
    found = -record["rate"].values + 1j * record["frequency"].values
    slowest = np.sort(-expected.real)[1:7]
    assert_allclose(record["rate"], slowest, atol=1e-9)
    assert max(np.abs(expected - value).min() for value in found) < 1e-9
    assert record.outcome == "exact"


def test_the_gap_of_the_exclusion_process_is_that_of_one_particle():
    record = modes(SSEP(n=7), 1, engine="exact")
    assert_allclose(record["rate"], 2 * (1 - np.cos(np.pi / 8)), rtol=1e-11)
    sites = np.arange(1, 8)
    for profile in ("left_profile", "right_profile"):
        assert_allclose(record[profile].values[0], np.sin(np.pi * sites / 8), atol=1e-9)


def test_beyond_the_dense_matrix_arnoldi_agrees_with_it(monkeypatch):
    chain = XXZ(n=4, delta=0.5, mu=0.5)
    dense = modes(chain, 2, engine="exact")
    monkeypatch.setattr("tnness.engines.beyond.dense.ALL_MODES", 10)
    assert_allclose(modes(chain, 2, engine="exact")["rate"], dense["rate"], rtol=1e-9)


@pytest.mark.slow
def test_the_driven_chain_of_six_sites():
    record = modes(XXZ(n=6, delta=0.5, mu=0.5), 2, engine="exact")
    assert_allclose(record["rate"].values[0], 0.121529, atol=1e-6)
    assert np.all(record["rate_error"] < 1e-10)


@pytest.mark.parametrize("dephasing", [0.0, 0.7])
def test_modes_of_free_fermions_are_in_the_spectrum_and_hold_the_slowest(dephasing):
    chain = XX(n=4, dephasing=dephasing, mu=0.6, fields=FIELDS)
    expected, record = spectrum(chain.problem()), modes(chain, 5, engine="gaussian")
    found = -record["rate"].values + 1j * record["frequency"].values
    assert max(np.abs(expected - value).min() for value in found) < 1e-9
    assert_allclose(record["rate"].values[0], np.sort(-expected.real)[1], atol=1e-10)
    exact = modes(chain, 1, engine="exact")
    for profile in ("left_profile", "right_profile"):
        assert_allclose(record[profile].values[0], exact[profile].values[0], atol=1e-8)


def test_dephased_chains_beyond_the_dense_matrix_agree_with_it(monkeypatch):
    chain = XX(n=12, dephasing=0.5)
    dense = modes(chain, 3, engine="gaussian")
    monkeypatch.setattr("tnness.engines.fermions.modes.DENSE_PAIRS", 10)
    assert_allclose(modes(chain, 3, engine="gaussian")["rate"], dense["rate"], rtol=1e-10)


def test_a_chain_of_free_fermions_with_loss_in_the_bulk():
    lossy = Lossy()
    exact, closed = (modes(lossy, 1, engine=name) for name in ("exact", "gaussian"))
    assert_allclose(closed["rate"], exact["rate"], atol=1e-10)


def test_an_engine_that_gives_no_modes_says_who_does():
    with pytest.raises(InputError, match=r"engine 'spectral' gives no modes; exact, gaussian, tebd do"):
        Modes().solver(build_engine("spectral", {}))


def test_a_record_of_modes_is_resumed_and_kept(tmp_path):
    path = tmp_path / "modes.nc"
    record = modes(SSEP(n=4), 2, engine="exact", out=path)
    kept = Record.open(path)
    assert_allclose(kept["rate"], record["rate"])
    assert kept.settings["question"] == {"kind": "modes", "count": 2}
    assert_allclose(extend(path)["rate"], record["rate"])


def test_filtered_operators_give_the_gap_of_the_exclusion_process():
    record = modes(SSEP(n=4), 1, engine=TEBD(chi=6))
    exact = 2 * (1 - np.cos(np.pi / 5))
    found, error = (float(record[name].values[0]) for name in ("rate", "rate_error"))
    assert abs(found - exact) <= error + 1e-12
    assert error < 1e-6
    assert record.outcome == "converged"
    assert_allclose(
        record["left_profile"].values[0], np.sin(np.pi * np.arange(1, 5) / 5) / np.sin(0.4 * np.pi), atol=1e-5
    )


def test_an_interrupted_filter_goes_on_bit_for_bit():
    problem, start = SSEP(n=4).problem(), Start(ask=Ask())
    solver = Modes(count=1).solver(TEBD(chi=4))
    whole, first = solver.begin(problem, start), solver.begin(problem, start)
    for _ in range(9):
        whole.step()
    for _ in range(5):
        first.step()
    second = solver.resume(problem, start, first.save())
    for _ in range(4):
        second.step()
    for a, b in zip(whole.filters, second.filters, strict=True):
        assert a.time == b.time
        for one, other in zip(a.state.tensors, b.state.tensors, strict=True):
            assert_array_equal(one, other)


def test_an_evolution_of_right_vectors_goes_on_bit_for_bit():
    problem, start = SSEP(n=3).problem(), Start(ask=Ask())
    solver = Modes(count=1).solver(TEBD(chi=4))
    whole = solver.begin(problem, start)
    while STAGES[whole.stage] != "right":
        whole.step()
    second = solver.resume(problem, start, whole.save())
    for run in (whole, second):
        for _ in range(4):
            run.step()
    assert whole.value == second.value
    assert whole.left_residual == second.left_residual
    right, again = whole.filters[1], second.filters[1]
    assert right.time == again.time > 0
    for one, other in zip(right.state.tensors, again.state.tensors, strict=True):
        assert_array_equal(one, other)


def residual_alone(filter_):
    gathered = Gathered(filter_.scheme.operators[0], filter_.scheme.identity)
    gathered.add(filter_.state.copy())
    rate = gathered.moved[0, 0] / gathered.gram[0, 0]
    return np.sqrt(gathered.squared[0, 0] / gathered.gram[0, 0] - rate**2)


def test_an_evolution_goes_on_from_the_mode_that_its_snapshots_give():
    run = Modes(count=1).solver(TEBD(chi=4)).begin(SSEP(n=8).problem(), Start(ask=Ask()))
    while run.filters is None or run.filters[0].since or len(run.filters[0].gathered.snapshots) < 6:
        run.step()
    left = run.filters[0]
    found, before = left.ritz(1), residual_alone(left)
    assert found.share > 0.95
    assert before > 1.5 * found.residuals[0]
    left.polish(-found.values[0].real)
    assert_allclose(residual_alone(left), found.residuals[0], rtol=1e-3)


def test_an_evolution_whose_mode_is_not_alone_goes_on_as_it_was():
    run = Modes(count=1).solver(TEBD(chi=4)).begin(SSEP(n=24).problem(), Start(ask=Ask()))
    while run.filters is None or len(run.filters[0].gathered.snapshots) < 3:
        run.step()
    left = run.filters[0]
    found, tensors = left.ritz(1), [tensor.copy() for tensor in left.state.tensors]
    assert found.share < 0.95
    left.polish(-found.values[0].real)
    for one, other in zip(tensors, left.state.tensors, strict=True):
        assert_array_equal(one, other)


def test_a_sum_of_states_is_that_of_their_vectors():
    rng = np.random.default_rng(5)
    states = [
        ChainState([rng.standard_normal(shape) for shape in ((1, 3, b), (b, 3, 2), (2, 3, 1))], None, float(b))
        for b in (1, 2, 3)
    ]
    weights = (0.5, -1.0, 2.0)
    expected = sum(weight * state.dense() for weight, state in zip(weights, states, strict=True))
    assert_allclose(summed(weights, states).dense(), expected)


def test_overlaps_at_once_are_those_of_dense_vectors():
    rng = np.random.default_rng(3)

    def state(*bonds):
        ends = (1, *bonds, 1)
        return ChainState([rng.standard_normal((ends[i], 3, ends[i + 1])) for i in range(4)], None, 0.3)

    bonds = (1, 2, 4, 3, 1)
    operator = [rng.standard_normal((bonds[i], bonds[i + 1], 3, 3)) for i in range(4)]
    matrix = np.einsum("xaoi,abpj,bcqk,cxrl->opqrijkl", *operator).reshape(81, 81)
    states, other = [state(2, 3, 2), state(3, 2, 2), state(1, 2, 3)], state(3, 4, 2)
    vectors, vector = [each.dense().ravel() for each in states], other.dense().ravel()
    image = image_of(operator, other)
    assert_allclose(overlaps(states, other), [each @ vector for each in vectors])
    assert_allclose(overlaps(states, image), [each @ matrix @ vector for each in vectors])
    assert_allclose(overlaps([image], image), [np.sum((matrix @ vector) ** 2)])


def test_an_error_holds_where_one_vector_is_rough():
    """Of random matrices; the rough vector is off by a third, and with it |l| |r| / |<l|r>|."""
    rng = np.random.default_rng(12)
    for _ in range(50):
        shape = rng.standard_normal((5, 5)) + 2 * np.eye(5)
        rates = -np.array([1.0, 1.6, 2.5, 4.0, 7.0])
        matrix = shape @ np.diag(rates) @ np.linalg.inv(shape)
        left, right = np.linalg.inv(shape)[0], shape[:, 0]
        left = left / np.linalg.norm(left) + 1e-4 * rng.standard_normal(5)
        right = right / np.linalg.norm(right) + 0.3 * rng.standard_normal(5) / np.sqrt(5)
        left, right = left / np.linalg.norm(left), right / np.linalg.norm(right)
        value = left @ matrix @ right / (left @ right)
        first, second = (np.linalg.norm(of @ v - value * v) for of, v in ((matrix.T, left), (matrix, right)))
        found = Pair(value, (first, second), 1 / abs(left @ right), 0.6, np.ones(1), np.ones(1))
        assert abs(value + 1) <= found.error
        assert found.error <= 2 * found.condition * second


def test_a_rate_that_is_not_resolved_is_flagged():
    record = modes(XXZ(n=3, delta=0.5, mu=0.5), 1, engine=TEBD(chi=3), max_time=2.0)
    assert np.isnan(record["rate"].values).all()
    assert np.isfinite(record["candidate"].values).any()
    assert "no results" in record.outcome


def filtered(chain, chi=16):
    run = Modes(count=1).solver(TEBD(chi=chi)).begin(chain, Start(ask=Ask()))
    while not run.step().finished:
        pass
    return run


def assert_claimed(chain, table):
    exact = np.sort(-np.linalg.eigvals(chain.generator().matrix().toarray()).real)[1]
    rate = table.rate
    if np.isfinite(rate.value[0]):
        assert abs(rate.value[0] - exact) <= rate.error[0] + 1e-10
    return np.isfinite(rate.value[0])


def test_a_pair_of_small_frequency_is_no_real_rate():
    """7.6255 +- .2307 i: within its memory the pair looks like one real rate, 7.85."""
    chain = random_lindbladian([spin_half] * 3, 32)
    table = filtered(chain).table
    assert assert_claimed(chain, table)
    assert_allclose(abs(table.frequency.value[0]), 0.23068642, atol=1e-3)


def test_an_error_covers_the_distance_to_a_pair_that_is_not_resolved():
    """Of [[-1, 1], [-w^2, -1]], real vectors l and r see a real value."""
    for w in (0.05, 0.3):
        left = np.array([1.0, w]) / np.hypot(1, w)
        right = np.array([1.0, -w]) / np.hypot(1, w)
        matrix = np.array([[-1.0, 1.0], [-(w**2), -1.0]])
        value = left @ matrix @ right / (left @ right)
        first, second = (np.linalg.norm(of @ v - value * v) for of, v in ((matrix.T, left), (matrix, right)))
        found = Pair(value, (first, second), 1 / abs(left @ right), 0.1, np.ones(1), np.ones(1))
        assert found.error >= min(abs(np.linalg.eigvals(matrix) - value))


def test_a_frame_changes_no_rate_and_mixes_no_charges():
    generator = XXZ(n=4, delta=0.5, mu=0.9).problem().generator()
    frame = balanced(generator, 0.2, 0)
    charges = sectors_of(generator)
    assert charges == [(0,), (1,), (2,)]
    within = ChainGenerator(generator.spaces, [0 * matrix for matrix in generator.site_terms], generator.merged_bonds)
    plain = np.linalg.eigvals(within.matrix().toarray())
    total = sum(
        np.kron(np.kron(np.eye(4**i), bond), np.eye(4 ** (2 - i)))
        for i, bond in enumerate(frame.bonds(generator.merged_bonds))
    )
    moved = np.linalg.eigvals(total)
    assert max(np.abs(plain - value).min() for value in moved) < 1e-7
    for to, back in zip(frame.to, frame.back, strict=True):
        assert_allclose(to @ back, np.eye(4), atol=1e-12)
        assert np.abs(to[1:3, [0, 3]]).max() < 1e-12  # X and Y apart from 1 and Z


def test_in_the_frame_the_exclusion_process_is_nearly_normal():
    run = filtered(SSEP(n=8).problem(), 6)
    plain = float(modes(SSEP(n=8), 1, engine="exact")["condition"].values[0])
    assert run.table.conditions[0] < 1.5 < 2 < plain
    assert_allclose(run.table.rate.value[0], 2 * (1 - np.cos(np.pi / 9)), atol=1e-7)


def test_sectors_of_faster_modes_are_left_without_a_flag():
    chain = XXZ(n=3, delta=0.5, mu=0.5).problem()
    run = filtered(chain, 8)
    assert assert_claimed(chain, run.table)
    assert run.verdict() == "converged"


def test_faster_modes_between_which_some_are_missing_are_no_results():
    """The rates are .4355, .9104, 1.2594 (a pair); one of 1.6753 is found beside the slowest."""
    model = XX(n=4, dephasing=0.7)
    record, exact = modes(model, 4, engine=TEBD(chi=16)), modes(model, 4, engine="exact")["rate"].values
    found, results = record["rate"].values, np.isfinite(record["rate"].values)
    assert results[0]
    assert_allclose(found[results], exact[results], rtol=1e-4)
    assert "missing" in record.outcome


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_random_chains_have_the_slowest_rate_within_its_error_or_flagged(seed):
    chain = random_lindbladian([spin_half] * (3 + seed % 2), seed)
    assert_claimed(chain, filtered(chain).table)


@pytest.mark.slow
def test_the_driven_chain_of_six_sites_is_filtered_with_the_settings_as_they_are():
    record = modes(XXZ(n=6, delta=0.5, mu=0.5), 1, engine="tebd")
    found, error = (float(record[name].values[0]) for name in ("rate", "rate_error"))
    assert_allclose(found, 0.121529, atol=1e-6 + error)
    assert abs(found / 0.121529 - 1) < 1e-3


@pytest.mark.slow
def test_the_dephased_chain_of_fifty_sites_has_the_rate_of_one_body_operators():
    exact = float(modes(XX(n=50, dephasing=1.0), 1, engine="gaussian")["rate"].values[0])
    record = modes(XX(n=50, dephasing=1.0), 1, engine=TEBD(chi=8))
    assert_allclose(float(record["rate"].values[0]), exact, rtol=2e-4)
