"""`tnness check`."""

import pytest

from command_line import REGISTERED, assert_one_line, call, refused, well


@pytest.mark.parametrize("name", REGISTERED)
def test_check_passes_every_registered_model(name):
    answer = well("check", name)
    assert "FAILED" not in answer.out
    for subject in ("problem", "trace", "observables", "steady state", "positivity", "Trotter order 4"):
        assert subject in answer.out
    assert answer.err == ""


def test_check_passes_a_model_in_a_file(here):
    assert "unique" in well("check", "chains.py:Pumped").out


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Negative", "negative rate"),
        ("Skew", "not Hermitian"),
        ("Outside", "site 3"),
        ("Buggy", "nothing"),
        ("Unlabelled", "Observable"),
    ],
)
def test_check_fails_a_wrong_model_with_the_reason(here, name, told):
    answer = call("check", f"chains.py:{name}")
    assert answer.status == 1
    assert_one_line(answer.err)
    failed = [line for line in answer.out.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 1
    assert told in failed[0]
    assert failed[0].split()[1] in answer.err  # what failed is told, why is not told again
    assert told not in answer.err


def test_check_passes_a_chain_of_one_site(here):
    assert "unique" in well("check", "chains.py:Pumped", "-p", "n=1").out
    answer = call("check", "chains.py:Pumped", "-p", "n=0")
    assert answer.status != 0
    assert_one_line(answer.err)
    assert "at least one site" in answer.out
    for name in REGISTERED:
        refused("check", name, "-p", "n=1", told=("n = 1",))


def test_check_says_when_the_steady_state_is_not_unique(here):
    answer = well("check", "chains.py:Closed")
    assert "not unique" in answer.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("sep", ("did you mean 'ssep'",)),
        ("ssep -p rat=2", ("did you mean 'rate'",)),
        ("ssep -p rate=NaN", ("finite",)),
        ("mbl-heisenberg --seed -1", ("seed = -1",)),
        ("chains.py:Needs", ("height",)),
        ("lost.py:Chain", ("lost.py",)),
        ("", ("model",)),
    ],
)
def test_check_refuses_bad_input(here, arguments, told):
    refused("check", *arguments.split(), told=told)
