"""The command itself: help, unknown commands, processes."""

import subprocess
import sys

import xarray as xr

from command_line import TINY, assert_one_line, call, contents, refused, well


def process(*arguments: object, **settings) -> subprocess.CompletedProcess[str]:
    """Call the command line in a process of its own."""
    command = [sys.executable, "-m", "tnness.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **settings)


def test_an_unknown_command_and_an_unknown_model_to_show(here):
    refused("rum", told=("rum",))
    refused("show", "sep", told=("did you mean 'ssep'",))
    refused("show", told=("Missing argument",))
    refused("models", "--nmes", told=("--nmes",))


def test_without_a_command_there_is_help():
    answer = call()
    assert answer.status == 2
    for command in ("models", "show", "check", "run", "converge", "plot"):
        assert command in answer.out + answer.err


def test_help_of_every_command():
    for command in ("models", "show", "check", "run", "converge", "plot"):
        assert "--help" in well(command, "--help").out


def test_a_process_that_is_given_bad_input(here):
    before = contents(here)
    done = process("run", "xxz-drivn", "--out", "r.nc", cwd=here)
    assert done.returncode == 2
    assert done.stdout == ""
    assert_one_line(done.stderr)
    assert contents(here) == before


def test_a_process_that_runs(here):
    done = process("run", *TINY, "--chi", "4", "--out", "r.nc", cwd=here)
    assert done.returncode == 0, done.stderr
    assert "outcome: converged" in done.stdout
    assert "record: r.nc" in done.stdout
    assert "Warning" not in done.stderr
    xr.testing.assert_equal(xr.load_dataset("r.nc"), xr.load_dataset("steady.nc"))  # the same numbers, bit for bit


def test_a_reader_that_leaves_early_is_no_error(here):
    command = f"{sys.executable} -m tnness.cli show ssep; echo status $? >&2"
    done = subprocess.run(
        ["bash", "-c", f"( {command} ) | true"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == "status 0\n"
