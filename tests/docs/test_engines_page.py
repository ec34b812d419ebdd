"""docs/engines.md: its engine, model and rules are taken from the page, and its commands run as they stand there."""

import random
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from forks import Forks
from processes import Kills, assert_same
from tnness import evolve, find, steady_state
from tnness.engines.registry import ENGINES
from tnness.model.registry import module_from_file
from tnness.records.record import Record
from tnness.study.collect import collect
from tnness.study.store import Store

PAGE = (Path(__file__).parents[2] / "docs" / "engines.md").read_text()
BLOCKS = re.findall(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL)
BARE = "\n\n".join(text for kind, title, text in BLOCKS if title == "chain.py")
"""The file of the page before its engine has a rule."""
(RULE,) = (text for kind, title, text in BLOCKS if kind == "python" and not title)
WAITING = "from tnness.stopping.waiting import Waiting\n"
COMMANDS = [line for kind, _, text in BLOCKS if kind == "console" for line in text.splitlines()]
OUTCOMES = (
    "no error estimate: the engine gives no stopping rule",
    "relaxed, but no error estimate of the time step and of truncation",
)


def with_rule(rule=RULE, needed=WAITING):
    """The file of the page with a method added to its engine."""
    assert needed.strip() in PAGE or needed != WAITING
    head, tail = BARE.split("\n\n\n@dataclass\nclass RK4Run")
    first = "from tnness.network.dense_view import DenseView\n"
    return f"{head.replace(first, first + needed)}\n\n{rule.rstrip()}\n\n\n@dataclass\nclass RK4Run{tail}"


def test_the_engine_has_sixty_lines():
    engine = BARE[BARE.index("import tnness") : BARE.index("class Chain:")]
    assert len(engine.splitlines()) <= 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which all commands of the page were run, one after another: (command, what it wrote)."""
    place = tmp_path_factory.mktemp("page")
    for number, line in enumerate(COMMANDS):
        (place / "chain.py").write_text(BARE if number == 0 else with_rule())
        command = [sys.executable, "-m", "tnness.cli", *shlex.split(line)[1:]]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        for path in place.glob("*.nc"):
            shutil.copy(path, place / f"{number}-{path.name}")
    return place


def record(folder, number, name):
    """A record as it was after one of the commands."""
    return Record.open(folder / f"{number}-{name}")


@pytest.fixture
def chain(folder):
    """The model of the page; its engine is known for the time of a test."""
    yield find(f"{folder / 'chain.py'}:Chain")
    ENGINES.pop("rk4", None)
    sys.modules.pop(module_from_file(folder / "chain.py").__name__)


def number_of(part):
    """The number of the only command with a text in it."""
    (number,) = (k for k, line in enumerate(COMMANDS) if part in line)
    return number


def test_without_a_rule_a_run_goes_on_and_claims_nothing(folder):
    first = record(folder, 0, "first.nc")
    assert first.outcome == OUTCOMES[0]
    assert f"`{first.outcome}`" in PAGE
    assert first.time == pytest.approx(40, abs=0.1)
    assert "z_error" not in first.dataset
    assert first.certificate.estimates == {}


def test_with_a_rule_it_ends_by_itself_within_its_error_of_the_exact_answer(folder, chain):
    steady = record(folder, number_of("--out steady.nc"), "steady.nc")
    assert steady.outcome == OUTCOMES[1]
    assert f"`{steady.outcome}`" in PAGE
    exact = steady_state(chain(), engine="exact")
    claimed = steady.certificate.estimates["relaxation"]["z"]
    assert (np.abs(steady["z"] - exact["z"]) < claimed).all()
    assert claimed.max() < 1e-3
    assert steady.certificate.estimates.keys() == {"relaxation"}
    assert "z_error" not in steady.dataset
    assert record(folder, 0, "first.nc")["z"].values == pytest.approx(exact["z"].values, abs=1e-6)


def test_an_extended_evolution_is_that_of_one_run_and_that_of_the_exact_engine(folder, chain):
    decay = Record.open(folder / "decay.nc")
    times = [*np.linspace(0, 4, 9), *np.linspace(4.5, 8, 8)]
    assert_allclose(decay["z"]["time"], times)
    assert decay.outcome == OUTCOMES[0]
    one = evolve(chain(), times, engine="rk4")
    assert decay["z"].values.tobytes() == one["z"].values.tobytes()
    assert_allclose(decay["z"], evolve(chain(), times, engine="exact")["z"], atol=5e-5)  # dt^4, |G| = 10


def test_an_extended_steady_state_goes_on_from_where_it_was(folder, chain):
    before = record(folder, number_of("--out steady.nc"), "steady.nc")
    after = Record.open(folder / "steady.nc")
    assert after.settings["engine_settings"] == {"dt": 0.02}
    assert after.time > before.time
    exact = steady_state(chain(), engine="exact")["z"]
    assert np.abs(after["z"] - exact).max() < 0.1 * np.abs(before["z"] - exact).max()


def test_the_workers_of_a_sweep_find_the_engine_in_the_file(folder):
    table = collect(folder / "points")
    assert table.sizes["rate"] == 3
    assert table.sizes["dt"] == 2
    assert not Store(folder / "points").failures()
    steps = table["z"].squeeze("realization")
    assert np.isfinite(steps).all()
    assert_allclose(steps.isel(dt=0), steps.isel(dt=1), atol=1e-4)  # what was left of the relaxation


def test_a_killed_run_of_the_engine_goes_on_to_the_same_numbers_bit_for_bit(tmp_path):
    (tmp_path / "chain.py").write_text(with_rule())
    arguments = ("chain.py:Chain", "--engine", "rk4", "--tol", "1e-5", "--out")
    with Forks() as forks:
        assert forks.run(tmp_path, *arguments, "whole.nc").wait() == 0

        def begin():
            return forks.run(tmp_path, *arguments, "run.nc", "--checkpoint-every", "0")

        Kills(tmp_path, begin, random.Random(4)).after_checkpoints(3, 60)
        last = begin()
        assert last.wait() == 0, last.err
    assert not list(tmp_path.glob("*.part"))
    assert_same(tmp_path / "run.nc", tmp_path / "whole.nc")


def test_a_rule_of_ones_own_is_one_class(tmp_path):
    """The rule of the page: when it says that the run is over, the equation is solved; the verdict is its own."""
    rule = "    def rule(self, run, start):\n        return Still(run, start.ask.tolerance)\n"
    (still,) = (text for _, title, text in BLOCKS if title == "still.py")
    head, tail = with_rule(rule, "").split('\n\n\n@tnness.register_engine("rk4")')
    own = still.replace("import numpy as np\n\nimport tnness\n", "")
    (tmp_path / "still.py").write_text(f'{head}\n{own.rstrip()}\n\n\n@tnness.register_engine("rk4-still"){tail}')
    model = find(f"{tmp_path / 'still.py'}:Chain")
    try:
        done = steady_state(model(n=3), engine="rk4-still", tolerance=1e-6)
        cut = steady_state(model(n=3), engine="rk4-still", tolerance=1e-6, max_time=1.0)
    finally:
        ENGINES.pop("rk4-still")
    assert done.outcome == "still, with no error estimate"
    assert done.certificate.further["rate_of_change"] < 1e-6
    assert_allclose(done["z"], steady_state(model(n=3), engine="exact")["z"], atol=1e-5)
    assert cut.outcome == "not still: raise --max-time"
