"""Claims: of several processes, on any number of machines, only one writes a file or computes a point.

A process claims a file by making another beside it, with its host and its number, and touches that file while it lives.
A claim lapses when its process has died; one of another machine, when it has not been touched for LAPSED seconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from tnness.errors import Interrupted
from tnness.records.files import LAPSED, temporary, write_error

HEARTBEAT = 20.0
"""Seconds between two signs of life of a claim."""


@contextlib.contextmanager
def claim(path: Path) -> Iterator[bool]:
    """Hold a claim for the duration of the block; give False if another living process, or thread, holds it.

    Raises
    ------
    RecordError: the claim cannot be written.
    """
    over = threading.Event()
    try:
        mine = _take(path)
        if mine:
            threading.Thread(target=_beat, args=(path, over), daemon=True).start()
        yield mine
    finally:
        try:
            _release(path, over)
        except Interrupted:  # a signal came during the release; it is raised only once, so release again
            _release(path, over)
            raise


def holder(path: Path) -> dict[str, Any] | None:
    """Return who holds a claim (host, pid, since); None if no living process does."""
    content = _content(path)
    return content if content is not None and _is_alive(path, content) else None


def holder_named(path: Path) -> str:
    """Return who holds a claim, in words."""
    who = holder(path)
    if who is None:
        return "another process"
    return f"process {who['pid']} on {who['host']}, since {datetime.fromtimestamp(who['since']):%Y-%m-%d %H:%M:%S}"


def _take(path: Path) -> bool:
    """Make a claim together with its content, by a link: of several processes only one can make it."""
    born = psutil.Process().create_time()
    who = {"host": socket.gethostname(), "pid": os.getpid(), "born": born, "since": time.time()}
    mine = json.dumps(who | {"thread": threading.get_ident()}).encode()
    beside = temporary(path, "new")
    try:
        beside.write_bytes(mine)
        for _ in range(2):
            try:
                os.link(beside, path)
            except FileExistsError:
                if not _remove_lapsed(path):
                    return False
            else:
                return True
    except OSError as error:
        raise write_error(f"{path} could not be written", error) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
    return False


def _remove_lapsed(path: Path) -> bool:
    """Remove the claim of a dead process; return False if the process lives, or another has claimed since.

    The file is renamed before it is removed: of two processes that see the claim lapsed only one succeeds, and a new
    claim is not removed.
    """
    content = _content(path)
    if content is not None and _is_alive(path, content):
        return False
    aside = temporary(path, "old")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return True  # it is gone: claim it
    taken = _content(aside)
    if taken is not None and taken != content:  # a new claim came in between: put it back
        with contextlib.suppress(OSError):
            os.link(aside, path)
        aside.unlink(missing_ok=True)
        return False
    aside.unlink(missing_ok=True)
    return True


def _content(path: Path) -> dict[str, Any] | None:
    """Return the content of a claim; None if it is gone or cannot be read."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    numbers = ("pid", "born", "since", "thread")
    if not isinstance(content, dict) or not {"host", *numbers} <= content.keys():
        return None
    return content if all(isinstance(content[name], (int, float)) for name in numbers) else None


def _release(path: Path, over: threading.Event) -> None:
    """Remove a claim if this thread made it."""
    over.set()
    content = _content(path)
    me = (socket.gethostname(), os.getpid(), threading.get_ident())
    if content is not None and (content["host"], content["pid"], content["thread"]) == me:
        path.unlink(missing_ok=True)


def _is_alive(path: Path, content: Mapping[str, Any]) -> bool:
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > LAPSED:
            return False
    if content["host"] != socket.gethostname():
        return True
    try:
        process = psutil.Process(int(content["pid"]))
        same = abs(process.create_time() - content["born"]) < 1  # not a later process with the same number
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.AccessDenied:
        return True
    except (psutil.Error, ValueError, OverflowError):
        return False


def _beat(path: Path, over: threading.Event) -> None:
    while not over.wait(HEARTBEAT):
        with contextlib.suppress(OSError):
            os.utime(path)
