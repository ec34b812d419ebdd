"""Runs of `tebd` whose generator depends on time, and of gates and channels at given times.

Gates are made for the clock of each layer (`tnness.network.trotter.clocked_layers`). Operations are layers of their
own. A Floquet steady state is measured, judged and kicked at multiples of its period only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.linalg as linalg

from tnness.engines.ask import Ask
from tnness.errors import InputError, ModelError
from tnness.network.trotter import clocked_layers
from tnness.problems.driven import Drive, Operation, Stretch
from tnness.problems.generator import Real

MOST_KEPT = 2**27
"""Bytes of gates that are kept, to be used again by layers of the same clock in later periods."""
VALUE_DIGITS = 12
"""Significant digits to which the functions of time enter a gate: equal phases of a drive share their gates."""


class DrivenGates:
    """exp(length G_bond(t)), made once per length and values of the functions, and kept; equal bonds share them.

    drive: the generator, with terms on neighbours only. dtype: of the gates.
    """

    def __init__(self, drive: Drive, dtype: np.dtype) -> None:
        self.drive, self._dtype = drive, dtype
        self._static = drive.static.merged_bonds
        near = [part.generator.merged_bonds for part in drive.parts]
        self._driven = [[(k, bonds[i]) for k, bonds in enumerate(near) if bonds[i].any()] for i in range(drive.n - 1)]
        contents = [
            (bond.tobytes(), *((k, part.tobytes()) for k, part in parts))
            for bond, parts in zip(self._static, self._driven, strict=True)
        ]
        self._like = [contents.index(content) for content in contents]  # the first bond with the same matrices
        self._kept: dict[tuple[Any, ...], Real] = {}
        self._bytes = 0

    def layer(self, parity: int, length: float, values: Real) -> list[Real | None]:
        """Return one gate per bond of a parity, None for the others. values: of the functions of time."""
        gates: list[Real | None] = [None] * (self.drive.n - 1)
        for bond in range(parity, self.drive.n - 1, 2):
            gates[bond] = self._gate(bond, length, values)
        return gates

    def stretch(self, order: int, stretch: Stretch, start: float, dt: float, steps: int) -> Iterator[list[Real | None]]:
        """Yield the layers of some steps that begin at a time of a stretch; its operations come first.

        start: where the steps begin; dt: their length.
        """
        yield from operation_layers(stretch.operations, self.drive.static.dims)
        if self.drive.is_still:
            return
        values = self.drive.values(stretch.start, stretch.end)
        for parity, fraction, clock in clocked_layers(order, steps):
            yield self.layer(parity, fraction * dt, values(start + clock * dt))

    def period(self, order: int, period: float, dt: float) -> Iterator[list[Real | None]]:
        """Yield the layers of one period, from time 0 on, with steps of at most dt."""
        for stretch in self.drive.stretches(0.0, period):
            length = stretch.end - stretch.start
            steps = max(1, math.ceil(length / dt - 1e-9))
            yield from self.stretch(order, stretch, stretch.start, length / steps, steps)

    def _gate(self, bond: int, length: float, values: Real) -> Real:
        bond, length = self._like[bond], _rounded(length)
        factors = tuple(_rounded(values[k]) for k, _ in self._driven[bond])
        key = bond, length, factors
        if key not in self._kept:
            matrix = self._static[bond]
            for factor, (_, part) in zip(factors, self._driven[bond], strict=True):
                matrix = matrix + factor * part
            gate = linalg.expm(length * matrix).astype(self._dtype)
            if self._bytes + gate.nbytes > MOST_KEPT:
                self._kept.clear()
                self._bytes = 0
            self._kept[key] = gate
            self._bytes += gate.nbytes
        return self._kept[key]


def operation_layers(operations: Sequence[Operation], dims: Sequence[int]) -> list[list[Real | None]]:
    """Return operations on one site or two neighbours as layers of gates, each operation in the first layer it fits.

    The gates of a layer share no site. An operation joins the last gate on its sites where that covers them.

    Raises
    ------
    ModelError: an operation acts on other sites.
    """
    layers: list[dict[int, Real]] = []
    latest: dict[int, int] = {}  # site -> the last layer with an operation on it
    for operation in operations:
        first, last = operation.sites[0], operation.sites[-1]
        if last > first + 1:
            raise ModelError(
                f"{operation.name} acts on sites {', '.join(map(str, operation.sites))}, and gates "
                "act on one site or two neighbours: write it as several of these, or use engine 'exact'"
            )
        bonds = range(max(0, last - 1), min(first, len(dims) - 2) + 1)
        number = max(latest.get(site, -1) for site in operation.sites)
        joined = next((bond for bond in bonds if number >= 0 and bond in layers[number]), None)
        if joined is not None:
            layers[number][joined] = _on_bond(operation, joined, dims) @ layers[number][joined]
        else:
            number, bond = _first_place(layers, number + 1, bonds)
            layers[number][bond] = _on_bond(operation, bond, dims)
        latest |= dict.fromkeys(operation.sites, number)
    return [[layer.get(bond) for bond in range(len(dims) - 1)] for layer in layers]


def _first_place(layers: list[dict[int, Real]], start: int, bonds: range) -> tuple[int, int]:
    """Return the first layer from `start` on, perhaps a new one, with room on one of some bonds, and that bond."""
    for number in range(start, len(layers)):
        for bond in bonds:
            if not {bond - 1, bond, bond + 1} & layers[number].keys():
                return number, bond
    layers.append({})
    return len(layers) - 1, bonds[0]


def _on_bond(operation: Operation, bond: int, dims: Sequence[int]) -> Real:
    if len(operation.sites) == 2:
        return operation.matrix
    if operation.sites[0] == bond:
        return np.asarray(np.kron(operation.matrix, np.eye(dims[bond + 1])), float)
    return np.asarray(np.kron(np.eye(dims[bond]), operation.matrix), float)


def _rounded(value: float) -> float:
    return float(f"{value:.{VALUE_DIGITS}e}")


def drive_of_problem(problem: Any, ask: Ask | None) -> Drive | None:
    """Return what a problem does in the course of time; None where it does not depend on time.

    ask: the request, by which it is checked; None checks nothing.

    Raises
    ------
    InputError: a steady state without a period is asked of it, a period that it does not have, or one of a problem that
        does not depend on time.
    """
    if not getattr(problem, "is_driven", False):
        if ask is not None and ask.period is not None:
            raise InputError(f"period = {ask.period:g}: the problem does not depend on time: leave it out")
        return None
    if ask is not None and ask.times is None and ask.period is None:
        raise InputError(
            "the problem depends on time and has no static steady state: --period T gives its states at multiples of "
            "T, --time its evolution"
        )
    drive: Drive = problem.drive()
    if ask is not None and ask.period is not None:
        drive.check_period(ask.period)
    return drive


@dataclass(eq=False)
class Clock:
    """The course of a run of `tebd` whose generator depends on time.

    drive: what happens in the course of time. dtype: of the gates. first: the largest time step of the run's stages.
    period: of a Floquet steady state; None for an evolution.
    """

    drive: Drive
    dtype: np.dtype
    first: float
    period: float | None = None
    gates: DrivenGates = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.gates = DrivenGates(self.drive, self.dtype)
        for operation in self.drive.operations:
            operation_layers([operation], self.drive.static.dims)  # refuses what no layer can hold

    def block(self, steps: int, dt: float, time: float, until: float | None) -> tuple[int, float, float]:
        """Return the number of steps of a block, their length, and the time at its end: at the latest a jump.

        Each step of the first stage becomes two where the step is halved, so that errors of both can be compared.

        Parameters
        ----------
        steps: of a block. dt: of the present stage. time: the present time. until: the end of an evolution.
        """
        end = self.drive.next_stretch(time, self._goal(time, until)).end
        parts = max(1, round(self.first / dt))
        remaining = parts * max(1, math.ceil((end - time) / (parts * dt) - 1e-9))
        dt, steps = (end - time) / remaining, parts * steps
        return (remaining, dt, end) if remaining <= steps or self.drive.is_still else (steps, dt, time + steps * dt)

    def layers(
        self, order: int, dt: float, steps: int, time: float, until: float | None
    ) -> Iterator[list[Real | None]]:
        """Yield the layers of gates of some steps from a time on."""
        stretch = self.drive.next_stretch(time, self._goal(time, until))
        return self.gates.stretch(order, stretch, time, dt, steps)

    def is_sample(self, time: float) -> bool:
        """Return whether a time is a multiple of the period."""
        return self.period is None or time == round(time / self.period) * self.period

    def _goal(self, time: float, until: float | None) -> float:
        if until is not None:
            return until
        assert self.period is not None
        return (math.floor(time / self.period + 1e-9) + 1) * self.period
