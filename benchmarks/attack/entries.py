"""The public calls of the package with arguments that are right, and the values that are wrong for most of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

import tnness
from tnness import Record, bit
from tnness import spin_half as s
from tnness.engines.registry import ENGINES
from tnness.study.figure import plot
from tnness.study.verify import verify
from tnness.typed import field_types


@dataclass(frozen=True)
class Entry:
    """A public call. function: what is called; right: arguments by name that are right; names: of all arguments."""

    function: Callable[..., Any]
    right: Mapping[str, Any]
    names: tuple[str, ...]


PASSIVE = frozenset(
    {
        *("Engine", "Rule", "Run", "View"),  # what a user derives from
        *("InputError", "Interrupted", "ModelError", "NumericalError", "RecordError", "TnnessError", "Unavailable"),
        *("bit", "electron", "spin_half", "spin_one", "spinless", "tj"),  # objects
        *("models",),  # without arguments
        *("Report", "Start", "Certificate", "Snapshot", "Estimate"),  # what engines and the package pass on
    }
)
"""Names of the package that are no calls of a user."""


def wrong_values() -> list[Any]:
    """Return values that no function, or not every function, takes."""
    chain = tnness.find("xxz-driven")(n=2).problem()
    return [
        *(None, True, -1, 0, 1, 3, 2.5, 1e300, -1e300, 1e-320, 10**30, float("nan"), float("inf"), 1j, np.float64(2)),
        *("", "x", "\0", "a" * 5000, "\ud800", b"x", "r.nc", "s", "tebd", "z", "1", "none/x.nc"),
        *([], [1], [1, 2], [-1.0], ["a"], [None], [[1], [2, 3]], (), (2,), {}, {"a": 1}, {"chi": 8}, {1: 2}, set()),
        *(object(), np.ones(3), np.ones((2, 2)), np.array("x"), np.array(None), np.array([]), np.eye(2) * 1j),
        *(np.array([1, np.nan]), np.ones((2, 2, 2)), 1e9, 10**9, range(3), range(10**12), Ellipsis, NotImplemented),
        *(tnness.TEBD, tnness.TEBD(chi=2), tnness.find("ssep"), tnness.find("ssep")(n=2), lambda *given: 1, len, print),
        *(s, s.Z, s.Z(0), s.Z(0) * s.Z(1), s.Z(10**9), chain, [s], [s, s.Z], xr.Dataset(), xr.DataArray([1.0])),
        *(np.array([None, 1], dtype=object), [[[1], [2, 3]]], [np.ones((1, 4, 1)), None], "ground:" + "9" * 5000),
        *([[[[]]]], tnness.Changes(), tnness.Ask(), tnness.Truncation(chi=2), tnness.identity_state([s])),
        *(
            Record.open("r.nc"),
            {"z": tnness.expectation(s.Z(0))},
            (x for x in [1]),
            iter(()),
            Exception("x"),
            int,
            slice(1),
        ),
    ]


def entries() -> dict[str, Entry]:
    """Return the public calls by name."""
    found = {name: _entry(getattr(tnness, name), right) for name, right in _calls().items()}
    found |= {name: _entry(function, right) for name, (function, right) in _methods().items()}
    found |= dict(_engines())
    found["plot"] = _entry(plot, {"path": "r.nc", "out": "x.png"})
    found["verify"] = _entry(verify, {"path": "r.nc"})
    return found


def _entry(function: Callable[..., Any], right: Mapping[str, Any]) -> Entry:
    from inspect import Parameter, signature

    variadic = (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
    return Entry(
        function, right, tuple(p.name for p in signature(function).parameters.values() if p.kind not in variadic)
    )


def _calls() -> dict[str, dict[str, Any]]:
    model, state = tnness.find("ssep")(n=2), tnness.identity_state([s, s])
    chain = tnness.find("xxz-driven")(n=2).problem()
    hopping = tnness.find("noisy-anderson")(n=4, potential=(0.1, 0.2, 0.3, 0.4), initial="neel")
    circuit = tnness.find("random-circuit")(n=4).problem()
    zeros = [np.zeros((4, 4))] * 2
    two = {"spaces": [s, s]}
    plain = ("Ask", "Changes", "TEBD", "TDVP", "Exact", "Accelerated", "Truncation", "Modes", "Counting")
    return {
        "steady_state": {"model": model, "engine": "exact"},
        "evolve": {"model": model, "times": [0.0, 0.1], "engine": "exact"},
        "extend": {"path": "r.nc", "changes": tnness.Changes({"chi": 3}), "out": "x.nc", "overwrite": True},
        "sweep": {"model": "ssep", "grid": {"n": [2]}, "store": "new", "engine": "exact", "workers": 0},
        "collect": {"folder": "s"},
        "status": {"folder": "s"},
        "converge": {"model": model, "chi": [2, 4], "max_time": 2.0},
        "check": {"model": model},
        "find": {"name": "ssep"},
        "identity_state": two,
        "product_state": {**two, "matrices": [np.eye(2) / 2] * 2},
        "thermal_state": {"lindbladian": chain, "beta": 0.1},
        "density_from_pure": {**two, "pure": tnness.ChainState.product([[1.0, 0.0]] * 2)},
        "to_quimb": {"source": state},
        "to_tenpy": {"state": state},
        "from_quimb": {"mps": tnness.to_quimb(state)},
        "from_tenpy": {"psi": tnness.to_tenpy(state)},
        "ground_state": {"problem": hopping.problem(), "particles": 2, "chi": 4},
        "ground_energy": {"problem": hopping.problem(), "particles": 2},
        "local_temperature": {"rho": np.eye(2) / 2, "hamiltonian": np.diag([1.0, -1.0])},
        **{name: {"cutoff" if name == "boson" else "twice" if name == "spin" else "d": 2} for name in SPACES},
        "Piecewise": {"pieces": {0.0: 1.0, 0.5: 2.0}, "period": 1.0},
        "modes": {"model": model, "engine": "exact", "count": 1},
        "counting": {"model": model, "engine": "exact", "points": 2},
        "correlation": {
            "model": model,
            "first": [bit.N(0)],
            "second": [bit.N(1)],
            "times": [0.0, 0.1],
            "engine": "exact",
        },
        "Correlation": {"first": ("N(0)",), "second": ("N(1)",)},
        "spectrum": {"times": [0.0, 0.1, 0.2], "values": np.ones(3), "frequencies": [0.0, 1.0]},
        "cutoff_weight": {"spaces": [s, s]},
        "charge_distribution": {"operator": s.Sz, "sites": [0, 1]},
        "structure_factor": {"operator": s.Z, "momenta": [0.0, 1.0]},
        "renyi2_of_sites": {"sites": [0]},
        "logarithmic_negativity": {"first": [0], "second": [1]},
        "transposed_moment": {"first": [0], "second": [1]},
        "composite": {"parts": (s, s)},
        "quantum_space": {"name": "own", "operators": {"Z": np.diag([1.0, -1.0])}},
        "LocalSpace": {"name": "own", "elements": s.elements, "operators": {}},
        "LocalOperator": {"name": "own", "matrix": np.eye(4)},
        "Operator": {"terms": s.Z(0).terms},
        "expectation": {"operators": s.Z(0)},
        "two_point": {"first": s.Z, "second": s.Z},
        "operator_entanglement": {"monitored": False},
        "purity": {"monitored": False},
        "renyi2_entropy": {"monitored": False},
        "renyi2_mutual_information": {"monitored": False},
        "Observable": {"measure": len},
        "total": {"operators": [s.Z(0)]},
        "string": {"operator": s.Z, "sites": [0, 1]},
        "power_law_sum": {"first": s.Z, "second": s.Z, "sites": 3, "alpha": 2.0},
        "ladder": {"rungs": 2},
        "periodic": {"n": 4},
        "Lindbladian": two,
        "Circuit": {"spaces": circuit.spaces, "gates": circuit.gates},
        "ChainGenerator": {**two, "site_terms": zeros, "bond_terms": [np.zeros((16, 16))]},
        "ChainState": {"tensors": state.tensors},
        "FactorisedHopping": {"couplings": np.ones(3), "initial": np.array([1.0, 0, 0])},
        "Record": {"dataset": Record.open("r.nc").dataset},
        **{name: {} for name in plain},
        "register": {"name": "attack"},
        "register_engine": {"name": "attack"},
        "register_truncation": {"name": "attack"},
    }


SPACES = ("boson", "clock", "spin", "levels", "classical")


def _methods() -> dict[str, tuple[Callable[..., Any], dict[str, Any]]]:
    """Return methods that users call."""
    chain = tnness.Lindbladian([s] * 2)
    record = Record.open("r.nc")
    return {
        "Lindbladian.hamiltonian": (chain.hamiltonian, {"operator": s.Z(0)}),
        "Lindbladian.jump": (chain.jump, {"operator": s.Sm(0)}),
        "Record.open": (Record.open, {"path": "r.nc"}),
        "Record.save": (record.save, {"path": "x.nc"}),
        "LocalOperator.site": (s.Z.__call__, {"site": 0}),
        "Operator.times": (lambda other: s.Z(0) * other, {"other": s.Z(1)}),
        "Operator.plus": (lambda other: s.Z(0) + other, {"other": s.Z(1)}),
        "register.model": (tnness.register("attacked"), {"cls": tnness.find("ssep")}),
        "register.engine": (tnness.register_engine("attacked"), {"cls": tnness.TEBD}),
        "register.truncation": (tnness.register_truncation("attacked"), {"method": len}),
        **{f"model.{name}": (tnness.find(name), {"n": 3}) for name in ("ssep", "xxz-driven", "random-circuit")},
        "model.anderson-wire": (tnness.find("anderson-wire"), {"size": 2, "length": 2}),
        "model.noisy-anderson": (tnness.find("noisy-anderson"), {"n": 4}),
    }


def _engines() -> Iterator[tuple[str, Entry]]:
    """Yield every engine: its settings, built and used for a small model that it serves."""
    served = {
        "transfer": tnness.find("anderson-wire")(size=2, length=2),
        "spectral": tnness.find("hopping-master-equation")(n=6),
        "gaussian": tnness.find("xx-dephasing")(n=3),
        "trajectories": tnness.find("noisy-anderson")(n=4),
    }
    for name, cls in ENGINES.items():
        if cls.__module__.startswith("tnness."):
            model = served.get(name, tnness.find("xxz-driven")(n=3))
            yield f"engine.{name}", Entry(_solves(cls, model, name), {}, tuple(field_types(cls)))


def _solves(cls: type, model: Any, name: str) -> Callable[..., Any]:
    def solve(**settings: Any) -> Any:
        engine = cls(**settings)
        if name == "trajectories":
            return tnness.evolve(model, [0.0, 0.5], engine=engine)
        return tnness.steady_state(model, engine=engine, max_time=1.0)

    return solve
