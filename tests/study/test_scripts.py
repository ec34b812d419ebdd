"""What the scripts of studies share."""

import numpy as np
import pytest
import typer
import xarray as xr
from matplotlib.figure import Figure

from tnness.errors import RecordError
from tnness.study.scripts import SMALL_VARIABLE, preset_named, preset_option, save, swept


def test_presets_by_name():
    assert preset_named({"quick": 1, "paper": 2}, "paper") == 2
    with pytest.raises(typer.BadParameter, match="no preset 'fast': it is one of quick, paper"):
        preset_named({"quick": 1, "paper": 2}, "fast")


def test_the_option_of_a_command_names_the_presets():
    (option,) = preset_option({"quick": 1, "paper": 2}).__metadata__
    assert option.help == "one of quick, paper"


def test_a_swept_table_holds_what_was_asked_for_and_no_more(tmp_path):
    settings = {"realizations": 1, "engine": "exact", "parameters": {"rate": 0.5}}
    wide = swept("ssep", {"n": (2, 3, 4)}, tmp_path / "new" / "store", **settings)
    narrow = swept("ssep", {"n": (4, 2)}, tmp_path / "new" / "store", **settings)
    assert narrow["n"].values.tolist() == [4, 2]
    np.testing.assert_array_equal(narrow["density"].sel(n=4), wide["density"].sel(n=4))
    assert not any(str(name).startswith("certificate") for name in wide.data_vars)


def _fails(setting):
    raise ZeroDivisionError("of no use")


def test_a_point_that_fails_is_told(tmp_path):
    with pytest.raises(RecordError, match=r"1 points of .* failed, for one: ZeroDivisionError: of no use"):
        swept("ssep", {"n": (2,)}, tmp_path / "store", engine="exact", measure=_fails)


def test_figure_and_tables_are_written(tmp_path):
    table = xr.Dataset({"long": ("x", np.zeros(SMALL_VARIABLE)), "word": ((), "exact")})
    path = save(Figure(), {"": table, "more": table}, tmp_path / "figures" / "figure_1_quick")
    assert path == tmp_path / "figures" / "figure_1_quick.png"
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "figure_1_quick.nc",
        "figure_1_quick.png",
        "figure_1_quick_more.nc",
    ]
    assert (path.parent / "figure_1_quick.nc").stat().st_size < SMALL_VARIABLE * 8 / 4  # compressed
    assert xr.open_dataset(path.parent / "figure_1_quick_more.nc")["word"].item() == "exact"
