"""`check` tests whether a model states valid physics and whether the engines agree on it.

It runs on the model's smallest instance. It tests how the model is declared, and that it is the same when it is built
twice; the problem (trace, Hermiticity, rates, neighbours), and its matrices against dense ones made from its terms; the
observables; uniqueness and positivity of the steady state, TEBD from the default start against the exact solution,
evolution, and the Trotter order.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from tnness.engines.exact import DIRECT, Exact, SteadyVector, steady_vector
from tnness.engines.tdvp import TDVP
from tnness.engines.tebd import TEBD
from tnness.errors import InputError, ModelError, NumericalError, TnnessError
from tnness.model.protocol import Model, draw, generator_of, problem_of, values_of
from tnness.network.chain_state import ChainState
from tnness.network.dense_view import DenseView
from tnness.observables.observable import Observable, measured
from tnness.observables.views import View
from tnness.problems.circuit import Circuit
from tnness.problems.dense import deviation
from tnness.problems.generator import ChainGenerator
from tnness.records.record import Record, error_of, observables_in
from tnness.records.values import change, scale, size
from tnness.runs.job import name_of, observables_of, offered_engines, own_code
from tnness.runs.solve import evolve, steady_state
from tnness.stopping.balance import positivity
from tnness.study.check_driven import DrivenModel
from tnness.study.declared import declaration, known_engines
from tnness.study.finding import FAILED, NOTED, PASSED, Finding, guarded
from tnness.study.measurable import not_finite, observable_findings
from tnness.typed import shown, typed

LOOKED_AT = ("tebd", "exact")
"""The engines of a chain that the detailed tests cover; of other engines only the results are compared."""
EXPAND = 10**6  # a bond dimension that never truncates
STATED = 1e-10
"""Largest difference of the problem's matrices from its terms, relative to them, that counts as round-off."""
MOST_STEPS = 400
"""Time steps that TEBD may take from the default start."""
RELAXED = 40.0
"""Multiples of 1/gap that it may take."""
BEYOND, OF_SCALE = 2.0, 0.01
"""An error beyond BEYOND times its claim and OF_SCALE of its observable's scale is wrong."""


def _made(model: Any) -> Any:
    """Return an instance of a model; refuse a class that needs parameters."""
    if not isinstance(model, type):
        return model
    try:
        return model()
    except TypeError as error:
        raise ModelError(f"it cannot be made without parameters: {error}") from error


@typed
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
    if not isinstance(model, type) and not isinstance(model, Model):
        raise InputError(f"model = {shown(model)} is not a model: it needs problem() and observables()")
    findings: list[Finding] = []
    try:
        with own_code(name or getattr(model, "__name__", type(model).__name__)):
            undrawn = shortest(_made(model))
            name = name or name_of(undrawn)
            findings += declaration(undrawn, seed, name)
            instance = draw(undrawn, seed)
            problem: Any = problem_of(instance, name)
            form, engines = getattr(problem, "form", ""), known_engines(instance)
            if form == "circuit":
                return [_stated(instance, problem.summary()), *findings, *_circuit(instance, problem, name, seed)]
            if form != "chain":
                return [_stated(instance, problem.summary()), *findings, *_engines(instance, engines, name, seed)]
            if getattr(problem, "is_driven", False):
                about = instance, problem, observables_of(instance, name), name, seed
                return [_stated(instance, problem.summary()), *findings, *DrivenModel(*about).findings()]
            generator = generator_of(instance, name)
    except TnnessError as error:
        return [*findings, Finding("problem", FAILED, str(error))]
    findings = [_stated(instance, generator.summary()), *findings, *_statement(generator), _trace(generator)]
    if generator.dimension > DIRECT:
        detail = f"{generator.dimension} dimensions: give the model a small() of at most {DIRECT}"
        return [*findings, Finding("size", FAILED, detail)]
    try:
        observables = observables_of(instance, name)
        read = observable_findings(observables, generator, _generic(generator), name)
    except TnnessError as error:
        return [*findings, Finding("observables", FAILED, str(error))]
    findings += read
    if any(finding.verdict == FAILED for finding in read):
        return findings
    further = [engine for engine in engines if engine not in LOOKED_AT]
    physics = _Physics(instance, generator, observables, name, seed)
    return [*findings, *physics.findings(), *_engines(instance, further, name, seed)]


@dataclass(frozen=True)
class Measure:
    """Measures all observables of a model."""

    observables: dict[str, Observable]

    def __call__(self, view: View) -> dict[str, Any]:
        estimates = measured(self.observables, view)
        return {key: np.asarray(estimate.value) for key, estimate in estimates.items()}


def smallest(model: Any, seed: int = 0) -> Any:
    """Return the model's `small()`, or the model with at most 4 sites, with its disorder drawn."""
    return draw(shortest(model), seed)


def shortest(model: Any) -> Any:
    """Return the model's `small()`, or the model with at most 4 sites; its disorder is not drawn."""
    if hasattr(model, "small"):
        return model.small()
    if getattr(model, "n", 0) > 4:
        with contextlib.suppress(TnnessError):  # a model with one value per site cannot change its length
            return dataclasses.replace(model, n=4)
    return model


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
        names = observables_in(record.dataset)
        sampled = any(error_of(k) in record.dataset for k in names) and not record.certificate.estimates
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

    return [guarded(engine, lambda engine=engine: look(engine)) for engine in offered]


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
        names = observables_in(record.dataset)
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

    findings = [guarded(engine, lambda engine=engine: look(engine)) for engine in offered_engines(instance)]
    detail = f"conserved by every map to {leak:.0e}"
    findings.insert(0, Finding("trace", PASSED if leak < 1e-12 else FAILED, detail))
    return findings + ([guarded("steady state", sampled)] if records else [])


def _statement(generator: ChainGenerator) -> list[Finding]:
    """Test the local matrices against dense ones of the whole chain, made from the terms by other code."""
    if generator.origin is None:
        return []
    try:
        apart = deviation(generator.origin, generator)
    except InputError as error:
        return [Finding("statement", NOTED, str(error))]
    detail = f"the matrices are those of the terms, built densely, to {apart:.0e}"
    return [Finding("statement", PASSED if apart < STATED else FAILED, detail)]


def _trace(generator: ChainGenerator) -> Finding:
    traces = generator.functionals["trace"]
    leaks = [
        np.abs(reduce(np.kron, [traces[site] for site in sites]) @ matrix).max() / np.linalg.norm(matrix)
        for sites, matrix in generator.local_terms
        if matrix.any()
    ]
    detail = f"conserved by every term to {max(leaks, default=0.0):.0e}; Hermiticity is exact by construction"
    return Finding("trace", PASSED, detail)


@dataclass(frozen=True)
class _Physics:
    """Tests of a chain against its exact solution."""

    model: Any
    generator: ChainGenerator
    observables: dict[str, Observable]
    name: str
    seed: int

    @property
    def measure(self) -> Measure:
        """The function that measures all observables."""
        return Measure(self.observables)

    def findings(self) -> list[Finding]:
        """Return all of them."""
        if self.generator.n == 1:
            return self._steady_state()  # a single site is solved exactly
        if self.generator.distant:
            return [*self._steady_state(), guarded("dynamics", lambda: _far_dynamics(self.generator, self.measure))]
        return [
            *self._steady_state(),
            guarded("dynamics", lambda: _dynamics(self.generator, self.measure)),
            *(
                guarded(f"Trotter order {order}", lambda order=order: _trotter_order(self.generator, order))
                for order in (2, 4)
            ),
        ]

    def _steady_state(self) -> list[Finding]:
        try:
            steady = steady_vector(self.generator)
        except NumericalError as error:
            several = Finding("steady state", NOTED, str(error))
            return [several, *([guarded("relaxation", self._stays_apart)] if self._by_tebd else [])]
        exact = DenseView(steady.vector, self.generator.spaces, self.generator.functionals)
        lowest, infinite = positivity(exact), not_finite(self.observables, exact)
        detail = f"lowest marginal eigenvalue or probability {lowest:.2e}"
        findings = [
            Finding("steady state", PASSED, f"unique, gap {steady.gap:.3g}"),
            Finding("positivity", PASSED if lowest > -1e-9 else FAILED, detail),
        ]
        findings += [Finding("observables", FAILED, f"{key!r} is not finite in the steady state") for key in infinite]
        if self._by_tebd:
            findings.append(guarded("relaxation", lambda: self._relaxes(steady, self.measure(exact))))
        return findings

    @property
    def _by_tebd(self) -> bool:
        return "tebd" in offered_engines(self.model) and not self.generator.distant and self.generator.n > 1

    def _from_the_default_start(self, gap: float) -> Record:
        """Return the steady state by TEBD without truncation, from where a user's run starts."""
        engine = TEBD(chi=EXPAND, schedule=())
        steps = MOST_STEPS * engine.time_step(self.generator)
        longest = min(steps, RELAXED / gap) if gap > 0 else steps
        return steady_state(self.model, engine=engine, seed=self.seed, name=self.name, max_time=longest)

    def _relaxes(self, steady: SteadyVector, exact: dict[str, Any]) -> Finding:
        """Test that TEBD reaches the steady state from the default start within its claims; compare the times."""
        record = self._from_the_default_start(steady.gap)
        time, multiple = record.time, record.time * steady.gap
        told = f"from the default start: {record.outcome} at t = {time:.3g}, {multiple:.2g} times 1/gap"
        if not record.certificate.converged:
            return Finding("relaxation", NOTED, told)
        wrong, worst = [], 0.0
        for key, claim in record.certificate.errors.items():
            error, largest = np.abs(change(record[key].values, exact[key])), scale(exact[key])
            worst = max(worst, size(error) / max(1.0, largest))
            beyond = ~(error <= BEYOND * claim) & (error > OF_SCALE * max(largest, OF_SCALE))
            if beyond.any():
                wrong.append(f"{key!r} is off by {size(error[beyond]):.1e}, its claims are up to {size(claim):.1e}")
        if wrong:
            return Finding("relaxation", FAILED, f"{told}; {', '.join(wrong)}")
        soon = "" if multiple >= 1 else "; that is before the slowest part of the state could move"
        return Finding("relaxation", NOTED if soon else PASSED, f"{told}; largest error {worst:.1e}{soon}")

    def _stays_apart(self) -> Finding:
        """Test that a run does not claim the only steady state where there are several."""
        record = self._from_the_default_start(math.nan)
        plain = record.certificate.converged and "not unique" not in record.outcome
        told = f"from the default start: {record.outcome} at t = {record.time:.3g}"
        return Finding("relaxation", FAILED if plain else NOTED, told)


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


def _generic(generator: ChainGenerator) -> Any:
    """Return a state in which no average vanishes by itself: a product that has evolved for a little."""
    run = Exact().init(generator, _tilted(generator))
    run.step(generator.n / generator.scale if generator.scale > 0 else 1.0)
    return run.vector


def _worst(first: dict[str, Any], second: dict[str, Any]) -> float:
    """Return the largest difference of an observable, relative to it where it exceeds 1."""
    return max((size(change(first[k], second[k]) / np.maximum(1.0, np.abs(second[k]))) for k in second), default=0.0)
