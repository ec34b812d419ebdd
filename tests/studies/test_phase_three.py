"""The study of phase III, end to end on the shortest chains."""

import importlib.util
import math
import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from study_modules import STUDIES, modules_of
from tnness import TEBD, evolve, find


@pytest.fixture(scope="module")
def study():
    with modules_of("phase_three") as found:
        yield found


@pytest.fixture(scope="module")
def tiny(study):
    presets, points = study["presets"], study["points"]
    return presets.Preset(
        name="tiny",
        sizes=(points.Sizes(gates=(presets.HALF, (0.25, 0.75)), chi={2: 0, 4: 0, 5: 16}),),
        chis=tuple(presets.at(5, chi) for chi in (8, 16)),
        steps=tuple(presets.at(5, 16, dt=dt) for dt in (1.2, 1.6)),
        deltas=tuple(presets.at(3, 0, delta=delta) for delta in (0.05, 0.4)),
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


def test_sizes(study, tiny, store):
    module = study["figure_sizes"]
    dataset = module.data(tiny, store).assign_attrs(preset="tiny")
    assert set(dataset["outcome"].values.tolist()) <= {"exact", "converged"} | {
        o for o in dataset["outcome"].values.tolist() if "raise" in o or "lower" in o
    }
    four = module.group(dataset, 0.5, 0.5).isel(point=1)
    assert_allclose([four["deviation"], four["information"]], [0.8550, 0.2033], atol=5e-5)
    assert "L -> infinity" in module.report(dataset)
    figure = module.draw(dataset)
    assert isinstance(figure, Figure)


def test_convergence(study, tiny, store, monkeypatch):
    module = study["figure_convergence"]
    monkeypatch.setattr(module, "LENGTH", 4)
    monkeypatch.setattr(module, "COUNT", 3)
    dataset = module.data(tiny, store).assign_attrs(preset="tiny")
    small = dataset.isel(point=np.flatnonzero((dataset["varied"] == "delta") & (dataset["value"] < 0.1)))
    assert_allclose(small["information"], small["reference"], rtol=2e-2)  # corrections are 4 delta^2
    assert isinstance(module.draw(dataset), Figure)


def test_limits_are_recovered_from_their_own_form(study):
    n = np.array([12.0, 16, 20, 28, 40])
    assert_allclose(study["theory"].limit(n, 1.5 - 3 / n), [1.5, -3], rtol=1e-12)
    assert_allclose(study["theory"].limit(n, 1.5 - 3 / n + 2 / n**2, (1.0, 2.0)), [1.5, -3, 2], rtol=1e-9)


def test_claims_are_the_papers(study):
    deviation, information = study["theory"].claimed(np.array([4.0, 10.0]), 0.5, 0.5)
    assert_allclose(deviation, [2.658, 1.063], atol=1e-3)
    assert_allclose(information, [0.3062, 0.0490], atol=1e-4)


def test_a_pair_spreads_and_keeps_its_weight(study):
    module = study["figure_front"]
    times = np.array([0.0, 0.4, 0.8])
    shares = module.spread(8, 0.5, 0.5, times, chi=64)
    assert_allclose(shares[:, -1], 1, atol=0.02)  # what has left through the ends
    assert_allclose(shares[0], [0, 0, 0, 0, 0, 1, 1, 1, 1], atol=1e-12)
    _, _, ends = module.speed(times, shares)
    assert ends[0] == pytest.approx(4.5, abs=1e-9)


def test_the_speed_is_read_before_the_ends_are_reached(study):
    module = study["figure_front"]
    times, places = np.linspace(0, 24, 21), np.arange(25) - 12.5
    end = (places - 0.4 * times[:, None]) / np.sqrt(0.1 + 0.8 * times[:, None])
    shares = study["theory"].ndtr(end)  # what has passed the last site is lost
    shares[:, 0] = 0
    speed, diffusivity, ends = module.speed(times, shares)
    assert speed == pytest.approx(0.4, abs=0.01)
    assert diffusivity == pytest.approx(0.4, abs=0.02)
    assert np.polyfit(times[10:], ends[10:], 1)[0] < 0.3  # what the later times would say


def test_the_rate_of_emission_is_the_chains(study):
    for n in (4, 6):
        chain = find("replica-abc")(n=n, order="second")
        grown = evolve(chain, [0.02, 0.04], engine=TEBD(chi=64, dt=0.02), initial="identity").dataset
        first, second = grown["entropy_deviation"].values / [0.02, 0.04]
        assert 2 * first - second == pytest.approx(study["theory"].emitted(n).sum(), rel=2e-3)


def test_escape_ends_at_the_law_of_long_chains(study):
    deviation, information = study["theory"].escaping(1200, 0.4, 0.4)
    assert deviation == pytest.approx(1 / 0.8, rel=0.01)
    assert information == pytest.approx(1 / 1.6, rel=0.01)


def test_a_walk_is_absorbed(study):
    time = np.array([0.5, 4.0, 30.0])
    within = study["theory"].within
    free = within(np.array(2.0), np.array(60.0), time, 0.3, 0.5)  # the end is far
    assert_allclose(free, study["theory"].ndtr((2 - 0.3 * time) / np.sqrt(time)), rtol=1e-9)
    rng = np.random.default_rng(7)
    steps = 0.3 * 0.01 + np.sqrt(0.01) * rng.normal(size=(20_000, 400))
    paths = np.cumsum(steps, axis=1)
    stays = (paths < 3).all(axis=1)
    met = within(np.array(3.0), np.array(3.0), np.array(4.0), 0.3, 0.5)
    assert stays.mean() == pytest.approx(met, abs=0.03)  # steps of 0.01 overlook some crossings


def test_forms_are_told_apart_where_the_data_do(study):
    module = study["comparison"]
    n = np.array([12.0, 16, 20, 28, 40])
    values = 1.3 - 2 / n
    precise = module.fitted(n, values, np.full(5, 1e-4))
    weight = module.weights(np.array([fit.akaike for fit in precise]))
    best = precise[int(np.argmax(weight))]
    assert best.form.name == "1/L"
    assert best.limit == pytest.approx((1.3, 0.0), abs=1e-3)
    assert weight[precise.index(module.named(precise, "L^(-1/2)"))] < 1e-6
    mean, error = module.averaged_limit(precise, weight)
    assert abs(mean - 1.3) < error < 0.01
    rough = module.fitted(n, values, np.full(5, 0.1))
    assert module.weights(np.array([fit.akaike for fit in rough])).max() < 0.5  # nothing is decided


def test_the_limits_are_compared(study):
    module = study["figure_limits"]
    sizes = module.group(module.tables("sizes", "paper"), 0.5, 0.5)
    short = sizes.isel(point=np.flatnonzero(sizes["n"] >= 8))
    table = module.compared(short, module.tables("front", "quick"), {20: (1.0, 0.5)}).assign_attrs(preset="paper")
    assert_allclose(table["akaike_weight"].sum("form"), 1)
    assert float(table["change"].sel(quantity="deviation", n=20)) == pytest.approx(1 - 1.238426, abs=1e-5)
    spread = table["decided"].sel(what="error of the averaged limit")
    assert (spread.diff("plan") < 0).all()  # more lengths say more
    assert isinstance(module.draw(table), Figure)
    assert "were it 1/L" in module.tell(table)


def test_a_prediction_has_the_error_of_its_parameters(study):
    module = study["comparison"]
    n = np.array([10.0, 20.0, 40.0])
    fit = module.named(module.fitted(n, 1 - 1 / n, np.full(3, 0.01)), "1/L")
    at = np.array([10.0, 100.0])
    design = np.stack([np.ones(2), 1 / at])
    value, error = fit.predicted(at)
    assert_allclose(value, 1 - 1 / at, atol=1e-7)
    assert_allclose(error, np.sqrt(np.einsum("kn,kl,ln->n", design, fit.covariance, design)), rtol=1e-5)


def test_the_manuscript_uses_the_numbers_that_are_written(study, tmp_path):
    assert "theory" in study  # which the macros import
    folder = STUDIES / "phase_three" / "manuscript"
    spec = importlib.util.spec_from_file_location("macros", folder / "macros.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.write(tmp_path / "numbers.tex")
    written = (tmp_path / "numbers.tex").read_text()
    assert "nan" not in written
    text = (folder / "phase_three.tex").read_text()
    defined = set(re.findall(r"\\newcommand\{\\(\w+)\}", written))
    local = set(re.findall(r"\\newcommand\{\\(\w+)\}", text))
    used = set(re.findall(r"\\([A-Z][A-Za-z]+)", text))
    assert defined - used == set()
    assert used - defined - local - {"Bigl", "Bigr", "Delta"} == set()


def test_a_scan_of_fronts(study, tmp_path):
    module = study["figure_scan"]
    few = module.Scan(gates=((0.5, 0.5), (0.2, 0.5)), n=22, end=10.0, chis=(12, 16), absorbed=(4, 6), late=2.0)
    tables = {part: table.assign_attrs(preset="tiny") for part, table in module.data(few, tmp_path).items()}
    left = tables["ends"]["left"]
    assert_allclose(left.isel(clock=0), 1)
    assert (left.isel(clock=-1) < 0.8).all()
    assert float(tables["fronts"]["speed"].isel(chi=1, gates=0)) == pytest.approx(0.4, abs=0.1)
    assert isinstance(module.draw(tables), Figure)
    assert "power of p1" in module.tell(tables)


def test_speeds_are_read_while_no_string_is_lost(study):
    """Strings that move at 0.4 and spread with 0.3, and whose fastest are lost at the end of the chain."""
    times, ends = np.linspace(0, 40, 41), np.arange(0.5, 25.0)
    z = (ends - 12 - 0.4 * times[:, None]) / np.sqrt(2 * 0.3 * np.maximum(times[:, None], 1e-9))
    shares = 0.5 * (1 + np.vectorize(math.erf)(z / np.sqrt(2)))
    speed, diffusivity = study["figure_scan"].speeds(times, np.hstack([shares[:, :24], shares[:, 23:24]]))
    assert speed == pytest.approx(0.4, rel=0.03)
    assert diffusivity == pytest.approx(0.3, rel=0.1)
