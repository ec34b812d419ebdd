"""What the scripts of studies share: the one command line, its options and files, sweeps as tables."""

import logging
import time
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import pytest
import typer
import xarray as xr
from matplotlib.figure import Figure
from typer.testing import CliRunner

from tnness.display.messages import never_silent
from tnness.errors import InputError, RecordError
from tnness.study.scripts import SMALL_VARIABLE, head, preset_named, read_tables, save, swept


@dataclass(frozen=True)
class Preset:
    height: float
    slope: float = 1.0


PRESETS = {"quick": Preset(1.0), "paper": Preset(2.0)}


def choosing(preset: Preset, *, slope: Annotated[float, typer.Option(help="of the line")] = 1.0) -> Preset:
    return replace(preset, slope=slope)


def compute(preset, store, workers):
    x = np.arange(3.0)
    return xr.Dataset({"y": ("x", preset.height + preset.slope * x)}, coords={"x": x})


def draw(table):
    figure = Figure()
    figure.subplots().plot(table["x"], table["y"])
    figure.suptitle(f"{table.attrs['preset']} preset")
    return figure


def tell(table):
    return f"{table.attrs['preset']}: y goes to {float(table['y'].max()):g}"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The command of a script `studies/lines/figure_1.py`, called from a folder of its own."""
    (tmp_path / "studies" / "lines").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*arguments, parts=compute, **more):
        command = typer.Typer()
        file = tmp_path / "studies" / "lines" / "figure_1.py"
        command.command()(head(file, PRESETS, parts, draw, tell, choose=choosing, **more))
        return CliRunner().invoke(command, [str(argument) for argument in arguments])

    return run


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_figures_go_to_runs_as_png_and_pdf_with_their_table(run, tmp_path):
    result = run()
    assert result.exit_code == 0, result.output
    assert "quick: y goes to 3" in result.output
    written = tmp_path / "here" / "runs" / "lines" / "figures"
    assert files(written) == ["figure_1_quick.nc", "figure_1_quick.pdf", "figure_1_quick.png"]
    assert files(tmp_path / "studies") == []


def test_commit_writes_beside_the_script(run, tmp_path):
    assert run("--commit", "--preset", "paper").exit_code == 0
    beside = tmp_path / "studies" / "lines" / "figures"
    assert files(beside) == ["figure_1_paper.nc", "figure_1_paper.png"]
    assert files(tmp_path / "here") == []
    assert xr.open_dataset(beside / "figure_1_paper.nc").attrs["preset"] == "paper"


def _never(*arguments):
    raise AssertionError("this is computed")


def test_draw_only_computes_nothing_and_changes_no_table(run, tmp_path):
    refused = run("--draw-only", parts=_never)
    assert refused.exit_code == 1
    assert refused.output.startswith("error: there is no table figure_1_quick.nc in ")
    assert "run without --draw-only first" in refused.output
    run("--commit")
    table = tmp_path / "studies" / "lines" / "figures" / "figure_1_quick.nc"
    before = table.read_bytes()
    result = run("--draw-only", parts=_never)
    assert result.exit_code == 0, result.output
    assert files(tmp_path / "here") == ["figure_1_quick.pdf", "figure_1_quick.png"]
    assert run("--draw-only", "--commit", parts=_never).exit_code == 0
    assert table.read_bytes() == before


def test_the_options_of_a_study_are_in_the_name_of_its_files(run, tmp_path):
    assert "y goes to 5" in run("--slope", 2.0, "--out", "there").output
    assert files(tmp_path / "here" / "there")[0] == "figure_1_quick_slope=2.0.nc"


def test_a_figure_may_be_drawn_from_the_table_of_another(run, tmp_path):
    run("--commit")
    assert run("--draw-only", "--commit", name="figure_2", table="figure_1", parts=_never).exit_code == 0
    assert files(tmp_path / "studies") == ["figure_1_quick.nc", "figure_1_quick.png", "figure_2_quick.png"]


def test_tables_in_parts_are_read_as_they_were_written(tmp_path):
    table = compute(PRESETS["quick"], tmp_path, 0)
    save(Figure(), {"one": table, "other": 2 * table}, tmp_path / "figure_1_quick", ("png",))
    found = read_tables("figure_1_quick", [tmp_path / "nowhere", tmp_path])
    assert list(found) == ["one", "other"]
    xr.testing.assert_equal(found["other"], 2 * table)
    with pytest.raises(InputError, match=r"there is no table figure_9_quick\.nc in .*: run without --draw-only first"):
        read_tables("figure_9_quick", [tmp_path])


def test_a_wrong_preset_is_refused(run):
    result = run("--preset", "fast")
    assert result.exit_code == 2
    assert "there is no preset 'fast'" in result.output


def test_a_script_is_never_silent_for_long(caplog):
    with caplog.at_level(logging.INFO, "tnness"), never_silent("figure_1 quick", longest=0.05):
        time.sleep(0.4)
    lines = [record.getMessage() for record in caplog.records]
    assert 2 <= len(lines) <= 9
    assert all(line.startswith("figure_1 quick: computing for ") for line in lines)


def test_presets_by_name():
    assert preset_named({"quick": 1, "paper": 2}, "paper") == 2
    with pytest.raises(typer.BadParameter, match="no preset 'fast': it is one of quick, paper"):
        preset_named({"quick": 1, "paper": 2}, "fast")


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
    stem = tmp_path / "figures" / "figure_1_quick"
    paths = save(Figure(), {"": table, "more": table}, stem)
    assert [path.name for path in paths] == ["figure_1_quick.png", "figure_1_quick.pdf"]
    assert files(stem.parent) == ["figure_1_quick.nc", *sorted(p.name for p in paths), "figure_1_quick_more.nc"]
    assert (stem.parent / "figure_1_quick.nc").stat().st_size < SMALL_VARIABLE * 8 / 4  # compressed
    assert xr.open_dataset(stem.parent / "figure_1_quick_more.nc")["word"].item() == "exact"
    first = [path.read_bytes() for path in paths]
    save(Figure(), {}, stem)
    assert [path.read_bytes() for path in paths] == first  # no date is in them
