"""Block-tridiagonal problems: slices in a row, each coupled to the next, and attachments at both ends.

A wire between leads, a cavity, a network of resistors: H has one block per slice and one per pair of neighbours,

    H = sum_x |x> H_x <x| + sum_x ( |x> C_x <x+1| + |x+1> C_x^+ <x| ),    x = 0 ... slices - 1.

Between leads one asks for G(E) = 1/(E - H - Sigma(E)); between fixed values for u with H u = source. A slice has m
sites (its transverse sites, or islands). Every array may carry leading batch axes (realizations), which are solved
together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnness.digest.arrays import EIGENVECTOR_DIGITS, magnitudes, of_array
from tnness.digest.content import digest
from tnness.errors import InputError

if TYPE_CHECKING:
    pass

Array = NDArray[Any]
Real = NDArray[np.float64]

ROUND_OFF = 1e-14
"""An imaginary part this small beside the real one counts as 0."""
PROBED = 64
"""Number of slices drawn for the digest of a law of random slices."""


@dataclass(frozen=True, eq=False)
class Lead:
    """A semi-infinite clean wire, hopping t_par along and transverse modes of energies eps_n.

    Channel n is open where |z_n| < 1, z_n = (E - eps_n) / (2 t_par). Its surface function is

        g_n = (z_n - i sqrt(1 - z_n^2)) / t_par  (open),   (z_n - sgn z_n sqrt(z_n^2 - 1)) / t_par  (closed).

    Parameters
    ----------
    modes: (m, channel), real and orthonormal: the wave function of each channel on the slice it
        is attached to.
    thresholds: (channel,), the eps_n.
    hopping: t_par. contact: hopping between the lead and the slice, t_c (default 1).
    """

    modes: Real
    thresholds: Real
    hopping: float = 1.0
    contact: float = 1.0

    def __post_init__(self) -> None:
        if self.modes.ndim != 2 or self.thresholds.shape != self.modes.shape[1:]:
            raise InputError(f"a lead has modes (m, channel) and one threshold per channel, got {self.modes.shape}")
        if not self.hopping > 0:
            raise InputError(f"hopping {self.hopping:g} of a lead: a number > 0 is needed")

    def digest(self) -> str:
        """Return a hash of the lead: of sum_n chi_n chi_n^T and sum_n chi_n eps_n chi_n^T.

        These do not depend on the signs, or the mixtures of modes of equal energy, that an eigensolver returns.
        """
        space, transverse = self.modes @ self.modes.T, (self.modes * self.thresholds) @ self.modes.T
        return digest(
            "lead",
            of_array(space, EIGENVECTOR_DIGITS),
            of_array(transverse, EIGENVECTOR_DIGITS),
            self.hopping,
            self.contact,
        )

    def surface(self, energy: ArrayLike) -> Array:
        """Return g_n(E), retarded, for real or complex energies: (..., channel).

        At a complex energy next to an open channel, g_n is continued from above through the real axis: in the lower
        half-plane this is the sheet with the resonances.
        """
        z = (np.asarray(energy)[..., None] - self.thresholds) / (2 * self.hopping)
        inside = np.abs(z.real) < 1
        open_root = -1j * np.sqrt(np.where(inside, 1 - z * z, 1))
        side = np.where(z.real < 0, -1.0, 1.0)
        closed_root = -side * np.sqrt(np.where(inside, 1, z * z - 1) + 0j)
        return (z + np.where(inside, open_root, closed_root)) / self.hopping

    def surface_slope(self, energy: ArrayLike) -> Array:
        """Return dg_n/dE: (..., channel). It diverges at a threshold."""
        z = (np.asarray(energy)[..., None] - self.thresholds) / (2 * self.hopping)
        root = self.surface(energy) * self.hopping - z  # -i sqrt(1 - z^2)
        return (1 + z / root) / (2 * self.hopping**2)

    def self_energy(self, energy: ArrayLike) -> Array:
        """Return Sigma(E) = t_c^2 sum_n chi_n g_n chi_n^T on the slice: (..., m, m)."""
        return self._on_slice(self.surface(energy))

    def self_energy_slope(self, energy: ArrayLike) -> Array:
        """Return dSigma/dE on the slice: (..., m, m)."""
        return self._on_slice(self.surface_slope(energy))

    def _on_slice(self, diagonal: Array) -> Array:
        """Return t_c^2 sum_n chi_n d_n chi_n^T, by products of real matrices."""
        parts = self.contact**2 * np.stack([np.real(diagonal), np.imag(diagonal)])[..., None, :]
        real, imaginary = (self.modes * parts) @ self.modes.T
        return real + 1j * imaginary

    def broadening(self, energy: ArrayLike) -> Array:
        """Return Gamma_n(E), -2 Im of the self-energy of each channel, continued to complex energies: (..., channel).

        It is zero for a closed channel.
        """
        z = (np.asarray(energy)[..., None] - self.thresholds) / (2 * self.hopping)
        inside = np.abs(z.real) < 1
        return np.where(inside, 2 * self.contact**2 / self.hopping * np.sqrt(np.where(inside, 1 - z * z, 0)), 0)

    def band_edges(self) -> Real:
        """Return the energies at which a channel opens or closes, increasing, each once."""
        edges = np.concatenate([self.thresholds - 2 * self.hopping, self.thresholds + 2 * self.hopping])
        return np.unique(edges.round(12))


@dataclass(frozen=True, eq=False)
class FixedValues:
    """A slice outside the chain whose values are given: u = values.

    Parameters
    ----------
    values: (..., m). coupling: (..., m), the element of H between each site of the end slice and its neighbour outside.
    """

    values: Array
    coupling: Array

    def digest(self) -> str:
        """Return a hash of the values and couplings."""
        return digest("fixed values", _parts(self.values), _parts(self.coupling))


@dataclass(frozen=True, eq=False)
class TransferChain:
    """A block-tridiagonal operator, its two ends, and a source.

    Parameters
    ----------
    onsite: (..., slice, m, m), the blocks H_x.
    coupling: (..., slice - 1, m, m), the blocks C_x between x and x + 1; or (..., slice - 1, m) if they are diagonal.
    left, right: a `Lead`, `FixedValues`, or None for an open end.
    source: (..., slice, m), the right-hand side of H u = source (default 0); also the state a decay starts from.

    Raises
    ------
    InputError: shapes that do not fit together, a block that is not finite.
    """

    onsite: Array
    coupling: Array
    left: Lead | FixedValues | None = None
    right: Lead | FixedValues | None = None
    source: Array | None = None

    def __post_init__(self) -> None:
        shape = self.onsite.shape
        if self.onsite.ndim < 3 or shape[-1] != shape[-2] or shape[-3] < 1:
            raise InputError(f"onsite must have shape (..., slice, m, m), but has shape {shape}")
        bonds, m = shape[-3] - 1, shape[-1]
        if self.coupling.shape[len(shape) - 3 :] not in ((bonds, m), (bonds, m, m)):
            raise InputError(
                f"coupling must have shape (..., {bonds}, {m}) or (..., {bonds}, {m}, {m}) for {bonds + 1} slices of "
                f"{m} sites, but has shape {self.coupling.shape}"
            )
        if not (np.isfinite(self.onsite).all() and np.isfinite(self.coupling).all()):
            raise InputError("a block of the chain holds a number that is not finite")
        for end in (self.left, self.right):
            if isinstance(end, Lead) and len(end.modes) != m:
                raise InputError(f"a lead for slices of {m} sites has modes on {m} sites, not {len(end.modes)}")
        if self.source is not None and self.source.shape[-2:] != (bonds + 1, m):
            raise InputError(f"source must have shape (..., {bonds + 1}, {m}), but has shape {self.source.shape}")

    @property
    def slices(self) -> int:
        """Number of slices."""
        return self.onsite.shape[-3]

    @property
    def m(self) -> int:
        """Sites of a slice."""
        return self.onsite.shape[-1]

    @property
    def batch(self) -> tuple[int, ...]:
        """Shape of the leading axes."""
        return self.onsite.shape[:-3]

    @property
    def diagonal_coupling(self) -> bool:
        """True where the couplings are given as diagonals."""
        return self.coupling.ndim == self.onsite.ndim - 1

    @cached_property
    def unit_coupling(self) -> bool:
        """True where every coupling is the identity."""
        return self.diagonal_coupling and bool((self.coupling == 1).all())

    @property
    def leads(self) -> tuple[Lead, Lead]:
        """The two leads.

        Raises
        ------
        InputError: an end without a lead.
        """
        if not (isinstance(self.left, Lead) and isinstance(self.right, Lead)):
            raise InputError("scattering needs a lead at both ends of the chain")
        return self.left, self.right

    def digest(self) -> str:
        """Return a hash of the blocks, the ends and the source; small real links count as much as large ones."""
        blocks = [_parts(self.onsite), _parts(self.coupling)]
        source = None if self.source is None or not self.source.any() else _parts(self.source)
        links = magnitudes(self.coupling) if self.diagonal_coupling and np.isrealobj(self.coupling) else None
        return digest("transfer chain", blocks, links, self.left, self.right, source)

    def couple(self, bond: int, vector: Array, back: bool = False) -> Array:
        """Return C_x v, or C_x^+ v, for v of shape (..., m, columns); v itself where all couplings are 1."""
        if self.unit_coupling:
            return vector
        if self.diagonal_coupling:
            block = self.coupling[..., bond, :, None]
            return (block.conj() if back else block) * vector
        block = self.coupling[..., bond, :, :]
        return (block.conj().swapaxes(-1, -2) if back else block) @ vector

    def fixed_source(self) -> Array:
        """Return the source plus the contribution of fixed values at the ends: (..., slice, m)."""
        source = np.zeros((*self.batch, self.slices, self.m)) if self.source is None else self.source.copy()
        for end, place in ((self.left, 0), (self.right, -1)):
            if isinstance(end, FixedValues):
                source = np.broadcast_to(source, np.broadcast_shapes(source.shape, (*self.batch, 1, 1))).copy()
                source[..., place, :] -= end.coupling * end.values
        return source

    def matrix(self) -> Array:
        """Return H as a dense matrix over (slice, site): (..., slice m, slice m). For small chains."""
        n, m = self.slices, self.m
        dense = np.zeros((*self.batch, n, m, n, m), np.result_type(self.onsite, self.coupling))
        for x in range(n):
            dense[..., x, :, x, :] = self.onsite[..., x, :, :]
        identity = np.eye(m)
        for x in range(n - 1):
            dense[..., x, :, x + 1, :] = self.couple(x, identity)
            dense[..., x + 1, :, x, :] = self.couple(x, identity, back=True)
        return dense.reshape(*self.batch, n * m, n * m)

    def thresholds(self) -> Real:
        """Return the energies at which a channel of either lead opens or closes."""
        return np.unique(np.concatenate([lead.band_edges() for lead in self.leads]))

    def summary(self) -> str:
        """Return what the problem is, in one line."""
        ends = {Lead: "a lead", FixedValues: "fixed values", type(None): "an open end"}
        batch = f", batch {self.batch}" if self.batch else ""
        return (
            f"{self.slices} slices of {self.m} site{'s' if self.m > 1 else ''}{batch}, "
            f"{ends[type(self.left)]} on the left, {ends[type(self.right)]} on the right"
        )


@dataclass(frozen=True, eq=False)
class RandomBar:
    """An endless bar: slices drawn one after the other, H_x = transverse + diag(V_x), coupled by the identity.

    Parameters
    ----------
    transverse: (m, m). potential: (rng, count) -> (count, m), the potentials of the next slices.
    energy: E of its exponents. length: number of slices to draw.
    """

    transverse: Real
    potential: Callable[[np.random.Generator, int], Real] = field(repr=False)
    energy: float
    length: int

    def summary(self) -> str:
        """Return what the problem is, in one line."""
        return f"a bar of {self.length} random slices of {len(self.transverse)} sites at energy {self.energy:g}"

    def digest(self) -> str:
        """Return a hash of the bar, and of some slices that its law draws."""
        drawn = self.potential(np.random.default_rng(0), PROBED)
        return digest("random bar", _parts(self.transverse), drawn, float(self.energy), int(self.length))


def _parts(array: ArrayLike) -> list[Real]:
    """Return the real part of some blocks, and the imaginary part if it is more than round-off."""
    real, imaginary = np.asarray(np.real(array), float), np.asarray(np.imag(array), float)
    is_real = np.abs(imaginary).max(initial=0.0) <= ROUND_OFF * np.abs(real).max(initial=0.0)
    return [real] if is_real else [real, imaginary]


def ring_modes(sizes: tuple[int, ...], hopping: float) -> tuple[Real, Real]:
    """Return the real modes (m, channel) and energies 2 t sum cos k of a periodic square slice, energies increasing.

    Parameters
    ----------
    sizes: sites along each transverse direction; () for a slice of one site.
    hopping: t, of each bond between neighbours; in a ring of two sites both bonds join the same pair.
    """
    energies, modes = np.linalg.eigh(ring_hamiltonian(sizes, hopping))
    return modes, energies


def ring_hamiltonian(sizes: tuple[int, ...], hopping: float = 1.0) -> Real:
    """Return the hopping matrix of a periodic slice, sites counted with the last direction fastest: (m, m).

    A ring of two sites has both its bonds, E = 2 t cos k; a ring of one site has none.
    """
    total = np.zeros((1, 1))
    for size in sizes:
        step = np.roll(np.eye(size), 1, axis=0) if size > 1 else np.zeros((1, 1))
        total = np.kron(total, np.eye(size)) + np.kron(np.eye(len(total)), hopping * (step + step.T))
    return total
