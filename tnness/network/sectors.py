"""Where the numbers of a matrix-product state of definite charges stand: blocks, and the indices that regroup them.

A bond has sectors, each a charge with a number of indices. A tensor T (left, p, right) has elements only where
q_left + c_p = q_right; a matrix that is fused on one side is block-diagonal in the charge of the other.

A density operator is Hermitian: T of the conjugate charges is the conjugate of T. So of a pair of charges (q, -q) only
the first is stored, complex, and stands for two real indices. A charge that is its own conjugate (0, or a parity) has
real blocks; where its fused index runs over conjugate pairs, it runs over sqrt(2) Re and -sqrt(2) Im.

Blocks are stored one after another in one real vector, complex numbers as two. Applying a gate, or fusing a tensor on
its other side, collects from this vector what belongs together by an index array, multiplies small real matrices, and
puts the result back by another. Index arrays depend on the sizes of sectors alone and are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tnness.operators.charges import Charges

Array = NDArray[Any]
Index = NDArray[np.intp]
Charge = tuple[int, ...]

REAL, COMPLEX, PAIR = "real", "complex", "pair"
KEPT_PLANS = 256
"""Index arrays that are kept of each kind: those of the bonds of a long chain."""


@dataclass(frozen=True)
class Basis:
    """The basis states of one site: their charges, their conjugates, and the unitary from the real basis."""

    charges: tuple[Charge, ...]
    partners: tuple[int, ...]
    unitary: tuple[tuple[complex, ...], ...]

    @cached_property
    def inverse(self) -> Array:
        """Matrix from coefficients of these states to those of the real basis: (D, D)."""
        return np.array(self.unitary).conj().T


class Rules:
    """How charges add and which are conjugate to each other; the same for all sites of a chain."""

    def __init__(self, charges: Charges) -> None:
        self.charges = charges
        self.none: Charge = (0,) * len(charges.moduli)
        self.sites = tuple(
            Basis(
                tuple(map(tuple, labels.tolist())),
                charges.partners(i),
                tuple(map(tuple, charges.basis(i).tolist())),
            )
            for i, labels in enumerate(charges.sites)
        )
        self._known: dict[Any, Any] = {}
        self._copies: dict[Charge, int] = {}
        self._sums: dict[tuple[Charge, Charge, int], Charge] = {}

    def is_real(self, charge: Charge) -> bool:
        """Return whether a charge is its own conjugate."""
        return self.copies(charge) == 1

    def copies(self, charge: Charge) -> int:
        """Return how many real indices one index of a stored charge stands for: 1, or 2 for a pair of charges."""
        known = self._copies.get(charge)
        if known is None:
            known = self._copies[charge] = 1 if self.charges.conjugate(charge) == charge else 2
        return known

    def add(self, first: Charge, second: Charge, sign: int) -> Charge:
        """Return first + sign * second."""
        key = first, second, sign
        known = self._sums.get(key)
        if known is None:
            known = self._sums[key] = self.charges.add(first, second, sign)
        return known

    def stored(self, charge: Charge) -> bool:
        """Return whether a charge, and not its conjugate, is stored."""
        return charge >= self.charges.conjugate(charge)

    def signed(self, charge: Charge) -> tuple[tuple[int, Charge], ...]:
        """Return a stored charge and its conjugate, with the signs 1 and -1."""
        return ((1, charge),) if self.is_real(charge) else ((1, charge), (-1, self.charges.conjugate(charge)))

    def fused(self, bond: Bond, site: int, side: int) -> dict[Charge, Fused]:
        """Return what the index (bond, p) of each charge q_bond + side * c_p consists of, for the stored charges."""
        key = bond, self.sites[site], side
        if key not in self._known:
            if len(self._known) > 4 * KEPT_PLANS:
                self._known.clear()
            self._known[key] = self._fuse(bond, self.sites[site], side)
        return self._known[key]

    def _fuse(self, bond: Bond, site: Basis, side: int) -> dict[Charge, Fused]:
        parts: dict[Charge, list[Part]] = {}
        sizes: dict[Charge, int] = {}
        for number, (charge, size) in enumerate(bond.sectors):
            for sign, signed in self.signed(charge):
                for p, own in enumerate(site.charges):
                    total = self.add(signed, own, side)
                    if not self.stored(total):
                        continue
                    kind = COMPLEX
                    if self.is_real(total):
                        if sign < 0:
                            continue  # the conjugate of a part that stands there already
                        kind = REAL if self.is_real(charge) else PAIR
                    offset = sizes.get(total, 0)
                    parts.setdefault(total, []).append(Part(number, sign, p, kind, offset, size))
                    sizes[total] = offset + (2 * size if kind == PAIR else size)
        return {charge: Fused(tuple(own), sizes[charge]) for charge, own in sorted(parts.items())}

    def bare(self, bond: Bond) -> dict[Charge, Fused]:
        """Return the same of a bond alone."""
        result = {}
        for number, (charge, size) in enumerate(bond.sectors):
            kind = REAL if self.is_real(charge) else COMPLEX
            result[charge] = Fused((Part(number, 1, None, kind, 0, size),), size)
        return result


class Part(NamedTuple):
    """A range of a fused index: the sector of the bond, the sign of its charge, and the state p of the site."""

    sector: int
    sign: int
    p: int | None
    kind: str
    offset: int
    size: int


class Fused(NamedTuple):
    """The parts of a fused index of one charge, and its size."""

    parts: tuple[Part, ...]
    size: int


class Bond:
    """The sectors of a bond: stored charges in ascending order, each with its number of indices."""

    __slots__ = ("_hash", "sectors")

    def __init__(self, sectors: tuple[tuple[Charge, int], ...]) -> None:
        self.sectors, self._hash = sectors, hash(sectors)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bond) and (self.sectors is other.sectors or self.sectors == other.sectors)

    def dimension(self, rules: Rules) -> int:
        """Return the size of the bond in the real basis: pairs of charges count twice."""
        return sum(size * rules.copies(charge) for charge, size in self.sectors)


COMPLEX_OF = {np.dtype(np.float32): np.dtype(np.complex64), np.dtype(np.float64): np.dtype(np.complex128)}


class Block(NamedTuple):
    """Where a block stands in the vector, its shape (rows, columns), and whether its numbers are complex."""

    complex: bool
    begin: int
    end: int
    shape: tuple[int, int]

    def of(self, vector: Array) -> Array:
        """Return the block as a matrix: a view."""
        part = vector[self.begin : self.end]
        return (part.view(COMPLEX_OF[part.dtype]) if self.complex else part).reshape(self.shape)


class Layout:
    """The blocks of a matrix whose rows and columns are fused indices of equal charge.

    rows, columns: of each charge. The blocks of charges that both have are stored in ascending order.
    """

    def __init__(self, rules: Rules, rows: dict[Charge, Fused], columns: dict[Charge, Fused]) -> None:
        self.rules, self.rows, self.columns = rules, rows, columns
        self.blocks: dict[Charge, Block] = {}
        begin = 0
        for charge in rows:
            if charge in columns and rows[charge].size and columns[charge].size:
                shape = rows[charge].size, columns[charge].size
                pairs = not rules.is_real(charge)
                end = begin + shape[0] * shape[1] * (2 if pairs else 1)
                self.blocks[charge] = Block(pairs, begin, end, shape)
                begin = end
        self.size = begin

    def weight(self, vector: Array) -> float:
        """Return the squared norm of the matrix: a complex block stands for two."""
        total = 0.0
        for block in self.blocks.values():
            part = vector[block.begin : block.end]
            total += float(part.dot(part)) * (2 if block.complex else 1)
        return total

    def components(self) -> Iterator[tuple[tuple[int, int], tuple[Any, ...], tuple[int, int, int]]]:
        """Yield every stored real component of a part of the rows with a part of the columns.

        Yields
        ------
        The sectors of the two outer bonds; a description that is equal for components of equal meaning; and where its
        elements (i, j) stand: first + i * row step + j * column step.
        """
        for charge, block in self.blocks.items():
            width = block.shape[1]
            for row in self.rows[charge].parts:
                for column in self.columns[charge].parts:
                    sectors = row.sector, column.sector
                    about = (row.sign, row.p, row.kind), (column.sign, column.p, column.kind)
                    if block.complex:
                        first = block.begin + 2 * (row.offset * width + column.offset)
                        for part in (0, 1):
                            yield sectors, (*about, part), (first + part, 2 * width, 2)
                        continue
                    for i in range(2 if row.kind == PAIR else 1):
                        for j in range(2 if column.kind == PAIR else 1):
                            first = (row.offset + i * row.size) * width + column.offset + j * column.size
                            yield sectors, (*about, i, j), (block.begin + first, width, 1)


class Batch(NamedTuple):
    """Components of equal meanings: `height` of them for each of `length` pairs of outer indices, from `begin` on."""

    meaning: tuple[Any, ...]  # whether the left, and the right, is real; descriptions
    height: int
    begin: int
    length: int


class Gather:
    """The components of a layout, gathered group by group: take(index), and put back by take(back)."""

    def __init__(self, layout: Layout, left: Bond, right: Bond) -> None:
        real = [[layout.rules.is_real(charge) for charge, _ in bond.sectors] for bond in (left, right)]
        classes: dict[tuple[int, int], tuple[list[Any], list[tuple[int, int, int]]]] = {}
        for sectors, description, place in layout.components():
            known = classes.get(sectors)
            if known is None:
                known = classes[sectors] = ([], [])
            known[0].append(description)
            known[1].append(place)
        members: dict[tuple[Any, ...], list[tuple[int, int]]] = {}
        for (k, m), (descriptions, _) in classes.items():
            members.setdefault((real[0][k], real[1][m], tuple(descriptions)), []).append((k, m))
        self.groups: list[Batch] = []
        self.places: list[tuple[Batch, tuple[int, int], int]] = []  # group, sectors, first column
        pieces, begin = [], 0
        for meaning, pairs in members.items():
            grids = [_grid(left.sectors[k][1], right.sectors[m][1]) for k, m in pairs]
            lengths = [grid.shape[1] for grid in grids]
            steps = np.array([classes[pair][1] for pair in pairs], np.intp)  # (pair, component, 3)
            steps = np.repeat(steps, lengths, axis=0).transpose(2, 1, 0)
            grid = np.concatenate(grids, axis=1) if len(grids) > 1 else grids[0]
            index = steps[0] + steps[1] * grid[0] + steps[2] * grid[1]  # (component, elements of all pairs)
            group = Batch(meaning, len(index), begin, index.shape[1])
            self.groups.append(group)
            column = 0
            for pair, length in zip(pairs, lengths, strict=True):
                self.places.append((group, pair, column))
                column += length
            pieces.append(index.ravel())
            begin += index.size
        self.index = np.concatenate(pieces) if pieces else np.zeros(0, np.intp)
        self.back = np.empty_like(self.index)
        self.back[self.index] = np.arange(len(self.index))


@lru_cache(maxsize=4096)
def _grid(rows: int, columns: int) -> Index:
    """Return the row and the column of every element of a matrix: (2, rows * columns)."""
    return np.indices((rows, columns), np.intp).reshape(2, -1)


@lru_cache(maxsize=4096)
def embedding(meaning: tuple[Any, ...], bases: tuple[Basis, ...]) -> Array:
    """Return the real matrix from components of one meaning to the elements of the real tensor they stand for.

    bases: of the sites between the two outer bonds, one or two. Shape: (w_left prod D w_right, components), w = 1 for a
    real sector and 2 for a pair of charges.
    """
    left_real, right_real, descriptions = meaning
    shape = (1 if left_real else 2, *(len(basis.charges) for basis in bases), 1 if right_real else 2)
    columns = []
    for description in descriptions:
        tensor = np.zeros(shape, complex)
        row, column, *part = description
        for value, first in _coefficients(row, part, 0, bases, left_real):
            for other, second in _coefficients(column, part, 1, bases, right_real):
                if value[1] == other[1]:  # both of the stored charge, both of its conjugate, or of a real one
                    tensor[(first[0], *first[1:], *second[1:], second[0])] += value[0] * other[0]
        columns.append(_to_real(tensor, bases, left_real, right_real).ravel())
    return np.array(columns).T


def _coefficients(
    described: tuple[int, int | None, str], part: Sequence[int], side: int, bases: tuple[Basis, ...], real: bool
) -> Iterator[tuple[tuple[complex, int], tuple[int, ...]]]:
    """Yield (coefficient, which conjugate) and place (sign, and p if any) of one side of a component."""
    sign, p, kind = described
    basis = bases[0] if side == 0 else bases[-1]
    place = (0 if sign > 0 else 1, *(() if p is None else (p,)))
    conjugate = (place[0] if real else 1 - place[0], *(() if p is None else (basis.partners[p],)))
    if kind == COMPLEX:
        unit = 1j if part[0] and side == 0 else 1.0
        yield (unit, 1), place
        yield (np.conj(unit), -1), conjugate
    elif kind == REAL:
        yield (1.0, 0), place
    else:
        unit = (-1j if part[side] else 1.0) / np.sqrt(2)
        yield (unit, 0), place
        yield (np.conj(unit), 0), conjugate


def _to_real(tensor: Array, bases: tuple[Basis, ...], left_real: bool, right_real: bool) -> Array:
    pair = np.array([[1, 1], [1j, -1j]]) / np.sqrt(2)  # from (c_u, c_Ku) to the coefficients of Re and Im
    matrices = [np.eye(1) if left_real else pair, *(basis.inverse for basis in bases)]
    matrices.append(np.eye(1) if right_real else pair.conj())
    for axis, matrix in enumerate(matrices):
        tensor = np.moveaxis(np.tensordot(matrix, tensor, (1, axis)), 0, axis)
    return np.real(tensor)


class SitePlan:
    """A site's tensor (left, p, right) in its two forms: fused with the left bond, or with the right one."""

    def __init__(self, rules: Rules, left: Bond, site: int, right: Bond) -> None:
        self.rules, self.left_bond, self.right_bond = rules, left, right
        self.bases = (rules.sites[site],)
        self.left = Layout(rules, rules.fused(left, site, 1), rules.bare(right))  # blocks (left p, right)
        self.right = Layout(rules, rules.bare(left), rules.fused(right, site, -1))  # blocks (left, p right)

    @cached_property
    def _gathers(self) -> tuple[Gather, Gather]:
        return Gather(self.left, self.left_bond, self.right_bond), Gather(self.right, self.left_bond, self.right_bond)

    @cached_property
    def _moves(self) -> tuple[tuple[Index, Array], tuple[Index, Array]]:
        """Index and factors that make the vector of the left form from that of the right form, and back."""
        left, right = self._gathers
        known = {sectors: (group, column) for group, sectors, column in right.places}
        to_left, to_right = np.zeros(self.left.size, np.intp), np.zeros(self.right.size, np.intp)
        left_factors, right_factors = np.zeros(self.left.size), np.zeros(self.right.size)
        for group, sectors, column in left.places:
            other, start = known[sectors]
            length = self.left_bond.sectors[sectors[0]][1] * self.right_bond.sectors[sectors[1]][1]
            here = left.index[group.begin : group.begin + group.height * group.length].reshape(group.height, -1)
            there = right.index[other.begin : other.begin + other.height * other.length].reshape(other.height, -1)
            order, factors = _correspondence(group.meaning, other.meaning, self.bases)
            here, there = here[:, column : column + length], there[order, start : start + length]
            to_left[here], to_right[there] = there, here
            left_factors[here], right_factors[there] = factors[:, None], 1 / factors[:, None]
        return (to_left, left_factors), (to_right, right_factors)

    def to_left(self, vector: Array) -> Array:
        """Return the left form of a tensor given in the right form."""
        index, factors = self._moves[0]
        return vector.take(index) * factors.astype(vector.dtype, copy=False)

    def to_right(self, vector: Array) -> Array:
        """Return the right form of a tensor given in the left form."""
        index, factors = self._moves[1]
        return vector.take(index) * factors.astype(vector.dtype, copy=False)

    def real(self, vector: Array, rightwards: bool) -> Array:
        """Return the tensor in the real basis (left, p, right). rightwards: whether the vector has the left form."""
        gather = self._gathers[0 if rightwards else 1]
        left, right = _ranges(self.rules, self.left_bond), _ranges(self.rules, self.right_bond)
        dim = len(self.bases[0].charges)
        tensor = np.zeros((left[-1].stop if left else 0, dim, right[-1].stop if right else 0), vector.dtype)
        components = vector.take(gather.index)
        for group, (k, m), column in gather.places:
            rows, columns = self.left_bond.sectors[k][1], self.right_bond.sectors[m][1]
            own = components[group.begin : group.begin + group.height * group.length].reshape(group.height, -1)
            values = embedding(group.meaning, self.bases) @ own[:, column : column + rows * columns]
            values = values.reshape(-1, dim, len(range(*right[m].indices(10**9))) // columns, rows, columns)
            tensor[left[k], :, right[m]] = values.transpose(0, 3, 1, 2, 4).reshape(tensor[left[k], :, right[m]].shape)
        return tensor


def _ranges(rules: Rules, bond: Bond) -> list[slice]:
    """Return the indices of each sector in the real basis: of a pair first the real parts, then the imaginary ones."""
    ranges, begin = [], 0
    for charge, size in bond.sectors:
        end = begin + size * rules.copies(charge)
        ranges.append(slice(begin, end))
        begin = end
    return ranges


@lru_cache(maxsize=4096)
def _correspondence(here: tuple[Any, ...], there: tuple[Any, ...], bases: tuple[Basis, ...]) -> tuple[Index, Array]:
    """Return for each component of one form which of the other it is, and by what factor."""
    matrix = np.linalg.pinv(embedding(here, bases)) @ embedding(there, bases)
    order = np.abs(matrix).argmax(axis=1)
    return order, matrix[np.arange(len(matrix)), order]


class PairPlan:
    """The matrix of two sites (left p, q right), by the charge of the bond between them, and its gates."""

    def __init__(self, rules: Rules, left: Bond, site: int, other: int, right: Bond) -> None:
        self.layout = Layout(rules, rules.fused(left, site, 1), rules.fused(right, other, -1))
        self.bases = rules.sites[site], rules.sites[other]
        self.gather = Gather(self.layout, left, right)

    def apply(self, vector: Array, gate: SectorGate) -> Array:
        """Return the vector of the matrix after a gate."""
        components = vector.take(self.gather.index)
        result = np.empty_like(components)
        for matrix, part, shape in gate.on(self, vector.dtype):
            matrix.dot(components[part].reshape(shape), result[part].reshape(shape))
        return result.take(self.gather.back)


class SectorGate:
    """A two-site gate (D D', D D') of the real basis, as it acts on components."""

    def __init__(self, gate: Array, bases: tuple[Basis, ...]) -> None:
        self.gate, self.bases = gate, bases
        self._matrices: dict[tuple[Any, ...], Array] = {}
        self._steps: dict[PairPlan, list[tuple[Array, slice, tuple[int, int]]]] = {}

    def on(self, plan: PairPlan, dtype: np.dtype) -> list[tuple[Array, slice, tuple[int, int]]]:
        """Return for each group of a plan the matrix, the range of its components, and their shape."""
        steps = self._steps.get(plan)
        if steps is None:
            if len(self._steps) > 16:
                self._steps.clear()
            steps = self._steps[plan] = [
                (
                    self.matrix(group.meaning).astype(dtype),
                    slice(group.begin, group.begin + group.height * group.length),
                    (group.height, group.length),
                )
                for group in plan.gather.groups
            ]
        return steps

    def matrix(self, meaning: tuple[Any, ...]) -> Array:
        """Return the gate on components of one meaning: (components, components)."""
        if meaning not in self._matrices:
            whole = embedding(meaning, self.bases)
            acted = np.matmul(self.gate, whole.reshape(1 if meaning[0] else 2, len(self.gate), -1))
            self._matrices[meaning] = np.linalg.pinv(whole) @ acted.reshape(whole.shape)
        return self._matrices[meaning]


class Joint:
    """Two neighbouring tensors, the first in its left form and the second in its right form, and their product.

    pairs: for each charge of the bond between them the block of the first, of the second, and of the product.
    """

    def __init__(self, first: SitePlan, second: SitePlan, plan: PairPlan) -> None:
        self.plan = plan
        one, other, product = first.left.blocks, second.right.blocks, plan.layout.blocks
        self.pairs = [(c, one[c], other[c], block) for c, block in product.items() if c in one and c in other]
        self.whole = len(self.pairs) == len(product)

    def product(self, first: Array, second: Array) -> tuple[Array, dict[Charge, Array], dict[Charge, Array]]:
        """Return the vector of the product, and the blocks of both tensors."""
        vector = (np.empty if self.whole else np.zeros)(self.plan.layout.size, first.dtype)
        lefts, rights = {}, {}
        for charge, one, other, block in self.pairs:
            left, right = one.of(first), other.of(second)
            left.dot(right, block.of(vector))
            lefts[charge], rights[charge] = left, right
        return vector, lefts, rights
