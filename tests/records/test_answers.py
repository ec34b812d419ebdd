"""What a record shows: as text, in a notebook, as a figure."""

from html.parser import HTMLParser

import numpy as np
import pytest
from numpy.testing import assert_allclose

from small_runs import QUICK, Pumped
from tnness import Record, evolve, steady_state
from tnness import spin_half as s
from tnness.errors import InputError
from tnness.records.answers import answers_in, asked_text
from tnness.records.words import claim_of, explained


class Cells(HTMLParser):
    """The cells of all tables, and the tags that were opened and closed."""

    def __init__(self, text):
        super().__init__()
        self.cells, self.open, self._in = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self._in = tag == "td"
        self.open.append(tag)

    def handle_endtag(self, tag):
        self._in = False
        while self.open and self.open[-1] in ("circle", "rect", "polyline", "path", "br") and self.open[-1] != tag:
            self.open.pop()
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self._in:
            self.cells.append(data)


@pytest.fixture(scope="module")
def steady():
    return steady_state(Pumped(), engine=QUICK)


@pytest.fixture(scope="module")
def evolution():
    return evolve(Pumped(), [0.0, 0.5, 1.0], engine=QUICK, tolerance=0.2)


def test_values_with_their_errors_are_in_the_text_and_in_the_table_of_a_notebook(steady):
    cells = Cells(steady._repr_html_()).cells
    for i in range(3):
        error = float(steady["z_error"][i])
        row = next(line.split() for line in repr(steady).splitlines() if line.startswith(f"  {i} "))
        assert_allclose(float(row[1]), steady["z"][i], atol=0.1 * error)
        assert any(cell.startswith(row[1]) and "±" in cell for cell in cells)


def test_an_evolution_answers_with_its_last_time(evolution):
    named = {answer.name: answer for answer in answers_in(evolution.dataset)}
    assert_allclose(named["z"].values, evolution["z"][-1])
    assert_allclose(named["z"].errors, evolution["z_error"][-1])
    assert_allclose(named["energy"].course, evolution["energy"])


def test_the_certificate_in_words_gives_the_largest_error_and_the_tests(steady):
    outcome, errors, tests = explained(steady.dataset, steady.certificate)
    assert outcome.startswith(f"outcome: {steady.outcome}")
    relative = {k: float((steady[f"{k}_error"] / abs(steady[k]).max()).max()) for k in ("z", "energy")}
    worst = max(relative, key=relative.get)
    assert f"{100 * relative[worst]:.2g} % of the size of {worst}" in errors
    assert f"{steady.certificate.residual:.1e}" in tests


def test_a_certificate_shows_its_figures(steady):
    shown = Cells(steady.certificate._repr_html_()).cells
    assert f"{steady.certificate.residual:.3g}" in shown
    assert repr(steady.certificate).startswith(f"Certificate({steady.outcome!r}, ")


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("converged from product:01; not unique", "within the tolerance"),
        ("relaxed, but no error estimate of the time step and of truncation", "time step and truncation"),
        ("something that no one has said yet", ""),
    ],
)
def test_outcomes_are_explained_by_their_beginnings(outcome, words):
    assert words in claim_of(outcome)
    assert bool(words) == bool(claim_of(outcome))


def test_what_was_asked(steady, evolution):
    assert asked_text(steady.dataset.attrs).startswith("Pumped, n = 3, gamma = 1.0; tebd, chi = 8, dt = 0.2; seed 0")
    assert asked_text(evolution.dataset.attrs).endswith("; evolution")


def test_a_record_draws_itself(steady):
    figure = steady.plot("z")
    assert_allclose(figure.axes[0].lines[0].get_ydata(), steady["z"])
    assert len(steady.plot().axes) >= 3
    with pytest.raises(InputError, match="did you mean 'energy'"):
        steady.plot("enrgy")


def test_a_record_with_foreign_texts_writes_no_markup(steady):
    dataset = steady.dataset.copy()
    dataset["energy"].attrs = {"units": "<b>", "long_name": "<script>alert(1)</script>"}
    dataset.attrs = steady.dataset.attrs | {"outcome": "<img src=x>"}
    page = Record(dataset)._repr_html_()
    assert "<script" not in page
    assert "<img" not in page
    assert "<b>" not in page


def test_operators_and_sites_show_themselves():
    cells = Cells((0.5 * s.X(0) * s.Z(2) + 2j * s.Sp(1))._repr_html_()).cells
    assert cells == ["0.5", "X(0) Z(2)", "0, 2", "(0+2j)", "Sp(1)", "1"]
    assert "and 10 more terms" in sum(s.X(i) for i in range(30))._repr_html_()
    cells = Cells(s._repr_html_()).cells
    assert cells[cells.index("X") + 1 :][:1] == ["0 1; 1 0"] or "0 1; 1 0" in cells


def test_a_long_array_is_shown_by_its_extremes(steady):
    dataset = steady.dataset.assign(long=("k", np.sin(np.arange(50.0)), {"units": "J"}))
    text = repr(Record(dataset))
    assert "long [J] (50)  from -0.99999 at k 11 to 0.99" in text
