"""How a case runs: in a forked process with bounded time and memory, in a fresh copy of the folder of the attacks."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from tnness import cli
from tnness.errors import Interrupted, TnnessError

LIMIT = 30.0
"""Seconds of processor time that a case may take: every one is a chain of two to four sites, or as small."""
WAITED = 300.0
"""Seconds after which a case counts as too long in any way, on a machine that is busy with other work."""
GRACE = 20.0
"""Seconds in which a case that takes longer must end after an interrupt; if it does not, it hangs."""
MEMORY = 6 << 30
"""Bytes that a case may ask for."""

UNSEALED = "unsealed"
"""What a command says of a file without a seal that it reads all the same."""
Outcome = tuple[str, str]
"""The kind of an answer, and its detail."""


def forked(work: Callable[[], Outcome], limit: float = LIMIT) -> Outcome:
    """Do work in a forked process, and return its outcome.

    It is `long` if it goes on after the limit and ends at an interrupt, `hang` if it does not end.
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _in_child(work, write)
    os.close(write)
    try:
        text = _answer(read, WAITED, pid, limit)
        if text is None:
            os.killpg(pid, signal.SIGINT)
            text = "hang\n" if _answer(read, GRACE) is None else "long\n"
        return _parted(text or "traceback\nthe process died")
    finally:
        os.close(read)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # what it has started, too
        os.waitpid(pid, 0)


def _in_child(work: Callable[[], Outcome], write: int) -> None:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), number)
    outcome = ("traceback", "the process ended itself")
    with contextlib.suppress(BaseException):
        outcome = work()
    os.write(write, "\n".join(outcome).encode(errors="replace")[:60_000])
    os._exit(0)


def _answer(read: int, waited: float, pid: int | None = None, limit: float = LIMIT) -> str | None:
    """Return what comes through a pipe until its end; None if the end does not come in time.

    pid, limit: of a process, and the seconds of processor time that it has.
    """
    deadline, data = time.monotonic() + waited, b""
    while (left := deadline - time.monotonic()) > 0:
        if select.select([read], [], [], min(1.0, left))[0]:
            more = os.read(read, 65_536)
            if not more:
                return data.decode(errors="replace")
            data += more
        elif pid is not None and _spent(pid) > limit:
            return None
    return None


def _spent(pid: int) -> float:
    """Return the processor time of a process."""
    try:
        return sum(psutil.Process(pid).cpu_times()[:2])
    except psutil.Error:
        return 0.0


def _parted(text: str) -> Outcome:
    kind, _, detail = text.partition("\n")
    return kind, detail


# ------------------------------------------------------------------ command lines


def line(words: list[str]) -> Outcome:
    """Call the command line in this process: `done`, `refused` in one line, or `traceback`."""
    err, out = io.StringIO(), io.StringIO()
    sys.argv = ["tnness", *words]
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("always")
        try:
            cli.main()
        except SystemExit as end:
            kind, detail = judged(end.code if isinstance(end.code, int) else 0, err.getvalue())
            return kind, detail or (UNSEALED if UNSEALED in out.getvalue() + err.getvalue() else "")
        except BaseException as error:
            return "traceback", f"{type(error).__name__}: {str(error)[:200]} {where(error)}"
    return "traceback", "the program ended without a status"


def own_process(words: list[str]) -> Outcome:
    """Call the command line in a process of its own."""
    command = [sys.executable, "-m", "tnness.cli", *words]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=WAITED, check=False, stdin=subprocess.DEVNULL, env=_environment()
        )
    except subprocess.TimeoutExpired:
        return "long", ""
    return judged(done.returncode, done.stderr.decode(errors="replace"))


def _environment() -> dict[str, str]:
    return dict(os.environ) | {"PYTHONPATH": str(Path(__file__).parents[2]), "MPLBACKEND": "Agg"}


def judged(status: int, err: str) -> Outcome:
    """Return the outcome of a command: its exit status must be one that is promised, its error one line."""
    told = [text for text in err.splitlines() if text.startswith("tnness: ")]
    if "Traceback" in err or "Warning" in err:
        return "traceback", err[-400:]
    if status == 0:
        return "done", ""
    if status in (1, 2) and (len(told) == 1 or "Usage:" in err):
        return "refused" if status == 2 else "failed", told[0] if told else ""
    return "traceback", f"status {status}: {err[-400:]}"


def where(error: BaseException) -> str:
    """Return the file and the line at which an error was raised."""
    frame, place = error.__traceback__, ""
    while frame is not None:
        place = f"({Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno})"
        frame = frame.tb_next
    return place


# ------------------------------------------------------------------ calls


def called(function: Callable[..., Any], arguments: dict[str, Any]) -> Outcome:
    """Call a function: `done`, `refused` by an error of the package in one line, or `traceback`."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            function(**arguments)
        except TnnessError as error:
            told = str(error)
            return ("refused", told) if "\n" not in told and told else ("traceback", f"not one line: {told[:200]}")
        except (Exception, Interrupted) as error:
            return "traceback", f"{type(error).__name__}: {str(error)[:200]} {where(error)}"
    if heard:
        return "traceback", f"{heard[0].category.__name__}: {heard[0].message} ({heard[0].filename}:{heard[0].lineno})"
    return "done", ""


# ------------------------------------------------------------------ folders


@contextlib.contextmanager
def fresh(folder: Path) -> Iterator[Path]:
    """Go to a copy of a folder for the duration of a block."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as copy:
        place = Path(copy) / "here"
        shutil.copytree(folder, place)
        os.chdir(place)
        try:
            yield place
        finally:
            os.chdir(before)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
