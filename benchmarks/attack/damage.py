"""Records, tables, checkpoints and points of sweeps that are damaged (their seal is broken or gone) or crafted (sealed
again with other contents)."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from benchmarks.attack.folder import FILES
from benchmarks.attack.running import UNSEALED, contents, forked, fresh, line
from benchmarks.attack.tally import Answer
from tnness.records.files import seal_of, sealed
from tnness.study.collect import collect

SHORT = ("--max-time", "2")
USES = {
    "plot": ("plot", "bad.nc"),
    "verify": ("verify", "bad.nc"),
    "initial": ("run", "ssep", "-p", "n=3", *SHORT, "--out", "o.nc", "--initial", "bad.nc"),
    "extend": ("run", "bad.nc", "--chi", "3", *SHORT),
    "evolve": ("run", "bad.nc", "--time", "3,4"),
    "model": ("run", "bad.nc", "--model", "m.py:P", *SHORT),
}
"""What is done with a file."""
STORE = {
    "status": ("status", "s"),
    "verify": ("verify", "s"),
    "collect": ("collect", "s", "--out", "o.nc"),
    "sweep": ("sweep", "ssep", "--grid", "n=2,3", "--engine", "exact", "--workers", "0", "--store", "s"),
}
"""What is done with a store."""
VALUES = (
    *(3, -1, 0, 1e300, np.nan, 2**62, True, "x", "", "{}", "[]", "[" * 3000, b"\xff", "a" * 10_000, '{"a": 1}', "null"),
    *(np.zeros(3), np.zeros((2, 2)), np.zeros(0), np.array([1j]), np.array(["a", "b"], dtype=object), np.inf, "tnness"),
    *(
        '{"engine": "tebd"}',
        '["r.nc"]',
        "0.0.1",
        "../m.py:P",
        "ssep",
        np.int8(1),
        np.ones((1, 1, 1, 1)),
        h5py.Empty("f8"),
    ),
)
"""What an attribute or an array is replaced by."""


def case(folder: Path, rng: random.Random) -> Answer:
    """Return the answer to one file."""
    with fresh(folder) as place:
        return _of_store(place, rng) if rng.random() < 0.25 else _of_file(place, rng)


def _of_file(place: Path, rng: random.Random) -> Answer:
    name, use = rng.choice(list(FILES)), rng.choice(list(USES))
    whole, is_crafted = (place / name).read_bytes(), rng.random() < 0.6
    content, told = crafted(whole, rng) if is_crafted else damaged(whole, rng)
    (place / "bad.nc").write_bytes(content)
    before = contents(place)
    kind, detail = forked(lambda: line(list(USES[use])))
    changed = [file for file, held in before.items() if contents(place).get(file) != held and file != "bad.nc"]
    said = detail == UNSEALED and seal_of(content) is None  # a table of another program has no seal
    if kind == "done" and not is_crafted and content != whole and not said:
        kind, detail = "silent change", "a damaged file was read"
    if kind == "refused" and (changed or contents(place)["bad.nc"] != content):
        kind, detail = "silent change", f"refused, and changed {', '.join(changed)}"
    return Answer(f"{kind}", f"{use} {name}: {told}", detail)


def _of_store(place: Path, rng: random.Random) -> Answer:
    """Damage, exchange or craft a point of a sweep: no command may give a number that is not its own."""
    points = sorted(path for path in (place / "s").rglob("*.nc") if path.is_file())
    point, use = rng.choice(points), rng.choice(list(STORE))
    whole = point.read_bytes()
    how = rng.choice(("crafted", "damaged", "copied", "gone"))
    if how == "crafted":
        content, told = crafted(whole, rng)
        point.write_bytes(content)
    elif how == "damaged":
        content, told = damaged(whole, rng)
        point.write_bytes(content)
    elif how == "copied":
        other = rng.choice([path for path in points if path != point])
        point.write_bytes(other.read_bytes())
        told = "another point in its place"
    else:
        point.unlink()
        told = "gone"
    kind, detail = forked(lambda: line(list(STORE[use])))
    if use in ("collect", "sweep") and kind in ("done", "failed") and how != "crafted":
        off = _wrong_numbers(place, use)
        kind, detail = ("silent change", off) if off else (kind, detail)
    return Answer(kind, f"{use}, {how}: {told}", detail)


def _wrong_numbers(place: Path, use: str) -> str:
    """Return the observables of a table that are neither right nor absent."""
    right = xr.load_dataset(place / "t.nc", engine="h5netcdf")
    table = xr.load_dataset(place / "o.nc", engine="h5netcdf") if use == "collect" else collect(place / "s")
    off = []
    for name in ("density", "current"):
        known = right[name]
        values = table[name].reindex_like(known) if name in table else known * np.nan
        same = np.array_equal(values, known, equal_nan=True)
        if not (same if use == "sweep" else np.all((values == known) | np.isnan(values))):
            off.append(name)
    return ", ".join(off)


def damaged(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Return a file in which bytes are changed or cut off, or whose seal is gone."""
    seal = len(content) - content.rfind(b"\ntnness seal ")
    if rng.random() < 0.3:
        length = rng.choice((0, 1, len(content) - seal, len(content) - 1, rng.randrange(len(content))))
        return content[:length], f"cut to {length} bytes"
    if rng.random() < 0.1:
        return content + content[rng.randrange(len(content)) :], "with more behind its end"
    changed = bytearray(content if rng.random() < 0.7 else content[:-seal])
    places = [rng.randrange(len(changed)) for _ in range(rng.randint(1, 8))]
    for place in places:
        changed[place] ^= rng.randint(1, 255)
    return bytes(changed), f"bytes {places} changed"


def crafted(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Return a file with a seal that fits, in which one to three things were replaced, removed or added."""
    seal = seal_of(content)
    assert seal is not None
    memory = io.BytesIO(content[: content.rfind(b"\ntnness seal ")])
    with h5py.File(memory, "r+") as file:
        told = [_changed(file, rng) for _ in range(rng.choice((1, 1, 2, 3)))]
    return sealed(memory.getvalue(), seal.key), "; ".join(told)


def _changed(file: h5py.File, rng: random.Random) -> str:
    places: list[Any] = [file]
    file.visititems(lambda name, item: places.append(item))
    place, value = rng.choice(places), rng.choice(VALUES)
    names = [name for name in place.attrs if name not in ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME")]
    if names and rng.random() < 0.6:
        name = rng.choice(names)
        del place.attrs[name]
        if rng.random() < 0.2:
            return f"attribute {name} of {place.name} removed"
        place.attrs[name] = value
        return f"attribute {name} of {place.name} = {_shown(value)}"
    if place is file or rng.random() < 0.15:
        return _added(file, rng)
    name = place.name
    del file[name]
    if rng.random() < 0.3:
        return f"{name} removed"
    file[name] = value
    return f"{name} = {_shown(value)}"


def _added(file: h5py.File, rng: random.Random) -> str:
    """Add what a record does not have: a link to another file, storage outside, a huge array, a group."""
    name = rng.choice(("extra", "density_error", "state/tensor_0", "history/extra", "errors/x", "density"))
    if name in file:
        del file[name]
    kind = rng.choice(("link", "soft link", "storage", "huge", "group", "type"))
    if kind == "link":
        file[name] = h5py.ExternalLink("/etc/hostname", "/x")
    elif kind == "soft link":
        file[name] = h5py.SoftLink("/history")
    elif kind == "storage":
        file.create_dataset(name, (4,), "u1", external=[("/etc/hostname", 0, 4)])
    elif kind == "huge":
        file.create_dataset(name, (10**6, 10**3), "f8", chunks=(1000, 1000), compression="gzip")
    elif kind == "group":
        file.create_group(name)
    else:
        file[name] = np.dtype([("a", "f8"), ("b", "S3")])
    return f"{kind} {name} added"


def _shown(value: object) -> str:
    return " ".join(repr(value).split())[:40]
