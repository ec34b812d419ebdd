"""The slowest modes of quadratic Lindbladians, from the closed equation of G_ij = <c^+_i c_j>.

Without dephasing every rate of an even operator is a sum of pairs of eigenvalues x of X: the slowest ones are those of
M = v_j v_k^+, x_j + x_k^*, where X v_j = x_j v_j. With dephasing they are the eigenvalues of
M -> X M + M X^+ + dephasing * diag M + shared * M: those of one-body operators. Products of several densities have
rates of their own, which are no slower in the chains that are known (the dephased chain is a Hubbard model of
imaginary interaction), but this is not proven: the outcome says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, cast

import numpy as np
import scipy.linalg as linalg
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg
from numpy.typing import NDArray

from tnness.engines.fermions.quadratic import Quadratic
from tnness.errors import NumericalError

Array = NDArray[Any]
Real = NDArray[np.float64]

DENSE_PAIRS = 1100
"""Largest n^2 of which all one-body modes are computed; above, those nearest to 0."""
SPARE = 8
"""Modes computed beyond those that are asked for."""
SHIFT = 1e-4
"""Shift of the factorised matrix, in units of the slowest classical rate, to the right of all eigenvalues."""


class OneBodyModes:
    """Modes of one-body operators.

    Attributes
    ----------
    values: lambda (k,). residuals, conditions: (k,). lefts, rights: diagonals of the left and right matrices (k, n).
    """

    def __init__(self, form: Quadratic, count: int, report: Callable[[str, float], None] = lambda text, part: None):
        self.values: Array
        self.form = form
        if not form.dephasing.any():
            self._by_pairs(count)
        elif form.n**2 <= DENSE_PAIRS:
            self._dense(count)
        else:
            report("factorisation", 0.1)
            self._nearest(count)

    def _by_pairs(self, count: int) -> None:
        """Sums of two eigenvalues of X, with the products of their vectors."""
        drift = self.form.drift()
        values, vectors = linalg.eig(drift, check_finite=False)
        lefts = np.linalg.inv(vectors)
        vector_residuals = np.linalg.norm(drift @ vectors - vectors * values, axis=0) / np.linalg.norm(vectors, axis=0)
        conditions = np.linalg.norm(lefts, axis=1) * np.linalg.norm(vectors, axis=0)
        rates = -values.real
        slow = np.argsort(rates, kind="stable")[: min(len(rates), 2 * count + 2)]
        pairs = np.array([(j, k) for j in slow for k in slow])
        order = np.argsort(rates[pairs].sum(axis=1), kind="stable")[: 2 * count]
        first, second = pairs[order].T
        self.values = values[first] + values[second].conj()
        self.residuals = vector_residuals[first] + vector_residuals[second]
        self.conditions = conditions[first] * conditions[second]
        self.rights = (vectors[:, first] * vectors[:, second].conj()).T
        self.lefts = lefts[first] * lefts[second].conj()

    def _dense(self, count: int) -> None:
        values, lefts, rights = cast(
            tuple[Array, Array, Array],
            linalg.eig(self.matrix().toarray(), left=True, right=True, check_finite=False),
        )
        order = np.argsort(-np.real(values), kind="stable")[: 2 * count]
        self._keep(values[order], lefts[:, order], rights[:, order])

    def _nearest(self, count: int) -> None:
        matrix, n = self.matrix().tocsc(), self.form.n
        scale = float(np.abs(self.form.drift()).max())
        shift = SHIFT * scale / n**2
        factors = sparse_linalg.splu(matrix - shift * sparse.eye_array(n**2, format="csc"))
        found = []
        sides: tuple[Literal["N", "H"], ...] = ("N", "H")
        for side in sides:

            def solve(vector: Array, side: Literal["N", "H"] = side) -> Array:
                return factors.solve(vector, side)  # type: ignore[call-overload]

            inverse = sparse_linalg.LinearOperator((n**2, n**2), matvec=solve, dtype=complex)
            start = np.random.default_rng(0).standard_normal(n**2).astype(complex)
            wanted = min(count + SPARE, n**2 - 2)
            try:
                values, vectors = sparse_linalg.eigs(inverse, k=wanted, which="LM", v0=start, tol=0)
            except sparse_linalg.ArpackNoConvergence as error:
                raise NumericalError(f"the slowest modes did not converge: {error}") from error
            values = 1 / values + shift
            found.append((values if side == "N" else values.conj(), vectors))
        (values, rights), (others, lefts) = found
        matched = [int(np.abs(others - value).argmin()) for value in values]
        order = np.argsort(-values.real, kind="stable")
        self._keep(values[order], lefts[:, matched][:, order], rights[:, order])

    def _keep(self, values: Array, lefts: Array, rights: Array) -> None:
        n, matrix = self.form.n, self.matrix()
        lefts, rights = (vectors / np.linalg.norm(vectors, axis=0) for vectors in (lefts, rights))
        residuals = [
            np.linalg.norm(matrix @ rights - rights * values, axis=0),
            np.linalg.norm(matrix.conj().T @ lefts - lefts * values.conj(), axis=0),
        ]
        self.values, self.residuals = values, np.max(residuals, axis=0)
        overlaps = np.abs(np.einsum("ak,ak->k", lefts.conj(), rights))
        self.conditions = 1 / np.maximum(overlaps, 1e-300)
        diagonal = np.arange(n) * (n + 1)
        self.lefts, self.rights = lefts[diagonal].T, rights[diagonal].T

    def matrix(self) -> sparse.csr_array:
        """Return M -> X M + M X^+ + dephasing * diag M + shared * M on matrices in row-major order: (n^2, n^2)."""
        drift, one = sparse.csr_array(self.form.drift()), sparse.eye_array(self.form.n)
        whole = sparse.kron(drift, one) + sparse.kron(one, drift.conj())
        returned = self.form.returned(np.ones((self.form.n, self.form.n))).ravel()
        return sparse.csr_array(whole + sparse.diags_array(returned))

    @property
    def errors(self) -> Real:
        """The errors of the values: residual and round-off times the condition."""
        scale = float(np.linalg.norm(self.form.drift(), 2)) if self.form.n <= 200 else self.form.n**0.5
        return self.conditions * (self.residuals + 4e-16 * max(scale, float(np.abs(self.form.drift()).max())))
