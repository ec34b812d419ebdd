"""Types in one place: one wrong value gives one line that says where, what was given and what is needed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tnness.engines.accelerated import Accelerated
from tnness.engines.ask import Ask
from tnness.engines.exact import Exact
from tnness.engines.gaussian import Gaussian
from tnness.engines.protocol import Engine
from tnness.engines.registry import ENGINES, build_engine
from tnness.engines.tebd import TEBD
from tnness.engines.trajectories import Trajectories
from tnness.engines.transfer import Transfer
from tnness.errors import InputError
from tnness.network.truncation import Truncation
from tnness.typed import build_dataclass, check_fields, checked, field_parameters, field_types, type_name, typed


class Sized(Protocol):
    def __len__(self) -> int: ...


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("value", "annotation", "kept"),
    [
        (np.int64(3), int, 3),
        (4.0, int, 4),
        (2, float, 2.0),
        (np.float32(0.5), float, 0.5),
        (np.True_, bool, True),
        (None, int | None, None),
        ("a", int | str, "a"),
        (2.0, Literal[2, 4], 2),
        (range(3), tuple[int, ...], (0, 1, 2)),
        (np.array([1, 2.5]), tuple[float, ...], (1.0, 2.5)),
        (xr.DataArray([1, 2]), Sequence[float], (1.0, 2.0)),
        ((x for x in "ab"), tuple[str, ...], ("a", "b")),
        ([1, "a"], tuple[int, str], (1, "a")),
        (Path("x"), str | Path | None, Path("x")),
        ({"a": 1}, Any, {"a": 1}),
        (len, Callable[..., int], len),
        (5, Sized, 5),  # a protocol cannot be asked
    ],
)
def test_a_value_becomes_what_its_annotation_says(value, annotation, kept):
    result = checked("x", value, annotation)
    assert result == kept
    assert type(result) is type(kept)


@pytest.mark.parametrize(
    ("value", "annotation", "told"),
    [
        ("8", int, "x = '8' is not an integer"),
        (True, int, "x = True is not an integer"),
        (True, float, "x = True is not a number"),
        (1j, float, "x = 1j is not a number"),
        (np.nan, float, "x = nan: a finite number is needed"),
        (1, bool, "x = 1 is not true or false"),
        (None, str, "x = None is not a string"),
        (True, Literal[1, 2], "x = True is not one of 1, 2"),
        ([1], Literal["a"], r"x = \[1\] is not one of a"),
        ("8,16", tuple[int, ...], "x = '8,16' is not a list of integers"),
        ({1, 2}, tuple[int, ...], r"x = \{1, 2\} is not a list of integers"),
        (np.array(3), tuple[int, ...], r"x = array\(3\) is not a list of integers"),
        ([1, "a"], tuple[int, ...], r"x\[1\] = 'a' is not an integer"),
        ([1, 2, 3], tuple[int, int], r"x = \[1, 2, 3\]: 2 values are needed"),
        (3, str | Path, "x = 3 is not a string or a Path"),
        (3, Engine, "x = 3 is not an Engine"),
        (3, Callable[[], int], "x = 3 is not a function"),
        (np.eye(30), float, r"^x = array.{1,60} is not a number$"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(value, annotation, told):
    with pytest.raises(InputError, match=told) as caught:
        checked("x", value, annotation)
    assert "\n" not in str(caught.value)


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())))
def test_what_passes_once_passes_again_unchanged(value):
    for annotation in (int, float, bool, str, tuple[int, ...], int | None, float | str):
        try:
            kept = checked("x", value, annotation)
        except InputError:
            continue
        assert checked("x", kept, annotation) == kept


def test_type_names_of_classes_are_words():
    assert type_name(Engine) == "an Engine"
    assert type_name(Path | None) == "a Path or none"
    assert type_name(Sequence[bool]) == "a list of truth values"


# ---------------------------------------------------------------- fields


@dataclass(frozen=True)
class Bond:
    chi: int  # bond dimension
    step: float = 0.1  # of time [1/J]
    kinds: list[str] = field(default_factory=list)

    def __post_init__(self):
        check_fields(self, "bond")


@dataclass(frozen=True)
class Wide(Bond):
    width: float = 1.0  # of it


def test_fields_are_described_by_their_comments_those_of_bases_too():
    known = field_parameters(Wide)
    assert list(known) == ["chi", "step", "kinds", "width"]
    assert (known["step"].description, known["step"].unit, known["step"].default) == ("of time", "1/J", 0.1)
    assert known["chi"].required
    assert known["width"].type_name == "a number"


def test_fields_are_kept_as_their_types_say():
    bond = Bond(np.int32(4), 1, ("a",))
    assert (bond, type(bond.chi), type(bond.step)) == (Bond(4, 1.0, ["a"]), int, float)
    with pytest.raises(InputError, match="bond: chi = '4' is not an integer"):
        Bond("4")


def test_a_dataclass_is_built_from_values_by_name():
    assert build_dataclass(Bond, {"chi": 4}, "bond", "setting") == Bond(4)
    for values, told in [
        ({}, "bond needs a value for chi"),
        ({"chii": 4}, r"bond has no setting 'chii' \(did you mean 'chi'\?\)"),
        ({"chi": 4, "step": "x"}, "bond: step = 'x' is not a number"),
    ]:
        with pytest.raises(InputError, match=told):
            build_dataclass(Bond, values, "bond", "setting")


def test_an_annotation_that_means_nothing_is_said():
    space: dict[str, Any] = {"dataclass": dataclass}
    exec("@dataclass\nclass Lost:\n    n: 'Nowhere' = 2\n", space)
    with pytest.raises(InputError, match="Lost: the type of a field cannot be found: name 'Nowhere'"):
        field_types(space["Lost"])


# ---------------------------------------------------------------- engines, jobs


@pytest.mark.parametrize(
    ("build_it", "told"),
    [
        (lambda: TEBD(chi="8"), "engine 'tebd': chi = '8' is not an integer"),
        (lambda: TEBD(chi=True), "engine 'tebd': chi = True is not an integer"),
        (lambda: TEBD(dt="0.1"), "engine 'tebd': dt = '0.1' is not a number"),
        (lambda: TEBD(schedule=8), "engine 'tebd': schedule = 8 is not a list of integers"),
        (lambda: TEBD(schedule=(8, "x")), r"engine 'tebd': schedule\[1\] = 'x' is not an integer"),
        (lambda: TEBD(method=3), "engine 'tebd': method = 3 is not a string"),
        (lambda: TEBD(order="4"), "engine 'tebd': order = '4' is not an integer"),
        (lambda: Accelerated(burst=""), "engine 'accelerated': burst = '' is not a number"),
        (lambda: Accelerated(bracket=1), "engine 'accelerated': bracket = 1 is not true or false"),
        (lambda: Exact(tolerance="x"), "engine 'exact': tolerance = 'x' is not a number"),
        (lambda: Gaussian(tolerance=None), "engine 'gaussian': tolerance = None is not a number"),
        (lambda: Trajectories(realizations="many"), "engine 'trajectories': realizations = 'many' is not an integer"),
        (lambda: Transfer(nodes=[8]), r"engine 'transfer': nodes = \[8\] is not an integer"),
        (lambda: build_engine("tebd", {"chi": "8"}), "engine 'tebd': chi = '8' is not an integer"),
        (lambda: Truncation(chi="8"), "chi = '8' is not an integer"),
        (lambda: Ask(seed="1"), "seed = '1' is not an integer"),
        (lambda: Ask(times="0,1"), "times = '0,1' is not a list of numbers"),
        (lambda: Ask(watch="z"), "watch = 'z' is not a list of strings"),
        (lambda: Ask(refine="no"), "refine = 'no' is not true or false"),
    ],
)
def test_settings_of_a_wrong_type_are_refused_in_one_line(build_it, told):
    with pytest.raises(InputError, match=told) as caught:
        build_it()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_every_setting_of_every_engine_is_checked(name):
    for setting in field_types(ENGINES[name]):
        with pytest.raises(InputError, match=f"engine '{name}': {setting} = "):
            ENGINES[name](**{setting: object()})


def test_numbers_of_numpy_are_kept_as_numbers():
    engine = TEBD(chi=np.int64(8), dt=1, schedule=[np.int64(4)])
    assert engine == TEBD(chi=8, dt=1.0, schedule=(4,))
    assert [type(value) for value in (engine.chi, engine.dt, engine.schedule)] == [int, float, tuple]


# ---------------------------------------------------------------- arguments


@typed
def wait(seconds: float, *names: str, engine: Engine | str | None = None, every: float = 60) -> tuple[Any, ...]:
    """Wait."""
    return seconds, names, engine, every


def _total(values: Sequence[float]) -> float:
    return sum(values)


def test_arguments_are_checked_and_passed_on_as_they_are():
    assert wait(1, "a", engine="tebd") == (1, ("a",), "tebd", 60)
    assert type(wait(1)[0]) is int
    assert wait.__doc__ == "Wait."
    for arguments, named, told in [
        (("long",), {}, r"wait\(\): seconds = 'long' is not a number"),
        ((1,), {"engine": 5}, r"wait\(\): engine = 5 is not an Engine or a string or none"),
        ((1,), {"every": None}, r"wait\(\): every = None is not a number"),
    ]:
        with pytest.raises(InputError, match=told):
            wait(*arguments, **named)
    total = typed(_total)
    assert total(iter([1.0, 2.0])) == total(np.array([1.0, 2.0])) == 3.0
    with pytest.raises(TypeError, match="secnds"):
        wait(1, secnds=1)


def test_integers_have_64_bits_and_numbers_those_of_a_double():
    assert checked("seed", 2**64 - 1, int) == 2**64 - 1
    with pytest.raises(InputError, match=r"^seed = 18446744073709551616 is too large: an integer has at most 64 bits$"):
        checked("seed", 2**64, int)
    with pytest.raises(InputError, match=r"^rate = 1000.*: a finite number is needed$"):
        checked("rate", 10**400, float)


def test_the_keys_and_entries_of_a_mapping_are_checked():
    assert checked("parts", {"a": (1.0, 2.0)}, Mapping[str, Sequence[float]]) == {"a": (1.0, 2.0)}
    with pytest.raises(InputError, match=r"^parts\['a'\] = 1 is not a list of numbers$"):
        checked("parts", {"a": 1}, Mapping[str, Sequence[float]])
    with pytest.raises(InputError, match=r"^a key of parts = 1 is not a string$"):
        checked("parts", {1: [2.0]}, Mapping[str, Sequence[float]])


def test_an_array_of_texts_arrives_as_a_tuple():
    @typed
    def named(names: Sequence[str] | None = None):
        return names

    assert named(np.array(["a", "b"])) == ("a", "b")
    assert named(np.array([])) == ()
    assert named() is None
