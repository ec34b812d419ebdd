"""docs/spaces.md: its snippets run as they stand, one after the other."""

import re
import types
from pathlib import Path

import pytest
from numpy.testing import assert_allclose

PAGE = (Path(__file__).parents[2] / "docs" / "spaces.md").read_text()
SNIPPETS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def page() -> tuple[types.ModuleType, list[str]]:
    """What the page defines, and what it prints."""
    import sys

    module, printed = types.ModuleType("spaces_page"), []
    module.__dict__["print"] = lambda *values: printed.append(" ".join(map(str, values)))
    sys.modules["spaces_page"] = module  # dataclasses look their module up
    for snippet in SNIPPETS:
        exec(compile(snippet, "docs/spaces.md", "exec"), module.__dict__)
    return module, printed


def test_operators_of_the_page(page):
    _, printed = page
    assert printed[:3] == ["[ 1.  1.  1. -3.]", "(N**2 - N)(4) | Bd(0) B(1)", "4 False 9 6"]


def pochhammer_series(c: complex, z: float) -> float:
    """0F2(c, c*; z) = sum_k z^k / (|(c)_k|^2 k!)."""
    total, term = 0.0, 1.0
    for k in range(60):
        total += term
        term *= z / (abs(c + k) ** 2 * (k + 1))
    return total


def test_a_driven_cavity_has_the_number_of_the_exact_solution(page):
    """Drummond and Walls, J. Phys. A 13, 725 (1980): H = Delta N + chi N(N-1) + F(b + b^+), loss kappa.

    <N> = |F/chi|^2/|c|^2 0F2(c+1, c*+1; z)/0F2(c, c*; z), c = (Delta - i kappa/2)/chi, z = 2 |F/chi|^2.
    """
    _, printed = page
    number, weight = map(float, printed[3].split())
    c, drive = (-1 - 0.5j) / 0.5, 0.4 / 0.5
    z = 2 * drive**2
    exact = drive**2 / abs(c) ** 2 * pochhammer_series(c + 1, z) / pochhammer_series(c, z)
    assert_allclose(number, exact, atol=1e-8)
    assert 0 < weight < 1e-8


def test_initial_states_of_the_page(page):
    _, printed = page
    assert printed[4] == printed[5]  # ghz, by its name and by its amplitudes
    assert "the state has local dimensions (2, 2, 2)" in printed[-1]
