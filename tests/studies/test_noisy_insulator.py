"""The figures of the noisy insulator, end to end on the smallest chains."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from study_modules import STUDIES, modules_of
from tnness.study.scripts import save


@pytest.fixture(scope="module")
def study():
    with modules_of("noisy_insulator") as found:
        yield found


@pytest.fixture(scope="module")
def tiny(study):
    """At most eight sites, two realizations, five times."""
    presets = study["presets"]
    few = {"realizations": 2, "noises": 2, "count": 5}
    pair = (
        presets.Curves(n=(8,), disorder=(1.0, 3.0), end=1e3, **few),
        presets.Curves(n=(6, 8), disorder=(1.0,), end=1e3, **few),
    )
    short = (
        presets.Curves(n=(8,), disorder=(1.0, 3.0), end=10.0, **few),
        presets.Curves(n=(6, 8), disorder=(1.0,), end=10.0, **few),
    )
    return presets.Preset(
        name="tiny",
        energy=pair,
        entanglement=short,
        spreading=pair,
        longest=presets.Curves(n=(10,), disorder=(1.0,), realizations=1, end=1e3, count=5),
        hopping_sites=100,
        lengths=(1.0, 2.0),
        both=presets.Curves(n=(6,), disorder=(2.0,), realizations=1, noises=40, end=10.0, count=5),
        interacting=presets.Interacting(
            delta=(0.0, 1.0), disorder=3.0, n_exact=4, n_network=4, realizations=2, noises=1, end=1.0, count=3
        ),
        many=presets.Curves(n=(10,), disorder=(3.0,), end=1e3, **few),
        spacings=(2, 4),
        strengths=presets.Curves(n=(8,), disorder=(3.0,), end=1e3, **few),
        gammas=(0.1, 1.0, 10.0),
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


def named(tables):
    """Tables as a script hands them to its figure."""
    return {part: table.assign_attrs(preset="tiny") for part, table in tables.items()}


@pytest.mark.parametrize("number", [1, 2, 3, 4, 6, 7, 8])
def test_a_figure_is_computed_drawn_and_saved(study, tiny, store, tmp_path, number):
    module = study[f"figure_{number}"]
    tables = module.data(tiny, store, 0)
    assert all(isinstance(table, xr.Dataset) and table.sizes["time"] > 1 for table in tables.values())
    figure = module.draw(named(tables))
    assert isinstance(figure, Figure)
    assert all(path.stat().st_size > 1000 for path in save(figure, tables, tmp_path / f"figure_{number}_tiny"))
    assert len(list(tmp_path.glob("*.nc"))) == len(tables)


def test_noisy_sites_are_evenly_spaced_about_the_middle_and_spread_further(study, tiny, store):
    figure = study["figure_7"]
    assert figure.places(10, 4) == (0, 4, 8)
    assert figure.places(100, 0) == (49,)
    tables = figure.data(tiny, store, 0)
    last = tables["spacing"]["value"].isel(n=0, disorder=0, time=-1)
    assert float(last.sel(spacing=2)) > float(last.sel(spacing=0))


def test_the_delocalisation_time_of_a_known_curve(study):
    """R = 1 + ln t alone; with more noise the same until t = 100 and then as sqrt(t)."""
    times = np.geomspace(1, 1e6, 601)
    alone = 1 + np.log(times)
    more = np.where(times < 100, alone, alone * np.sqrt(times / 100))
    assert_allclose(study["figure_7"].departure(times, more, alone), 100 * 1.5**2, rtol=0.02)
    assert np.isnan(study["figure_7"].departure(times, alone, alone))


def test_samples_and_the_exact_average_agree(study, tiny):
    tables = study["figure_5"].data(tiny, None)
    z = study["figure_5"].deviations(tables["energy"])
    assert float(np.sqrt((z**2).mean())) < 2.5
    assert isinstance(study["figure_5"].draw(named(tables)), Figure)


def test_figures_share_the_runs_that_they_share(study, tiny, store):
    """Figs. 1 and 3 of one preset are two observables of the same evolutions."""
    study["figure_1"].data(tiny, store, 0)
    before = sorted(store.rglob("*.nc"))
    study["figure_3"].data(tiny, store, 0)
    assert [path for path in sorted(store.rglob("*.nc")) if "n=10" not in str(path)] == [
        path for path in before if "n=10" not in str(path)
    ]


def test_what_is_committed_can_be_drawn(study):
    for path in sorted((STUDIES / "noisy_insulator" / "figures").glob("figure_1_quick_*.nc")):
        table = xr.load_dataset(path, engine="h5netcdf")
        assert np.isfinite(table["value"]).all()
        assert (table["value"].isel(time=-1) > table["value"].isel(time=0)).all()


def test_an_evenly_spread_excitation(study):
    """Four sites seen from site 1: distances 1, 0, 1, 2."""
    assert_allclose(study["figure_3"].uniform(4), np.sqrt((1 + 0 + 1 + 4) / 4 / 4))


def test_random_orbitals_come_to_the_known_entropy(study):
    """At half filling ln 2 - 1/2 a site as L grows; a random number of particles takes a little off."""
    value = study["figure_2"].random_gaussian(60, samples=100)
    assert 0.185 < value < np.log(2) - 0.5
