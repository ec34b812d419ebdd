"""Files that are either complete or absent: each is written under a temporary name, then renamed. A seal shows damage.

The seal is a line behind the end of a file that holds its checksum. HDF5 ignores what follows its end-of-file address,
so the seal does not disturb other readers.
"""

from __future__ import annotations

import os
import shutil
import zlib
from pathlib import Path

from tnness.errors import RecordError

_MARK = b"\ntnness seal "
_LENGTH = len(_MARK) + 8 + 1 + 16 + 1


def sealed(content: bytes) -> bytes:
    """Return a file's bytes with their seal."""
    return content + _seal(content)


def is_damaged(content: bytes) -> bool:
    """True where a file carries a seal, but its bytes have changed since it was sealed.

    >>> is_damaged(sealed(b"numbers")), is_damaged(sealed(b"numbers").replace(b"u", b"v")), is_damaged(b"no seal")
    (False, True, False)
    """
    body, seal = memoryview(content)[:-_LENGTH], content[-_LENGTH:]
    return seal.startswith(_MARK) and seal != _seal(body)


def is_sealed(content: bytes) -> bool:
    """True where a file carries a seal and its bytes have not changed since: the file is complete."""
    return content[-_LENGTH:].startswith(_MARK) and not is_damaged(content)


def _seal(body: bytes | memoryview) -> bytes:
    return _MARK + b"%08x %016x\n" % (zlib.crc32(body), len(body))


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file under a temporary name, then rename it, so that it is never half there.

    If it replaces a file, it takes over that file's permissions.

    Raises
    ------
    RecordError: the folder does not exist, is full or cannot be written.
    """
    require_folder(Path(path))
    target = Path(os.path.realpath(path))  # replace the file that a link points to, not the link
    beside = temporary(target)
    try:
        with open(os.open(beside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o666), "wb") as file:  # the umask applies
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, beside)
        os.replace(beside, target)
    except OSError as error:
        raise RecordError(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)


def require_folder(path: Path) -> None:
    """Refuse a path whose folder does not exist or cannot be written."""
    folder = path.parent
    if not folder.is_dir():
        raise RecordError(f"the output folder {folder} does not exist")
    if path.is_dir():
        raise RecordError(f"the output {path} is a folder; a file name is needed")
    if not os.access(folder, os.W_OK):
        raise RecordError(f"the output folder {folder} cannot be written to")


def temporary(path: Path) -> Path:
    """Return the temporary name under which this process writes a file before it renames it."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")
