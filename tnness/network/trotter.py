"""Trotter decompositions of exp(G t), G = A (even bonds) + B (odd bonds), and the gates they need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import scipy.linalg as linalg
from numpy.typing import NDArray

from tnness.errors import InputError, suggestion

Real = NDArray[np.float64]

_A = (0.0792036964311957, 0.353172906049774, -0.0420650803577195)
_B = (0.209515106613362, -0.143851773179818)

FRACTIONS: dict[int, tuple[float, ...]] = {
    2: (0.5, 1.0, 0.5),
    4: (
        *(_A[0], _B[0], _A[1], _B[1], _A[2], 0.5 - sum(_B)),
        1 - 2 * sum(_A),
        *(0.5 - sum(_B), _A[2], _B[1], _A[1], _B[0], _A[0]),
    ),
}
"""Fractions of dt of the layers A B A ... A of one step, by order.

Second order is Strang's splitting; fourth order is the six-stage scheme of Blanes and Moan, J. Comput. Appl. Math.
142, 313 (2002). Steps in a row merge the last layer of one with the first layer of the next.
"""


def layers(order: int, steps: int) -> Iterator[tuple[int, float]]:
    """Yield (parity of the bonds, fraction of dt) for `steps` steps in a row, shared layers merged.

    >>> list(layers(2, 2))
    [(0, 0.5), (1, 1.0), (0, 1.0), (1, 1.0), (0, 0.5)]
    """
    if order not in FRACTIONS:
        raise InputError(f"Trotter order {order!r} is not known{suggestion(str(order), map(str, FRACTIONS))}")
    fractions = FRACTIONS[order]
    last = len(fractions) - 1
    for step in range(steps):
        for k, fraction in enumerate(fractions):
            if k == 0 and step > 0:
                continue
            merged = k == last and step < steps - 1
            yield k % 2, fraction + (fractions[0] if merged else 0.0)


def clocked_layers(order: int, steps: int) -> Iterator[tuple[int, float, float]]:
    """Yield (parity of the bonds, fraction of dt, clock in units of dt) for a generator that depends on time.

    The clock is a third part beside A and B. A splitting of two parts composes chi(a_1) chi*(a_2) chi(a_3) ..., where
    chi(a) = A(a) B(a), chi* is its adjoint, and the layers' fractions are a_1, a_1 + a_2, a_2 + a_3, ... With the clock
    between the two, chi(a) = A(a) clock(a) B(a), such a composition has the same order (Hairer, Lubich and Wanner,
    Geometric Numerical Integration, theorem II.5.6 and section II.5), and no layer is added. Gates that are frozen at
    the middle of a step are of second order only.

    >>> list(clocked_layers(2, 1))
    [(0, 0.5, 0.0), (1, 1.0, 0.5), (0, 0.5, 1.0)]
    """
    for step in range(steps):
        clock, own = float(step), 0.0
        fractions = FRACTIONS[order]
        for k, fraction in enumerate(fractions):
            is_last = k == len(fractions) - 1
            if k > 0 or step == 0:
                merged = fractions[0] if is_last and step < steps - 1 else 0.0
                yield k % 2, fraction + merged, step + 1.0 if is_last else clock
            own = fraction - own
            clock += own


class Gates:
    """exp(time * G_bond), made once per bond and time and kept.

    Parameters
    ----------
    bonds: the generator as two-site matrices only, one per bond: (D D', D D').
    dtype: of the gates.
    """

    def __init__(self, bonds: Sequence[Real], dtype: np.dtype) -> None:
        self._bonds = bonds
        self._dtype = dtype
        self._kept: dict[tuple[int, float], list[Real | None]] = {}

    def layers(self, order: int, steps: int, dt: float) -> Iterator[list[Any]]:
        """Yield the gates of `steps` steps, layer after layer."""
        for parity, fraction in layers(order, steps):
            yield self.layer(parity, fraction * dt)

    def layer(self, parity: int, time: float) -> list[Real | None]:
        """Return one entry per bond: its gate (D D', D D'), or None where the layer leaves the bond alone.

        The time is rounded to 13 digits: equal steps that differ by round-off share their gates.
        """
        time = float(f"{time:.12e}")
        key = (parity, time)
        if key not in self._kept:
            if len(self._kept) > 64:  # dynamics with uneven steps: keep memory bounded
                self._kept.clear()
            self._kept[key] = [
                linalg.expm(time * bond).astype(self._dtype) if i % 2 == parity else None
                for i, bond in enumerate(self._bonds)
            ]
        return self._kept[key]
