r"""Counting statistics of quadratic Lindbladians without dephasing, in closed form.

Acting on both sides of rho, the tilted generator is quadratic in 2n fermions Psi = (a, b^+), a from the left and b
from the right,

    W(lambda) = [[-i h - (loss^T - gain^T)/2, gain^T(lambda)], [loss^T(lambda), -i h + (loss^T - gain^T)/2]],

where the rates of counted jumps carry exp(lambda change). theta(lambda) is the sum of the eigenvalues of W with
positive real part, less (sum loss + sum gain)/2 and the imaginary part. T. Prosen, New J. Phys. 10, 043026 (2008);
M. Znidaric, Phys. Rev. Lett. 112, 040602 (2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg as linalg
from numpy.typing import NDArray

from tnness.engines.fermions.quadratic import Quadratic, mode_numbers, quadratic
from tnness.errors import InputError
from tnness.problems.lindbladian import Lindbladian
from tnness.problems.tilted import ACROSS

Matrix = NDArray[Any]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Exchange:
    """What enters and leaves each site, by the change of a counter: [(change, loss (n, n), gain (n, n)), ...]."""

    form: Quadratic
    parts: tuple[tuple[float, Matrix, Matrix], ...]

    @classmethod
    def of(cls, chain: Lindbladian, counter: str) -> Exchange:
        """Return the exchange of a chain.

        What crosses a bond to the right in a long time is what enters the sites left of it.

        Raises
        ------
        InputError, NotQuadratic: there is dephasing, so that the state is no Gaussian one, or a term is not quadratic.
        """
        form = quadratic(chain)
        if form.dephasing.any():
            raise InputError(
                "counting: with dephasing the tilted generator is not quadratic: choose engine 'tebd' or 'exact'"
            )
        if counter.startswith(ACROSS):
            sites = range(int(counter.removeprefix(ACROSS)) + 1)
            left = np.isin(np.arange(form.n), mode_numbers(chain.spaces, sites))
            inside, outside = np.outer(left, left), np.outer(~left, ~left)
            if any(matrix[~(inside | outside)].any() for matrix in (form.loss, form.gain)):
                raise InputError(
                    f"counting: a jump takes particles from both sides of {counter}: count the jumps, "
                    "or across another bond"
                )
            nothing = np.zeros_like(form.loss)
            return cls(
                form,
                (
                    (-1.0, form.loss * inside, nothing),
                    (1.0, nothing, form.gain * inside),
                    (0.0, form.loss * outside, form.gain * outside),
                ),
            )
        changes = sorted({dict(jump.counts).get(counter, 0.0) for jump in chain.jumps})
        parts = []
        for change in changes:
            own = Lindbladian(chain.spaces)
            own.jumps = tuple(jump for jump in chain.jumps if dict(jump.counts).get(counter, 0.0) == change)
            part = quadratic(own)
            parts.append((change, part.loss, part.gain))
        return cls(form, tuple(parts))

    def matrix(self, field: complex) -> Matrix:
        """Return W: (2n, 2n)."""
        weights = [np.exp(field * change) for change, _, _ in self.parts]
        loss = np.sum([w * own for w, (_, own, _) in zip(weights, self.parts, strict=True)], axis=0)
        gain = np.sum([w * own for w, (_, _, own) in zip(weights, self.parts, strict=True)], axis=0)
        half = (self.form.loss - self.form.gain).T / 2
        drift = -1j * self.form.hamiltonian
        return np.block([[drift - half, gain.T], [loss.T, drift + half]])

    def theta(self, field: float) -> float:
        """Return theta at a real field."""
        values = linalg.eigvals(self.matrix(field), check_finite=False)
        whole = float(np.trace(self.form.loss + self.form.gain).real)
        return float(np.abs(np.real(values)).sum() - whole) / 2

    def round_off(self) -> float:
        """Return the size of round-off in theta."""
        return 1e-15 * self.form.n * float(np.abs(self.matrix(0.0)).max())
