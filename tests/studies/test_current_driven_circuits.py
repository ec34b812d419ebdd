"""The study of the current-driven circuits, end to end on the shortest chains."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from numpy.testing import assert_allclose
from scipy.stats import unitary_group

from study_modules import modules_of
from tnness import find
from tnness.engines.fermions.entropy import entropy, mutual_information
from tnness.engines.gaussian import Gaussian
from tnness.observables.entanglement import dense_negativity
from tnness.study.scripts import save
from tnness_models.replica_solutions import phase_two


@pytest.fixture(scope="module")
def study():
    with modules_of("current_driven_circuits") as found:
        yield found


@pytest.fixture(scope="module")
def tiny(study):
    presets = study["presets"]
    cuts = (
        presets.Cut(name="I to II", varied="p1", values=(1e-6, 1.0), fixed=0.0, lengths=(40, 80), chi=0),
        presets.Cut(name="II to III", varied="p2", values=(0.1, 0.5), fixed=0.5, lengths=(4, 6), chi=24),
    )
    return presets.Preset(
        name="tiny",
        cuts=cuts,
        haar=(2, 3),
        drawn=(2,),
        steps=4000,
        volume=(
            presets.Length(n=6, gates=8000, realizations=2, samples=128),
            presets.Length(n=10, gates=12000, realizations=2, samples=128),
        ),
        shown=10,
        sampled=40,
        quench=presets.Quench(gaussian=16, dense=4, realizations=(4, 4), end=20.0),
        step=presets.Step(n=8, delta=0.05, p1=0.5, p2=(0.0, 0.3), chi=24, end=6.0, count=3),
        states={8: 4, 16: 2},
        memory=presets.Memory(gaussian=(6, 10), dense=3, gates=((1.0, 0.0), (0.5, 0.5)), realizations=3),
        averages=presets.Averages(dense=(3,), gaussian=4, realizations=4, gates=(2000, 2000)),
        measured=(4, 8),
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.mark.parametrize(
    "name",
    [
        "figure_4",
        "figure_5",
        "figure_9",
        "volume_law",
        "quench",
        "memory_loss",
        "averages",
        "scattering_states",
        "crossover",
    ],
)
def test_a_figure_is_computed_drawn_and_kept(study, tiny, store, tmp_path, name):
    module = study[name]
    dataset = module.data(tiny, store, 0).assign_attrs(preset="tiny")
    save(module.draw(dataset), {"": dataset}, tmp_path / f"{name}_tiny")
    kept = xr.load_dataset(tmp_path / f"{name}_tiny.nc", engine="h5netcdf")
    assert isinstance(module.draw(kept), Figure)  # the file holds all that the figure shows
    assert (tmp_path / f"{name}_tiny.png").stat().st_size > 10_000


def test_crossovers(study, tiny, store):
    module = study["figure_4"]
    dataset = module.data(tiny, store)
    _, deviation = module.exponents(dataset, "I to II", "deviation")
    _, information = module.exponents(dataset, "I to II", "information")
    assert_allclose(deviation, [1, 1], atol=0.05)  # a volume law in both phases
    assert_allclose(information, [3, 1], atol=0.15)  # (52): p1 L^3 close to phase I


def test_the_measured_circuit_crosses_over_on_p1_times_length_squared(study, tiny):
    module = study["crossover"]
    table = module.data(tiny, None)
    sites = np.arange(1, 9)
    profile = 1 - 2 * sites / 9  # p1 = 0: every site is one spin of a reservoir, placed by the exclusion process
    assert_allclose(table["none"].sel(n=8), np.sum(1 - profile**2) / 2, rtol=1e-6)
    assert 4 < module.half(table.sel(n=8)) < 7
    each = module.powers(table).values
    there = each[np.isfinite(each)]
    assert ((there < 1) & (there > -1)).all()
    assert (np.diff(each[-1][np.isfinite(each[-1])]) < 0).all()


def test_purities(study, tiny):
    dataset = study["figure_11"].data(tiny, None).assign_attrs(preset="tiny")
    assert_allclose(dataset["haar"], dataset["haar_closed"], atol=1e-4)
    assert_allclose(dataset["printed"], dataset["printed_closed"], atol=1e-4)
    assert abs(dataset["drawn"].values[0] - 12 / 33) < 5 * dataset["drawn_error"].values[0]
    assert isinstance(study["figure_11"].draw(dataset), Figure)


def test_sites_of_more_levels_lack_less(study):
    module = study["qudits"]
    few = module.Qudits(levels=(2, 3), lengths=(2, 3), drawn={2: (2,), 3: (2,)}, steps=4000)
    table = module.data(few, None).assign_attrs(preset="tiny")
    expected = [np.log2([12 / 33 * 4, 24 / 129 * 8]), np.log2([36 / 244 * 9, 108 / 2188 * 27])]
    assert_allclose(table["chain"], expected, atol=1e-4)
    off = (table["drawn"] - table["chain"]).sel(n=2) / table["drawn_error"].sel(n=2)
    assert (abs(off) < 5).all()
    assert isinstance(module.draw(table), Figure)


def test_charged_qudits_are_those_of_drawn_circuits(study):
    """Purity of circuits drawn sector by sector; densities are those of the exclusion process; equilibrium stays."""
    module, q, delta, rng = study["charged_qudits"], 2, 0.8, np.random.default_rng(3)
    d = 2 * q
    charge = np.add.outer(np.repeat([0, 1], q), np.repeat([0, 1], q)).ravel()

    def drawn():
        unitary = np.zeros((d**2, d**2), complex)
        for sector in range(3):
            places = np.flatnonzero(charge == sector)
            unitary[np.ix_(places, places)] = unitary_group.rvs(len(places), random_state=rng)
        return unitary

    left, right = (np.kron(np.diag([up, 1 - up]), np.eye(q) / q) for up in (0.9, 0.1))
    rho, purities = np.eye(d**2) / d**2, []
    for step in range(6000):
        bond, unitary = rng.integers(3), drawn()
        if bond == 1:
            rho = unitary @ rho @ unitary.conj().T
        elif bond == 0:
            whole = np.kron(unitary, np.eye(d)) @ np.kron(left, rho) @ np.kron(unitary, np.eye(d)).conj().T
            rho = np.einsum("aiaj->ij", whole.reshape(d, d**2, d, d**2))
        else:
            whole = np.kron(np.eye(d), unitary) @ np.kron(rho, right) @ np.kron(np.eye(d), unitary).conj().T
            rho = np.einsum("iaja->ij", whole.reshape(d**2, d, d**2, d))
        if step >= 50:
            purities.append(np.vdot(rho, rho).real)
    blocks = np.array(purities).reshape(-1, 50).mean(axis=1)
    state = module.steady(q, 2, delta)
    error = blocks.std(ddof=1) / np.sqrt(len(blocks))
    assert abs(blocks.mean() - module.purity(state, q, range(2))) < 4 * error
    separate, swapped = ([float(a == 0) for a, _ in module.CHARGES], [float(a == c == 0) for a, c in module.CHARGES])
    up = np.concatenate([q**2 * np.array(separate), q * np.array(swapped)])
    first = np.tensordot(module.trace(q), np.tensordot(up, state, (0, 0)), (0, 0))
    assert_allclose(first, module.densities(2, delta)[0], rtol=1e-9)
    assert_allclose(module.deviation(module.steady(3, 3, 0.0), 3, 0.0, range(3)), 0, atol=1e-10)


def test_the_figure_of_charged_qudits(study):
    module = study["charged_qudits"]
    table = module.data(module.Charged(levels=(2, 4), lengths=(2, 3, 4), delta=0.05), None).assign_attrs(preset="tiny")
    assert (table["information"] > 0).all()
    assert (table["deviation"] > 2 * table["information"]).all()
    assert isinstance(module.draw(table), Figure)
    assert "q = 4, information" in module.tell(table)


def test_gates_act_on_both_sides(study):
    rng = np.random.default_rng(2)
    gate, rho = (rng.standard_normal((4, 4)) + 1j * rng.standard_normal((4, 4)) for _ in range(2))
    big = np.kron(np.eye(2), gate)
    rho = np.kron(np.diag([0.3, 0.7]), rho + rho.conj().T)
    assert_allclose(study["figure_11"].apply(gate, rho, 1, 3), big @ rho @ big.conj().T, atol=1e-12)


@pytest.mark.parametrize(("r1", "r2"), [(0.001, 0.1), (0.1, 0.1), (1.0, 0.1)])
def test_fronts_settle_at_the_marginal_speed(study, r1, r2):
    module = study["operator_front"]
    assert_allclose(module.integrated_speed(r1, r2), module.marginal_speed(r1, r2), rtol=0.03)


def last(model, seed=0, time=20.0):
    """G of a circuit at one time."""
    start = model.initial_state("gaussian")
    ((_, view),) = Gaussian().solve(model.problem(), initial=start, times=[time], seed=seed).views
    return view.correlation


def test_one_circuit_carries_every_bias(study):
    """G - 1/2 is proportional to delta, circuit by circuit; so are the entropies taken from full bias."""
    biases, model = study["biases"], find("random-circuit")
    full = last(model(n=8))
    for number, delta in ((1, 0.25), (4, 0.625)):
        own = last(model(n=8, m_left=delta / 2, m_right=-delta / 2))
        assert_allclose(biases.at_bias(full, delta), own, atol=1e-13)
        found = biases.sample(full, model(n=8).steady_density)
        local = entropy(np.diag(model(n=8, m_left=delta / 2, m_right=-delta / 2).steady_density).astype(complex))
        assert_allclose(found["deviation"][number], local - entropy(own), atol=1e-12)
        assert_allclose(found["information"][number], mutual_information(own, range(4), range(4, 8)), atol=1e-12)


def test_negativity_of_two_modes(study):
    """The candidate is exact for one pair: ln of the trace norm of the spins' partial transpose."""
    full = np.array([[0.7, 0.3j], [-0.3j, 0.4]])
    found = study["biases"].paired_negativity(full)
    for delta, ours in zip(study["biases"].DELTAS, found, strict=True):
        g = study["biases"].at_bias(full, delta)
        n, m, c = g[0, 0].real, g[1, 1].real, g[0, 1]
        both = n * m - abs(c) ** 2
        rho = np.diag([1 - n - m + both, m - both, n - both, both]).astype(complex)  # 00, 01, 10, 11
        rho[1, 2], rho[2, 1] = c, c.conjugate()
        transposed = rho.reshape(2, 2, 2, 2).transpose(2, 1, 0, 3).reshape(4, 4)
        norm = np.abs(np.linalg.eigvalsh(transposed)).sum()
        assert_allclose(ours, np.log(norm), atol=1e-12)
        assert ours <= dense_negativity(rho, 1) + np.log(2) / 2 + 1e-12


def test_normals_have_the_closed_equations_variances(study):
    """Second moments of many draws at L = 4; at full bias some are no states."""
    model, rng = find("random-circuit")(n=4), np.random.default_rng(0)
    drawn = np.array([study["biases"].independent(model, rng) for _ in range(4000)])
    assert_allclose(drawn, drawn.conj().swapaxes(1, 2))
    second = np.mean(np.abs(drawn - np.diag(model.steady_density)) ** 2, axis=0)
    assert_allclose(second, phase_two(4, 1.0, 1.0, 0.0), rtol=0.15)
    assert np.mean(np.linalg.eigvalsh(drawn)[:, 0] < 0) > 0.1


def test_followed_spins_add_up_to_the_correlations(study):
    """(77)-(79): G of the engine is the sum over spins that came in from the left; (78) over all is the identity."""
    states, model = study["scattering_states"], find("random-circuit")(n=8, initial="empty")
    gates = states.gates_of(8)
    phi = states.amplitudes(model.problem(), gates, 3)
    whole = phi.phi @ phi.phi.conj().T + phi.old @ phi.old.conj().T
    assert_allclose(whole, np.eye(8), atol=1e-12)
    left = phi.phi[:, phi.left]
    expected = last(model, seed=3, time=gates / 9)
    assert_allclose(left.conj() @ left.T, expected, atol=1e-12)


def test_spins_diffuse(study):
    """|phi|^2 averaged over circuits is a walk; (74) and (75) are its continuum limits."""
    module, n = study["scattering_states"], 200
    x = np.arange(1, n + 1) / (n + 1)
    early, late = module.diffused(n, 0.02), module.diffused(n, 0.4)
    bulk = early > 0.1 * early.max()
    assert_allclose(early[bulk], module.images(x, 0.02, n)[bulk], rtol=0.06)
    assert_allclose(late[20:-20], module.slowest(x, 0.4)[20:-20], rtol=0.06)


def test_the_step_without_interactions_is_that_of_drawn_circuits(study, tiny, store):
    table = study["figure_9"].data(tiny, store)
    ours, drawn = table["deviation"].sel(p2=0.0).transpose("time", "w").values, table["drawn"].values
    assert_allclose(ours, drawn, rtol=0.12)


def test_a_step_far_from_the_ends_keeps_its_entropy(study, tiny, store):
    """Before the ends are felt all sites have what local equilibrium gains, with interactions or without."""
    table, delta = study["figure_9"].data(tiny, store), tiny.step.delta
    model = find("random-circuit")(n=8, m_left=delta / 2, m_right=-delta / 2, initial="step")
    start = model.initial_state("gaussian")[:, 0, 0].real
    purities = [np.prod(1 + (2 * density - 1) ** 2) for density in (start, model.mean_density(start, round(2.0 * 9)))]
    kept = (purities[0] - purities[1]) / 2 / delta**2
    assert_allclose(table["deviation"].sel(time=2.0, w=4), kept, rtol=0.02)


def test_pure_starts_gain_what_is_exchanged(study, tiny, store):
    """Phase I: a bit for every spin from a reservoir, on average exactly the walk's."""
    table = study["quench"].data(tiny, store)
    one = table["gaussian"].sel(gates="I")
    z = (one.sel(stat="mean") - table["exchanged"]) / one.sel(stat="error").clip(0.3)
    assert np.abs(z).max() < 4
    mean = table["sparse"].sel(stat="mean")
    local = mean.sum("what")
    assert_allclose(local.max("phase"), local.min("phase"), atol=1e-9)  # Delta S is measured from one local equilibrium


def test_starts_are_forgotten(study, tiny, store):
    table = study["memory_loss"].data(tiny, store)
    for name, other in (("gaussian", "n"), ("dense", "gates")):
        mean = table[name].sel(stat="mean")
        assert (mean.isel(moment=-1) < mean.isel(moment=0) / 20).all(), (name, other)


def test_averages_are_the_replicas(study, tiny, store):
    table = study["averages"].data(tiny, store)
    for case in table["case"].values:
        assert 0.4 < study["averages"].rms(table["z"].sel(case=case).values) < 1.8
