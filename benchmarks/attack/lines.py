"""Random command lines: every command, every option that the program has, values that are right and that are wrong."""

from __future__ import annotations

import functools
import os
import random
from pathlib import Path
from typing import Any

import typer

from benchmarks.attack.running import contents, forked, fresh, line, own_process
from benchmarks.attack.tally import Answer
from tnness.cli.app import app

OWN = 0.02
"""Share of the lines that are called in a process of their own."""
WORDS = (
    *("", "0", "-1", "1", "2", "3", "2.5", "1e300", "-1e300", "nan", "inf", "1e-300", "1j", "true", "none", "[]", "{}"),
    *(
        "[1,2",
        "[[1]]",
        "x",
        "ä",
        "a/b",
        "..",
        "/",
        "1,2",
        "1,,2",
        "2,1",
        "0:1:3",
        "0:1:1000000000",
        "log:0:1:3",
        "\ud800",
    ),
    *("n=3", "n=1e9", "n=-1", "n=[1,2]", "rate=1e12", "rate=nan", "rate=1e-320", "delta=x", "=3", "x=", "chi=2"),
    *("chi=0", "chi=1e9", "n=1:3:2", "n=2,2", "rate=log:1:2:3", "rate=1:2:1000000", "n=" + "[" * 3000, "a" * 300),
    *("identity", "thermal:1", "thermal:x", "thermal:1e300", "product:01", "product:9", "ground:1", "ground:99"),
    *("r.nc", "e.nc", "c.nc", "s", "t.nc", "m.nc", "u.nc.part", "u.nc", "none.nc", "m.py:P", "m.py:Q", "none.py:P"),
    *("m.py:measure", "m.py", "9" * 400, "99999999999999999999", "1_000", "١", "0x10", "1/2", "0/0", "3/1", "-1/2"),
    *("tebd", "exact", "accelerated", "gaussian", "trajectories", "transfer", "spectral", "tdvp", "z", "density", "xy"),
    *(
        "%s",
        "{n}",
        "$HOME",
        "~",
        "*",
        "--",
        "-",
        "-h",
        "\n",
        "a\nb",
        "\t",
        "z=1,2",
        "site=1,2",
        "status=1",
        "density=1",
    ),
)
"""Values that may be wrong."""
MODELS = (
    *("ssep -p n=3", "ssep -p n=2", "xxz-driven -p n=3", "xx-dephasing -p n=3", "mbl-heisenberg -p n=3", "m.py:P"),
    *("noisy-anderson -p n=4", "random-circuit -p n=4", "haar-circuit -p n=3", "replica-abc -p n=3"),
    *("hopping-master-equation -p n=6", "anderson-wire -p size=2 -p length=2", "anderson-bar -p length=4"),
    *("thermal-network -p n=5", "charge-network -p n=5", "energy-spreading -p n=5", "cavity"),
)
"""Models with parameters that make them small."""
RIGHT = {
    "--param": ("rate=2", "n=3", "n=2", "delta=0.5", "rate=0"),
    "--engine": ("tebd", "exact", "accelerated", "gaussian", "tdvp", "trajectories"),
    "--set": ("chi=2", "dt=0.1", "order=2", "block=2", "burst=2", "tolerance=1e-6"),
    "--chi": ("2", "4", "2,4"),
    "--dt": ("0.1", "0.2,0.1", "0.05"),
    "--order": ("2", "4"),
    "--method": ("svd", "randomized", "cholesky-qr", "qr"),
    "--symmetry": ("auto", "none", "charges", "parity"),
    "--schedule": ("2", "2,3"),
    "--dtype": ("float32", "float64"),
    "--seed": ("1", "2"),
    "--initial": ("identity", "thermal:0.1", "product:010", "product:01", "r.nc", "e.nc"),
    "--time": ("0.1:1:3", "0,1", "log:0.1:1:3", "2,3"),
    "--tol": ("0.1", "1e-3"),
    "--atol": ("0.1", "1e-3"),
    "--max-time": ("2", "1"),
    "--watch": ("z", "density", "current"),
    "--adjoint": ("1", "2"),
    "--grid": ("n=2,3", "rate=1,2", "chi=2,3", "rate=1:2:3"),
    "--realizations": ("2", "1"),
    "--engine-realizations": ("2", "3"),
    "--independent": ("n", "rate"),
    "--workers": ("0", "1"),
    "--task": ("0/2", "1/2"),
    "--measure": ("m.py:measure",),
    "--observable": ("density", "current"),
    "--x": ("n",),
    "--curves": ("n", "realization"),
    "--at": ("n=2", "realization=0"),
    "--log": ("x", "y", "xy"),
    "--model": ("m.py:P",),
    "--checkpoint-every": ("0", "1"),
    "--out": ("new.nc", "new.png", "r.nc"),
    "--store": ("new", "s"),
}
"""Values that are right, at least for some model."""
WEIGHTS = {
    "run": 6,
    "converge": 2,
    "sweep": 3,
    "plot": 3,
    "collect": 2,
    "check": 2,
    "status": 1,
    "verify": 1,
    "show": 1,
}
"""How often a command comes; another: once."""


@functools.cache
def commands() -> dict[str, list[Any]]:
    """Return the options and arguments of every command, as the program itself states them."""
    return {name: command.params for name, command in typer.main.get_command(app).commands.items()}  # type: ignore[attr-defined]


def some_line(rng: random.Random) -> list[str]:
    """Return a command line of which most words are possible and some are not."""
    known = commands()
    command = rng.choices(list(known), [WEIGHTS.get(name, 1) for name in known])[0]
    words = [command, *_subject(command, rng), *_needed(command, rng)]
    options = [option for option in known[command] if option.param_type_name == "option"]
    for _ in range(rng.randint(0, 4) if options else 0):
        words += _option(rng.choice(options), rng)
    if rng.random() < 0.05:
        words.insert(rng.randint(1, len(words)), rng.choice(WORDS))
    return [word for word in words if word.isprintable() or "\0" not in word]


def _subject(command: str, rng: random.Random) -> list[str]:
    """Return what a command is about."""
    if command == "models":
        return []
    if rng.random() < 0.1:
        return [rng.choice(WORDS)]
    if command in ("status", "collect"):
        return [rng.choice(("s", "s", "s", "new", "r.nc"))]
    if command in ("plot", "verify"):
        return [rng.choice(("r.nc", "e.nc", "c.nc", "t.nc", "m.nc", "u.nc.part", "s"))]
    if command == "run" and rng.random() < 0.3:
        return [rng.choice(("r.nc", "e.nc", "c.nc", "t.nc", "m.nc", "u.nc.part", "u.nc"))]
    words = rng.choice(MODELS).split()
    return words[:1] if command == "show" else words


def _needed(command: str, rng: random.Random) -> list[str]:
    """Return what a command needs, and what keeps it short."""
    if rng.random() < 0.1:
        return []
    short = ["--max-time", "2"] if rng.random() < 0.7 else ["--time", "0.1,0.2"]
    if command == "run":
        return ["--out", "new.nc", *short]
    if command == "converge":
        return ["--out", "new.nc", "--chi", "2,4", "--max-time", "2"]
    if command == "sweep":
        return ["--store", "new", "--workers", "0", *short]
    return ["--out", "new.nc"] if command == "collect" else []


def _option(option: Any, rng: random.Random) -> list[str]:
    flag = rng.choice([*option.opts, *option.secondary_opts])
    if option.is_flag:
        return [flag]
    right = RIGHT.get(option.opts[-1]) or RIGHT.get(option.opts[0]) or WORDS
    value = rng.choice(right if rng.random() < 0.6 else WORDS)
    return [f"{flag}={value}"] if flag.startswith("--") and rng.random() < 0.2 else [flag, value]


def _is_possible(word: str) -> bool:
    """Return whether a process can be given a word: no system can pass some that a caller in this process can."""
    try:
        return b"\0" not in os.fsencode(word)
    except UnicodeEncodeError:
        return False


def case(folder: Path, rng: random.Random) -> Answer:
    """Return the answer to one random command line; what is refused must leave every file as it was."""
    words, own = some_line(rng), rng.random() < OWN
    own = own and all(_is_possible(word) for word in words)
    with fresh(folder) as place:
        before = contents(place)
        kind, detail = own_process(words) if own else forked(lambda: line(words))
        after = contents(place)
    changed = [name for name, content in before.items() if after.get(name) != content]
    if kind == "refused" and changed:
        kind, detail = "silent change", f"{', '.join(changed)}; {detail}"
    return Answer(kind, " ".join(map(repr, words)) + " (a process)" * own, detail)
