"""The record: what is written comes back bit for bit, or not at all."""

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_array_equal

from small_runs import QUICK, Pumped, assert_same_numbers
from tnness import TEBD, Record, evolve, expectation, find, steady_state
from tnness import spin_half as s
from tnness.engines.protocol import Snapshot
from tnness.errors import RecordError
from tnness.records.files import require_folder
from tnness.records.record import FORMAT, part_path


@pytest.fixture(scope="module")
def steady():
    return steady_state(Pumped(), engine=QUICK)


@pytest.fixture(scope="module")
def evolution():
    return evolve(Pumped(), [0.0, 0.5, 1.5], engine=QUICK)


@pytest.fixture(scope="module")
def exact():
    return steady_state(Pumped(), engine="exact")


@pytest.mark.parametrize("kind", ["steady", "evolution", "exact"])
def test_round_trip_is_bit_for_bit(kind, request, tmp_path):
    record = request.getfixturevalue(kind)
    record.save(tmp_path / "r.nc")
    found = Record.open(tmp_path / "r.nc")
    assert_same_numbers(record, found)
    assert found.settings == record.settings
    assert found.certificate.estimates.keys() == record.certificate.estimates.keys()
    for kind, errors in record.certificate.estimates.items():
        assert found.certificate.estimates[kind].keys() == errors.keys()
        for name, error in errors.items():
            assert_array_equal(found.certificate.estimates[kind][name], error)
    np.testing.assert_equal(found.certificate.figures(), record.certificate.figures())
    assert found.state.bond_dimensions == record.state.bond_dimensions
    assert_array_equal(found.state.dense(), record.state.dense())
    assert list(tmp_path.iterdir()) == [tmp_path / "r.nc"]  # nothing is left beside it


def test_single_precision_stays_single(tmp_path):
    record = steady_state(Pumped(), engine=replace(QUICK, dtype="float32"), tolerance=1e-2, out=tmp_path / "r.nc")
    found = Record.open(tmp_path / "r.nc")
    tensors = [array for name, array in found.snapshot.arrays.items() if name.startswith("tensor_")]
    assert {tensor.dtype for tensor in tensors} == {np.dtype(np.float32)}
    assert found.state.dtype == np.float64
    assert_same_numbers(record, found)


def test_odd_numbers_survive(steady, tmp_path):
    """NaN, infinities, signed zeros, the smallest numbers; empty and scalar arrays."""
    odd = np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324, 1.7e308])
    single = np.array([np.nan, np.inf, -0.0, 1e-45, 3e38], np.float32)
    dataset = steady.dataset.assign(odd=("entry", odd))
    arrays = {"odd": odd, "single": single, "scalar": np.array(1.5), "empty": np.empty((0, 3))}
    Record(dataset, Snapshot(arrays, {"time": np.inf, "gap": np.nan, "steps": 3})).save(tmp_path / "r.nc")
    found = Record.open(tmp_path / "r.nc")
    assert found["odd"].values.tobytes() == odd.tobytes()
    for name, array in arrays.items():
        assert found.snapshot.arrays[name].dtype == array.dtype
        assert_array_equal(found.snapshot.arrays[name], array, strict=True)
    assert found.snapshot.numbers["time"] == np.inf
    assert np.isnan(found.snapshot.numbers["gap"])


def test_opens_with_xarray(steady, evolution, tmp_path):
    steady.save(tmp_path / "s.nc")
    evolution.save(tmp_path / "e.nc")
    with xr.open_dataset(tmp_path / "s.nc") as found:
        assert found["z"].dims == ("site",)
        assert_array_equal(found["site"], [0, 1, 2])
        assert found["entanglement"].dims == ("cut",)
        assert_array_equal(found["cut"], [1, 2])
        assert found["energy"].ndim == 0
        assert found["energy"].attrs["units"] == "J"
        assert found["z"].attrs["long_name"] == "<Z_i>"
        assert found["z_error"].dims == ("site",)
        assert_array_equal(found["z_error"], steady.certificate.errors["z"])
        assert (found["z_error"] > 0).all()
        assert found["certificate_residual"].ndim == 0
        assert found.attrs["outcome"] == steady.outcome
    with xr.open_dataset(tmp_path / "e.nc") as found:
        assert found["z"].dims == ("time", "site")
        assert_array_equal(found["time"], [0.0, 0.5, 1.5])


def test_attributes_repeat_the_run(tmp_path):
    model = find("mbl-heisenberg")(n=3)
    record = steady_state(model, engine=QUICK, seed=11, tolerance=0.1, max_time=2.0, out=tmp_path / "r.nc")
    attributes = Record.open(tmp_path / "r.nc").dataset.attrs
    assert attributes["format"] == FORMAT
    assert (attributes["model"], attributes["engine"], attributes["seed"]) == ("mbl-heisenberg", "tebd", 11)
    drawn = model.draw(np.random.default_rng(11))
    assert json.loads(attributes["parameters"])["fields_z"] == list(drawn.fields_z)  # to the last bit
    assert json.loads(attributes["versions"]).keys() >= {"python", "tnness", "numpy", "scipy", "xarray"}
    settings = record.settings
    assert settings["engine_settings"]["chi"] == 8
    assert (settings["tolerance"], settings["max_time"], settings["kind"]) == (0.1, 2.0, "steady_state")
    again = steady_state(
        find(settings["model"])(**settings["parameters"]),
        engine=TEBD(**settings["engine_settings"]),
        seed=settings["seed"],
        tolerance=settings["tolerance"],
        max_time=settings["max_time"],
    )
    assert_same_numbers(record, again)


def test_units_of_time_do_not_make_dates(tmp_path):
    class Slow(Pumped):
        def observables(self):
            return {
                "z": expectation([s.Z(0)], "site", unit="seconds"),
                "y": expectation(s.Y(0), unit="days since 2000"),
            }

    record = steady_state(Slow(), engine=QUICK, out=tmp_path / "r.nc")
    found = Record.open(tmp_path / "r.nc")
    assert_same_numbers(record, found)
    assert found["z"].dtype == np.float64


def test_nothing_is_pickled(steady, evolution, tmp_path):
    """Every dataset of the file holds numbers or text: no object that would need unpickling."""
    for record in (steady, evolution):
        record.save(tmp_path / "r.nc")
        with h5py.File(tmp_path / "r.nc") as file:
            kinds = [item.dtype.kind for item in everything(file) if isinstance(item, h5py.Dataset)]
        assert len(kinds) > 8
        assert set(kinds) <= set("fiuS")


def everything(group):
    for item in group.values():
        yield item
        yield from everything(item) if isinstance(item, h5py.Group) else ()


def test_a_stranger_reads_it_without_tnness(steady, tmp_path):
    steady.save(tmp_path / "r.nc")
    code = f"import sys, xarray as xr; d = xr.open_dataset({str(tmp_path / 'r.nc')!r}); print(float(d.z[0])); " + (
        "assert not [m for m in sys.modules if m.startswith('tnness')]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd="/", env={"PATH": os.environ["PATH"]}
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == float(steady["z"][0])


# ---------------------------------------------------------------- files that are no records


def one_line(error):
    return "\n" not in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(RecordError, match="there is no record") as error:
        Record.open(tmp_path / "none.nc")
    assert one_line(error)
    with pytest.raises(RecordError, match="there is no record"):
        Record.open(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not HDF5", b"\x89HDF\r\n\x1a\n", b"CDF\x01" + bytes(40), bytes(5000)])
def test_a_foreign_file(content, tmp_path):
    (tmp_path / "r.nc").write_bytes(content)
    with pytest.raises(RecordError, match=r"r\.nc") as error:
        Record.open(tmp_path / "r.nc")
    assert one_line(error)


def test_someone_elses_dataset(tmp_path):
    xr.Dataset({"z": ("site", np.arange(3.0))}).to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    with pytest.raises(RecordError, match="is not a record of tnness") as error:
        Record.open(tmp_path / "r.nc")
    assert one_line(error)


def test_a_record_of_the_future(steady, tmp_path):
    Record(steady.dataset.assign_attrs(format="tnness-record-9")).save(tmp_path / "r.nc")
    with pytest.raises(RecordError, match="tnness-record-9"):
        Record.open(tmp_path / "r.nc")


@pytest.mark.parametrize("attribute", ["settings", "evolution_time"])
def test_a_record_without_its_attributes(attribute, steady, tmp_path):
    dataset = steady.dataset.copy()
    dataset.attrs = {k: v for k, v in dataset.attrs.items() if k != attribute}
    Record(dataset).save(tmp_path / "r.nc")
    with pytest.raises(RecordError, match="cannot be read as a record"):
        Record.open(tmp_path / "r.nc")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.99])
def test_a_truncated_file(share, steady, tmp_path):
    steady.save(tmp_path / "r.nc")
    whole = (tmp_path / "r.nc").read_bytes()
    (tmp_path / "r.nc").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(RecordError) as error:
        Record.open(tmp_path / "r.nc")
    assert one_line(error)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # h5netcdf, closing what it half opened
@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_file_is_read_or_refused(seed, steady, tmp_path):
    """Bytes overwritten anywhere: a `RecordError`, or a record that still opens; never another error."""
    steady.save(tmp_path / "r.nc")
    whole, rng = bytearray((tmp_path / "r.nc").read_bytes()), np.random.default_rng(seed)
    for _ in range(40):
        start = int(rng.integers(0, len(whole) - 8))
        whole[start : start + 8] = rng.bytes(8)
    (tmp_path / "r.nc").write_bytes(bytes(whole))
    try:
        Record.open(tmp_path / "r.nc")
    except RecordError as error:
        assert "\n" not in str(error)  # noqa: PT017


# ---------------------------------------------------------------- writing


def failing(*arguments, **settings):
    raise OSError(28, "No space left on device")


def test_a_write_that_fails_leaves_the_old_file(steady, evolution, tmp_path, monkeypatch):
    steady.save(tmp_path / "r.nc")
    before = (tmp_path / "r.nc").read_bytes()
    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(RecordError, match="could not be written: No space left"):
        evolution.save(tmp_path / "r.nc")
    assert (tmp_path / "r.nc").read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "r.nc"]


def test_a_rename_that_fails_leaves_the_old_file(steady, tmp_path, monkeypatch):
    (tmp_path / "r.nc").write_bytes(b"old")
    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(RecordError, match="could not be written"):
        steady.save(tmp_path / "r.nc")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("r.nc", b"old")]


def test_permissions_follow_the_umask_and_then_the_file(steady, tmp_path):
    mask = os.umask(0o027)
    try:
        steady.save(tmp_path / "r.nc")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "r.nc").stat().st_mode) == 0o640
    (tmp_path / "r.nc").chmod(0o600)
    steady.save(tmp_path / "r.nc")
    assert stat.S_IMODE((tmp_path / "r.nc").stat().st_mode) == 0o600


def test_a_link_is_followed(steady, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "r.nc").symlink_to(tmp_path / "far" / "r.nc")
    steady.save(tmp_path / "r.nc")
    assert (tmp_path / "r.nc").is_symlink()
    assert Record.open(tmp_path / "far" / "r.nc").outcome == steady.outcome


def test_folders_that_cannot_be_written(steady, tmp_path, monkeypatch):
    with pytest.raises(RecordError, match=r"the output folder .* does not exist"):
        steady.save(tmp_path / "none" / "r.nc")
    with pytest.raises(RecordError, match="is a folder"):
        steady.save(tmp_path)
    require_folder(Path("r.nc"))  # the present folder
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(RecordError, match="cannot be written to"):
        require_folder(tmp_path / "r.nc")


# ---------------------------------------------------------------- what a record says


def test_a_record_without_a_state(steady):
    with pytest.raises(RecordError, match="holds no state"):
        _ = Record(steady.dataset).state


def test_what_it_looks_like(steady):
    assert repr(steady).startswith("Record(Pumped, outcome='")
    assert steady["z"].dims == ("site",)
    assert not steady.unfinished
    assert steady.time > 0


def test_part_path():
    assert part_path("a/b.nc") == Path("a/b.nc.part")
