"""By which observables a run is judged."""

import pytest

from small_runs import Pumped
from tnness.engines.ask import names_of
from tnness.errors import InputError
from tnness.runs.watch import check_given, watched

OBSERVABLES = Pumped().observables()


def monitored(found):
    return {name for name, observable in found.items() if observable.monitored}


def test_what_is_not_watched_is_not_monitored():
    found = watched(OBSERVABLES, ["energy"])
    assert list(found) == list(OBSERVABLES)
    assert monitored(found) == {"energy"}
    assert found["z"].dims == OBSERVABLES["z"].dims
    assert monitored(OBSERVABLES) == {"z", "energy"}  # the model's own are as they were


def test_without_a_name_the_model_says_what_is_monitored():
    assert watched(OBSERVABLES, ()) == OBSERVABLES


@pytest.mark.parametrize(
    ("watch", "told"),
    [
        (["energi"], r"no observable 'energi' \(did you mean 'energy'\?\)"),
        (["z", "k"], r"no observable 'k' \(known: energy, z\)"),
        (["entanglement"], r"does not monitor 'entanglement'.*\(it monitors z, energy\)"),
    ],
)
def test_names_that_cannot_be_watched(watch, told):
    with pytest.raises(InputError, match=told):
        watched(OBSERVABLES, watch)


def test_a_model_that_monitors_nothing():
    with pytest.raises(InputError, match="it monitors none"):
        watched({"entanglement": OBSERVABLES["entanglement"]}, ["entanglement"])


def test_names_in_any_order_and_twice_are_the_same():
    assert names_of(["z", "energy", "z"]) == names_of(("energy", "z")) == ("energy", "z")
    for wrong in ("energy", [1], [None]):
        with pytest.raises(InputError, match=r"a list of strings|is not a string"):
            names_of(wrong)


def test_what_an_engine_cannot_give_is_not_watched():
    check_given(["z"], {"z", "energy"}, "exact")
    with pytest.raises(InputError, match="engine 'exact' cannot give 'entropy'"):
        check_given(["z", "entropy"], {"z"}, "exact")
