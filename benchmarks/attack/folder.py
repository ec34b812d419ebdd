"""What the attacks are made on: a model's file, records of every kind, a sweep, its table, an unfinished run."""

from __future__ import annotations

import os
from pathlib import Path

import tnness
from tnness.records.files import is_sealed
from tnness.records.record import Record
from tnness.study.collect import collect

MODEL = """
from dataclasses import dataclass

from tnness import Lindbladian, expectation
from tnness import spin_half as s


@dataclass(frozen=True, kw_only=True)
class P:
    n: int = 3
    rate: float = 1.0
    name: str = "a"
    on: bool = True
    levels: tuple[float, ...] = ()

    def problem(self):
        chain = Lindbladian([s] * min(self.n, 4))
        for i in range(min(self.n, 4) - 1):
            chain.hamiltonian(s.X(i) * s.X(i + 1))
        chain.jump(s.Sp(0), rate=self.rate)
        return chain

    def observables(self):
        return {"z": expectation([s.Z(i) for i in range(min(self.n, 4))], "site")}


def measure(setting):
    return {"own": 1.0}
"""
FILES = {
    "r.nc": "a steady state",
    "e.nc": "an evolution",
    "c.nc": "a convergence",
    "t.nc": "the table of a sweep",
    "m.nc": "a steady state of a model in a file",
    "u.nc.part": "an unfinished run",
}
"""The records, and what they are."""


def prepared(folder: Path) -> Path:
    """Write the files that the attacks use."""
    (folder / "m.py").write_text(MODEL)
    before = Path.cwd()
    os.chdir(folder)
    try:
        model = tnness.find("ssep")(n=3)
        few = tnness.TEBD(chi=2, dt=0.2)
        tnness.steady_state(model, engine=few, max_time=2.0, out="r.nc")
        tnness.evolve(model, [0.0, 1.0], engine=few, out="e.nc")
        tnness.converge(model, [2, 4], max_time=2.0, out="c.nc")
        tnness.sweep("ssep", {"n": [2, 3]}, store="s", engine="exact", workers=0)
        Record(collect("s")).save("t.nc")
        tnness.steady_state(tnness.find("m.py:P")(n=2), engine=few, max_time=2.0, out="m.nc", name="m.py:P")
        _unfinished(model, few)
    finally:
        os.chdir(before)
    assert is_sealed((folder / "r.nc").read_bytes())
    assert (folder / "u.nc.part").exists()
    return folder


def _unfinished(model: object, engine: tnness.TEBD) -> None:
    """Leave `u.nc.part`: a run whose fourth step is interrupted."""
    from tnness.engines.tebd_run import TEBDRun

    step, steps = TEBDRun.step, []

    def interrupted(self: TEBDRun) -> tnness.Report:
        steps.append(1)
        if len(steps) == 4:
            raise tnness.Interrupted
        return step(self)

    TEBDRun.step = interrupted  # type: ignore[method-assign]
    try:
        tnness.steady_state(model, engine=engine, max_time=2.0, out="u.nc")
    except tnness.Interrupted:
        pass
    finally:
        TEBDRun.step = step  # type: ignore[method-assign]
