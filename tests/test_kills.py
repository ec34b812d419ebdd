"""Every engine, and every kind of run: killed at random moments, interrupted, extended, out of room.

Whatever happens on the way, the same command goes on, and ends at the numbers of a run that nothing stopped.
"""

import random
import shlex
import signal
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from forks import Fork, Forks
from processes import PATIENCE, assert_same, contents, finish, start
from tnness.records.record import Record

FEW, MANY = 3, 20
"""Kills of a run in the suite, and in the slow tests."""
OUT = ("--out", "run.nc")
SWAP = "random-circuit -p n=4 -p p1=0.5 -p p2=0.5"
FREE = "random-circuit -p n=16"
NOISY = "noisy-anderson -p n=8 -p disorder=6"
HOPS = "noisy-anderson -p n=6 -p delta=0.5 -p initial=neel --engine trajectories --set realizations=2 --set chi=6"
STEADY = {
    "tebd": "xxz-driven -p n=4 --chi 8 --schedule 5 --dt 0.1 --tol 1e-9 --max-time 3",
    "tebd by charges": "ssep -p n=6 --chi 6 --schedule 4 --tol 1e-9 --max-time 20",
    "tebd by random directions": "mbl-heisenberg -p n=5 --method randomized --chi 6 --tol 1e-9 --max-time 20",
    "tebd in single precision": "mbl-heisenberg -p n=5 --dtype float32 --chi 6 --tol 1e-9 --max-time 20",
    "tebd of a circuit": f"{SWAP} -p steps=1500 -p every=20 --engine tebd --chi 6",
    "accelerated": "mbl-heisenberg -p n=4 -p eps=0.01 --accelerate --chi 8 --schedule 6 --set burst=5 --max-time 40",
    "exact": "ssep -p n=6 --engine exact",
    "exact of a circuit": f"{SWAP} -p steps=1500 -p every=20 --engine exact",
    "gaussian": "xx-dephasing -p n=100 --engine gaussian",
    "gaussian of a circuit": f"{FREE} -p steps=3000 -p every=40",
    "spectral": "hopping-master-equation -p n=100",
    "transfer of a wire": "anderson-wire -p size=4 -p length=6",
    "transfer of a bar": "anderson-bar -p length=20000",
}
EVOLUTIONS = {
    "tebd": ("mbl-heisenberg -p n=6 --chi 6", np.linspace(0.07, 20, 40)),
    "tebd by charges": ("ssep -p n=6 --chi 5", np.linspace(0.07, 20, 40)),
    "tebd of a circuit": (f"{SWAP} --engine tebd --chi 6", np.linspace(0, 60, 60)),
    "exact": ("xxz-driven -p n=4 --engine exact", np.linspace(0.05, 5, 50)),
    "exact of a circuit": (f"{SWAP} --engine exact", np.linspace(0, 60, 60)),
    "gaussian without noise": ("xx-dephasing -p n=30 -p dephasing=0 --engine gaussian", np.linspace(0, 30, 50)),
    "gaussian with one noisy site": (NOISY, np.geomspace(0.1, 1e4, 30)),
    "gaussian with several noisy sites": ("xx-dephasing -p n=30 --engine gaussian", np.linspace(0, 12, 10)),
    "gaussian of a circuit": (FREE, np.linspace(0, 60, 60)),
    "trajectories of orbitals": (f"{NOISY} --engine trajectories --set realizations=4", np.linspace(0, 300, 50)),
    "trajectories of matrix products": (HOPS, np.linspace(0, 10, 20)),
    "spectral": ("hopping-master-equation -p n=100", np.geomspace(0.1, 1e9, 50)),
    "transfer": ("energy-spreading -p n=200", np.geomspace(0.1, 1e5, 50)),
}


def times(values):
    """Times as an option."""
    return ("--time", ",".join(repr(float(t)) for t in values))


KINDS = {f"steady state, {name}": (*shlex.split(line), *OUT) for name, line in STEADY.items()} | {
    f"evolution, {name}": (*shlex.split(line), *times(values), *OUT) for name, (line, values) in EVOLUTIONS.items()
}


@pytest.fixture(scope="module")
def forks():
    with Forks() as server:
        yield server


@dataclass(frozen=True)
class Whole:
    """A run that nothing stopped: its record, and the seconds that it took."""

    path: Path
    seconds: float


@pytest.fixture(scope="module")
def whole(forks, tmp_path_factory):
    """Return the whole run of a kind, which is made once."""
    made = {}

    def run(kind):
        if kind not in made:
            folder, began = tmp_path_factory.mktemp("whole"), time.monotonic()
            process = forks.run(folder, *KINDS[kind])
            assert process.wait() == 0, process.err
            made[kind] = Whole(folder / "run.nc", time.monotonic() - began)
        return made[kind]

    return run


def dice(request):
    """Random numbers that belong to a test."""
    return random.Random(zlib.crc32(request.node.name.encode()))


def has_come_on(process, part, since):
    """Wait until a run has written a checkpoint; return False where it is over before."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None:
        if part.exists() and part.stat().st_mtime_ns != since:
            return True
        assert time.monotonic() < deadline, "no checkpoint appeared"
        time.sleep(0.001)
    return False


def stop(folder, begin, number, moment):
    """Start a run, and send it a signal some time after its first checkpoint; return False where it is over before."""
    part = folder / "run.nc.part"
    since = part.stat().st_mtime_ns if part.exists() else None
    process = begin()
    if has_come_on(process, part, since):
        until = time.monotonic() + moment
        while time.monotonic() < until and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(number)
    status = process.wait()
    assert status in (0, 130, -number), process.err if isinstance(process, Fork) else status
    return status != 0


def killed(folder, begin, kills, moments, rng):
    """Kill a run again and again; one that is over before its next kill begins anew."""
    done = began = 0
    while done < kills:
        began += 1
        assert began < 20 * kills, "the run is over too soon to be killed"
        if stop(folder, begin, signal.SIGKILL, rng.uniform(0, moments)):
            done += 1
        else:
            (folder / "run.nc").unlink()


def killed_at_once(folder, begin, kills, seconds, rng):
    """Kill a run that has no checkpoint, at any moment of its life."""
    done = began = 0
    while done < kills:
        began += 1
        assert began < 20 * kills, "the run is over too soon to be killed"
        process = begin()
        time.sleep(rng.uniform(0, 0.9 * seconds))
        process.send_signal(signal.SIGKILL)
        done += process.wait() != 0
        (folder / "run.nc").unlink(missing_ok=True)


AT_ONCE = ("steady state, exact", "steady state, gaussian", "steady state, spectral", "steady state, transfer of a wire",
           "steady state, transfer of a bar")  # fmt: skip
"""Kinds that are solved in one step."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_killed_goes_on_to_the_same_numbers_bit_for_bit(kind, tmp_path, forks, whole, request):
    rng, undisturbed = dice(request), whole(kind)
    every = "0" if kind not in AT_ONCE and undisturbed.seconds < 1 else "0.02"

    def begin():
        return forks.run(tmp_path, *KINDS[kind], "--checkpoint-every", every)

    if kind in AT_ONCE:
        killed_at_once(tmp_path, begin, FEW, undisturbed.seconds, rng)
    else:
        killed(tmp_path, begin, FEW, undisturbed.seconds, rng)
        assert list(contents(tmp_path)) != ["run.nc"]
    process = begin()
    assert process.wait() == 0, process.err
    assert list(contents(tmp_path)) == ["run.nc"]
    assert_same(tmp_path / "run.nc", undisturbed.path, ("",))


@pytest.mark.parametrize("kind", EVOLUTIONS)
def test_an_interrupted_evolution_is_continued_and_extended_to_the_numbers_of_one_run(kind, tmp_path, forks, whole):
    """Bit for bit: every time asked for, its errors, and the account in the certificate."""
    line, values = EVOLUTIONS[kind]
    first, later = values[: len(values) // 2], values[len(values) // 2 :]
    arguments = (*shlex.split(line), *times(first), *OUT)

    def begin():
        return forks.run(tmp_path, *arguments, "--checkpoint-every", "0")

    for _ in range(20):
        if stop(tmp_path, begin, signal.SIGINT, 0.0):
            break
        (tmp_path / "run.nc").unlink()
    reached = Record.open(tmp_path / "run.nc.part")
    assert reached.unfinished
    for command in (arguments, ("run.nc", *times(later))):
        process = forks.run(tmp_path, *command)
        assert process.wait() == 0, process.err
    extended, undisturbed = Record.open(tmp_path / "run.nc"), Record.open(whole(f"evolution, {kind}").path)
    assert list(extended.dataset.variables) == list(undisturbed.dataset.variables)
    unequal = [
        name
        for name, variable in undisturbed.dataset.variables.items()
        if variable.values.tobytes() != extended.dataset[name].values.tobytes()
    ]
    assert unequal == []
