"""Figures: every kind of record is drawn, and what is drawn is what the record holds."""

import json

import matplotlib.image
import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from small_runs import QUICK, Pumped
from tnness import Record, converge, evolve, find, steady_state
from tnness.errors import InputError, RecordError
from tnness.records import drawing
from tnness.records.drawing import caption
from tnness.study.figure import plot


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    steady_state(Pumped(), engine=QUICK, out=folder / "steady.nc")
    steady_state(find("ssep")(n=3), engine="exact", out=folder / "exact.nc")
    evolve(find("xxz-driven")(n=3), [0.0, 0.5, 1.0], engine=QUICK, tolerance=0.2, out=folder / "evolution.nc")
    converge(find("xxz-driven")(n=3), [3, 4], [0.2, 0.4], tolerance=0.05, out=folder / "convergence.nc")
    converge(Pumped(), [3, 4], tolerance=0.05, out=folder / "scalars.nc")
    return folder


def panels(path, monkeypatch, *arguments):
    """The axes of the figure that `plot` makes."""
    from matplotlib.figure import Figure

    seen = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (seen.append(self), save(self, *a, **k)))
    plot(path, *arguments)
    return [axes for axes in seen[0].axes if axes.axison]


@pytest.mark.parametrize("name", ["steady", "exact", "evolution", "convergence", "scalars"])
def test_every_kind_of_record_is_drawn(name, made, tmp_path):
    found = plot(made / f"{name}.nc", tmp_path / "f.png")
    assert found == tmp_path / "f.png"
    image = matplotlib.image.imread(found)
    assert image.shape[0] > 200
    assert image.std() > 0.05  # not blank


def test_by_default_beside_the_record(made):
    assert plot(made / "exact.nc") == made / "exact.png"


def test_a_profile_with_its_error_bar(made, tmp_path, monkeypatch):
    axes = panels(made / "steady.nc", monkeypatch, tmp_path / "f.png", ["z"])
    record = Record.open(made / "steady.nc")
    assert len(axes) == 1
    assert_allclose(axes[0].lines[0].get_ydata(), record["z"])
    assert axes[0].get_xlabel() == "site $i$"
    assert axes[0].get_ylabel() == "z"
    assert axes[0].get_title() == "<Z_i>"


def test_a_number_is_written_with_its_unit(made, tmp_path, monkeypatch):
    axes = panels(made / "steady.nc", monkeypatch, tmp_path / "f.png", ["energy"])
    value = float(Record.open(made / "steady.nc")["energy"])
    assert axes[0].texts[0].get_text().startswith(f"{value:.8g}")
    assert axes[0].get_xlabel() == "energy [J]"


def test_a_convergence_is_drawn_as_distances_from_its_limit(made, tmp_path, monkeypatch):
    axes = panels(made / "scalars.nc", monkeypatch, tmp_path / "f.png", ["energy"])
    dataset = Record.open(made / "scalars.nc").dataset
    limit = float(dataset["energy_extrapolated"])
    assert_allclose(axes[0].lines[0].get_xdata(), [3, 4])
    assert_allclose(axes[0].lines[0].get_ydata(), np.abs(dataset["energy"].values[0] - limit))
    assert axes[0].get_yscale() == "log"
    (error,) = [line for line in axes[0].lines if line.get_label() == "error of the limit"]
    assert error.get_ydata()[0] == float(dataset["energy_extrapolated_error"])
    assert axes[0].get_title().splitlines()[-1].startswith("limit ")
    written = float(axes[0].get_title().splitlines()[-1].split()[1])
    assert abs(written - limit) < float(dataset["energy_extrapolated_error"])
    assert axes[0].get_ylabel().endswith("[J]")


def test_a_profile_of_a_convergence_has_a_curve_for_each_bond_dimension(made, tmp_path, monkeypatch):
    axes = panels(made / "convergence.nc", monkeypatch, tmp_path / "f.png", ["z"])
    dataset = Record.open(made / "convergence.nc").dataset
    apart = np.abs(dataset["z"].values[-1] - dataset["z_extrapolated"].values)
    apart[apart == 0] = np.nan  # no logarithmic axis shows a zero
    for j in range(2):
        assert_allclose(axes[0].lines[j].get_ydata(), apart[j])
    assert [line.get_label() for line in axes[0].lines] == [r"$\chi$ = 3", r"$\chi$ = 4", "error of the limit"]
    assert axes[0].get_ylabel() == r"$|\langle Z_i \rangle(\chi) - \langle Z_i \rangle(\infty)|$"


def test_without_an_extrapolation_the_largest_bond_dimension_stands_for_the_limit(made, tmp_path, monkeypatch):
    dataset = Record.open(made / "convergence.nc").dataset.drop_vars(["z_extrapolated", "z_extrapolated_error"])
    Record(dataset).save(tmp_path / "bare.nc")
    axes = panels(tmp_path / "bare.nc", monkeypatch, tmp_path / "f.png", ["z"])
    apart = np.abs(dataset["z"].values[-1, 0] - dataset["z"].values[-1, -1])
    assert_allclose(axes[0].lines[0].get_ydata(), np.where(apart > 0, apart, np.nan))
    assert np.isnan(axes[0].lines[1].get_ydata()).all()
    assert r"\chi_{\max}" in axes[0].get_ylabel()


def test_a_heading_names_no_folder_and_fits_the_figure(made):
    dataset = Record.open(made / "steady.nc").dataset.assign_attrs(model="/somewhere/far/away/mine.py:Chain")
    assert caption(dataset).startswith("mine.py:Chain: ")
    from tnness.records.style import heading

    assert max(map(len, heading(caption(dataset), 3.0).splitlines())) <= 36


def test_a_heading_breaks_beside_a_formula_and_not_within_it():
    from tnness.records.style import heading

    text = r"wire of length 12, $\delta\mu / W_c = 3 \times 10^{-3}$, leads ($t_\parallel$, $t_\perp$) = (3, 1), T = 0"
    for width in (1.0, 2.0, 3.0, 9.0):
        lines = heading(text, width).splitlines()
        assert " ".join(lines) == text
        assert all(line.count("$") % 2 == 0 for line in lines)
    assert len(heading(text, 9.0).splitlines()) == 1
    assert len(heading(text, 1.0).splitlines()) > 3


def test_a_title_has_the_symbol_in_place_of_a_formula_in_plain_text():
    from tnness.records.style import title_of

    data = xr.DataArray(0.0, attrs={"long_name": "total energy <H>", "symbol": r"\langle H \rangle"})
    assert title_of(data, "energy") == r"total energy $\langle H \rangle$"
    assert title_of(data.assign_attrs(long_name="<H>"), "energy") == r"$\langle H \rangle$"
    assert title_of(data.assign_attrs(symbol=""), "energy") == "total energy <H>"
    assert title_of(data.assign_attrs(long_name="total energy"), "energy") == "total energy"


def test_the_colours_of_a_correlation_span_what_is_off_the_diagonal():
    """On-site fluctuations of 1 hide nothing: correlations of 1e-3 have the whole range, and the bar says so."""
    from tnness.records.drawing import panels as panels_of

    values = np.eye(5) + 1e-3 * np.sign(np.arange(5)[:, None] - np.arange(5))
    data = xr.Dataset({"zz": (("site", "site_2"), values, {"long_name": "connected <Z_i Z_j>"})})
    figure = panels_of(data, ["zz"], title=False)
    (image,) = figure.axes[0].images
    assert image.get_clim() == (-1e-3, 1e-3)
    assert image.colorbar.extend == "both"
    assert_allclose(image.get_array(), values)
    whole = panels_of(xr.Dataset({"zz": (("site", "site_2"), np.eye(5))}), ["zz"], title=False).axes[0].images[0]
    assert whole.get_clim() == (-1, 1)  # nothing is off the diagonal
    assert whole.colorbar.extend == "neither"


def test_figures_of_studies_have_letters_and_one_size_of_panel():
    from tnness.records.style import STUDY_PANEL, canvas, dots, lettered, ribbon, styled

    with styled():
        figure, axes = canvas(2, 2)
        dots(axes[0], [1, 2], [3, 4], [0.1, 0.2])
        ribbon(axes[1], [1.0, 2.0], np.array([3.0, 4.0]), np.array([0.5, 0.25]))
        lettered(axes, ("one", "", "three"))
        single = canvas(1, 1)[1]
        lettered(single, ("alone",))
    assert figure.get_size_inches()[0] == 2 * STUDY_PANEL[0]
    assert [a.get_title(loc="left") for a in axes] == ["(a) one", "(b)", "(c) three", "(d)"]
    assert single[0].get_title(loc="left") == "alone"
    low, high = axes[1].collections[0].get_paths()[0].get_extents().intervaly
    assert_allclose([low, high], [2.5, 4.25])


def test_labels_have_symbols_and_units():
    from tnness.records.style import label_of

    data = xr.DataArray(0.0, attrs={"units": "J", "symbol": r"\langle H \rangle"})
    assert label_of(data, "energy") == r"$\langle H \rangle$ [J]"
    assert label_of(data.assign_attrs(symbol="", units="1"), "energy") == "energy"


def test_every_symbol_of_a_shipped_model_can_be_drawn():
    from matplotlib.mathtext import MathTextParser

    from tnness import models
    from tnness.model.parameters import build
    from tnness.model.protocol import draw
    from tnness.runs.job import observables_of

    drawn = set()
    for name, cls in models().items():
        instance = build(cls, {}, name)
        instance = draw(instance.small() if hasattr(instance, "small") else instance, 0)
        drawn |= {o.symbol for o in observables_of(instance, name).values() if o.symbol}
    assert len(drawn) > 20
    for symbol in drawn:
        MathTextParser("path").parse(f"${symbol}$")
        MathTextParser("path").parse(rf"$|{symbol}(\chi) - {symbol}(\infty)|$")


def test_every_observable_has_a_panel(made, tmp_path, monkeypatch):
    labels = {axes.get_title() for axes in panels(made / "convergence.nc", monkeypatch, tmp_path / "f.png")}
    assert len([label for label in labels if label]) == 3


def test_the_caption_says_what_it_is(made):
    record = Record.open(made / "evolution.nc")
    text = caption(record.dataset)
    assert text.startswith("xxz-driven: n = 3, delta = 1.0")
    assert "tebd, chi = 8, seed 0, complete" in text
    assert "chi = " not in caption(Record.open(made / "convergence.nc").dataset).partition("\n")[2]


def test_infinite_and_undefined_values_are_left_out(made, tmp_path):
    """A bond at infinite temperature, a ratio that is undefined."""
    dataset = Record.open(made / "steady.nc").dataset
    odd = xr.Dataset(
        {
            "beta": ("bond", [0.5, np.inf, np.nan]),
            "map": (("site", "site_2"), [[np.inf, 1.0], [np.nan, -1.0]]),
            "none": (("site", "site_2"), np.full((2, 2), np.nan)),
            "ratio": ((), np.nan),
        },
        attrs=dataset.attrs,
    )
    Record(odd).save(tmp_path / "odd.nc")
    assert plot(tmp_path / "odd.nc").exists()


def test_an_unfinished_run_is_drawn_as_it_stands(made, tmp_path):
    dataset = Record.open(made / "steady.nc").dataset.drop_vars("entanglement").assign_attrs(outcome="unfinished")
    Record(dataset).save(tmp_path / "r.nc.part")
    assert plot(tmp_path / "r.nc.part") == tmp_path / "r.nc.png"


def test_what_cannot_be_drawn(made, tmp_path):
    with pytest.raises(InputError, match=r"holds no observable 'zz' .*'z'"):
        plot(made / "steady.nc", tmp_path / "f.png", ["zz"])
    with pytest.raises(RecordError, match="does not exist"):
        plot(made / "steady.nc", tmp_path / "none" / "f.png")
    with pytest.raises(InputError, match="could not be written"):
        plot(made / "steady.nc", tmp_path / "f.picture")
    with pytest.raises(RecordError, match="there is no record"):
        plot(tmp_path / "none.nc")
    with pytest.raises(InputError, match="over the record"):
        plot(made / "steady.nc", made / "steady.nc")
    empty = Record.open(made / "steady.nc").dataset.drop_vars(
        ["z", "z_error", "energy", "energy_error", "entanglement"]
    )
    Record(empty).save(tmp_path / "empty.nc")
    with pytest.raises(RecordError, match="holds no observables"):
        plot(tmp_path / "empty.nc")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty.nc"]


def test_many_parameters_do_not_fill_the_title(made):
    dataset = Record.open(made / "exact.nc").dataset
    many = {f"p{i}": i for i in range(30)} | {"list": [1, 2], "none": None}
    text = caption(dataset.assign_attrs(parameters=json.dumps(many)))
    assert text.partition("\n")[0].count("=") == drawing.SHOWN_PARAMETERS
