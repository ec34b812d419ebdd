"""The memory of the machine, and what a state needs of it."""

import resource
import time
from functools import partial

import pytest

from tnness import TEBD, ChainGenerator, Lindbladian, evolve, find, models, steady_state
from tnness import spin_half as s
from tnness.engines.registry import ENGINES
from tnness.errors import InputError
from tnness.model.parameters import parameters
from tnness.problems.need import Need, checked_when_begun, memory, network_need
from tnness.runs.job import offered_engines


def test_a_need_is_compared_with_what_is_there_and_both_are_said(monkeypatch):
    monkeypatch.setattr("tnness.problems.need.memory", lambda: 16e9)
    Need(15e9, "n = 3").check()
    with pytest.raises(InputError, match=r"^n = 4 needs some 17 GB, this machine has 16: lower n$"):
        Need(17e9, "n = 4", "lower n").check()


def test_the_memory_is_that_of_the_machine_or_what_the_process_may_have(monkeypatch):
    assert 1e8 < memory() < 1e15
    monkeypatch.setattr(resource, "getrlimit", lambda which: (5 << 20, resource.RLIM_INFINITY))
    assert memory() == 5 << 20
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY,) * 2)
    assert memory() > 5 << 20


def test_a_state_of_matrix_products_is_counted_tensor_by_tensor():
    # bonds 1 4 8 8 4 1; six tensors less one bond: 1*4*4 + 4*4*8 + 8*4*8 + 8*4*4 + 4*4*1; the largest pair 4*16*8
    sites = 16 + 128 + 256 + 128 + 16
    assert network_need([4] * 5, 8).bytes == 8 * (sites + 5 * 4 * 16 * 8)
    assert network_need([4] * 5, 8, itemsize=4, filled=0.5).bytes == network_need([4] * 5, 8).bytes / 4
    assert network_need([4] * 5, 10**9).bytes == network_need([4] * 5, 16).bytes  # no bond needs more


def test_a_bond_that_the_machine_cannot_hold_is_refused(monkeypatch):
    monkeypatch.setattr("tnness.problems.need.memory", lambda: 16e9)
    network_need([289] * 4, 8).check()
    network_need([4] * 40, 256).check()
    with pytest.raises(InputError, match=r"^chi = 256 on 4 sites of up to 289 dimensions needs some 219 GB, .* has 16"):
        network_need([289] * 4, 256).check()


def test_a_container_s_limit_counts(monkeypatch, tmp_path):
    file = tmp_path / "memory.max"
    monkeypatch.setattr("tnness.problems.need.CONTAINERS", (str(file), str(tmp_path / "none")))
    file.write_text("5000000\n")
    assert memory() == 5e6
    file.write_text("max\n")
    assert memory() > 5e6


def test_a_chain_is_checked_before_its_terms_are_stated():
    def refuse(problem):
        raise InputError(f"{len(problem.spaces)} sites are too many")

    with checked_when_begun(refuse):
        for stated in (lambda: Lindbladian([s] * 3), lambda: ChainGenerator([s] * 3, [], [])):
            with pytest.raises(InputError, match=r"^3 sites are too many$"):
                stated()
        with pytest.raises(InputError, match=r"^4 sites are too many$"):
            find("random-circuit")(n=4).problem()
    assert Lindbladian([s] * 3).n == 3


@pytest.mark.parametrize(
    ("model", "engine", "told"),
    [
        ("fermi-hubbard-driven", None, "chi = 64 on 50000 sites"),
        ("xx-dephasing", "gaussian", "a correlation matrix of 50000 sites"),
        ("xx-dephasing", "exact", "engine 'exact' takes up to"),
        ("random-circuit", "gaussian", "a correlation matrix of 50000 sites"),
        ("replica-abc", "exact", "engine 'exact' takes up to"),
    ],
)
def test_a_long_chain_that_does_not_fit_is_refused_at_once(model, engine, told, monkeypatch):
    monkeypatch.setattr("tnness.problems.need.memory", lambda: 25e9)
    began = time.process_time()
    with pytest.raises(InputError, match=f"^{told}"):
        steady_state(find(model)(n=50_000), engine=engine)
    assert time.process_time() - began < 5  # its terms alone take longer


def test_a_problem_is_stated_once_for_a_run(monkeypatch):
    cls, stated = find("xxz-driven"), []
    problem = cls.problem
    monkeypatch.setattr(cls, "problem", lambda self: stated.append(self.n) or problem(self))
    steady_state(cls(n=3), max_time=0.5)
    steady_state(cls(n=2), max_time=0.5)
    assert stated == [3, 2]


def test_correlations_of_all_pairs_are_refused_before_the_first_step(monkeypatch):
    monkeypatch.setattr("tnness.problems.need.memory", lambda: 1e5)
    steady_state(find("ssep")(n=60), engine=TEBD(chi=2), max_time=0.1)
    told = r"^density_correlation of 100 sites needs some 0.00016 GB, this machine has 0.0001: lower n, or leave"
    with pytest.raises(InputError, match=told):
        steady_state(find("ssep")(n=100), engine=TEBD(chi=2), max_time=0.1)


def chains():
    """Every shipped chain of a given number of sites, with every engine that may serve it."""
    for name, cls in models().items():
        offered = set(offered_engines(cls))
        for engine, kind in ENGINES.items() if "n" in parameters(cls) else ():
            ours = kind.__module__.startswith("tnness.") and cls.problem.__annotations__["return"] in CHAINS
            if ours and {engine, kind.like, *kind.also} & offered:
                yield name, engine


CHAINS = ("Lindbladian", "ChainGenerator", "Circuit")


@pytest.mark.parametrize(("name", "engine"), list(chains()))
def test_no_shipped_chain_states_terms_that_do_not_fit(name, engine, monkeypatch):
    def stated(*given, **about):
        raise AssertionError("the terms were stated")

    monkeypatch.setattr(Lindbladian, "hamiltonian", stated)
    monkeypatch.setattr(Lindbladian, "jump", stated)
    monkeypatch.setattr("tnness.problems.need.memory", lambda: 1e5)
    chain = find(name)(n=3000)
    go = partial(evolve if engine == "trajectories" else steady_state, engine=engine)
    go = partial(go, times=[0.0, 1.0]) if engine == "trajectories" else go
    with pytest.raises(InputError, match=r"3000 sites.* needs some .* GB, this machine has|takes up to 1,100,000 dim"):
        go(chain)


SHIPPED = {name: cls for name, cls in models().items() if cls.__module__.startswith("tnness_models")}
"""Other tests register chains of their own."""


@pytest.mark.parametrize("name", [name for name, cls in SHIPPED.items() if "n" in parameters(cls)])
def test_no_shipped_model_takes_any_number_of_sites(name):
    with pytest.raises(InputError, match=r"^n = 1000000000"):
        find(name)(n=10**9)
