"""`tnness converge` and `tnness plot`."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from command_line import TINY, refused, well


def test_converge_writes_a_record_a_figure_and_a_table(here):
    answer = well("converge", *TINY, "--chi", "2,4", "--dt", "0.5,0.25", "--out", "conv.nc")
    for words in ("chi", "max|density|", "inf", "+-", "record: conv.nc", "figure: conv.png"):
        assert words in answer.out
    with xr.open_dataset("conv.nc") as record, xr.open_dataset("exact.nc") as exact:
        assert record["density"].dims == ("dt", "chi", "site")
        assert record["chi"].values.tolist() == [2, 4]
        assert record["dt"].values.tolist() == [0.5, 0.25]
        off = np.abs(record["density_extrapolated"] - exact["density"])
        assert (off <= record["density_extrapolated_error"]).all()
    assert is_png(Path("conv.png"))
    assert not Path("conv.nc.points").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("ssep --out c.nc", ("--chi",)),
        ("ssep --chi 4 --out c.nc", ("at least two",)),
        ("ssep --chi 8,4 --out c.nc", ("increasing",)),
        ("ssep --chi 4,4 --out c.nc", ("increasing",)),
        ("ssep --chi 0,4 --out c.nc", ("chi = 0",)),
        ("ssep --chi 4,x --out c.nc", ("--chi 4,x",)),
        ("ssep --chi 4,8 --dt 0 --out c.nc", ("dt",)),
        ("ssep --chi 4,8 --dt 0.1,0.1 --out c.nc", ("dt",)),
        ("ssep --chi 4,8 --dt 0.1,nan --out c.nc", ("--dt 0.1,nan",)),
        ("ssep --chi 4,8 --out nowhere/c.nc", ("nowhere",)),
        ("ssep --chi 4,8 --out steady.nc", ("steady.nc exists already",)),
        ("sep --chi 4,8 --out c.nc", ("did you mean 'ssep'",)),
        ("ssep -p n=1 --chi 4,8 --out c.nc", ("n = 1",)),
        ("ssep --chi 4,8 --seed -1 --out c.nc", ("seed = -1",)),
        ("ssep --chi 4,8 --tol nan --out c.nc", ("nan",)),
        ("ssep --chi 4,8 --checkpoint-every -1 --out c.nc", ("-1",)),
        ("chains.py:Outside --chi 4,8 --out c.nc", ("site 3",)),
    ],
)
def test_converge_refuses_bad_input(here, arguments, told):
    refused("converge", *arguments.split(), told=told)


def test_a_figure_never_takes_the_place_of_its_record(here):
    shutil.copy("steady.nc", "steady.png")
    refused("plot", "steady.png", told=("steady.png",))
    refused("plot", "steady.nc", "--out", "steady.nc", told=("steady.nc",))
    refused("converge", *TINY, "--chi", "2,4", "--out", "c.png", told=("c.png",))


def test_a_model_in_a_file_is_found_again_from_another_folder(here, monkeypatch):
    well("run", "chains.py:Pumped", "--chi", 4, "--out", "file.nc", "-q")
    Path("below").mkdir()
    monkeypatch.chdir("below")
    well("run", "../file.nc", "--model", "../chains.py:Pumped", "--chi", 8, "-q")


@pytest.mark.parametrize("name", ["steady", "evolution"])
def test_plot_draws_a_record(here, name):
    assert f"figure: {name}.png" in well("plot", f"{name}.nc").out
    assert is_png(Path(f"{name}.png"))


def test_plot_draws_one_observable_where_it_is_told(here):
    Path("figures").mkdir()
    well("plot", "steady.nc", "-o", "current", "--out", "figures/current.png")
    assert is_png(Path("figures/current.png"))
    assert not Path("steady.png").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("lost.nc", ("lost.nc",)),
        ("chains.py", ("chains.py",)),
        ("steady.nc -o densty", ("did you mean 'density'",)),
        ("steady.nc --out nowhere/f.png", ("nowhere",)),
        ("steady.nc --out f.nonsense", ("f.nonsense",)),
        ("", ("record",)),
    ],
)
def test_plot_refuses_bad_input(here, arguments, told):
    refused("plot", *arguments.split(), told=told)


def is_png(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG\r\n")
