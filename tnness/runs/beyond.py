"""The functions that ask a model more than its states: `modes`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tnness.engines.ask import TOLERANCE, Ask
from tnness.engines.beyond.modes import Modes
from tnness.engines.protocol import Engine
from tnness.records.record import Record
from tnness.runs.checkpoint import CHECKPOINT_EVERY, Output
from tnness.runs.job import Job, name_of
from tnness.runs.solve import chosen_engine, run
from tnness.typed import typed

__all__ = ["modes"]


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
