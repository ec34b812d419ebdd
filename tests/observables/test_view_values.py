"""Every view reads the same words of one state, against its density matrix: entropies, negativity, hops, densities."""

import math
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose

import systems as exact
from chains import coefficients, random_density_matrix, random_matrix
from tnness import evolve, steady_state
from tnness.engines.circuits.view import CircuitView
from tnness.engines.fermions.view import GaussianView
from tnness.engines.hopping_view import HoppingView
from tnness.engines.pure.trajectory_view import TrajectoryView
from tnness.engines.pure.view import PureView
from tnness.engines.tebd import TEBD
from tnness.errors import InputError, Unavailable
from tnness.model.registry import find
from tnness.network.chain_state import ChainState
from tnness.network.chain_view import ChainView
from tnness.network.dense_view import DenseView
from tnness.observables.observable import Observable
from tnness.operators.basis import bit, classical, operator_space, spin_half, spin_one, spinless

CHAINS = {
    "spins": [spin_half] * 4,
    "fermions": [spinless] * 4,
    "fermions and spins": [spinless, spin_half, spin_half, spinless],
}
REGIONS = [range(start, stop) for start in range(4) for stop in range(start + 1, 5)]
NEIGHBOURS = [(range(a, b), range(b, c)) for a in range(4) for b in range(a + 1, 4) for c in range(b + 1, 5)]


def occupied(spaces):
    """The level that holds the particle: spin up, or 1."""
    return [0 if space is spin_half else 1 for space in spaces]


def even(matrix, spaces):
    """What of an operator, or of a vector, conserves the parity of the particles, and that of the fermions."""
    for counted in ((spin_half, spinless), (spinless,)):
        signs = np.ones(1)
        for level, space in zip(occupied(spaces), spaces, strict=True):
            signs = np.kron(signs, np.ones(2) if space not in counted else [1.0, -1.0] if level else [-1.0, 1.0])
        whole = signs[:, None] * matrix * signs if matrix.ndim == 2 else None
        matrix = np.where(signs > 0, matrix, 0.0) if whole is None else (matrix + whole) / 2
    return matrix


def mixed_state(spaces, seed=0):
    return even(random_density_matrix(16, np.random.default_rng(seed)), spaces)


def pure_state(spaces, seed=0):
    vector = even(random_matrix(16, np.random.default_rng(seed))[0], spaces)
    return vector / np.linalg.norm(vector)


def dense_view(rho, spaces):
    return DenseView(1.3 * coefficients(rho, spaces), spaces, {"trace": [space.trace for space in spaces]})


def chain_view(rho, spaces):
    state = ChainState.from_dense(1.3 * coefficients(rho, spaces), [space.dim for space in spaces])
    return ChainView(state, spaces, {"trace": [space.trace for space in spaces]})


def circuit_view(rho, spaces):
    return CircuitView(chain_view(rho, spaces), 1.0, dense_view(rho, spaces))


def pure_view(vector, spaces):
    return PureView(ChainState.from_dense(0.7 * vector, [2] * 4), spaces)


def cases():
    for name, spaces in CHAINS.items():
        for build in (dense_view, chain_view, circuit_view):
            rho = mixed_state(spaces)
            yield pytest.param(build(rho, spaces), rho, spaces, id=f"{build.__name__}, {name}")
        vector = pure_state(spaces)
        yield pytest.param(pure_view(vector, spaces), np.outer(vector, vector.conj()), spaces, id=f"pure_view, {name}")
    spaces, g = CHAINS["fermions"], correlation_matrix(4, 3)
    yield pytest.param(GaussianView(g, spaces), exact.gaussian_density(g), spaces, id="gaussian_view, fermions")


def correlation_matrix(n, seed):
    rng = np.random.default_rng(seed)
    vectors = np.linalg.qr(random_matrix(n, rng))[0]
    return (vectors * rng.uniform(0.05, 0.95, n)) @ vectors.conj().T


every_view = pytest.mark.parametrize(("view", "rho", "spaces"), list(cases()))


@every_view
def test_entropies_of_regions(view, rho, spaces):
    for region in REGIONS:
        p = np.linalg.eigvalsh(exact.reduced(rho, region))
        p = p[p > 1e-14]
        assert_allclose(view.entropy(region), -(p * np.log(p)).sum(), atol=1e-10)
        assert_allclose(view.renyi2(region), -math.log((p**2).sum()), atol=1e-10)
    assert_allclose(view.log_purity(), math.log(np.trace(rho @ rho).real), atol=1e-10)
    assert_allclose([view.entropy([1, 2]), view.entropy((2, 1))], view.entropy(slice(1, 3)), rtol=1e-13)
    assert view.entropy() == view.entropy(slice(None)) == view.entropy(range(4))
    assert view.entropy([]) == view.renyi2([]) == 0.0


@every_view
def test_negativity_of_neighbours(view, rho, spaces):
    for first, second in NEIGHBOURS:
        sites = [*first, *second]
        part, full = exact.reduced(rho, sites), [occupied(spaces)[i] for i in sites]
        expected = exact.fermion_negativity(part, len(first), full)
        assert_allclose(view.negativity(first, second), expected, atol=1e-7)  # the root of round-off of pure modes
        assert_allclose(view.negativity(second, first), expected, atol=1e-7)


@every_view
def test_hops_and_densities(view, rho, spaces):
    expected = exact.fermion_correlations(rho, occupied(spaces))
    assert_allclose(view.correlation, expected, atol=1e-12)
    assert_allclose(view.density, np.diag(expected).real, atol=1e-12)


@every_view
def test_pairs_of_densities(view, rho, spaces):
    if len(set(spaces)) == 1:
        lowering = exact.lowering_operators(occupied(spaces))
        numbers = [c.conj().T @ c for c in lowering]
        expected = [[np.trace(rho @ a @ b).real for b in numbers] for a in numbers]
        assert_allclose(view.correlations(spaces[0].N, spaces[0].N), expected, atol=1e-12)


@every_view
def test_products_marginals_and_schmidt_values(view, rho, spaces):
    if isinstance(view, GaussianView):
        assert not view.gives & {"product", "marginal"}
    else:
        a, b = (random_matrix(2, np.random.default_rng(seed)) for seed in (1, 2))
        whole = np.kron(np.kron(np.eye(2), a), np.kron(np.eye(2), b))
        assert_allclose(view.product({1: a, 3: b}), np.trace(rho @ whole), atol=1e-12)
        for region in REGIONS:
            assert_allclose(view.marginal(region), exact.reduced(rho, region), atol=1e-12)
    for bond in range(3):
        left = 2 ** (bond + 1)
        right = 16 // left
        realigned = rho.reshape(left, right, left, right).transpose(0, 2, 1, 3).reshape(left**2, right**2)
        values = np.linalg.svd(realigned, compute_uv=False) / np.linalg.norm(realigned)
        count = min(len(values), len(view.schmidt_values(bond)))
        assert_allclose(view.schmidt_values(bond)[:count], values[:count], atol=1e-12)
        assert_allclose(np.sum(view.schmidt_values(bond) ** 2), 1.0)


@every_view
def test_regions_that_do_not_exist_are_mistakes(view, rho, spaces):
    for read in (view.entropy, view.renyi2, lambda sites: view.negativity([0], sites)):
        for sites in ([3, 4], [-1], [1, 1]):
            with pytest.raises(InputError, match="a region takes sites of 0 to 3, each once"):
                read(sites)
    with pytest.raises(InputError, match="each once"):
        view.negativity([0, 1], [1, 2])


def test_regions_apart_are_read_of_correlation_matrices_only():
    g, spaces = correlation_matrix(4, 5), CHAINS["fermions"]
    n = np.linalg.eigvalsh(g[np.ix_([0, 2], [0, 2])])
    assert_allclose(GaussianView(g, spaces).entropy([0, 2]), -(n * np.log(n) + (1 - n) * np.log(1 - n)).sum())
    rho = exact.gaussian_density(g)
    for view in (dense_view(rho, spaces), chain_view(rho, spaces), pure_view(pure_state(spaces), spaces)):
        with pytest.raises(Unavailable, match=r"entropy of sites that are not consecutive: \(0, 2\)"):
            view.entropy([0, 2])
        with pytest.raises(Unavailable, match="not neighbours"):
            view.negativity([0], [2, 3])


def test_long_pure_chains():
    """Cuts of any length, and regions inside of up to 1024 states; of a product state all entropies vanish."""
    n = 30
    view = PureView(ChainState.product([[0.6, 0.8]] * n), [spin_half] * n)
    for region in (range(20), range(12, n), range(3, 9), range(n)):
        assert_allclose([view.entropy(region), view.renyi2(region)], 0, atol=1e-12)
    for read in (view.entropy, view.marginal):
        with pytest.raises(Unavailable, match="of 20 sites: a matrix of more than 1024 states"):
            read(range(2, 22))


def test_probabilities():
    """A classical chain: the Shannon entropy, no coherence and no negativity."""
    p = np.random.default_rng(0).dirichlet(np.ones(8))
    spaces, trace = [bit] * 3, {"trace": [np.ones(2)] * 3}
    for view in (DenseView(p, spaces, trace), ChainView(ChainState.from_dense(p, (2, 2, 2)), spaces, trace)):
        assert_allclose(view.entropy(), -(p * np.log(p)).sum())
        part = p.reshape(2, 4).sum(axis=0)
        assert_allclose(view.entropy([1, 2]), -(part * np.log(part)).sum())
        assert_allclose(view.renyi2([1, 2]), -math.log((part**2).sum()))
        assert_allclose(view.correlation, np.diag(view.density))
        assert_allclose(view.density, [p[4:].sum(), p[[2, 3, 6, 7]].sum(), p[1::2].sum()])
        assert view.negativity([0], [1, 2]) == 0.0


def test_a_mean_over_pure_states_is_the_average_state():
    spaces = CHAINS["spins"]
    vectors = [pure_state(spaces, seed) for seed in range(3)]
    view = TrajectoryView([pure_view(vector, spaces) for vector in vectors], spaces)
    mean = dense_view(np.mean([np.outer(v, v.conj()) for v in vectors], axis=0), spaces)
    hop = spin_half.Sp(1) * spin_half.Sm(3)
    assert_allclose(view.expect(hop), mean.expect(hop), atol=1e-13)
    assert_allclose(view.marginal([1, 2]), mean.marginal([1, 2]), atol=1e-13)
    assert_allclose(
        view.correlations(spin_half.X, spin_half.Z), mean.correlations(spin_half.X, spin_half.Z), atol=1e-13
    )
    for word in ("density", "correlation"):
        assert_allclose(getattr(view, word), getattr(mean, word), atol=1e-13)
    estimate = view.average(lambda one: one.entropy([0, 1]))
    each = [one.entropy([0, 1]) for one in view.realizations]
    assert_allclose([estimate.value, estimate.error], [np.mean(each), np.std(each, ddof=1) / math.sqrt(3)])
    with pytest.raises(Unavailable, match="gives means of others"):
        view.entropy([0, 1])


def test_a_particle_that_hops_has_a_density():
    view = HoppingView(np.array([0.25, 0.75]), np.array([0.5, 0.3, 0.2]))
    assert_allclose(view.density, [0.5, 0.3, 0.2])
    assert view.gives == {"density", "probabilities", "average"}


# ---------------------------------------------------------------- what sites do not have


def test_sites_say_what_they_cannot_give():
    pauli = [np.eye(2) / np.sqrt(2), np.array([[0, 1], [0, 0]])]
    for space, missing, told in (
        (spin_one, {"density", "correlation", "negativity"}, r"site 0 \(spin-1\) has no particle number N"),
        (
            classical(3),
            {"correlation", "negativity", "spin_negativity", "transposed_moment"},
            r"site 0 \(classical-3\) does not hold 0 or 1 particles|or classical ones",
        ),
        (
            operator_space("half", pauli, {"N": np.eye(2)}),
            {"entropy", "negativity", "spin_negativity", "transposed_moment"},
            "neither density matrices nor|a partial transpose",
        ),
    ):
        vector = np.ones(space.dim**2)
        view = DenseView(vector, [space] * 2, {"trace": [space.trace + (space.trace == 0)] * 2})
        assert DenseView.gives - view.gives == missing
        for word in missing:
            with pytest.raises(Unavailable, match=told):
                _asked(view, word)


def _asked(view, word):
    """Read a word of a view, with the sites that it needs."""
    if word in ("negativity", "spin_negativity"):
        return getattr(view, word)([0], [1])
    if word == "transposed_moment":
        return view.transposed_moment([0], [1])
    return view.entropy() if word == "entropy" else getattr(view, word)


# ---------------------------------------------------------------- the same word on every engine


def test_entropy_on_tebd_equals_the_exact_one():
    class Entropies(find("xxz-driven")):
        def observables(self):
            return {"s": Observable(lambda view: [view.entropy(range(k, k + 2)) for k in range(3)], dims=("bond",))}

    dense, network = (
        evolve(Entropies(n=4, mu=0.7), [0.0, 0.5, 2.0], engine=engine) for engine in ("exact", TEBD(chi=64, dt=0.02))
    )
    assert_allclose(dense["s"][0], 2 * math.log(2))
    assert all(abs(a - b) > 1e-3 for a, b in pairwise(dense["s"].values[:, 0]))
    assert_allclose(network["s"], dense["s"], atol=1e-6)


def test_entropy_of_free_spins_is_the_same_on_three_engines():
    class Entropies(find("xx-dephasing")):
        def observables(self):
            words = {"s": lambda view: view.entropy([0, 1]), "e": lambda view: view.negativity([0], [1, 2])}
            return {name: Observable(measure) for name, measure in words.items()}

    model = Entropies(n=3, dephasing=0.0, mu=0.8)
    records = [steady_state(model, engine=engine) for engine in ("gaussian", "exact", TEBD(chi=64, order=4))]
    for record in records:
        assert_allclose(record["s"], records[1]["s"], rtol=1e-3)
        assert_allclose(record["e"], records[1]["e"], rtol=1e-2)
    assert_allclose(records[0]["s"], records[1]["s"], atol=1e-9)


def test_what_an_engine_cannot_give_costs_the_observable_and_not_the_run():
    class Asking(find("xx-dephasing")):
        def observables(self):
            return super().observables() | {
                "pair": Observable(lambda view: view.entropy([0, 1])),
                "apart": Observable(lambda view: view.entropy([0, 2])),
                "spread": Observable(lambda view: view.excitation(0), dims=("site",)),
                "misspelt": Observable(lambda view: view.entropie([0, 1])),
            }

    asked = {"pair", "apart", "spread", "misspelt"}
    for dephasing, engine, given in (
        (0.0, "gaussian", {"pair", "apart"}),
        (1.0, "gaussian", set()),
        (1.0, "tebd", {"pair"}),
    ):
        record = evolve(Asking(n=3, dephasing=dephasing), [0.5], engine=engine)
        assert set(record.dataset.data_vars) & asked == given
