"""A second process that works on the right half of a chain (`tnness.network.halves`).

It is a program of its own, which imports nothing of the user's, reads what to do from its standard input, and ends when
that does. Threads would share one interpreter, which most calls to LAPACK hold: they gained half as much.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import weakref
from typing import Any, BinaryIO

import numpy as np

from tnness.errors import TnnessError
from tnness.network.halves import Layer, RightHalf
from tnness.network.truncation import Array, Truncation

PROGRAM = "from tnness.network.partner import serve; serve()"
ANSWERED = ("done", "border", "end")
"""Requests that have an answer."""


class Partner:
    """The right half of a chain in a process of its own: see `tnness.network.halves.Half`."""

    def __init__(self) -> None:
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a signal that stops the run reaches the run alone, which saves
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        self.close = weakref.finalize(self, _end, self._process)
        """End the process."""

    def begin(self, tensors: list[Array], truncation: Truncation) -> None:
        """Send the tensors."""
        self._send("begin", tensors, truncation)

    def outwards(self, edge: Array, gates: Layer, rng: np.random.Generator) -> None:
        """Begin a layer from the middle to the end."""
        self._send("outwards", edge, gates, rng)

    def back(self, gates: Layer, rng: np.random.Generator) -> None:
        """Begin a layer from the end to the middle."""
        self._send("back", gates, rng)

    def done(self) -> tuple[float, int]:
        """Wait for the layer."""
        return self._asked("done")

    def border(self) -> tuple[Array, Array]:
        """Return the factor next to the middle, and the isometry at the edge."""
        return self._asked("border")

    def end(self) -> list[Array]:
        """Return the tensors."""
        return self._asked("end")

    def _send(self, name: str, *arguments: Any) -> None:
        try:
            pickle.dump((name, arguments), self._to, protocol=5)
            self._to.flush()
        except (OSError, ValueError) as error:
            raise _lost() from error

    def _asked(self, name: str) -> Any:
        self._send(name)
        try:
            failed, answer = pickle.load(self._from)  # noqa: S301  # from the process started above
        except (OSError, ValueError, EOFError, pickle.UnpicklingError) as error:
            raise _lost() from error
        if failed:
            raise answer
        return answer


def _lost() -> TnnessError:
    return TnnessError("the second process of this run has ended: the same command goes on from what was saved")


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # it has ended already
                continue
    process.wait()


def serve() -> None:
    """Work on what the other process sends, until it ends."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything prints goes to the terminal, not into the answers
    _answer(requests, answers)


def _answer(requests: BinaryIO, answers: BinaryIO) -> None:
    half, failure = RightHalf(), None
    while True:
        try:
            name, arguments = pickle.load(requests)  # noqa: S301  # from the process that started this one
        except EOFError:
            return
        failure = None if name == "begin" else failure
        result = None
        try:
            result = getattr(half, name)(*arguments) if failure is None else None
        except Exception as error:
            failure = error
        if name in ANSWERED:
            pickle.dump((failure is not None, result if failure is None else failure), answers, protocol=5)
            answers.flush()
