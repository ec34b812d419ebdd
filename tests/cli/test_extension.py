"""`tnness run` on a record: more time, more bond dimension."""

import json
from pathlib import Path

import numpy as np
import xarray as xr

from command_line import TINY, well


def test_a_steady_state_is_extended_in_place(here):
    with xr.open_dataset("steady.nc") as record:
        time = record.attrs["evolution_time"]
    answer = well("run", "steady.nc", "--chi", 8)
    assert "record: steady.nc" in answer.out
    with xr.open_dataset("steady.nc") as record:
        assert json.loads(record.attrs["settings"])["engine_settings"]["chi"] == 8
        assert record.attrs["evolution_time"] > time
        assert record.attrs["outcome"] == "converged"
    assert not Path("steady.nc.part").exists()


def test_a_steady_state_is_extended_into_another_file(here):
    before = Path("steady.nc").read_bytes()
    well("run", "steady.nc", "--chi", 8, "--out", "pushed.nc")
    assert Path("steady.nc").read_bytes() == before
    with xr.open_dataset("pushed.nc") as record:
        assert json.loads(record.attrs["settings"])["engine_settings"]["chi"] == 8


def test_a_time_evolution_is_extended(here):
    well("run", "evolution.nc", "--time", "1.5,2")
    well("run", *TINY, "--engine", "exact", "--time", "0,0.5,1,1.5,2", "--out", "x.nc")
    with xr.open_dataset("evolution.nc") as record, xr.open_dataset("x.nc") as exact:
        assert record["time"].values.tolist() == [0, 0.5, 1, 1.5, 2]
        np.testing.assert_allclose(record["density"], exact["density"], atol=1e-3)


def test_a_time_evolution_starts_from_a_steady_state(here):
    well("run", "steady.nc", "--time", "1,2", "--out", "after.nc")
    with xr.open_dataset("after.nc") as record, xr.open_dataset("steady.nc") as steady:
        assert record["time"].values.tolist() == [1, 2]
        np.testing.assert_allclose(record["density"].values, np.tile(steady["density"], (2, 1)), atol=5e-3)
