"""Reading a full vector of coefficients: expectations, marginals, functionals, purities and entanglement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.linalg as linalg

from tnness.errors import NumericalError
from tnness.network.chain_state import Array
from tnness.network.product_view import ProductView
from tnness.observables.views import Sites
from tnness.operators.basis import LocalSpace


class DenseView(ProductView):
    """A view of a full vector of coefficients.

    Parameters
    ----------
    vector: of the whole chain, first site major: (prod D,).
    spaces: local space of each site.
    functionals: the problem's product functionals, `trace` among them.
    """

    def __init__(self, vector: Array, spaces: Sequence[LocalSpace], functionals: Mapping[str, Sequence[Array]]) -> None:
        super().__init__(spaces, functionals)
        self.tensor = vector.reshape([space.dim for space in spaces])
        self._norm = float(self._reduce({}).item())
        if self._norm == 0:
            raise NumericalError("the trace of the state is 0: nothing can be read from it")

    def _reduce(self, covectors: Mapping[int, Array], keep: Sequence[int] = ()) -> Array:
        result = self.tensor
        for site in reversed(range(len(self.spaces))):
            if site not in keep:
                result = np.tensordot(result, covectors.get(site, self.functionals["trace"][site]), (site, 0))
        return result

    def window(self, start: int, stop: int) -> Array:
        """Coefficients of sites start..stop-1, the others traced out, with trace 1."""
        return self._reduce({}, range(start, stop)) / self._norm

    def coefficients_of(self, sites: Sequence[int]) -> Array:
        """Return the coefficients of any ascending sites, the others traced out, with trace 1."""
        return self._reduce({}, sites) / self._norm

    def contract(self, covectors: Mapping[int, Array]) -> complex:
        """Contract covectors on the given sites and the trace elsewhere, over the trace."""
        return complex(self._reduce(covectors).item() / self._norm)

    def functional(self, name: str) -> float:
        """Return a named product functional, relative to the trace."""
        return float(self._reduce(dict(enumerate(self.functionals[name]))).item() / self._norm)

    def log_purity(self) -> float:
        """Return ln Tr rho^2."""
        return math.log(float(np.vdot(self.tensor, self.tensor)) / self._norm**2)

    def renyi2(self, sites: Sites | None = None) -> float:
        """Return the Renyi-2 entropy -ln Tr rho_X^2 of any sites, however many, in nats."""
        region = tuple(sorted(self._chosen(sites)))
        part = self.coefficients_of(region) if region else np.ones(1)
        return -math.log(float(np.vdot(part, part)))

    def schmidt_values(self, bond: int) -> Array:
        """Return the operator-space Schmidt values across a bond."""
        rows = math.prod(self.tensor.shape[: bond + 1])
        values = linalg.svdvals(self.tensor.reshape(rows, -1))
        return values / np.linalg.norm(values)
