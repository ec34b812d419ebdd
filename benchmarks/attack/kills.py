"""Commands that are killed at random moments, again and again, and then finish: they must give the numbers of one that
nothing stopped, bit for bit."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from benchmarks.attack.running import GRACE, forked, fresh, line
from benchmarks.attack.tally import Answer
from tnness.study.collect import collect

SWAP = "random-circuit -p n=4 -p p1=0.5 -p p2=0.5"
HOPS = "noisy-anderson -p n=5 -p delta=0.5 -p initial=neel --engine trajectories --set realizations=2 --set chi=6"
NOISY = "noisy-anderson -p n=8 -p disorder=6"
MBL = "mbl-heisenberg -p n=4 --tol 1e-9 --max-time 8"
DRAWN = "sweep mbl-heisenberg -p n=3 --grid h=1,2 --realizations 2 --workers 0"
KILLED = {
    "tebd": "run xxz-driven -p n=4 --chi 4 --schedule 2 --dt 0.1 --tol 1e-9 --max-time 6 --no-kick --out k.nc",
    "tebd by charges": "run xxz-driven -p n=4 --chi 8 --symmetry charges --dt 0.2 --tol 1e-9 --max-time 6 --out k.nc",
    "tebd, random directions": f"run {MBL} --method randomized --chi 6 --out k.nc",
    "tebd, single precision": f"run {MBL} --dtype float32 --chi 6 --out k.nc",
    "tebd, adjoint": "run xxz-driven -p n=3 --chi 3 --dt 0.2 --max-time 8 --adjoint 2 --out k.nc",
    "tebd of a circuit": f"run {SWAP} -p steps=400 -p every=20 --engine tebd --chi 6 --out k.nc",
    "tebd, times": "run xxz-driven -p n=4 --chi 6 --dt 0.1 --time 0.1:2:20 --out k.nc",
    "tebd, extended": "run r.nc --chi 4 --tol 1e-9 --max-time 20 --out k.nc",
    "tebd, later times": "run e.nc --time 2:6:20 --out k.nc",
    "tebd, from a record": "run ssep -p n=3 --chi 4 --initial r.nc --tol 1e-9 --max-time 20 --out k.nc",
    "tdvp": "run xxz-driven -p n=3 --engine tdvp --chi 4 --dt 0.2 --max-time 6 --no-kick --out k.nc",
    "tdvp, times": "run xxz-driven -p n=3 --engine tdvp --chi 4 --dt 0.1 --time 0.1:1:10 --out k.nc",
    "accelerated": "run xxz-driven -p n=3 --accelerate --chi 4 --max-time 20 --out k.nc",
    "exact": "run xxz-driven -p n=4 --engine exact --out k.nc",
    "exact, times": "run xxz-driven -p n=4 --engine exact --time 0.1:5:40 --out k.nc",
    "exact of a circuit": f"run {SWAP} -p steps=400 -p every=20 --engine exact --out k.nc",
    "gaussian": "run xx-dephasing -p n=40 --engine gaussian --out k.nc",
    "gaussian, times": "run xx-dephasing -p n=20 --engine gaussian --time 0.1:5:40 --out k.nc",
    "gaussian of a circuit": "run random-circuit -p n=16 -p steps=1000 -p every=40 --out k.nc",
    "trajectories, orbitals": f"run {NOISY} --engine trajectories --set realizations=4 --time 0:100:20 --out k.nc",
    "trajectories": f"run {HOPS} --time 0:3:10 --out k.nc",
    "spectral": "run hopping-master-equation -p n=60 --out k.nc",
    "spectral, times": "run hopping-master-equation -p n=60 --time log:0.1:1e6:30 --out k.nc",
    "transfer of a wire": "run anderson-wire -p size=3 -p length=4 --out k.nc",
    "transfer of a bar": "run anderson-bar -p length=5000 --out k.nc",
    "transfer, times": "run energy-spreading -p n=100 --time log:0.1:1e5:30 --out k.nc",
    "converge": "converge ssep -p n=3 --chi 2,4 --max-time 20 --out k.nc",
    "converge, dt": "converge ssep -p n=3 --chi 2,4 --dt 0.2,0.1 --max-time 10 --out k.nc",
    "sweep": "sweep ssep --grid n=2,3 --engine exact --realizations 8 --workers 0 --store k",
    "sweep of evolutions": f"{DRAWN} --chi 4 --time 0:2:5 --store k",
    "sweep, two workers": "sweep ssep --grid n=2,3 --engine exact --realizations 8 --workers 2 --store k",
    "collect": "collect s --out k.nc",
}
"""Commands by name; each writes k.nc or the store k."""
SIGNALS = (*[signal.SIGKILL] * 8, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What stops a command: mostly what it cannot know of."""
MOST_KILLS, SHARE = 12, 0.7
"""Most kills of a command before it may finish, and the longest time to one, as a share of what the command takes."""
Numbers = dict[str, tuple[str, bytes]]


def case(folder: Path, rng: random.Random, number: int) -> Answer:
    """Return the answer to one command, each in its turn, that is killed up to MOST_KILLS times."""
    kind = list(KILLED)[number % len(KILLED)]
    words, wanted, times = KILLED[kind].split(), rng.randint(1, MOST_KILLS), list[str]()
    undisturbed, seconds = whole(folder, kind)
    often = [*words, "--checkpoint-every", "0"] if words[0] in ("run", "converge") else words
    with fresh(folder):
        for _ in range(10 * wanted):
            moment, with_ = rng.uniform(0, SHARE * seconds), rng.choice(SIGNALS)
            if killed(often, moment, with_):
                times.append(f"{with_.name} after {moment:.2f} s")
            if Path(words[-1]).is_file():  # it was over, or killed in its last moment
                break
            if len(times) == wanted:
                break
        if not Path(words[-1]).is_file():
            outcome, detail = forked(lambda: line(words))
        else:
            outcome, detail = "done", ""
        told = f"{kind}: {', '.join(times)}"
        if outcome in ("done", "failed") and Path(words[-1]).exists():
            other = different(undisturbed, numbers(words))
            left = [
                path.name for path in Path().iterdir() if "k.nc" in path.name and path.name not in ("k.nc", "k.png")
            ]
            outcome, detail = ("silent change", ", ".join(other)) if other else ("same", ", ".join(left))
        elif outcome not in ("hang", "traceback"):
            outcome = "lost"
    return Answer(outcome, told, detail, counts=max(len(times), int(outcome != "same")))


_WHOLE: dict[tuple[Path, str], tuple[Numbers, float]] = {}


def whole(folder: Path, kind: str) -> tuple[Numbers, float]:
    """Return the numbers of a command that nothing stops, and the seconds that it takes with every checkpoint."""
    if (folder, kind) not in _WHOLE:
        words = KILLED[kind].split()
        with fresh(folder):
            outcome = forked(lambda: line(words))
            assert outcome[0] == "done", f"{kind}: {outcome}"
            held = numbers(words)
        with fresh(folder):
            began = time.monotonic()
            forked(lambda: line([*words, "--checkpoint-every", "0"] if words[0] in ("run", "converge") else words))
            _WHOLE[folder, kind] = held, time.monotonic() - began
    return _WHOLE[folder, kind]


def killed(words: list[str], moment: float, number: signal.Signals) -> bool:
    """Start a command, and send it a signal after some seconds; return whether that has stopped it."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for descriptor in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
        outcome = ("traceback", "")
        with contextlib.suppress(BaseException):
            outcome = line(words)
        os._exit(0 if outcome[0] == "done" else 1)
    ended = _waits(pid, moment)
    if ended is None:
        os.kill(pid, number)
        ended = _waits(pid, GRACE)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        if ended is None:
            os.waitpid(pid, 0)
            return True
        return ended != 0
    return False


def _waits(pid: int, seconds: float) -> int | None:
    """Wait for a process: return its status, or None if it goes on."""
    deadline = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.002)


# ------------------------------------------------------------------ numbers

CLOCKS = ("wall_seconds", "cpu_seconds")
"""What differs between two runs: the time that they took."""


def numbers(words: list[str]) -> Numbers:
    """Return every number that a command has written, bit for bit."""
    if words[0] == "sweep":
        return {str(name): _bits(data.values) for name, data in collect("k").variables.items() if name not in CLOCKS}
    held: Numbers = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and name.rpartition("/")[2] not in CLOCKS:
            held[name] = _bits(np.asarray(item[()]))

    with h5py.File("k.nc") as file:
        file.visititems(keep)
    return held


def _bits(array: np.ndarray) -> tuple[str, bytes]:
    return str(array.dtype), repr(array.tolist()).encode() if array.dtype == object else array.tobytes()


def different(first: Numbers, second: Numbers) -> list[str]:
    """Return the names of what two commands do not share."""
    return [name for name in sorted(first.keys() | second.keys()) if first.get(name) != second.get(name)]
