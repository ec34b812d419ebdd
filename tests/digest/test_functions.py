"""Digests of functions by bytecode: what makes another function, and what is only another text."""

import math
import sys
import textwrap
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial

import numpy as np
import pytest

from tnness.digest.content import digest_of_function, is_seen_through
from tnness.model.registry import module_from_file

SCALE = 2.0


def function(text, name="measure", **space):
    """The function of that name in a piece of code."""
    space["__name__"] = "own"
    exec(compile(textwrap.dedent(text), "somewhere.py", "exec"), space)
    return space[name]


def of(text, **space):
    return digest_of_function(function(text, **space))


PLAIN = "def measure(view):\n    total = view.sum() * 3.0\n    return total + 1"


@pytest.mark.parametrize(
    "same",
    [
        "\n\n\n# moved down\n" + PLAIN,
        "def measure(state):\n    result = state.sum() * 3.0  # renamed\n    return result + 1",
        'def measure(view):\n    """Say what it does."""\n    total = view.sum() * 3.0\n    return total + 1',
        "def measure(view: float) -> float:\n    total = view.sum() * 3.0\n    return total + 1",
    ],
)
def test_another_place_name_of_a_variable_or_docstring_is_the_same_function(same):
    assert of(PLAIN) == of(same)


@pytest.mark.parametrize(
    "other",
    [
        PLAIN.replace("3.0", "3.5"),
        PLAIN.replace("3.0", "3"),
        PLAIN.replace("sum", "mean"),
        PLAIN.replace("+ 1", "- 1"),
        PLAIN.replace("view)", "view, weight=1)"),
        PLAIN.replace("view)", "*view)"),
    ],
)
def test_another_constant_name_or_signature_is_another_function(other):
    assert of(PLAIN) != of(other)


def test_a_function_that_says_nothing_is_the_same_with_and_without_docstring():
    assert of("def measure(v):\n    v.go()") == of('def measure(v):\n    "Go."\n    v.go()')
    assert of("measure = lambda v: 'a'") != of("measure = lambda v: 'b'")


def test_defaults_and_closures_count():
    def scaled(by, offset=0):
        return lambda view, power=offset: by * view**power

    assert digest_of_function(scaled(2)) == digest_of_function(scaled(2))
    assert len({digest_of_function(f) for f in (scaled(2), scaled(3), scaled(2, 1), scaled(np.ones(2)))}) == 4
    assert digest_of_function(scaled(np.full(3, 0.3))) == digest_of_function(scaled(np.full(3, 0.1 + 0.2)))


def test_code_nested_in_a_function_counts():
    text = "def measure(v):\n    def inner(x):\n        return [y + {} for y in x]\n    return inner(v)"
    assert of(text.format(1)) == of(text.format(1)) != of(text.format(2))


def test_functions_and_numbers_of_its_own_package_count():
    text = "FACTOR = {}\ndef part(v):\n    return v + {}\ndef measure(v):\n    return FACTOR * part(v)"
    assert len({of(text.format(*numbers)) for numbers in ((1, 2), (1, 3), (2, 2))}) == 3
    assert of(text.format(1, 2)) == of(text.format(1, 2))


def test_functions_of_other_packages_count_by_name():
    text = "def measure(v):\n    return f(v)"
    assert len({of(text, f=f) for f in (math.sin, math.cos, np.sin, np.mean, np.linalg.norm)}) == 5
    assert of(text, f=textwrap.dedent) == of(text, f=textwrap.dedent)


def test_functions_that_call_each_other_or_themselves_have_a_digest():
    text = "def odd(n):\n    return n and even(n - 1)\ndef even(n):\n    return not n or odd(n - {})\nmeasure = even"
    assert of(text.format(1)) == of(text.format(1)) != of(text.format(2))

    def fold(n):
        return n and fold(n - 1)

    assert digest_of_function(fold) == digest_of_function(fold)


@dataclass(frozen=True)
class Meter:
    """A model of sorts, whose measurements are methods."""

    scale: float
    seen: dict = field(default_factory=dict, compare=False)

    def measure(self, view):
        return SCALE * self.part(view)

    def part(self, view):
        return self.scale * view + self.offset

    @cached_property
    def offset(self):
        return len(self.seen)

    def __call__(self, view):
        return self.part(view)


def test_bound_methods_count_with_the_fields_of_their_object():
    one, cached = Meter(1.0), Meter(1.0, {"a": 1})
    _ = cached.offset
    assert digest_of_function(one.measure) == digest_of_function(cached.measure)
    assert digest_of_function(one.measure) != digest_of_function(Meter(5.0).measure)
    assert digest_of_function(one.measure) != digest_of_function(one.part)
    assert digest_of_function(one) == digest_of_function(Meter(1.0)) != digest_of_function(Meter(2.0))
    assert digest_of_function(lambda view: one.part(view)) != digest_of_function(lambda view: one.measure(view))


def test_a_method_that_a_measurement_calls_counts():
    text = """
    class Meter:
        def __init__(self, scale): self.scale = scale
        def part(self, v): return v + {}
        @property
        def weight(self): return {}
        def measure(self, v): return self.weight * self.part(v)
    measure = Meter({}).measure
    """
    assert len({of(text.format(*numbers)) for numbers in ((1, 2, 3), (0, 2, 3), (1, 0, 3), (1, 2, 0))}) == 4


def test_partial_and_cached_functions_count_by_what_they_hold():
    def power(x, exponent):
        return x**exponent

    assert digest_of_function(partial(power, exponent=2)) == digest_of_function(partial(power, exponent=2))
    assert digest_of_function(partial(power, exponent=2)) != digest_of_function(partial(power, exponent=3))
    assert digest_of_function(lru_cache(power)) == digest_of_function(power)


def test_an_object_that_holds_itself_has_a_digest():
    loop: list = [1.0]
    loop.append(loop)
    assert digest_of_function(lambda: loop) == digest_of_function(lambda: loop)


def test_the_tag_names_the_bytecode():
    tag, _, hexadecimal = digest_of_function(lambda: 0).partition(":")
    assert tag == sys.implementation.cache_tag
    assert len(hexadecimal) == 32


def test_what_says_itself_what_it_states_carries_no_tag():
    class Stated:
        def digest(self):
            return "all of it"

        def measure(self, view):
            return view

    assert is_seen_through(Stated().measure)
    assert not is_seen_through(lambda view: view)
    assert ":" not in digest_of_function(Stated().measure)


def test_a_file_that_moved_keeps_its_digests(tmp_path):
    """A new folder, another name, lines above: the module's name differs, and so do all paths and line numbers."""
    text = "import numpy as np\nSCALE = 3.0\ndef part(v): return SCALE * v\ndef measure(v): return part(np.sum(v))\n"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "mine.py").write_text(text)
    (tmp_path / "b" / "yours.py").write_text("# moved\n\n\n" + text)
    (tmp_path / "b" / "changed.py").write_text(text.replace("3.0", "3.1"))
    mine, yours, changed = (module_from_file(tmp_path / p).measure for p in ("a/mine.py", "b/yours.py", "b/changed.py"))
    assert digest_of_function(mine) == digest_of_function(yours) != digest_of_function(changed)
