"""`ChainGenerator`: a sum of real matrices on sites, neighbours and any few sites of a chain, with a conserved trace.

dP/dt = G P,  G = sum_i G_i + sum_b G_{b,b+1} + sum_S G_S,  <trace|G = 0.

Every Lindbladian, master equation and averaged replica is turned into this form for the engines that solve chains.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from functools import cached_property, reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sparse
from numpy.typing import ArrayLike, NDArray

from tnness.digest.arrays import of_arrays
from tnness.digest.content import digest
from tnness.errors import ModelError
from tnness.operators.basis import LocalSpace, Vector
from tnness.operators.charges import Charges
from tnness.operators.symmetry import conserved_charges
from tnness.problems.large_bonds import apply_local, coherent_factors, large_hamiltonians, sparse_local
from tnness.problems.mpo import mpo_of
from tnness.problems.need import sites_known
from tnness.problems.parts import TermPart, parts_of
from tnness.typed import typed

if TYPE_CHECKING:
    from tnness.problems.lindbladian import Lindbladian

Real = NDArray[np.float64]

LARGE = 600
"""Dimension of a matrix above which its spectral norm is estimated from above."""
TRACE_TOLERANCE = 1e-10
"""Largest |<trace|G| of a local matrix, relative to its own norm, that counts as round-off."""


class ChainGenerator:
    """A sum of real matrices on sites, on neighbouring pairs, and on other small sets of sites of a chain.

    Parameters
    ----------
    spaces: the local space of each of the n sites.
    site_terms: n matrices (D_i, D_i), output first.
    bond_terms: n - 1 matrices (D_i D_{i+1}, D_i D_{i+1}), left site major; None where `coherent` has a Hamiltonian.
    functionals: named product functionals besides `trace`, each n covectors (D_i,).
    origin: the `Lindbladian` it was made from, where there is one: its symbolic terms serve special solvers.
    charges: local charges that the terms conserve, if engines are to use them.
    metric: n vectors (D_i,) of powers of 2, the weights of basis states in the truncation of bonds; default 1.
    distant: matrices on other sites i < j < ...: {(i, j, ...): (D_i D_j .., D_i D_j ..)}, first site major. With
        fermions they are written as if no site lay between.
    coherent: Hamiltonians (d d', d d') of bonds whose matrices (D D', D D') would be too large, by bond.
    resolution: size of the part that matters, relative to the whole state (default 1). It is below 1 if that part is a
        small deviation from a known background. Cutoffs and discarded weights are relative to its square.

    Raises
    ------
    ModelError: a wrong number or shape of matrices, a number that is not finite, or a term that changes the trace.
    """

    form: ClassVar[str] = "chain"
    """The kind of problem."""

    @typed
    def __init__(
        self,
        spaces: Sequence[LocalSpace],
        site_terms: Sequence[ArrayLike],
        bond_terms: Sequence[ArrayLike | None],
        functionals: Mapping[str, Sequence[ArrayLike]] | None = None,
        origin: Lindbladian | None = None,
        charges: Charges | None = None,
        metric: Sequence[ArrayLike] | None = None,
        resolution: float = 1.0,
        distant: Mapping[tuple[int, ...], ArrayLike] | None = None,
        coherent: Mapping[int, ArrayLike] | None = None,
    ) -> None:
        self.origin = origin
        self.spaces = tuple(spaces)
        if not self.spaces:
            raise ModelError("a chain needs at least one site")
        sites_known(self)
        self.coherent = large_hamiltonians(self.spaces, coherent or {})
        """Hamiltonians of bonds that have no matrix."""
        dims = self.dims
        pairs = [a * b for a, b in pairwise(dims)]
        self.site_terms = _checked("site", site_terms, dims)
        self.small_bonds = _checked("bond", bond_terms, pairs, self.coherent)
        """The matrices of bonds, None where there is a Hamiltonian in `coherent`."""
        self.functionals: dict[str, tuple[Vector, ...]] = {"trace": tuple(s.trace for s in self.spaces)}
        for name, vectors in (functionals or {}).items():
            self.functionals[name] = tuple(np.asarray(v, float) for v in vectors)
            shapes = [v.shape for v in self.functionals[name]]
            if shapes != [(dim,) for dim in dims]:
                raise ModelError(
                    f"the functional {name!r} must have one covector of shape (D,) per site, D = {dims}, got {shapes}"
                )
        self.distant = _checked_distant(distant or {}, dims)
        self._check_trace()
        self.charges = charges
        if charges is not None:
            if self.distant:
                raise ModelError("charges are checked for terms on sites and neighbours only: leave them out")
            charges.check(dims, self.site_terms, self.bond_terms)
        self.metric = None if metric is None else _checked_metric(metric, dims)
        if not 0 < resolution <= 1:
            raise ModelError(f"resolution = {resolution!r}: a number above 0 and at most 1")
        self.resolution = float(resolution)

    def generator(self) -> ChainGenerator:
        """Return this generator: it needs no building."""
        return self

    @property
    def n(self) -> int:
        """Number of sites."""
        return len(self.spaces)

    @property
    def reach(self) -> int:
        """Largest distance between two sites of a term; 1 for neighbours."""
        return max((sites[-1] - sites[0] for sites in self.distant), default=1)

    def summary(self) -> str:
        """Return what the problem is, in one line."""
        sites = f"{self.n} site{'s' if self.n != 1 else ''}"
        return f"{sites} of local dimension {', '.join(map(str, sorted(set(self.dims))))}"

    def digest(self) -> str:
        """Return a hash of the matrices as they are given, of the functionals, charges, metric and resolution."""
        charges = None if self.charges is None else (self.charges.moduli, self.charges.sites)
        terms = [of_arrays(matrices) for matrices in (self.site_terms, [b for b in self.small_bonds if b is not None])]
        terms += [of_arrays([h.matrix for h in self.coherent.values()]), [*self.coherent]] if self.coherent else []
        functionals = {name: of_arrays(vectors) for name, vectors in self.functionals.items()}
        metric = None if self.metric is None else of_arrays(self.metric)
        distant = [digest(list(sites), matrix) for sites, matrix in self.distant.items()]
        about = (self.spaces, terms, functionals, charges, metric, self.resolution)
        return digest("generator", *about, *([distant] if distant else []))

    @property
    def dims(self) -> tuple[int, ...]:
        """Dimension D_i of each site's vector space."""
        return tuple(space.dim for space in self.spaces)

    @property
    def dimension(self) -> int:
        """Dimension of the whole vector space, prod D_i (a Python integer: it may be huge)."""
        result = 1
        for dim in self.dims:
            result *= dim
        return result

    @property
    def is_factored(self) -> bool:
        """True where terms of sites are kept apart from those of bonds: large sites, or a single one."""
        return bool(self.coherent) or self.n == 1

    @property
    def bond_terms(self) -> tuple[Real, ...]:
        """The matrices (D D', D D') of the bonds.

        Raises
        ------
        ModelError: a bond has none, as it would be too large.
        """
        for bond in self.coherent:
            size = self.dims[bond] * self.dims[bond + 1]
            raise ModelError(
                f"sites {bond} and {bond + 1} are too large for what was asked: the matrix of their bond would take "
                f"{8e-9 * size**2:.2g} GB; engines 'tebd', 'tdvp' and 'exact' do without it"
            )
        return tuple(bond for bond in self.small_bonds if bond is not None)

    @cached_property
    def merged_bonds(self) -> tuple[Real, ...]:
        """The same generator as two-site matrices only: one-site terms are shared by their two bonds.

        Bulk sites give half to either side, the ends all to their only bond.

        Raises
        ------
        ModelError: there are terms on other sites, a single site, or a bond without a matrix.
        """
        self.check_neighbours("this computation")
        if self.n == 1:
            raise ModelError("this chain has one site, and what was asked takes bonds: use engine 'exact'")
        return self._near

    def check_neighbours(self, taker: str) -> None:
        """Raise `ModelError` if a term acts on more than one site or two neighbours. taker: for the message."""
        for sites in self.distant:
            raise ModelError(
                f"{taker} takes terms on one site or two neighbours; this chain has one on sites "
                f"{', '.join(map(str, sites))}: use engine 'tdvp' or 'exact'"
            )

    @cached_property
    def local_terms(self) -> tuple[tuple[tuple[int, ...], Real], ...]:
        """All terms as (sites, matrix), one-site terms merged into those of neighbours.

        Where the chain `is_factored` they are not merged, and Hamiltonians in `coherent` are left out.
        """
        if self.is_factored:
            return (*self._own_terms, *self.distant.items())
        return (*(((i, i + 1), bond) for i, bond in enumerate(self._near)), *self.distant.items())

    @cached_property
    def _own_terms(self) -> tuple[tuple[tuple[int, ...], Real], ...]:
        """The matrices of sites and of bonds, those that there are."""
        sites = (((i,), matrix) for i, matrix in enumerate(self.site_terms))
        return (*sites, *(((i, i + 1), bond) for i, bond in enumerate(self.small_bonds) if bond is not None))

    @cached_property
    def _near(self) -> tuple[Real, ...]:
        merged = []
        for i, bond in enumerate(self.bond_terms):
            left = self.site_terms[i] * (1.0 if i == 0 else 0.5)
            right = self.site_terms[i + 1] * (1.0 if i + 1 == self.n - 1 else 0.5)
            merged.append(bond + np.kron(left, np.eye(self.dims[i + 1])) + np.kron(np.eye(self.dims[i]), right))
        return tuple(merged)

    @cached_property
    def conserved(self) -> Charges | None:
        """Charges of diagonal operators that the terms turn out to conserve exactly, or None."""
        return None if self.distant or self.coherent else self._conserved(0)

    @cached_property
    def parities(self) -> Charges | None:
        """Parities of diagonal operators that the terms turn out to conserve, or None."""
        return None if self.distant or self.coherent else self._conserved(2)

    def _conserved(self, modulus: int) -> Charges | None:
        return conserved_charges(self.spaces, self.site_terms, self.bond_terms, modulus)

    @cached_property
    def scale(self) -> float:
        """An upper estimate of |G|: the sum of the two-site matrices' spectral norms (1 / time).

        Of a matrix above `LARGE` it takes the geometric mean of the largest sums of rows and of columns instead.
        """
        large = sum(hamiltonian.spread for hamiltonian in self.coherent.values())
        return float(sum(_spectral_norm(matrix) for _, matrix in self.local_terms)) + large

    @cached_property
    def mean_diagonal(self) -> float:
        """The trace of G over its dimension."""
        return float(sum(np.trace(matrix) / len(matrix) for _, matrix in self.local_terms))

    def transposed(self) -> TransposedGenerator:
        """Return G^T, which can be applied but does not conserve the trace."""
        return TransposedGenerator(self)

    def apply(self, vector: Real) -> Real:
        """Return G v for dense v, shape (prod D,) or (prod D, columns), without forming G."""
        if self.is_factored:
            result = apply_local(self._own_terms, self.coherent, self.dims, vector)
        else:
            result = _apply_bonds(self._near, self.dims, vector)
        for part in self._parts:
            result += part.apply(vector, self.dims)
        return result

    @cached_property
    def _parts(self) -> tuple[TermPart, ...]:
        return tuple(part for sites, matrix in self.distant.items() for part in parts_of(sites, matrix, self.spaces))

    def matrix(self) -> sparse.csr_array:
        """Return G as a sparse matrix (prod D, prod D); first site major."""
        total = sparse.csr_array((self.dimension, self.dimension))
        before = 1
        for part in self._parts:
            total = total + part.matrix(self.dims)
        if self.is_factored:
            return total + sparse_local(self._own_terms, self.coherent, self.spaces)
        for i, bond in enumerate(self._near):
            after = self.dimension // (before * bond.shape[0])
            left, right = sparse.eye_array(before), sparse.eye_array(after)
            total = total + sparse.kron(sparse.kron(left, sparse.csr_array(bond)), right, format="csr")
            before *= self.dims[i]
        return sparse.csr_array(total)

    def mpo_tensors(self) -> list[Real]:
        """Return G as a matrix-product operator: n tensors (left, right, out, in), end bonds of size 1.

        Each bond matrix is split exactly by its operator Schmidt decomposition. Bond i has its rank plus two
        states; the two mean that no term has begun yet, and that one is complete. With terms on other sites the
        operator is compressed, to 1e-12 of its norm (`tnness.problems.mpo`).
        """
        if self.distant:
            return mpo_of(self)
        factors = [
            _operator_schmidt(b, *self.dims[i : i + 2]) if b is not None else coherent_factors(self.coherent[i])
            for i, b in enumerate(self.small_bonds)
        ]
        tensors = []
        for i, dim in enumerate(self.dims):
            left_rank = len(factors[i - 1][1]) if i else 0
            right_rank = len(factors[i][0]) if i < self.n - 1 else 0
            tensor = np.zeros((left_rank + 2, right_rank + 2, dim, dim))
            tensor[0, 0] = tensor[-1, -1] = np.eye(dim)
            tensor[0, -1] = self.site_terms[i]
            if right_rank:
                tensor[0, 1:-1] = factors[i][0]
            if left_rank:
                tensor[1:-1, -1] = factors[i - 1][1]
            tensors.append(tensor)
        tensors[0] = tensors[0][:1]
        tensors[-1] = tensors[-1][:, -1:]
        return tensors

    def _check_trace(self) -> None:
        traces = self.functionals["trace"]
        for i, matrix in enumerate(self.site_terms):
            _check_conserved(f"site {i}", traces[i], matrix)
        for i, matrix in enumerate(self.small_bonds):
            if matrix is None:  # a Hamiltonian conserves it
                continue
            _check_conserved(f"bond {i}", np.outer(traces[i], traces[i + 1]).ravel(), matrix)
        for sites, matrix in self.distant.items():
            trace = reduce(lambda left, right: np.outer(left, right).ravel(), (traces[site] for site in sites))
            _check_conserved(f"sites {sites}", trace, matrix)


class TransposedGenerator:
    """The transpose of a `ChainGenerator`."""

    def __init__(self, generator: ChainGenerator) -> None:
        self._factored = generator.is_factored
        self._parts = tuple(part.transposed() for part in generator._parts)
        self._dims = generator.dims
        if self._factored:
            self._local = tuple((sites, matrix.T) for sites, matrix in generator._own_terms)
            self._coherent = generator.coherent
        else:
            self._bonds = tuple(np.ascontiguousarray(bond.T) for bond in generator._near)

    def apply(self, vector: Real) -> Real:
        """Return G^T v for dense v, shape (prod D,) or (prod D, columns)."""
        if self._factored:
            result = apply_local(self._local, self._coherent, self._dims, vector, transposed=True)
        else:
            result = _apply_bonds(self._bonds, self._dims, vector)
        for part in self._parts:
            result += part.apply(vector, self._dims)
        return result


def _spectral_norm(matrix: Real) -> float:
    if len(matrix) <= LARGE:
        return float(np.linalg.norm(matrix, 2))
    return math.sqrt(np.linalg.norm(matrix, 1) * np.linalg.norm(matrix, np.inf))


def _apply_bonds(bonds: Sequence[Real], dims: Sequence[int], vector: Real) -> Real:
    result = np.zeros_like(vector)
    before = 1
    for bond, dim in zip(bonds, dims, strict=False):
        result += np.matmul(bond, vector.reshape(before, len(bond), -1)).reshape(vector.shape)
        before *= dim
    return result


def _checked(
    kind: str, matrices: Sequence[ArrayLike | None], sizes: Sequence[int], without: Container[int] = ()
) -> tuple[Any, ...]:
    """Return the matrices, checked; those of the places in `without` are None."""
    if len(matrices) != len(sizes):
        raise ModelError(f"a chain of this length takes {len(sizes)} {kind} terms, got {len(matrices)}")
    result = []
    for i, (given, size) in enumerate(zip(matrices, sizes, strict=True)):
        if i in without:
            if given is not None:
                raise ModelError(f"{kind} {i} has a Hamiltonian in `coherent` and takes no matrix besides")
            result.append(None)
            continue
        matrix = np.asarray(given)
        if matrix.shape != (size, size):
            raise ModelError(f"the term of {kind} {i} must have shape ({size}, {size}), but has shape {matrix.shape}")
        if np.iscomplexobj(matrix) or not np.isfinite(matrix).all():
            raise ModelError(f"the term of {kind} {i} must be real and finite")
        result.append(np.ascontiguousarray(matrix, dtype=float))
    return tuple(result)


def _checked_distant(distant: Mapping[tuple[int, ...], ArrayLike], dims: Sequence[int]) -> dict[tuple[int, ...], Real]:
    result = {}
    for sites, given in sorted(distant.items()):
        if list(sites) != sorted(set(sites)) or sites[0] < 0 or sites[-1] >= len(dims):
            raise ModelError(f"a term acts on increasing sites of 0 to {len(dims) - 1}, got {sites}")
        result |= {sites: _checked(f"sites {sites}", [given], [math.prod(dims[site] for site in sites)])[0]}
    return result


def _checked_metric(metric: Sequence[ArrayLike], dims: Sequence[int]) -> tuple[Vector, ...]:
    vectors = tuple(np.asarray(vector, float) for vector in metric)
    if [vector.shape for vector in vectors] != [(dim,) for dim in dims]:
        raise ModelError(f"the metric must have one vector of shape (D,) per site, D = {tuple(dims)}")
    if not all((vector > 0).all() and (np.frexp(vector)[0] == 0.5).all() for vector in vectors):
        raise ModelError("the metric's weights must be powers of 2: scaling by them is then free of round-off")
    return vectors


def _check_conserved(place: str, trace: Vector, matrix: Real) -> None:
    leak = np.abs(trace @ matrix).max(initial=0.0)
    if leak > TRACE_TOLERANCE * max(1.0, np.linalg.norm(matrix)) * np.linalg.norm(trace):
        raise ModelError(f"the generator does not conserve the trace: on {place}, |<trace|G| = {leak:.2e}, not 0")


def _operator_schmidt(matrix: Real, left: int, right: int) -> tuple[list[Real], list[Real]]:
    """Split M = sum_k A_k x B_k exactly; A_k (left, left), B_k (right, right)."""
    folded = matrix.reshape(left, right, left, right).transpose(0, 2, 1, 3).reshape(left**2, right**2)
    u, s, vt = np.linalg.svd(folded)
    rank = int((s > 1e-14 * max(s[0], 1e-300)).sum())
    roots = np.sqrt(s[:rank])
    a = [(roots[k] * u[:, k]).reshape(left, left) for k in range(rank)]
    b = [(roots[k] * vt[k]).reshape(right, right) for k in range(rank)]
    return a, b
