"""The store of a sweep: a folder that any number of processes, on any number of machines, may fill at once.

    sweep.json          what all points share; written once, never changed
    requests/HASH.json  a grid that was asked for: its points and how many realizations
    points/KE/KEY.nc    one sealed record per finished point, named by the hash of what determines it
    failed/KEY.json     the error of a point that failed, with its traceback
    claims/KEY.json     who is computing a point; touched while they live

Every file is written beside its place and renamed, so that a reader sees it whole or not at all. Nothing is locked: a
claim is made by creating its file, and lapses with the process that holds it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from tnness.errors import Interrupted, RecordError
from tnness.model.protocol import UNKNOWN
from tnness.records.files import is_sealed, write_whole
from tnness.records.old import upgraded
from tnness.runs.job import differences
from tnness.study.plan import GridPoint, Plan, Point, Reference, canonical

FORMAT = "tnness-sweep-2"
OLD = ("tnness-sweep-1",)
"""Formats that are read: they do not say which physics they hold."""
HEARTBEAT = 20.0
"""Seconds between two signs of life of a claim."""
LAPSED = 300.0
"""Seconds without a sign of life after which a claim of another machine is void."""


@dataclass(frozen=True)
class Request:
    """A grid that was asked for, with so many realizations of the disorder at each of its points."""

    points: tuple[GridPoint, ...]
    realizations: int


@dataclass(frozen=True)
class Failure:
    """A point that failed: what it was, why, and how often it was tried."""

    key: str
    values: dict[str, Any]
    realization: int
    seed: int
    error: str
    traceback: str
    attempts: int = 1


class Store:
    """The folder of a sweep.

    Parameters
    ----------
    folder: where it is. It is made by `register`; `open` asks for one that is there.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @classmethod
    def open(cls, folder: str | Path) -> Store:
        """Return the store of a sweep that was begun.

        Raises
        ------
        RecordError: there is none at this place, or it is damaged.
        """
        store = cls(folder)
        _ = store.base
        return store

    # ------------------------------------------------------------------ what was asked for

    def register(self, plan: Plan, accept_old: bool = False) -> Request:
        """Keep a plan, and return its request. accept_old: also in a store that does not say which physics it holds.

        Raises
        ------
        RecordError: the store belongs to a sweep with other settings or other physics, or cannot be written.
        """
        base = json.loads(json.dumps(plan.base))
        try:
            for name in ("requests", "points", "failed", "claims"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordError(f"the store {self.folder} cannot be made: {error.strerror or error}") from error
        if not (self.folder / "sweep.json").exists():
            about = {"format": FORMAT, "reference": asdict(plan.reference())}
            write_whole(self.folder / "sweep.json", _json(about | base))
        changed = differences(self.base, base)
        if changed:
            raise RecordError(f"the store {self.folder} holds a sweep with other settings: {'; '.join(changed)}")
        self._check_physics(plan, accept_old)
        request = Request(self._known(plan.grid_points()), plan.realizations)
        content = _json(asdict(request))
        name = hashlib.sha256(content).hexdigest()[:16]
        if not (self.folder / "requests" / f"{name}.json").exists():
            write_whole(self.folder / "requests" / f"{name}.json", content)
        return request

    def _check_physics(self, plan: Plan, accept_old: bool) -> None:
        known = self.reference
        if known is None and not accept_old:
            raise RecordError(
                f"the store {self.folder} is of an earlier format, which does not say which physics it holds: "
                "--accept-old continues it all the same"
            )
        if known is None:
            return
        own = plan.reference_at(known.values)
        if UNKNOWN not in (known.physics, own.physics) and known.physics != own.physics:
            raise RecordError(
                f"the store {self.folder} holds a sweep of other physics: what model {plan.name!r} states at "
                f"{canonical(known.values)} is not what it was (its file or its package has changed)"
            )

    def doubts(self, plan: Plan) -> list[str]:
        """Return in words what may have changed since the store was begun: the function that measures."""
        known = self.reference
        own = plan.reference_at(known.values).measure if known is not None else None
        if known is None or own is None or known.measure is None or own == known.measure:
            return []
        if own.partition(":")[0] != known.measure.partition(":")[0]:
            return []  # another version of Python: nothing is known
        return [f"the code of {plan.measure} has changed since the store was begun"]

    def _known(self, points: list[GridPoint]) -> tuple[GridPoint, ...]:
        """Return points of the grid; in a store of an earlier format under the names that they have there."""
        if self.reference is not None:
            return tuple(points)
        named = {canonical(point.values): point for request in self.requests() for point in request.points}
        return tuple(named.get(canonical(point.values), point) for point in points)

    @property
    def reference(self) -> Reference | None:
        """What the first point states; None in a store of an earlier format."""
        content = _read_json(self.folder / "sweep.json", f"there is no sweep in {self.folder}")
        return Reference(**content["reference"]) if "reference" in content else None

    @property
    def base(self) -> dict[str, Any]:
        """What all points share."""
        content = _read_json(self.folder / "sweep.json", f"there is no sweep in {self.folder}")
        written = content.pop("format", None)
        if written not in (FORMAT, *OLD):
            raise RecordError(f"{self.folder / 'sweep.json'} is not the manifest of a sweep")
        content.pop("reference", None)
        return upgraded(content) if written in OLD else content

    def requests(self) -> list[Request]:
        """Return all that was asked for, oldest first."""
        files = sorted((self.folder / "requests").glob("*.json"), key=lambda file: file.stat().st_mtime)
        found = []
        for file in files:
            content = _read_json(file, f"{file} is gone")
            points = tuple(GridPoint(p["values"], p["identity"], tuple(p["disorder"])) for p in content["points"])
            found.append(Request(points, content["realizations"]))
        return found

    def points(self, request: Request | None = None) -> list[Point]:
        """Return every point of a request (default: of all), once, the realizations outermost.

        So a sweep that is not finished has fewer realizations everywhere, instead of none somewhere.
        """
        root, found = self.base["root_seed"], dict[str, Point]()
        for each in self.requests() if request is None else [request]:
            for realization in range(each.realizations):
                for grid_point in each.points:
                    point = grid_point.point(root, realization)
                    found.setdefault(point.key, point)
        return list(found.values())

    # ------------------------------------------------------------------ what is there

    def record_path(self, key: str) -> Path:
        """Return where a finished point is kept."""
        return self.folder / "points" / key[:2] / f"{key}.nc"

    def finished(self) -> dict[str, float]:
        """Return the keys of all finished points, with the time at which each was finished."""
        found = {}
        for part in _entries(self.folder / "points"):
            if part.is_dir():
                for entry in _entries(part.path):
                    if entry.name.endswith(".nc") and not entry.name.startswith("."):
                        found[entry.name.removesuffix(".nc")] = entry.stat().st_mtime
        return found

    def damaged(self, keys: Iterator[str] | list[str]) -> list[Path]:
        """Return the records, of these finished points, that are cut short or changed."""
        paths = (self.record_path(key) for key in keys)
        return [path for path in paths if path.exists() and not is_sealed(path.read_bytes())]

    def failures(self) -> dict[str, Failure]:
        """Return the points that failed, by key."""
        found = {}
        for entry in _entries(self.folder / "failed"):
            if entry.name.endswith(".json") and not entry.name.startswith("."):
                with contextlib.suppress(RecordError, TypeError):  # of a reader while it is removed
                    failure = Failure(**_read_json(Path(entry.path), "gone"))
                    found[failure.key] = failure
        return found

    def running(self) -> dict[str, dict[str, Any]]:
        """Return the claims of living processes, by key: who, and since when."""
        found = {}
        for entry in _entries(self.folder / "claims"):
            if entry.name.endswith(".json"):
                claim = _claim(Path(entry.path))
                if claim is not None and _is_alive(Path(entry.path), claim):
                    found[entry.name.removesuffix(".json")] = claim
        return found

    # ------------------------------------------------------------------ what a worker writes

    def keep(self, key: str, content: bytes) -> None:
        """Write the record of a finished point; it is no failure any more."""
        path = self.record_path(key)
        _make_folder(path.parent)
        write_whole(path, content)
        (self.folder / "failed" / f"{key}.json").unlink(missing_ok=True)

    def fail(self, failure: Failure) -> None:
        """Keep the error of a point."""
        path = self.folder / "failed" / f"{failure.key}.json"
        before = 0
        if path.exists():
            with contextlib.suppress(RecordError):
                before = int(_read_json(path, "gone")["attempts"])
        write_whole(path, _json(asdict(failure) | {"attempts": before + 1}))

    @contextlib.contextmanager
    def claim(self, key: str) -> Iterator[bool]:
        """Claim a point for the time of the block; False where another process that lives has it."""
        path = self.folder / "claims" / f"{key}.json"
        over = threading.Event()
        try:
            mine = _take(path)
            if mine:
                threading.Thread(target=_beat, args=(path, over), daemon=True).start()
            yield mine
        finally:
            try:
                _release(path, over)
            except Interrupted:  # told to stop at this very moment: that is said once
                _release(path, over)
                raise


def _take(path: Path) -> bool:
    """Make a claim, with its content at once: a link is there or not, and only one can be made."""
    born = psutil.Process().create_time()
    who = {"host": socket.gethostname(), "pid": os.getpid(), "born": born, "since": time.time()}
    mine = _json(who | {"thread": threading.get_ident()})
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.new")
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
        raise RecordError(f"the store cannot be written: {error.strerror or error} ({path})") from error
    finally:
        beside.unlink(missing_ok=True)
    return False


def _remove_lapsed(path: Path) -> bool:
    """Take away the claim of a process that is gone; False where it lives, or another was quicker.

    It is renamed before it is removed: of two that see it lapsed, one succeeds, and no new claim is taken away.
    """
    claim = _claim(path)
    if claim is not None and _is_alive(path, claim):
        return False
    aside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return True  # it is gone: claim it
    taken = _claim(aside)
    if taken is not None and taken != claim:  # a new claim came in between: put it back
        with contextlib.suppress(OSError):
            os.link(aside, path)
        aside.unlink(missing_ok=True)
        return False
    aside.unlink(missing_ok=True)
    return True


def _claim(path: Path) -> dict[str, Any] | None:
    """Return who holds a claim; None where it is gone or cannot be read."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return (
        content if isinstance(content, dict) and {"host", "pid", "born", "thread", "since"} <= content.keys() else None
    )


def _release(path: Path, over: threading.Event) -> None:
    """Take back a claim, if it is this thread's own."""
    over.set()
    claim = _claim(path)
    me = (socket.gethostname(), os.getpid(), threading.get_ident())
    if claim is not None and (claim["host"], claim["pid"], claim["thread"]) == me:
        path.unlink(missing_ok=True)


def _is_alive(path: Path, claim: Mapping[str, Any]) -> bool:
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > LAPSED:
            return False
    if claim["host"] != socket.gethostname():
        return True
    try:
        holder = psutil.Process(int(claim["pid"]))
        same = abs(holder.create_time() - claim["born"]) < 1  # not another process under a number used again
        return same and holder.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _beat(path: Path, over: threading.Event) -> None:
    while not over.wait(HEARTBEAT):
        with contextlib.suppress(OSError):
            os.utime(path)


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except FileNotFoundError:
        return []


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise RecordError(f"the store cannot be written: {error.strerror or error} ({folder})") from error


def _json(content: Any) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()


def _read_json(path: Path, missing: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise RecordError(missing) from None
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise RecordError(f"{path} cannot be read: it is no table of names and values")
    return content
