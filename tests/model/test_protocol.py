"""What a model is: parameters from the source, values checked against their types."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pytest

from tnness.errors import InputError, ModelError
from tnness.model.checks import check_rates, check_sites, site_profile
from tnness.model.parameters import build, parameters
from tnness.model.protocol import Model, draw, generator_of, problem_of, summary, values_of
from tnness.operators.basis import spin_half
from tnness.problems.lindbladian import Lindbladian


@dataclass(frozen=True, kw_only=True)
class Base:
    n: int = 2  # sites

    def problem(self):
        chain = Lindbladian([spin_half] * self.n)
        chain.jump(spin_half.Sm(0))
        return chain

    def observables(self):
        return {}


@dataclass(frozen=True, kw_only=True)
class Chain(Base):
    """A chain that decays.

    And more about it.
    """

    rate: float = 1.0  # rate of the decay [1/time]
    required: float  # no default [J]
    kind: Literal["open", "closed", 3] = "open"  # boundary, with a # in its text
    fields: tuple[float, ...] | None = None  # fields [of each site] [J]
    counts: list[int] = field(default_factory=list)
    label: str = ""
    flag: bool = False
    anything: Any = None
    either: int | str = 0


# ---------------------------------------------------------------- parameters


def test_parameters_carry_comment_unit_and_default():
    found = parameters(Chain)
    assert list(found) == ["n", "rate", "required", "kind", "fields", "counts", "label", "flag", "anything", "either"]
    assert (found["n"].description, found["n"].unit, found["n"].default) == ("sites", "", 2)
    assert (found["rate"].description, found["rate"].unit) == ("rate of the decay", "1/time")
    assert (found["fields"].description, found["fields"].unit) == ("fields [of each site]", "J")
    assert found["kind"].description == "boundary, with a # in its text"
    assert found["counts"].default == []
    assert found["label"].description == ""
    assert [name for name, parameter in found.items() if parameter.required] == ["required"]


def test_type_names_are_words():
    names = {name: parameter.type_name for name, parameter in parameters(Chain).items()}
    assert names["n"] == "an integer"
    assert names["rate"] == "a number"
    assert names["kind"] == "open | closed | 3"
    assert names["fields"] == "a list of numbers or none"
    assert names["counts"] == "a list of integers"
    assert names["label"] == "a string"
    assert names["flag"] == "true or false"
    assert names["either"] == "an integer or a string"


def test_parameters_of_an_instance_are_those_of_its_class():
    assert parameters(Chain(required=1.0)) == parameters(Chain)


def test_only_a_dataclass_has_parameters():
    with pytest.raises(ModelError, match="int is not a dataclass"):
        parameters(int)


def test_a_class_without_source_has_no_comments():
    space = {"dataclass": dataclass}
    exec("@dataclass(frozen=True)\nclass Written:\n    n: int = 2  # lost\n", space)
    assert parameters(space["Written"])["n"].description == ""


# ---------------------------------------------------------------- build


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("n", 3, 3),
        ("n", 3.0, 3),
        ("n", np.int64(3), 3),
        ("rate", 2, 2.0),
        ("rate", np.float32(0.5), 0.5),
        ("kind", "closed", "closed"),
        ("kind", 3, 3),
        ("fields", [1, 2.5], (1.0, 2.5)),
        ("fields", np.array([1.0, 2.5]), (1.0, 2.5)),
        ("fields", None, None),
        ("counts", [1, 2.0], (1, 2)),
        ("label", "x", "x"),
        ("flag", True, True),
        ("anything", {"a": 1}, {"a": 1}),
        ("either", 4, 4),
        ("either", "four", "four"),
    ],
)
def test_values_are_turned_into_their_types(name, given, kept):
    value = getattr(build(Chain, {"required": 1, name: given}), name)
    assert value == kept
    assert type(value) is type(kept)


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("rat", 1.0, r"has no parameter 'rat' \(did you mean 'rate'\?\)"),
        ("n", 2.5, "model 'chain': n = 2.5 is not an integer"),
        ("n", True, "n = True is not an integer"),
        ("n", "2", "n = '2' is not an integer"),
        ("n", float("nan"), "n = nan is not an integer"),
        ("rate", "fast", "rate = 'fast' is not a number"),
        ("rate", True, "rate = True is not a number"),
        ("rate", float("nan"), "rate = nan: a finite number"),
        ("rate", float("-inf"), "rate = -inf: a finite number"),
        ("rate", [1.0], r"rate = \[1.0\] is not a number"),
        ("rate", 1j, "is not a number"),
        ("kind", "opem", r"kind = 'opem' is not one of open, closed, 3 \(did you mean 'open'\?\)"),
        ("kind", 4, "kind = 4 is not one of open, closed, 3"),
        ("fields", 1.0, "fields = 1.0 is not a list of numbers"),
        ("fields", "1,2", "fields = '1,2' is not a list of numbers"),
        ("fields", [1.0, "a"], r"fields\[1\] = 'a' is not a number"),
        ("fields", [1.0, float("inf")], r"fields\[1\] = inf: a finite number"),
        ("counts", [1, 1.5], r"counts\[1\] = 1.5 is not an integer"),
        ("label", 3, "label = 3 is not a string"),
        ("flag", 1, "flag = 1 is not true or false"),
        ("either", 1.5, "either = 1.5 is not an integer or a string"),
    ],
)
def test_wrong_values_are_refused_in_one_line(name, given, reason):
    with pytest.raises(InputError, match=reason) as caught:
        build(Chain, {"required": 1, name: given}, "chain")
    assert "\n" not in str(caught.value)


def test_a_missing_value_is_named():
    with pytest.raises(InputError, match="model 'Chain' needs a value for required"):
        build(Chain, {})


def test_a_long_value_is_shortened():
    with pytest.raises(InputError) as caught:
        build(Chain, {"required": [0.1] * 1000})
    assert len(str(caught.value)) < 120


# ---------------------------------------------------------------- values, disorder, problem


def test_values_survive_json():
    model = build(Chain, {"required": np.float64(0.1), "fields": np.array([0.1, 0.2]), "anything": np.arange(2)})
    values = values_of(model)
    assert values == json.loads(json.dumps(values))
    assert values["fields"] == [0.1, 0.2]
    again = build(Chain, values)
    assert again.fields == model.fields
    assert again.required == model.required


def test_a_value_that_is_no_value_is_refused():
    with pytest.raises(ModelError, match="type object cannot be written"):
        values_of(Chain(required=1.0, anything=object()))


def test_drawing_is_for_those_who_have_disorder():
    @dataclass(frozen=True, kw_only=True)
    class Random(Base):
        x: float | None = None

        def draw(self, rng):
            return Random(x=rng.uniform())

    model = Chain(required=1.0)
    assert draw(model, 3) is model
    assert draw(Random(), 3) == draw(Random(), 3) != draw(Random(), 4)
    assert draw(Random(), 3).x == np.random.default_rng(3).uniform()


def test_the_protocol_is_two_methods():
    assert isinstance(Base(), Model)
    assert not isinstance(object(), Model)


def test_a_problem_becomes_a_generator():
    generator = generator_of(Base(n=3))
    assert generator.dims == (4, 4, 4)

    class Direct:
        def problem(self):
            return generator

    assert generator_of(Direct()) is generator


def test_errors_in_a_problem_name_the_model():
    class Wrong:
        def problem(self):
            return "a chain"

    class Far(Base):
        def problem(self):
            chain = Lindbladian([spin_half] * 4)
            chain.jump(spin_half.Sm(0) * spin_half.Sp(4))
            return chain

    class Leaning(Base):
        def problem(self):
            chain = Lindbladian([spin_half] * 2)
            chain.hamiltonian(1j * spin_half.Z(0))
            return chain

    with pytest.raises(ModelError, match=r"model 'x': jump 0 .* acts on site 4"):
        generator_of(Far(), "x")
    with pytest.raises(ModelError, match="model 'Leaning': the Hamiltonian is not Hermitian"):
        generator_of(Leaning())
    with pytest.raises(ModelError, match=r"model 'Wrong': .*returned a str"):
        generator_of(Wrong())


def test_summary_is_the_first_line():
    assert summary(Chain) == "A chain that decays."

    class Bare:
        pass

    assert summary(Bare) == ""


# ---------------------------------------------------------------- checks that models share


@pytest.mark.parametrize("n", [2, 20, np.int64(5)])
def test_a_chain_has_two_sites_or_more(n):
    check_sites(n)


@pytest.mark.parametrize("n", [1, 0, -3, 2.0, True, "2", None])
def test_anything_else_is_no_chain(n):
    with pytest.raises(InputError, match="at least 2"):
        check_sites(n)


def test_rates_are_not_negative():
    check_rates({"gamma": 0.0, "kappa": 2})
    for wrong in (-1e-9, float("nan"), float("inf")):
        with pytest.raises(InputError, match=r"kappa = .*: a rate is a finite number >= 0"):
            check_rates({"gamma": 1.0, "kappa": wrong})


def test_a_profile_has_one_number_per_site():
    assert site_profile("fields", np.array([1, 2]), 2) == (1.0, 2.0)
    assert site_profile("fields", site_profile("fields", [0.1, 0.2], 2), 2) == (0.1, 0.2)
    for wrong in ([1.0], [[1.0, 2.0]], 1.0):
        with pytest.raises(InputError, match="fields takes one number per site, n = 2"):
            site_profile("fields", wrong, 2)
    with pytest.raises(InputError, match=r"fields\[1\] is not a finite number"):
        site_profile("fields", [1.0, float("inf")], 2)
    with pytest.raises(InputError, match="fields takes one number per site"):
        site_profile("fields", [1.0, "a"], 2)


@pytest.mark.parametrize("given", [[], lambda: None, 3])
def test_what_is_no_model_is_refused_in_one_line(given):
    with pytest.raises(InputError, match="is not a model: it needs problem"):
        problem_of(given)
