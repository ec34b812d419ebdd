"""The functions that ask a model more than its states: `modes`, `counting`, `correlation`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from tnness.engines.ask import TOLERANCE, Ask, checked_times
from tnness.engines.beyond.correlation import Correlation
from tnness.engines.beyond.counting import Counting
from tnness.engines.beyond.modes import Modes
from tnness.engines.protocol import Engine
from tnness.model.protocol import draw, problem_of
from tnness.operators.reading import written_operator
from tnness.operators.terms import Operator
from tnness.records.record import Record
from tnness.runs.checkpoint import CHECKPOINT_EVERY, Output
from tnness.runs.job import Job, name_of
from tnness.runs.solve import chosen_engine, run, steady_state
from tnness.typed import typed

__all__ = ["correlation", "counting", "modes"]


@typed
def modes(
    model: Any,
    count: int = 4,
    *,
    engine: Engine | str | None = None,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    max_time: float | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
    progress: bool = False,
    name: str | None = None,
) -> Record:
    """Return the slowest modes of a model: rates with errors, frequencies, residuals, profiles.

    Parameters
    ----------
    count: number of modes; default 4.
    engine: `gaussian` (quadratic problems, closed form), `exact` (small chains), `tebd` and engines like it.
    tolerance: largest error of a rate, relative to it, that makes it a result; default 1e-2. Of others the record holds
        the candidate and its residual, and the rate is NaN.
    max_time: evolution time after which engine `tebd` gives up.
    others: as for `tnness.steady_state`.

    Examples
    --------
    >>> from tnness import find
    >>> record = modes(find("xx-dephasing")(n=4, dephasing=0.0), 2, engine="gaussian")
    >>> record["rate"].values.round(6).tolist()
    [0.27527, 0.27527]
    """
    ask = Ask(seed=seed, tolerance=tolerance, max_time=max_time)
    job = Job(model, name or name_of(model), chosen_engine(model, engine), ask, Modes(count=count))
    return run(job, Output(None if out is None else Path(out), overwrite, checkpoint_every), progress)


@typed
def counting(
    model: Any,
    counter: str = "left",
    *,
    largest: float = 0.5,
    points: int = 8,
    spread: bool = True,
    engine: Engine | str | None = None,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    max_time: float | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
    progress: bool = False,
    name: str | None = None,
) -> Record:
    """Return the statistics of a counter: theta(lambda), mean, noise, third cumulant, large-deviation function.

    Parameters
    ----------
    counter: name of a counter, as the model states it by `chain.jump(..., counts="left")`; or `bond:B` for the
        particles that cross bond B to the right.
    largest: largest counting field; default 0.5. points: number of fields, even; default 8.
    spread: share the field of a counter at one end among all bonds; default True.
    engine: `gaussian` (quadratic problems without dephasing), `exact` (small chains), `tebd` and engines like it.
    tolerance: relative error of theta that is asked for; default 1e-2.
    max_time: evolution time after which engine `tebd` gives up at a field.
    others: as for `tnness.steady_state`.

    Examples
    --------
    >>> from tnness import find
    >>> record = counting(find("ssep")(n=3), engine="exact")
    >>> round(float(record["mean"]), 6)  # 1 / (n + 1)
    0.25
    """
    ask = Ask(seed=seed, tolerance=tolerance, max_time=max_time)
    question = Counting(counter=counter, largest=largest, points=points, spread=spread)
    job = Job(model, name or name_of(model), chosen_engine(model, engine), ask, question)
    return run(job, Output(None if out is None else Path(out), overwrite, checkpoint_every), progress)


Operators = str | Operator | Sequence[str | Operator]
"""One operator or several, as they are or as texts such as "Z(3)"."""


@typed
def correlation(
    model: Any,
    first: Operators,
    second: Operators,
    times: Sequence[float],
    *,
    engine: Engine | str | None = None,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    atol: float | None = None,
    errors: bool = True,
    initial: Any = None,
    picture: Literal["auto", "schroedinger", "heisenberg"] = "auto",
    out: str | Path | None = None,
    overwrite: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
    progress: bool = False,
    name: str | None = None,
) -> Record:
    """Return <A(t) B(0)> in the steady state: `correlation_real`, `correlation_imag`, and less <A><B> `connected_...`.

    Parameters
    ----------
    first, second: the operators A and B, one or several, as operators or as texts ("Z(3)", "0.5*Sp(1)*Sm(2)").
    times: increasing, >= 0.
    engine: `gaussian` (quadratic problems without dephasing), `exact` (small chains), `tebd` and engines like it.
    initial: for `tebd` the steady state, as a record or the name of its file; without it, it is found first, with the
        same engine, and with `out` written beside it as NAME.steady.nc.
    picture: for `tebd`, what evolves: B rho ("schroedinger"), A ("heisenberg"), or the fewer states ("auto").
    others: as for `tnness.evolve`.

    Examples
    --------
    >>> from tnness import find
    >>> record = correlation(find("xx-dephasing")(n=3), "Z(1)", "Z(1)", [0.0, 5.0], engine="exact")
    >>> record["correlation_real"].values[:, 0, 0].round(3).tolist()  # Z^2 = 1 at first
    [1.0, 0.017]
    """
    solver = chosen_engine(model, engine)
    if initial is None and "tebd" in (solver.name, solver.like):
        steady = None if out is None else Path(out).with_suffix(".steady.nc")
        about = {"engine": solver, "seed": seed, "tolerance": tolerance, "progress": progress, "name": name}
        found = steady is not None and steady.is_file() and not overwrite
        initial = (
            Record.open(steady) if found and steady else steady_state(model, out=steady, overwrite=overwrite, **about)
        )
    elif isinstance(initial, (str, Path)):
        initial = Record.open(initial)
    ask = Ask(seed=seed, initial=initial, times=checked_times(times), tolerance=tolerance, atol=atol, errors=errors)
    spaces = problem_of(draw(model, seed), name or name_of(model)).spaces  # type: ignore[attr-defined]
    question = Correlation(first=_texts(first, spaces), second=_texts(second, spaces), picture=picture)
    job = Job(model, name or name_of(model), solver, ask, question)
    return run(job, Output(None if out is None else Path(out), overwrite, checkpoint_every), progress)


def _texts(operators: Operators, spaces: Any) -> tuple[str, ...]:
    several = [operators] if isinstance(operators, (str, Operator)) else list(operators)
    return tuple(of if isinstance(of, str) else written_operator(of, spaces) for of in several)
