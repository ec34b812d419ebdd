"""Files of the first format open, plot and collect as ever; to go on from one it has to be accepted."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from command_line import refused, well
from tnness import Accelerated, Changes, Record, RecordError, collect, evolve, extend, find, steady_state, sweep
from tnness.records.old import upgraded

OLD = Path(__file__).parent / "old_files"
XX = find("xx-dephasing")
pytestmark = pytest.mark.filterwarnings("ignore:.*the record was written by tnness:tnness.errors.Doubt")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a copy of every old file."""
    shutil.copytree(OLD, tmp_path, dirs_exist_ok=True)
    Path(tmp_path / "unfinished.saved").rename(tmp_path / "unfinished.nc.part")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["steady", "evolution", "accelerated"])
def test_an_old_record_opens_and_plots(here, name):
    record = Record.open(f"{name}.nc")
    assert record.is_old
    assert record.certificate.outcome
    assert record.state.n == 3
    assert record.used == {}
    well("plot", f"{name}.nc")


def test_old_tables_open_and_plot(here):
    well("plot", "convergence.nc")
    well("plot", "table.nc", "-o", "density")
    table = collect("store")
    with xr.open_dataset("table.nc", engine="h5netcdf") as old:
        assert_allclose(table["current"], old["current"])
    well("status", "store")
    well("collect", "tebd_store", "--out", "new.nc")


def test_an_old_record_is_the_coarse_stage_of_nothing_but_a_state_to_start_from(here):
    old = Record.open("steady.nc")
    record = steady_state(XX(n=3, dephasing=0.5), engine="exact")
    assert_allclose(old["z"], record["z"], atol=5e-2)
    assert evolve(XX(n=3, dephasing=1.0), [0.0, 0.5], engine="exact", initial=old).outcome == "complete"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("steady.nc", ("--chi", 8)), ("evolution.nc", ("--time", "1.5,2")), ("unfinished.nc.part", ())],
)
def test_an_old_file_is_gone_on_from_only_where_it_is_accepted(here, name, arguments):
    refused("run", name, *arguments, "--quiet", told=("earlier format", "--accept-old"))
    well("run", name, *arguments, "--quiet", "--accept-old")
    record = Record.open(name.removesuffix(".part"))
    assert not record.is_old
    assert '"accepted_old": true' in record.dataset.attrs["origin"]
    assert record.outcome.startswith(("complete", "converged", "exact")) or "dominates" in record.outcome


def test_an_old_evolution_goes_on_to_the_numbers_of_one_run(here):
    record = extend("evolution.nc", Changes(times=[1.5]), accept_old=True)
    assert_allclose(record["time"], [0, 0.4, 1.0, 1.5])
    exact = evolve(XX(n=3, dephasing=0.5), [0.0, 0.4, 1.0, 1.5], engine="exact")
    assert_allclose(record["z"], exact["z"], atol=0.05)


def test_an_unfinished_old_run_ends_where_a_new_one_does(here):
    record = extend("unfinished.nc.part", accept_old=True)
    exact = steady_state(XX(n=3, dephasing=0.5), engine="exact")
    assert np.abs(record["z"] - exact["z"]).max() < 5e-2


def test_an_old_accelerated_record_names_the_engine_of_today(here):
    settings = Record.open("accelerated.nc").settings
    assert settings["engine"] == "accelerated"
    assert set(settings["engine_settings"]) <= set(Accelerated.__dataclass_fields__)
    assert settings["engine_settings"]["burst"] == 15.0


def test_an_old_store_takes_more_only_where_it_is_accepted(here):
    before = {path: path.read_bytes() for path in Path("store/points").rglob("*.nc")}
    with pytest.raises(RecordError, match=r"earlier format.*--accept-old"):
        sweep("ssep", {"n": [2, 3, 4]}, store="store", engine="exact", workers=0)
    done = sweep("ssep", {"n": [2, 3, 4]}, store="store", engine="exact", workers=0, accept_old=True)
    assert (done.asked, done.done) == (3, 3)
    assert {path: path.read_bytes() for path in before} == before  # they are not computed again
    assert len(list(Path("store/points").rglob("*.nc"))) == 3
    assert collect("store").sizes["n"] == 3


def test_settings_of_other_engines_are_as_they_were():
    settings = {"engine": "exact", "engine_settings": {"tolerance": 1e-10}}
    assert upgraded(settings) == settings


def test_every_table_of_the_studies_opens():
    tables = sorted((Path(__file__).parents[2] / "studies").glob("*/figures/*.nc"))
    assert len(tables) > 40
    for path in tables:
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False, decode_timedelta=False) as table:
            assert table.sizes
