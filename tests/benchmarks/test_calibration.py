"""The calibration: its models, its exact answers, its verdicts; and a short one with fixed seeds."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose

from benchmarks.calibration import Result, append, solve, stored, tables
from benchmarks.calibration_models import KINDS, Drawn, Truth, draw, limit
from tnness import TEBD, InputError, identity_state
from tnness.engines.exact import steady_vector

ROOT = Path(__file__).parents[2]
SEVERAL = [name for name, kind in KINDS.items() if not kind.unique]


def smallest(name, seed=5):
    return Drawn(kind=name, n=min(KINDS[name].sizes), seed=seed)


# ---------------------------------------------------------------- the models


def test_there_are_kinds_enough():
    assert len(KINDS) >= 25


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_has_the_exact_answer_that_it_promises(name):
    generator = smallest(name).problem().generator()
    if KINDS[name].unique:
        steady = steady_vector(generator)
        assert steady.gap > 0
        assert np.abs(generator.apply(steady.vector)).max() < 1e-9
    else:
        rates = np.linalg.eigvals(generator.matrix().toarray())
        assert (np.abs(rates) < 1e-9).sum() > 1


def test_equal_seeds_draw_equal_runs():
    model, rng = draw("xyz-fields", 3, 1)
    again, other = draw("xyz-fields", 3, 1), draw("xyz-fields", 3, 2)
    assert model == again[0] != other[0]
    assert rng.random() == again[1].random()
    assert model.problem().digest() == again[0].problem().digest()


@pytest.mark.parametrize("name", SEVERAL)
def test_a_limit_is_the_end_of_the_evolution_averaged_over_time(name):
    """Against exp(G t) v, averaged over late times where something oscillates."""
    generator = smallest(name).problem().generator()
    matrix, rng = generator.matrix().toarray(), np.random.default_rng(1)
    start = identity_state(generator.spaces).dense() + 0.01 * rng.standard_normal(len(matrix))
    last, gap, oscillates = limit(matrix, start)
    late = scipy.linalg.expm(60 / gap * matrix) @ start
    if oscillates:
        step, total = scipy.linalg.expm(0.731 * matrix), np.zeros_like(late)
        for _ in range(20_000):
            total, late = total + late, step @ late
        late = total / 20_000
    assert oscillates == (name == "half-closed")
    assert_allclose(last, late, atol=2e-5 if oscillates else 1e-10)


# ---------------------------------------------------------------- the verdicts


FAIR = Result(
    *("ssep", 0, 1, 4, 16, 4, None, 9.0, "converged"),
    **{"seconds": 2.0, "kick_seconds": 0.5, "time": 9.0, "forgets_in": 1.0, "gap": 2.0},
    **{"values": {"n": [0.5, 0.25]}, "errors": {"n": 0.02}},
    exact={"n": [0.5, 0.24]},
)


@pytest.mark.parametrize(
    ("changed", "wrong", "right"),
    [
        ({}, False, False),
        ({"values": {"n": [0.5, 0.2401]}}, False, True),
        ({"values": {"n": [0.5, 0.3]}}, True, False),  # 0.06: three times the claim
        ({"values": {"n": [0.5, 0.3]}, "errors": {"n": [0.001, 0.05]}}, False, False),  # one claim per element
        ({"values": {"n": [0.5, 0.244]}, "errors": {"n": 1e-5}}, False, False),  # far beyond the claim, below 1 %
        ({"values": {"n": [0.5, 0.3]}, "errors": {}}, True, False),  # no claim at all
        ({"values": {"n": [0.5, float("nan")]}}, True, False),
        ({"unique": False}, True, False),
        ({"unique": False, "outcome": "converged from product:0011; not unique"}, False, False),
        ({"unique": False, "outcome": "the steady state may not be unique"}, False, False),
        ({"values": {"n": [0.5, 0.3]}, "outcome": "not relaxed: raise --max-time"}, False, False),
        ({"values": {"n": [0.5, 0.3]}, "outcome": "converged, without a kick"}, True, False),
        ({"values": {}, "outcome": "cut"}, False, False),
    ],
)
def test_what_is_wrong_and_what_is_right(monkeypatch, changed, wrong, right):
    monkeypatch.setattr("benchmarks.calibration.TOLERANCE", 1e-3)
    result = replace(FAIR, **changed)
    assert (result.wrong, result.right) == (wrong, right)


def test_the_table_counts_coverage_and_alarms():
    refused = replace(FAIR, outcome="truncation dominates: raise --chi", values={"n": [0.5, 0.24]})
    uncovered = replace(FAIR, values={"n": [0.5, 0.27]})  # 0.03: beyond its claim, within twice
    results = [FAIR, FAIR, FAIR, uncovered, refused, replace(FAIR, outcome="cut", values={})]
    lines = "\n".join(tables(results)).splitlines()
    whole = next(line for line in lines if line.startswith("all"))
    assert whole.split()[1:8] == ["6", "4", "1", "0", "1/1", "75%", "[36%,"]
    assert "1.50" in whole  # the worst error over its claim
    assert "refused, but right: 1" in lines


def test_the_table_tells_whether_verdicts_depend_on_the_kick():
    other = replace(FAIR, kick_seed=1, outcome="not relaxed: raise --max-time")
    lines = list(tables([FAIR, other, replace(FAIR, kick_seed=2), replace(FAIR, index=1)]))
    assert "verdicts on 1 chains with other kicks: 2 of 3 agree (66.7%)" in lines


def test_a_line_that_was_cut_short_is_computed_again(tmp_path):
    path = tmp_path / "runs.jsonl"
    append(path, FAIR)
    with path.open("a") as file:
        file.write('{"kind": "ss')
    assert stored(path) == [FAIR]
    append(path, replace(FAIR, index=1))
    assert [result.index for result in stored(path)] == [0, 1]


def test_the_command_goes_on_where_it_was_and_counts_what_is_cut(tmp_path):
    path = tmp_path / "runs.jsonl"
    command = [sys.executable, "-m", "benchmarks.calibration", "--seed", "1", "--limit", "3"]
    command += ["--kinds", "closed-exclusion,weak-contact", "--store", str(path), "--runs"]

    def run(runs):
        done = subprocess.run(
            [*command, runs], cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("1")
    first = path.read_text()
    shown = run("4")
    assert path.read_text().startswith(first)
    outcomes = [json.loads(line)["outcome"] for line in path.read_text().splitlines()]
    assert outcomes[0] != "cut"
    assert outcomes[3] == "cut"  # a contact so weak that the chain takes a minute
    runs, _, cut = next(line for line in shown.splitlines() if line.startswith("all")).split()[1:4]
    assert (runs, cut) == ("4", str(outcomes.count("cut")))


# ---------------------------------------------------------------- a short calibration

SHORT = (
    *("xyz-fields:1", "any-pairs:0", "dephasing:0", "collective-loss:0", "rydberg:0", "dark-state:0", "fermions:0"),
    *("contact-process:0", "glauber:0", "three-states:0"),
)


def run(name, index, seed=900, kick=True):
    model, rng = draw(name, seed, index)
    chi = max(16, model.problem().generator().dims[0] ** (model.n // 2))
    start = model.start(rng)
    truth = Truth.of(model, start)
    return Result(
        **{
            "kind": name,
            "index": index,
            "seed": seed,
            "n": model.n,
            "chi": chi,
            "full": chi,
            "start": start,
            "limit": 9.0,
        },
        **{"exact": truth.values, "unique": truth.unique} | solve(model, chi, start, seed, kick),
    )


def test_a_short_calibration():
    """Ten ordinary chains converge, within what they claim and near it."""
    results = [run(name, int(index)) for name, index in (item.split(":") for item in SHORT)]
    assert [result.outcome for result in results if not result.claims] == []
    assert not any(result.wrong for result in results)
    judged = [observable for result in results for observable in result.judged if not observable.vanishes]
    assert len(judged) > 30
    assert np.mean([observable.covered for observable in judged]) >= 0.95
    assert max(observable.excess for observable in judged) < 2


@pytest.mark.parametrize("name", SEVERAL)
def test_no_chain_with_several_steady_states_is_called_converged(name):
    for index in range(2):
        assert not run(name, index).wrong


@pytest.mark.parametrize("name", ["closed-exclusion", "closed-pairs"])
def test_without_kicks_the_calibration_finds_wrong_claims(name):
    assert run(name, 0, kick=False).wrong


def test_an_unknown_setting_is_no_answer():
    """What the engine refuses counts as refused."""
    with pytest.raises(InputError):
        TEBD(chi=0)
    told = solve(Drawn(kind="ssep", n=3, seed=1), 16, "product:01", 1)  # two labels for three sites
    assert told["outcome"].startswith("refused: ")
