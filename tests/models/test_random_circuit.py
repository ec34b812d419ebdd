"""The random circuit, one realization: averages over time against closed equations and the exact averaged replica."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness.errors import InputError
from tnness.model.registry import find
from tnness.problems.circuit import GateSequence
from tnness.runs.solve import evolve, steady_state
from tnness.study.check import check
from tnness_models.replica_solutions import phase_two

RandomCircuit, ReplicaABC = find("random-circuit"), find("replica-abc")


def deviations(record, name, expected):
    """(value - expected) / error, flat, where there is an error."""
    value, error = record[name].values, record[f"{name}_error"].values
    return ((value - expected) / np.where(error > 0, error, np.inf))[error > 0].ravel()


def root_mean_square(z):
    return np.sqrt(np.mean(np.square(z)))


def test_averages_solve_the_closed_equations():
    """L = 10, full bias: E|G_ij|^2, the variance of n_i and the exclusion process's profile (D8-D10)."""
    n = 10
    expected, upper = phase_two(n, 0.8, 1.0, 0.0), np.triu_indices(n, 1)
    z = []
    for seed in range(2):
        model = RandomCircuit(n=n, p1=0.8, matrices=True, negativity=False, steps=13_000)
        record = steady_state(model, seed=seed)
        off = record["a"].values[upper], record["a_error"].values[upper]
        z += [(off[0] - expected[upper]) / off[1]]
        z += [deviations(record, "h", np.diag(expected)), deviations(record, "density", model.steady_density)]
    assert 0.5 < root_mean_square(np.concatenate(z)) < 1.7


@pytest.mark.parametrize("coherences", [True, False])
def test_averages_are_those_of_the_exact_replica(coherences):
    """L = 3 with interactions, and without coherences (54): purity, variances, entropies to leading order."""
    about = {"n": 3, "p1": 0.5, "p2": 0.3, "m_left": 0.4, "m_right": -0.3, "coherences": coherences}
    replica = steady_state(ReplicaABC(**about), engine="exact")
    pairs = {"purity": "purity", "h": "h", "density": "density", "leading_entropy_deviation": "entropy_deviation"}
    pairs |= {"leading_mutual_information": "mutual_information"} | ({"a": "a"} if coherences else {})
    model, z = RandomCircuit(**about, steps=3000, cuts=None, matrices=coherences, negativity=False), []
    for seed in range(4):
        record = steady_state(model, engine="exact", seed=seed)
        z += [deviations(record, ours, replica[theirs].values) for ours, theirs in pairs.items()]
    assert 0.4 < root_mean_square(np.concatenate(z)) < 1.7


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["exact", "tebd"])
def test_averages_are_those_of_the_exact_replica_at_four_sites(engine):
    about = {"n": 4, "p1": 0.5, "p2": 0.3, "m_left": 0.4, "m_right": -0.3}
    replica = steady_state(ReplicaABC(**about), engine="exact")
    z = []
    for seed in range(5):
        model = RandomCircuit(**about, steps=60_000, cuts=None, matrices=True, negativity=False)
        record = steady_state(model, engine=engine, seed=seed)
        z.append([deviations(record, k, replica[k].values) for k in ("h", "a", "density")])
        z[-1].append(deviations(record, "leading_mutual_information", replica["mutual_information"].values))
    z = np.array([np.concatenate(each) for each in z])
    assert 0.7 < root_mean_square(z) < 1.4
    assert np.abs(z.mean(axis=0) * np.sqrt(len(z))).max() < 4


@pytest.mark.slow
def test_volume_law_at_fifty_sites():
    """p1 = 1, small bias: Delta S / (L delta^2) and I by (34)-(36) at second order, from the closed equations."""
    n, delta = 50, 0.02
    model = RandomCircuit(n=n, m_left=delta / 2, m_right=-delta / 2, steps=2_500_000, negativity=False)
    record = steady_state(model, seed=1)
    assert record.outcome == "converged"
    a = phase_two(n, 1.0, 0.5 + delta / 2, 0.5 - delta / 2)
    expected = {"entropy_deviation": 2 * a.sum(), "relative_entropy": 2 * a.sum()}
    for name, value in expected.items():
        error = record[f"{name}_error"]
        assert error < 0.01 * value
        assert abs(float(record[name]) - value) < 4 * error
    shared, error = (record[name].item() for name in ("mutual_information", "mutual_information_error"))
    assert error < 0.01 * shared
    assert abs(shared - 4 * a[: n // 2, n // 2 :].sum()) < 4 * error


def test_without_partial_swaps_there_are_only_products():
    """p1 = 0: every site holds a spin of one of the reservoirs; S and Delta S are exact at any time."""
    model = RandomCircuit(n=6, p1=0.0, m_left=0.3, m_right=-0.3, matrices=True, initial="step", cuts=None)
    record = evolve(model, [0.0, 5.0, 60.0], seed=2)
    p = np.array([0.8, 0.2])
    entropy = 6 * -(p * np.log(p)).sum()
    assert_allclose(record["entropy"], entropy, atol=1e-12)
    assert_allclose(np.abs(record["density"] - 0.5), 0.3, atol=1e-12)
    assert len(np.unique(np.round(record["density"].values, 9), axis=0)) == 3  # they do move
    for name in ("a", "mutual_information", "mutual_coherence"):
        assert_allclose(record[name], 0, atol=1e-12)
    assert_allclose(record["negativity"], 0, atol=1e-7)
    polarised = evolve(RandomCircuit(n=6, p1=0.0, p2=0.5, initial="neel"), [30.0], engine="exact")
    assert_allclose(polarised["entropy"], 0, atol=1e-10)
    assert_allclose(polarised["purity"], 1, atol=1e-12)


@pytest.mark.parametrize("placement", ["random", "layers"])
@pytest.mark.parametrize("coherences", [True, False])
def test_the_mean_density_is_that_of_averaged_maps(placement, coherences):
    """E of each gate applied in turn to the product state of three sites, step by step."""
    model = RandomCircuit(n=3, p1=0.4, p2=0.3, m_left=0.4, placement=placement, initial="step", coherences=coherences)
    law, states = model.problem(), model.initial_state("exact")
    space = law.spaces[0]
    number = space.covector(space.N.matrix).real
    vector = np.einsum("a,b,c->abc", *(space.vector(rho) for rho in states))
    averaged = []
    for bond in range(4):
        design = GateSequence(np.full(len(law.gates.weights), bond), law.gates.unitaries)
        averaged.append(np.einsum("k,kab->ab", law.gates.weights, np.array(law.maps(design))))
    density = np.array([number @ space.vector(rho) for rho in states])
    for step in range(9):
        bonds = range(4) if placement == "random" else [(0, 2, 1, 3)[step % 4]]
        images = [averaged[k] @ vector.reshape(space.dim ** max(k - 1, 0), len(averaged[k]), -1) for k in bonds]
        vector = np.mean([image.reshape(vector.shape) for image in images], axis=0)
        found = [
            np.einsum("abc,a,b,c->", vector, *(number if site == read else space.trace for site in range(3)))
            for read in range(3)
        ]
        assert_allclose(model.mean_density(density, step + 1), found, atol=1e-12)
    assert_allclose(RandomCircuit(n=5).mean_density(np.zeros(5), 10**5), RandomCircuit(n=5).steady_density, atol=1e-9)


def test_entropies_are_measured_from_local_equilibrium():
    """At time 0 of the equilibrium start nothing deviates; at small bias the leading order is the whole."""
    model = RandomCircuit(n=6, m_left=0.01, m_right=-0.01, cuts=None)
    record = evolve(model, [0.0, 100.0], seed=3)
    for name in ("h", "entropy_deviation", "relative_entropy", "leading_entropy_deviation", "mutual_information"):
        assert_allclose(record[name][0], 0, atol=1e-12)
    far = evolve(RandomCircuit(n=6, initial="step"), [0.0, 0.3, 2.0, 30.0], seed=4)
    assert (far["relative_entropy"] > -1e-12).all()  # Klein's inequality, of every realization
    assert far["relative_entropy"][0] == 0
    last = record.dataset.isel(time=1)
    assert last["entropy_deviation"] > 1e-5
    assert_allclose(last["entropy_deviation"], last["leading_entropy_deviation"], rtol=1e-3)
    assert_allclose(last["mutual_information"], last["leading_mutual_information"], rtol=1e-2)
    assert_allclose(last["mutual_information"], 2 * last["mutual_coherence"], rtol=1e-2)


def test_check_runs_every_engine_on_the_same_gates():
    found = {finding.subject: finding for finding in check(RandomCircuit(n=3))}
    assert {finding.verdict for finding in found.values()} == {"ok"}
    assert "the same gates" in found["tebd"].detail
    assert "the same gates" in found["exact"].detail
    interacting = {finding.subject: finding for finding in check(RandomCircuit(n=3, p1=0.5, p2=0.5))}
    assert interacting["gaussian"].verdict == "note"
    assert "makes particles interact" in interacting["gaussian"].detail
    assert interacting["exact"].verdict == "ok"


def test_cuts():
    assert RandomCircuit(n=10).cut_sites == [5]
    assert RandomCircuit(n=9, cuts=None).cut_sites == list(range(1, 9))
    assert RandomCircuit(n=12, cuts=3).cut_sites == [3, 6, 9]
    record = evolve(RandomCircuit(n=12, cuts=3), [1.0])
    assert record["mutual_information"]["cut"].values.tolist() == [3, 6, 9]


def test_the_interferometer_reads_the_coherence_of_two_sites():
    """(86): with t = i r the ports differ by 2 Im <c^+_L c_R> of the two sites, on any engine."""
    model = RandomCircuit(n=5, detectors=(1, 3), matrices=True)
    records = [evolve(model, [20.0], engine=engine) for engine in ("gaussian", "exact")]
    element = records[0]["correlation"][0, 1, 1, 3]
    for record in records:
        left, right = record["interferometer"][0].values
        assert_allclose(right - left, 2 * element, atol=1e-12)
        assert_allclose(left + right, record["density"][0, [1, 3]].sum(), atol=1e-12)


def test_two_starts_under_one_circuit_forget_themselves():
    """App. B: the same gates carry two initial states to one."""
    records = [evolve(RandomCircuit(n=6, initial=i, matrices=True), [0.0, 300.0], seed=1) for i in ("full", "mixed")]
    apart = np.abs(records[0]["correlation"] - records[1]["correlation"]).max(("part", "site", "site_2"))
    assert_allclose(apart[0], 0.5)
    assert apart[1] < 1e-6


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({"m_left": 0.6}, r"m_left = 0.6: a magnetisation lies between -1/2 and 1/2"),
        ({"steps": 0}, "steps = 0: a trajectory has at least 1 gate"),
        ({"p1": 0.7, "p2": 0.7}, "p1 \\+ p2 = 1.4"),
        ({"cuts": 20}, "a chain of 20 sites has 1 to 19 cuts"),
        ({"initial": "warm"}, "initial = 'warm' is not one of equilibrium"),
        ({"placement": "dense"}, "placement = 'dense' is not one of"),
        ({"detectors": (0, 20)}, r"detectors = \[0, 20\]: the sites are 0 to 19"),
        ({"n": 1}, "at least 2"),
    ],
)
def test_what_is_refused(about, told):
    with pytest.raises(InputError, match=told):
        RandomCircuit(**about)
