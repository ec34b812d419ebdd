r"""Correlations in time of free fermions, in the steady state of loss, gain and hopping.

By the regression theorem <c^+_i(t) c_j> = (exp(X t) G)_ij and <c_i(t) c^+_j> = (exp(X^* t) (1 - G^T))_ij, and by Wick's
theorem <A(t) B> - <A><B> = sum a_kl b_mn <c^+_k(t) c_n> <c_l(t) c^+_m> for A = sum a_kl c^+_k c_l.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.engines.fermions.correlations import DriftBasis, steady_correlation
from tnness.engines.fermions.quadratic import Bilinear, NotQuadratic, Quadratic, bilinear
from tnness.operators.basis import LocalSpace
from tnness.operators.terms import Operator

Matrix = NDArray[Any]


class InTime:
    """The steady state of a quadratic problem without dephasing, and its correlations in time.

    Parameters
    ----------
    form: the problem. spaces: local space of each site.
    """

    def __init__(self, form: Quadratic, spaces: Sequence[LocalSpace]) -> None:
        self.correlation = steady_correlation(form, 1e-12).correlation
        self.spaces = tuple(spaces)
        self._basis = DriftBasis(form)
        self._particle = self._basis.inverse @ self.correlation
        self._hole = self._basis.inverse.conj() @ (np.eye(form.n) - self.correlation.T)

    def mean(self, operator: Operator) -> complex:
        """Return <A> of an operator that is a sum of hops and densities."""
        form = self._form(operator)
        return complex(form.constant + form.coefficients @ self.correlation[form.rows, form.columns])

    def correlations(self, first: Sequence[Operator], second: Sequence[Operator], time: float) -> Matrix:
        """Return <A(t) B(0)> for all pairs: (first, second)."""
        phases = np.exp(self._basis.values * time)
        particle = (self._basis.vectors * phases) @ self._particle
        hole = (self._basis.vectors.conj() * phases.conj()) @ self._hole
        values = np.outer([self.mean(of) for of in first], [self.mean(of) for of in second])
        for i, a in enumerate(map(self._form, first)):
            for j, b in enumerate(map(self._form, second)):
                waves = particle[np.ix_(a.rows, b.columns)] * hole[np.ix_(a.columns, b.rows)]
                values[i, j] += a.coefficients @ waves @ b.coefficients
        return values

    def _form(self, operator: Operator) -> Bilinear:
        form = bilinear(operator, self.spaces)
        if form.pairs:
            raise NotQuadratic(f"correlation: {operator} has a product of two densities; hops and densities are taken")
        return form
