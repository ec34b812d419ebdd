r"""Slow modes of long chains: operators evolved until only the slow parts are left, then Galerkin on snapshots.

In the picture of Heisenberg operators evolve by the transposed generator, exp(G^T t) O, and lose all but the left
vectors of slow modes; in that of Schroedinger traceless matrices do, and lose all but the right ones. The identity's
coefficient is set to zero after each block of steps: what is left is the evolution modulo the identity, whose rates are
all those of the chain but the 0 of its steady state. Snapshots are kept at times that double, so that the length of an
evolution fits the rates that it finds.

lambda = <l|G|r> / <l|r> is wrong by the product of both vectors' errors: the residuals over the distance to other
rates. But nobody knows all others. A pair of small frequency looks like one real rate until the evolution is longer
than its period, and then the product is far below the error. So the error that is stated is of first order, and knows
of no other rates: lambda is an eigenvalue of G + E with |E| = the residual, and moves by |l| |r| / |<l|r>| |E| from
there to one of G; twice that covers a second rate nearby, even one that it meets (from [[0, 1], [e, 0]] to
[[0, 1], [e - s, 0]] the eigenvalue sqrt(e) moves to one at most s / sqrt(e) away, and the first order is half of that).

One good vector is enough for that, and |l| |r| / |<l|r>|, which the other tells. Left ones often are simple: those of
free particles with dephasing are sums of one-body operators, whatever the length, while the right ones hold the
correlations of the steady state. If r is off by other modes, of a share x at most, the number is wrong by the factor
1 + x at most: <l|r> does not hold them. x = |l| |r| / |<l|r>| times the residual of r over the distance to other rates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnness.engines.beyond.frame import Frame
from tnness.engines.beyond.galerkin import Gathered, Ritz, overlaps, ritz
from tnness.engines.beyond.starts import Charge, random_start
from tnness.network.chain_state import ChainState
from tnness.network.overlap import overlap
from tnness.network.sweep import sweep_layer
from tnness.network.trotter import Gates, layers
from tnness.network.truncation import Truncation
from tnness.network.variational import added, summed
from tnness.problems.generator import ChainGenerator
from tnness.problems.mpo import compressed
from tnness.streams import stream

Array = NDArray[Any]
Real = NDArray[np.float64]

KEPT = 12
"""Most snapshots of a filter; half of them are forgotten when there would be more."""
MEETING = 2.0
"""Factor of an error of first order that covers two rates that meet."""
FINER = 4
"""Factor by which the time step is made finer once the slow part is left."""
COARSE_ORDER, FINE_ORDER = 2, 4
"""Trotter orders before and after that: what is left first need not be exact, and takes a fifth of the gates."""
COARSE_METHOD, RENEWED = "cholesky-svd", 2
"""Truncation before that, and the last layers of each advance that have the finer one: it moves directions from one
charge to another, which a subspace that is iterated cannot."""
ALONE = 0.95
"""Share of the newest snapshot that the slowest modes must have to count as all but alone."""
FINEST = 2
"""Number of the last part of an evolution, from 0."""
SPREAD, LONGEST_SPREAD = 0.02, 64
"""Time between snapshots with the higher order, in units of 1 / rate, and most Trotter steps between them."""
FIRST_STEPS = 2
"""Trotter steps before the first snapshot, and between the first ones."""


@dataclass(frozen=True)
class Scheme:
    """How operators are evolved: generator, order and length of a Trotter step, truncation, seed, frame.

    wanted: how many modes are.
    """

    generator: ChainGenerator
    order: int
    dt: float
    truncation: Truncation
    seed: int
    frame: Frame
    wanted: int

    @cached_property
    def finer(self) -> Scheme:
        """The same with a time step and an order that leave almost no Trotter error."""
        return replace(self.coarse, order=FINE_ORDER, dt=self.dt / FINER)

    @cached_property
    def middle(self) -> Scheme:
        """The order of the finer one, with the time step as it is."""
        return replace(self.coarse, order=FINE_ORDER)

    @cached_property
    def careful(self) -> Scheme:
        """The same with the order of the finer one."""
        return replace(self, order=FINE_ORDER)

    @cached_property
    def coarse(self) -> Scheme:
        """The same with truncations that are faster, and not optimal in the last digits."""
        return replace(self, truncation=replace(self.truncation, method=COARSE_METHOD))

    @cached_property
    def gates(self) -> tuple[Gates, Gates]:
        """The gates of both pictures: of G^T and of G."""
        bonds = self.frame.bonds(self.generator.merged_bonds)
        transposed = [np.ascontiguousarray(bond.T) for bond in bonds]
        return Gates(transposed, np.dtype(float)), Gates(bonds, np.dtype(float))

    @cached_property
    def operators(self) -> tuple[list[Real], list[Real]]:
        """G^T and G as matrix-product operators."""
        forwards = compressed(self.frame.operator(self.generator.mpo_tensors()), 1e-14)
        return [part.transpose(0, 1, 3, 2) for part in forwards], forwards

    @cached_property
    def identity(self) -> ChainState:
        """The normalised identity, as a left vector in the frame."""
        return ChainState.product([vector / np.linalg.norm(vector) for vector in self.trace])

    @cached_property
    def trace(self) -> list[Real]:
        """The covectors of the trace in the frame."""
        return self.frame.covectors(self.generator.functionals["trace"])


LEFT, RIGHT = 0, 1
"""The pictures: left vectors (of Heisenberg), right vectors (of Schroedinger)."""


@dataclass
class Filter:
    """One picture of one charge sector: a state that evolves, and its snapshots.

    spacing: steps between snapshots. steps: since the beginning. since: steps since the last snapshot. time: evolved.
    polished: 0 at first, 1 with the higher order, 2 with the finer time step, too. coarse: the spacing before that.
    careful: whether the first steps have the higher order.
    """

    whole: Scheme
    charge: Charge
    picture: int
    state: ChainState
    gathered: Gathered
    spacing: int = FIRST_STEPS
    steps: int = 0
    since: int = 0
    time: float = 0.0
    polished: int = 0
    coarse: int = FIRST_STEPS
    careful: int = 0

    @property
    def scheme(self) -> Scheme:
        """The scheme at work."""
        whole = self.whole
        return (whole.careful if self.careful else whole.coarse, whole.middle, whole.finer)[self.polished]

    @classmethod
    def begin(cls, scheme: Scheme, charge: Charge, picture: int, reach: int = 2) -> Filter | None:
        """Return a filter at time 0; None if the sector has no operators of this reach."""
        state = random_start(scheme.generator, scheme.trace, charge, scheme.seed, reach)
        if state is None:
            return None
        filter_ = cls(scheme, charge, picture, state, Gathered(scheme.operators[picture], scheme.identity))
        filter_._without_identity()
        return filter_

    @classmethod
    def across(cls, lefts: Filter, scheme: Scheme) -> Filter:
        """Return a filter of right vectors at time 0 that begins with the left ones: in the frame they are alike."""
        gathered = Gathered(scheme.operators[RIGHT], scheme.identity)
        filter_ = cls(scheme, lefts.charge, RIGHT, lefts.state.copy(), gathered)
        filter_._without_identity()
        return filter_

    @property
    def is_last(self) -> bool:
        """Whether the last part is at work."""
        return self.polished == FINEST

    def polish(self, rate: float) -> None:
        """Go on with a higher order, and then with a finer time step; half of the snapshots so far are kept.

        From here on, whenever snapshots are forgotten, the evolution goes on from the modes that they give: what the
        steps before have left in the state need not decay, which takes longer than the memory of the next mode.

        rate: of the slowest mode: snapshots with the higher order differ by `SPREAD` of its decay, or by one step.
        """
        size, alone = len(self.gathered.snapshots), self._alone()
        self.gathered.keep(list(range(max(0, size - KEPT // 2), size)))
        self._restart(alone)
        self.coarse = self.coarse if self.polished else self.spacing
        self.polished = FINEST if self.careful else self.polished + 1
        steps = SPREAD / (rate * self.scheme.dt) if rate > 0 else 1.0
        self.spacing, self.since = FINER if self.is_last else round(min(max(steps, 1.0), LONGEST_SPREAD)), 0

    def roughen(self) -> None:
        """Go back to the coarse time step, at the finer order; the last snapshot is kept."""
        self.gathered.keep([len(self.gathered.snapshots) - 1])
        self.polished, self.careful, self.spacing, self.since = 0, 1, self.coarse, 0

    def advance(self, steps: int) -> None:
        """Evolve by a few steps; take a snapshot when its time has come."""
        scheme, sequence = self.scheme, list(layers(self.scheme.order, steps))
        for layer, (parity, fraction) in enumerate(sequence):
            gates = scheme.gates[self.picture].layer(parity, fraction * scheme.dt)
            rng = stream(self.scheme.seed, "modes", self.picture, self.steps, layer)
            renewed = layer >= len(sequence) - RENEWED
            sweep_layer(self.state, gates, (self.whole if renewed else scheme).truncation, rng)
            self.state.normalise()
        self.state.log_norm = 0.0
        self.steps, self.time = self.steps + steps, self.time + steps * self.scheme.dt
        self._without_identity()
        self.since += steps
        if self.since >= self.spacing:
            self.since = 0
            self._snapshot()

    def _without_identity(self) -> None:
        part = overlap(self.scheme.identity, self.state).value
        if part != 0.0:
            identity = self.scheme.identity.copy()
            identity.tensors[0] = -part * identity.tensors[0]
            identity.centre = None
            bonds = self.state.bond_dimensions
            self.state = added(self.state, identity)
            self.state.compress(Truncation(chi=max(self.scheme.truncation.chi, *bonds), cutoff=1e-28, method="svd"))
        self.state.canonicalise(0)
        self.state.log_norm = 0.0

    def _snapshot(self) -> None:
        self.gathered.add(self.state.copy())
        if len(self.gathered.snapshots) > KEPT:
            alone = self._alone() if self.polished else None
            self.gathered.keep(list(range(2, KEPT + 1, 2)))
            self.spacing *= 2
            self._restart(alone)

    def _alone(self) -> ChainState | None:
        """Return the part of the newest snapshot in the slowest modes; None if it is not all but the whole of it."""
        found, wanted = self.ritz(self.whole.wanted), self.whole.wanted
        if found is None or found.share <= ALONE:
            return None
        gram, slowest = self.gathered.gram, found.coefficients[:wanted]
        within, reached = slowest.conj() @ gram @ slowest.T, slowest.conj() @ gram[-1]
        weights = np.real(np.linalg.lstsq(within, reached, rcond=1e-12)[0] @ slowest)
        state = summed(weights, self.gathered.snapshots)
        state.compress(self.whole.truncation)
        state.log_norm = 0.0
        return state

    def _restart(self, state: ChainState | None) -> None:
        """Go on from a state, which becomes a snapshot as well."""
        if state is not None:
            self.state = state
            self._without_identity()
            self.gathered.add(self.state.copy())

    def ritz(self, wanted: int) -> Ritz | None:
        """Return the Ritz pairs; None with fewer than two snapshots."""
        if len(self.gathered.snapshots) < 2:
            return None
        return ritz(self.gathered.gram, self.gathered.moved, self.gathered.squared, wanted)

    def read(self, covectors: Sequence[Real], others: Sequence[Real]) -> Real:
        """Return the overlaps of snapshots with products of one covector, and others elsewhere: (n, snapshots)."""
        return np.array([_read(each, covectors, others) for each in self.gathered.snapshots]).T

    def save(self, prefix: str) -> tuple[dict[str, Array], dict[str, float]]:
        """Return everything needed to go on."""
        arrays: dict[str, Array] = {}
        for k, state in enumerate((self.state, *self.gathered.snapshots)):
            arrays |= {f"{prefix}{k:02d}_{i:04d}": tensor for i, tensor in enumerate(state.tensors)}
        arrays |= {f"{prefix}norms": self._norms()}
        names = ("spacing", "steps", "since", "time", "polished", "coarse", "careful")
        numbers: dict[str, float] = {name: getattr(self, name) for name in names}
        numbers["centre"] = -1 if self.state.centre is None else self.state.centre
        numbers["kept"] = len(self.gathered.snapshots)
        return arrays, {f"{prefix}{name}": number for name, number in numbers.items()}

    def _norms(self) -> Real:
        return np.array([state.log_norm for state in (self.state, *self.gathered.snapshots)])

    @classmethod
    def restore(cls, scheme: Scheme, charge: Charge, picture: int, prefix: str, arrays: Any, numbers: Any) -> Filter:
        """Return the filter that was saved."""
        norms, states = arrays[f"{prefix}norms"], []
        for k in range(int(numbers[f"{prefix}kept"]) + 1):
            tensors = [arrays[f"{prefix}{k:02d}_{i:04d}"] for i in range(scheme.generator.n)]
            states.append(ChainState(tensors, 0, float(norms[k])))
        gathered = Gathered(scheme.operators[picture], scheme.identity)
        for snapshot in states[1:]:
            gathered.add(snapshot)
        restored = cls(scheme, charge, picture, states[0], gathered)
        restored.state.centre = int(numbers[f"{prefix}centre"])
        for name in ("spacing", "steps", "since", "polished", "coarse", "careful"):
            setattr(restored, name, int(numbers[f"{prefix}{name}"]))
        restored.time = float(numbers[f"{prefix}time"])
        return restored


@dataclass(frozen=True)
class Pair:
    """A mode of both pictures.

    value: <l|G|r> / <l|r>. residuals: |G^T l - value l| / |l| and |G r - value r| / |r|.
    condition: |l| |r| / |<l|r>|. separation: from the nearest other rate that was found.
    left, right: coefficients of l and r in their snapshots.
    """

    value: complex
    residuals: tuple[float, float]
    condition: float
    separation: float
    left: Array
    right: Array

    @property
    def error(self) -> float:
        """The error of the value: of the better vector, with what the worse one leaves open of the condition."""
        better, worse = sorted(self.residuals)
        share = self.condition * worse / self.separation  # of other modes in the worse vector, at most
        return MEETING * self.condition * min(worse, (1 + share) * better)


def mode_pairs(lefts: Filter, rights: Filter, wanted: int) -> list[Pair]:
    """Return the modes that are found in both pictures of a sector, the slowest first."""
    left, right = lefts.ritz(wanted), rights.ritz(wanted)
    if left is None or right is None:
        return []
    snapshots = lefts.gathered.snapshots
    across = np.array([overlaps(snapshots, each) for each in rights.gathered.snapshots]).T
    moved = np.array([overlaps(snapshots, each) for each in rights.gathered.images]).T
    pairs, taken = [], set[int]()
    for k in range(min(2 * wanted, len(left.values))):
        free = [j for j in range(len(right.values)) if j not in taken]
        if not free:
            break
        l = left.coefficients[k]  # G^T l = lambda l: bilinear, without conjugation
        j = min(free, key=lambda j, k=k: abs(right.values[j] - left.values[k]))
        taken.add(j)
        r = right.coefficients[j]
        product = complex(l @ across @ r)
        if product == 0:
            continue
        value = complex(l @ moved @ r) / product
        others = [abs(other - left.values[k]) for i, other in enumerate(left.values) if i != k]
        others = others or [abs(complex(left.values[k]))]
        pairs.append(
            Pair(
                value,
                (
                    math.hypot(left.residuals[k], abs(value - left.values[k])),
                    math.hypot(right.residuals[j], abs(value - right.values[j])),
                ),
                1 / abs(product),
                min(others),
                l,
                r,
            )
        )
    return pairs


def profiles_of(pair: Pair, lefts: Filter, rights: Filter, densities: Sequence[Real] | None) -> tuple[Array, Array]:
    """Return the densities of the right vector, and those that the left one holds, of each site: (n,) each."""
    scheme = lefts.scheme
    n, trace = scheme.generator.n, scheme.generator.functionals["trace"]
    if densities is None:
        return np.full(n, np.nan), np.full(n, np.nan)
    read = []
    for coefficients, of, change in (
        (pair.left, lefts, scheme.frame.vectors),
        (pair.right, rights, scheme.frame.covectors),
    ):
        read.append(of.read(change(densities), change(trace)) @ coefficients)
    return read[0], read[1]


def _read(state: ChainState, covectors: Sequence[Real], others: Sequence[Real]) -> Real:
    """Return for each site <u_1 ... v_i ... u_n|a> of covectors v and others u: (n,)."""
    ends, logs = [np.ones(1)], [0.0]  # of all sites to the right
    for tensor, other in zip(state.tensors[::-1], others[::-1], strict=True):
        end = np.tensordot(tensor, ends[-1], (2, 0)) @ other
        size = float(np.abs(end).max()) or 1.0
        ends.append(end / size)
        logs.append(logs[-1] + math.log(size))
    begin, logarithm, found = np.ones(1), state.log_norm, []
    for i, tensor in enumerate(state.tensors):
        half = np.tensordot(begin, tensor, (0, 0))  # (p, r)
        after = len(state.tensors) - 1 - i
        found.append(float(covectors[i] @ half @ ends[after]) * math.exp(logarithm + logs[after]))
        begin = others[i] @ half
        size = float(np.abs(begin).max()) or 1.0
        begin, logarithm = begin / size, logarithm + math.log(size)
    return np.array(found)
