"""Where the points of a sweep are computed: here, in a pool of processes, or by Dask on any number of machines.

Each is a `concurrent.futures.Executor`, opened for the time of a sweep. A pool's processes have one BLAS thread each,
set before NumPy loads; they end with the process that started them.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from tnness.errors import InputError, Interrupted

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
AHEAD = 2
"""Points handed out ahead, per worker, so that none waits for the next."""


ANSWER = 20.0
"""Seconds to wait for a Dask scheduler."""


Work = Callable[[], Any]


@dataclass(frozen=True)
class Crew:
    """Workers, ready.

    submit: hands work to one of them. width: their present number. dashboard: a page that shows them, if there is one.
    """

    submit: Callable[[Work], Future[Any]]
    width: Callable[[], int]
    dashboard: str = ""


@dataclass(frozen=True)
class Here:
    """Computes in this process, at once."""

    @contextlib.contextmanager
    def open(self) -> Iterator[Crew]:
        """Give this process."""
        yield Crew(_at_once, lambda: 1)


def _at_once(work: Work) -> Future[Any]:
    future: Future[Any] = Future()
    try:
        future.set_result(work())
    except Exception as error:
        future.set_exception(error)
    return future


@dataclass(frozen=True)
class Local:
    """A pool of processes on this machine. workers: how many; default: one per core that this process may use."""

    workers: int | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and (isinstance(self.workers, bool) or self.workers < 1):
            raise InputError(f"workers = {self.workers!r}: at least 1 is needed")

    @contextlib.contextmanager
    def open(self) -> Iterator[Crew]:
        """Start the pool; where the sweep is cut short, tell its processes to stop what they do."""
        count = self.workers or len(os.sched_getaffinity(0))
        context = multiprocessing.get_context("spawn")  # a forked BLAS may hang
        before = set(multiprocessing.active_children())
        with _environment(dict.fromkeys(THREADS, "1")):
            stopped = context.Event()
            pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(stopped,))
            try:
                yield Crew(lambda work: pool.submit(_unless_stopped, work), lambda: count)
            except BaseException:
                stopped.set()
                for process in set(multiprocessing.active_children()) - before:
                    process.terminate()  # a run that is told so stops between two steps
                raise
            finally:
                pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class Dask:
    """Dask workers, which share this machine's view of the store's folder.

    address: of a scheduler (tcp://host:8786), or "slurm": a cluster by dask-jobqueue as its configuration file says.
    jobs: how many SLURM jobs to ask for.
    """

    address: str
    jobs: int | None = None

    @contextlib.contextmanager
    def open(self) -> Iterator[Crew]:
        """Connect, and let go on the way out; a SLURM cluster that was started here ends."""
        try:
            import distributed
        except ImportError:
            raise InputError("--dask needs Dask: pip install 'tnness[dask]'") from None
        with contextlib.ExitStack() as stack:
            target: Any = self.address
            if self.address == "slurm":
                target = stack.enter_context(_slurm(self.jobs))
            try:
                client = stack.enter_context(distributed.Client(target, timeout=ANSWER))
            except (OSError, ValueError) as error:
                raise InputError(f"no Dask scheduler answers at {self.address}: {error}") from None
            executor = client.get_executor(pure=False, retries=2)
            stack.callback(executor.shutdown, wait=False)
            yield Crew(executor.submit, lambda: _threads(client), client.dashboard_link or "")


def _threads(client: Any) -> int:
    return sum(client.nthreads().values())


def _slurm(jobs: int | None) -> Any:
    try:
        from dask_jobqueue.slurm import SLURMCluster
    except ImportError:
        raise InputError("--dask slurm needs dask-jobqueue: pip install 'tnness[dask]'") from None
    cluster = SLURMCluster()
    cluster.scale(jobs=jobs or 1)
    return cluster


# of a pool's process: the event that tells that the sweep was cut short; whether it works; whether it was told to stop
_stopped: Any = None
_working = False
_told = False


def _begin(stopped: Any) -> None:
    """Prepare a pool's process: an interrupt from the terminal is the sweep's to handle; end when the sweep ends."""
    global _stopped
    _stopped = stopped
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _interrupt)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _unless_stopped(work: Work) -> Any:
    """Do the work; what was handed out ahead of a stop is not begun."""
    global _working
    if _stopped is not None and _stopped.is_set():
        raise Interrupted("the sweep was stopped")
    _working = True
    try:
        return work()
    finally:
        _working = False
        if _told:
            os._exit(1)


def _interrupt(number: int, frame: Any) -> None:
    """End: at once where nothing is being done, else by way of all that has to be put in order, undisturbed."""
    global _told
    if not _working:
        os._exit(1)
    if not _told:
        _told = True
        raise Interrupted("told to stop")


def _follow(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
