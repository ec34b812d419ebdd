"""Exact steady states and time evolution of small chains: the reference for every other engine.

Up to `DIRECT` dimensions the null vector comes from a dense or sparse LU factorisation (`tnness.engines.direct`). For
larger chains, a Lindbladian is solved through its chain of quantum jumps (`tnness.engines.jump_chain`). Any other
generator is solved by Arnoldi on exp(G tau), whose largest eigenvalue is 1, with G applied bond by bond and never
formed. Each method then removes the steady state and looks for a second one (`tnness.engines.arnoldi`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import scipy.sparse.linalg as sparse_linalg
from numpy.typing import NDArray

from tnness.engines.arnoldi import leading
from tnness.engines.ask import Ask, Start
from tnness.engines.circuits.run import CircuitRun, circuit_rule
from tnness.engines.circuits.states import DenseState
from tnness.engines.direct import null_vector
from tnness.engines.driven import drive_of_problem
from tnness.engines.floquet import DenseCourse
from tnness.engines.jump_chain import JumpChain, Unsuitable
from tnness.engines.limits import check_dense
from tnness.engines.null_space import settled_from
from tnness.engines.protocol import Companion, Engine, Report, Run, check_initial
from tnness.engines.registry import register_engine
from tnness.engines.starting import density_operator
from tnness.errors import InputError, NumericalError
from tnness.network.chain_state import ChainState
from tnness.network.dense_view import DenseView
from tnness.operators.basis import oddness
from tnness.problems.chain import chain_of
from tnness.problems.circuit import Circuit
from tnness.problems.generator import ChainGenerator, Real
from tnness.problems.need import Need
from tnness.records.snapshot import Snapshot
from tnness.stopping.answers import Solved
from tnness.stopping.balance import checks, positivity
from tnness.stopping.course import Course
from tnness.stopping.protocol import Rule

DIRECT = 10_000
"""Largest dimension at which G is factorised."""
SPARSE = 70_000
"""Largest dimension at which G is stored as a sparse matrix."""
SMALLEST_GAP = 1e-9
"""A second eigenvalue closer to 0 than this, relative to |G|, means that the steady state is not unique."""


@register_engine("exact")
@dataclass(frozen=True, kw_only=True)
class Exact(Engine):
    """Settings of the engine.

    Parameters
    ----------
    tolerance: relative residual of the Arnoldi eigenvector, for an iterative steady state; default 1e-10.
    """

    tolerance: float = 1e-10  # relative residual of an iterative steady state

    def need(self, problem: Any, ask: Ask) -> Need | None:
        """Return what a dense state needs; refuse one of too many dimensions."""
        dims = [space.dim for space in getattr(problem, "spaces", ())]
        check_dense(dims)
        return Need(8.0 * math.prod(dims), f"a dense state of {len(dims)} sites")

    def begin(self, problem: Any, start: Start) -> Run:
        """Return a run that starts from `start.initial` at time 0; raise `InputError` if the chain is too long."""
        if isinstance(problem, Circuit):
            return CircuitRun.begin(problem, DenseState, start)
        generator, course = self._prepared(problem, start)
        check_dense(generator.dims)
        run = self.init(generator, density_operator(start.initial, generator), start.seed, course)
        run.given = start.given
        return run

    def resume(self, problem: Any, start: Start, snapshot: Snapshot) -> Run:
        """Return the run that was saved."""
        if isinstance(problem, Circuit):
            return CircuitRun.resume(problem, DenseState, start, snapshot)
        generator, course = self._prepared(problem, start)
        run = self.restore(generator, snapshot, course)
        run.given = start.given
        return run

    def _prepared(self, problem: Any, start: Start) -> tuple[ChainGenerator, DenseCourse | None]:
        """Return the chain, and what happens in it in the course of time."""
        drive = drive_of_problem(problem, start.ask)
        if drive is None:
            return chain_of(problem, f"engine {self.name!r}", any_sites=True), None
        return drive.whole, DenseCourse(drive, start.ask.period)

    def rule(self, run: Any, start: Start) -> Rule:
        """Return the stopping rule: `Solved` for a steady state (its answer is exact), `Course` for an evolution."""
        if isinstance(run, CircuitRun):
            return circuit_rule(run, start)
        return Solved(run.checks, run.remark) if start.steady else Course(run)

    def companions(self, problem: Any, start: Start) -> Mapping[str, Companion | None]:
        """Return that an evolution has neither a Trotter error nor one of truncation."""
        return {"trotter": None, "truncation": None}

    def init(
        self, generator: ChainGenerator, initial: ChainState, seed: int = 0, course: DenseCourse | None = None
    ) -> ExactRun:
        """Return a run that starts from `initial` at time 0; raise `InputError` if the chain is too long."""
        check_dense(generator.dims)
        check_initial(generator, initial)
        return ExactRun(self, generator, initial.dense().astype(float), seed, course=course)

    def restore(self, generator: ChainGenerator, snapshot: Snapshot, course: DenseCourse | None = None) -> ExactRun:
        """Return the run that was saved."""
        numbers = snapshot.numbers
        run = ExactRun(self, generator, snapshot.arrays["vector"], int(numbers["seed"]), course=course)
        run.time, run.gap, run.trace_drift = (float(numbers[name]) for name in ("time", "gap", "trace_drift"))
        run.steady_states = int(numbers.get("steady_states", 1))
        return run


@dataclass
class ExactRun:
    """A run of the engine: a dense vector and a clock.

    given: how the user named the start; empty if none was given. steady_states: how many linearly independent ones the
    chain has. course: what happens in a chain that depends on time.
    """

    settings: Exact
    generator: ChainGenerator
    vector: Real
    seed: int = 0
    time: float = 0.0
    gap: float = math.nan
    discarded: float = 0.0
    fallbacks: int = 0
    trace_drift: float = 0.0
    given: str = ""
    steady_states: int = 1
    course: DenseCourse | None = None

    def step(self, until: float | None = None) -> Report:
        """Solve for the steady state, or evolve to `until` in one go."""
        if until is None:
            vector, time, drift = self._steady(), math.inf, self.trace_drift
        else:
            if until < self.time:
                raise InputError(f"a run at time {self.time:g} cannot go back to {until:g}")
            vector = self._evolved(until)
            change = trace_of(self.generator, vector) / trace_of(self.generator, self.vector)
            time, drift = until, self.trace_drift + (math.log(change) if change > 0 else math.nan)
        if not (np.isfinite(vector).all() and math.isfinite(drift)):
            raise NumericalError("a number that is not finite (NaN or infinity) appeared in the state")
        self.vector, self.time, self.trace_drift = vector, time, drift
        return Report(time=self.time, finished=until is None)

    def _evolved(self, until: float) -> Real:
        if self.course is not None:
            return self.course.evolved(self.vector, self.time, until)
        return _propagate(self.generator, _operator(self.generator), until - self.time, self.vector)

    def _steady(self) -> Real:
        """Return the steady state; if there are several, the one that belongs to a given start."""
        if self.course is not None:
            steady = self.course.fixed_point(_trace_covector(self.generator), self.seed, _even(self.generator))
            self.gap = steady.rate
            return steady.vector
        try:
            steady = steady_vector(self.generator, self.settings.tolerance, self.seed)
        except NotUnique:
            if not self.given or self.generator.dimension > DIRECT:
                raise
            vector, self.steady_states = settled_from(self.generator, self.vector, self.seed)
            return vector / trace_of(self.generator, vector)
        self.gap = steady.gap
        return steady.vector

    def remark(self) -> str:
        """Return what is added to the outcome: that the steady state belongs to a start, where it is not unique."""
        return f" from {self.given}; not unique" if self.steady_states > 1 else ""

    def view(self) -> DenseView:
        """Return a view of the present state."""
        return DenseView(self.vector, self.generator.spaces, self.generator.functionals)

    def checks(self) -> dict[str, float]:
        """Return the figures that test the state against its equation: residual, balances, positivity.

        The residual of a Floquet steady state is |P(T) - P(0)| / (T |P|); it has no balances, as it moves.
        """
        if self.course is not None:
            return self.course.checks(self.vector) | {"positivity": positivity(self.view())}
        rate = float(np.linalg.norm(self.generator.apply(self.vector)) / np.linalg.norm(self.vector))
        return checks(self.generator, self.view(), rate)

    def chain_state(self) -> ChainState:
        """Return the present state as an exact matrix-product state."""
        return ChainState.from_dense(self.vector, self.generator.dims)

    def save(self) -> Snapshot:
        """Return everything needed to go on."""
        names = ("seed", "time", "gap", "trace_drift", "steady_states")
        return Snapshot({"vector": self.vector}, {name: getattr(self, name) for name in names})


NOT_UNIQUE = (
    "the steady state is not unique: the generator has more than one eigenvalue at 0; a conserved quantity or a "
    "disconnected part of the chain keeps its initial value: give the start (--initial) that it belongs to; or its "
    "rates are too far apart for double precision"
)


class NotUnique(NumericalError):
    """The steady state is not unique."""

    def __init__(self, text: str = NOT_UNIQUE) -> None:
        super().__init__(text)


@dataclass(frozen=True)
class SteadyVector:
    """A steady state as a dense vector with trace 1, and the gap.

    The gap is -Re of a second eigenvalue of G: of the one nearest to 0 (direct method), or of the one that decays most
    slowly (iterative method). The jump chain gives NaN.
    """

    vector: Real
    gap: float


def steady_vector(generator: ChainGenerator, tolerance: float = 1e-10, seed: int = 0) -> SteadyVector:
    """Return the null vector of G, normalised to trace 1.

    Raises
    ------
    NotUnique: there is a second eigenvalue at 0. NumericalError: Arnoldi did not converge.
    """
    if all(np.abs(matrix + matrix.T).max() <= 1e-14 * generator.scale for _, matrix in generator.local_terms):
        raise NotUnique  # no dissipation: every function of H is stationary
    if _dimensions(generator) <= DIRECT:
        steady = _direct(generator, seed)
    else:
        steady = _by_jumps(generator, seed, tolerance) or _iterative(generator, seed, tolerance)
    return SteadyVector(steady.vector / trace_of(generator, steady.vector), steady.gap)


def trace_of(generator: ChainGenerator, vector: Real) -> float:
    """Return <trace|v>."""
    result = vector.reshape(generator.dims)
    for covector in reversed(generator.functionals["trace"]):
        result = result @ covector
    return float(result)


def _direct(generator: ChainGenerator, seed: int) -> SteadyVector:
    shift = 1e-4 * generator.scale / generator.n  # real and positive: G has no eigenvalue there
    solution = null_vector(generator, shift, seed)
    if solution is None:
        raise NotUnique
    return _unique(generator, *solution)


def _by_jumps(generator: ChainGenerator, seed: int, tolerance: float) -> SteadyVector | None:
    """Return the steady state from the chain of quantum jumps; None if there is no such chain or it is unsuitable."""
    if not JumpChain.applies(generator):
        return None
    try:
        chain = JumpChain(generator)
    except Unsuitable:
        return None
    pair = chain.steady(seed, tolerance)
    if abs(pair.next_value - 1) < SMALLEST_GAP:
        raise NotUnique
    return SteadyVector(pair.vector, math.nan)


def _iterative(generator: ChainGenerator, seed: int, tolerance: float) -> SteadyVector:
    operator = _operator(generator)
    tau = 100.0 / generator.scale
    pair = leading(
        lambda vector: _propagate(generator, operator, tau, vector),
        _trace_covector(generator),
        seed,
        "LM",
        tolerance,
        ncv=24,
        within=_even(generator),
    )
    return _unique(generator, pair.vector, np.log(pair.next_value) / tau)


def _unique(generator: ChainGenerator, vector: Real, next_value: complex) -> SteadyVector:
    gap = -float(np.real(next_value))
    if gap < SMALLEST_GAP * generator.scale:
        raise NotUnique
    return SteadyVector(vector, gap)


def _trace_covector(generator: ChainGenerator) -> Real:
    return reduce(lambda left, right: np.outer(left, right).ravel(), generator.functionals["trace"])


def _dimensions(generator: ChainGenerator) -> int:
    """Return the number of dimensions of the states: half of all with fermions, which have no odd part."""
    return generator.dimension // (2 if any(space.graded for space in generator.spaces) else 1)


def _even(generator: ChainGenerator) -> NDArray[np.bool_]:
    """Return True for the coefficients that a state may have: (prod D,).

    In the odd sector of fermions the generator is that of another problem, whose steady state need not be unique.
    """
    return ~oddness(generator.spaces)


def _operator(generator: ChainGenerator) -> sparse_linalg.LinearOperator | Any:
    """Return G: as a sparse matrix up to `SPARSE` dimensions, otherwise as an operator applied bond by bond."""
    if generator.dimension <= SPARSE:
        return generator.matrix()
    return sparse_linalg.LinearOperator(
        (generator.dimension,) * 2, matvec=generator.apply, rmatvec=generator.transposed().apply, dtype=float
    )


def _propagate(generator: ChainGenerator, operator: Any, time: float, vector: Real) -> Real:
    """Return exp(G time) v."""
    trace = time * generator.mean_diagonal * generator.dimension
    return sparse_linalg.expm_multiply(time * operator, vector, traceA=trace)
