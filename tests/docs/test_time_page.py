"""docs/time.md: its files are taken from the page, its commands run as they stand there, its numbers hold."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from forks import Forks
from tnness.records.record import Record

PAGE = (Path(__file__).parents[2] / "docs" / "time.md").read_text()
BLOCKS = re.findall(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, _, text in BLOCKS if kind == "console" for line in text.splitlines()]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder in which all commands of the page that write records have run."""
    folder = tmp_path_factory.mktemp("page")
    for kind, title, text in BLOCKS:
        if kind == "python":
            (folder / title).write_text(text)
    with Forks() as forks:
        for line in COMMANDS:
            words = shlex.split(line)
            if words[1] == "run":
                fork = forks.run(folder, *words[2:])
                assert fork.wait() == 0, (line, fork.err)
    return folder


def test_an_evolution_goes_on(done):
    record = Record.open(done / "quench.nc")
    assert record.history.times == [*np.linspace(0, 4, 9), 5, 6]
    assert record.outcome == "complete"


def test_the_floquet_state_is_certified_and_right(done):
    record, exact = Record.open(done / "floquet.nc"), Record.open(done / "exact.nc")
    assert record.outcome == "converged"
    for name in ("x", "z"):
        error = np.abs(record[name].values - exact[name].values)
        assert (error <= 1.5 * record[f"{name}_error"].values + 1e-6).all()
        assert error.max() < 5e-3


def test_the_stabilisers_are_those_of_the_page(done):
    record = Record.open(done / "cluster.nc")
    assert_allclose(record["stabiliser"].values[-1], 0.98**3, atol=1e-12)
    assert ".941192" in PAGE
    assert round(0.98**3, 6) == 0.941192
