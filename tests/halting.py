"""Runs that stop half-way, and small systems to run."""

import functools
import tempfile
from pathlib import Path

import pytest

from small_runs import QUICK, Pumped
from tnness import (
    TEBD,
    find,
    identity_state,
    steady_state,
)
from tnness import spin_half as s
from tnness.model.protocol import generator_of

XX = find("xx-dephasing")(n=3, dephasing=0.5, fields=(0.3, -0.2, 0.7))
LOW, HIGH = TEBD(chi=3), TEBD(chi=4)  # chi = 4 holds every state of three spins


class Halt(Exception):
    """Something that no driver can foresee."""


def halt_after(steps, monkeypatch, error=Halt):
    """Let TEBD fail after some steps in this process."""
    step, count = type(QUICK.init(generator_of(Pumped()), identity_state([s] * 3))).step, [0]

    def counted(run, until=None):
        count[0] += 1
        if count[0] > steps:
            raise error("halted")
        return step(run, until)

    monkeypatch.setattr("tnness.engines.tebd_run.TEBDRun.step", counted)


def halted_part(steps, start):
    """The checkpoint of a run that stopped after some steps."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        halt_after(steps, patch)
        with pytest.raises(Halt):
            start(Path(folder) / "r.nc")
        return (Path(folder) / "r.nc.part").read_bytes()


@functools.cache
def pumped_part():
    return halted_part(4, lambda out: steady_state(Pumped(), engine=QUICK, out=out, checkpoint_every=0))
