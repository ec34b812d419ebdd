"""A sweep computes every point of a grid and every realization of its disorder once, and keeps the records in a store.

Another call computes the missing points; a wider grid or more realizations add to the same store.
"""

from __future__ import annotations

import importlib.util
import logging
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tnness.digest.content import digest_of_function
from tnness.display.messages import LINES, MESSAGES, SILENCE, ready
from tnness.display.page import escaped
from tnness.engines.ask import TOLERANCE, Ask, names_of
from tnness.engines.beyond.question import Question
from tnness.engines.protocol import Engine
from tnness.errors import Doubt, InputError, Interrupted
from tnness.runs.progress import Stop, bar_class, draws_bars
from tnness.study.execution import AHEAD, Crew, Dask, Here, Local, belongs_to_script
from tnness.study.measuring import function
from tnness.study.plan import Plan, Point, Values
from tnness.study.point import Ended, Measure, Task
from tnness.study.restored import restore
from tnness.study.status import failures_html, share_html
from tnness.study.store import Failure, Store
from tnness.typed import checked, shown, typed

ATTEMPTS = 3
"""Number of times that a worker may die at a point before the point counts as failed."""
LOOK = 0.5
"""Longest time in seconds after which the sweep notices a signal to stop."""


@dataclass(frozen=True)
class Summary:
    """The state of a sweep at the end of a call. elsewhere: number of points that other processes are computing."""

    store: Path
    asked: int
    done: int
    failed: int
    elsewhere: int = 0
    damaged: tuple[Path, ...] = ()
    failures: tuple[Failure, ...] = field(default=(), repr=False)

    @property
    def complete(self) -> bool:
        """True if every point that was asked for is finished."""
        return self.done == self.asked

    def __str__(self) -> str:
        elsewhere = f", {self.elsewhere} being computed by another sweep" if self.elsewhere else ""
        return f"{self.done} of {self.asked} points done{elsewhere}, {self.failed} failed ({self.store})"

    def _repr_html_(self) -> str:
        """Return the counts, a bar, and the failures, for a notebook."""
        return f"{share_html(self.done, self.failed, self.asked)}<p>{escaped(self)}</p>{failures_html(self.failures)}"


@typed
def sweep(
    model: str | type,
    grid: Mapping[str, Sequence[Any]] | None = None,
    *,
    store: str | Path,
    parameters: Values | None = None,
    points: Sequence[Values] | None = None,
    realizations: int = 1,
    independent: Sequence[str] = (),
    seed: int = 0,
    engine: Engine | str | None = None,
    times: Sequence[float] | None = None,
    tolerance: float = TOLERANCE,
    atol: float | None = None,
    period: float | None = None,
    own_period: bool = False,
    max_time: float | None = None,
    watch: Sequence[str] = (),
    kick: bool = True,
    errors: bool = True,
    adjoint: int = 0,
    initial: str | None = None,
    question: Question | None = None,
    measure: Measure | str | None = None,
    workers: int | None = None,
    dask: str | None = None,
    task: tuple[int, int] | None = None,
    keep_states: bool = False,
    retry_failed: bool = False,
    progress: bool = False,
    accept_old: bool = False,
    known: str | Path | None = None,
) -> Summary:
    """Compute every point of a grid that the store does not hold yet.

    Parameters
    ----------
    model: a registered name, file.py:Class, or a class that workers can import.
    grid: the values on each axis, a parameter or a setting of the engine; points are their product.
    store: the folder of the sweep; made if it does not exist. parameters: those that are the same at every point.
    points: an explicit list of {axis: value} instead of a grid. realizations: of the disorder, at each point.
    independent: parameters whose different values have different disorder; along the other axes it is the same.
    seed: the root of all disorder, default 0. engine: a name, or an engine with its settings.
    times: of a time evolution; default: the steady state. tolerance, atol, period, own_period, max_time, watch, kick,
        adjoint, initial: as for `steady_state`. errors: as for `evolve`.
    question: what is asked at every point in place of the states: `Modes(...)`, `Counting(...)`, `Correlation(...)`.
    measure: a function of a `Setting`, or its name (`module:function`, `file.py:function`). The sweep keeps the Record,
        the Dataset or the numbers by name that it returns, instead of the solution. Workers must be able to import it.
    workers: processes on this machine, default one per core; 0: in this process. dask: address of a scheduler instead.
    task: (k, m): only every m-th point, beginning with the k-th, for a job array. k counts from 0.
    keep_states: keep the final states too. retry_failed: compute failed points again. progress: show a bar.
    accept_old: continue a store of an earlier format, which does not say which physics it holds; default False.
    known: a table that `collect` made of this sweep: its points are taken from there, without
        states, where the store lacks them.

    Returns
    -------
    A `Summary`; `collect` gives the numbers.

    Raises
    ------
    InputError, RecordError: nothing was computed. Interrupted: finished points are kept.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = sweep("ssep", {"n": [2, 3]}, store=folder, engine="exact", workers=0)
    ...     print(done.asked, done.complete)
    2 True
    """
    ask = Ask(
        seed=seed,
        initial=initial,
        times=times,  # type: ignore[arg-type]
        tolerance=tolerance,
        atol=atol,
        period=period,
        own_period=own_period,
        max_time=max_time,
        watch=names_of(watch),
        kick=kick,
        errors=errors,
        adjoint=adjoint,
    )
    plan = Plan(
        model=model,
        parameters=dict(parameters or {}),
        grid={str(axis): list(checked(f"axis {axis}", values, Sequence[Any])) for axis, values in (grid or {}).items()},
        points=None if points is None else [dict(point) for point in points],
        realizations=realizations,
        independent=tuple(independent),
        engine=engine,
        ask=ask,
        question=question,
        measure=_name(measure),
        measured_by=digest_of_function(measure) if callable(measure) else None,
    )
    return Sweep(
        plan,
        Store(store),
        place_of(workers, dask),
        task or (0, 1),
        retry_failed,
        progress,
        measure if callable(measure) else None,
        keep_states,
        accept_old,
        known,
    ).run()


def place_of(workers: int | None, dask: str | None) -> Here | Local | Dask:
    """Return where a sweep is computed, from the arguments of `sweep`."""
    if dask is not None:
        return Dask(dask, workers)
    return Here() if workers == 0 else Local(workers)


def _name(measure: Measure | str | None) -> str | None:
    if measure is None or isinstance(measure, str):
        return measure
    if not callable(measure):
        raise InputError(f"measure = {shown(measure)}: a function, or its name, is needed")
    module = sys.modules.get(measure.__module__)
    file = getattr(module, "__file__", None)
    name = Path(file).stem if file and measure.__module__ == "__main__" else measure.__module__
    return f"{name}:{getattr(measure, '__qualname__', type(measure).__qualname__)}"


@dataclass
class Sweep:
    """A sweep in progress; the function `sweep` explains the fields."""

    plan: Plan
    store: Store
    place: Here | Local | Dask
    task: tuple[int, int] = (0, 1)
    retry_failed: bool = False
    shown: bool = False
    measure: Measure | None = None
    keep_states: bool = False
    accept_old: bool = False
    known: str | Path | None = None
    counts: Counter[Ended] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    begun: int = 0
    idle: int = 0

    def __post_init__(self) -> None:
        first, step = self.task
        if not 0 <= first < step:
            raise InputError(f"task {first}/{step}: K/M with K from 0 to M - 1 is needed")

    def run(self) -> Summary:
        """Compute the missing points, and return the state of the sweep."""
        if self.measure is None and self.plan.measure is not None:
            function(self.plan.measure)  # refuses a function that is not there
        self.plan.check_watch()
        self.plan.check_names()
        self._check_place()
        self.plan = self.store.adopted(self.plan)
        request = self.store.register(self.plan, self.accept_old)
        for doubt in self.store.doubts(self.plan):
            self._tell(doubt)
            if not self.shown:
                warnings.warn(doubt, Doubt, stacklevel=2)
        self.store.tidy()
        points = self.store.points(request)[self.task[0] :: self.task[1]]
        finished, failures = self.store.finished(), self.store.failures()
        damaged = self.store.damaged(point for point in points if point.key in finished)
        for path in damaged:
            path.unlink(missing_ok=True)
            finished.pop(path.stem)
            self._tell(f"{path} is damaged or holds another point, and will be computed again")
        skipped = {} if self.retry_failed else failures
        missing = [p for p in points if p.key not in finished and p.key not in skipped]
        if self.known is not None and missing:
            restore(self.store, self.plan, missing, self.known)
            finished = self.store.finished()
            missing = [p for p in missing if p.key not in finished]
        if missing:
            self._compute(missing, len(points))
        return self._summary(points, damaged)

    def _check_place(self) -> None:
        """Refuse to send classes and functions of a script to workers where they cannot go by value."""
        things = (self.plan.model, type(self.plan.engine), self.measure)
        by_value = importlib.util.find_spec("cloudpickle") is not None
        if any(map(belongs_to_script, things)) and self.place != Here() and not by_value:
            raise InputError(
                "workers cannot import what a script or a notebook defines: put it into a file (file.py:Class), "
                "install 'tnness[dask]', or give workers=0"
            )

    def _summary(self, points: Sequence[Point], damaged: Sequence[Path]) -> Summary:
        finished, failures = self.store.finished(), self.store.failures()
        failed = tuple(failures[p.key] for p in points if p.key in failures and p.key not in finished)
        done = sum(point.key in finished for point in points)
        elsewhere = len(points) - done - len(failed)
        return Summary(self.store.folder, len(points), done, len(failed), elsewhere, tuple(damaged), failed)

    def _compute(self, points: Sequence[Point], asked: int) -> None:
        waiting: list[Point] = list(reversed(points))
        before = asked - len(points)
        with Stop() as stop, self._bar(asked, asked - len(points)) as bar:
            if not bar.disable:
                ready()
            while waiting:
                try:
                    with self.place.open() as crew:
                        self._announce(crew)
                        for ended in self._results(crew, waiting):
                            self._count(bar, ended)
                            if stop.requested or ended is Ended.INTERRUPTED:
                                raise Interrupted(
                                    f"interrupted with {before + sum(self.counts.values())} of {asked} points done: "
                                    "run the same command again to continue",
                                    stop.number or signal.SIGINT,
                                )
                except BrokenExecutor:
                    self._tell("a worker died; its points are computed again")
                    self._check_begun()

    def _check_begun(self) -> None:
        """Refuse to go on where workers die again and again, and have begun no point."""
        begun = sum(self.counts.values()) + sum(self.crashes.values())
        self.idle = self.idle + 1 if begun == self.begun else 0
        self.begun = begun
        if self.idle >= ATTEMPTS:
            raise InputError(
                "the workers died before they began a point: they import model, engine and measuring function by the "
                "names of their modules, which must be found from everywhere (a script that is executed calls sweep "
                "below `if __name__ == '__main__':`)"
            )

    def _results(self, crew: Crew, waiting: list[Point]) -> Iterator[Ended | None]:
        """Submit points, a few ahead of the workers, and yield how each of them ended; yield None after each wait."""
        running: dict[Future[Ended], Point] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self._most(crew, [*running.values(), waiting[-1]]):
                    point = waiting.pop()
                    running[crew.submit(self._task(point))] = point
                for future in wait(running, timeout=LOOK, return_when=FIRST_COMPLETED).done:
                    ended = future.result()
                    running.pop(future)
                    yield ended
                yield None
        except BrokenExecutor:
            waiting.extend(self._survivors(running.values()))
            raise
        finally:
            for future in running:
                future.cancel()

    def _most(self, crew: Crew, points: Sequence[Point]) -> int:
        """Return how many points may be computed at once: one, if a worker died while computing any of these."""
        return 1 if any(self.crashes[point.key] for point in points) else max(1, AHEAD * crew.width())

    def _survivors(self, points: Iterable[Point]) -> list[Point]:
        """Return the points to compute again after a worker died: all that were submitted and are not finished.

        Points that were being computed are suspect: each of them is computed alone from then on. A point that was being
        computed at ATTEMPTS deaths is the cause, and fails.
        """
        again = []
        for point in points:
            if self.store.record_path(point.key).exists():
                self.counts[Ended.DONE] += 1
                continue
            claimed = (self.store.folder / "claims" / f"{point.key}.json").exists()
            self.crashes[point.key] += claimed
            if self.crashes[point.key] < ATTEMPTS:
                again.append(point)
                continue
            text = f"its process died {ATTEMPTS} times (killed, or out of memory)"
            self.store.fail(Failure(point.key, point.values, point.realization, point.seed, text, ""))
            self.counts[Ended.FAILED] += 1
        return again

    def _task(self, point: Point) -> Callable[[], Ended]:
        return Task(self.store.folder.resolve(), self.plan, point, self.measure, self.keep_states)

    # ------------------------------------------------------------------ what is shown

    def _bar(self, total: int, done: int) -> tqdm[Any]:
        hidden = not (self.shown and draws_bars())
        return bar_class()(total=total, initial=done, desc="points", smoothing=0.05, disable=hidden)

    def _count(self, bar: tqdm[Any], ended: Ended | None) -> None:
        if ended is None or ended is Ended.INTERRUPTED:
            return
        self.counts[ended] += 1
        bar.update()
        ended_so_far = f"done {self.counts[Ended.DONE]}, failed {self.counts[Ended.FAILED]}"
        bar.set_postfix_str(ended_so_far, refresh=False)
        if bar.disable and time.monotonic() - LINES.last > SILENCE:
            self._tell(f"{bar.total} points: {ended_so_far}", logging.INFO)

    def _announce(self, crew: Crew) -> None:
        if crew.dashboard:
            self._tell(f"Dask's dashboard: {crew.dashboard}", logging.INFO)

    def _tell(self, text: str, level: int = logging.WARNING) -> None:
        if self.shown:
            MESSAGES.log(level, text)
