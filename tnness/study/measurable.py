"""Tests of a model's observables: whether each can be read from any state, whole, and fits into a record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tnness.errors import ModelError, TnnessError, Unavailable
from tnness.network.dense_view import DenseView
from tnness.observables.observable import Observable
from tnness.observables.views import Estimate, Real, View
from tnness.problems.generator import ChainGenerator
from tnness.records.history import History
from tnness.records.record import unfinished_dataset
from tnness.runs.job import own_code
from tnness.study.finding import FAILED, NOTED, PASSED, Finding


def observable_findings(
    observables: Mapping[str, Observable], generator: ChainGenerator, vector: Real, name: str
) -> list[Finding]:
    """Return the failures of observables on a generic state, or their shapes.

    Parameters
    ----------
    vector: coefficients of the state. name: of the model, for the messages.
    """
    findings, values, left_out = [], dict[str, Any](), []
    for key, observable in observables.items():
        view = DenseView(vector, generator.spaces, generator.functionals)
        try:
            values[key] = _value(observable, view, name)
            told = _out_of_range(observable, generator.n) or _unfit(values[key], view, observable, generator.n)
        except Unavailable:
            left_out.append(key)
            continue
        except TnnessError as error:
            told = _out_of_range(observable, generator.n) or f"cannot be measured: {error}"
        if told:
            findings.append(Finding("observables", FAILED, f"{key!r} {told}"))
    findings = findings or [Finding("observables", FAILED, told) for told in _clashes(observables, values, name)]
    shapes = ", ".join(f"{key} {np.shape(value) or ''}".strip() for key, value in values.items())
    missing = [Finding("observables", NOTED, f"not of a density operator: {', '.join(left_out)}")] if left_out else []
    return findings or [Finding("observables", PASSED, shapes), *missing]


def not_finite(observables: Mapping[str, Observable], view: View) -> list[str]:
    """Return the names of the observables that give numbers which are not finite."""
    names = []
    for key, observable in observables.items():
        try:
            if not np.isfinite(observable(view)).all():
                names.append(key)
        except Unavailable:
            continue
    return names


def _value(observable: Observable, view: DenseView, name: str) -> Any:
    """Return what an observable measures: complex numbers are refused before they lose their imaginary part."""
    with own_code(name):
        for word in observable.needs:
            if word not in view.gives:
                raise Unavailable(view.why_not(word))
        given = observable.measure(view)
        value = np.asarray(given.value if isinstance(given, Estimate) else given)
        if np.iscomplexobj(value):
            largest = np.max(np.abs(np.imag(value)), initial=0.0)
            raise ModelError(
                f"it is complex (imaginary part {largest:.2g}), a record holds real numbers: "
                'ask for one with part="real" or part="imag"'
            )
        return observable.estimate(view).value


def _out_of_range(observable: Observable, n: int) -> str:
    """Tell of a site that does not exist."""
    if observable.sites and observable.sites[-1] >= n:
        return f"reads site {observable.sites[-1]}; the chain has sites 0 to {n - 1}"
    return ""


def _unfit(value: Any, view: DenseView, observable: Observable, n: int) -> str:
    """Tell of numbers that are not finite, and of a length that is not that of the sites."""
    if not np.isfinite(value).all():
        return f"is not finite on a generic state: {np.array2string(np.asarray(value), precision=3, threshold=6)}"
    lengths = {"site": n, "site_2": n, "bond": n - 1, "cut": n - 1}
    for dim, length in zip(observable.dims, np.shape(value), strict=True):
        if dim not in observable.coordinates and length != lengths.get(dim, length):
            return (
                f"has {length} values along {dim!r}, but the chain has {lengths[dim]}: "
                f"give their coordinates, or another name of the dimension"
            )
    return ""


def _clashes(observables: Mapping[str, Observable], values: Mapping[str, Any], name: str) -> list[str]:
    """Tell of observables that do not fit into one record."""
    first: dict[str, tuple[str, int]] = {}
    told = []
    for key, value in values.items():
        for dim, length in zip(observables[key].dims, np.shape(value), strict=True):
            other, expected = first.setdefault(dim, (key, length))
            if length != expected:
                told.append(
                    f"{key!r} has {length} values along {dim!r}, but {other!r} has {expected}: conflicting sizes"
                )
    if told or not values:
        return told
    history = History()
    history.add(math.inf, 0, {key: np.asarray(value) for key, value in values.items()})
    try:
        with own_code(name):
            unfinished_dataset(history, observables, evolution=False)
    except TnnessError as error:
        return [str(error)]
    return []
