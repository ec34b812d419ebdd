r"""Correlations in time of long chains: two real evolutions of (B - <B>) rho, or of A - <A> backwards.

The coefficients of B rho are complex; their real and imaginary parts evolve apart, by the real gates of the chain. In
the picture of Schroedinger exp(G t) acts on them, one pair for each B; in that of Heisenberg exp(G^T t) acts on A, and
every B is read at once.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tnness.engines.ask import Start
from tnness.engines.beyond.correlation import CorrelationView
from tnness.engines.beyond.question import Answerer, answers
from tnness.engines.protocol import Companion, Report, check_initial
from tnness.engines.starting import density_operator
from tnness.errors import InputError
from tnness.network.chain_state import ChainState
from tnness.network.chain_view import ChainView
from tnness.network.overlap import overlap
from tnness.network.product_sum import product_sum
from tnness.network.product_view import covectors_of
from tnness.network.sweep import sweep_layer
from tnness.network.trotter import Gates, layers
from tnness.network.truncation import Truncation, safe_svd
from tnness.network.variational import added
from tnness.operators.basis import product_elements
from tnness.operators.terms import Operator
from tnness.problems.generator import ChainGenerator
from tnness.problems.lindbladian import Lindbladian
from tnness.records.snapshot import Snapshot
from tnness.stopping.answers import Told
from tnness.stopping.discretisation import Stage
from tnness.stopping.protocol import Rule
from tnness.streams import stream

Array = NDArray[Any]

NO_PART = 1e-14
"""Norm of a part, relative to the other, that counts as none."""
PRECISE = 1e-26
"""Relative weight that sums of terms may drop."""
COMPLEX_PARTS = ("real", "imag")


@dataclass(frozen=True)
class Parts:
    """A complex vector of coefficients as two real states, None where a part is zero."""

    real: ChainState | None
    imag: ChainState | None

    @classmethod
    def of(cls, real: ChainState, imag: ChainState) -> Parts:
        """Return the parts; one that is round-off of the other is none."""
        sizes = [overlap(part, part).value for part in (real, imag)]
        kept = [
            part if size > NO_PART**2 * max(sizes) else None for part, size in zip((real, imag), sizes, strict=True)
        ]
        return cls(*kept)

    @property
    def known(self) -> list[tuple[complex, ChainState]]:
        """The parts that are there, with the factors 1 and i."""
        pairs = ((1.0, self.real), (1j, self.imag))
        return [(complex(factor), part) for factor, part in pairs if part is not None]


def covector_parts(operator: Operator, generator: ChainGenerator) -> Parts:
    """Return the covectors Tr(A E_a ...) of an operator."""
    spaces = generator.spaces
    terms = covectors_of(operator + 0.0, spaces)
    products = [[covectors.get(i, space.trace) for i, space in enumerate(spaces)] for _, covectors in terms]
    weights = [weight for weight, _ in terms]
    return Parts.of(product_sum(products, weights), product_sum(products, [-1j * weight for weight in weights]))


def times_state(operator: Operator, state: ChainState, chain: Lindbladian) -> Parts:
    """Return the coefficients of B rho, for terms of B on one site or two neighbours.

    Raises
    ------
    InputError: a term on other sites.
    """
    windows: dict[tuple[int, ...], list[Any]] = defaultdict(list)
    for term in operator:
        sites: tuple[int, ...] = term.sites or (0,)
        if max(sites) - min(sites) > 1:
            raise InputError(f"correlation: {term} acts on more than one site or two neighbours: choose engine 'exact'")
        windows[sites].append(term)
    sums: list[ChainState | None] = [None, None]
    for sites, terms in windows.items():
        matrix = Operator(tuple(terms)).matrix(sites, chain.levels, chain.parities)
        elements = product_elements(tuple(chain.spaces[i] for i in sites))
        size = len(elements)
        acting = elements.reshape(size, -1).conj() @ (matrix @ elements).reshape(size, -1).T
        for k, part in enumerate((acting.real, acting.imag)):
            applied, before = _applied(part, sites, state), sums[k]
            sums[k] = applied if before is None else added(before, applied)
    real, imag = sums
    assert real is not None
    assert imag is not None
    for part in (real, imag):
        if overlap(part, part).mantissa:
            part.compress(Truncation(chi=10**9, cutoff=PRECISE, method="svd"))
    return Parts.of(real, imag)


def _applied(matrix: Array, sites: Sequence[int], state: ChainState) -> ChainState:
    """Return a state with a matrix (D, D) or (D D', D D') applied on one site or two neighbours."""
    tensors, first = list(state.tensors), sites[0]
    if len(sites) == 1:
        tensors[first] = np.einsum("ab,lbr->lar", matrix, tensors[first])
        return ChainState(tensors, None, state.log_norm)
    pair = np.tensordot(tensors[first], tensors[first + 1], 1)
    left, p, q, right = pair.shape
    pair = np.matmul(matrix, pair.reshape(left, p * q, right)).reshape(left * p, q * right)
    u, s, vt, _ = safe_svd(pair)
    rank = max(1, int((s > 1e-15 * max(s[0], 1e-300)).sum()))
    tensors[first] = (u[:, :rank] * s[:rank]).reshape(left, p, rank)
    tensors[first + 1] = vt[:rank].reshape(rank, q, right)
    return ChainState(tensors, None, state.log_norm)


@dataclass
class RegressionRun:
    """The evolution of some states in time, and their overlaps with others that stay.

    moving, fixed: A in the picture of Heisenberg and B rho in that of Schroedinger evolve. means: <A>, <B>.
    refined: 1 for half the time step.
    """

    moving: list[Parts]
    fixed: list[Parts]
    backwards: bool
    means: tuple[Array, Array]
    gates: Gates
    order: int
    dt: float
    truncation: Truncation
    seed: int
    time: float = 0.0
    steps: int = 0
    refined: int = 0
    discarded: float = 0.0

    def refine(self) -> None:
        """Use half the time step."""
        self.refined = 1

    def step(self, until: float | None = None) -> Report:
        """Take one Trotter step of the run's own length, or the last part before `until`."""
        assert until is not None
        if until < self.time:
            raise InputError(f"a run at time {self.time:g} cannot go back to {until:g}")
        remaining = max(1, math.ceil((until - self.time) / self.dt - 1e-9))
        dt, parts = (until - self.time) / remaining, 2**self.refined
        for k, each in enumerate(self.moving):
            for m, (_, state) in enumerate(each.known):
                self._evolve(state, parts, dt / parts, 2 * k + m)
        self.steps += 1
        self.time = until if remaining == 1 else self.time + dt
        chi = max(max(state.bond_dimensions) for each in self.moving for _, state in each.known)
        return Report(self.time, chi=chi, text=f"time {self.time:.4g}")

    def _evolve(self, state: ChainState, steps: int, dt: float, number: int) -> None:
        if state.centre is None:
            state.canonicalise(0)
        for layer, (parity, fraction) in enumerate(layers(self.order, steps)):
            rng = stream(self.seed, "regression", self.steps, number, layer)
            dropped, _ = sweep_layer(state, self.gates.layer(parity, fraction * dt), self.truncation, rng)
            self.discarded += dropped
        state.normalise()

    def view(self) -> CorrelationView:
        """Return the view of the present time."""
        values = np.array([[_product(a, b) for b in self.fixed] for a in self.moving])
        if not self.backwards:
            values = values.T  # rows of A
        return CorrelationView(values + np.outer(*self.means), self.means)

    def save(self) -> Snapshot:
        """Return everything needed to go on; the states that stay are made anew."""
        arrays: dict[str, Array] = {}
        numbers: dict[str, float] = {"time": self.time, "steps": self.steps, "refined": self.refined}
        numbers |= {"discarded": self.discarded, "backwards": int(self.backwards)}
        for k, each in enumerate(self.moving):
            for name in COMPLEX_PARTS:
                state = getattr(each, name)
                if state is not None:
                    arrays |= {f"{name}{k:03d}_{i:04d}": tensor for i, tensor in enumerate(state.tensors)}
                    numbers[f"{name}{k:03d}_norm"] = state.log_norm
                    numbers[f"{name}{k:03d}_centre"] = -1 if state.centre is None else state.centre
        for k, each in enumerate(self.fixed):
            for name in COMPLEX_PARTS:
                state = getattr(each, name)
                if state is not None:
                    arrays |= {f"fixed_{name}{k:03d}_{i:04d}": tensor for i, tensor in enumerate(state.tensors)}
                    numbers[f"fixed_{name}{k:03d}_norm"] = state.log_norm
        for name, values in zip(("first", "second"), self.means, strict=True):
            arrays[f"mean_{name}"] = values
        return Snapshot(arrays, numbers)


def _product(first: Parts, second: Parts) -> complex:
    return sum((f * g * overlap(a, b).value for f, a in first.known for g, b in second.known), 0j)


def _loaded(prefix: str, count: int, arrays: Mapping[str, Array], numbers: Mapping[str, float]) -> list[Parts]:
    found = []
    for k in range(count):
        parts: list[ChainState | None] = []
        for name in COMPLEX_PARTS:
            key = f"{prefix}{name}{k:03d}_"
            tensors = [arrays[label] for label in sorted(arrays) if label.startswith(key)]
            if not tensors:
                parts.append(None)
                continue
            centre = int(numbers.get(f"{key}centre", -1))
            parts.append(ChainState(tensors, centre if centre >= 0 else None, float(numbers[f"{key}norm"])))
        found.append(Parts(*parts))
    return found


@answers("correlation", "tebd")
@dataclass(frozen=True, kw_only=True)
class NetworkCorrelation(Answerer):
    """Correlations in time of long chains, from a steady state that is given as a record or a state."""

    begins_steady: ClassVar[bool] = True

    def begin(self, problem: Any, start: Start) -> RegressionRun:
        """Return a run at time 0."""
        first, second = self.question.operators(problem)
        if start.initial.kind != "network":
            raise InputError(
                f"correlation: engine {self.engine.name!r} needs the steady state: --initial FILE.nc, a record of it "
                "(in Python `correlation` finds it, or takes it as initial=...)"
            )
        generator = problem.generator()
        generator.check_neighbours("correlation")
        state = density_operator(start.initial, generator)
        check_initial(generator, state)
        view = ChainView(state, generator.spaces, generator.functionals)
        means = tuple(np.array([complex(view.expect(of + 0.0)) for of in each]) for each in (first, second))
        trace = overlap(ChainState.product(generator.functionals["trace"]), state)
        state = ChainState(list(state.tensors), state.centre, state.log_norm - trace.logarithm)
        state.log_norm -= math.log(trace.mantissa)
        covectors = [covector_parts(of - mean, generator) for of, mean in zip(first, means[0], strict=True)]
        vectors = [times_state(of - mean, state, problem) for of, mean in zip(second, means[1], strict=True)]
        backwards = self._backwards(covectors, vectors)
        moving, fixed = (covectors, vectors) if backwards else (vectors, covectors)
        return self._run(generator, moving, fixed, backwards, (means[0], means[1]), start, problem)

    def _backwards(self, covectors: Sequence[Parts], vectors: Sequence[Parts]) -> bool:
        """Return whether A evolves: as asked, or as fewer states have to."""
        if self.question.picture != "auto":
            return self.question.picture == "heisenberg"
        counts = [sum(len(each.known) for each in of) for of in (covectors, vectors)]
        return counts[0] <= counts[1]

    def _run(
        self,
        generator: ChainGenerator,
        moving: list[Parts],
        fixed: list[Parts],
        backwards: bool,
        means: tuple[Array, Array],
        start: Start,
        problem: Any,
    ) -> RegressionRun:
        settings: Any = self.engine
        bonds = generator.merged_bonds
        bonds = [np.ascontiguousarray(bond.T) for bond in bonds] if backwards else bonds
        dt = float(settings.used(problem)["dt"])
        truncation = settings.truncation_of(Stage(chi=settings.chi, dt=dt, power=settings.used_power))
        gates = Gates(bonds, np.dtype(float))
        return RegressionRun(moving, fixed, backwards, means, gates, settings.order, dt, truncation, start.seed)

    def resume(self, problem: Any, start: Start, snapshot: Snapshot) -> RegressionRun:
        """Return the run that was saved."""
        first, second = self.question.operators(problem)
        arrays, numbers, generator = snapshot.arrays, snapshot.numbers, problem.generator()
        means = np.asarray(arrays["mean_first"]), np.asarray(arrays["mean_second"])
        backwards = bool(numbers["backwards"])
        sizes = (len(first), len(second)) if backwards else (len(second), len(first))
        moving, fixed = (
            _loaded(prefix, size, arrays, numbers) for prefix, size in zip(("", "fixed_"), sizes, strict=True)
        )
        run = self._run(generator, moving, fixed, backwards, means, start, problem)
        run.time, run.discarded = float(numbers["time"]), float(numbers["discarded"])
        run.steps, run.refined = int(numbers["steps"]), int(numbers["refined"])
        return run

    def companions(self, problem: Any, start: Start) -> dict[str, Companion | None]:
        """Return the companions at half the bond dimension and at half the time step."""
        settings: Any = self.engine
        half = replace(self, engine=replace(settings, chi=max(1, settings.chi // 2)))
        parts = 2.0**settings.order
        return {
            "trotter": Companion(self, parts / (parts - 1), RegressionRun.refine),
            "truncation": Companion(half),
        }

    def rule(self, run: Any, start: Start) -> Rule:
        """Return a rule that calls the correlations complete."""
        return Told(lambda: "complete", lambda: {"discarded_weight": run.discarded})
