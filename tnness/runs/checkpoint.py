"""The files of a run: `FILE.nc` holds its record, `FILE.nc.part` the unfinished run."""

from __future__ import annotations

import contextlib
import glob
import time
from dataclasses import dataclass, field
from pathlib import Path

from tnness.errors import InputError, RecordError
from tnness.records.files import require_folder
from tnness.records.record import Record, part_path

CHECKPOINT_EVERY = 60.0
"""Default seconds between checkpoints."""


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
    _began: float = field(default_factory=time.time, init=False)
    _saved: float = field(default_factory=time.monotonic, init=False)

    def __post_init__(self) -> None:
        if not self.every >= 0:
            raise InputError(f"checkpoint_every = {self.every!r}: seconds >= 0 are needed")
        if self.path is not None:
            self.path = Path(self.path)
            require_folder(self.path)
            if self.path.exists() and not self.overwrite:
                raise RecordError(f"{self.path} exists already; give --overwrite to replace it, or another --out")

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

    def publish(self, record: Record) -> None:
        """Write the finished record; remove the checkpoint, and temporary files of runs that were killed in writing."""
        if self.path is None or self.part is None:
            return
        record.save(self.path)
        self.part.unlink(missing_ok=True)
        for name in (self.path.name, self.part.name):
            for left in self.path.parent.glob(f".{glob.escape(name)}.*.tmp"):
                with contextlib.suppress(OSError):
                    if left.stat().st_mtime < self._began:
                        left.unlink()
