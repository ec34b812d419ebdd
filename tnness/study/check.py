"""`check`: does a model state valid physics, and do the engines agree on it?

Run on the model's smallest instance: the problem (trace, Hermiticity, rates, neighbours), the observables (their sites
and shapes), uniqueness and positivity of the steady state, TEBD against the exact solution, and the Trotter order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tnness import model as modelling
from tnness.certificate import positivity, residual
from tnness.engines.exact import DIRECT, DenseView, Exact, steady_vector
from tnness.engines.tebd import TEBD
from tnness.errors import InputError, NumericalError, TnnessError
from tnness.network.chain_state import ChainState
from tnness.network.initial import identity_state
from tnness.observables import ProductView
from tnness.problems.generator import ChainGenerator
from tnness.solve import observables_of

PASSED, NOTED, FAILED = "ok", "note", "FAILED"
EXPAND = 10**6  # a bond dimension that never truncates


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was looked at, how it went, and the evidence."""

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
    >>> from tnness.registry import find
    >>> all(finding.verdict != "FAILED" for finding in check(find("ssep")))
    True
    """
    findings: list[Finding] = []
    try:
        instance = smallest(model() if isinstance(model, type) else model, seed)
        generator = modelling.generator_of(instance, name)
    except (TnnessError, TypeError, ValueError) as error:
        return [Finding("problem", FAILED, str(error))]
    except Exception as error:  # the model's own code
        return [Finding("problem", FAILED, f"the model's own code raised {type(error).__name__}: {error}")]
    shown = ", ".join(f"{k} = {v}" for k, v in modelling.values_of(instance).items() if not isinstance(v, list))
    findings.append(Finding("problem", PASSED, f"n = {generator.n}, local dimensions {sorted(set(generator.dims))} ({shown})"))
    findings.append(_trace(generator))
    if generator.dimension > DIRECT:
        findings.append(Finding("size", FAILED, f"{generator.dimension} dimensions: give the model a small() of at most {DIRECT}"))
        return findings
    return findings + _physics(instance, generator, name)


def smallest(model: Any, seed: int = 0) -> Any:
    """Return the model's `small()`, or itself with at most 4 sites, with its disorder drawn."""
    if hasattr(model, "small"):
        model = model.small()
    elif getattr(model, "n", 0) > 4:
        try:
            model = dataclasses.replace(model, n=4)
        except TnnessError:
            pass  # explicit lists fix the length
    return modelling.draw(model, seed)


def _trace(generator: ChainGenerator) -> Finding:
    traces = generator.functionals["trace"]
    leaks = [
        np.abs(np.kron(traces[i], traces[i + 1]) @ bond).max() / np.linalg.norm(bond)
        for i, bond in enumerate(generator.merged_bonds)
        if bond.any()
    ]
    return Finding("trace", PASSED, f"conserved by every term to {max(leaks, default=0.0):.0e}; Hermiticity is exact by construction")


def _physics(model: Any, generator: ChainGenerator, name: str) -> list[Finding]:
    findings: list[Finding] = []
    start = identity_state(generator.spaces)
    try:
        observables = observables_of(model, name)
        view = DenseView(start.dense(), generator.spaces, generator.functionals)
        measured = {key: observable(view) for key, observable in observables.items()}
        outside = {k: o.sites for k, o in observables.items() if o.sites and o.sites[-1] >= generator.n}
        if outside:
            key, sites = next(iter(outside.items()))
            raise InputError(f"observable {key!r} reads site {sites[-1]}; the chain has sites 0 to {generator.n - 1}")
    except Exception as error:
        return [Finding("observables", FAILED, str(error))]
    findings.append(Finding("observables", PASSED, ", ".join(f"{k} {v.shape or ''}".strip() for k, v in measured.items())))

    def measure(view: ProductView) -> dict[str, Any]:
        return {key: observable(view) for key, observable in observables.items()}

    try:
        steady = steady_vector(generator)
        exact = DenseView(steady.vector, generator.spaces, generator.functionals)
        lowest = positivity(exact)
        findings.append(Finding("steady state", PASSED, f"unique, gap {steady.gap:.3g}"))
        fine = lowest > -1e-9
        findings.append(Finding("positivity", PASSED if fine else FAILED, f"lowest marginal eigenvalue or probability {lowest:.2e}"))
        findings.append(_tebd_keeps(generator, steady.vector, measure, measure(exact)))
    except NumericalError as error:
        findings.append(Finding("steady state", NOTED, str(error)))
    findings.append(_dynamics(generator, measure))
    findings += [_trotter_order(generator, order) for order in (2, 4)]
    return findings


def _tebd_keeps(generator: ChainGenerator, vector: Any, measure: Callable[..., dict[str, Any]], exact: dict[str, Any]) -> Finding:
    """TEBD, started at the exact steady state, must stay there within its Trotter error."""
    settings = TEBD(chi=EXPAND, order=4)
    state = ChainState.from_dense(vector, generator.dims)
    run = settings.init(generator, state)
    for _ in range(5):
        run.step()
    worst = _worst(measure(run.view()), exact)
    told = f"largest change of an observable {worst:.1e}, residual {residual(generator, run.state):.1e} at dt = {settings.time_step(generator):.3g}"
    return Finding("exact against TEBD", PASSED if worst < 1e-2 else FAILED, told)


def _dynamics(generator: ChainGenerator, measure: Callable[..., dict[str, Any]]) -> Finding:
    """A short evolution of a generic product state, exactly and by TEBD with small steps."""
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


def _trotter_order(generator: ChainGenerator, order: int) -> Finding:
    """The error of one time must fall as dt^order."""
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
        errors.append(float(np.linalg.norm(run.state.dense() - exact.vector) / np.linalg.norm(exact.vector)))
    if errors[0] < 1e-11:
        return Finding(f"Trotter order {order}", PASSED, "no error: the layers commute here")
    slope = float(np.log2(errors[0] / errors[1]))
    return Finding(f"Trotter order {order}", PASSED if slope > order - 0.5 else FAILED, f"error falls as dt^{slope:.2f}")


def _tilted(generator: ChainGenerator) -> ChainState:
    """A product state that is no eigenvector of anything: identity plus a little of every direction, site by site."""
    vectors = []
    for i, space in enumerate(generator.spaces):
        vector = space.vector(np.eye(space.levels) / space.levels)
        phase = np.cos(1.0 + 0.7 * i + 1.3 * np.arange(space.dim))
        phase -= space.trace * (space.trace @ phase) / (space.trace @ space.trace)
        vectors.append(vector + 0.2 * phase / space.levels / np.linalg.norm(phase))
    return ChainState.product(vectors)


def _worst(first: dict[str, Any], second: dict[str, Any]) -> float:
    changes = [np.nanmax(np.abs(first[k] - second[k]) / max(1.0, np.nanmax(np.abs(second[k]))), initial=0.0) for k in second]
    return float(max(changes, default=0.0))
