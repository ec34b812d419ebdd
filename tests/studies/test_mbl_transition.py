"""The figures of the MBL study, end to end on the smallest chains, and the disorder loop behind them."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from scipy.special import softmax

from study_modules import modules_of
from tnness import find
from tnness import spin_half as s
from tnness.errors import NumericalError
from tnness.model.protocol import draw
from tnness.study.collect import collect
from tnness.study.scripts import save

FIGURES = [
    "figure_2",
    "figure_3",
    "figure_8",
    "figure_9",
    "figure_10",
    "figure_weak",
    "figure_choices",
    "figure_drives",
]


@pytest.fixture(scope="module")
def study():
    with modules_of("mbl_transition") as found:
        yield found


@pytest.fixture(scope="module")
def tiny(study):
    """Four sites and two realizations wherever the quick preset has more."""
    presets = study["presets"]
    few = {"n": (4,), "eps": (0.05, 0.1, 0.2), "realizations": 2}
    quick = presets.PRESETS["quick"]
    return replace(
        quick,
        transition=(presets.Ensemble(**few | {"h": (1.0, 2.0, 12.0)}),),
        fit_eps=0.2,
        fit_h=2.0,
        truncation=presets.Ensemble(**few | {"n": (9,), "h": (1.0,), "eps": (0.4,), "chi": (4, 8), "tolerance": 0.05}),
        baseline=4,
        relaxation=replace(quick.relaxation, n=(4, 5), h=1.0, eps=(0.4, 0.8), chi=8, end=8.0, count=24),
        sizes=(presets.Ensemble(**few | {"n": (3, 4), "h": (2.0,)}),),
        weak=(
            presets.Ensemble(**few | {"h": (1.0, 2.0, 12.0)}),
            presets.Ensemble(**few | {"n": (3,), "h": (2.0,)}),
        ),
        choices=presets.Ensemble(**few | {"h": (1.0, 2.0)}),
        ranges=((0.1, 0.2), (0.05, 0.2), (0.05, 0.1)),
        pairs=((0.1, 0.2), (0.05, 0.1)),
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_computed_drawn_and_kept(study, tiny, store, tmp_path, name):
    module = study[name]
    dataset = module.data(tiny, store, 0).assign_attrs(preset="quick")
    figure = module.draw(dataset)
    assert isinstance(figure, Figure)
    save(figure, {"": dataset}, tmp_path / f"{name}_quick")
    kept = xr.load_dataset(tmp_path / f"{name}_quick.nc", engine="h5netcdf")
    xr.testing.assert_equal(kept, dataset)
    assert isinstance(module.draw(kept), Figure)  # the file holds all that the figure shows
    assert (tmp_path / f"{name}_quick.png").stat().st_size > 10_000


def test_figures_say_what_they_show(study, tiny, store):
    figure = study["figure_2"].draw(study["figure_2"].data(tiny, store, 0).assign_attrs(preset="quick"))
    said = figure.get_suptitle()
    assert all(part in said for part in ("quick", "N = 4", "exact", "2 realizations", "18 points: 18 exact"))


def test_evolved_chains_are_judged_by_what_is_watched_and_tell_their_claims(study, tiny, tmp_path):
    watched = replace(tiny.truncation, eps=(0.2, 0.4), chi=(16,), tolerance=0.1, watch=("beta_variation",))
    dataset = study["figure_2"].data(replace(tiny, transition=(watched,), fit_eps=0.4), tmp_path, 0)
    assert "beta_variation" in next(tmp_path.glob("*tebd*")).name
    assert ((dataset["claim"] > 0) & (dataset["claim"] < 1)).all()
    assert "claims of a chain: median" in study["figure_2"].tell(dataset)


def test_the_paper_preset_is_the_paper(study):
    paper = study["presets"].PRESETS["paper"]
    assert all((e.n, e.chi) == ((20,), (100,)) for e in paper.transition)
    assert {eps for e in paper.transition for eps in e.eps} == {0.01, 0.02, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4}
    counts = {h: e.realizations for e in paper.transition for h in e.h}
    assert counts[1.0] == counts[2.0] == 100
    assert all(300 <= counts[h] <= 500 for h in (3.0, 4.0, 9.0))
    assert paper.baseline in paper.truncation.chi


def test_disorder_is_shared_by_couplings_and_by_nothing_else(study, tiny, tmp_path):
    few = replace(tiny.sizes[0], n=(3, 4), h=(1.0, 2.0))
    study["ensemble"].data((few,), tmp_path, 0)
    seeds = collect(tmp_path / "correlated_field-weight=1_exact")["seed"].transpose("eps", ...).values
    assert (seeds == seeds[0]).all()
    assert len(np.unique(seeds[0])) == seeds[0].size


def test_a_pool_gives_the_same_numbers(study, tiny, tmp_path):
    ensemble = study["ensemble"]
    here, there = (ensemble.data(tiny.sizes, tmp_path / str(workers), workers) for workers in (0, 1))
    xr.testing.assert_equal(here.drop_vars("cpu_seconds"), there.drop_vars("cpu_seconds"))


def test_failed_points_are_kept_counted_and_left_out(study, tiny, tmp_path, monkeypatch):
    ensemble, analysis = study["ensemble"], study["analysis"]
    few = replace(tiny.sizes[0], n=(4,), realizations=3)
    solve = ensemble.steady_state

    def fail_once(*arguments, **settings):
        monkeypatch.setattr(ensemble, "steady_state", solve)
        raise NumericalError("lost on purpose")

    monkeypatch.setattr(ensemble, "steady_state", fail_once)
    dataset = ensemble.data((few,), tmp_path, 0)
    assert ensemble.tally(dataset) == "9 points: 1 failed, 8 exact"
    assert analysis.group(dataset, h=2.0)["realization"].values.tolist() == [1, 2]  # gone at every eps


def test_the_analysis_finds_the_exponent_that_was_put_in(study):
    """Every realization has its own amplitude and all have one exponent: z = 1/(2 gamma), however wide the scatter."""
    eps = np.array([0.01, 0.02, 0.05, 0.1, 0.2])
    amplitude = np.random.default_rng(1).uniform(0.1, 0.5, size=(20, 1))
    data = xr.Dataset(
        {
            "variance": (("realization", "eps"), (amplitude * eps**0.125) ** 2),
            "mean": (("realization", "eps"), np.ones((20, 5))),
        },
        coords={"eps": eps, "realization": np.arange(20)},
    )
    law, gamma = study["analysis"].power_law_of(data, 0.1)
    z = study["analysis"].DynamicalExponent.of(gamma)
    np.testing.assert_allclose([law.exponent, z.value, z.low, z.high], [0.125, 4, 4, 4], rtol=1e-6)
    assert study["analysis"].growing(data).all()


def test_shifts_are_those_of_the_same_realizations(study):
    """Two decades with exponents of their own: the change is exact where one amplitude scatters over all couplings."""
    eps = np.array([0.001, 0.003, 0.01, 0.03, 0.1])
    bent = np.where(eps < 0.01, (eps / 0.01) ** 0.05, (eps / 0.01) ** 0.2)
    amplitude = np.random.default_rng(2).uniform(0.1, 0.5, size=(20, 1))
    coordinates = {"eps": eps, "realization": np.arange(20)}
    points = {"variance": (amplitude * bent) ** 2, "mean": np.ones((20, 5))}
    data = xr.Dataset({k: (("realization", "eps"), v) for k, v in points.items()}, coords=coordinates)
    change = study["analysis"].change_of_exponent(data, (0.01, 0.1), (0.001, 0.01))
    np.testing.assert_allclose([change.value, change.error], [-0.15, 0], atol=1e-6)


def test_the_crossing_of_p_moves_by_what_the_realizations_say(study):
    """P falls from 1 to 0 half-way between two h; where the same samples are asked twice nothing moves."""
    h = [1.0, 2.0, 3.0, 4.0]
    rows = [np.arange(40) < 40 * share for share in (1.0, 0.75, 0.25, 0.0)]
    later = [rows[0], rows[0], rows[1], rows[2]]  # the same curve, shifted by one
    shift = study["analysis"].shift_of_crossing
    assert shift(h, rows, rows) == study["analysis"].Resampled(0.0, 0.0)
    moved = shift(h, rows, later)
    assert moved.value == pytest.approx(1.0)
    assert 0 < moved.error < 0.3


@pytest.mark.parametrize("n", [3, 4])
def test_the_limit_of_weak_drive_is_the_exact_solution_up_to_second_order(study, tmp_path, n):
    """What rate equations leave of an exact steady state falls with eps^2 where single levels are resolved."""
    few = study["presets"].Ensemble(n=(n,), h=(2.0,), eps=(1e-4, 1e-3), realizations=2)
    found = study["ensemble"].data((few,), tmp_path, 0).squeeze(["n", "h", "chi"])
    limit = study["levels"].limits((few,), tmp_path, 0).squeeze(["n", "h"])
    for name in ("mean", "variance"):
        left = np.abs(found[name] / limit[f"limit_{name}"] - 1).transpose("eps", "realization").values
        assert (left[0] < 1e-5).all()
        np.testing.assert_allclose(left[1] / left[0], 100, rtol=0.2)
    np.testing.assert_allclose(limit["jumps"], (n - 1) / 2 + n / 4)  # Tr sum L^+ L / 2^n


def test_the_weak_paper_preset_is_the_paper_and_a_decade_below(study):
    paper = study["presets"].PRESETS["paper"]
    for h, count in {1.0: 100, 2.0: 100, 4.0: 400, 9.0: 400}.items():
        here = [e for e in paper.weak if h in e.h]
        assert all((e.n, e.chi, e.realizations) == ((20,), (64,), count) for e in here)
        assert sorted(eps for e in here for eps in e.eps) == sorted((0.001, 0.002, 0.005, *paper.transition[0].eps))
        assert {eps: e.accelerate for e in here for eps in e.eps}.items() >= {(0.001, True), (0.01, True), (0.4, False)}


def test_long_chains_at_weak_coupling_are_accelerated(study, tmp_path, monkeypatch):
    """The paper's way to a small eps on a chain that can be solved exactly too."""
    ensemble = study["ensemble"]
    few = ensemble.Ensemble(n=(3,), h=(2.0,), eps=(0.03,), realizations=1, chi=(8,), tolerance=1e-3, accelerate=True)
    exact = ensemble.data((few,), tmp_path, 0).squeeze()
    monkeypatch.setattr(ensemble, "EXACT_UP_TO", 2)
    monkeypatch.setattr(ensemble, "ACCELERATED", replace(ensemble.ACCELERATED, schedule=(), burst=15.0, block=4))
    found = ensemble.data((few,), tmp_path, 0).squeeze()
    assert [path.name for path in tmp_path.glob("*accelerated*")] == [
        "correlated_field-weight=1_accelerated_tol=0.001_to=30"
    ]
    assert study["levels"].limits((few,), tmp_path, 0).data_vars == {}
    assert ensemble.STATES[int(found["status"])] == "converged"
    np.testing.assert_allclose(found["mean"], exact["mean"], rtol=5e-3)


def test_whole_fields_read_a_thermal_state_as_one_temperature_and_half_fields_do_not(study, tmp_path):
    """To first order in beta a bond of exp(-beta H)/Z holds its exchange and its fields, and nothing else."""
    levels, choices = study["levels"], study["presets"].Ensemble(n=(4,), h=(2.0,), eps=(0.1,), realizations=2)
    model = study["ensemble"].MODEL
    for weight, vanishes in ((1.0, True), (0.5, False)):
        chain = draw(find(model)(n=4, h=2.0, field_weight=weight), 5)
        energies, vectors = np.linalg.eigh(levels.hamiltonian(chain.problem()))
        hot, cool = (
            float(chain.observables()["beta_variation"](levels.Mixture(softmax(-b * energies), vectors)))
            for b in (1e-3, 1e-2)
        )
        assert hot < 0.01 if vanishes else hot > 0.05
        np.testing.assert_allclose(hot / cool, 0.1 if vanishes else 1, rtol=0.1)
        read = levels.thermal(replace(choices, field_weight=weight), tmp_path, 0)
        assert np.isfinite(read["thermal_mean"]).all()


def test_calibrated_thermometers_agree_in_equilibrium(study, tmp_path):
    """At the temperature they are calibrated at exactly, near it to first order in the distance."""
    levels = study["levels"]
    chain = draw(find(study["ensemble"].MODEL)(n=4, h=2.0), 5)
    energies, vectors = np.linalg.eigh(levels.hamiltonian(chain.problem()))
    there, near, far = (
        xr.DataArray(chain.observables()["beta"](levels.Mixture(softmax(-b * energies), vectors)), dims="bond")
        for b in (0.3, 0.29, 0.28)
    )
    np.testing.assert_allclose(levels.agreeing(there, there), float(there.mean()), rtol=1e-12)
    left = [float(levels.agreeing(beta, there).std()) for beta in (near, far)]
    assert left[0] < 0.1 * float(near.std())
    np.testing.assert_allclose(left[1] / left[0], 2, rtol=0.1)
    few = study["presets"].Ensemble(n=(4,), h=(2.0,), eps=(0.1, 0.2), realizations=2)
    raw, read = study["ensemble"].data((few,), tmp_path, 0), levels.calibrated((few,), tmp_path, 0)
    assert read["calibrated_mean"].transpose(*raw["mean"].dims).shape == raw["mean"].shape
    np.testing.assert_allclose(read["calibrated_mean"] / raw["mean"], 1, atol=0.1)


def test_one_sided_jumps_warm_the_ends_alone(study):
    """What the jumps make of the identity, sum_k [L_k, L_k^+], is (S^z_1 - S^z_N) / 2; others warm all bonds alike."""
    made = {}
    for drive in ("one-sided", "literal", "correlated", "singlet"):
        chain = draw(find(study["ensemble"].MODEL)(n=4, drive=drive, eps=1.0), 1).problem()
        jumps = [
            np.sqrt(jump.rate) * jump.operator.matrix(range(4), dict.fromkeys(range(4), 2)) for jump in chain.jumps
        ]
        made[drive] = sum(jump @ jump.conj().T - jump.conj().T @ jump for jump in jumps)
    ends = (s.Sz(0) - s.Sz(3)).matrix(range(4), dict.fromkeys(range(4), 2)) / 2
    np.testing.assert_allclose(made["one-sided"], ends, atol=1e-12)
    np.testing.assert_allclose(made["literal"], 0, atol=1e-12)
    for drive in ("correlated", "singlet"):
        for i in range(3):
            exchange = (s.Sx(i) * s.Sx(i + 1) + s.Sy(i) * s.Sy(i + 1) + s.Sz(i) * s.Sz(i + 1)).matrix(
                range(4), dict.fromkeys(range(4), 2)
            )
            np.testing.assert_allclose(np.trace(exchange @ made[drive]) / 16, -1 / 4, atol=1e-12)


def test_drives_are_compared_realization_by_realization(study):
    """Samples whose scatter the two drives share: ratio and difference of exponents are exact, as is the crossing."""
    eps, h = np.array([0.001, 0.002, 0.01, 0.02]), np.array([1.0, 2.0, 3.0])
    amplitude = np.random.default_rng(3).uniform(0.1, 0.5, size=20)
    exponents = np.where(np.arange(20)[:, None] < [20, 13, 4], 0.2, -0.2)  # (realization, h): the share that grows
    own = amplitude[:, None, None] * eps ** exponents[..., None]  # (realization, h, eps)
    parts = [
        xr.Dataset(
            {
                "variance": (("realization", "h", "eps"), (scale * own * eps**more) ** 2),
                "mean": (("realization", "h", "eps"), np.full_like(own, scale)),
            }
        )
        for scale, more in ((1.0, 0.0), (2.0, 0.05))
    ]
    drives = study["figure_drives"]
    dataset = xr.concat(parts, dim="drive").expand_dims(n=[7], chi=[0])
    dataset = dataset.assign_coords(eps=eps, h=h, drive=list(drives.DRIVES), realization=np.arange(20))
    both = drives.at(dataset, 7, 1.0)
    change = drives.ratios(both)
    np.testing.assert_allclose([change.value, change.error], [eps**0.05, np.zeros(4)], atol=1e-12)
    means = drives.ratio_of_means(both)
    np.testing.assert_allclose([means.value, means.error], [np.full(4, 2.0), np.zeros(4)], atol=1e-12)
    difference = study["analysis"].difference_of_exponents(*both)
    np.testing.assert_allclose([difference.value, difference.error], [0.05, 0], atol=1e-6)
    critical, shift = drives.crossings(dataset, 7, (0.01, 0.02))
    assert critical[0] == critical[1]
    assert (shift.value, shift.error) == (0, 0)
    assert 2 < critical[0].value < 3
