"""Gates in factors: one-site maps by themselves, and two-site ones as matrices or on ket and bra apart.

G = A + B + C: terms on even bonds, on odd bonds, and on single sites. A splitting of two parts composes maps
chi(c_1) chi*(c_2) chi(c_3) ... with chi(c) = A(c) B(c) and its adjoint chi*(c) = B(c) A(c); the fractions of its layers
are c_1, c_1 + c_2, c_2 + c_3, ... With C between the two, chi(c) = A(c) C(c) B(c), the composition keeps its order
(Hairer, Lubich and Wanner, Geometric Numerical Integration, II.5), and C, which costs next to nothing, is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg as linalg
from numpy.typing import NDArray

from tnness.network.trotter import layers
from tnness.operators.ketbra import KetBra, PairHamiltonian

Real = NDArray[np.float64]


class FactoredGate(NamedTuple):
    """Maps (D, D) of the two sites of a bond, applied first, and what acts on both; None stands for nothing."""

    first: Real | None
    second: Real | None
    bond: Real | KetBra | None


class FactoredGates:
    """The gates of a chain, made once and kept.

    Parameters
    ----------
    sites: the generator's matrices (D, D) of the sites. bonds: those of bonds (D D', D D'), None where there is none.
    coherent: Hamiltonians of bonds. dtype: of the gates. cooling: whether these act as rho -> -(h rho + rho h)/2, in
        imaginary time, and not as -i[h, rho].
    """

    def __init__(
        self,
        sites: Sequence[Real],
        bonds: Sequence[Real | None],
        coherent: Mapping[int, PairHamiltonian],
        dtype: np.dtype,
        cooling: bool = False,
    ) -> None:
        self._cooling = cooling
        self._sites, self._bonds, self._coherent, self._dtype = sites, bonds, coherent, dtype
        self._alike = [_first_like(sites, i) for i in range(len(sites))]
        kinds = list(dict.fromkeys(coherent))
        self._same = {i: next(k for k in kinds if _are_alike(coherent[k], coherent[i])) for i in kinds}
        self._kept: dict[tuple[str, int, float], Real | KetBra] = {}

    def layers(self, order: int, steps: int, dt: float) -> Iterator[list[FactoredGate | None]]:
        """Yield the gates of `steps` steps, layer after layer."""
        between, before = 0.0, 0.0
        for parity, fraction in layers(order, steps):
            between, before = before - between, fraction
            yield self._layer(parity, fraction * dt, between * dt)

    def _layer(self, parity: int, time: float, between: float) -> list[FactoredGate | None]:
        time, between = (float(f"{t:.12e}") for t in (time, between))
        if len(self._kept) > 64 * len(self._sites):  # dynamics with uneven steps: keep memory bounded
            self._kept.clear()
        last = len(self._sites) - 1
        gates: list[FactoredGate | None] = []
        for i in range(max(1, last)):  # a single site has a gate, too
            if i % 2 == parity:
                gates.append(FactoredGate(self._site(i, between), self._site(i + 1, between), self._bond(i, time)))
                continue
            first = self._site(0, between) if i == 0 else None  # sites at the ends that no gate of this layer covers
            second = self._site(last, between) if i == last - 1 else None
            gates.append(FactoredGate(first, second, None))
        return gates

    def _site(self, site: int, time: float) -> Real | None:
        """Return exp(G_i t), the same array for like sites; None for the identity."""
        if site >= len(self._sites) or time == 0 or not self._sites[site].any():
            return None
        key = ("site", self._alike[site], time)
        if key not in self._kept:
            self._kept[key] = linalg.expm(time * self._sites[site]).astype(self._dtype)
        return self._kept[key]  # type: ignore[return-value]

    def _bond(self, bond: int, time: float) -> Real | KetBra | None:
        bond = self._same.get(bond, bond)
        key, matrix = ("bond", bond, time), self._bonds[bond] if bond < len(self._bonds) else None
        if key not in self._kept:
            if bond in self._coherent:
                self._kept[key] = self._coherent[bond].conjugation((-0.5 if self._cooling else -1j) * time)
            elif matrix is not None and matrix.any():
                self._kept[key] = linalg.expm(time * matrix).astype(self._dtype)
            else:
                return None
        return self._kept[key]  # type: ignore[return-value]


def _first_like(matrices: Sequence[Real], place: int) -> int:
    """Return the place of the first equal matrix."""
    return next(k for k in range(place + 1) if k == place or np.array_equal(matrices[k], matrices[place]))


def _are_alike(one: PairHamiltonian, other: PairHamiltonian) -> bool:
    return one.spaces == other.spaces and np.array_equal(one.matrix, other.matrix)
