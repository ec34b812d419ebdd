"""Places that compute the points of a sweep: this process, a pool of processes, or Dask on any number of machines.

`open` gives the workers of a place for the duration of a sweep. A pool's processes have one BLAS thread each, set
before NumPy loads; they end with the process that started them.
"""

from __future__ import annotations

import contextlib
import copyreg
import dataclasses
import importlib.util
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from tnness.errors import InputError, Interrupted
from tnness.runs.progress import HANGUP

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
AHEAD = 2
"""Points that are submitted at once per worker, so that no worker waits for its next point."""


ANSWER = 20.0
"""Seconds to wait for a Dask scheduler."""


Work = Callable[[], Any]


@dataclass(frozen=True)
class Crew:
    """Workers that are ready.

    submit: gives work to one of them. width: returns their present number. dashboard: address of a page that shows
    them, or empty.
    """

    submit: Callable[[Work], Future[Any]]
    width: Callable[[], int]
    dashboard: str = ""


@dataclass(frozen=True)
class Here:
    """This process alone: work is done when it is submitted."""

    @contextlib.contextmanager
    def open(self) -> Iterator[Crew]:
        """Give this process as the only worker."""
        yield Crew(_at_once, lambda: 1)


def _at_once(work: Work) -> Future[Any]:
    future: Future[Any] = Future()
    try:
        future.set_result(work())
    except Exception as error:
        future.set_exception(error)
    return future


MOST_WORKERS = 1000
"""Most processes of a pool on one machine."""


@dataclass(frozen=True)
class Local:
    """A pool of processes on this machine. workers: how many; default: one per core that this process may use."""

    workers: int | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and (isinstance(self.workers, bool) or not 1 <= self.workers <= MOST_WORKERS):
            raise InputError(f"workers = {self.workers!r}: 1 to {MOST_WORKERS} processes are possible")

    @contextlib.contextmanager
    def open(self) -> Iterator[Crew]:
        """Start the pool; if the sweep is cut short, tell its processes to stop."""
        count = self.workers or cores()
        context = multiprocessing.get_context("spawn")  # a forked BLAS may hang
        before = set(multiprocessing.active_children())
        with _environment(dict.fromkeys(THREADS, "1")):
            stopped = context.Event()
            pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(stopped,))
            pack = _packed if importlib.util.find_spec("cloudpickle") else _as_it_is

            def submit(work: Work) -> Future[Any]:
                with _main_hidden() if pack is _packed else contextlib.nullcontext():
                    return pool.submit(_unless_stopped, pack(work))

            try:
                yield Crew(submit, lambda: count)
            except BaseException:
                stopped.set()
                for process in set(multiprocessing.active_children()) - before:
                    process.terminate()  # a run that gets this signal stops between two steps
                raise
            finally:
                pool.shutdown(cancel_futures=True)


def cores() -> int:
    """Return how many cores this process may use, or, where the system does not tell, as macOS, how many there are."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


@dataclass(frozen=True)
class Packed:
    """Work as bytes, in which classes and functions of a script or a notebook go by value."""

    content: bytes

    def __call__(self) -> Any:
        """Do the work."""
        import cloudpickle

        try:
            work = cloudpickle.loads(self.content)
        except ImportError as error:
            raise InputError(
                f"a worker cannot load what it is to compute ({error}): the modules of model, engine and measuring "
                "function must be found from everywhere"
            ) from error
        return work()


def _packed(work: Work) -> Work:
    import cloudpickle

    # a class that goes by value takes its fields with it, and the marks in them are compared by identity
    copyreg.pickle(type(dataclasses.MISSING), lambda mark: "MISSING")
    copyreg.pickle(dataclasses._FIELD_BASE, lambda mark: mark.name)  # type: ignore[attr-defined]
    try:
        return Packed(cloudpickle.dumps(work))
    except Exception as error:
        raise InputError(
            f"the model, its engine or the measuring function cannot be sent to workers ({error}): put them into a "
            "file, or give workers=0"
        ) from None


def _as_it_is(work: Work) -> Work:
    return work


def belongs_to_script(thing: Any) -> bool:
    """True for a class or a function of a script or a notebook, which workers cannot import."""
    return getattr(thing, "__module__", None) == "__main__"


@contextlib.contextmanager
def _main_hidden() -> Iterator[None]:
    """Keep a new process from executing the user's script once more: all that it needs is sent to it."""
    main = sys.modules["__main__"]
    kept = {name: vars(main).pop(name) for name in ("__file__", "__spec__") if name in vars(main)}
    main.__spec__ = None
    try:
        yield
    finally:
        vars(main).update(kept)


@dataclass(frozen=True)
class Dask:
    """Dask workers, which must see the store's folder under the same path as this machine.

    address: of a scheduler (tcp://host:8786), or "slurm": a cluster by dask-jobqueue as its configuration file says.
    jobs: how many SLURM jobs to ask for.
    """

    address: str
    jobs: int | None = None

    @contextlib.contextmanager
    def open(self) -> Iterator[Crew]:
        """Connect to the scheduler, and disconnect at the end; a SLURM cluster that was started here ends too."""
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


# State of a pool's process: an event that is set when the sweep is cut short; whether the process is working; whether a
# signal has asked it to stop.
_stopped: Any = None
_working = False
_signalled = False


def _begin(stopped: Any) -> None:
    """Prepare a pool's process: it ignores Ctrl-C, which the sweep handles, and ends with the sweep's process."""
    global _stopped
    _stopped = stopped
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _interrupt)
    if HANGUP is not None and signal.getsignal(HANGUP) is not signal.SIG_IGN:
        signal.signal(HANGUP, _interrupt)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _unless_stopped(work: Work) -> Any:
    """Do the work, unless the sweep was stopped before it begins."""
    global _working
    if _stopped is not None and _stopped.is_set():
        raise Interrupted("the sweep was stopped")
    _working = True
    try:
        return work()
    finally:
        _working = False
        if _signalled:
            os._exit(1)


def _interrupt(number: int, frame: Any) -> None:
    """End the process: at once if it is idle, else by an interrupt of its work, once, so that it can clean up."""
    global _signalled
    if not _working:
        os._exit(1)
    if not _signalled:
        _signalled = True
        raise Interrupted("told to stop", number)


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
