"""A sweep goes on from a collected table where its store is gone: what the table holds is not computed again."""

import json
import shutil

import numpy as np
import pytest
import xarray as xr

from noisy_sweeps import GRID, NOISY, run
from tnness.errors import RecordError
from tnness.records.record import Record
from tnness.study.collect import DONE, EXACT, MISSING, collect
from tnness.study.scripts import swept


@pytest.fixture
def table(tmp_path):
    """A collected sweep whose store is gone."""
    run(tmp_path / "old")
    Record(collect(tmp_path / "old")).save(tmp_path / "known.nc")
    shutil.rmtree(tmp_path / "old")
    return tmp_path / "known.nc"


def counted(setting):
    counted.calls += 1
    return {"seed_of_it": float(setting.seed % 1000)}


def test_the_table_of_a_restored_sweep_is_the_one_it_came_from(table, tmp_path):
    assert run(tmp_path / "new", known=table).complete
    xr.testing.assert_identical(
        collect(tmp_path / "new").drop_attrs(deep=False), xr.load_dataset(table).drop_attrs(deep=False)
    )


def test_what_the_table_holds_is_not_computed(tmp_path):
    counted.calls = 0
    run(tmp_path / "old", measure=counted)
    Record(collect(tmp_path / "old")).save(tmp_path / "known.nc")
    assert counted.calls == 8
    summary = run(
        tmp_path / "new", {"gamma": [0.5, 1.0, 2.0], "n": [2, 3]}, 3, measure=counted, known=tmp_path / "known.nc"
    )
    assert summary.complete
    assert counted.calls == 8 + (18 - 8)  # of 3 x 2 x 3 points the table holds 2 x 2 x 2
    found, known = collect(tmp_path / "new"), collect(tmp_path / "old")
    both = found.sel(gamma=known["gamma"], n=known["n"], realization=known["realization"])
    np.testing.assert_array_equal(both["seed_of_it"], known["seed_of_it"])
    np.testing.assert_array_equal(found["seed_of_it"], found["seed"] % 1000)
    assert (found["status"] == DONE).all()


def test_points_that_the_table_lacks_or_has_of_another_seed_are_computed(table, tmp_path):
    known = xr.load_dataset(table)
    known["status"][0, 0, 0] = MISSING
    known["z"][0, 0, 0] = np.nan
    known["seed"][1, 1, 1] += np.uint64(1)
    known["z"][1, 1, 1] = 17.0
    Record(known).save(tmp_path / "part.nc")
    assert run(tmp_path / "new", known=tmp_path / "part.nc").complete
    found = collect(tmp_path / "new")
    assert (found["status"] == EXACT).all()
    np.testing.assert_array_equal(found["z"], xr.load_dataset(table)["z"])


def test_what_the_store_has_is_not_replaced(table, tmp_path):
    run(tmp_path / "new", realizations=1)
    files = {path: path.read_bytes() for path in (tmp_path / "new" / "points").rglob("*.nc")}
    run(tmp_path / "new", known=table)
    assert all(path.read_bytes() == content for path, content in files.items())


def test_tables_of_other_settings_other_physics_or_no_table_are_refused(table, tmp_path):
    with pytest.raises(RecordError, match=r"table .*known.nc is of a sweep with other settings: .*root_seed"):
        run(tmp_path / "seed", known=table, seed=5)
    other = xr.load_dataset(table)
    told = json.loads(other.attrs["reference"]) | {"physics": "something else"}
    Record(other.assign_attrs(reference=json.dumps(told))).save(tmp_path / "other.nc")
    with pytest.raises(RecordError, match=r"other.nc is of other physics: what model .*Noisy"):
        run(tmp_path / "physics", known=tmp_path / "other.nc")
    content = bytearray(table.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "cut.nc").write_bytes(content)
    with pytest.raises(RecordError, match="cannot be read as a table"):
        run(tmp_path / "cut", known=tmp_path / "cut.nc")


def test_a_table_measured_by_other_code_is_refused(tmp_path):
    counted.calls = 0
    run(tmp_path / "old", measure=counted)
    known = collect(tmp_path / "old")
    told = json.loads(known.attrs["reference"])
    told["measure"] = told["measure"][:-1] + ("0" if told["measure"][-1] != "0" else "1")
    Record(known.assign_attrs(reference=json.dumps(told))).save(tmp_path / "known.nc")
    with pytest.raises(RecordError, match="was measured by other code"):
        run(tmp_path / "new", measure=counted, known=tmp_path / "known.nc")


def test_the_script_of_a_study_takes_the_table_with_the_name_of_its_store(table, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    table.rename(folder / "noisy.nc")
    about = {"realizations": 2, "independent": ["n"], "engine": "exact", "known": folder}
    found = swept(NOISY, GRID, tmp_path / "noisy", **about)
    assert (found["status"] == EXACT).all()
    assert all("restored_from" in xr.open_dataset(p).attrs for p in (tmp_path / "noisy" / "points").rglob("*.nc"))
    assert swept(NOISY, GRID, tmp_path / "another", **about)["z"].equals(found["z"])
