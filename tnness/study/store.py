"""The store of a sweep: a folder that any number of processes, on any number of machines, may fill at once.

    sweep.json          what all points share; written once, never changed
    requests/HASH.json  a grid that was asked for: its points, how many realizations, and the keys of them all
    points/KE/KEY.nc    one sealed record per finished point, named by the hash of what determines it
    failed/KEY.json     the error of a point that failed, with its traceback
    claims/KEY.json     the process that computes a point; it touches the file while it lives

Every file is written under a temporary name and then renamed, so that a reader sees it complete or not at all. There
are no locks: a process claims a point by creating a file, and the claim lapses when the process dies.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tnness.errors import RecordError, TnnessError
from tnness.model.protocol import UNKNOWN
from tnness.model.registry import names_file
from tnness.records.claims import claim, holder
from tnness.records.files import remove_orphans, require_name, seal_of, sealed_key, write_error, write_whole
from tnness.records.lazily import lazily
from tnness.records.old import upgraded, with_total_tolerance
from tnness.records.record import Record, versions
from tnness.runs.job import differences
from tnness.runs.physics import Physics
from tnness.study.plan import GridPoint, Plan, Point, Reference, Values, canonical

if TYPE_CHECKING:
    import h5py
else:
    h5py = lazily("h5py")


STORE_FORMAT = "tnness-sweep-2"
OLD_STORES = ("tnness-sweep-1",)
"""Earlier formats that can be read; their files do not state their physics."""
FOLDERS = ("requests", "points", "failed", "claims")


@dataclass(frozen=True)
class Request:
    """A grid that was asked for, with so many realizations of the disorder at each of its points."""

    points: tuple[GridPoint, ...]
    realizations: int


@dataclass(frozen=True)
class Failure:
    """A point that failed, with its error and the number of attempts."""

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
    folder: its path. `register` makes the folder; `open` requires that it exists.
    """

    def __init__(self, folder: str | Path) -> None:
        require_name(folder)
        self.folder = Path(folder)

    @classmethod
    def open(cls, folder: str | Path) -> Store:
        """Return the store of a sweep that was begun.

        Raises
        ------
        RecordError: there is no store in this folder, or it is damaged.
        """
        store = cls(folder)
        _ = store.base
        return store

    # ------------------------------------------------------------------ what was asked for

    def adopted(self, plan: Plan) -> Plan:
        """Return a plan with the name that the store knows its model by, if the model's file has only moved."""
        if not (self.folder / "sweep.json").exists() or self.reference is None:
            return plan
        name, known = plan.name, str(self.base["model"])
        moved = name != known and all(map(names_file, (name, known)))
        if not moved or name.rpartition(":")[2] != known.rpartition(":")[2]:
            return plan
        physics = plan.reference_at(self.reference.values).physics
        same = physics != UNKNOWN and physics == self.reference.physics
        return replace(plan, known_as=known) if same else plan

    def register(self, plan: Plan, accept_old: bool = False) -> Request:
        """Write a plan's request into the store, and return it.

        Parameters
        ----------
        accept_old: whether to continue a store of an earlier format, which does not state its physics.

        Raises
        ------
        RecordError: the store belongs to a sweep with other settings or other physics, or cannot be written.
        """
        try:
            for name in FOLDERS:
                (self.folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(f"the store {self.folder} cannot be made", error) from error
        base = json.loads(json.dumps(plan.base))
        if not (self.folder / "sweep.json").exists():
            about = {"format": STORE_FORMAT, "version": versions()["tnness"], "reference": asdict(plan.reference())}
            write_whole(self.folder / "sweep.json", _json(about | base))
        changed = differences(self.base, base)
        if changed:
            raise RecordError(f"the store {self.folder} holds a sweep with other settings: {'; '.join(changed)}")
        self._check_physics(plan, accept_old)
        request = Request(self._identified(plan.grid_points()), plan.realizations)
        content = _json(asdict(request))
        name = hashlib.sha256(content).hexdigest()[:16]
        if not (self.folder / "requests" / f"{name}.json").exists():
            keys = [point.key for point in self.points(request)]
            write_whole(self.folder / "requests" / f"{name}.json", _json(asdict(request) | {"keys": keys}))
        return request

    def _check_physics(self, plan: Plan, accept_old: bool) -> None:
        reference = self.reference
        if reference is None and not accept_old:
            raise RecordError(
                f"the store {self.folder} is of an earlier format, which does not say which physics it holds: "
                "--accept-old continues it all the same"
            )
        if reference is None:
            return
        stated = plan.reference_at(reference.values)
        if UNKNOWN not in (reference.physics, stated.physics) and reference.physics != stated.physics:
            raise RecordError(
                f"the store {self.folder} holds a sweep of other physics: what model {plan.name!r} states at "
                f"{canonical(reference.values)} is not what it was (its file or its package has changed)"
            )
        for values, stated_now, recorded in self._changed_points(plan, stated):
            other = stated_now.other_than(recorded)
            if other:
                raise RecordError(
                    f"the store {self.folder} holds a point of model {plan.name!r}, {canonical(values)}, that is not "
                    f"what it would be now: {'; '.join(other)}"
                )

    def _changed_points(self, plan: Plan, stated: Reference) -> Iterator[tuple[Values, Physics, Physics]]:
        """Yield values, physics now and physics then of every finished point of the grid, if the code has changed."""
        reference = self.reference
        if reference is None or reference.code in (None, stated.code):
            return
        seen, finished = set(), self.finished()
        for point in self.points():
            if point.key not in finished or canonical(point.values) in seen:
                continue
            with contextlib.suppress(TnnessError, OSError):  # a point that is damaged is computed again
                recorded = Physics.load(Record.open(self.record_path(point.key)).dataset.attrs)
                physics = plan.job_at(point.values, point.seed).physics
                seen.add(canonical(point.values))
                yield point.values, physics, recorded

    def doubts(self, plan: Plan) -> list[str]:
        """Return warnings: another version of the package began the store; a function that measures has changed since.

        Such a function is the sweep's own, or one of an observable that cannot be seen through.
        """
        begun, now = self._manifest.get("version"), versions()["tnness"]
        other = [f"the store was begun by tnness {begun}, this is {now}"] if begun not in (None, now) else []
        return other + self._changed_measure(plan) + self._changed_observables(plan)

    def _changed_observables(self, plan: Plan) -> list[str]:
        reference = self.reference
        if reference is None:
            return []
        points = self._changed_points(plan, plan.reference_at(reference.values))
        names = set()
        for _, now, recorded in points:
            is_measured = recorded.problem == UNKNOWN  # by a function of the sweep's own
            names |= {f"model {plan.name}"} if is_measured else set(now.doubts(recorded))
        return [f"the code of {', '.join(sorted(names))} has changed since the store was begun"] if names else []

    def _changed_measure(self, plan: Plan) -> list[str]:
        reference = self.reference
        measure = plan.reference_at(reference.values).measure if reference is not None else None
        if reference is None or measure is None or reference.measure is None or measure == reference.measure:
            return []
        if measure.partition(":")[0] != reference.measure.partition(":")[0]:
            return []  # digests of different versions of Python cannot be compared
        return [f"the code of {plan.measure} has changed since the store was begun"]

    def _identified(self, points: list[GridPoint]) -> tuple[GridPoint, ...]:
        """Return points of the grid; in a store of an earlier format, with the identities that they have there."""
        if self.reference is not None:
            return tuple(points)
        named = {canonical(point.values): point for request in self.requests() for point in request.points}
        return tuple(named.get(canonical(point.values), point) for point in points)

    @property
    def reference(self) -> Reference | None:
        """The physics of the first point; None in a store of an earlier format."""
        content = self._manifest
        return Reference(**content["reference"]) if "reference" in content else None

    @property
    def _manifest(self) -> dict[str, Any]:
        return _read_json(self.folder / "sweep.json", f"there is no sweep in {self.folder}")

    @property
    def base(self) -> dict[str, Any]:
        """The settings that all points share."""
        content = self._manifest
        written = content.pop("format", None)
        content.pop("version", None)
        if written not in (STORE_FORMAT, *OLD_STORES):
            raise RecordError(f"{self.folder / 'sweep.json'} is not the manifest of a sweep")
        content.pop("reference", None)
        return with_total_tolerance(upgraded(content) if written in OLD_STORES else content)

    def requests(self) -> list[Request]:
        """Return all requests, oldest first."""
        requests = []
        for file in self._requests():
            content = _read_json(file, f"{file} is gone")
            points = tuple(GridPoint(p["values"], p["identity"], tuple(p["disorder"])) for p in content["points"])
            requests.append(Request(points, content["realizations"]))
        return requests

    def _requests(self) -> list[Path]:
        """Return the files of the requests, oldest first."""
        return sorted((self.folder / "requests").glob("*.json"), key=lambda file: file.stat().st_mtime)

    def keys(self) -> set[str]:
        """Return the keys of every point: as the requests state them, or computed, which takes 20 times as long."""
        contents = [_read_json(file, f"{file} is gone") for file in self._requests()]
        if not all(_are_texts(content.get("keys")) for content in contents):
            return {point.key for point in self.points()}
        return {key for content in contents for key in content["keys"]}

    def points(self, request: Request | None = None) -> list[Point]:
        """Return every point of a request (default: of all requests) once, ordered by realization first.

        So an unfinished sweep has fewer realizations at all points, instead of none at some points.
        """
        root, points = self.base["root_seed"], dict[str, Point]()
        for asked in self.requests() if request is None else [request]:
            for realization in range(asked.realizations):
                for grid_point in asked.points:
                    point = grid_point.point(root, realization)
                    points.setdefault(point.key, point)
        return list(points.values())

    # ------------------------------------------------------------------ what is there

    def record_path(self, key: str) -> Path:
        """Return the file of a finished point."""
        return self.folder / "points" / key[:2] / f"{key}.nc"

    def finished(self) -> dict[str, float]:
        """Return the keys of all finished points, with the time at which each was finished."""
        times = {}
        for part in _entries(self.folder / "points"):
            if part.is_dir():
                for entry in _entries(part.path):
                    if entry.name.endswith(".nc") and not entry.name.startswith("."):
                        times[entry.name.removesuffix(".nc")] = entry.stat().st_mtime
        return times

    def damaged(self, points: Iterable[Point]) -> list[Path]:
        """Return the records of these finished points that are truncated or changed, or hold another point."""
        paths = ((self.record_path(point.key), point) for point in points)
        return [path for path, point in paths if path.exists() and not holds(path.read_bytes(), point)]

    def misplaced(self, keys: Iterable[str]) -> set[str]:
        """Return the keys whose files hold another point, or have no seal; only the ends of the files are read."""
        points = str(self.folder / "points")  # texts, not paths: a store may hold ten thousands of points
        known = {key: sealed_key(f"{points}/{key[:2]}/{key}.nc") for key in keys}
        return {key for key, sealed in known.items() if sealed is None or sealed not in ("", key)}

    def failures(self) -> dict[str, Failure]:
        """Return the points that failed, by key."""
        failures = {}
        for entry in _entries(self.folder / "failed"):
            if entry.name.endswith(".json") and not entry.name.startswith("."):
                with contextlib.suppress(RecordError, TypeError):  # another process may remove the file meanwhile
                    failure = Failure(**_read_json(Path(entry.path), "gone"))
                    failures[failure.key] = failure
        return failures

    def running(self) -> dict[str, dict[str, Any]]:
        """Return the claims of living processes, by key: which process, and since when."""
        claims = {}
        for entry in _entries(self.folder / "claims"):
            if entry.name.endswith(".json"):
                who = holder(Path(entry.path))
                if who is not None:
                    claims[entry.name.removesuffix(".json")] = who
        return claims

    # ------------------------------------------------------------------ what a worker writes

    def keep(self, key: str, content: bytes) -> None:
        """Write the record of a finished point, and remove its failure if it had failed before."""
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

    def claim(self, key: str) -> contextlib.AbstractContextManager[bool]:
        """Claim a point for the duration of a block; give False if another living process holds it."""
        return claim(self.folder / "claims" / f"{key}.json")

    def tidy(self) -> None:
        """Remove temporary files that dead processes have left."""
        parts = [entry.path for entry in _entries(self.folder / "points") if entry.is_dir()]
        for folder in (self.folder, *(self.folder / name for name in FOLDERS), *parts):
            remove_orphans(Path(folder))


def holds(content: bytes, point: Point) -> bool:
    """Return whether a file's bytes are the intact record of a point.

    The seal states the point's key. Seals of earlier versions do not: there, the record's attributes tell.
    """
    seal = seal_of(content)
    if seal is None or not seal.intact:
        return False
    return seal.key == point.key if seal.key else _is_of(content, point)


def _is_of(content: bytes, point: Point) -> bool:
    """Return whether the attributes of a record name the values, the realization and the seed of a point."""
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            numbers = [int(np.asarray(file.attrs[name]).item()) for name in ("realization", "seed")]
            return numbers == [point.realization, point.seed] and file.attrs["point"] == canonical(point.values)
    except (OSError, KeyError, ValueError, TypeError):
        return False


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise write_error(f"the store cannot be written ({folder})", error) from error


def _json(content: Any) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


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
