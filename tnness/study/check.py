"""`check` tests whether a model states valid physics and whether the engines agree on it.

It runs on the model's smallest instance. It tests the problem (trace, Hermiticity, rates, neighbours), the observables
(their sites and shapes), uniqueness and positivity of the steady state, TEBD against the exact solution, and the
Trotter order.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from tnness.engines.exact import DIRECT, Exact, steady_vector
from tnness.engines.tdvp import TDVP
from tnness.engines.tebd import TEBD
from tnness.errors import InputError, ModelError, NumericalError, TnnessError
from tnness.model.protocol import draw, generator_of, problem_of, values_of
from tnness.network.chain_state import ChainState
from tnness.network.dense_view import DenseView
from tnness.network.initial import identity_state
from tnness.observables.observable import Observable, measured
from tnness.observables.views import View
from tnness.problems.circuit import Circuit
from tnness.problems.generator import ChainGenerator
from tnness.records.history import History
from tnness.records.record import Record, is_observable, unfinished_dataset
from tnness.records.values import change, size
from tnness.runs.job import name_of, observables_of, offered_engines, own_code
from tnness.runs.solve import evolve, steady_state
from tnness.stopping.balance import positivity, residual

PASSED, NOTED, FAILED = "ok", "note", "FAILED"
LOOKED_AT = ("tebd", "exact")
"""The engines of a chain that the detailed tests cover; of other engines only the results are compared."""
EXPAND = 10**6  # a bond dimension that never truncates


@dataclass(frozen=True)
class Finding:
    """One line of the report: the subject of a test, its verdict, and the evidence."""

    subject: str
    verdict: str
    detail: str


def check(model: Any, name: str = "", seed: int = 0) -> list[Finding]:
    """Return the findings on a model; nothing is raised for a model that fails.

    Parameters
    ----------
    model: an instance, or a class whose parameters have defaults. name: for the messages. seed: of the disorder.

    Examples
    --------
    >>> from tnness.model.registry import find
    >>> all(finding.verdict != "FAILED" for finding in check(find("ssep")))
    True
    """
    try:
        with own_code(name or getattr(model, "__name__", type(model).__name__)):
            instance = smallest(model() if isinstance(model, type) else model, seed)
            problem: Any = problem_of(instance, name or name_of(instance))
            form = getattr(problem, "form", "")
            if form == "circuit":
                return [_stated(instance, problem.summary()), *_circuit(instance, problem, name, seed)]
            if form != "chain":
                return [
                    _stated(instance, problem.summary()),
                    *_engines(instance, offered_engines(instance), name, seed),
                ]
            generator = generator_of(instance, name or name_of(instance))
    except TnnessError as error:
        return [Finding("problem", FAILED, str(error))]
    findings = [_stated(instance, generator.summary()), _trace(generator)]
    if generator.dimension > DIRECT:
        detail = f"{generator.dimension} dimensions: give the model a small() of at most {DIRECT}"
        return [*findings, Finding("size", FAILED, detail)]
    try:
        observables = observables_of(instance, name)
        findings.append(_observables(observables, generator, name or name_of(instance)))
    except TnnessError as error:
        return [*findings, Finding("observables", FAILED, str(error))]
    further = [engine for engine in offered_engines(instance) if engine not in LOOKED_AT]
    return findings + _physics(generator, Measure(observables)) + _engines(instance, further, name, seed)


@dataclass(frozen=True)
class Measure:
    """Measures all observables of a model."""

    observables: dict[str, Observable]

    def __call__(self, view: View) -> dict[str, Any]:
        estimates = measured(self.observables, view)
        return {key: np.asarray(estimate.value) for key, estimate in estimates.items()}


def smallest(model: Any, seed: int = 0) -> Any:
    """Return the model's `small()`, or the model with at most 4 sites, with its disorder drawn."""
    if hasattr(model, "small"):
        model = model.small()
    elif getattr(model, "n", 0) > 4:
        with contextlib.suppress(TnnessError):  # a model with one value per site cannot change its length
            model = dataclasses.replace(model, n=4)
    return draw(model, seed)


def _stated(instance: Any, summary: str) -> Finding:
    shown = ", ".join(f"{k} = {v}" for k, v in values_of(instance).items() if not isinstance(v, list))
    return Finding("problem", PASSED, f"{summary} ({shown})")


def _engines(instance: Any, offered: Sequence[str], name: str, seed: int) -> list[Finding]:
    """Test that each of these engines solves the model, and agrees with the exact solution if there is one."""
    exact = "exact" in offered_engines(instance)

    def look(engine: str) -> Finding:
        try:
            record, times = steady_state(instance, engine=engine, seed=seed, name=name or None), None
        except ModelError as error:  # the engine may not serve all parameters of the model
            return Finding(engine, NOTED, f"not with these parameters: {error}")
        except (InputError, NumericalError):  # there is no steady state, or more than one
            times = [1.0]
            record = evolve(instance, times, engine=engine, seed=seed, name=name or None)
        names = [str(k) for k in record.dataset.data_vars if is_observable(k)]
        sampled = [k for k in names if f"{k}_error" in names]
        if not exact or sampled:
            return Finding(engine, PASSED, f"{record.outcome}; {', '.join(names)}")
        if times is None:
            oracle = steady_state(instance, engine="exact", seed=seed, name=name or None)
        else:
            oracle = evolve(instance, times, engine="exact", seed=seed, name=name or None)
        shared = {k: record[k].values for k in names if k in oracle.dataset}
        worst = _worst(shared, {k: oracle[k].values for k in shared})
        subject = "steady state" if times is None else "evolution"
        return Finding(engine, PASSED if worst < 1e-6 else FAILED, f"{subject} against the exact one: {worst:.1e}")

    return [_guarded(engine, lambda engine=engine: look(engine)) for engine in offered]


def _circuit(instance: Any, circuit: Circuit, name: str, seed: int) -> list[Finding]:
    """Test that every map conserves the trace, the engines agree on the same gates, and sampling converges."""
    trace, records = circuit.spaces[0].trace, dict[str, Record]()
    covectors = {len(v): v for v in (trace, np.kron(trace, trace))}
    leak = max(np.abs(covectors[len(m)] @ m - covectors[len(m)]).max() for m in circuit.maps(circuit.draw(seed, 0)))

    def look(engine: str) -> Finding:
        try:
            record = evolve(instance, [0.0, 1.0, 10.0], engine=engine, seed=seed, name=name or None)
        except ModelError as error:  # the engine may not serve all parameters of the model
            return Finding(engine, NOTED, f"not with these parameters: {error}")
        names = [str(k) for k in record.dataset.data_vars if is_observable(k)]
        records[engine] = record
        first, oracle = next(iter(records.items()))
        if engine == first:
            return Finding(engine, PASSED, f"{record.outcome}; {', '.join(names)}")
        shared = [k for k in names if k in oracle.dataset]
        worst = _worst({k: record[k].values for k in shared}, {k: oracle[k].values for k in shared})
        return Finding(engine, PASSED if worst < 1e-8 else FAILED, f"against {first}, the same gates: {worst:.1e}")

    def sampled() -> Finding:
        record = steady_state(instance, engine=next(iter(records)), seed=seed, name=name or None)
        return Finding("steady state", PASSED if record.certificate.converged else NOTED, record.outcome)

    findings = [_guarded(engine, lambda engine=engine: look(engine)) for engine in offered_engines(instance)]
    detail = f"conserved by every map to {leak:.0e}"
    findings.insert(0, Finding("trace", PASSED if leak < 1e-12 else FAILED, detail))
    return findings + ([_guarded("steady state", sampled)] if records else [])


def _trace(generator: ChainGenerator) -> Finding:
    traces = generator.functionals["trace"]
    leaks = [
        np.abs(reduce(np.kron, [traces[site] for site in sites]) @ matrix).max() / np.linalg.norm(matrix)
        for sites, matrix in generator.local_terms
        if matrix.any()
    ]
    detail = f"conserved by every term to {max(leaks, default=0.0):.0e}; Hermiticity is exact by construction"
    return Finding("trace", PASSED, detail)


def _observables(observables: dict[str, Observable], generator: ChainGenerator, name: str) -> Finding:
    """Test that every observable can be measured, reads sites that exist, and fits into one record with the others."""
    start = identity_state(generator.spaces)
    view = DenseView(start.dense(), generator.spaces, generator.functionals)
    for key, observable in observables.items():
        if observable.sites and observable.sites[-1] >= generator.n:
            last = generator.n - 1
            raise ModelError(f"observable {key!r} reads site {observable.sites[-1]}; the chain has sites 0 to {last}")
    with own_code(name):
        history = History()
        history.add(0.0, 0, Measure(observables)(view))
        unfinished_dataset(history, observables, evolution=False)
    measured = {key: series[0].shape for key, series in history.values.items()}
    return Finding("observables", PASSED, ", ".join(f"{k} {shape or ''}".strip() for k, shape in measured.items()))


def _physics(generator: ChainGenerator, measure: Measure) -> list[Finding]:
    findings = _steady_state(generator, measure)
    if generator.distant:
        return [*findings, _guarded("dynamics", lambda: _far_dynamics(generator, measure))]
    findings.append(_guarded("dynamics", lambda: _dynamics(generator, measure)))
    return findings + [
        _guarded("Trotter order", lambda order=order: _trotter_order(generator, order)) for order in (2, 4)
    ]


def _guarded(subject: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except TnnessError as error:
        return Finding(subject, FAILED, str(error))


def _steady_state(generator: ChainGenerator, measure: Measure) -> list[Finding]:
    try:
        steady = steady_vector(generator)
    except NumericalError as error:
        return [Finding("steady state", NOTED, str(error))]
    exact = DenseView(steady.vector, generator.spaces, generator.functionals)
    lowest = positivity(exact)
    detail = f"lowest marginal eigenvalue or probability {lowest:.2e}"
    findings = [
        Finding("steady state", PASSED, f"unique, gap {steady.gap:.3g}"),
        Finding("positivity", PASSED if lowest > -1e-9 else FAILED, detail),
    ]
    if generator.distant:
        return findings
    return [*findings, _guarded("exact against TEBD", lambda: _tebd_keeps(generator, steady.vector, measure))]


def _tebd_keeps(generator: ChainGenerator, vector: Any, measure: Measure) -> Finding:
    """Test that TEBD, started at the exact steady state, stays there within its Trotter error."""
    settings = TEBD(chi=EXPAND, order=4)
    exact = measure(DenseView(vector, generator.spaces, generator.functionals))
    run = settings.init(generator, ChainState.from_dense(vector, generator.dims))
    for _ in range(5):
        run.step()
    worst = _worst(measure(run.view()), exact)
    rate, dt = residual(generator, run.chain_state()), settings.time_step(generator)
    detail = f"largest change of an observable {worst:.1e}, residual {rate:.1e} at dt = {dt:.3g}"
    return Finding("exact against TEBD", PASSED if worst < 1e-2 else FAILED, detail)


def _dynamics(generator: ChainGenerator, measure: Measure) -> Finding:
    """Compare TEBD with small steps to exact evolution, over a short time from a generic product state."""
    start = _tilted(generator)
    settings = TEBD(chi=EXPAND, order=4)
    settings = dataclasses.replace(settings, dt=0.1 * settings.time_step(generator))
    until = 5 * settings.time_step(generator)
    exact, network = Exact().init(generator, start), settings.init(generator, start)
    exact.step(until)
    while network.time < until:
        network.step(until)
    worst = _worst(measure(network.view()), measure(exact.view()))
    return Finding("dynamics", PASSED if worst < 1e-5 else FAILED, f"TEBD against exact evolution: {worst:.1e}")


def _far_dynamics(generator: ChainGenerator, measure: Measure) -> Finding:
    """Compare TDVP, which takes terms of any range, to exact evolution, over a short time from a product state."""
    start, step = _tilted(generator), TDVP().time_step(generator)
    views = []
    for engine in (Exact(), TDVP(chi=EXPAND, dt=step / 5)):
        *_, (_, view) = engine.solve(generator, initial=start, times=[2 * step]).views
        views.append(measure(view))
    worst = _worst(views[1], views[0])
    return Finding("dynamics", PASSED if worst < 1e-4 else FAILED, f"TDVP against exact evolution: {worst:.1e}")


def _trotter_order(generator: ChainGenerator, order: int) -> Finding:
    """Test that the error at a fixed time falls as dt^order."""
    start = _tilted(generator)
    largest = 0.25 * TEBD(order=4).time_step(generator)
    until = 8 * largest
    exact = Exact().init(generator, start)
    exact.step(until)
    errors = []
    for dt in (largest, largest / 2):
        run = TEBD(chi=EXPAND, order=order, dt=dt, cutoff=0.0, method="svd").init(generator, start)
        while run.time < until:
            run.step(until)
        errors.append(float(np.linalg.norm(run.chain_state().dense() - exact.vector) / np.linalg.norm(exact.vector)))
    if errors[0] < 1e-11:
        return Finding(f"Trotter order {order}", PASSED, "no error: the layers commute here")
    slope = float(np.log2(errors[0] / errors[1]))
    return Finding(
        f"Trotter order {order}", PASSED if slope > order - 0.5 else FAILED, f"error falls as dt^{slope:.2f}"
    )


def _tilted(generator: ChainGenerator) -> ChainState:
    """Return a generic product state: on every site, the identity plus a little of every other basis operator."""
    vectors = []
    for i, space in enumerate(generator.spaces):
        vector = space.vector(np.eye(space.levels) / space.levels)
        phase = np.cos(1.0 + 0.7 * i + 1.3 * np.arange(space.dim))
        phase = np.where(space.grading, 0.0, phase)
        phase -= space.trace * (space.trace @ phase) / (space.trace @ space.trace)
        vectors.append(vector + 0.2 * phase / space.levels / np.linalg.norm(phase))
    return ChainState.product(vectors)


def _worst(first: dict[str, Any], second: dict[str, Any]) -> float:
    """Return the largest difference of an observable, relative to it where it exceeds 1."""
    return max((size(change(first[k], second[k]) / np.maximum(1.0, np.abs(second[k]))) for k in second), default=0.0)
