"""Digests of observables: by their operators where they have any, else by bytecode."""

import textwrap

import numpy as np
import pytest

from tnness import find
from tnness.model.protocol import draw
from tnness.model.registry import module_from_file
from tnness.observables.observable import (
    Observable,
    digest_of_observables,
    expectation,
    operator_entanglement,
    purity,
    renyi2_entropy,
    renyi2_mutual_information,
    two_point,
)
from tnness.operators.basis import spin_half as s

N = 4


def of(observable):
    return digest_of_observables({"it": observable})["it"]


def test_expectations_are_known_by_their_operators():
    bond = expectation(s.X(0) * s.X(1) + s.Y(0) * s.Y(1), unit="J", description="hopping")
    other = expectation(2 * (s.Sp(1) * s.Sm(0) + s.Sp(0) * s.Sm(1)), monitored=False)
    assert of(bond) == of(other)
    assert of(bond).seen_through
    assert of(bond) != of(expectation(s.X(0) * s.X(1) - s.Y(0) * s.Y(1)))


def test_lists_two_point_functions_and_entropies_are_told_apart():
    profile = [s.Z(i) for i in range(N)]
    distinct = [expectation(profile, "site"), expectation(profile, "place"), expectation(profile[::-1], "site")]
    distinct += [expectation(profile[:1], "site"), expectation(profile[0]), purity(), renyi2_entropy()]
    distinct += [renyi2_mutual_information(), operator_entanglement(), two_point(s.Z, s.Z), two_point(s.Z, s.X)]
    distinct += [two_point(s.Z, s.Z, connected=True)]
    digests = [of(observable) for observable in distinct]
    assert len(set(digests)) == len(distinct)
    assert all(digest.seen_through for digest in digests)
    assert all(":" not in digest.digest for digest in digests)


def test_dimensions_and_coordinates_count():
    def measure(view):
        return view.values

    grids = [Observable(measure, ("energy",), coordinates={"energy": np.array(grid)}) for grid in ([0, 1.0], [0, 2.0])]
    assert len({of(o) for o in (*grids, Observable(measure, ("energy",)), Observable(measure, ("site",)))}) == 4
    assert not of(grids[0]).seen_through
    assert of(Observable(measure)) == of(Observable(measure, description="said in other words", unit="J"))


def test_a_thermometer_is_known_by_its_hamiltonians():
    """Its eigenvectors have any phase, and within a degenerate level any direction."""
    cold, hot = (draw(find("mbl-heisenberg")(n=N, h=h), 3).observables() for h in (1.0, 2.0))
    assert digest_of_observables(cold)["beta"].seen_through
    assert digest_of_observables(cold)["beta"] != digest_of_observables(hot)["beta"]
    assert digest_of_observables(cold)["beta"] != digest_of_observables(cold)["beta_variation"]


MODEL = """
from dataclasses import dataclass
import numpy as np
from tnness import Lindbladian, Observable, expectation, spin_half as s

@dataclass(frozen=True, kw_only=True)
class Mine:
    n: int = 3
    def problem(self):
        chain = Lindbladian([s] * self.n)
        chain.hamiltonian(s.X(0) * s.X(1))
        chain.jump(s.Sm(0), rate=1.0)
        return chain
    def observables(self):
        return {"z": expectation([s.Z(i) for i in range(self.n)], "site"),
                "own": Observable(lambda view: self._total(view))}
    def _total(self, view):
        return 3.0 * np.sum(view.expect(s.Z(0)))
"""


def test_a_model_file_that_moved_keeps_all_digests_and_a_changed_one_does_not(tmp_path):
    texts = {"here": MODEL, "there": f"# moved\n\n{MODEL}", "z": MODEL.replace("s.Z(i)", "s.X(i)")}
    texts |= {"own": MODEL.replace("3.0 *", "5.0 *"), "renamed": MODEL.replace("Mine", "Yours")}
    digests, problems = {}, {}
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "system.py").write_text(text)
        module = module_from_file(tmp_path / name / "system.py")
        model = getattr(module, "Yours" if name == "renamed" else "Mine")()
        digests[name], problems[name] = digest_of_observables(model.observables()), model.problem().digest()
    assert digests["here"] == digests["there"]
    assert digests["here"]["z"] == digests["renamed"]["z"]
    assert len(set(problems.values())) == 1
    for changed, other in (("z", "own"), ("own", "z")):
        assert digests[changed][changed] != digests["here"][changed]
        assert digests[changed][other] == digests["here"][other]


@pytest.mark.parametrize("name", ["random-circuit", "noisy-anderson", "anderson-wire", "replica-abc"])
def test_models_built_twice_have_equal_observables_and_others_with_other_parameters(name):
    first, again = (draw(find(name)().small(), 1) for _ in range(2))
    assert digest_of_observables(first.observables()) == digest_of_observables(again.observables())


def test_a_constant_inside_a_method_of_the_model_counts():
    text = textwrap.dedent("""
    class Model:
        def _part(self, view): return {} * view
        def measure(self): return lambda view: self._part(view)
    """)
    digests = []
    for number in (1.0, 1.0, 2.0):
        space = {"__name__": "mine"}
        exec(text.format(number), space)
        digests.append(of(Observable(space["Model"]().measure())))
    assert digests[0] == digests[1] != digests[2]
