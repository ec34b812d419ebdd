"""Every engine, and every kind of run: killed at random moments, interrupted, extended, out of room.

Whatever happens on the way, the same command goes on, and ends at the numbers of a run that nothing stopped.
"""

import random
import re
import shlex
import signal
import subprocess
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from forks import Forks
from processes import Kills, assert_same, contents, start, stop
from tnness.records.record import Record

FEW, MANY = 3, 20
"""Kills of a run in the suite, and in the slow tests."""
LOADING = 1.5
"""Seconds, about, in which a process loads the package."""
OUT = ("--out", "run.nc")
SWAP = "random-circuit -p n=4 -p p1=0.5 -p p2=0.5"
FREE = "random-circuit -p n=16"
NOISY = "noisy-anderson -p n=8 -p disorder=6"
HOPS = "noisy-anderson -p n=5 -p delta=0.5 -p initial=neel --engine trajectories --set realizations=2 --set chi=6"
JUMPS = "xxz-driven -p n=5 --engine trajectories --set realizations=3 --set chi=4 --initial product:01010"
STEADY = {
    "tebd": "xxz-driven -p n=4 --chi 8 --schedule 5 --dt 0.1 --tol 1e-9 --max-time 2",
    "tebd by charges": "xxz-driven -p n=5 --chi 12 --schedule 8 --symmetry charges --dt 0.2 --tol 1e-9 --max-time 8",
    "tebd by random directions": "mbl-heisenberg -p n=5 --method randomized --chi 6 --tol 1e-9 --max-time 15",
    "tebd in single precision": "mbl-heisenberg -p n=5 --dtype float32 --chi 6 --tol 1e-9 --max-time 15",
    "tebd on two cores": "mbl-heisenberg -p n=5 --threads 2 --chi 6 --tol 1e-9 --max-time 15",
    "tebd of a circuit": f"{SWAP} -p steps=1000 -p every=20 --engine tebd --chi 6 --method randomized",
    "accelerated": "mbl-heisenberg -p n=4 -p eps=0.01 --accelerate --chi 8 --schedule 6 --set burst=2 --max-time 25",
    "exact": "ssep -p n=6 --engine exact",
    "exact of a circuit": f"{SWAP} -p steps=1000 -p every=20 --engine exact",
    "gaussian": "xx-dephasing -p n=100 --engine gaussian",
    "gaussian of a circuit": f"{FREE} -p steps=2000 -p every=40",
    "spectral": "hopping-master-equation -p n=100",
    "transfer of a wire": "anderson-wire -p size=4 -p length=6",
    "trajectories of jumps": f"{JUMPS} --set relaxation=2 --set duration=30",
    "transfer of a bar": "anderson-bar -p length=20000",
}
EVOLUTIONS = {
    "tebd": ("mbl-heisenberg -p n=6 --chi 6", np.linspace(0.07, 15, 30)),
    "tebd by charges": ("xx-dephasing -p n=6 --chi 12 --symmetry charges", np.linspace(0.07, 6, 30)),
    "tebd of a circuit": (f"{SWAP} --engine tebd --chi 6 --method randomized", np.linspace(0, 40, 40)),
    "exact": ("xxz-driven -p n=4 --engine exact", np.linspace(0.05, 4, 40)),
    "exact of a circuit": (f"{SWAP} --engine exact", np.linspace(0, 40, 40)),
    "gaussian without noise": ("xx-dephasing -p n=30 -p dephasing=0 --engine gaussian", np.linspace(0, 30, 40)),
    "gaussian with one noisy site": (NOISY, np.geomspace(0.1, 1e4, 30)),
    "gaussian with several noisy sites": ("xx-dephasing -p n=30 --engine gaussian", np.linspace(0, 12, 10)),
    "gaussian of a circuit": (FREE, np.linspace(0, 40, 40)),
    "trajectories of orbitals": (f"{NOISY} --engine trajectories --set realizations=4", np.linspace(0, 200, 40)),
    "trajectories of matrix products": (HOPS, np.linspace(0, 4, 14)),
    "trajectories of jumps": (f"{JUMPS} --set unraveling=jumps", np.linspace(0, 3, 14)),
    "trajectories of diffusion": (f"{JUMPS} --set unraveling=diffusion", np.linspace(0, 3, 14)),
    "spectral": ("hopping-master-equation -p n=100", np.geomspace(0.1, 1e9, 40)),
    "transfer": ("energy-spreading -p n=200", np.geomspace(0.1, 1e5, 40)),
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

    @property
    def looks(self) -> int:
        """How often it was measured: about so many checkpoints there are."""
        record = Record.open(self.path)
        return len(record.history.times) or int(record.certificate.further.get("samples", 1))


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


ONE_STEP = ("exact", "gaussian", "spectral", "transfer of a wire", "transfer of a bar")
AT_ONCE = [f"steady state, {name}" for name in ONE_STEP]
"""Kinds that are solved in one step."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_killed_goes_on_to_the_same_numbers_bit_for_bit(kind, tmp_path, forks, whole, request):
    rng, undisturbed = dice(request), whole(kind)

    def begin():
        return forks.run(tmp_path, *KINDS[kind], "--checkpoint-every", "0")

    kills = Kills(tmp_path, begin, rng)
    if kind in AT_ONCE:
        kills.at_any_moment(FEW, 0.9 * undisturbed.seconds)
    else:
        kills.after_checkpoints(FEW, undisturbed.looks // FEW)
    process = forks.run(tmp_path, *KINDS[kind])
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
        if stop(tmp_path, begin, signal.SIGINT, 2, 0.0):
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


@pytest.mark.parametrize(
    "kind",
    [
        "evolution, gaussian of a circuit",
        "steady state, gaussian of a circuit",
        "steady state, tebd",
        "steady state, transfer of a wire",
    ],
)
def test_what_was_computed_is_kept_where_there_is_no_room_for_the_record(kind, tmp_path, forks, whole):
    """The same command, with room, writes it: it computes nothing twice, and takes no sample twice."""
    undisturbed = whole(kind)
    process = forks.run(tmp_path, *KINDS[kind], room=undisturbed.path.stat().st_size - 1)
    assert process.wait() == 1
    told = process.err.splitlines()[-1]
    assert "run.nc could not be written: File too large; saved in run.nc.part" in told
    assert list(contents(tmp_path)) == ["run.nc.part"]
    process = forks.run(tmp_path, *KINDS[kind])
    assert process.wait() == 0, process.err
    assert list(contents(tmp_path)) == ["run.nc"]
    assert_same(tmp_path / "run.nc", undisturbed.path, ("",))


def test_a_run_without_room_for_checkpoints_goes_on_and_the_last_one_stays(tmp_path, forks, whole):
    kind = "evolution, gaussian of a circuit"
    undisturbed = whole(kind)
    process = forks.run(
        tmp_path, *KINDS[kind], "--checkpoint-every", "0", room=undisturbed.path.stat().st_size * 2 // 3
    )
    assert process.wait() == 1
    assert "no checkpoint at time" in process.err
    assert "run.nc.part could not be written: File too large; the run goes on" in process.err
    told = process.err.splitlines()[-1]
    assert told.startswith("tnness: run.nc could not be written: File too large; ")
    (elsewhere,) = re.findall(r"the record of this run is in (.*)$", told) or [None]
    if elsewhere is not None:  # without its state it may have found room
        assert Record.open(tmp_path / elsewhere).outcome == Record.open(undisturbed.path).outcome
        (tmp_path / elsewhere).unlink()
    assert Record.open(tmp_path / "run.nc.part").time > 0
    process = forks.run(tmp_path, *KINDS[kind])
    assert process.wait() == 0, process.err
    assert_same(tmp_path / "run.nc", undisturbed.path, ("",))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_killed_many_times_goes_on_to_the_same_numbers(kind, tmp_path, forks, whole, request):
    """The first kills meet `python -m tnness.cli run ...` at any moment, also while it loads."""
    rng, undisturbed = dice(request), whole(kind)

    def begin():
        return forks.run(tmp_path, *KINDS[kind], "--checkpoint-every", rng.choice(["0", "0", "0.05"]))

    def load():
        return start(tmp_path, *KINDS[kind], "--checkpoint-every", "0", output=subprocess.DEVNULL)

    Kills(tmp_path, load, rng).at_any_moment(FEW, LOADING + undisturbed.seconds)
    kills = Kills(tmp_path, begin, rng)
    if kind in AT_ONCE:
        kills.at_any_moment(MANY - FEW, 0.9 * undisturbed.seconds)
    else:
        kills.after_checkpoints(MANY - FEW, 2 * undisturbed.looks // MANY)
    process = forks.run(tmp_path, *KINDS[kind])
    assert process.wait() == 0, process.err
    assert [path.name for path in tmp_path.iterdir()] == ["run.nc"]
    assert_same(tmp_path / "run.nc", undisturbed.path, ("",))
