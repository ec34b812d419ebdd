"""`verify`: files and stores are as they were written, or it is said which are not."""

import shutil
from pathlib import Path

import pytest
import xarray as xr

from command_line import call, well
from tnness import Record, collect, steady_state, sweep
from tnness.errors import RecordError
from tnness.model.registry import find
from tnness.study.status import status
from tnness.study.verify import verify

GRID = {"n": [2, 3, 4]}


@pytest.fixture
def store(tmp_path):
    assert sweep("ssep", GRID, store=tmp_path / "s", engine="exact", workers=0).complete
    return tmp_path / "s"


def points(store: Path) -> list[Path]:
    return sorted(store.glob("points/*/*.nc"))


def test_an_intact_store_and_its_table(store, tmp_path):
    assert verify(store).sound
    assert "3 points: 3 intact, 0 damaged, 0 missing" in well("verify", store).out
    well("collect", store, "--out", tmp_path / "t.nc")
    assert "intact (sealed" in well("verify", tmp_path / "t.nc").out
    with xr.open_dataset(tmp_path / "t.nc") as table:
        table.load().to_netcdf(tmp_path / "u.nc", engine="h5netcdf")
    assert "unsealed (it has no seal" in well("verify", tmp_path / "u.nc").out


def test_points_that_were_exchanged_or_copied_are_noticed_and_repaired(store):
    before = collect(store).drop_vars("cpu_seconds")
    first, second, third = points(store)
    content = first.read_bytes()
    shutil.copy(second, first)
    second.write_bytes(content)
    shutil.copy(second, third)
    told = call("verify", store)
    assert told.status == 1
    assert "0 intact, 3 damaged" in told.err
    assert str(status(store)).startswith("3 points: 0 done, 0 running, 0 failed, 0 missing, 3 damaged")
    with pytest.raises(RecordError, match="no point of the sweep"):
        collect(store)
    assert len(sweep("ssep", GRID, store=store, engine="exact", workers=0).damaged) == 3
    xr.testing.assert_identical(collect(store).drop_vars("cpu_seconds"), before)
    assert verify(store).sound


def test_a_point_without_its_seal_is_damaged(store):
    path = points(store)[0]
    content = bytearray(path.read_bytes()[:-72])
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert status(store).damaged == 1
    assert collect(store).attrs["damaged"] == str(path)
    assert not verify(store).sound


def test_a_record(tmp_path):
    path = tmp_path / "r.nc"
    steady_state(find("ssep")(n=2), engine="exact", out=path)
    assert verify(path).sound
    path.write_bytes(path.read_bytes().replace(b"exact", b"exbct"))
    told = call("verify", path)
    assert (told.status, told.out) == (1, "")
    assert "damaged, its checksum does not fit" in told.err
    assert call("verify", tmp_path / "none.nc").status == 2


@pytest.mark.filterwarnings("default:.*is unsealed:tnness.errors.Doubt")
def test_a_table_that_has_lost_its_seal_is_read_and_called_unsealed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sweep("ssep", {"n": [2, 3]}, store="s", engine="exact", workers=0)
    Record(collect("s")).save("t.nc")
    content = Path("t.nc").read_bytes()
    Path("t.nc").write_bytes(content[: content.rfind(b"\ntnness seal ")])
    assert verify("t.nc").text.startswith("t.nc: unsealed")
    for command in (("show", "t.nc"), ("plot", "t.nc", "-o", "density"), ("report", "t.nc", "--out", "t.html")):
        answer = call(*command)
        assert (answer.status, answer.err) == (0, "t.nc is unsealed: nothing shows whether it has changed\n"), command
