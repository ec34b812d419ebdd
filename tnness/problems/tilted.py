r"""Tilted generators: the jumps of a counter are weighted with exp(lambda change), and the trace is not conserved.

d rho/dt = G_lambda rho, G_lambda = G + sum_k (exp(lambda c_k) - 1) rate_k L_k (.) L_k^+, where a jump k changes the
counter by c_k. Its leading eigenvalue theta(lambda) is the scaled generating function of the counter's cumulants,
theta(lambda) = lim ln <exp(lambda Q_t)> / t. H. Touchette, Phys. Rep. 478, 1 (2009); J. P. Garrahan, I. Lesanovsky,
Phys. Rev. Lett. 104, 160601 (2010).

Across a bond, where particles hop coherently, they are counted by the number N_j of the sites beyond it: the term of
that bond becomes S (.) S^-1 with S rho = exp(lambda N_(b+1)/2) rho exp(lambda N_(b+1)/2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from tnness.errors import InputError, suggestion
from tnness.operators.basis import Vector
from tnness.problems.generator import ChainGenerator, Real
from tnness.problems.lindbladian import Lindbladian

ACROSS = "bond:"
"""Beginning of the name of a counter that counts particles across a bond."""
COUNTED_CHARGE = "N"
"""The operator whose sum is counted across a bond, and along which a field is spread."""


class TiltedGenerator(ChainGenerator):
    """A generator that does not conserve the trace."""

    conserves_trace: ClassVar[bool] = False

    def _check_trace(self) -> None:
        """Accept any terms."""

    def growth(self, pairs: Sequence[Real]) -> float:
        """Return <trace|G|P> / <trace|P>: theta, if P is the leading eigenvector.

        pairs: for each bond the coefficients of its two sites, the others traced out, over the trace: (D, D').
        """
        trace, total = self.functionals["trace"], 0.0
        for i, (bond, pair) in enumerate(zip(self.merged_bonds, pairs, strict=True)):
            total += float(np.outer(trace[i], trace[i + 1]).ravel() @ bond @ pair.ravel())
        return total


def counters(chain: Lindbladian) -> tuple[str, ...]:
    """Return the names of a chain's counters: those of its jumps, then one for each bond."""
    named = sorted({name for jump in chain.jumps for name, _ in jump.counts})
    return (*named, *(f"{ACROSS}{i}" for i in range(chain.n - 1)))


def check_counter(chain: Lindbladian, name: str) -> None:
    """Refuse a counter that the chain does not have."""
    known = counters(chain)
    if name not in known:
        named = [other for other in known if not other.startswith(ACROSS)]
        have = f"its jumps count {', '.join(named)}" if named else "its jumps have no counts"
        raise InputError(
            f"counting: the chain has no counter {name!r}{suggestion(name, known)}; {have}, and bond:0 to "
            f"bond:{chain.n - 2} count {COUNTED_CHARGE} to the right"
        )


def tilted(chain: Lindbladian, counter: str, field: float, spread: bool = True) -> TiltedGenerator:
    """Return the generator of a chain, tilted by a counting field.

    Parameters
    ----------
    counter: the name of a counter of its jumps, or `bond:B` for the particles that cross bond B to the right.
    field: lambda. spread: where the counter counts at one end, share the field among all bonds and both ends by
        rho -> exp(sum_j kappa_j N_j / 2) rho exp(sum_j kappa_j N_j / 2), kappa linear in j. The eigenvalues are the
        same, the leading eigenvector is far less entangled.

    Raises
    ------
    InputError: there is no such counter.

    >>> from tnness import bit
    >>> chain = Lindbladian([bit] * 2)
    >>> chain.jump(bit.Sm(0) * bit.Sp(1))
    >>> chain.jump(bit.Sp(0), counts="left")
    >>> chain.jump(bit.Sm(1))
    >>> values = np.linalg.eigvals(tilted(chain, "left", 0.3).matrix().toarray())
    >>> round(float(max(values.real)), 6)
    0.126695
    """
    check_counter(chain, counter)
    plain = chain.generator()
    terms: dict[tuple[int, ...], Real] = {(i,): matrix.copy() for i, matrix in enumerate(plain.site_terms)}
    terms |= {(i, i + 1): matrix.copy() for i, matrix in enumerate(plain.bond_terms)}
    terms |= {sites: matrix.copy() for sites, matrix in plain.distant.items()}
    shifts = np.zeros(chain.n)
    if counter.startswith(ACROSS):
        bond = int(counter.removeprefix(ACROSS))
        plain.check_neighbours("counting across a bond")
        terms[bond, bond + 1] = _transformed(chain, (bond, bond + 1), terms[bond, bond + 1], {bond + 1: field})
    else:
        for jump in chain.jumps:
            change = dict(jump.counts).get(counter, 0.0)
            if change:
                window, matrix = jump.operator.sites or (0,), math.sqrt(jump.rate) * chain.jump_matrix(jump.operator)
                again = chain.local_map(window, lambda e, m=matrix: m @ e @ m.conj().T)
                terms[window] = terms[window] + math.expm1(field * change) * again
        shifts = _spread(chain, counter, field) if spread else shifts
    if shifts.any():
        terms = {
            sites: _transformed(chain, sites, matrix, {i: shifts[i] for i in sites}) for sites, matrix in terms.items()
        }
    return TiltedGenerator(
        plain.spaces,
        [terms[i,] for i in range(chain.n)],
        [terms[i, i + 1] for i in range(chain.n - 1)],
        origin=plain.origin,
        distant={sites: terms[sites] for sites in plain.distant},
    )


def _spread(chain: Lindbladian, counter: str, field: float) -> Vector:
    """Return kappa of each site; zeros where the counter does not count what enters or leaves at one end."""
    sites = {site for jump in chain.jumps if counter in dict(jump.counts) for site in jump.operator.sites}
    place, n = np.arange(chain.n), chain.n
    if any(COUNTED_CHARGE not in space.operators for space in chain.spaces) or len(sites) != 1:
        return np.zeros(n)
    if sites == {0}:
        return -field * (n - place) / (n + 1)
    return field * (place + 1) / (n + 1) if sites == {n - 1} else np.zeros(n)


def _transformed(chain: Lindbladian, sites: tuple[int, ...], matrix: Real, shifts: dict[int, float]) -> Real:
    """Return S M S^-1 with S rho = prod_j exp(kappa_j N_j / 2) rho exp(kappa_j N_j / 2)."""
    to, back = np.ones((1, 1)), np.ones((1, 1))
    for site in sites:
        kappa, space = shifts.get(site, 0.0), chain.spaces[site]
        number = np.diag(space.operators[COUNTED_CHARGE].matrix).real if kappa else np.zeros(space.levels)
        weights = np.exp(np.add.outer(number, number) * kappa / 2)
        to = np.kron(to, chain.local_map((site,), lambda e, w=weights: w * e))
        back = np.kron(back, chain.local_map((site,), lambda e, w=weights: e / w))
    return to @ matrix @ back
