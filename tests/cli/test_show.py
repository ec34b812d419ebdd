"""`tnness show` of files and stores, `--version`, and the completion of a shell."""

import pytest

from command_line import call, refused, well
from tnness import Record
from tnness.records.record import versions


def test_show_a_record_says_what_its_run_said(here):
    said = well("run", "ssep", "-p", "n=4", "--chi", 4, "--out", "new.nc").out
    assert well("show", "new.nc").out == said
    assert "discarded_weight" in well("show", "new.nc", "--verbose").out


def test_show_an_evolution_gives_its_last_time(here):
    text = well("show", "evolution.nc").out
    assert "at t = 1, the last of 3 times" in text
    assert "outcome: complete" in text


def test_show_a_sweep_and_its_table(here):
    shown = well("sweep", "ssep", "--grid", "n=3,4", "--engine", "exact", "--store", "s", "--workers", 0)
    assert "density (2 x 1 x 4)  from" in shown.out
    assert "tnness report s --out s.html" in shown.out
    assert "2 points: 2 done" in well("show", "s").out
    well("collect", "s", "--out", "t.nc", "-q")
    text = well("show", "t.nc").out
    assert "from 0.2 at n 4, realization 0, site 3 to 0.8 at n 4, realization 0, site 0" in text


def test_a_record_of_a_stranger_orders_the_terminal_about_nowhere(here):
    record = Record.open("exact.nc")
    record.dataset["density"].attrs |= {"units": "\x1b[2J", "long_name": "\x1b]0;title\x07"}
    record.dataset.attrs["outcome"] = "exact\x1b[31m\nrecord: other.nc"
    record.save("odd.nc")
    text = well("show", "odd.nc").out
    assert all(c.isprintable() or c == "\n" for c in text)
    assert text.count("\nrecord:") == 1


def test_a_file_that_is_not_there_is_no_model(here):
    refused("show", "no.nc", told=("there is no record no.nc",))


def test_the_version():
    assert well("--version").out == f"tnness {versions()['tnness']}\n"


@pytest.mark.parametrize(("typed", "known"), [("tnness sh", "show"), ("tnness conv", "converge")])
def test_the_shell_completes_commands(monkeypatch, typed, known):
    monkeypatch.setenv("_TNNESS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", "1")
    assert known in call().out.split()
