"""Reports: whole, self-contained, with the numbers of the record, and readable in a browser."""

import json
import re
import shlex
import shutil
from html.parser import HTMLParser

import browser
import pytest

from command_line import refused, well
from small_runs import QUICK, Pumped
from tnness import Record, converge, evolve, steady_state, sweep
from tnness.errors import InputError, RecordError
from tnness.study.advice import next_steps, repeating
from tnness.study.report import report

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """A page: texts, names of parts, links; every tag that is opened must be closed."""

    def __init__(self, path):
        super().__init__()
        self.text, self.ids, self.links, self.tags, self.open = "", [], [], [], []
        self.feed(path.read_text())
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        about = dict(attrs)
        self.tags.append(tag)
        self.ids += [about["id"]] if "id" in about else []
        self.links += [v for k, v in attrs if k in ("href", "xlink:href", "src")]
        self.links += re.findall(r"url\(([^)]*)\)", about.get("style", "") + about.get("clip-path", ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    steady_state(Pumped(), engine=QUICK, out=folder / "steady.nc")
    evolve(Pumped(), [0.0, 0.5, 1.0], engine=QUICK, tolerance=0.2, out=folder / "evolution.nc")
    converge(Pumped(), [3, 4], tolerance=0.05, out=folder / "convergence.nc")
    grid = {"a": [0.5, 1.0], "n": [2, 3]}
    sweep("ssep", {"inject_left": grid["a"], "n": grid["n"]}, store=folder / "store", engine="exact", workers=0)
    for name in ("steady", "evolution", "convergence"):
        report(folder / f"{name}.nc", folder / f"{name}.html")
    report(folder / "store", folder / "store.html")
    return folder


@pytest.mark.parametrize("name", ["steady", "evolution", "convergence", "store"])
def test_a_page_is_whole_and_loads_nothing(made, name):
    page = Page(made / f"{name}.html")
    assert "script" not in page.tags
    assert page.tags.count("figure") >= 2
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        assert link.startswith(("#", "data:"))
        assert not link.startswith("#") or link[1:] in page.ids


def test_a_page_says_what_the_record_says(made):
    page, record = Page(made / "steady.html"), Record.open(made / "steady.nc")
    assert f"outcome: {record.outcome}" in page.text
    for name, value in record.certificate.figures().items():
        assert name not in ("residual", "positivity") or f"{value:.3g}" in page.text
    for part in ("Values", "Figures", "Certificate", "How it got there", "Provenance", "kick"):
        assert part in page.text
    assert json.loads(record.dataset.attrs["versions"])["numpy"] in page.text


def test_a_sweep_shows_its_points_and_failures(made):
    text = Page(made / "store.html").text
    assert "4 points: 4 done" in text
    assert text.count("exact") >= 4


def test_a_page_is_not_replaced_unasked_and_never_written_over_a_record(made):
    with pytest.raises(RecordError, match="exists already"):
        report(made / "steady.nc", made / "steady.html")
    with pytest.raises(InputError, match="over the record"):
        report(made / "steady.nc", made / "steady.nc", overwrite=True)
    with pytest.raises(RecordError):
        report(made / "nothing.nc", made / "other.html")


def test_texts_of_a_strange_record_are_no_markup(made, tmp_path):
    record = Record.open(made / "steady.nc")
    for name in ("energy", "z"):
        record.dataset[name].attrs |= {"units": "<b>$\\frac", "long_name": "</svg><script>alert(1)</script>"}
    record.dataset.attrs["outcome"] = "<img src=http://else.where>"
    record.save(tmp_path / "odd.nc")
    page = Page(report(tmp_path / "odd.nc", tmp_path / "odd.html"))
    assert "script" not in page.tags
    assert "img" not in page.tags


def test_the_command_repeats_the_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = ("-p", "n=3", "--chi", 4, "--order", 2, "--tol", 0.05, "--power", 0, "--initial", "product:010")
    well("run", "ssep", *settings, "--seed", 3, "--watch", "current", "--max-time", 50, "--out", "a.nc", "-q")
    first = Record.open("a.nc")
    well(*shlex.split(repeating(first))[1:], "--out", "b.nc", "-q")
    assert Record.open("b.nc").settings == first.settings


def test_what_is_advised_runs(made):
    record = Record.open(made / "steady.nc")
    commands = [command for _, command in next_steps(record, made / "steady.nc")]
    assert any("--dt" in command or "--chi" in command for command in commands)
    assert commands[-1].startswith("tnness report")


def test_the_command_line(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(made / "steady.nc", "r.nc")
    assert well("report", "r.nc").out.strip().endswith("r.html")
    refused("report", "r.nc", told=("exists already",))
    refused("report", "r.nc", "--out", "s.html", "--follow", told=("--follow",))
    refused("report", "no.nc", "--out", "s.html", told=("no.nc",))
    assert "4 done" in Page(made / "store.html").text
    well("report", made / "store", "--out", "s.html", "--follow")
    assert 'http-equiv="refresh"' not in (tmp_path / "s.html").read_text()


@pytest.mark.skipif(browser.BROWSER is None, reason="no browser on this machine")
@pytest.mark.parametrize("width", [500, 1600])
def test_a_browser_shows_a_page_without_complaint(made, tmp_path, width):
    """Whatever the page's policy forbids, or a browser cannot read, would be a line on the console."""
    shot = tmp_path / "shot.png"
    assert browser.complaints((made / "convergence.html").as_uri(), shot, width, 1200) == []
    assert shot.stat().st_size > 20_000


@pytest.mark.skipif(browser.BROWSER is None, reason="no browser on this machine")
def test_a_complaint_of_a_page_is_heard(tmp_path):
    (tmp_path / "bad.html").write_text("<script>console.error('here')</script>")
    (heard,) = browser.complaints((tmp_path / "bad.html").as_uri(), tmp_path / "shot.png")
    assert "here" in heard


def test_formulas_of_labels_are_drawn_and_what_is_none_stays():
    from matplotlib.figure import Figure

    from tnness.study.svg import drawn_for_a_page, inline_svg

    with drawn_for_a_page():
        figure = Figure()
        axes = figure.subplots()
        axes.set(xlabel="site $i$", ylabel="a $b", title=r"$\frac$ and $")
        svg = re.sub(r"<!--.*?-->", "", inline_svg(figure, "caption", 1), flags=re.DOTALL)
    assert "$i$" not in svg
    assert ">a $b<" in svg
    assert r"\frac" in svg
