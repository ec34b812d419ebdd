"""Runs as processes that are killed, and records that are compared bit for bit."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np

PATIENCE = 60.0
"""Seconds after which a process that shows no progress is a failure."""
WRITE = 0.03
"""Seconds, about, in which a process makes a step and writes a checkpoint."""
INTERNAL = ("DIMENSION_LIST", "REFERENCE_LIST")
"""Attributes by which HDF5 points from one place of a file to another."""


class Process(Protocol):
    """A process, by `subprocess` or by `forks`."""

    def poll(self) -> int | None: ...
    def wait(self) -> int: ...
    def send_signal(self, number: int, /) -> Any: ...


def start(folder: Path, *arguments: str, output: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start `tnness run ARGUMENTS` in a folder. output: where stdout and stderr go, as `subprocess` names it."""
    command = [sys.executable, "-m", "tnness.cli", "run", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end: exit status and stderr."""
    try:
        _, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return process.returncode, err


def complete(folder: Path, *arguments: str) -> None:
    """Run to the end, which must be a good one."""
    status, err = finish(start(folder, *arguments))
    assert status == 0, err


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder, but for the claims of runs that are not over."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".claim"}


def wait_for(process: subprocess.Popen[str], part: Path, changes: int) -> None:
    """Wait until a checkpoint has been there and has changed as often as told."""
    seen, deadline = set(), time.monotonic() + PATIENCE
    while len(seen) <= changes:
        assert process.poll() is None, f"the run was over before it could be stopped: {process.communicate()}"
        assert time.monotonic() < deadline, "no checkpoint appeared"
        if part.exists():
            about = part.stat()
            seen.add((about.st_ino, about.st_mtime_ns))
        time.sleep(0.002)


def comes_on(process: Process, part: Path, changes: int) -> bool:
    """Wait until the checkpoint of a run has changed so often; return False where the run is over before."""
    last, deadline = _identity(part), time.monotonic() + PATIENCE
    while changes > 0:
        assert time.monotonic() < deadline, "no checkpoint appeared"
        time.sleep(0.003)
        now = _identity(part)
        if now is not None and now != last:
            last, changes = now, changes - 1
        elif process.poll() is not None:
            return False
    return True


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except FileNotFoundError:
        return None
    return about.st_ino, about.st_mtime_ns


def stop(folder: Path, begin: Callable[[], Process], number: int, changes: int, moment: float) -> bool:
    """Start a run, and send it a signal some time after so many checkpoints; return False where it is over before."""
    process = begin()
    if comes_on(process, folder / "run.nc.part", changes):
        time.sleep(moment)
        process.send_signal(number)
    status = process.wait()
    assert status in (0, 130, -number), getattr(process, "err", "")
    return status != 0


class Kills:
    """Kills a run again and again; one that has its record begins anew.

    folder: of run.nc. begin: starts the run. rng: chooses the moments.
    """

    def __init__(self, folder: Path, begin: Callable[[], Process], rng: random.Random) -> None:
        self.folder, self.begin, self.rng, self.done = folder, begin, rng, 0

    def after_checkpoints(self, kills: int, most: int) -> None:
        """Kill it, until it was killed so often, up to the duration of a write after one of its next checkpoints."""
        for _ in range(20 * kills):
            changes, moment = self.rng.randint(1, max(1, most)), self.rng.uniform(0, WRITE)
            self._count(stop(self.folder, self.begin, signal.SIGKILL, changes, moment))
            if self.done == kills:
                return
        raise AssertionError("the run is over too soon to be killed")

    def at_any_moment(self, kills: int, longest: float) -> None:
        """Kill it, until it was killed so often, up to some seconds after its start."""
        for _ in range(20 * kills):
            process = self.begin()
            time.sleep(self.rng.uniform(0, longest))
            process.send_signal(signal.SIGKILL)
            self._count(process.wait() != 0)
            if self.done == kills:
                return
        raise AssertionError("the run is over too soon to be killed")

    def _count(self, killed: bool) -> None:
        self.done += killed
        if (self.folder / "run.nc").exists():  # killed in its last moment, or not at all
            for left in self.folder.glob("*run.nc*"):
                left.unlink()


def assert_same(first: Path, second: Path, groups: tuple[str, ...] = ("", "state", "history")) -> None:
    """Two records hold the same numbers, bit for bit: observables, certificate, state and history."""
    one, two = numbers(first), numbers(second)
    assert set(groups) <= {name.rpartition("/")[0] for name in one}
    assert one.keys() == two.keys(), one.keys() ^ two.keys()
    assert [name for name in one if one[name] != two[name]] == []


def numbers(path: Path) -> dict[str, object]:
    """Every array of a file as bytes, and every attribute but the wall time."""
    held: dict[str, object] = {}

    def keep(name: str, item: h5py.Group | h5py.Dataset) -> None:
        for key, value in item.attrs.items():
            if key not in INTERNAL:
                held[f"{name}@{key}"] = repr(value)
        if isinstance(item, h5py.Dataset):
            held[name] = (str(item.dtype), item.shape, np.asarray(item[()]).tobytes())

    with h5py.File(path) as file:
        file.visititems(keep)
        attributes = {f"@{key}": repr(value) for key, value in file.attrs.items() if key != "wall_seconds"}
    return held | attributes
