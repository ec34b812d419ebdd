"""Questions to small chains, answered on the dense or sparse matrix of G by the settings of engine `exact`.

Up to `ALL_MODES` dimensions all eigenvalues are computed. Larger chains take the leading eigenvectors of exp(G tau) by
Arnoldi, which are those of the slowest modes whatever their frequency; their eigenvalues are Rayleigh quotients of G.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import scipy.linalg as linalg
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg
from numpy.typing import NDArray

from tnness.engines.ask import Start
from tnness.engines.beyond.correlation import CorrelationAtOnce, CorrelationSolver
from tnness.engines.beyond.counting import CountingSolver
from tnness.engines.beyond.modes import ModesSolver, ModeTable
from tnness.engines.beyond.profiles import left_profile, right_profile
from tnness.engines.beyond.question import answers
from tnness.engines.exact import steady_vector
from tnness.engines.limits import check_dense
from tnness.errors import NumericalError
from tnness.operators.basis import coefficients, density_matrix, oddness
from tnness.operators.terms import Operator
from tnness.problems.chain import chain_of
from tnness.problems.generator import ChainGenerator
from tnness.problems.lindbladian import Lindbladian
from tnness.problems.tilted import tilted
from tnness.streams import stream

Array = NDArray[Any]
Three = tuple[Array, Array, Array]

ALL_MODES = 1100
"""Largest dimension of which all eigenvalues are computed."""
REST = 1e-9
"""|lambda| below this, relative to |G|, counts as that of a steady state."""
SLACK = 1e-12
"""Residual, relative to |G|, from which an eigenvector is refined; also the shift of that."""
KRYLOV_TIME = 60.0
"""The time tau, in units of 1 / |G|."""


@answers("modes", "exact")
@dataclass(frozen=True, kw_only=True)
class DenseModes(ModesSolver):
    """The slowest modes of even operators, from the matrix of G."""

    def solve_modes(self, problem: Any, start: Start, report: Callable[[str, float], None]) -> ModeTable:
        """Return the modes; those of the steady states are left out."""
        generator = chain_of(problem, "the question for modes", any_sites=True)
        check_dense(generator.dims)
        even = np.flatnonzero(~oddness(generator.spaces))
        matrix = sparse.csr_array(generator.matrix()[even][:, even])
        values, lefts, rights = _eigenvectors(matrix, generator, self.question.count, start.seed, report)
        moving = np.abs(values) > REST * generator.scale
        slow = np.flatnonzero(moving)[np.argsort(-np.real(values[moving]), kind="stable")[: self.question.count + 2]]
        values, lefts, rights = values[slow], lefts[:, slow], rights[:, slow]
        lefts = _refined(sparse.csc_array(matrix.T), values, lefts, generator.scale)
        rights = _refined(sparse.csc_array(matrix), values, rights, generator.scale)
        residuals = np.maximum(
            np.linalg.norm(matrix @ rights - rights * values, axis=0) / np.linalg.norm(rights, axis=0),
            np.linalg.norm(matrix.T @ lefts - lefts * values, axis=0) / np.linalg.norm(lefts, axis=0),
        )
        overlaps = np.abs(np.einsum("ak,ak->k", lefts, rights))
        sizes = np.linalg.norm(lefts, axis=0) * np.linalg.norm(rights, axis=0)
        conditions = sizes / np.maximum(overlaps, 1e-300 * sizes)
        errors = conditions * (residuals + 1e-15 * generator.scale)
        profiles = [
            np.array([of(_whole(v, even, generator), generator) for v in vectors.T]).reshape(-1, generator.n)
            for of, vectors in ((left_profile, lefts), (right_profile, rights))
        ]
        about = values, residuals, errors, conditions, *profiles
        return ModeTable.of(self.question.count, start.ask.tolerance, *about)


def _refined(matrix: sparse.csc_array, values: Array, vectors: Array, scale: float) -> Array:
    """Return eigenvectors whose residuals are round-off, by inverse iteration: LAPACK's may have 1e-6."""
    refined, one = vectors.astype(complex), sparse.eye_array(matrix.shape[0], format="csc")
    for k, value in enumerate(values):
        vector = refined[:, k] / np.linalg.norm(refined[:, k])
        if np.linalg.norm(matrix @ vector - value * vector) > SLACK * scale:
            factors = sparse_linalg.splu(sparse.csc_array(matrix - (value + SLACK * scale) * one))
            for _ in range(2):
                vector = factors.solve(vector)
                vector = vector / np.linalg.norm(vector)
            refined[:, k] = vector
    return refined


def _whole(vector: Array, even: NDArray[np.intp], generator: ChainGenerator) -> Array:
    whole = np.zeros(generator.dimension, complex)
    whole[even] = vector
    return whole.reshape(generator.dims)


def _eigenvectors(
    matrix: sparse.csr_array,
    generator: ChainGenerator,
    count: int,
    seed: int,
    report: Callable[[str, float], None],
) -> tuple[Array, Array, Array]:
    """Return eigenvalues with l^T G = lambda l^T and G r = lambda r: (k,), (D, k), (D, k)."""
    if matrix.shape[0] <= ALL_MODES:
        values, lefts, rights = cast(Three, linalg.eig(matrix.toarray(), left=True, right=True, check_finite=False))
        return values, lefts.conj(), rights
    report("right vectors", 0.0)
    values, rights = _slowest(matrix, generator.scale, count, seed)
    report("left vectors", 0.5)
    others, lefts = _slowest(sparse.csr_array(matrix.T), generator.scale, count, seed)
    matched = [int(np.abs(others - value).argmin()) for value in values]
    return values, lefts[:, matched], rights


def _slowest(matrix: sparse.csr_array, scale: float, count: int, seed: int) -> tuple[Array, Array]:
    size, tau = matrix.shape[0], KRYLOV_TIME / scale
    trace = tau * float(matrix.diagonal().sum())
    power = sparse_linalg.LinearOperator(
        (size, size), matvec=lambda v: sparse_linalg.expm_multiply(tau * matrix, v, traceA=trace), dtype=float
    )
    start, wanted = stream(seed, "slowest modes").standard_normal(size), count + 4
    try:
        _, vectors = sparse_linalg.eigs(power, k=wanted, which="LM", v0=start, tol=1e-10, ncv=4 * wanted + 10)
    except sparse_linalg.ArpackNoConvergence as error:
        raise NumericalError(f"the slowest modes did not converge: {error}") from error
    vectors = vectors / np.linalg.norm(vectors, axis=0)
    return np.einsum("ak,ak->k", vectors.conj(), matrix @ vectors), vectors


@answers("counting", "exact")
@dataclass(frozen=True, kw_only=True)
class DenseCounting(CountingSolver):
    """Counting statistics of a small chain, from the leading eigenvalue of the tilted matrix."""

    def theta(self, chain: Lindbladian, counting_field: float, start: Start) -> tuple[float, float]:
        """Return theta at a field, and its error."""
        question = self.question
        generator = tilted(chain, question.counter, counting_field, question.spread)
        check_dense(generator.dims)
        even = np.flatnonzero(~oddness(generator.spaces))
        matrix = sparse.csr_array(generator.matrix()[even][:, even])
        if matrix.shape[0] <= ALL_MODES:
            return float(np.max(np.real(linalg.eigvals(matrix.toarray())))), 1e-14 * generator.scale
        trace = np.ones(1)
        for covector in generator.functionals["trace"]:
            trace = np.outer(trace, covector).ravel()
        begin = trace[even] + 0.1 * stream(start.seed, "theta").standard_normal(len(even)) * np.abs(trace[even]).max()
        values, vectors = sparse_linalg.eigs(matrix, k=1, which="LR", v0=begin, tol=1e-12, ncv=40)
        vector = vectors[:, 0]
        residual = float(np.linalg.norm(matrix @ vector - values[0] * vector))
        return float(np.real(values[0])), residual + 1e-14 * generator.scale


@answers("correlation", "exact")
@dataclass(frozen=True, kw_only=True)
class DenseCorrelation(CorrelationSolver):
    """Correlations in time of a small chain: exp(G t) on the coefficients of B rho, by its parts."""

    def solved(
        self, chain: Lindbladian, first: Sequence[Operator], second: Sequence[Operator], start: Start
    ) -> CorrelationAtOnce:
        """Return the correlations of the steady state."""
        generator, spaces = chain.generator(), chain.spaces
        check_dense(generator.dims)
        steady = density_matrix(steady_vector(generator, seed=start.seed).vector.reshape(generator.dims), spaces)
        means = tuple(
            np.array([np.trace(chain.hilbert(of).toarray() @ steady) for of in each]) for each in (first, second)
        )
        parts = []
        for operator in second:
            after = chain.hilbert(operator).toarray() @ steady
            hermitian, rest = (after + after.conj().T) / 2, (after - after.conj().T) / 2j
            parts += [coefficients(hermitian, spaces).ravel(), coefficients(rest, spaces).ravel()]
        begin, matrix = np.array(parts).T, generator.matrix()
        reading = np.array([_reading(chain, of) for of in first])
        trace = float(matrix.diagonal().sum())

        def at(time: float) -> Array:
            values = reading @ sparse_linalg.expm_multiply(time * matrix, begin, traceA=time * trace)
            return values[:, ::2] + 1j * values[:, 1::2]

        return CorrelationAtOnce(at, (means[0], means[1]))


def _reading(chain: Lindbladian, operator: Operator) -> Array:
    """Return the covector Tr(A F_a) of an operator: (prod D,), complex."""
    matrix, spaces = chain.hilbert(operator).toarray(), chain.spaces
    hermitian, rest = (matrix + matrix.conj().T) / 2, (matrix - matrix.conj().T) / 2j
    return coefficients(hermitian, spaces).ravel() + 1j * coefficients(rest, spaces).ravel()
