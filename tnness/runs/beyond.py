"""The functions that ask a model more than its states: `modes`, `counting`, `correlation`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tnness.engines.ask import TOLERANCE, Ask, checked_times
from tnness.engines.beyond.correlation import Correlation
from tnness.engines.beyond.counting import Counting
from tnness.engines.beyond.modes import Modes
from tnness.engines.beyond.question import Question
from tnness.engines.protocol import Engine
from tnness.model.protocol import draw, problem_of
from tnness.operators.reading import written_operator
from tnness.operators.terms import Operator
from tnness.records.record import Record
from tnness.runs.checkpoint import CHECKPOINT_EVERY, Output
from tnness.runs.job import Job, name_of
from tnness.runs.solve import chosen_engine, run
from tnness.typed import build_dataclass, typed

__all__ = ["correlation", "counting", "modes"]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a question is answered: the options that all of them share.

    Parameters
    ----------
    engine: an engine, its name, or None for the model's default. seed: of the disorder and of the engine.
    tolerance: relative error that is asked for; default 1e-2.
    out: file to write; an unfinished run is kept in `out` + ".part" and continued. overwrite: replace a finished one.
    checkpoint_every: seconds between checkpoints; default 60. progress: show a progress bar.
    name: the model's name for the record; default its registered name.
    """

    engine: Engine | str | None = None
    seed: int = 0
    tolerance: float = TOLERANCE
    out: str | Path | None = None
    overwrite: bool = False
    checkpoint_every: float = CHECKPOINT_EVERY
    progress: bool = False
    name: str | None = None

    def answer(self, model: Any, question: Question, **asked: Any) -> Record:
        """Run a question to a model and return the record. asked: further fields of the request."""
        ask = Ask(seed=self.seed, tolerance=self.tolerance, **asked)
        job = Job(model, self.name or name_of(model), chosen_engine(model, self.engine), ask, question)
        out = None if self.out is None else Path(self.out)
        return run(job, Output(out, self.overwrite, self.checkpoint_every), self.progress)


def _options(function: str, given: dict[str, Any]) -> RunOptions:
    return build_dataclass(RunOptions, given, f"{function}()", "option")


@typed
def modes(model: Any, count: int = 4, *, max_time: float | None = None, **options: Any) -> Record:
    """Return the slowest modes of a model: rates with errors, frequencies, residuals, profiles.

    Parameters
    ----------
    count: number of modes; default 4.
    max_time: evolution time after which engine `tebd` gives up.
    options: engine, seed, tolerance, out, overwrite, checkpoint_every, progress, name, as for `tnness.steady_state`.
        Engines are `gaussian` (quadratic problems, closed form), `exact` (small chains), `tebd` and those like it. A
        rate whose error is larger than the tolerance (default 1e-2) times itself is no result: the record holds the
        candidate and its residual, and the rate is NaN.

    Examples
    --------
    >>> from tnness import find
    >>> record = modes(find("xx-dephasing")(n=4, dephasing=0.0), 2, engine="gaussian")
    >>> record["rate"].values.round(6).tolist()
    [0.27527, 0.27527]
    """
    return _options("modes", options).answer(model, Modes(count=count), max_time=max_time)


@typed
def counting(
    model: Any,
    counter: str = "left",
    *,
    largest: float = 0.5,
    points: int = 8,
    spread: bool = True,
    max_time: float | None = None,
    **options: Any,
) -> Record:
    """Return the statistics of a counter: theta(lambda), mean, noise, third cumulant, large-deviation function.

    Parameters
    ----------
    counter: name of a counter, as the model states it by `chain.jump(..., counts="left")`; or `bond:B` for the
        particles that cross bond B to the right.
    largest: largest counting field; default 0.5. points: number of fields, even; default 8.
    spread: share the field of a counter at one end among all bonds; default True.
    max_time: evolution time after which engine `tebd` gives up at a field.
    options: engine, seed, tolerance, out, overwrite, checkpoint_every, progress, name, as for `tnness.steady_state`.
        Engines are `gaussian` (quadratic problems without dephasing), `exact` (small chains), `tebd` and those like
        it. The tolerance is the relative error of theta.

    Examples
    --------
    >>> from tnness import find
    >>> record = counting(find("ssep")(n=3), engine="exact")
    >>> round(float(record["mean"]), 6)  # 1 / (n + 1)
    0.25
    """
    question = Counting(counter=counter, largest=largest, points=points, spread=spread)
    return _options("counting", options).answer(model, question, max_time=max_time)


Operators = str | Operator | Sequence[str | Operator]
"""One operator or several, as they are or as texts such as "Z(3)"."""


@typed
def correlation(
    model: Any,
    first: Operators,
    second: Operators,
    times: Sequence[float],
    *,
    atol: float | None = None,
    errors: bool = True,
    initial: Any = None,
    picture: Literal["auto", "schroedinger", "heisenberg"] = "auto",
    **options: Any,
) -> Record:
    """Return <A(t) B(0)> in the steady state: `correlation_real`, `correlation_imag`, and less <A><B> `connected_...`.

    Parameters
    ----------
    first, second: the operators A and B, one or several, as operators or as texts ("Z(3)", "0.5*Sp(1)*Sm(2)").
    times: increasing, >= 0.
    atol, errors: as for `tnness.evolve`.
    initial: for `tebd` the steady state, as a record or the name of its file; without it, it is found first, with the
        same engine, and with `out` written beside it as NAME.steady.nc.
    picture: for `tebd`, what evolves: B rho ("schroedinger"), A ("heisenberg"), or the fewer states ("auto").
    options: engine, seed, tolerance, out, overwrite, checkpoint_every, progress, name, as for `tnness.evolve`. Engines
        are `gaussian` (quadratic problems without dephasing), `exact` (small chains), `tebd` and those like it.

    Examples
    --------
    >>> from tnness import find
    >>> record = correlation(find("xx-dephasing")(n=3), "Z(1)", "Z(1)", [0.0, 5.0], engine="exact")
    >>> record["correlation_real"].values[:, 0, 0].round(3).tolist()  # Z^2 = 1 at first
    [1.0, 0.017]
    """
    run_options = _options("correlation", options)
    spaces = problem_of(draw(model, run_options.seed), run_options.name or name_of(model)).spaces  # type: ignore[attr-defined]
    question = Correlation(first=_texts(first, spaces), second=_texts(second, spaces), picture=picture)
    initial = Record.open(initial) if isinstance(initial, (str, Path)) else initial
    asked = {"initial": initial, "times": checked_times(times), "atol": atol, "errors": errors}
    return run_options.answer(model, question, **asked)


def _texts(operators: Operators, spaces: Any) -> tuple[str, ...]:
    several = [operators] if isinstance(operators, (str, Operator)) else list(operators)
    return tuple(of if isinstance(of, str) else written_operator(of, spaces) for of in several)
