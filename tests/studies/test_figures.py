"""Every figure of every study, drawn by its script from its committed table, and looked at as a referee would."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from study_modules import STUDIES, modules_of
from tnness.study import scripts

SHARED = {("mbl_transition", "figure_3"): "figure_2"}
"""A figure that is drawn from another's table."""


LONG = {"figure_drives", "figure_weak", "figure_choices", "figure_5"}
"""Figures whose errors or laws take seconds."""


def committed():
    """(study, script, preset) of every figure that is committed."""
    found = []
    for picture in sorted(STUDIES.glob("*/figures/*.png")):
        study, (name, _, preset) = picture.parents[1], picture.stem.rpartition("_")
        places = [study / f"{each}.py" for each in (name, f"figure_{name}", "figure")]
        script = next(place for place in places if place.exists())
        found.append((study.name, script.stem, preset))
    return found


@pytest.mark.parametrize(
    ("study", "name", "preset"),
    [pytest.param(*each, marks=[pytest.mark.slow] if each[1] in LONG else []) for each in committed()],
)
def test_a_committed_table_is_drawn_and_nothing_is_cut_or_hidden(study, name, preset, tmp_path, monkeypatch):
    figures, save = [], scripts.save

    def look(figure, tables, stem, formats):
        figures.append(figure)
        return save(figure, tables, stem, formats)

    monkeypatch.setattr(scripts, "save", look)
    monkeypatch.setattr(sys, "argv", [name, "--preset", preset, "--draw-only", "--out", str(tmp_path)])
    monkeypatch.chdir(tmp_path)  # no table of an earlier run is there
    with modules_of(study), pytest.raises(SystemExit) as ended:
        runpy.run_path(str(STUDIES / study / f"{name}.py"), run_name="__main__")
    assert ended.value.code == 0
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".pdf", ".png"]
    assert all(path.stat().st_size > 10_000 for path in tmp_path.iterdir())
    (figure,) = figures
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    told = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    outside = [text.get_text() for text in told if not _inside(text.get_window_extent(), figure.bbox)]
    assert [text for text in outside if text in _titles(figure)] == []
    assert preset in figure.get_suptitle()
    assert all(axes.get_xlabel() and _named(axes) for axes in figure.axes if axes.axison)
    assert _covered(figure) == []


def _inside(box, whole):
    return box.x0 >= whole.x0 - 1 and box.x1 <= whole.x1 + 1 and box.y0 >= whole.y0 - 1 and box.y1 <= whole.y1 + 1


def _named(axes):
    """The label of the ordinate, or of a panel that shares it."""
    return any(each.get_ylabel() for each in axes.get_shared_y_axes().get_siblings(axes))


def _titles(figure):
    axes = figure.axes
    labels = [text for a in axes for text in (a.get_title(loc="left"), a.get_xlabel(), a.get_ylabel())]
    return [figure.get_suptitle(), *labels]


def _covered(figure):
    """The points with a mark that lie behind a legend, by panel."""
    found = []
    for number, axes in enumerate(figure.axes):
        legend = axes.get_legend()
        if legend is None:
            continue
        box = legend.get_window_extent()
        for line in axes.lines:
            if line.get_marker() in ("None", None, "", " ") or not line.get_visible():
                continue
            points = axes.transData.transform(np.column_stack([np.ravel(v) for v in line.get_data()]).astype(float))
            x, y = points[np.isfinite(points).all(axis=1)].T
            inside = (x > box.x0) & (x < box.x1) & (y > box.y0) & (y < box.y1)
            if inside.any():
                found.append((number, line.get_label(), int(inside.sum())))
    return found


def test_every_script_has_the_one_head():
    for script in STUDIES.glob("*/*.py"):
        text = script.read_text()
        assert "typer.run" not in text, script
        assert "savefig" not in text, script
        assert "set_fontsize" not in text, script
        if 'if __name__ == "__main__"' in text:
            assert "    script(__file__, " in text, script


def test_every_table_has_its_picture_and_every_picture_its_table():
    for folder in STUDIES.glob("*/figures"):
        for picture in folder.glob("*.png"):
            name, _, preset = picture.stem.rpartition("_")
            assert list(folder.glob(f"{SHARED.get((folder.parent.name, name), name)}_{preset}*.nc")), picture
        for table in folder.glob("*.nc"):
            assert any(table.stem.startswith(picture.stem) for picture in folder.glob("*.png")), table
        assert not [path for path in folder.iterdir() if Path(path).suffix not in (".nc", ".png")]
