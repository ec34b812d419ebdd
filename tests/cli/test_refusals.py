"""`tnness run` with bad input: one line, and every file as it was."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from command_line import TINY, call, refused, well
from crafted import crafted


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("xxz-drivn --out r.nc", ("'xxz-drivn'", "did you mean 'xxz-driven'")),
        ("nothing-like-it --out r.nc", ("known:", "ssep")),
        ("ssep -p rat=1 --out r.nc", ("'rat'", "did you mean 'rate'")),
        ("ssep -p space=quantom --out r.nc", ("quantom", "classical, quantum")),
        ("ssep -p n=four --out r.nc", ("n = 'four'", "an integer")),
        ("ssep -p n=2.5 --out r.nc", ("n = 2.5", "an integer")),
        ("ssep -p n=true --out r.nc", ("an integer",)),
        ("ssep -p n= --out r.nc", ("an integer",)),
        ("ssep -p rate=[1] --out r.nc", ("a number",)),
        ("ssep -p rate=NaN --out r.nc", ("rate = nan", "finite")),
        ("ssep -p rate=nan --out r.nc", ("rate",)),
        ("ssep -p rate=Infinity --out r.nc", ("finite",)),
        ("ssep -p rate=1e999 --out r.nc", ("finite",)),
        ("ssep -p rate=-1 --out r.nc", ("rate = -1",)),
        ("ssep -p n=1 --out r.nc", ("n = 1", "at least 2")),
        ("ssep -p n=0 --out r.nc", ("at least 2",)),
        ("xxz-driven -p mu=2 --out r.nc", ("mu = 2", "between -1 and 1")),
        ("xx-dephasing -p n=3 -p fields=[1,2] --out r.nc", ("fields", "n = 3")),
        ("xx-dephasing -p n=2 -p fields=[1,NaN] --out r.nc", ("fields[1]", "finite")),
        ("xx-dephasing -p n=2 -p fields=[1,[2]] --out r.nc", ("fields[1]", "a number")),
        ("xx-dephasing -p n=2 -p fields=1,2 --out r.nc", ("fields",)),
        ("mbl-heisenberg -p n=3 -p fields_z=[0.1,0.2] --out r.nc", ("fields_z", "n = 3")),
        ("ssep -p n --out r.nc", ("NAME=VALUE",)),
        ("ssep -p =3 --out r.nc", ("NAME=VALUE",)),
        ("ssep -p n=3 -p n=4 --out r.nc", ("n is given twice",)),
        ("ssep --chi 0 --out r.nc", ("chi = 0",)),
        ("ssep --chi -3 --out r.nc", ("chi = -3",)),
        ("ssep --chi many --out r.nc", ("--chi",)),
        ("ssep --chi 4.5 --out r.nc", ("--chi",)),
        ("ssep --dt 0 --out r.nc", ("dt",)),
        ("ssep --dt -0.1 --out r.nc", ("dt",)),
        ("ssep --dt nan --out r.nc", ("dt",)),
        ("ssep --order 3 --out r.nc", ("order = 3", "2, 4")),
        ("ssep --method lu --out r.nc", ("lu", "svd")),
        ("ssep --method sdv --out r.nc", ("did you mean 'svd'",)),
        ("ssep --cutoff -1 --out r.nc", ("cutoff",)),
        ("ssep --cutoff nan --out r.nc", ("cutoff",)),
        ("ssep --power -1 --out r.nc", ("power",)),
        ("ssep --dtype float16 --out r.nc", ("float16", "float32")),
        ("ssep --block 0 --out r.nc", ("block = 0",)),
        ("ssep --schedule 4,x --out r.nc", ("--schedule 4,x",)),
        ("ssep --schedule 0 --out r.nc", ("0",)),
        ("ssep --seed -1 --out r.nc", ("seed = -1",)),
        ("ssep --seed x --out r.nc", ("--seed",)),
        ("ssep --tol 0 --out r.nc", ("0",)),
        ("ssep --tol nan --out r.nc", ("nan",)),
        ("ssep --max-time 0 --out r.nc", ("0",)),
        ("ssep --max-time nan --out r.nc", ("nan",)),
        ("ssep --checkpoint-every -1 --out r.nc", ("-1",)),
        ("ssep --checkpoint-every nan --out r.nc", ("nan",)),
        ("ssep --initial nonsense --out r.nc", ("nonsense", "product:")),
        ("ssep --initial product:01 --out r.nc", ("product:01",)),
        ("ssep -p n=4 --initial product:0120 --out r.nc", ("product:0120",)),
        ("ssep --initial product: --out r.nc", ("product:",)),
        ("xxz-driven -p n=3 --initial thermal:hot --out r.nc", ("thermal:hot",)),
        ("xxz-driven -p n=3 --initial thermal:nan --out r.nc", ("thermal:nan",)),
        ("ssep --initial lost.nc --out r.nc", ("lost.nc",)),
        ("ssep -p n=3 --initial steady.nc --out r.nc", ("dimensions",)),
        ("xxz-driven -p n=4 --initial steady.nc --out r.nc", ("dimensions",)),
        ("ssep --engine tebdd --out r.nc", ("'tebdd'", "did you mean 'tebd'")),
        ("ssep --engine nonsense --out r.nc", ("nonsense", "exact")),
        ("ssep --engine exact --chi 8 --out r.nc", ("'exact'", "'chi'")),
        ("ssep --chi 8 --set chi=4 --out r.nc", ("--chi", "--set chi=4", "once")),
        ("ssep --time 0:1 --out r.nc", ("--time 0:1", "start:stop:count")),
        ("ssep --time 0:1:3:4 --out r.nc", ("--time 0:1:3:4",)),
        ("ssep --time 0:1:0 --out r.nc", ("--time 0:1:0",)),
        ("ssep --time 0:1:2.5 --out r.nc", ("--time 0:1:2.5",)),
        ("ssep --time 1:0:3 --out r.nc", ("--time 1:0:3",)),
        ("ssep --time 0:inf:3 --out r.nc", ("--time 0:inf:3",)),
        ("ssep --time a:b:c --out r.nc", ("--time a:b:c",)),
        ("ssep --time 0,later --out r.nc", ("--time 0,later",)),
        ("ssep --time 0,nan --out r.nc", ("--time 0,nan",)),
        ("ssep --time 1,0.5 --out r.nc", ("increasing",)),
        ("ssep --time 1,1 --out r.nc", ("increasing",)),
        ("ssep --time=-1,0 --out r.nc", (">= 0",)),
        ("ssep --time= --out r.nc", ("--time",)),
        ("ssep --no-errors --out r.nc", ("time evolution",)),
        ("ssep --time 0,1 --max-time 3 --out r.nc", ("--max-time",)),
        ("ssep --out", ("--out",)),
        ("ssep --out=", ("out",)),
        ("", ("MODEL",)),
        ("ssep --out nowhere/r.nc", ("nowhere", "does not exist")),
        ("ssep --out .", ("folder",)),
        ("ssep --out r.nc --chii 3", ("--chii",)),
        ("ssep other --out r.nc", ("other",)),
        ("ssep -p n=4 --out steady.nc", ("steady.nc exists already", "--overwrite")),
        ("ssep -p n=4 --out chains.py", ("chains.py exists already",)),
        ("lost.py:Pumped --out r.nc", ("lost.py",)),
        ("chains.py --out r.nc", ("file.py:Class",)),
        ("chains.py:Pumpd --out r.nc", ("did you mean 'Pumped'",)),
        ("chains.py:Pumped -p n=0 --out r.nc", ("at least one site",)),
        ("chains.py:Needs --out r.nc", ("height",)),
        ("chains.py:Negative --out r.nc", ("negative rate",)),
        ("chains.py:Skew --out r.nc", ("not Hermitian",)),
        ("chains.py:Outside --out r.nc", ("site 3",)),
        ("chains.py:Buggy --out r.nc", ("nothing",)),
        ("chains.py:Unlabelled --out r.nc", ("Observable",)),
    ],
)
def test_run_refuses_bad_input(here, arguments, told):
    refused("run", *arguments.split(), told=told)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("this is no Python", ("SyntaxError",)),
        ("import no_such_package", ("no_such_package",)),
        ("1 / 0", ("ZeroDivisionError",)),
        ("class Chain: pass", ("problem()",)),
        ("class Chain:\n    def problem(self): ...\n    def observables(self): ...", ("dataclass",)),
    ],
)
def test_run_refuses_a_file_that_holds_no_model(here, source, told):
    Path("broken.py").write_text(source)
    refused("run", "broken.py:Chain", "--out", "r.nc", told=told)


def test_an_output_folder_that_cannot_be_written(here):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    Path("locked").mkdir(mode=0o500)
    refused("run", *TINY, "--engine", "exact", "--out", "locked/r.nc", told=("locked",))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("lost.nc --chi 8", ("lost.nc",)),
        ("lost.nc.part", ("lost.nc",)),
        ("steady.nc --chi 0", ("chi = 0",)),
        ("steady.nc -p n=5", ("--param",)),
        ("steady.nc --seed 5", ("--seed",)),
        ("steady.nc --engine exact", ("engine 'exact' cannot go on from",)),
        ("steady.nc --initial identity", ("--initial",)),
        ("steady.nc --chi 8 --out exact.nc", ("exact.nc exists already",)),
        ("steady.nc --chi 8 --out nowhere/r.nc", ("nowhere",)),
        ("steady.nc --time 1,2", ("--out",)),
        ("steady.nc --tol 0", ("0",)),
        ("exact.nc --chi 8", ("'exact'", "'chi'")),
        ("evolution.nc --chi 8", ("--time",)),
        ("evolution.nc --time 0.5,2", ("1", "beyond")),
        ("evolution.nc --time 2,3 --max-time 3", ("time evolution",)),
        ("evolution.nc --time 3,2", ("increasing",)),
        ("evolution.nc --time 2:1:4", ("--time 2:1:4",)),
    ],
)
def test_extension_refuses_bad_input(here, arguments, told):
    refused("run", *arguments.split(), told=told)


def foreign(path: Path) -> None:
    """A netCDF file of someone else."""
    xr.Dataset({"density": ("site", np.ones(4))}, attrs={"model": "ssep"}).to_netcdf(path, engine="h5netcdf")


def impostor(path: Path) -> None:
    """It says that it is a record, and holds nothing of one."""
    xr.Dataset({"density": ("site", np.ones(4))}, attrs={"format": "tnness-record-1"}).to_netcdf(
        path, engine="h5netcdf"
    )


def older(path: Path) -> None:
    attrs = {"format": "tnness-record-0", "settings": "{}", "evolution_time": 0.0}
    xr.Dataset(attrs=attrs).to_netcdf(path, engine="h5netcdf")


@pytest.mark.parametrize(
    "spoil",
    [
        foreign,
        impostor,
        older,
        lambda path: path.write_bytes(b"not a record at all\n" * 50),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:100]),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(path.read_bytes()[:-1000]),
        lambda path: path.write_bytes(bytes(2000) + path.read_bytes()[2000:]),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["foreign", "impostor", "older", "text", "empty", "head", "half", "truncated", "zeroed", "folder"],
)
@pytest.mark.parametrize(
    "arguments", ["run steady.nc --chi 8", "run ssep -p n=4 --initial steady.nc --out r.nc", "plot steady.nc"]
)
def test_a_spoilt_record_is_refused(here, spoil, arguments):
    spoil(here / "steady.nc")
    refused(*arguments.split(), told=("steady.nc",))


def test_a_record_without_a_state_is_not_extended(here):
    crafted(here / "steady.nc", here / "stateless.nc", lambda file: file.__delitem__("state"))
    refused("run", "stateless.nc", "--chi", 8, told=("stateless.nc", "state"))


def test_a_record_of_a_convergence_is_not_extended(here):
    well("converge", *TINY, "--chi", "2,4", "--out", "conv.nc", "--quiet")
    refused("run", "conv.nc", "--chi", 8, told=("conv.nc",))


def test_a_record_of_a_model_that_has_gone_is_refused(here):
    well("run", "chains.py:Pumped", "--engine", "exact", "--out", "file.nc", "-q")
    Path("chains.py").unlink()
    registered = [name for name in sys.modules if name.startswith("_tnness_file_chains")]
    for name in registered:
        del sys.modules[name]
    refused("run", "file.nc", told=("chains.py",))
    refused("run", "file.nc", "--model", "chains.py:Pumped", told=("there is no file", "chains.py"))
    refused(
        "run", *TINY, "--model", "chains.py:Pumped", "--out", "r.nc", told=("belongs to a record that is extended",)
    )


def interrupt(folder: Path, *arguments: object) -> Path:
    """Leave an unfinished run: the command fails in its third block."""
    from tnness.engines.tebd_run import TEBDRun
    from tnness.errors import NumericalError

    step, calls = TEBDRun.step, []

    def failing(self, *given, **named):
        calls.append(1)
        if len(calls) > 3:
            raise NumericalError("told to fail")
        return step(self, *given, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TEBDRun, "step", failing)
        answer = call("run", *arguments)
    assert answer.status == 1, answer.err
    (part,) = folder.glob("*.part")
    return part


def test_an_unfinished_run_with_other_settings_is_refused(here):
    part = interrupt(here, *TINY, "--chi", 8, "--out", "r.nc")
    for other in (["--chi", 4], ["--chi", 8, "--seed", 1], ["--chi", 8, "-p", "rate=2"], ["--time", "0,1"]):
        told = refused("run", *TINY, *other, "--out", "r.nc", told=("r.nc.part", "other settings"))
        assert "chi" in told or "seed" in told or "rate" in told
    assert part.exists()


def test_an_unfinished_run_is_continued_by_its_own_command_and_by_its_name(here):
    command = (*TINY, "--chi", 8, "-q")
    well("run", *command, "--out", "whole.nc")
    whole = xr.load_dataset("whole.nc")
    for again in ([*command, "--out", "r.nc"], ["r.nc", "-q"], ["r.nc.part", "-q"]):
        part = interrupt(here, *command, "--out", "r.nc")
        well("run", *again)
        assert not part.exists()
        xr.testing.assert_equal(xr.load_dataset("r.nc"), whole)
        Path("r.nc").unlink()


@pytest.mark.parametrize("spoil", [b"", b"nonsense" * 100])
def test_a_spoilt_unfinished_run_is_refused(here, spoil):
    Path("r.nc.part").write_bytes(spoil)
    refused("run", *TINY, "--chi", 4, "--out", "r.nc", told=("r.nc.part",))
