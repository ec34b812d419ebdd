"""Runs of `tdvp` whose generator depends on time: matrix-product operators that are frozen in the middle of each step.

The middle keeps the second order of the sweeps. Gates and channels are layers of their own, as for `tebd`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tnness.engines.driven import Clock, operation_layers
from tnness.problems.driven import Stretch

Real = NDArray[np.float64]


@dataclass(eq=False)
class OperatorClock(Clock):
    """The course of a run of `tdvp` whose generator depends on time. The fields are those of `Clock`."""

    def __post_init__(self) -> None:
        generators = [self.drive.static, *(part.generator for part in self.drive.parts)]
        self.operators = [generator.mpo_tensors() for generator in generators]
        for operation in self.drive.operations:
            operation_layers([operation], self.drive.static.dims)  # refuses what no layer can hold

    @property
    def width(self) -> int:
        """The largest bond of the operator at one time."""
        sizes = [[tensor.shape[1] for tensor in operator] for operator in self.operators]
        return int(np.sum(sizes, axis=0)[:-1].max())

    def stretch(self, time: float, until: float | None) -> Stretch:
        """Return the stretch without jumps that begins at a time."""
        return self.drive.next_stretch(time, self._goal(time, until))

    def frozen(self, stretch: Stretch) -> Callable[[float], list[Real]]:
        """Return the function that gives G(t) on a stretch, as tensors (left, right, out, in)."""
        values = self.drive.values(stretch.start, stretch.end)
        return lambda time: weighted_sum(self.operators, [1.0, *values(time)])

    def in_period(self) -> Iterator[Stretch]:
        """Yield the stretches of one period."""
        assert self.period is not None
        return self.drive.stretches(0.0, self.period)


def weighted_sum(operators: Sequence[Sequence[Real]], weights: Sequence[float]) -> list[Real]:
    """Return sum_k w_k O_k of matrix-product operators; bonds add up, those of weight 0 are left out.

    >>> number = [np.full((1, 1, 1, 1), 2.0), np.full((1, 1, 1, 1), 3.0)]
    >>> [tensor.shape for tensor in weighted_sum([number, number], [1.0, 0.5])]
    [(1, 2, 1, 1), (2, 1, 1, 1)]
    """
    chosen = [(w, operator) for w, operator in zip(weights, operators, strict=True) if w] or [(0.0, operators[0])]
    last, tensors = len(operators[0]) - 1, []
    for site in range(last + 1):
        parts = [operator[site] for _, operator in chosen]
        if site == 0:
            parts = [w * part for part, (w, _) in zip(parts, chosen, strict=True)]
        tensors.append(_joined(parts, site == 0, site == last))
    return tensors


def _joined(parts: Sequence[Real], first: bool, last: bool) -> Real:
    """Return the direct sum of the bonds of some tensors; those at an end share its bond of size 1."""
    rows = np.cumsum([0, *(1 if first else part.shape[0] for part in parts)])
    columns = np.cumsum([0, *(1 if last else part.shape[1] for part in parts)])
    shape = 1 if first else int(rows[-1]), 1 if last else int(columns[-1]), *parts[0].shape[2:]
    joined = np.zeros(shape)
    for k, part in enumerate(parts):
        at = 0 if first else int(rows[k]), 0 if last else int(columns[k])
        joined[at[0] : at[0] + part.shape[0], at[1] : at[1] + part.shape[1]] += part
    return joined
