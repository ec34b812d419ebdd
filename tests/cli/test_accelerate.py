"""`--accelerate`, as it is typed."""

import xarray as xr

from command_line import refused, well

CHAIN = ("mbl-heisenberg", "-p", "n=3", "-p", "h=2", "--seed", 3, "--set", "burst=15")
FULL = ("--chi", 4, "--schedule", "", "--tol", 5e-3)


def test_a_run_says_what_its_bursts_did(here):
    shown = well(
        "run",
        *CHAIN,
        "-p",
        "eps=0.03",
        *FULL,
        "--block",
        4,
        "--accelerate",
        "--bracket",
        "--out",
        "fast.nc",
        "--verbose",
    )
    for figure in ("bursts", "jumps", "bracket"):
        assert f"\n  {figure} " in shown.out
    with xr.open_dataset("fast.nc") as record:
        assert record["burst_change"].dims == ("burst",)
        assert float(record["certificate_bursts"]) == record.sizes["burst"]
        assert record["burst_drift"].attrs["long_name"]


def test_a_sweep_takes_it(here):
    grid = ("--grid", "eps=0.1,0.2", "--store", "fast", "--workers", 0)
    well("sweep", *CHAIN, *grid, *FULL, "--accelerate", "--quiet")
    well("collect", "fast", "--out", "table.nc", "-o", "beta_variation", "-o", "burst_jumped")
    with xr.open_dataset("table.nc") as table:
        assert table["beta_variation"].dims[0] == "eps"
        assert (table["burst_jumped"].sum("burst") >= 1).all()


def test_what_cannot_be_accelerated_says_why(here):
    contact = ("run", "contact-process", "-p", "n=4", "--accelerate", "--out", "n.nc")
    refused(*contact, told=("needs a Lindbladian with a Hamiltonian",))
    refused("run", *CHAIN, "--bracket", "--out", "n.nc", told=("engine 'tebd' has no setting 'bracket'",))
    refused("run", *CHAIN, "--accelerate", "--time", "0:1:3", "--out", "n.nc", told=("gives no time evolution",))
