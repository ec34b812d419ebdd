"""The studies on transfer chains, end to end on the smallest systems, and their laws against closed forms."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from study_modules import modules_of
from tnness import find, steady_state
from tnness.engines.transfer import Transfer
from tnness.model.protocol import draw
from tnness.study.collect import collect
from tnness.study.scripts import save
from tnness_models.thermal_network import ThermalNetwork


@pytest.fixture
def griffiths():
    with modules_of("griffiths") as found:
        yield found


def test_griffiths_figures(griffiths, tmp_path):
    ensemble = griffiths["presets"].Ensemble
    griffiths["networks"].LINE, griffiths["networks"].SQUARE, griffiths["networks"].MODES = 100, 200, 1
    few = {"alpha": (0.5, 1.5), "eps": (1e-5, 1e-4, 1e-3, 1e-2), "realizations": 2}
    tiny = replace(
        griffiths["presets"].PRESETS["quick"],
        thermal=(ensemble(n=30, **few), ensemble(n=1000, **few)),
        plane=(ensemble(n=4, **few), ensemble(n=6, **few)),
        charge=ensemble(n=20, **few),
        charge_plane=ensemble(n=5, **few),
        spreading=ensemble(n=1000, alpha=(1.5,), eps=tuple(np.geomspace(1, 1e4, 9)), realizations=2),
    )
    for number in (1, 4, 5, 6, 7):
        module = griffiths[f"figure_{number}"]
        data = module.data(tiny, tmp_path / "runs", 0).assign_attrs(preset="quick")
        figure = module.draw(data)
        assert isinstance(figure, Figure)
        save(figure, {"": data}, tmp_path / f"figure_{number}_quick")
    assert len(list(tmp_path.glob("*.png"))) == len(list(tmp_path.glob("*.nc"))) == 5


def test_griffiths_lines(griffiths):
    analysis = griffiths["analysis"]
    assert analysis.suggested_z(0.5) == 3
    assert analysis.suggested_z(1.0) == analysis.suggested_z(4.0) == 2
    eps = np.array([1e-6])
    # int dk / (2 pi) (D k^2 + eps)^-2 = 1 / (4 sqrt(D) eps^(3/2)) for small eps
    conductivity = 5 * 0.5 / (np.e * 1.5)
    expected = np.sqrt(2 * 0.05**2 / 3 * eps**2 / (4 * np.sqrt(conductivity) * eps**1.5)) / 2
    np.testing.assert_allclose(analysis.diffusive_variation(1.5, eps), expected, rtol=1e-3)
    # alpha > 1 and eps -> 0: <1/G> = e alpha / (gamma (alpha - 1))
    np.testing.assert_allclose(analysis.mean_current(3.0, np.array([1e-12])), 0.1 * 5 * 2 / (3 * np.e), rtol=1e-4)


def test_griffiths_realizations_fill_several_points(griffiths, tmp_path):
    networks = griffiths["networks"]
    networks.LINE = 20  # two networks of ten islands in a point
    ensemble = griffiths["presets"].Ensemble(n=10, alpha=(0.5, 1.0), eps=(1e-2,), realizations=3)
    found = networks.thermal(ensemble, tmp_path, 0)["mean"]
    assert found.dims == ("alpha", "eps", "realization")
    assert len(np.unique(found)) == found.size == 6
    more = networks.thermal(replace(ensemble, realizations=5), tmp_path, 0)["mean"]
    np.testing.assert_array_equal(more[..., :3], found)


def test_griffiths_networks_are_those_of_the_models(griffiths, tmp_path):
    """One network of a point against the model's own record of the same numbers."""
    networks = griffiths["networks"]
    networks.LINE = networks.SQUARE = 1
    for dim in (1, 2):
        ensemble = griffiths["presets"].Ensemble(n=5, alpha=(0.5,), eps=(1e-2,), realizations=1)
        found = networks.thermal(ensemble, tmp_path, 0, dim)
        seed = int(collect(tmp_path / f"thermal-network_n=5_dim={dim}")["seed"][0, 0, 0])
        model = ThermalNetwork(n=5, dim=dim, alpha=0.5, eps=1e-2)
        record = steady_state(model, seed=seed)
        assert float(found["mean"][0, 0, 0]) == pytest.approx(float(record.dataset["temperature_mean"]))
        assert float(found["variance"][0, 0, 0]) == pytest.approx(float(record.dataset["temperature_variance"]))


def test_transition_figures(tmp_path):
    with modules_of("anderson_transition") as study:
        tiny = replace(
            study["presets"].PRESETS["quick"],
            sizes={2: 4, 3: 4},
            disorder=(10.0, 21.0),
            scaling_sizes={4: 2},
            scaling_disorder=(10.0, 26.0),
        )
        rows = study["samples"].coherence(tiny, tmp_path, 0)
        data = study["figure_2a"].averages(rows, tiny).assign_attrs(preset="quick")
        assert isinstance(study["figure_2a"].draw(data), Figure)
        assert {float(row["certificate_quadrature"].max()) < 1e-5 for row in rows.values()} == {True}
        data = study["figure_2b"].data(tiny, tmp_path, 0).assign_attrs(preset="quick")
        assert isinstance(study["figure_2b"].draw(data), Figure)


def test_entanglement_across_the_transition(tmp_path):
    with modules_of("anderson_transition") as study:
        tiny = replace(
            study["presets"].PRESETS["quick"],
            entanglement={2: 3, 4: 2},
            entanglement_biases=(0.05, 1.0),
            disorder=(10.0,),
        )
        figure = study["figure_entanglement"]
        data = figure.data(tiny, tmp_path, 0).assign_attrs(preset="quick")
        value = data["mean"].sel(stat="value")
        assert (value.sel(quantity="mutual_information_bound") < value.sel(quantity="mutual_information")).all()
        assert (
            value.sel(quantity="mutual_coherence", bias=1.0) > value.sel(quantity="mutual_coherence", bias=0.05)
        ).all()
        growth = np.log(value.isel(size=1) / value.isel(size=0)) / np.log(2)
        np.testing.assert_allclose(data["exponent"].sel(stat="value"), growth.transpose(*growth.dims), rtol=1e-6)
        assert isinstance(figure.draw(data), Figure)
        assert "power" in figure.tell(data)


def test_transition_profile_figure():
    with modules_of("anderson_transition") as study:
        tiny = replace(study["presets"].PRESETS["quick"], sizes={8: 40}, disorder=(10.0, 16.5))
        x = (np.arange(8) + 0.5) / 8
        noise = np.random.default_rng(0).normal(size=(2, 40, 8))
        rows = {
            (8, w): xr.Dataset({"density": (("a", "b"), 1 - 2 * x + 0.1 * noise[k])})
            for k, w in enumerate(tiny.disorder)
        }
        data = study["figure_1b"].averages(rows, tiny).assign_attrs(preset="quick")
        assert isinstance(study["figure_1b"].draw(data), Figure)


def test_scaling_fit_finds_what_was_put_in(tmp_path):
    with modules_of("anderson_transition") as study:
        figure = study["figure_lyapunov"]
        widths, disorder = np.array([3, 4, 6]), np.array([14.0, 15.0, 16.0, 17.0, 18.0])
        at = tuple(np.meshgrid(disorder, widths.astype(float)))
        ratio = np.exp(figure.law(at, 16.4, 1.5, 0.4, np.log(0.58), -0.6, 0.05))
        data = xr.Dataset(
            {"ratio": (("width", "disorder"), ratio), "ratio_error": (("width", "disorder"), 1e-3 * ratio)},
            {"width": widths, "disorder": disorder},
        )
        found, errors, chi2 = figure.fit(data)
        np.testing.assert_allclose(found, [16.4, 1.5, 0.4, np.log(0.58), -0.6, 0.05], rtol=1e-4)
        assert chi2 < 1e-6
        assert (errors > 0).all()
        shown = data.assign(slices=("width", [1000, 1000, 1000])).assign_attrs(preset="quick")
        assert isinstance(figure.draw(shown), Figure)
        bars = replace(study["presets"].PRESETS["quick"], bars={2: 20_000}, bar_disorder=(16.5,))
        assert (study["samples"].ratios(bars, tmp_path, 0)["ratio_error"] > 0).all()


def test_collapse_finds_what_was_put_in():
    """Points of common disorder are correlated: chi^2 must still have its mean, and 1/nu its error."""
    with modules_of("anderson_transition") as study:
        figure = study["figure_2b"]
        disorder = [10.0, 13.0, 16.5, 19.0, 24.0]
        rng = np.random.default_rng(3)
        chi2, pulls = [], []
        for _ in range(60):
            samples = {}
            for size, count in ((8, 60), (12, 30), (14, 6)):
                exact = figure.curve(
                    (np.array(disorder), np.full(5, float(size))), 0.5, 16.5, np.log(0.02), -0.5, 0.1, 0.0
                )
                common = rng.normal(size=(count, 1))
                samples[size] = exact * (1 + 0.2 * common + 0.2 * rng.normal(size=(count, 5)))
            found = figure.collapses(samples, disorder)
            assert found["fitted"].values.tolist() == [True, True, False]
            nu = found.sel(fit="nu")
            chi2.append(float(nu["chi2"]))
            pulls.append(float((nu["value"] - 0.5)[0] / nu["error"][0]))
            assert float(found["chi2"].sel(fit="printed")) > chi2[-1] - 1e-6
        assert float(nu["freedom"]) == 5
        assert np.mean(chi2) == pytest.approx(5, abs=1.5)  # its own error: sqrt(2 * 5 / 60) and some
        assert 0.6 < np.sqrt(np.mean(np.square(pulls))) < 1.4


def test_slope_is_the_derivative_of_the_coherence(tmp_path):
    with modules_of("anderson_transition") as study:
        tiny = replace(study["presets"].PRESETS["quick"], scaling_sizes={4: 1}, scaling_disorder=(12.0,))
        samples = study["samples"]
        slopes = {}
        for x in (23.95, 24.0, 24.05):
            samples.SLOPE_AT = x
            slopes[x] = samples.slopes(tiny, tmp_path / f"{x}", 0)[4, 12.0]
        numeric = (float(slopes[24.05]["coherence"][0]) - float(slopes[23.95]["coherence"][0])) / 0.1
        assert float(slopes[24.0]["slope"][0]) == pytest.approx(numeric, rel=1e-3)


def test_profiles_solve_their_diffusion_equation():
    with modules_of("anderson_transition") as study:
        figure = study["figure_1b"]
        x = np.linspace(0, 1, 11)
        np.testing.assert_allclose(figure.diffusive(x, 2.0), 2 - 4 * x, atol=1e-12)
        for law in (figure.critical, figure.localised):
            np.testing.assert_allclose(law(x, 1.0, 1e-9), 1 - 2 * x, atol=1e-6)
            np.testing.assert_allclose(law(x, 1.0, 5.0), -law(1 - x, 1.0, 5.0), atol=1e-12)


def test_diffusive_figure(tmp_path):
    with modules_of("anderson_diffusive") as study:
        module = study["figure_8"]
        tiny = module.Preset(name="quick", weight={2: 4, 4: 3}, correlation={2: 3}, detunings=module.grid(20.0, 8))
        assert isinstance(module.draw(module.data(tiny, tmp_path, 0).assign_attrs(preset="quick")), Figure)


def test_cavity_figure(tmp_path):
    with modules_of("cavity") as study:
        module = study["figure"]
        data = module.data(np.array([0.05, 0.1, 0.2, 0.4]), tmp_path, 0).assign_attrs(preset="quick")
        assert (data["error_corrected"] < data["error_printed"]).all()
        assert isinstance(module.draw(data), Figure)


def test_a_wire_and_its_meters(tmp_path):
    """The meters read the imaginary part of G, which a real Hamiltonian has none of in equilibrium.

    In a clean wire whose channels are open all over the window the bias shifts the Fermi sea: no entropy changes.
    """
    with modules_of("anderson_diffusive") as study:
        module = study["figure_wire"]
        module.SIZE = 2
        tiny = module.Preset(name="quick", lengths={6: 2, 10: 2}, disorder=(0.0, 3.0), bias=1.0)
        table = module.data(tiny, tmp_path, 0).assign_attrs(preset="quick")
        value = table.sel(stat="value")
        assert (value["at"].sel(quantity="meters") > 1e-4).all()
        rest = (value["at"] - value["added"]).sel(quantity="meters")
        assert (abs(rest) < 1e-4 * value["at"].sel(quantity="meters")).all()
        added = value["added"].sel(quantity="mutual_information")
        assert (abs(added.sel(disorder=0.0)) < 1e-9).all()
        assert (abs(added.sel(disorder=3.0)) > 1e-3).all()
        assert isinstance(module.draw(table), Figure)
        assert "ballistic" not in module.tell(table)


def test_decays_are_those_of_the_whole_matrix(tmp_path):
    with modules_of("anderson_transition") as study:
        module = study["figure_decay"]
        model = find("anderson-wire")(size=4, disorder=8.0)
        engine = Transfer()
        found = module.decay(SimpleNamespace(model=model, seed=3, engine=engine))
        states = engine.view(draw(model, 3).problem()).states(0.0)
        parts = [side.reshape(64, -1).conj() @ side.reshape(64, -1).T for side in (states.left, states.right)]
        q = ((parts[0] - parts[1]) / 2).reshape(4, 16, 4, 16)
        whole = {r: [np.mean([abs(q[x, i, x + r, i]) ** 2 for i in range(16)]) for x in range(4 - r)] for r in (1, 3)}
        assert found["c3"] == pytest.approx(whole[3][0])
        assert found["c1"] == pytest.approx(whole[1][1])
        assert module.half(np.interp(module.DETUNINGS, [0, 2, 4], [1, 0.6, 0.2])) == pytest.approx(2.5, rel=0.02)
        tiny = module.Preset(name="quick", disorder=(8.0, 30.0), decay={3: 3, 4: 2}, energies={2: 4, 4: 3})
        tables = {part: table.assign_attrs(preset="quick") for part, table in module.data(tiny, tmp_path, 0).items()}
        assert isinstance(module.draw(tables), Figure)
        assert "Thouless" in module.tell(tables)
