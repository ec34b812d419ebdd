"""Chains that depend on time, stated twice: to a Lindbladian, and as dense Kronecker matrices of what was stated."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import scipy.integrate
from numpy.typing import NDArray

from chains import dense_operator
from tnness.operators.basis import LocalSpace
from tnness.operators.terms import Operator
from tnness.problems.lindbladian import Lindbladian

Matrix = NDArray[np.complex128]
Function = Callable[[float], float]


def constant(value: float) -> Function:
    return lambda time: value


class Told:
    """What is stated of a chain: `chain` holds it as symbols, `terms`, `jumps` and `operations` as dense matrices."""

    def __init__(self, spaces: Sequence[LocalSpace]) -> None:
        self.spaces, self.chain = list(spaces), Lindbladian(spaces)
        self.terms: list[tuple[Matrix, Function]] = []
        self.jumps: list[tuple[Matrix, Function]] = []
        self.operations: list[tuple[float, list[Matrix]]] = []

    def hamiltonian(self, operator: Operator, envelope: Function | None = None) -> None:
        self.chain.hamiltonian(operator, envelope)
        self.terms.append((dense_operator(operator, self.spaces), envelope or constant(1.0)))

    def jump(self, operator: Operator, rate: float | Function) -> None:
        self.chain.jump(operator, rate)
        self.jumps.append((dense_operator(operator, self.spaces), rate if callable(rate) else constant(rate)))

    def at(self, times: Sequence[float], kraus: Sequence[Operator]) -> None:
        """Operations that the chain holds one by one."""
        for time in times:
            self.chain.at(time, list(kraus))
            self.operations.append((time, [dense_operator(k, self.spaces) for k in kraus]))

    def change(self, time: float, rho: Matrix) -> Matrix:
        """drho/dt at a time, of one matrix or of a stack of them."""
        effective = sum((-1j * f(time) * h for h, f in self.terms), np.zeros(rho.shape[-2:], complex))
        result = np.zeros_like(rho)
        for jump, rate in self.jumps:
            effective = effective - rate(time) * jump.conj().T @ jump / 2
            result = result + rate(time) * jump @ rho @ jump.conj().T
        return result + effective @ rho + rho @ effective.conj().T

    def evolved(self, rho: Matrix, end: float, jumps_at: Sequence[float] = ()) -> Matrix:
        """The state just before the operations at `end`. jumps_at: times at which functions jump."""
        stops = sorted({0.0, end, *jumps_at, *(time for time, _ in self.operations if time < end)})
        for start, stop in pairwise([time for time in stops if time <= end]):
            for time, kraus in self.operations:
                if time == start:
                    rho = sum((k @ rho @ k.conj().T for k in kraus), np.zeros_like(rho))
            rho = self._smooth(rho, start, stop)
        return rho

    def _smooth(self, rho: Matrix, start: float, stop: float) -> Matrix:
        inside = 1e-13 * max(1.0, stop)  # functions are asked on their own side of a jump

        def change(time: float, flat: Matrix) -> Matrix:
            clock = min(max(time, start + inside), stop - inside)
            return self.change(clock, flat.reshape(rho.shape)).ravel()

        solution = scipy.integrate.solve_ivp(
            change, (start, stop), rho.ravel().astype(complex), "DOP853", rtol=1e-12, atol=1e-13
        )
        assert solution.success
        return solution.y[:, -1].reshape(rho.shape)

    def map_of(self, period: float, jumps_at: Sequence[float] = ()) -> Matrix:
        """The map of vec(rho) over a period, column by column: (d^2, d^2)."""
        size = len(dense_operator(Operator(()), self.spaces))
        units = np.eye(size**2, dtype=complex).reshape(-1, size, size)
        return self.evolved(units, period, jumps_at).reshape(size**2, size**2).T

    def floquet_state(self, period: float, jumps_at: Sequence[float] = ()) -> Matrix:
        """The fixed point of the one-period map with trace 1."""
        values, vectors = np.linalg.eig(self.map_of(period, jumps_at))
        rho = vectors[:, np.argmin(np.abs(values - 1))].reshape(round(len(values) ** 0.5), -1)
        return rho / np.trace(rho)


def waves(rng: np.random.Generator, most: int = 2) -> Function:
    """A sum of a few random waves."""
    sizes, rates, phases = rng.uniform(0.2, 1, most), rng.uniform(0.5, 3, most), rng.uniform(0, 6, most)
    return lambda time: float((sizes * np.cos(rates * time + phases)).sum())


def positive(rng: np.random.Generator) -> Function:
    """A random wave that stays above 0."""
    size, rate, phase = rng.uniform(0.1, 0.5), rng.uniform(0.5, 3), rng.uniform(0, 6)
    return lambda time: float(size * (1 + 0.9 * np.cos(rate * time + phase)))
