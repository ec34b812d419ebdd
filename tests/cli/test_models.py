"""`tnness models` and `tnness show`."""

import pytest

from command_line import REGISTERED, well
from tnness.model import registry


def test_models_lists_every_model_with_its_summary():
    answer = well("models")
    for name in REGISTERED:
        (line,) = [line for line in answer.out.splitlines() if line.startswith(f"{name} ")]
        assert len(line.split()) > 3
    assert answer.err == ""


def test_models_names_only():
    names = well("models", "--names").out.split()
    assert set(REGISTERED) <= set(names)
    assert names == sorted(names)


def test_models_names_a_package_that_could_not_be_loaded(monkeypatch):
    monkeypatch.setattr(registry, "broken_packages", lambda: {"lost (lost.models)": "ImportError: no module"})
    answer = well("models")
    assert "lost (lost.models)" in answer.err
    assert "ImportError: no module" in answer.err
    assert "ssep" in answer.out


@pytest.mark.parametrize("name", REGISTERED)
def test_show_says_everything_about_a_model(name):
    text = well("show", name).out
    for heading in ("Parameters", "Observables", "Problem", "Engines", "doi:"):
        assert heading in text
    assert "number of sites" in text


def test_show_lists_types_defaults_units_and_dimensions():
    lines = [line.split() for line in well("show", "ssep").out.splitlines()]
    assert ["rate", "a", "number", "1.0", "1/time", "rate", "of", "a", "hop", "to", "an", "empty", "neighbour"] in lines
    assert any(line[:4] == ["density_correlation", "site,", "site_2", "1"] for line in lines)


def test_show_a_model_in_a_file(here):
    assert "1/time" in well("show", "chains.py:Pumped").out


def test_show_a_model_with_a_required_parameter(here):
    text = well("show", "chains.py:Needs").out
    assert "required" in text
    assert "of the barrier" in text
