"""Time evolution of a `ChainState` by Trotter gates (TEBD), with an exact orthogonality centre throughout.

Even and odd layers are alternating left-right and right-left sweeps: gates on one half of the bonds, QR on the others,
so that every truncation happens at the centre even though dissipative gates are not isometries. Each split is
warm-started from the tensor it replaces (see `tnness.network.truncation`); where the problem has local charges, and the
state is of definite charge, it is an SVD block by block (see `tnness.network.blocks`).

Where the problem has a metric, the run's own state is in coordinates scaled by it, in which the plain norm is the
metric's; what is handed out is scaled back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from tnness.engines.protocol import Report, Snapshot, check_initial
from tnness.engines.trotter import FRACTIONS, Gates, layers
from tnness.errors import InputError, NumericalError
from tnness.network.blocks import ChargedState
from tnness.network.chain_state import ChainState, product_overlap
from tnness.network.chain_view import ChainView
from tnness.network.marginals import Traces
from tnness.network.truncation import Array, Truncation, cholesky
from tnness.problems.generator import ChainGenerator

AUTO_STEP = 1.6
"""Default dt is AUTO_STEP over the largest spectral norm of a bond's generator (order 4; a third of it at order 2)."""
WEAK_STEP = 1.0
"""Where runs are accelerated, dt is this over the root of the largest |[G_b, G_b+1]|: what Trotter steps miss, not |G|.

In the driven MBL chain at eps = .001 heating by finite steps then shifts the energy by less than 5e-4 of it (h = 2 and
4); steps half as long again by 7e-3 (h = 2).
"""
SMALLEST_KEEPING = 24
"""Smallest bond dimension of an accelerated stage."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of a schedule: a bond dimension, a time step, and the power iterations of its splits."""

    chi: int
    dt: float
    power: int = 0


@dataclass(frozen=True, kw_only=True)
class TEBD:
    """Settings of the engine.

    Parameters
    ----------
    chi: largest bond dimension (default 64).
    dt: Trotter step in units of time; None takes 1.6 over the largest norm of a two-site generator (order 4).
    order: 2 (Strang) or 4 (Blanes-Moan, default).
    method, cutoff, power: see `Truncation`; default cholesky-qr, 1e-14 and one power iteration, without which the large
        gates of fourth order truncate several times worse than the SVD.
    schedule: bond dimensions that a steady state passes through before `chi`; None takes chi/4, chi/2.
    dtype: "float64" (default) or "float32" (half the time, local observables to about 1e-5).
    block: Trotter steps between two measurements (default 1).
    accelerate: jump to a steady state of weak dissipation instead of waiting for it (`tnness.engines.accelerated`);
        splits then keep marginals, whatever the method. Default False.
    burst: time evolved between two jumps (default 60, in units of time of a Hamiltonian of order 1), up to 4 times as
        much where the drift is lost in noise.
    bracket: settle twice more in the end, from above and from below, and compare. Default False; needs `accelerate`.
    """

    chi: int = 64
    dt: float | None = None
    order: int = 4
    method: str = "cholesky-qr"
    cutoff: float = 1e-14
    power: int = 1
    schedule: tuple[int, ...] | None = None
    dtype: str = "float64"
    block: int = 1
    accelerate: bool = False
    burst: float = 60.0
    bracket: bool = False

    name = "tebd"

    def __post_init__(self) -> None:
        Truncation(chi=self.chi, cutoff=self.cutoff, method=self.method, power=self.power)
        if self.dt is not None and not (math.isfinite(self.dt) and self.dt > 0):
            raise InputError(f"dt = {self.dt!r}: the time step is a finite number > 0")
        if self.order not in FRACTIONS:
            raise InputError(f"order = {self.order!r}: the Trotter order is one of {sorted(FRACTIONS)}")
        if self.dtype not in ("float64", "float32"):
            raise InputError(f"dtype = {self.dtype!r}: float64 or float32")
        if self.block < 1:
            raise InputError(f"block = {self.block!r}: the steps between measurements are an integer >= 1")
        if not (math.isfinite(self.burst) and self.burst > 0):
            raise InputError(f"burst = {self.burst!r}: the time between two jumps is a finite number > 0")
        if self.bracket and not self.accelerate:
            raise InputError("bracket starts accelerated runs from above and from below: it needs accelerate")
        for chi in self.schedule or ():
            Truncation(chi=chi)

    def stages(self, generator: ChainGenerator) -> tuple[Stage, ...]:
        """Return the schedule of a steady state on this problem.

        If there are several bond dimensions, the smallest is run at dt and again at dt/2: their difference estimates
        the Trotter error. The last two, chi/2 and chi, estimate the truncation error in the same way.
        """
        dt = self.time_step(generator)
        chis = [c for c in self.coarse if c < self.chi] + [self.chi]
        stages = [Stage(chi=c, dt=dt, power=self.power) for c in chis]
        if len(stages) > 1:
            stages.insert(1, replace(stages[0], dt=dt / 2))
        return tuple(stages)

    @property
    def coarse(self) -> tuple[int, ...]:
        """Bond dimensions that come before chi: the given schedule, or chi/4 and chi/2 from 8 on."""
        if self.schedule is not None:
            return self.schedule
        if self.accelerate:  # columns that are kept leave a smaller bond nothing for the rest
            return tuple(c for c in (self.chi // 2,) if c >= SMALLEST_KEEPING)
        return tuple(c for c in (self.chi // 4, self.chi // 2) if c >= 8)

    def time_step(self, generator: ChainGenerator) -> float:
        """Return dt, or its default for this problem."""
        if self.dt is not None:
            return self.dt
        share = 1.0 if self.order == 4 else 1 / 3
        if self.accelerate and generator.n > 2:
            return share * WEAK_STEP / math.sqrt(max(1e-12, *_commutators(generator)))
        return share * AUTO_STEP / max(1e-12, *(float(np.linalg.norm(bond, 2)) for bond in generator.merged_bonds))

    def init(self, generator: ChainGenerator, initial: ChainState, seed: int = 0) -> TEBDRun:
        """Return a run that starts from `initial` (copied) at time 0 in the first stage."""
        check_initial(generator, initial)
        state = _scaled(initial.copy(np.dtype(self.dtype)), generator.metric)
        state.canonicalise(0)
        if generator.charges is not None and state.dtype == np.float64:
            charged = ChargedState.adapted(state, generator.charges)
            state = charged.state if charged is not None else state
        return self._run()(self, generator, state, seed)

    def restore(self, generator: ChainGenerator, snapshot: Snapshot) -> TEBDRun:
        """Return the run that was saved."""
        numbers = snapshot.numbers
        tensors = [snapshot.arrays[f"tensor_{i:04d}"] for i in range(generator.n)]
        state = _scaled(ChainState(tensors, None, float(numbers["log_norm"])), generator.metric)
        state.centre = int(numbers["centre"])
        time = float(numbers["time"])
        run = self._run()(
            self, generator, state, int(numbers["seed"]), time=time, log_trace=float(numbers["log_trace"])
        )
        run.steps, run.stage, run.fallbacks = (int(numbers[name]) for name in ("steps", "stage", "fallbacks"))
        run.refined = int(numbers["refined"])
        run.discarded, run.trace_drift = (float(numbers[k]) for k in ("discarded", "trace_drift"))
        run.recall(snapshot)
        return run

    def _run(self) -> type[TEBDRun]:
        if not self.accelerate:
            return TEBDRun
        from tnness.engines.accelerated import AcceleratedRun  # which stands on this module

        return AcceleratedRun


@dataclass
class TEBDRun:
    """A run of the engine: the state, the clock and the running account of what was dropped."""

    settings: TEBD
    generator: ChainGenerator
    state: ChainState
    seed: int = 0
    time: float = 0.0
    steps: int = 0
    stage: int = 0
    discarded: float = 0.0
    fallbacks: int = 0
    log_trace: float = math.nan
    trace_drift: float = 0.0
    refined: int = 0
    gates: Gates = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.gates = Gates(_scaled_bonds(self.generator), self.state.dtype)
        self._trace = _scaled_covectors(self.generator)
        charges = self.generator.charges if self.state.dtype == np.float64 else None
        self._charged = ChargedState.read(self.state, charges) if charges is not None else None
        self._schedule = self.settings.stages(self.generator)
        if math.isnan(self.log_trace):
            self.log_trace = self._log_trace(self.state)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The schedule, and one more stage at half the time step for each refinement."""
        final = self._schedule[-1]
        return (*self._schedule, *(replace(final, dt=final.dt / 2 ** (k + 1)) for k in range(self.refined)))

    def refine(self) -> bool:
        """Append a stage at half the time step, which measures the Trotter error at the full bond dimension; once."""
        if self.refined:
            return False
        self.refined = 1
        return True

    @property
    def refined_stage(self) -> int:
        """Index of the stage that `refine` appends."""
        return len(self._schedule)

    @property
    def stage_names(self) -> tuple[str, ...]:
        """One label per stage of the schedule."""
        return tuple(f"chi={stage.chi} dt={stage.dt:.3g}" for stage in self.stages)

    def next_stage(self) -> None:
        """Enter the next stage of the schedule; the account of what was dropped starts again."""
        self.stage += 1
        self.discarded, self.trace_drift = 0.0, 0.0
        self.log_trace = self._log_trace(self.state)

    def step(self, until: float | None = None) -> Report:
        """Advance by one block of steps, not beyond `until`; raise `NumericalError` and keep the old state on a NaN.

        With `until`, steps are shortened evenly so as to end on it, and the last stage's settings are used.
        """
        stage = self.stages[-1] if until is not None else self.stages[min(self.stage, len(self.stages) - 1)]
        steps, dt, end = self._block(stage.dt, until)
        truncation, square = self._truncation(stage), self.generator.resolution**2
        charged = self._charged.copy() if self._charged is not None else None
        state = (
            charged.state if charged else ChainState(list(self.state.tensors), self.state.centre, self.state.log_norm)
        )
        discarded, fallbacks = 0.0, 0
        for number, (parity, fraction) in enumerate(layers(self.settings.order, steps)):
            gates = self.gates.layer(parity, fraction * dt)
            if charged is not None:
                dropped, helped = charged.sweep(gates, truncation)
            else:
                rng = np.random.default_rng([self.seed, self.steps, number])
                dropped, helped = sweep(state, gates, truncation, rng, self._trace)
            discarded, fallbacks = discarded + dropped / square, fallbacks + helped
        state.normalise()
        log_trace = self._log_trace(state)  # refuses a state that is lost before it replaces the old one
        self.state, self._charged, self.steps, self.time = state, charged, self.steps + steps, end
        self.discarded, self.fallbacks = self.discarded + discarded, self.fallbacks + fallbacks
        self.trace_drift = log_trace - self.log_trace
        return Report(time=self.time, discarded=discarded, fallbacks=fallbacks, chi=max(state.bond_dimensions))

    def _truncation(self, stage: Stage) -> Truncation:
        """What a stage's splits go by; only an SVD resolves what is small beside a background."""
        resolution = self.generator.resolution
        return Truncation(
            chi=stage.chi,
            cutoff=self.settings.cutoff * resolution**2,
            method="marginals" if self.settings.accelerate else self.settings.method if resolution == 1 else "svd",
            power=stage.power,
        )

    def _block(self, dt: float, until: float | None) -> tuple[int, float, float]:
        """Return the number of steps of a block, their length, and the time at its end."""
        steps = self.settings.block
        if until is None:
            return steps, dt, self.time + steps * dt
        if until < self.time:
            raise InputError(f"a run at time {self.time:g} cannot go back to {until:g}")
        remaining = max(1, math.ceil((until - self.time) / dt - 1e-9))
        dt = (until - self.time) / remaining
        return (remaining, dt, until) if remaining <= steps else (steps, dt, self.time + steps * dt)

    def chain_state(self) -> ChainState:
        """Return a copy of the present state in double precision."""
        state = self._natural().copy(np.float64)
        if state.centre is None:
            state.canonicalise(0)
        return state

    def save(self) -> Snapshot:
        """Return everything needed to go on as if never interrupted."""
        arrays = {f"tensor_{i:04d}": tensor for i, tensor in enumerate(self._natural().tensors)}
        names = ("seed", "steps", "stage", "fallbacks", "refined", "time", "discarded", "log_trace", "trace_drift")
        numbers: dict[str, float | int] = {name: getattr(self, name) for name in names}
        assert self.state.centre is not None
        numbers |= {"centre": self.state.centre, "log_norm": self.state.log_norm}
        return Snapshot(arrays, numbers | ({"metric": 1} if self.generator.metric is not None else {}))

    def recall(self, snapshot: Snapshot) -> None:
        """Take up what a snapshot holds beside the state and the numbers of this class: nothing."""

    def view(self) -> ChainView:
        """Return a view of the present state."""
        return ChainView(self._natural(), self.generator.spaces, self.generator.functionals)

    def _natural(self) -> ChainState:
        """The present state in the coordinates of the problem; without a centre where the problem has a metric."""
        return _scaled(self.state, self.generator.metric, inverse=True)

    def _log_trace(self, state: ChainState) -> float:
        mantissa, logarithm = product_overlap(state, self._trace)
        if not (np.isfinite(mantissa) and np.isfinite(logarithm)):
            raise NumericalError("a number that is not finite (NaN or infinity) appeared in the state")
        if not mantissa.real > 0:
            raise NumericalError(f"the trace of the state is not positive ({mantissa.real:.3g}): the state is lost")
        return math.log(mantissa.real) + logarithm


def _scaled(state: ChainState, metric: Sequence[Array] | None, inverse: bool = False) -> ChainState:
    """Return the state with every basis state multiplied (or divided) by its weight; exact, weights are powers of 2."""
    if metric is None:
        return state
    factors = [1 / weights if inverse else weights for weights in metric]
    tensors = [t * f.astype(t.dtype)[None, :, None] for t, f in zip(state.tensors, factors, strict=True)]
    return ChainState(tensors, None, state.log_norm)


def _scaled_bonds(generator: ChainGenerator) -> Sequence[Array]:
    """The generator as two-site matrices, in the coordinates of the metric."""
    metric = generator.metric
    if metric is None:
        return generator.merged_bonds
    weights = [np.kron(*pair) for pair in pairwise(metric)]
    return [w[:, None] * bond / w for w, bond in zip(weights, generator.merged_bonds, strict=True)]


def _scaled_covectors(generator: ChainGenerator) -> Sequence[Array]:
    """The trace in the coordinates of the metric."""
    trace = generator.functionals["trace"]
    if generator.metric is None:
        return trace
    return [vector / weights for vector, weights in zip(trace, generator.metric, strict=True)]


def _commutators(generator: ChainGenerator) -> list[float]:
    """Return |[G_b, G_b+1]| of every two neighbouring bonds."""
    norms = []
    for bond, (first, second) in enumerate(pairwise(generator.merged_bonds)):
        before, after = generator.dims[bond], generator.dims[bond + 2]
        a, b = np.kron(first, np.eye(after)), np.kron(np.eye(before), second)
        norms.append(float(np.linalg.norm(a @ b - b @ a, 2)))
    return norms


def sweep(
    state: ChainState,
    gates: list[Array | None],
    truncation: Truncation,
    rng: np.random.Generator,
    trace: Sequence[Array] | None = None,
) -> tuple[float, int]:
    """Apply one layer of gates, moving the centre from one end of the chain to the other.

    Parameters
    ----------
    state: centre at site 0 or n - 1 (elsewhere it is moved to 0 first); changed in place.
    gates: per bond a matrix (D D', D D') or None.
    truncation: how the bonds with a gate are split.
    rng: for random directions, where a bond grows.
    trace: one covector per site, for a method that keeps marginals; without it none are kept.

    Returns
    -------
    The sum of the relative discarded weights, and the number of LAPACK fallbacks.
    """
    if state.centre != state.n - 1:
        state.move_centre(0)
    rightwards = state.centre == 0
    traces = Traces(state, trace, rightwards) if trace is not None and truncation.keeps else None
    sweep_over = _sweep_right if rightwards else _sweep_left
    return sweep_over(state, gates, truncation, rng, traces)


def _sweep_right(
    state: ChainState,
    gates: list[Array | None],
    truncation: Truncation,
    rng: np.random.Generator,
    traces: Traces | None,
) -> tuple[float, int]:
    tensors, discarded, fallbacks = state.tensors, 0.0, 0
    for i, gate in enumerate(gates):
        left, p, bond = tensors[i].shape
        _, q, right = tensors[i + 1].shape
        if gate is None:
            qr = cholesky(tensors[i].reshape(left * p, bond))
            isometry, helped = qr.basis, qr.fallbacks
            tensors[i + 1] = (qr.factor @ tensors[i + 1].reshape(bond, q * right)).reshape(-1, q, right)
        else:
            guess = tensors[i + 1].reshape(bond, q * right)
            theta = _theta(gate, tensors[i], tensors[i + 1])  # (left p, q right)
            split = truncation.split(theta, guess, rng, *(() if traces is None else (traces.across(i, p, q),)))
            isometry, helped = split.isometry, split.fallbacks
            tensors[i + 1] = np.ascontiguousarray(split.remainder).reshape(-1, q, right)
            discarded += split.discarded
        tensors[i] = np.ascontiguousarray(isometry).reshape(left, p, -1)
        fallbacks += helped
        if traces is not None:
            traces.passed_right(i, tensors[i])
    state.centre = state.n - 1
    return discarded, fallbacks


def _sweep_left(
    state: ChainState,
    gates: list[Array | None],
    truncation: Truncation,
    rng: np.random.Generator,
    traces: Traces | None,
) -> tuple[float, int]:
    tensors, discarded, fallbacks = state.tensors, 0.0, 0
    for i in range(state.n - 2, -1, -1):
        gate = gates[i]
        left, p, bond = tensors[i].shape
        _, q, right = tensors[i + 1].shape
        if gate is None:
            qr = cholesky(tensors[i + 1].reshape(bond, q * right).T)
            isometry, helped = qr.basis, qr.fallbacks
            tensors[i] = (tensors[i].reshape(left * p, bond) @ qr.factor.T).reshape(left, p, -1)
        else:
            guess = tensors[i].reshape(left * p, bond).T
            theta = _theta(gate, tensors[i], tensors[i + 1])  # (left p, q right)
            kept = () if traces is None else (traces.across(i, p, q).transposed(),)
            split = truncation.split(theta.T, guess, rng, *kept)
            isometry, helped = split.isometry, split.fallbacks
            tensors[i] = np.ascontiguousarray(split.remainder.T).reshape(left, p, -1)
            discarded += split.discarded
        tensors[i + 1] = np.ascontiguousarray(isometry.T).reshape(-1, q, right)
        fallbacks += helped
        if traces is not None:
            traces.passed_left(i + 1, tensors[i + 1])
    state.centre = 0
    return discarded, fallbacks


def _theta(gate: Array, first: Array, second: Array) -> Array:
    """Contract two neighbours and apply a gate: (left p, q right)."""
    left, p, bond = first.shape
    _, q, right = second.shape
    pair = first.reshape(left * p, bond) @ second.reshape(bond, q * right)
    return np.matmul(gate, pair.reshape(left, p * q, right)).reshape(left * p, q * right)
