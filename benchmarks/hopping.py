"""A hopping gate of bosons: on ket and bra apart, against the matrix of d^4 x d^4 real numbers.

Both act on the same two tensors; a whole bond is the gate and its split by the default truncation. Where the matrix
would be larger than `--largest` GB, its time is not measured. CPU time of one thread, the best of some runs. Run from
the root: `python -m benchmarks.hopping`.
"""

import math
import time
from collections.abc import Callable
from typing import Annotated

import numpy as np
import typer
from threadpoolctl import threadpool_limits

from tnness.network.sweep import theta_of
from tnness.network.truncation import Truncation
from tnness.operators.basis import boson
from tnness.operators.ketbra import PairHamiltonian

STEP = 0.05


def cpu_seconds(work: Callable[[], object], runs: int) -> float:
    """Least CPU time of a call among some runs."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def hop(d: int) -> PairHamiltonian:
    """b^+_0 b_1 + h.c. of bosons with d levels."""
    b = boson(d - 1)
    return PairHamiltonian((b.Bd(0) * b.B(1) + b.Bd(1) * b.B(0)).matrix((0, 1), {0: d, 1: d}), b, b)


def gate_matrix(d: int) -> np.ndarray:
    """The same gate as a real matrix, made column by column."""
    size = d**4
    columns = hop(d).unitary(STEP).applied(np.eye(size).reshape(1, size, size))
    return np.ascontiguousarray(columns[0])


def main(
    levels: Annotated[list[int] | None, typer.Option(help="levels of a site")] = None,
    chi: Annotated[int, typer.Option(help="bond dimension")] = 32,
    largest: Annotated[float, typer.Option(help="largest matrix that is made [GB]")] = 0.5,
    runs: Annotated[int, typer.Option(help="repetitions")] = 3,
) -> None:
    """CPU seconds of a gate, by d, and the ratio of the two ways."""
    typer.echo(
        f"chi = {chi}\n{'d':>3} {'matrix [GB]':>12} {'as matrix':>10} {'ket, bra':>10} {'ratio':>6} {'bond':>10}"
    )
    with threadpool_limits(limits=1):
        for d in levels or [6, 8, 12, 17]:
            typer.echo(row(d, chi, largest, runs))


def tensors_of(d: int, chi: int) -> tuple[np.ndarray, np.ndarray]:
    """Two tensors of a chain."""
    rng = np.random.default_rng(0)
    first, second = (np.linalg.qr(rng.standard_normal((chi * d * d, chi)))[0] for _ in range(2))
    return first.reshape(chi, d * d, chi), second.T.reshape(chi, d * d, chi)


def gate_times(d: int, chi: int, largest: float, runs: int) -> tuple[float, float]:
    """CPU seconds of a gate on ket and bra apart, and of its matrix; NaN where that is above `largest` GB."""
    gate, tensors = hop(d).unitary(STEP), tensors_of(d, chi)
    apart = cpu_seconds(lambda: theta_of(gate, *tensors), runs)
    if 8e-9 * d**8 > largest:
        return apart, math.nan
    matrix = gate_matrix(d)
    if np.abs(theta_of(matrix, *tensors) - theta_of(gate, *tensors)).max() > 1e-12:
        raise AssertionError("the two ways differ")
    return apart, cpu_seconds(lambda: theta_of(matrix, *tensors), runs)


def row(d: int, chi: int, largest: float, runs: int) -> str:
    """Return the times at a number of levels."""
    apart, whole = gate_times(d, chi, largest, runs)
    tensors = tensors_of(d, chi)
    theta = theta_of(hop(d).unitary(STEP), *tensors)
    truncation, guess = Truncation(chi=chi, power=1), tensors[1].reshape(chi, -1)
    split = cpu_seconds(lambda: truncation.split(theta, guess, np.random.default_rng(1)), 1)
    told, ratio = ("", "") if math.isnan(whole) else (f"{whole:.3f}", f"{whole / apart:.1f}")
    return f"{d:>3} {8e-9 * d**8:>12.3g} {told:>10} {apart:>10.3f} {ratio:>6} {apart + split:>10.3f}"


if __name__ == "__main__":
    typer.run(main)
