"""What every engine says that it needs of the memory: no more than it takes, known before the problem is matrices."""

import tracemalloc

import pytest

from tnness import TEBD, Ask, evolve, find, steady_state
from tnness.engines.ask import Start
from tnness.engines.beyond.question import ANSWERERS
from tnness.engines.initial import parse_initial
from tnness.engines.limits import need_of_network
from tnness.engines.protocol import Engine
from tnness.engines.registry import ENGINES, build_engine
from tnness.errors import InputError
from tnness.model.protocol import draw
from tnness.runs.beyond import counting, modes

SIZED = {
    "tebd": ("xxz-driven", {"n": 4}, {"chi": 16, "symmetry": "none"}, None),
    "tdvp": ("xxz-driven", {"n": 4}, {"chi": 16}, None),
    "accelerated": ("xxz-driven", {"n": 4}, {"chi": 16}, None),
    "exact": ("xxz-driven", {"n": 5}, {}, None),
    "gaussian": ("xx-dephasing", {"n": 100}, {}, None),
    "gaussian, times": ("xx-dephasing", {"n": 100}, {}, (0.0, 0.1)),
    "gaussian, circuit": ("random-circuit", {"n": 40, "steps": 1000}, {}, None),
    "spectral": ("hopping-master-equation", {"n": 1000}, {}, None),
    "transfer": ("charge-network", {"n": 40, "dim": 2}, {}, None),
    "transfer, times": ("energy-spreading", {"n": 500}, {}, (0.0, 1.0)),
    "trajectories": ("noisy-anderson", {"n": 100, "initial": "neel"}, {"realizations": 3}, (0.0, 0.2)),
}
"""A problem of each engine: model, parameters, settings, times."""


def prepared(case):
    name, parameters, settings, times = SIZED[case]
    return draw(find(name)(**parameters), 0), build_engine(case.partition(",")[0], settings), times


def test_every_engine_says_what_it_needs():
    ours = {name for name, cls in ENGINES.items() if cls.__module__.startswith("tnness.")}
    assert {case.partition(",")[0] for case in SIZED} == ours
    assert all(ENGINES[name].need is not Engine.need for name in ours)
    assert all(cls.need is not Engine.need for cls in ANSWERERS.values())


@pytest.mark.parametrize("case", SIZED)
def test_what_needs_more_than_there_is_is_refused_in_one_line(case, monkeypatch):
    model, engine, times = prepared(case)
    monkeypatch.setattr("tnness.problems.need.memory", lambda: 2e3)
    with pytest.raises(InputError, match=r" needs some [\d.e-]+ GB, this machine has 2e-06: "):
        steady_state(model, engine=engine) if times is None else evolve(model, times, engine=engine)
    with pytest.raises(InputError, match=" needs some "):
        engine.solve(model.problem(), times=times)


@pytest.mark.parametrize("case", SIZED)
def test_no_engine_says_more_than_it_takes(case):
    model, engine, times = prepared(case)
    ask = Ask(times=times)
    initial = {"noisy-anderson": "product:" + 50 * "01", "xxz-driven": "random:1:16"}.get(model.registered_name)
    tracemalloc.start()
    try:
        problem = model.problem()
        need = engine.need(problem, ask)
        run = engine.begin(problem, Start(parse_initial(initial), ask))
        run.step(times and times[-1])
        view = run.view()
        _ = [observable.measure(view) for observable in model.observables().values() if "solution" in observable.needs]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0 < need.bytes < peak


def test_questions_are_refused_as_states_are(monkeypatch):
    monkeypatch.setattr("tnness.problems.need.memory", lambda: 2e3)
    model = find("xxz-driven")(n=5)
    for ask in (modes, counting):
        with pytest.raises(InputError, match=" needs some "):
            ask(model, engine="tebd")


def test_the_matrices_of_large_sites_count_and_a_problem_without_sites_is_not_known():
    problem = find("fermi-hubbard-driven")(n=3).problem()
    assert need_of_network(problem, 1, "float64").bytes > 2 * 8 * 256**2
    assert need_of_network(find("cavity")(potential=(0.0, 0.0)).problem(), 4, "float64") is None
    assert TEBD(chi=64).need(problem, Ask()).bytes < TEBD(chi=64, symmetry="none").need(problem, Ask()).bytes


@pytest.mark.parametrize(
    ("model", "parameters", "told"),
    [
        ("thermal-network", {"n": 5000, "dim": 2}, "n = 5000, dim = 2: 5000 blocks of 5000 x 5000 numbers"),
        ("charge-network", {"n": 5000, "dim": 2}, "n = 5000, dim = 2"),
        ("anderson-wire", {"size": 1, "length": 10**10}, "size = 1, length = 10000000000"),
        ("anderson-bar", {"width": 1000}, "width = 1000"),
        ("energy-correlation", {"size": 1000}, "size = 1000"),
        ("hopping-master-equation", {"n": 10**6, "rates": "eigenstates"}, "n = 1000000"),
    ],
)
def test_a_model_of_dense_blocks_is_refused_before_it_draws_or_states_them(model, parameters, told, monkeypatch):
    monkeypatch.setattr("tnness.problems.need.memory", lambda: 25e9)
    with pytest.raises(InputError, match=f"^{told}.* needs some .* GB, this machine has 25: make it smaller$"):
        find(model)(**parameters)
