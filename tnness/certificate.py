"""How far a steady state can be trusted: what every record carries.

Three errors are estimated for every monitored observable, absolute and in its own unit:

- relaxation: what the fitted exponential tail says is still to come (`tnness.relaxation`);
- Trotter: the difference between dt and dt/2 at the smallest bond dimension, Richardson-scaled;
- truncation: the difference between the last two bond dimensions.

Independent of these, the state is held against the equation it should solve: residual, local balance, energy balance,
positivity. The residual alone is a poor judge: states with errors of 2e-4 and 2e-2 can have the same one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from tnness.engines.exact import ExactRun
from tnness.engines.protocol import Run
from tnness.engines.tebd import TEBDRun
from tnness.errors import NumericalError
from tnness.network.chain_state import Array, ChainState
from tnness.observables import ProductView
from tnness.problems.generator import ChainGenerator
from tnness.relaxation import FLOOR, History, Values

KINDS = ("relaxation", "trotter", "truncation")
"""The three errors that are estimated per observable."""
SAFETY = 10.0
"""A run is converged where every observable's estimated error is below SAFETY times the tolerance of relaxation."""
NEGATIVE = -1e-2
"""Marginal probabilities or eigenvalues below this are no round-off of truncation: the state is not trusted."""
UNBALANCED = 0.2
"""Largest imbalance of the total energy, relative to the dissipative flows, at which a state counts as steady."""


@dataclass(frozen=True)
class Certificate:
    """The figures and the verdict. NaN stands for a figure that does not apply.

    discarded_weight: relative weight dropped in the last stage, summed over all splits and steps.
    trace_drift: change of ln(trace) in the last stage, before any renormalisation.
    relaxation, trotter, truncation: worst relative error estimate over the monitored observables.
    relaxation_rate: slowest fitted rate (1 / time).
    residual: |G P| / |P| (1 / time).
    local_balance: worst |d<O>/dt| over one-site operators (1 / time): continuity of every local density.
    energy_balance: |d<H>/dt| relative to the dissipative flows into and out of H.
    positivity: smallest eigenvalue of the two-site marginals, or smallest probability.
    fallbacks: LAPACK factorisations that had to fall back.
    """

    outcome: str
    discarded_weight: float = 0.0
    trace_drift: float = 0.0
    relaxation: float = math.nan
    relaxation_rate: float = math.nan
    trotter: float = math.nan
    truncation: float = math.nan
    residual: float = math.nan
    local_balance: float = math.nan
    energy_balance: float = math.nan
    positivity: float = math.nan
    fallbacks: int = 0
    estimates: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def converged(self) -> bool:
        """True where the outcome is `converged` or `exact`."""
        return self.outcome in ("converged", "exact")

    @property
    def errors(self) -> dict[str, float]:
        """Absolute error per observable: the sum of its estimates; NaN where one of the three is missing."""
        names = {name for kind in self.estimates.values() for name in kind}
        return {name: sum(self.estimates.get(k, {}).get(name, math.nan) for k in KINDS) for name in sorted(names)}

    def figures(self) -> dict[str, float]:
        """Return the numbers by name."""
        return {k: float(v) for k, v in vars(self).items() if isinstance(v, (int, float))}


@dataclass(frozen=True)
class Prior:
    """What is known of the same chain from the record that a run extends.

    chi, dt: the settings it was reached with. values: its observables. estimates: its certificate's.
    """

    chi: int
    dt: float
    values: Values
    estimates: dict[str, dict[str, float]]


def certify_steady(run: Run, generator: ChainGenerator, history: History, tolerance: float, prior: Prior | None = None) -> Certificate:
    """Return the certificate of a steady state.

    Parameters
    ----------
    run: the finished run. generator: its problem. history: the monitored observables of every stage.
    tolerance: relative error asked of the relaxation. prior: the record that the run extends, if it does.
    """
    if not isinstance(run, TEBDRun):
        zeros = dict.fromkeys(history.values, 0.0)
        exact = {kind: dict(zeros) for kind in KINDS}
        return Certificate(outcome="exact", relaxation=0.0, trotter=0.0, truncation=0.0, estimates=exact, **_checks(run, generator))
    tail = history.tail(run.stage)
    scales = tail.scales if tail else {k: max(float(np.nanmax(np.abs(v[-1]), initial=0.0)), FLOOR) for k, v in history.values.items()}
    estimates = {
        "relaxation": tail.remaining if tail else dict.fromkeys(scales, math.inf),
        "trotter": _trotter_error(run, history, prior),
        "truncation": _truncation_error(run, history, prior),
    }
    relative = {kind: max((e[k] / scales[k] for k in e), default=math.nan) for kind, e in estimates.items()}
    checks = _checks(run, generator)
    return Certificate(
        outcome=_verdict(run, relative, checks, tolerance),
        discarded_weight=run.discarded,
        trace_drift=run.trace_drift,
        relaxation_rate=tail.rate if tail else math.nan,
        fallbacks=run.fallbacks,
        estimates=estimates,
        **relative,
        **checks,
    )


def certify_evolution(run: Run) -> Certificate:
    """Return the certificate of a time evolution: what was dropped, the trace and positivity."""
    lowest = positivity(run.view())
    return Certificate(
        outcome="complete" if lowest >= NEGATIVE else "not positive, truncation dominates: raise --chi",
        discarded_weight=run.discarded, trace_drift=run.trace_drift, positivity=lowest, fallbacks=run.fallbacks
    )


def _verdict(run: TEBDRun, relative: dict[str, float], checks: dict[str, float], tolerance: float) -> str:
    trotter, truncation = relative["trotter"], relative["truncation"]
    if run.stage < len(run.stages) - 1 or not relative["relaxation"] <= tolerance:
        return "not relaxed: raise --max-time"
    if checks["positivity"] < NEGATIVE:
        return "not positive, truncation dominates: raise --chi"
    if math.isnan(truncation) or math.isnan(trotter):
        return "no error estimate: use tnness converge, or a schedule of several chi"
    if trotter > SAFETY * tolerance and trotter > truncation:
        return "Trotter error dominates: lower --dt"
    if truncation > SAFETY * tolerance:
        return "truncation dominates: raise --chi"
    if checks["energy_balance"] > UNBALANCED:
        return "energy is not balanced: raise --chi or lower --dt"
    return "converged"


def _trotter_error(run: TEBDRun, history: History, prior: Prior | None) -> dict[str, float]:
    """Richardson: |O(dt) - O(dt')| / ((dt/dt')^order - 1) is the error at dt'; the rest of it that at dt."""
    order, stages = run.settings.order, run.stages
    if run.refined:
        return _scaled(_change(history.last_of(len(stages) - 2), history.last_of(len(stages) - 1)), 1 / (2.0**order - 1))
    if len(stages) > 1 and stages[0].chi == stages[1].chi and stages[0].dt > stages[1].dt:
        ratio = (stages[0].dt / stages[1].dt) ** order
        return _scaled(_change(history.last_of(0), history.last_of(1)), ratio / (ratio - 1))
    if prior is None or prior.chi > stages[-1].chi:
        return {}
    if math.isclose(prior.dt, stages[-1].dt):
        return prior.estimates.get("trotter", {})
    if prior.dt > stages[-1].dt and prior.chi == stages[-1].chi:
        ratio = (prior.dt / stages[-1].dt) ** order
        return _scaled(_change(prior.values, history.last_of(len(stages) - 1)), 1 / (ratio - 1))
    return {}


def trotter_is_open(run: Run, history: History, tolerance: float, prior: Prior | None) -> bool:
    """True where the Trotter error is unknown, or too large as estimated at a small bond dimension."""
    if not isinstance(run, TEBDRun):
        return False
    errors, last = _trotter_error(run, history, prior), history.last_of(run.stage)
    if not errors or last is None:
        return True
    return any(errors[k] > SAFETY * tolerance * max(float(np.nanmax(np.abs(last[k]), initial=0.0)), FLOOR) for k in errors)


def _truncation_error(run: TEBDRun, history: History, prior: Prior | None) -> dict[str, float]:
    """|O(chi) - O(previous chi)|; where nothing beyond round-off was dropped, truncation is exact."""
    stages, last = run.stages, history.last_of(len(run.stages) - 1)
    if last is not None and run.discarded <= 1e3 * run.settings.cutoff * run.generator.n:
        return dict.fromkeys(last, 0.0)
    chi, dt = stages[-1].chi, stages[-1].dt * 2**run.refined
    before = [i for i, stage in enumerate(stages) if stage.chi < chi and stage.dt == dt]
    if before:
        return _change(history.last_of(before[-1]), last)
    if prior is not None and prior.chi < chi:
        return _change(prior.values, last)
    return prior.estimates.get("truncation", {}) if prior is not None and prior.chi == chi else {}


def _scaled(values: dict[str, float], factor: float) -> dict[str, float]:
    return {name: factor * value for name, value in values.items()}


def _change(first: Values | None, second: Values | None) -> dict[str, float]:
    if first is None or second is None:
        return {}
    return {name: float(np.nanmax(np.abs(second[name] - first[name]), initial=0.0)) for name in second if name in first}


def _checks(run: Run, generator: ChainGenerator) -> dict[str, float]:
    view = run.view()
    if isinstance(run, ExactRun):
        rate = float(np.linalg.norm(generator.apply(run.vector)) / np.linalg.norm(run.vector))
    else:
        rate = residual(generator, run.chain_state())
    return {
        "residual": rate,
        "local_balance": local_balance(generator, view),
        "energy_balance": energy_balance(generator, view),
        "positivity": positivity(view),
    }


def residual(generator: ChainGenerator, state: ChainState) -> float:
    """Return |G P| / |P| (1 / time), at the cost of about one Trotter layer.

    |G P|^2 is the sum over pairs of bonds of <G_b P|G_b' P>. With the centre at bond b the diagonal pairs are local;
    neighbouring pairs need three sites; distant ones share one left environment, summed over all earlier bonds.
    """
    state = state.copy(np.float64)
    state.canonicalise(0)
    bonds = generator.merged_bonds
    total = 0.0
    earlier: Array = np.zeros((1, 1))  # sum over bonds done left of here of <P|G_b P> (bra, ket)
    for i in range(state.n - 1):
        state.move_centre(i)
        first, second = state.tensors[i], state.tensors[i + 1]
        pair = np.tensordot(first, second, 1)  # (l, p, q, r)
        acted = _act(bonds[i], pair, 1)
        total += float(np.vdot(acted, acted))
        total += 2 * float(np.vdot(acted, np.tensordot(earlier, pair, 1)))
        if i + 2 < state.n:
            triple = np.tensordot(pair, state.tensors[i + 2], 1)
            total += 2 * float(np.vdot(_act(bonds[i], triple, 1), _act(bonds[i + 1], triple, 2)))
            state.move_centre(i + 1)
            if i > 0:
                whole = np.tensordot(state.tensors[i - 1], state.tensors[i], 1)  # left-isometric pair
                earlier = _transfer(earlier, state.tensors[i]) + np.tensordot(
                    whole, _act(bonds[i - 1], whole, 1), ((0, 1, 2), (0, 1, 2))
                )
            else:
                earlier = np.zeros((state.tensors[0].shape[2],) * 2)
    return math.sqrt(max(0.0, total))


def _act(bond: Array, tensor: Array, axis: int) -> Array:
    """Apply a two-site matrix to axes (axis, axis + 1) of a tensor."""
    p, q = tensor.shape[axis : axis + 2]
    gate = bond.reshape(p, q, p, q)
    return np.moveaxis(np.tensordot(gate, tensor, ((2, 3), (axis, axis + 1))), (0, 1), (axis, axis + 1))


def _transfer(environment: Array, tensor: Array) -> Array:
    return np.tensordot(tensor, np.tensordot(environment, tensor, 1), ((0, 1), (0, 1)))


def local_balance(generator: ChainGenerator, view: ProductView) -> float:
    """Return the worst rate of change |d<E>/dt| (1 / time) over sites, E running over the one-site operator basis.

    It vanishes in a steady state: what one bond brings to a site the other takes away, as for any conserved current.
    """
    rates = [np.zeros(dim) for dim in generator.dims]
    for i, bond in enumerate(generator.merged_bonds):
        shape = generator.dims[i : i + 2]
        flow = (bond @ view.window(i, i + 2).reshape(-1)).reshape(shape)
        rates[i] += flow @ generator.functionals["trace"][i + 1]
        rates[i + 1] += generator.functionals["trace"][i] @ flow
    return max(float(np.linalg.norm(rate)) for rate in rates)


def energy_balance(generator: ChainGenerator, view: ProductView) -> float:
    """Return |d<H>/dt| over the sum of the absolute dissipative flows into H; NaN without a Hamiltonian and jumps."""
    origin = generator.origin
    if origin is None or not origin.hamiltonian_terms or not all(space.quantum for space in generator.spaces):
        return math.nan
    dissipator = origin.dissipator().merged_bonds
    flows = []
    for b in range(generator.n - 1):
        covector = _pair_covector(generator, b, origin.bond_hamiltonian_shared(b))
        for other in range(max(0, b - 1), min(generator.n - 1, b + 2)):
            start, stop = min(b, other), max(b, other) + 2
            flow = _act(dissipator[other], view.window(start, stop), other - start)
            for site in reversed(range(start, stop)):
                if site not in (b, b + 1):
                    flow = np.tensordot(flow, generator.functionals["trace"][site], (site - start, 0))
            flows.append(float(np.vdot(covector, flow)))
    size = sum(abs(flow) for flow in flows)
    return abs(sum(flows)) / size if size > 1e-12 * generator.scale else math.nan


def _pair_covector(generator: ChainGenerator, bond: int, matrix: Array) -> Array:
    """Tr(h E_a x E_b) for a Hermitian two-site matrix: (D, D')."""
    first, second = generator.spaces[bond : bond + 2]
    tensor = matrix.reshape(first.levels, second.levels, first.levels, second.levels)
    half = np.tensordot(first.elements, tensor, ((1, 2), (2, 0)))  # (a, j, l)
    return np.tensordot(half, second.elements, ((1, 2), (2, 1))).real


def positivity(view: ProductView) -> float:
    """Return the smallest eigenvalue (quantum) or probability (classical) of the two-site marginals."""
    lowest = math.inf
    for i in range(len(view.spaces) - 1):
        marginal = view.marginal((i, i + 1))
        if not np.isfinite(marginal).all():
            raise NumericalError("a number that is not finite (NaN or infinity) appeared in the state")
        values = np.linalg.eigvalsh(marginal) if marginal.ndim == 2 else marginal
        lowest = min(lowest, float(values.min()))
    return lowest
