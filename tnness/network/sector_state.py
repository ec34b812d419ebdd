"""A matrix-product state in blocks of definite charges, and its sweeps.

Sites left of the orthogonality centre are fused with their left bond, sites right of it with their right bond
(`tnness.network.sectors`). A two-site matrix is split block by block, by the methods of `tnness.network.truncation`.
Most splits keep the size of every sector. One in `SELECT` adds random directions to every sector, and to sectors that
are absent, and lets all singular values compete for the bond.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from tnness.errors import NumericalError
from tnness.network.chain_state import ChainState
from tnness.network.orthonormal import cholesky, cholesky_basis
from tnness.network.sectors import KEPT_PLANS, Array, Bond, Charge, Joint, PairPlan, Rules, SectorGate, SitePlan
from tnness.network.truncation import Truncation, discarded_weight, dominant_basis, safe_svd, smallest_cutoff

SELECT = 8
"""One split in this many chooses the sizes of the sectors anew, at random: a period could miss some bonds."""
MORE = 4
"""A sector of n indices is tried with n / MORE random directions more, and at least two."""
HYSTERESIS = 1.1
"""Sizes of sectors stay as they are while they drop no more than this multiple of the least possible weight."""
MOST_GATES, MOST_GATE_BYTES = 4096, 2**27
"""Largest number of gates whose action on components is kept, and largest size of these gates."""
STRAY_WEIGHT = 1e-26
"""Weight of other total charges, relative to the state, that is dropped as round-off."""
ROUNDOFF = 1e-15
"""Singular values below this, relative to the state, are round-off: their sector is absent."""


class Factor(NamedTuple):
    """One block of a split: M ~ isometry @ remainder, and the singular values if the remainder is sorted by them."""

    isometry: Array
    remainder: Array
    values: Array = np.zeros(0)


@dataclass
class SectorState:
    """A matrix-product state of definite charges.

    bonds: the n + 1 bonds, outer ones included. vectors: the blocks of each site. rightmost: whether the centre is the
        last site; else it is the first. log_norm: logarithm of a factor outside.
    """

    rules: Rules
    bonds: list[Bond]
    vectors: list[Array]
    rightmost: bool
    log_norm: float = 0.0
    plans: Plans = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.plans = plans_of(self.rules)

    @property
    def n(self) -> int:
        """Number of sites."""
        return len(self.vectors)

    def copy(self) -> SectorState:
        """Return a state whose lists can be changed; the arrays are never changed."""
        return SectorState(self.rules, list(self.bonds), list(self.vectors), self.rightmost, self.log_norm)

    # ------------------------------------------------------------------ to and from the real basis

    @classmethod
    def adapted(cls, state: ChainState, rules: Rules, stray: float = STRAY_WEIGHT) -> SectorState | None:
        """Return the same state in blocks, centre at the last site.

        Return None if a part with a weight above `stray` has another total charge than the largest part. If states are
        complex, the total charge has to be its own conjugate.
        """
        state = state.copy()
        state.canonicalise(0)
        bonds, vectors = [Bond(((rules.none, 1),))], []
        for i, tensor in enumerate(state.tensors):
            last = i == state.n - 1
            sectors, blocks, carries = [], {}, []
            whole = tensor.astype(np.float64)
            for charge, matrix in _fused_rows(rules, bonds[-1], i, whole).items():
                u, s, vt, _ = safe_svd(matrix)
                rank = int(np.count_nonzero(s > ROUNDOFF))
                if rank:
                    sectors.append((charge, rank))
                    blocks[charge] = u[:, :rank]
                    carries.append(s[:rank, None] * vt[:rank])
            if last:
                weights = [
                    float(np.vdot(carry, carry).real) * rules.copies(c)
                    for (c, _), carry in zip(sectors, carries, strict=True)
                ]
                largest = int(np.argmax(weights))
                charge = sectors[largest][0]
                if sum(weights) - weights[largest] > stray * sum(weights) or not rules.is_real(charge):
                    return None
                sectors = [(charge, 1)]
                blocks = {charge: blocks[charge][:, :1] * carries[largest][:1]}
            bonds.append(Bond(tuple(sectors)))
            plan = SitePlan(rules, bonds[i], i, bonds[i + 1])
            vectors.append(_filled(plan.left, blocks, state.dtype))
            if not last:
                carry = np.concatenate(
                    [_real_rows(rules, charge, c) for (charge, _), c in zip(sectors, carries, strict=True)]
                )
                state.tensors[i + 1] = np.tensordot(carry, state.tensors[i + 1], 1)
        vectors[-1] = SitePlan(rules, bonds[-2], state.n - 1, bonds[-1]).to_right(vectors[-1])
        return cls(rules, bonds, vectors, True, state.log_norm)

    def real(self) -> ChainState:
        """Return the state in the real basis."""
        centre = self.n - 1 if self.rightmost else 0
        tensors = []
        for i, vector in enumerate(self.vectors):
            left_form = i < centre or (i == centre and not self.rightmost)
            tensors.append(self.plans.site(self.bonds[i], i, self.bonds[i + 1]).real(vector, left_form))
        return ChainState(tensors, centre, self.log_norm)

    def save(self) -> dict[str, Array]:
        """Return arrays from which `load` makes the same state bit for bit."""
        arrays = {f"block_{i:04d}": vector for i, vector in enumerate(self.vectors)}
        for i, bond in enumerate(self.bonds):
            arrays[f"sector_{i:04d}"] = np.array([(*charge, size) for charge, size in bond.sectors], np.int64)
        return arrays

    @classmethod
    def load(cls, arrays: Mapping[str, Array], rules: Rules, rightmost: bool, log_norm: float) -> SectorState:
        """Return the state that was saved."""
        n = len(rules.sites)
        bonds = [
            Bond(tuple((tuple(row[:-1]), row[-1]) for row in arrays[f"sector_{i:04d}"].tolist())) for i in range(n + 1)
        ]
        return cls(rules, bonds, [arrays[f"block_{i:04d}"] for i in range(n)], rightmost, log_norm)

    # ------------------------------------------------------------------ sweeps

    def normalise(self) -> None:
        """Move the norm of the centre into `log_norm`."""
        site = self.n - 1 if self.rightmost else 0
        plan = self.plans.site(self.bonds[site], site, self.bonds[site + 1])
        weight = (plan.right if self.rightmost else plan.left).weight(self.vectors[site])
        self.vectors[site] = self.vectors[site] / self.vectors[site].dtype.type(math.sqrt(weight))
        self.log_norm += 0.5 * math.log(weight)

    def sweep(
        self, gates: Sequence[Array | None], truncation: Truncation, rng: np.random.Generator
    ) -> tuple[float, int]:
        """Apply one layer of gates, moving the centre from one end of the chain to the other; see `network.sweep`."""
        rightwards, discarded, fallbacks = not self.rightmost, 0.0, 0
        bonds = range(self.n - 1)
        for i in bonds if rightwards else reversed(bonds):
            gate = gates[i]
            if gate is None:
                fallbacks += self._pass(i, rightwards)
            else:
                dropped, helped = self._split(i, gate, truncation, rng, rightwards)
                discarded, fallbacks = discarded + dropped, fallbacks + helped
        self.rightmost = rightwards
        return discarded, fallbacks

    def _pass(self, i: int, rightwards: bool) -> int:
        """Move the centre over a bond by QR, block by block."""
        bonds, vectors = self.bonds, self.vectors
        first = self.plans.site(bonds[i], i, bonds[i + 1]).left
        second = self.plans.site(bonds[i + 1], i + 1, bonds[i + 2]).right
        isometries, carried, fallbacks = {}, {}, 0
        for charge, _ in bonds[i + 1].sectors:
            if charge not in first.blocks or charge not in second.blocks:
                continue  # the sector was dropped on one side as round-off
            left, right = first.blocks[charge].of(vectors[i]), second.blocks[charge].of(vectors[i + 1])
            if rightwards:
                basis, factor, helped = cholesky(left)
                isometries[charge], carried[charge] = basis, factor.dot(right)
            else:
                basis, factor, helped = cholesky(right.T)
                isometries[charge], carried[charge] = basis.T, left.dot(factor.T)
            fallbacks += helped
        self._store(i, isometries, carried, rightwards)
        return fallbacks

    def _split(
        self, i: int, gate: Array, truncation: Truncation, rng: np.random.Generator, rightwards: bool
    ) -> tuple[float, int]:
        """Apply a gate and split; return the discarded weight and the number of fallbacks."""
        bonds, vectors = self.bonds, self.vectors
        joint = self.plans.joint(bonds[i], i, bonds[i + 1], bonds[i + 2])
        theta, lefts, guesses = joint.product(vectors[i], vectors[i + 1])
        if not rightwards:
            guesses = {charge: left.T for charge, left in lefts.items()}
        plan = joint.plan
        theta = plan.apply(theta, self.plans.gate(gate, plan.bases))
        whole = plan.layout.weight(theta)
        if not math.isfinite(whole):
            raise NumericalError("a number that is not finite (NaN or infinity) appeared in the state")
        if whole == 0:
            raise NumericalError("the state vanished: a two-site block has norm 0")
        blocks = {charge: block.of(theta) for charge, block in plan.layout.blocks.items()}
        if not rightwards:
            blocks = {charge: block.T for charge, block in blocks.items()}
        split = BlockSplit(self.rules, blocks, guesses, truncation, rng, whole)
        factors, discarded = split.factors(bonds[i + 1].dimension(self.rules))
        if rightwards:
            isometries, carried = ({c: f[part] for c, f in factors.items()} for part in (0, 1))
        else:
            isometries, carried = ({c: f[part].T for c, f in factors.items()} for part in (0, 1))
        self._store(i, isometries, carried, rightwards)
        return discarded, split.fallbacks

    def _store(self, i: int, isometries: dict[Charge, Array], carried: dict[Charge, Array], rightwards: bool) -> None:
        """Store a split: the isometry in its own form, the carried centre in the form of the next step."""
        bonds, last = self.bonds, i + 1 == self.n - 1
        axis = 1 if rightwards else 0
        bonds[i + 1] = Bond(tuple((charge, block.shape[axis]) for charge, block in sorted(isometries.items())))
        one = self.plans.site(bonds[i], i, bonds[i + 1])
        other = self.plans.site(bonds[i + 1], i + 1, bonds[i + 2])
        dtype = self.vectors[i].dtype
        if rightwards:
            self.vectors[i] = _filled(one.left, isometries, dtype)
            vector = _filled(other.right, carried, dtype)
            self.vectors[i + 1] = vector if last else other.to_left(vector)
        else:
            self.vectors[i + 1] = _filled(other.right, isometries, dtype)
            vector = _filled(one.left, carried, dtype)
            self.vectors[i] = vector if i == 0 else one.to_right(vector)


class BlockSplit:
    """A split of the blocks M of one two-site matrix into Q C.

    blocks, guesses: of each charge M (m, n) and the old right tensor (k, n). whole: the squared norm of all blocks.
    """

    def __init__(
        self,
        rules: Rules,
        blocks: dict[Charge, Array],
        guesses: dict[Charge, Array],
        truncation: Truncation,
        rng: np.random.Generator,
        whole: float,
    ) -> None:
        self.rules, self.blocks, self.guesses = rules, blocks, guesses
        self.truncation, self.rng, self.whole = truncation, rng, whole
        self.cutoff = smallest_cutoff(truncation, next(iter(blocks.values())).dtype)
        self.single = next(iter(blocks.values())).dtype in (np.float32, np.complex64)
        self.fallbacks = 0

    def factors(self, size: int) -> tuple[dict[Charge, Factor], float]:
        """Return the factors of every charge that is kept, and the relative weight dropped. size: of the old bond."""
        if self.truncation.method == "svd":
            return self._compete({charge: self._svd(block) for charge, block in self.blocks.items()})
        select = self.rng.random() < 1 / SELECT
        fits = all(len(guess) <= min(self.blocks[c].shape) for c, guess in self.guesses.items())
        full = size >= self.truncation.chi - 1
        followed = None
        if self.guesses and fits and size <= self.truncation.chi:
            factors = {charge: self._follow(charge, guess) for charge, guess in self.guesses.items()}
            dropped = self._outside(factors) / self.whole
            followed = factors, dropped
            if not select and (full or dropped <= self.cutoff + 2e-15):
                return followed
        explored = self._compete({charge: self._explore(charge, full) for charge in self.blocks})
        if followed is not None and full and followed[1] <= HYSTERESIS * explored[1]:
            return followed  # a change that gains little would only stir a state that settles
        return explored

    def _outside(self, factors: dict[Charge, Factor]) -> float:
        """Return the weight outside the isometries; in single precision not as a difference, which is round-off."""
        if not self.single:
            kept = (_square(factor.remainder) * self.rules.copies(charge) for charge, factor in factors.items())
            return max(0.0, self.whole - sum(kept))
        outside = 0.0
        for charge, matrix in self.blocks.items():
            weight = _square(matrix) * self.rules.copies(charge)
            if charge in factors and weight:
                isometry, remainder, _ = factors[charge]
                weight *= discarded_weight(matrix, isometry, remainder, self.rng)
            outside += weight
        return outside

    def _follow(self, charge: Charge, guess: Array) -> Factor:
        """Split a block by a subspace of the size of its guess."""
        matrix = self.blocks[charge]
        basis, helped = dominant_basis(matrix, guess, self.truncation, self.whole)
        self.fallbacks += helped
        return Factor(basis, _product(basis.conj().T, matrix))

    def _explore(self, charge: Charge, full: bool) -> Factor:
        """Split a block by a subspace larger than its guess, sorted by singular values. full: whether the bond is."""
        matrix, guess = self.blocks[charge], self.guesses.get(charge)
        count = 0 if guess is None else len(guess)
        most = min(*matrix.shape, self.truncation.chi)
        more = min(count + (max(2, count // MORE) if full else count // 2 + 10), most)
        if more == min(matrix.shape) and more <= 2 * count + 4:
            return self._svd(matrix)
        directions = self.rng.standard_normal((more - min(count, more), matrix.shape[1])).astype(matrix.dtype)
        start = directions if guess is None else np.concatenate([guess[:more], directions])
        basis, helped = cholesky_basis(np.ascontiguousarray(matrix.dot(start.conj().T)))
        for _ in range(max(1, self.truncation.power)):
            images = matrix.dot(matrix.conj().T.dot(basis))
            basis, again = cholesky_basis(np.ascontiguousarray(images))
            helped += again
        self.fallbacks += helped
        small = self._svd(basis.conj().T.dot(matrix))
        return Factor(basis.dot(small.isometry), small.remainder, small.values)

    def _svd(self, matrix: Array) -> Factor:
        u, s, vt, helped = safe_svd(matrix)
        self.fallbacks += helped
        return Factor(u, s[:, None] * vt, s)

    def _compete(self, factors: dict[Charge, Factor]) -> tuple[dict[Charge, Factor], float]:
        """Keep the largest singular values of all blocks together; those of a pair of charges count twice."""
        charges = list(factors)
        copies = np.concatenate([np.full(len(factors[c].values), self.rules.copies(c)) for c in charges])
        owners = np.concatenate([np.full(len(factors[c].values), k) for k, c in enumerate(charges)])
        weights = np.concatenate([factors[c].values.astype(float) ** 2 for c in charges])
        order = np.argsort(-weights, kind="stable")
        tail = np.cumsum((weights * copies)[order][::-1])[::-1]  # tail[k]: weight dropped if k values are kept
        missed = 0.0 if self.truncation.method == "svd" else self._outside(factors)
        needed = int(np.count_nonzero(tail > max(0.0, self.cutoff * self.whole - missed)))
        fitting = int(np.count_nonzero(np.cumsum(copies[order]) <= self.truncation.chi))
        count = max(1, min(needed, fitting))
        ranks = np.bincount(owners[order[:count]], minlength=len(charges))
        dropped = missed + (float(tail[count]) if count < len(tail) else 0.0)
        single = order[count:][copies[order[count:]] == 1]
        if count < needed and len(single) and copies[order[:count]].sum() < self.truncation.chi:
            ranks[owners[single[0]]] += 1  # a pair of charges does not fit into the last place
            dropped -= float(weights[single[0]])
        ranks, dropped = self._unchanged(factors, charges, ranks, dropped)
        result = {}
        for charge, rank in zip(charges, ranks.tolist(), strict=True):
            if rank:
                isometry, remainder, _ = factors[charge]
                result[charge] = Factor(isometry[:, :rank], remainder[:rank])
        return result, max(0.0, dropped / self.whole)

    def _unchanged(
        self, factors: dict[Charge, Factor], charges: list[Charge], ranks: Array, dropped: float
    ) -> tuple[Array, float]:
        """Return the old sizes of the sectors where they are as good: index arrays are then used again."""
        old = np.array([len(self.guesses.get(charge, ())) for charge in charges])
        copies = np.array([self.rules.copies(charge) for charge in charges])
        if self.truncation.method == "svd" or old @ copies > self.truncation.chi or (old == ranks).all():
            return ranks, dropped
        rest = self.whole
        for charge, rank, copy in zip(charges, old.tolist(), copies.tolist(), strict=True):
            if rank > len(factors[charge].values):
                return ranks, dropped
            rest -= copy * float((factors[charge].values[:rank].astype(float) ** 2).sum())
        if rest <= max(HYSTERESIS * dropped, self.cutoff * self.whole):
            return old, rest
        return ranks, dropped


class Plans:
    """The index arrays of a chain, made where they are needed and kept while they are used."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._kind = [rules.sites.index(site) for site in rules.sites]  # equal sites share plans
        self._sites = lru_cache(maxsize=2 * KEPT_PLANS)(self._site)
        self._pairs = lru_cache(maxsize=KEPT_PLANS)(self._pair)
        self._joints = lru_cache(maxsize=KEPT_PLANS)(self._joint)
        self._gates: dict[int, SectorGate] = {}

    def site(self, left: Bond, site: int, right: Bond) -> SitePlan:
        """Return the forms of a site's tensor."""
        return self._sites(left, self._kind[site], right)

    def joint(self, left: Bond, site: int, middle: Bond, right: Bond) -> Joint:
        """Return the blocks of a site, of the next one, and of their product."""
        return self._joints(left, self._kind[site], middle, self._kind[site + 1], right)

    def gate(self, gate: Array, bases: tuple[Any, ...]) -> SectorGate:
        """Return a gate as it acts on components."""
        known = self._gates.get(id(gate))
        if known is None or known.gate is not gate:
            if len(self._gates) > min(MOST_GATES, MOST_GATE_BYTES // gate.nbytes):  # those of a drive are ever new
                self._gates.clear()
            known = self._gates[id(gate)] = SectorGate(gate, bases)
        return known

    def _site(self, left: Bond, kind: int, right: Bond) -> SitePlan:
        return SitePlan(self.rules, left, kind, right)

    def _joint(self, left: Bond, kind: int, middle: Bond, other: int, right: Bond) -> Joint:
        sites = self._sites(left, kind, middle), self._sites(middle, other, right)
        return Joint(*sites, self._pairs(left, kind, other, right))

    def _pair(self, left: Bond, kind: int, other: int, right: Bond) -> PairPlan:
        return PairPlan(self.rules, left, kind, other, right)


@lru_cache(maxsize=8)
def plans_of(rules: Rules) -> Plans:
    """Return the plans of a chain, shared by its states."""
    return Plans(rules)


def _square(matrix: Array) -> float:
    flat = matrix.ravel("K")
    return float(np.vdot(flat, flat).real)


def _product(first: Array, second: Array) -> Array:
    return first.dot(second) if second.flags.c_contiguous else second.T.dot(first.T).T


def _filled(layout: Any, blocks: dict[Charge, Array], dtype: np.dtype) -> Array:
    vector = np.empty(layout.size, dtype)
    for charge, block in layout.blocks.items():
        block.of(vector)[...] = blocks[charge]
    return vector


def _fused_rows(rules: Rules, bond: Bond, site: int, tensor: Array) -> dict[Charge, Array]:
    """Return a real tensor (left, p, columns) as matrices (left p of one charge, columns)."""
    columns = tensor.shape[2]
    basis = np.array(rules.sites[site].unitary)
    turned = np.einsum("ab,lbr->lar", basis, tensor)
    ranges, begin = [], 0
    for charge, count in bond.sectors:
        ranges.append((begin, count))
        begin += count * rules.copies(charge)
    result = {}
    for charge, fused in rules.fused(bond, site, 1).items():
        complex_rows = np.zeros((fused.size, columns), complex)
        for part in fused.parts:
            start, count = ranges[part.sector]
            if rules.is_real(bond.sectors[part.sector][0]):
                values = turned[start : start + count, part.p]
            else:
                real, imaginary = (
                    turned[start : start + count, part.p],
                    turned[start + count : start + 2 * count, part.p],
                )
                values = (real - part.sign * 1j * imaginary) / math.sqrt(2)
            if part.kind == "pair":
                complex_rows[part.offset : part.offset + count] = math.sqrt(2) * values.real
                complex_rows[part.offset + count : part.offset + 2 * count] = -math.sqrt(2) * values.imag
            else:
                complex_rows[part.offset : part.offset + count] = values
        result[charge] = np.real(complex_rows).copy() if rules.is_real(charge) else complex_rows
    return result


def _real_rows(rules: Rules, charge: Charge, carry: Array) -> Array:
    """Return the rows of a carried matrix in the real basis: of a pair the real parts, then the imaginary ones."""
    if rules.is_real(charge):
        return carry
    return math.sqrt(2) * np.concatenate([np.real(carry), -np.imag(carry)])
