"""The files of a run: `FILE.nc` holds its record, `FILE.nc.part` the unfinished run."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tnness.errors import InputError, RecordError, WriteError
from tnness.records.claims import claim, holder_named
from tnness.records.files import is_orphaned, require_folder, write_whole
from tnness.records.record import Record, part_path

CHECKPOINT_EVERY = 60.0
"""Default seconds between checkpoints."""
TRIES, PAUSE = 3, 0.5
"""Number of times that a record is tried to be written, and seconds between them."""


@dataclass
class Output:
    """The output file of a run; a run without one is kept in memory.

    Parameters
    ----------
    path: the record to write, or None. overwrite: whether a finished record may be replaced (default False).
    every: seconds between checkpoints (default 60).
    accept_old: whether a file of an earlier format, which does not state its physics, is continued (default False).
    """

    path: Path | None = None
    overwrite: bool = False
    every: float = CHECKPOINT_EVERY
    accept_old: bool = False
    _saved: float = field(default_factory=time.monotonic, init=False)

    def __post_init__(self) -> None:
        if not self.every >= 0:
            raise InputError(f"checkpoint_every = {self.every!r}: seconds >= 0 are needed")
        if self.path is not None:
            self.path = Path(self.path)
            require_folder(self.path)
            self._refuse_finished()

    @property
    def taken(self) -> bool:
        """True where there is a file that must not be replaced."""
        return self.path is not None and self.path.exists() and not self.overwrite

    def _refuse_finished(self) -> None:
        if self.taken:
            raise RecordError(f"{self.path} exists already; give --overwrite to replace it, or another --out")

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the file for the duration of a block, so that no other run writes it too.

        Raises
        ------
        RecordError: another run is writing it, or has just finished it.
        """
        if self.path is None:
            yield
            return
        place = self.path.with_name(f".{self.path.name}.claim")
        with claim(place) as mine:
            if not mine:
                raise RecordError(
                    f"another run is writing {self.path} ({holder_named(place)}): wait for it, or give another --out"
                )
            self._refuse_finished()
            yield

    def check_age(self, record: Record, path: Path | None) -> None:
        """Refuse to go on from a file of an earlier format, unless `accept_old` is set."""
        if record.is_old and not self.accept_old:
            raise RecordError(
                f"{path} is of an earlier format, which does not say which physics it holds: --accept-old goes on "
                "from it all the same, and the new record says so"
            )

    @property
    def part(self) -> Path | None:
        """The file that holds the unfinished run."""
        return None if self.path is None else part_path(self.path)

    @property
    def due(self) -> bool:
        """True when it is time for a checkpoint."""
        return self.path is not None and time.monotonic() - self._saved >= self.every

    def unfinished(self) -> Record | None:
        """Return the unfinished run of this file, if there is one."""
        if self.part is None or not self.part.exists():
            return None
        part = Record.open(self.part)
        if self._is_over(part):
            self.part.unlink(missing_ok=True)
            return None
        return part

    def _is_over(self, part: Record) -> bool:
        """True where a run was killed after its record was written and before its checkpoint was removed."""
        if (
            self.path is None
            or not self.path.exists()
            or part_path(self.path).stat().st_mtime > self.path.stat().st_mtime
        ):
            return False
        with contextlib.suppress(RecordError):
            return Record.open(self.path).settings == part.settings
        return False

    def checkpoint(self, record: Record) -> None:
        """Write the unfinished run."""
        if self.part is not None:
            record.save(self.part)
            self._saved = time.monotonic()

    def postpone(self) -> None:
        """Wait for the next checkpoint as if one had been written."""
        self._saved = time.monotonic()

    def publish(self, record: Record) -> None:
        """Write the finished record; remove the checkpoint, and temporary files of runs that were killed in writing.

        Raises
        ------
        RecordError: the file cannot be written, even when tried again, or another program has written it meanwhile.
        """
        if self.path is None or self.part is None:
            return
        self._write(record.image())
        self.part.unlink(missing_ok=True)
        for left in self.path.parent.glob(".*"):
            if left.name.startswith((f".{self.path.name}.", f".{self.part.name}.")) and is_orphaned(left):
                with contextlib.suppress(OSError):
                    left.unlink()

    def _write(self, image: bytes) -> None:
        assert self.path is not None  # `publish` has seen to it
        for _ in range(TRIES - 1):
            with contextlib.suppress(WriteError):
                return write_whole(self.path, image, self.overwrite)
            time.sleep(PAUSE)
        return write_whole(self.path, image, self.overwrite)

    def write_elsewhere(self, record: Record) -> Path | None:
        """Write a record under another name or in another folder; without its state if there is no room for it."""
        if self.path is None:
            return None
        for image in (record.image(), Record(record.dataset, estimates=record.estimates).image()):
            for folder in (self.path.parent, Path(tempfile.gettempdir()), Path.home()):
                with contextlib.suppress(RecordError):
                    place = _free(folder / self.path.name)
                    write_whole(place, image, replace=False)
                    return place
        return None


def _free(path: Path) -> Path:
    """Return the first name `NAME-2.nc`, `NAME-3.nc`, ... that no file has."""
    number = 2
    while (place := path.with_name(f"{path.stem}-{number}{path.suffix}")).exists():
        number += 1
    return place
