"""`tnness sweep`, `status`, `collect` and the figures of sweeps, as they are typed."""

import contextlib
import io
import shlex
import sys

import h5py
import pytest
import xarray as xr

from tnness import cli

SWEEP = "mbl-heisenberg -p n=3 --grid h=1,2 --grid eps=0.1,0.2 --independent h --realizations 2"
SWEEP += " --engine exact --workers 0"


def call(folder, command):
    """Call the command line in this process and in a folder: exit status, output, errors."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["tnness", *shlex.split(command)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
    return exit_.value.code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("swept")
    code, out, _ = call(folder, f"sweep {SWEEP} --store s")
    assert code == 0
    assert "8 of 8 points done, 0 failed" in out
    return folder


def test_a_sweep_is_looked_at_collected_and_drawn(swept):
    assert call(swept, "status s")[1].strip() == "8 points: 8 done, 0 running, 0 failed, 0 missing"
    code, out, _ = call(swept, "collect s --out t.nc --overwrite -o beta_variation --no-certificate")
    assert (code, out) == (0, "8 exact\ntable: t.nc\n")
    assert call(swept, "plot t.nc -o beta_variation --x eps --curves h --log xy")[0] == 0
    assert (swept / "t.png").exists()


def test_the_seed_of_a_point_repeats_it(swept):
    call(swept, "collect s --out u.nc")
    with xr.open_dataset(swept / "u.nc") as table:
        point = table.sel(h=2.0, eps=0.2, realization=1)
        seed, value = int(point["seed"]), float(point["beta_variation"])
    code, _, _ = call(swept, f"run mbl-heisenberg -p n=3 -p h=2 -p eps=0.2 --engine exact --seed {seed} --out one.nc")
    assert code == 0
    with xr.open_dataset(swept / "one.nc") as record:
        assert float(record["beta_variation"]) == value
        assert int(record.attrs["seed"]) == seed


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (f"sweep {SWEEP.replace('h=1,2', 'hh=1,2')} --store n", "hh is no parameter of the model"),
        (f"sweep {SWEEP} --grid h=3 --store n", "--grid h is given twice"),
        (f"sweep {SWEEP} --grid n= --store n", "--grid n=: NAME=VALUE,VALUE,... is needed"),
        (f"sweep {SWEEP} --store n --task 2/2", "task 2/2: K/M with K from 0 to M - 1 is needed"),
        (f"sweep {SWEEP} --store n --task a/2", "--task a/2: K/M"),
        (
            f"sweep {SWEEP.replace('--workers 0', '--workers -1')} --store n",
            "workers = -1: 1 to 1000 processes are possible",
        ),
        (f"sweep {SWEEP} --store s -p drive=literal", "holds a sweep with other settings: parameters.drive"),
        (f"sweep {SWEEP} --store n --chi 8", "engine 'exact' has no setting 'chi'"),
        (f"sweep {SWEEP} --store nowhere/there/s --measure no.py:f", "there is no file 'no.py'"),
        (
            f"sweep {SWEEP} --store n --time 0:1:3 --max-time 3",
            "--max-time, --period, --own-period, --adjoint and --watch belong to a steady state",
        ),
        (f"sweep {SWEEP} --store n --time 0:1:3 --watch sz", "--watch belong to a steady state"),
        (f"sweep {SWEEP} --store n --watch szz", "the model has no observable 'szz' (did you mean 'sz'?)"),
        ("sweep cavity --store n --watch transmission", "engine 'transfer' judges nothing"),
        (f"sweep {SWEEP} --store n --set chi", "--set chi: NAME=VALUE is needed"),
        ("status nowhere", "there is no sweep in nowhere"),
        ("collect nowhere --out x.nc", "there is no sweep in nowhere"),
        ("collect s --out nowhere/x.nc", "the output folder nowhere does not exist"),
        ("collect s --out x.nc -o betta", "has a variable 'betta'"),
        ("plot s/sweep.json", "cannot be read as a record"),
    ],
)
def test_sweeps_refuse_bad_input_in_one_line(swept, command, told):
    code, _, error = call(swept, command)
    assert code == 2
    assert told in error
    assert error.count("\n") == 1
    assert not (swept / "n" / "sweep.json").exists()


def test_a_sweep_goes_on_from_its_table_where_the_store_is_gone(swept, tmp_path):
    assert call(swept, "collect s --out whole.nc --overwrite")[0] == 0
    known = shlex.quote(str(swept / "whole.nc"))
    assert call(tmp_path, f"sweep {SWEEP} --store s --known {known}")[0] == 0
    assert all("restored_from" in h5py.File(path).attrs for path in (tmp_path / "s" / "points").rglob("*.nc"))
    code, _, error = call(tmp_path, f"sweep {SWEEP} --store t --seed 5 --known {known}")
    assert code != 0
    assert "is of a sweep with other settings" in error
