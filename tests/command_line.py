"""The command line, called in this process, and what its answers must look like."""

import contextlib
import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tnness import cli

REGISTERED = ("mbl-heisenberg", "ssep", "xx-dephasing", "xxz-driven")
TINY = ("ssep", "-p", "n=4")
MODELS = '''
"""Models that are not registered: one that is right, and one for every mistake."""

from dataclasses import dataclass

from tnness import Lindbladian, expectation
from tnness import spin_half as s


@dataclass(frozen=True, kw_only=True)
class Pumped:
    """Spins that enter on the left and leave on the right."""

    n: int = 3  # number of sites
    rate: float = 1.0  # of both pumps [1/time]

    def problem(self):
        chain = Lindbladian([s] * self.n)
        for i in range(self.n - 1):
            chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
        chain.jump(s.Sp(0), rate=self.rate)
        chain.jump(s.Sm(self.n - 1), rate=self.rate)
        return chain

    def observables(self):
        return {"z": expectation([s.Z(i) for i in range(self.n)], "site")}


@dataclass(frozen=True, kw_only=True)
class Negative(Pumped):
    def problem(self):
        chain = super().problem()
        chain.jump(s.Z(1), rate=-0.5)
        return chain


@dataclass(frozen=True, kw_only=True)
class Skew(Pumped):
    def problem(self):
        chain = super().problem()
        chain.hamiltonian(1j * s.Z(1))
        return chain


@dataclass(frozen=True, kw_only=True)
class Outside(Pumped):
    def observables(self):
        return {"z": expectation([s.Z(i) for i in range(self.n + 1)], "site")}


@dataclass(frozen=True, kw_only=True)
class Closed(Pumped):
    """Hopping and dephasing keep the magnetisation: many steady states."""

    def problem(self):
        chain = Lindbladian([s] * self.n)
        for i in range(self.n - 1):
            chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
        for i in range(self.n):
            chain.jump(s.Z(i))
        return chain


@dataclass(frozen=True, kw_only=True)
class Buggy(Pumped):
    def problem(self):
        return self.nothing


@dataclass(frozen=True, kw_only=True)
class Unlabelled(Pumped):
    def observables(self):
        return {"z": s.Z(0)}


@dataclass(frozen=True, kw_only=True)
class Needs(Pumped):
    height: float  # of the barrier
'''


@dataclass(frozen=True)
class Answer:
    """What one call of the command line did."""

    status: int
    out: str
    err: str


def call(*arguments: object) -> Answer:
    """Call the command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["tnness", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
    assert isinstance(exit_.value.code, int)
    return Answer(exit_.value.code, out.getvalue(), err.getvalue())


def in_process_of_its_own(*arguments: object) -> Answer:
    """Call the command line in a new process: files of models are read as they are now."""
    command = [sys.executable, "-m", "tnness.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


def well(*arguments: object) -> Answer:
    """Call the command line, which must succeed without a warning on stderr."""
    answer = call(*arguments)
    assert answer.status == 0, answer.err
    assert "Traceback" not in answer.err
    return answer


def refused(*arguments: object, told: tuple[str, ...] = (), status: int = 2) -> str:
    """Call the command line with bad input: one line on stderr, nothing on stdout, and every file as it was."""
    before = contents(Path())
    answer = call(*arguments)
    assert answer.status == status, answer
    assert_one_line(answer.err)
    assert answer.out == ""
    assert contents(Path()) == before
    for words in told:
        assert words in answer.err
    return answer.err


def assert_one_line(text: str) -> None:
    assert text.startswith("tnness: ")
    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert "Traceback" not in text
    assert len(text.strip()) > len("tnness: ")


def contents(folder: Path) -> dict[str, bytes]:
    found = {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}
    return {name: data for name, data in found.items() if "__pycache__" not in name}
