"""Digests of problems: the same physics however it is stated, other physics under whatever name."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains import QUANTUM, random_lindbladian
from tnness import find, models
from tnness.errors import ModelError
from tnness.model.protocol import UNKNOWN, Problem, digest_of_problem, draw, problem_of
from tnness.operators.basis import boson, spin_half, spinless
from tnness.problems.circuit import Circuit
from tnness.problems.ensembles import fixed, mixture
from tnness.problems.generator import ChainGenerator
from tnness.problems.hopping import FactorisedHopping
from tnness.problems.lindbladian import Lindbladian
from tnness.problems.resistors import resistor_chain
from tnness.problems.transfer import FixedValues, Lead, RandomBar, TransferChain, ring_modes
from transfer_chains import wire

s, f = spin_half, spinless
SHIPPED = {name: cls for name, cls in models().items() if cls.__module__.startswith("tnness_models")}
SMALL = {name: draw(cls().small(), 1) for name, cls in SHIPPED.items()}
every_model = pytest.mark.parametrize("name", SMALL)


def ulp(values, seed=0):
    """The values with up to one unit in the last place added."""
    return values * (1 + 2.3e-16 * np.random.default_rng(seed).integers(-1, 2, np.shape(values)))


def driven(n=4, rate=1.0, coupling=1.0, reverse=False):
    chain = Lindbladian([s] * n)
    for i in range(n - 1)[:: -1 if reverse else 1]:
        chain.hamiltonian(coupling * (s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1)))
    for jump in (s.Sp(0), s.Sm(n - 1))[:: -1 if reverse else 1]:
        chain.jump(jump, rate=rate)
    return chain


# ---------------------------------------------------------------- every model


@every_model
def test_every_problem_of_the_models_has_a_digest_and_keeps_it(name):
    model = SMALL[name]
    problem = model.problem()
    assert isinstance(problem, Problem)
    assert len(problem.digest().rpartition(":")[2]) == 32  # behind the version of Python whose functions were read
    assert problem.digest() == replace(model).problem().digest()


@every_model
def test_disorder_drawn_with_another_seed_is_other_physics(name):
    other = draw(type(SMALL[name])().small(), 2)
    has_disorder = other != SMALL[name]
    assert (other.problem().digest() != SMALL[name].problem().digest()) == has_disorder


def test_all_models_state_different_problems():
    digests = {name: model.problem().digest() for name, model in SMALL.items()}
    assert len(set(digests.values())) == len(digests)


SCRIPT = """
from tnness import models
from tnness.model.protocol import draw
from tnness.observables.observable import digest_of_observables
for name, cls in models().items():
    model = draw(cls().small(), 1)
    print(name, model.problem().digest(), *digest_of_observables(model.observables()).values())
"""


def test_digests_are_the_same_in_every_process_and_with_other_kernels_of_blas():
    told = []
    for about in ({"PYTHONHASHSEED": "0"}, {"PYTHONHASHSEED": "1", "OPENBLAS_CORETYPE": "Nehalem"}):
        command = [sys.executable, "-c", SCRIPT]
        told.append(subprocess.run(command, env=os.environ | about, capture_output=True, text=True, check=True).stdout)
    assert told[0].count("\n") >= len(SMALL)
    assert told[0] == told[1]
    assert all(model.problem().digest() in told[0] for model in SMALL.values())


# ---------------------------------------------------------------- Lindbladian


def test_a_rate_of_five_is_not_a_rate_of_one():
    assert driven(rate=1.0).digest() != driven(rate=5.0).digest()
    assert driven(rate=1.0).digest() == driven(rate=1.0 + 2e-16).digest()


def test_the_order_of_statements_does_not_matter():
    assert driven().digest() == driven(reverse=True).digest()


@pytest.mark.parametrize("space", QUANTUM.values(), ids=QUANTUM)
def test_terms_in_another_order_are_the_same_physics(space):
    """A sum in another order has other last bits, which carry it over the edge of a cell once in thousands of cases."""
    changed, trials = 0, 60
    for seed in range(trials):
        chain, other = (random_lindbladian([space] * 3, seed) for _ in range(2))
        rng = np.random.default_rng(seed)
        other.jumps = tuple(other.jumps[i] for i in rng.permutation(len(other.jumps)))
        other.hamiltonian_terms = tuple(
            other.hamiltonian_terms[i] for i in rng.permutation(len(other.hamiltonian_terms))
        )
        changed += chain.digest() != other.digest()
    assert changed <= 1


def test_equal_equations_have_equal_digests_however_they_are_split():
    one, other = Lindbladian([s] * 3), Lindbladian([s] * 3)
    one.hamiltonian(s.X(0) * s.X(1) + 0.5 * s.Z(1) + 7)
    one.jump(2 * s.Sm(0), rate=1.0)
    one.jump(s.Z(2), rate=0.5)
    other.hamiltonian(0.25 * s.Z(1))
    other.hamiltonian(s.X(1) * s.X(0))
    other.hamiltonian(-0.25j * s.X(1) * s.Y(1))
    other.jump(1j * s.Z(2), rate=0.25)
    other.jump(s.Z(2), rate=0.25)
    other.jump(s.Sm(0) * s.I(1), rate=4.0)
    np.testing.assert_allclose(one.generator().matrix().toarray(), other.generator().matrix().toarray(), atol=1e-14)
    assert one.digest() == other.digest()


def test_jumps_mixed_by_a_rotation_are_the_same_dissipation():
    plain, mixed = Lindbladian([s] * 2), Lindbladian([s] * 2)
    for jump in (s.Sp(0), s.Sm(0)):
        plain.jump(jump)
    for sign in (1, -1):
        mixed.jump((s.Sp(0) + sign * s.Sm(0)) / np.sqrt(2))
    assert plain.digest() == mixed.digest()


def test_everything_that_an_equation_states_counts():
    chains = [driven(), driven(5), driven(coupling=2.0), driven(coupling=-1.0)]
    changes = [
        lambda c: c.hamiltonian(1e-8 * s.Z(2)),
        lambda c: c.hamiltonian(s.Z(2)),
        lambda c: c.hamiltonian(s.Z(1)),
        lambda c: c.jump(s.Z(1), rate=1e-8),
        lambda c: c.jump(s.Z(2), rate=1e-8),
        lambda c: c.nearly_conserved([s.Sz(i) for i in range(4)]),
    ]
    for change in changes:
        chains.append(driven())
        change(chains[-1])
    assert len({chain.digest() for chain in chains}) == len(chains)
    assert Lindbladian([s] * 2).digest() == Lindbladian([boson(1)] * 2).digest()  # two levels, one basis
    assert Lindbladian([s] * 2).digest() != Lindbladian([f] * 2).digest()


def test_a_class_of_another_name_with_equal_physics_has_its_digest_and_one_of_equal_name_need_not():
    def model_with(rate, name):
        return dataclass(frozen=True)(type(name, (), {"problem": lambda self: driven(rate=rate)}))()

    assert model_with(1.0, "One").problem().digest() == model_with(1.0, "Other").problem().digest()
    assert model_with(1.0, "One").problem().digest() != model_with(2.0, "One").problem().digest()


# ---------------------------------------------------------------- generators


def test_everything_that_a_generator_states_counts():
    base = driven().generator()
    sites, bonds, spaces = base.site_terms, base.bond_terms, base.spaces
    functional = {"purity": [np.ones(4)] * 4}
    generators = [
        base,
        ChainGenerator(spaces, [2 * m for m in sites], bonds),
        ChainGenerator(spaces, sites, [2 * m for m in bonds]),
        ChainGenerator(spaces, sites, bonds, functional),
        ChainGenerator(spaces, sites, bonds, metric=[np.full(4, 2.0)] * 4),
        ChainGenerator(spaces, sites, bonds, resolution=0.5),
        driven(5).generator(),
    ]
    assert len({generator.digest() for generator in generators}) == len(generators)
    assert ChainGenerator(spaces, [ulp(m) for m in sites], [ulp(m) for m in bonds]).digest() == base.digest()


def test_charges_of_a_generator_count():
    model = SMALL["replica-abc"]
    generator = model.problem()
    terms = (generator.spaces, generator.site_terms, generator.bond_terms, generator.functionals)
    bare = ChainGenerator(*terms, metric=generator.metric, resolution=generator.resolution)
    with_charges = ChainGenerator(
        *terms, charges=generator.charges, metric=generator.metric, resolution=generator.resolution
    )
    assert with_charges.digest() == generator.digest() != bare.digest()


# ---------------------------------------------------------------- circuits


def test_everything_that_a_circuit_states_counts():
    gates = find("random-circuit")(n=4).problem().gates
    base: dict = {"left": [0.8, 0.2], "right": [0.3, 0.7], "steps": 100}
    kraus = [np.diag([1.0, 0.0]), np.diag([0.0, 1.0])]
    changes: list[dict] = [{}, {"left": [0.7, 0.3]}, {"right": None}, {"placement": "layers"}, {"channel": kraus}]
    changes += [{"steps": 200}, {"settle": 30}, {"every": 7}]
    circuits = [Circuit([s] * 4, gates, **(base | change)) for change in changes]
    circuits += [Circuit([s] * 5, gates, **base), Circuit([s] * 4, fixed(np.eye(4)), **base)]
    assert len({circuit.digest() for circuit in circuits}) == len(circuits)
    explicit = Circuit([s] * 4, gates, np.diag([0.8, 0.2]), np.diag([0.3, 0.7]), steps=100, settle=20, every=1)
    assert explicit.digest() == circuits[0].digest()


def test_round_off_of_its_gates_leaves_a_circuit_its_digest():
    gates = find("random-circuit")(n=4, p1=0.3, p2=0.3).problem().gates
    shaken = replace(gates, unitaries=ulp(gates.unitaries), sample=lambda rng, count: ulp(gates.sample(rng, count), 1))
    assert Circuit([s] * 4, shaken).digest() == Circuit([s] * 4, gates).digest()


def test_gates_of_one_design_that_are_drawn_otherwise_are_told_apart():
    gate = np.diag([1, 1j])
    ensemble = mixture([(0.5, fixed(np.eye(2))), (0.5, fixed(gate))])
    lazy = replace(ensemble, sample=lambda rng, count: np.repeat(gate[None], count, axis=0))
    assert ensemble.digest() != lazy.digest()
    assert ensemble.digest() == mixture([(0.5, fixed(np.eye(2))), (0.5, fixed(gate))]).digest()


@given(p1=st.floats(0, 0.5), p2=st.floats(0, 0.5))
def test_probabilities_of_gates_count(p1, p2):
    def law(p1, p2):
        return find("random-circuit")(n=3, p1=p1, p2=p2, steps=10).problem().digest()

    assert law(p1, p2) == law(p1, p2)
    assert law(p1, p2) != law(p1 + 1e-3, p2) or p1 + p2 > 0.999


# ---------------------------------------------------------------- transfer chains, networks, bars, hopping


def test_everything_that_a_wire_states_counts():
    base = wire(3, 4, 8.0)
    lead = base.left
    assert isinstance(lead, Lead)
    source = np.zeros((4, 9))
    source[1, 2] = 1
    chains = [
        base,
        wire(3, 4, 8.0, seed=1),
        wire(3, 5, 8.0),
        wire(3, 4, 8.0, t_par=2.0),
        wire(3, 4, 8.0, contact=0.5),
        replace(base, right=None),
        replace(base, right=FixedValues(np.ones(9), np.ones(9))),
        replace(base, right=FixedValues(np.ones(9), 2 * np.ones(9))),
        replace(base, source=source),
        replace(base, coupling=2 * base.coupling),
        replace(base, left=replace(lead, thresholds=lead.thresholds + 0.1)),
    ]
    assert len({chain.digest() for chain in chains}) == len(chains)


def test_ways_to_write_one_wire_have_one_digest():
    base = wire(3, 4, 8.0)
    assert replace(base, source=np.zeros((4, 9))).digest() == base.digest()
    assert replace(base, onsite=base.onsite.astype(complex)).digest() == base.digest()
    assert replace(base, onsite=ulp(base.onsite)).digest() == base.digest()


def test_which_modes_of_a_degenerate_level_an_eigensolver_chose_does_not_matter():
    modes, thresholds = ring_modes((4, 4), 1.0)
    rotated = modes * np.where(np.arange(16) % 3, 1, -1)
    first = np.flatnonzero(np.abs(np.diff(thresholds)) < 1e-9)[0]
    rotated[:, first : first + 2] = rotated[:, first : first + 2] @ [[0.6, 0.8], [-0.8, 0.6]]
    assert Lead(modes, thresholds).digest() == Lead(rotated, thresholds).digest()
    assert Lead(modes, thresholds).digest() != Lead(modes, thresholds[::-1].copy()).digest()


def test_the_weakest_links_of_a_network_count():
    """In a row they carry what the strongest carry."""
    along = np.array([[1.0], [1e-25], [2.0]])
    weaker = along.copy()
    weaker[1] = 5e-26
    assert resistor_chain(along).digest() == resistor_chain(ulp(along)).digest() != resistor_chain(weaker).digest()


def test_a_bar_is_known_by_the_slices_that_it_draws():
    bar = SMALL["anderson-bar"].problem()
    longer, slanted = replace(bar, length=bar.length + 1), replace(bar, energy=0.5)
    doubled = replace(bar, potential=lambda rng, count: 2 * bar.potential(rng, count))
    again = replace(bar, potential=lambda rng, count: bar.potential(rng, count))
    assert isinstance(bar, RandomBar)
    assert len({b.digest() for b in (bar, longer, slanted, doubled)}) == 4
    assert again.digest() == bar.digest()


def test_the_smallest_rates_of_hopping_count_where_they_are_exact():
    couplings, start = np.exp(-np.arange(400.0)), np.eye(400)[0]
    other = couplings.copy()
    other[399] *= 2
    assert FactorisedHopping(couplings, start).digest() != FactorisedHopping(other, start).digest()
    assert FactorisedHopping(couplings, start).digest() == FactorisedHopping(ulp(couplings), start).digest()


def test_hopping_between_computed_eigenstates_keeps_its_digest_under_the_noise_of_an_eigensolver():
    problem = draw(find("hopping-master-equation")(n=300, rates="eigenstates"), 4).problem()
    rng = np.random.default_rng(0)
    shaken = problem.shapes + 1e-13 * rng.standard_normal(problem.shapes.shape)
    couplings = problem.couplings + 1e-16 * rng.random(300)
    assert FactorisedHopping(couplings, problem.initial, shaken).digest() == problem.digest()
    assert FactorisedHopping(1.1 * couplings, problem.initial, shaken).digest() != problem.digest()


def test_one_realization_is_not_a_batch_of_one():
    base = wire(2, 3, 8.0)
    batch = TransferChain(base.onsite[None], base.coupling[None], base.left, base.right)
    assert batch.digest() != base.digest()


# ---------------------------------------------------------------- problems of one's own


@dataclass(frozen=True)
class Pendulum:
    """A problem that an engine of one's own solves."""

    length: float
    force: object = None

    def summary(self) -> str:
        return "a pendulum"


class Opaque:
    def summary(self) -> str:
        return "nobody knows"


@dataclass(frozen=True)
class Swing:
    stated: object

    def problem(self):
        return self.stated

    def observables(self):
        return {}


def test_a_problem_without_digest_is_known_by_its_fields_or_not_at_all():
    assert digest_of_problem(Pendulum(1.0)) == digest_of_problem(Pendulum(1.0)) != digest_of_problem(Pendulum(2.0))
    assert digest_of_problem(Opaque()) == UNKNOWN
    assert digest_of_problem(driven()) == driven().digest()
    forced = [digest_of_problem(Pendulum(1.0, np.sin)), digest_of_problem(Pendulum(1.0, lambda t: np.sin(2 * t)))]
    assert len(set(forced)) == 2


def test_a_problem_without_digest_may_be_used_and_one_without_summary_may_not():
    assert problem_of(Swing(Opaque())).summary() == "nobody knows"
    with pytest.raises(ModelError, match="returned a int, which is no problem"):
        problem_of(Swing(3))


# ---------------------------------------------------------------- cost


@pytest.mark.parametrize(
    ("name", "about", "seconds"), [("xx-dephasing", {"n": 1000}, 0.4), ("mbl-heisenberg", {"n": 20}, 0.1)]
)
def test_a_digest_costs_little(name, about, seconds):
    """A steady state of the former takes 14 s, of the latter hours; the limits leave room for busy machines."""
    model = draw(find(name)(**about), 0)
    problem, spent = model.problem(), []
    for _ in range(5):
        started = time.process_time()
        problem.digest()
        spent.append(time.process_time() - started)
    sys.stdout.write(f"\n{name} {about}: {1e3 * min(spent):.1f} ms\n")
    assert min(spent) < seconds
