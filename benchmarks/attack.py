"""What the boundaries stand: `python -m benchmarks.attack [--seconds 300]`.

Four attacks, each bounded in time: command lines and calls of the public functions with random wrong values, records
that were changed or damaged, and kills at random moments of every command. It counts answers that are tracebacks, runs
that hang, numbers that changed without a word, and results that were lost. All four must be 0; docs/trust.md says what
is promised. Every attack runs in forked processes, so that nothing is loaded twice.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import random
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
import typer
import xarray as xr

import tnness
from tnness import Record, cli
from tnness import spin_half as s
from tnness.errors import Interrupted, TnnessError
from tnness.records.files import is_sealed, sealed
from tnness.study.collect import collect

HANG = 60.0
"""Seconds after which a case counts as a hang: every case is a chain of two or three sites."""
MEMORY = 6 << 30
"""Bytes that a case may ask for."""
FAULTS = ("traceback", "hang", "silent change", "lost")


@dataclass
class Tally:
    """The outcome of an attack. cases: how many; counts: of each kind of answer; shown: the first faults in words."""

    name: str
    cases: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    shown: list[str] = field(default_factory=list)

    def add(self, answer: str, what: str) -> None:
        """Count one case."""
        self.cases += 1
        self.counts[answer.partition(":")[0]] += 1
        if answer.partition(":")[0] in FAULTS and len(self.shown) < 20:
            self.shown.append(f"{answer}  <-  {what}")

    @property
    def faults(self) -> int:
        """The number of faults."""
        return sum(self.counts[fault] for fault in FAULTS)

    def __str__(self) -> str:
        faults = ", ".join(f"{self.counts[fault]} {fault}" for fault in FAULTS)
        others = ", ".join(f"{count} {name}" for name, count in self.counts.items() if name not in FAULTS)
        return f"{self.name:<14} {self.cases:5d} cases: {faults}  ({others})"


# ------------------------------------------------------------------ processes


def forked(work: Callable[[], str], limit: float = HANG) -> str:
    """Do work in a forked process, and return its answer; `hang` if none comes in time."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        for number in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        answer = "traceback: died"
        with contextlib.suppress(BaseException):
            answer = work()
        os.write(write, answer.encode()[:4000])
        os._exit(0)
    os.close(write)
    deadline, text = time.monotonic() + limit, ""
    try:
        os.set_blocking(read, False)
        while time.monotonic() < deadline:
            with contextlib.suppress(BlockingIOError):
                text += os.read(read, 4000).decode(errors="replace")
            if text or os.waitpid(pid, os.WNOHANG)[0]:
                return text or "traceback: died"
            time.sleep(0.002)
        return "hang"
    finally:
        os.close(read)
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def line(words: list[str]) -> str:
    """Call the command line: `done`, `refused` in one line, or `traceback`."""
    err = io.StringIO()
    sys.argv = ["tnness", *words]
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            cli.main()
        except SystemExit as end:
            told = [text for text in err.getvalue().splitlines() if text.startswith("tnness: ")]
            if end.code in (0, None):
                return "done"
            return "refused" if len(told) == 1 or "Usage:" in err.getvalue() else f"traceback: {err.getvalue()[-300:]}"
        except BaseException as error:
            return f"traceback: {type(error).__name__}: {str(error)[:200]} {_where(error)}"
    return "done"


def _where(error: BaseException) -> str:
    frame, place = error.__traceback__, ""
    while frame is not None:
        place = f"({Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno})"
        frame = frame.tb_next
    return place


# ------------------------------------------------------------------ command lines

WORDS = (
    *("", "0", "-1", "1", "2", "3", "2.5", "1e300", "-1e300", "nan", "inf", "1e-300", "1j", "true", "none", "[]", "{}"),
    *("[1,2", "[[1]]", "x", "ä", "a/b", "..", "/", "1,2", "1,,2", "2,1", "0:1:3", "0:1:1000000000", "log:0:1:3"),
    *("n=3", "n=1e9", "n=-1", "n=[1,2]", "rate=1e12", "rate=nan", "delta=x", "=3", "x=", "chi=2", "chi=0", "chi=1e9"),
    *("identity", "thermal:1", "thermal:x", "product:01", "product:9", "ground:1", "r.nc", "e.nc", "c.nc", "s", "t.nc"),
    *("ssep", "xxz-driven", "xx-dephasing", "random-circuit", "anderson-wire", "m.py:P", "m.py:Q", "none.py:P", "m.py"),
    *("tebd", "exact", "accelerated", "gaussian", "trajectories", "transfer", "spectral", "z", "density", "x", "xy"),
)
OPTIONS = (
    *("-p", "--seed", "--initial", "--time", "--tol", "--max-time", "--watch", "--chi", "--dt", "--order", "--cutoff"),
    *(
        "--engine",
        "--set",
        "--grid",
        "--realizations",
        "--independent",
        "--measure",
        "--task",
        "--store",
        "--out",
        "-o",
    ),
    *(
        "--schedule",
        "--burst",
        "--power",
        "--method",
        "--dtype",
        "--block",
        "--at",
        "--x",
        "--curves",
        "--log",
        "--model",
    ),
)
FLAGS = ("--accelerate", "--bracket", "--no-kick", "--overwrite", "--quiet", "--accept-old", "--keep-states", "--help")
COMMANDS = ("run", "run", "converge", "sweep", "status", "collect", "plot", "verify", "show", "check", "models")
SMALL = ("--max-time", "2", "--checkpoint-every", "0")
"""What keeps a valid command short."""
MODEL = """
from dataclasses import dataclass
from tnness import Lindbladian, expectation
from tnness import spin_half as s


@dataclass(frozen=True, kw_only=True)
class P:
    n: int = 3
    rate: float = 1.0

    def problem(self):
        chain = Lindbladian([s] * min(self.n, 4))
        for i in range(min(self.n, 4) - 1):
            chain.hamiltonian(s.X(i) * s.X(i + 1))
        chain.jump(s.Sp(0), rate=self.rate)
        return chain

    def observables(self):
        return {"z": expectation([s.Z(i) for i in range(min(self.n, 4))], "site")}
"""


def some_line(rng: random.Random) -> list[str]:
    """Return a command line of which most words are possible and some are not."""
    command = rng.choice(COMMANDS)
    words = [command]
    if command not in ("models",):
        words.append(rng.choice(("ssep", "xxz-driven", "m.py:P", "r.nc", "s", "t.nc", rng.choice(WORDS))))
    if command in ("run", "converge"):
        words += ["-p", "n=3", *SMALL, "--out", "new.nc"] if rng.random() < 0.8 else []
        words += ["--chi", "2,4"] if command == "converge" else []
    if command == "sweep":
        words += ["--store", "new", "--workers", "0", "--max-time", "2"]
    if command == "collect":
        words += ["--out", "new.nc"]
    for _ in range(rng.randint(0, 4)):
        words += [rng.choice(FLAGS)] if rng.random() < 0.2 else [rng.choice(OPTIONS), rng.choice(WORDS)]
    return words


def command_lines(folder: Path, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Yield answers to random command lines."""
    while True:
        words = some_line(rng)
        with fresh(folder):
            yield forked(lambda words=words: line(words)), " ".join(words)


@contextlib.contextmanager
def fresh(folder: Path) -> Iterator[Path]:
    """Go to a copy of a folder for the duration of a block."""
    with tempfile.TemporaryDirectory() as copy:
        for file in folder.iterdir():
            os.symlink(file, Path(copy) / file.name) if file.is_dir() else os.link(file, Path(copy) / file.name)
        before = Path.cwd()
        os.chdir(copy)
        try:
            yield Path(copy)
        finally:
            os.chdir(before)


# ------------------------------------------------------------------ calls


def values() -> list[Any]:
    """Return the values that no function, or not every function, takes."""
    return [
        *(None, True, -1, 0, 3, 1e300, float("nan"), float("inf"), 1j, "", "x", "\0", "a" * 5000, b"x"),
        *([], [1], ["a"], {}, {"a": 1}, {"chi": 8}, (), set(), object(), np.ones(3), np.ones((2, 2)), np.array("x")),
        *(tnness.TEBD, tnness.TEBD(chi=2), tnness.find("ssep"), tnness.find("ssep")(n=2), lambda *given: 1, len),
        *(
            s,
            s.Z,
            s.Z(0),
            range(3),
            xr.Dataset(),
            [[[[]]]],
            Ellipsis,
            tnness.Changes(),
            tnness.Ask(),
            Record.open("r.nc"),
        ),
    ]


def entries() -> dict[str, dict[str, Any]]:
    """Return the public functions and classes, with arguments that are right."""
    model, state = tnness.find("ssep")(n=2), tnness.identity_state([s, s])
    chain = tnness.find("xxz-driven")(n=2).problem()
    two = {"spaces": [s, s]}
    return {
        "steady_state": {"model": model, "engine": "exact"},
        "evolve": {"model": model, "times": [0.0, 0.1], "engine": "exact"},
        "extend": {"path": "r.nc", "out": "x.nc", "overwrite": True},
        "sweep": {"model": "ssep", "grid": {"n": [2]}, "store": "new", "engine": "exact", "workers": 0},
        "collect": {"folder": "s"},
        "status": {"folder": "s"},
        "converge": {"model": model, "chi": [2, 4], "max_time": 2.0},
        "check": {"model": model},
        "find": {"name": "ssep"},
        "identity_state": two,
        "product_state": {**two, "matrices": [np.eye(2) / 2] * 2},
        "thermal_state": {"lindbladian": chain, "beta": 0.1},
        "density_from_pure": {**two, "pure": tnness.ChainState.product([[1.0, 0.0]] * 2)},
        "to_quimb": {"source": state},
        "to_tenpy": {"state": state},
        "local_temperature": {"rho": np.eye(2) / 2, "hamiltonian": np.diag([1.0, -1.0])},
        **{name: {"cutoff" if name == "boson" else "twice" if name == "spin" else "d": 2} for name in SPACES},
        "quantum_space": {"name": "own", "operators": {"Z": np.diag([1.0, -1.0])}},
        "expectation": {"operators": s.Z(0)},
        "two_point": {"first": s.Z, "second": s.Z},
        "total": {"operators": [s.Z(0)]},
        "Lindbladian": two,
        **{name: {} for name in ("Ask", "Changes", "TEBD", "Exact", "Accelerated", "Truncation")},
        "register": {"name": "attack"},
        "register_engine": {"name": "attack"},
    }


SPACES = ("boson", "spin", "levels", "classical")


def calls(folder: Path, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Yield answers of public functions to wrong values of one or two of their arguments."""
    while True:
        with fresh(folder):
            known, wrong = entries(), values()
            name = rng.choice(list(known))
            parameters = [
                p.name
                for p in inspect.signature(getattr(tnness, name)).parameters.values()
                if p.kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
            ]
            given = {p: rng.choice(wrong) for p in rng.sample(parameters, min(len(parameters), rng.randint(1, 2)))}
            arguments = known[name] | given
            told = f"{name}({', '.join(f'{k}={v!r:.40}' for k, v in given.items())})"
            yield forked(lambda name=name, arguments=arguments: call(getattr(tnness, name), arguments)), told


def call(function: Callable[..., Any], arguments: dict[str, Any]) -> str:
    """Call a function: `done`, `refused` by an error of the package in one line, or `traceback`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            function(**arguments)
        except TnnessError as error:
            return "refused" if "\n" not in str(error) else f"traceback: more than one line: {str(error)[:200]}"
        except (Exception, Interrupted) as error:
            return f"traceback: {type(error).__name__}: {str(error)[:200]} {_where(error)}"
    return "done"


# ------------------------------------------------------------------ records

SEAL = 39
"""Bytes of a seal without a key."""


def records(folder: Path, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Yield answers to records that are damaged (their seal is broken or gone) or crafted (sealed again)."""
    while True:
        with fresh(folder):
            name = rng.choice(("r.nc", "e.nc", "c.nc", "t.nc"))
            content, crafted = Path(name).read_bytes(), rng.random() < 0.6
            told = craft(content, rng) if crafted else damage(content, rng)
            words = [rng.choice((["plot"], ["verify"], ["run", "ssep", "-p", "n=2", "--out", "o.nc", "--initial"]))]
            if name in ("r.nc", "e.nc"):
                words.append(["run", "--chi", "3", *SMALL] if name == "r.nc" else ["run", "--time", "3,4"])
            chosen = rng.choice(words)
            before = told[0]
            Path("bad.nc").write_bytes(before)
            answer = forked(lambda chosen=chosen: line([*chosen, "bad.nc"]))
            if not crafted and answer == "done" and before != content:
                answer = "silent change: a damaged file was read"
            yield answer, f"{' '.join(chosen)} {name}: {told[1]}"


def damage(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Return a file in which bytes are changed or cut off."""
    if rng.random() < 0.3:
        length = rng.randrange(len(content))
        return content[:length], f"cut to {length} bytes"
    changed = bytearray(content if rng.random() < 0.7 else content[:-SEAL])
    places = [rng.randrange(len(changed)) for _ in range(rng.randint(1, 8))]
    for place in places:
        changed[place] ^= rng.randint(1, 255)
    return bytes(changed), f"bytes {places} changed"


def craft(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Return a file with a seal that fits, in which an attribute or an array was replaced or removed."""
    memory = io.BytesIO(content[:-SEAL])
    with h5py.File(memory, "r+") as file:
        places: list[Any] = [file]
        file.visititems(lambda name, item: places.append(item))
        place = rng.choice([place for place in places if len(place.attrs) or place is not file])
        names = [name for name in place.attrs if name not in ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME")]
        value = rng.choice(
            (3, -1, np.nan, "x", "{}", "[]", "[" * 3000, b"\xff", np.zeros(3), np.zeros((2, 2)), '{"a": 1}')
        )
        if names and rng.random() < 0.6:
            name = rng.choice(names)
            told = f"attribute {name} of {place.name}"
            if rng.random() < 0.2:
                del place.attrs[name]
            else:
                place.attrs[name] = value
        elif place is file:
            told = "a link to another file"
            file["link"] = h5py.ExternalLink("/etc/hostname", "/x")
        else:
            name = place.name
            told = f"array {name}"
            del file[name]
            if rng.random() < 0.7:
                file[name] = value
    return sealed(memory.getvalue()), f"{told} = {value!r:.40}"


# ------------------------------------------------------------------ kills

KILLED = {
    "tebd": "run xxz-driven -p n=4 --chi 4 --schedule 2 --dt 0.1 --tol 1e-9 --max-time 6 --no-kick --out k.nc",
    "tebd, times": "run xxz-driven -p n=4 --chi 6 --dt 0.1 --time 0.1:2:20 --out k.nc",
    "exact": "run xxz-driven -p n=4 --engine exact --time 0.1:5:40 --out k.nc",
    "accelerated": "run xxz-driven -p n=3 --accelerate --chi 4 --max-time 20 --out k.nc",
    "gaussian": "run xx-dephasing -p n=6 --engine gaussian --time 0.1:5:40 --out k.nc",
    "trajectories": "run noisy-anderson -p n=4 --engine trajectories --time 1:5:5 --out k.nc",
    "transfer": "run anderson-wire --out k.nc",
    "converge": "converge ssep -p n=3 --chi 2,4 --max-time 20 --out k.nc",
    "sweep": "sweep ssep --grid n=2,3 --engine exact --realizations 8 --workers 0 --store k",
}


def kills(folder: Path, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Yield what is left after a kill at a random moment and the same command again: the numbers of one run."""
    whole: dict[str, tuple[Any, float]] = {}
    while True:
        kind = rng.choice(list(KILLED))
        with fresh(folder):
            words = KILLED[kind].split()
            often = [*words, "--checkpoint-every", "0"] if words[0] != "sweep" else words
            if kind not in whole:
                started = time.monotonic()
                answer = forked(lambda words=words: line(words), 10 * HANG)
                if answer != "done":
                    yield f"lost: undisturbed: {answer}", kind
                    continue
                whole[kind] = (numbers(words), time.monotonic() - started)
                clear()
            moments = [rng.uniform(0, 1.2 * whole[kind][1]) for _ in range(rng.randint(1, 3))]
            for moment in moments:
                killed(often, moment)
            answer = forked(lambda words=words: line(words), 10 * HANG)
            told = f"{kind}, killed after {', '.join(f'{moment:.2f}' for moment in moments)} s"
            finished = Path(words[-1]).exists()
            if answer == "hang" or answer.startswith("traceback"):
                yield answer, told
            elif not finished:
                yield f"lost: {answer}", told
            else:
                yield "same" if numbers(words) == whole[kind][0] else "silent change", told
            for _ in moments[1:]:
                yield "killed before", told


def killed(words: list[str], moment: float) -> None:
    """Start a command, and kill it after some seconds."""
    pid = os.fork()
    if pid == 0:
        for number in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        with contextlib.suppress(BaseException):
            line(words)
        os._exit(0)
    deadline = time.monotonic() + moment
    while time.monotonic() < deadline and not os.waitpid(pid, os.WNOHANG)[0]:
        time.sleep(0.002)
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def clear() -> None:
    """Remove what the undisturbed run has written."""
    for path in sorted(Path.cwd().rglob("*k*"), reverse=True):
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.is_dir():
            with contextlib.suppress(OSError):
                path.rmdir()
    for path in sorted(Path("k").rglob("*"), reverse=True) if Path("k").exists() else []:
        path.unlink() if path.is_file() else path.rmdir()
    if Path("k").exists():
        Path("k").rmdir()


def numbers(words: list[str]) -> dict[str, bytes]:
    """Return every number that a command has written, bit for bit, but for seconds."""
    table = collect("k") if words[0] == "sweep" else Record.open("k.nc").dataset
    return {str(name): data.values.tobytes() for name, data in table.variables.items() if name != "cpu_seconds"}


# ------------------------------------------------------------------ all


def prepared(folder: Path) -> Path:
    """Write the files that the attacks use: a model, records of every kind, a sweep, its table."""
    (folder / "m.py").write_text(MODEL)
    before = Path.cwd()
    os.chdir(folder)
    try:
        model = tnness.find("ssep")(n=3)
        tnness.steady_state(model, engine=tnness.TEBD(chi=2, dt=0.2), max_time=2.0, out="r.nc")
        tnness.evolve(model, [0.0, 1.0], engine=tnness.TEBD(chi=2, dt=0.2), out="e.nc")
        tnness.converge(model, [2, 4], max_time=2.0, out="c.nc")
        tnness.sweep("ssep", {"n": [2, 3]}, store="s", engine="exact", workers=0)
        Record(collect("s")).save("t.nc")
    finally:
        os.chdir(before)
    assert is_sealed((folder / "r.nc").read_bytes())
    return folder


ATTACKS = {"command lines": command_lines, "calls": calls, "records": records, "kills": kills}
CASES = {"command lines": 2000, "calls": 2000, "records": 500, "kills": 300}


def attack(name: str, folder: Path, cases: int, seconds: float, seed: int) -> Tally:
    """Return the tally of one attack, which ends after so many cases or seconds."""
    tally, ends = Tally(name), time.monotonic() + seconds
    stream = ATTACKS[name](folder, random.Random(f"{seed} {name}"))
    while tally.cases < cases and time.monotonic() < ends:
        tally.add(*next(stream))
    stream.close()  # type: ignore[attr-defined]
    return tally


def main(
    seconds: Annotated[float, typer.Option(help="for each of the four attacks")] = 300.0,
    seed: Annotated[int, typer.Option(help="of the random choices")] = 0,
    only: Annotated[str, typer.Option(help=f"one of {', '.join(ATTACKS)}")] = "",
) -> None:
    """Attack, and end with status 1 if anything was not refused in one line, changed, or lost."""
    tnness.models()
    with tempfile.TemporaryDirectory() as folder:
        place = prepared(Path(folder))
        faults = 0
        for name in [only] if only else ATTACKS:
            tally = attack(name, place, CASES[name], seconds, seed)
            print(tally, flush=True)
            for text in tally.shown:
                print(f"    {text}")
            faults += tally.faults
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    typer.run(main)
