"""Files that are either complete or absent: each is written under a temporary name, then renamed. A seal shows damage.

The seal is a line behind the end of a file that holds its checksum and, for a point of a sweep, the point's key. HDF5
ignores what follows its end-of-file address, so the seal does not disturb other readers.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import socket
import threading
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import psutil

from tnness.errors import InputError, RecordError, WriteError
from tnness.typed import check_file_name

_MARK = b"\ntnness seal "
_LONGEST = 256
"""Bytes at the end of a file among which its seal is looked for."""
LAPSED = 300.0
"""Seconds without a sign of life after which what another machine has begun is void."""


# ------------------------------------------------------------------ seals


@dataclass(frozen=True)
class Seal:
    """The seal of a file. key: of the point of a sweep, else empty. intact: whether the file is as it was sealed."""

    key: str
    intact: bool


def sealed(content: bytes, key: str = "") -> bytes:
    """Return a file's bytes with their seal. key: of the point of a sweep that the file holds."""
    return content + _line(content, key.encode())


def seal_of(content: bytes) -> Seal | None:
    """Return the seal of a file; None if it has none.

    >>> seal_of(sealed(b"numbers", "ab12"))
    Seal(key='ab12', intact=True)
    >>> seal_of(sealed(b"numbers").replace(b"u", b"v")).intact, seal_of(b"numbers")
    (False, None)
    """
    start = content.rfind(_MARK, max(0, len(content) - _LONGEST))
    if start < 0:
        return None
    line = content[start:]
    key = key_in(line)
    return Seal(key, line == _line(memoryview(content)[:start], key.encode()))


def is_sealed(content: bytes) -> bool:
    """True where a file carries a seal and its bytes have not changed since: the file is complete."""
    seal = seal_of(content)
    return seal is not None and seal.intact


def key_in(end: bytes) -> str:
    """Return the key in the seal at the end of a file; empty if there is none."""
    start = end.rfind(_MARK)
    words = end[start + len(_MARK) :].split() if start >= 0 else []
    return words[2].decode("ascii", "replace") if len(words) > 2 else ""


def sealed_key(path: str | Path) -> str | None:
    """Return the key in a file's seal without reading the rest of it.

    None if the file has no seal, or one that is cut or does not belong to a file of this length.
    """
    try:
        place = os.open(path, os.O_RDONLY)
        try:
            size = os.lseek(place, 0, os.SEEK_END)
            end = os.pread(place, _LONGEST, max(0, size - _LONGEST))
        finally:
            os.close(place)
    except OSError:
        return None
    line = end[end.rfind(_MARK) :] if _MARK in end else b""
    words = line.split()
    whole = len(words) in (4, 5) and line.endswith(b"\n") and words[3] == b"%016x" % (size - len(line))
    return key_in(line) if whole else None


def _line(body: bytes | memoryview, key: bytes) -> bytes:
    check = zlib.crc32(key, zlib.crc32(body))
    return _MARK + b"%08x %016x" % (check, len(body)) + (b" " + key if key else b"") + b"\n"


# ------------------------------------------------------------------ writing


def write_whole(path: str | Path, content: bytes, replace: bool = True) -> None:
    """Write a file under a temporary name, then rename it, so that it is never half there.

    If it replaces a file, it takes over that file's permissions. replace: whether it may; default True.

    Raises
    ------
    RecordError: the folder does not exist or cannot be written, or there is a file that must not be replaced.
    WriteError: the machine cannot write the file, for instance because the disk is full.
    """
    require_folder(Path(path))
    target = Path(os.path.realpath(path))  # replace the file that a link points to, not the link
    beside = temporary(target)
    try:
        with open(os.open(beside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o666), "wb") as file:  # the umask applies
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace and target.exists():
            shutil.copymode(target, beside)
        _rename(beside, target, replace)
        _sync_folder(target.parent)
    except FileExistsError:
        raise RecordError(f"{path} exists already: another program has written it meanwhile") from None
    except OSError as error:
        raise write_error(f"{path} could not be written", error) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


GIVEN = (
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL),
    *(errno.EACCES, errno.EPERM, errno.EROFS),
)
"""Reasons for which a file cannot be written that lie in its path; others lie in the machine: a full disk, a quota."""


def write_error(text: str, error: OSError) -> RecordError:
    """Return the error for a file that cannot be written: a `WriteError` where the machine is at fault."""
    kind = RecordError if error.errno in GIVEN else WriteError
    return kind(f"{text}: {error.strerror or error}")


def _rename(beside: Path, target: Path, replace: bool) -> None:
    if replace:
        os.replace(beside, target)
        return
    try:
        os.link(beside, target)  # fails if the target exists, also if it has just been made
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if target.exists():
            raise FileExistsError(str(target)) from None
        os.replace(beside, target)


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a loss of power, where the file system can do so."""
    with contextlib.suppress(OSError):
        place = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)


def require_name(path: str | Path) -> None:
    """Refuse a path that no file can have."""
    try:
        check_file_name("path", path)
    except InputError as error:
        raise RecordError(str(error)) from None


def require_folder(path: Path) -> None:
    """Refuse a path whose folder does not exist or cannot be written."""
    require_name(path)
    folder = path.parent
    if not folder.is_dir():
        raise RecordError(f"the output folder {folder} does not exist")
    if path.is_dir():
        raise RecordError(f"the output {path} is a folder; a file name is needed")
    if not os.access(folder, os.W_OK):
        raise RecordError(f"the output folder {folder} cannot be written to")


# ------------------------------------------------------------------ names for a while

_OWNED = re.compile(r"\.(\d+)-\d+@(.+)\.(tmp|new|old)$")


def temporary(path: Path, ending: str = "tmp") -> Path:
    """Return a name beside a file that belongs to this thread: it holds the process and the machine."""
    return path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}@{socket.gethostname()}.{ending}")


def is_orphaned(path: str | Path) -> bool:
    """True for a temporary file whose process has died, or that has not changed for LAPSED seconds."""
    owned = _OWNED.search(Path(path).name)
    if owned is None:
        return False
    pid, host = int(owned[1]), owned[2]
    if host == socket.gethostname() and not psutil.pid_exists(pid):
        return True
    try:
        return time.time() - os.stat(path).st_mtime > LAPSED
    except OSError:
        return False


def remove_orphans(folder: Path) -> None:
    """Remove the temporary files that dead processes have left in a folder."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") and is_orphaned(entry.path):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)
