"""`tnness modes`, `counting` and `correlation`."""

import numpy as np
import xarray as xr

from command_line import TINY, refused, well


def test_modes_are_a_table_and_a_record(here):
    answer = well("modes", *TINY, "--engine", "exact", "--count", 2, "--out", "modes.nc")
    assert "0.38196601" in answer.out  # 2 (1 - cos pi/5)
    with xr.open_dataset("modes.nc") as record:
        np.testing.assert_allclose(record["rate"].values[0], 2 * (1 - np.cos(np.pi / 5)))


def test_counting_prints_its_cumulants(here):
    answer = well("counting", *TINY, "--engine", "exact", "--counter", "bond:1", "--points", 6, "--out", "counting.nc")
    assert "mean" in answer.out
    with xr.open_dataset("counting.nc") as record:
        np.testing.assert_allclose(record["mean"], 1 / 5, atol=1e-8)
        assert record["theta"].dims == ("field",)


def test_correlation_takes_operators_as_texts(here):
    about = ("--first", "N(1)", "--first", "N(2)", "--second", "N(1)", "--time", "0,1", "--engine", "exact")
    well("correlation", *TINY, *about, "--out", "in_time.nc", "--quiet")
    with xr.open_dataset("in_time.nc") as record:
        assert record["connected_real"].shape == (2, 2, 1)


def test_options_of_states_are_refused(here):
    refused("modes", *TINY, "--time", "1", "--out", "a.nc", told=("modes are those of the chain",))
    refused("correlation", *TINY, "--first", "N(1)", "--second", "N(1)", "--out", "a.nc", told=("needs --time",))


def test_a_question_without_what_it_needs_is_refused(here):
    refused("correlation", *TINY, "--first", "N(1)", "--time", "1", "--out", "a.nc", told=("needs a value for second",))
    refused("sweep", "ssep", "--store", "s", "--grid", "n=2,3", "--count", 2, told=("--question",))
    about = ("--grid", "n=2,3", "--question", "modes", "--time", "1", "--workers", 0)
    refused("sweep", "ssep", "--store", "s", *about, told=("modes are those of the chain",))
    refused("sweep", "ssep", "--store", "s", "--grid", "n=2", "--question", "gaps", told=("no question 'gaps'",))


def test_a_sweep_asks_its_question_at_every_point(here):
    about = ("--grid", "n=2,3,4", "--engine", "exact", "--question", "modes", "--count", 1, "--workers", 0)
    well("sweep", "ssep", "--store", "store", *about)
    well("collect", "store", "--out", "table.nc", "--quiet")
    with xr.open_dataset("table.nc") as table:
        rates = table["rate"].values[:, 0, 0]
    np.testing.assert_allclose(rates, 2 * (1 - np.cos(np.pi / np.arange(3, 6))))
    well("plot", "table.nc", "--out", "table.png")


def test_each_question_has_its_figure(here):
    well("modes", *TINY, "--engine", "exact", "--count", 2, "--out", "modes.nc", "--quiet")
    well("counting", *TINY, "--engine", "exact", "--points", 4, "--out", "counting.nc", "--quiet")
    about = ("--first", "N(1)", "--second", "N(1)", "--second", "N(2)", "--time", "0,1,2", "--engine", "exact")
    well("correlation", *TINY, *about, "--out", "in_time.nc", "--quiet")
    for name in ("modes", "counting", "in_time"):
        well("plot", f"{name}.nc", "--out", f"{name}.png")
