"""Records that somebody has changed by hand, with a seal that fits."""

from collections.abc import Callable
from pathlib import Path

import h5py

from tnness.records.files import sealed

SEAL = 39
"""Bytes of a seal without a key."""


def crafted(source: Path, target: Path, change: Callable[[h5py.File], object]) -> Path:
    """Copy a sealed file, change it with h5py, and seal it again."""
    target.write_bytes(source.read_bytes()[:-SEAL])
    with h5py.File(target, "r+") as file:
        change(file)
    target.write_bytes(sealed(target.read_bytes()))
    return target


def attribute(name: str, value: object) -> Callable[[h5py.File], object]:
    """Return the change of one attribute."""
    return lambda file: file.attrs.__setitem__(name, value)


def replaced(name: str, value: object) -> Callable[[h5py.File], object]:
    """Return the change of one array."""

    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = value

    return change
