"""Verification: whether files are as they were written, and hold what their names say."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tnness.errors import RecordError
from tnness.records.files import seal_of
from tnness.records.record import Record
from tnness.study.collect import is_table, open_table
from tnness.study.store import Store
from tnness.typed import typed

INTACT, UNSEALED = "intact", "unsealed"
"""Verdicts: sealed and unchanged; readable, but nothing shows whether it has changed."""


@dataclass(frozen=True)
class Verdict:
    """What was verified. text: in words. sound: whether nothing is damaged."""

    text: str
    sound: bool


@typed
def verify(path: str | Path) -> Verdict:
    """Verify a record, a checkpoint, a collected table, or the store of a sweep with every point in it.

    A record of today's format, and every point of a store, carries a seal; a file of the first format, or a table that
    another program has written, may have none, and is called unsealed.

    Raises
    ------
    RecordError: there is no such file or store.

    Examples
    --------
    >>> verify("nowhere.nc")
    Traceback (most recent call last):
    ...
    tnness.errors.RecordError: there is no record nowhere.nc
    """
    path = Path(path)
    return _store(path) if path.is_dir() else _file(path)


def _file(path: Path) -> Verdict:
    if not path.is_file():
        raise RecordError(f"there is no record {path}")
    try:
        _ = open_table(path, quiet=True) if is_table(path) else Record.open(path)
    except RecordError as error:
        return Verdict(str(error), False)
    sealed = seal_of(path.read_bytes()) is not None
    about = "sealed, and unchanged since" if sealed else "it has no seal, so that nothing shows whether it has changed"
    return Verdict(f"{path}: {INTACT if sealed else UNSEALED} ({about})", True)


def _store(folder: Path) -> Verdict:
    store = Store.open(folder)
    points, finished = store.points(), store.finished()
    asked = {point.key: point for point in points}
    bad = store.damaged(point for key, point in asked.items() if key in finished)
    done = sum(key in finished for key in asked)
    counts = Counter({INTACT: done - len(bad), "damaged": len(bad), "missing": len(asked) - done})
    lines = [f"{folder}: {len(asked)} points: " + ", ".join(f"{count} {name}" for name, count in counts.items())]
    lines += [f"{path} is damaged or holds another point" for path in bad]
    return Verdict("\n".join(lines), not bad)
