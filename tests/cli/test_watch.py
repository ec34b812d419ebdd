"""`--watch`, as it is typed."""

import json
from pathlib import Path

import pytest
import xarray as xr

import small_runs
from command_line import refused, well

APART = (f"{small_runs.__file__}:Apart", "--chi", 4, "--initial", "product:010")


def settings(path):
    with xr.open_dataset(path) as record:
        return json.loads(record.attrs["settings"]), record.attrs["evolution_time"], record.attrs["outcome"]


def test_a_run_is_judged_by_what_is_watched_and_then_by_more(here):
    shown = well("run", *APART, "--watch", "fast", "--watch", "energy", "--out", "r.nc")
    assert "\njudged by: energy, fast\noutcome: converged (" in shown.out
    assert "energy" in shown.out.partition("+-")[0]
    (line,) = [line for line in shown.out.splitlines() if line.startswith("  slow ")]
    assert "+-" not in line
    known, early, _ = settings("r.nc")
    assert known["watch"] == ["energy", "fast"]
    shown = well("run", "r.nc", "--model", APART[0], "--watch", "slow", "--out", "s.nc")
    known, late, outcome = settings("s.nc")
    assert (known["watch"], outcome) == (["slow"], "converged")
    assert late > 5 * early
    assert "judged by: slow" in shown.out
    well("run", "r.nc", "--model", APART[0], "--chi", 8, "--quiet")
    assert settings("r.nc")[0]["watch"] == ["energy", "fast"]  # what a record watched stays


def test_without_it_nothing_is_said(here):
    assert "judged by" not in well("run", "steady.nc", "--chi", 8).out


def test_converge_and_sweep_take_it(here):
    model = APART[0]
    shown = well("converge", model, "--chi", "3,4", "--dt", "0.2,0.1", "--watch", "fast", "--out", "c.nc")
    assert "max|fast|" in shown.out
    assert "slow" not in shown.out
    well("sweep", *APART, "--grid", "rate=0.02", "--watch", "fast", "--store", "s", "--workers", 0, "--quiet")
    assert json.loads(Path("s/sweep.json").read_bytes())["watch"] == ["fast"]
    well("collect", "s", "--out", "t.nc", "--quiet")
    with xr.open_dataset("t.nc") as table:
        assert {"fast_error", "slow"} <= set(table.data_vars)
        assert "slow_error" not in table


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("ssep -p n=4 --watch curent --out r.nc", ("no observable 'curent'", "did you mean 'current'")),
        ("ssep -p n=4 --watch k --out r.nc", ("known: current, density",)),
        ("ssep -p n=4 --watch density_correlation --out r.nc", ("does not monitor", "it monitors density, current")),
        ("ssep -p n=4 --watch current --watch x --out r.nc", ("no observable 'x'",)),
        ("ssep -p n=4 --time 0,1 --watch current --out r.nc", ("--watch belong to a steady state",)),
        ("cavity --watch transmission --out r.nc", ("engine 'transfer' judges nothing",)),
        ("xx-dephasing -p n=3 --engine gaussian --watch z --out r.nc", ("engine 'gaussian' judges nothing",)),
        ("steady.nc --watch curent --chi 8", ("did you mean 'current'",)),
        ("evolution.nc --time 2,3 --watch current", ("--watch belong to a steady state",)),
    ],
)
def test_run_refuses_what_cannot_be_watched(here, arguments, told):
    refused("run", *arguments.split(), told=told)


def test_converge_refuses_what_cannot_be_watched(here):
    command = ("converge", "ssep", "-p", "n=4", "--chi", "2,4", "--out", "c.nc")
    refused(*command, "--watch", "curent", told=("did you mean 'current'",))
