"""The memory of the machine, and what a computation needs of it, compared before anything is allocated."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tnness.errors import InputError


class TooLarge(InputError):
    """A chain needs more than there is, and is refused before its terms are stated."""


@dataclass(frozen=True)
class Need:
    """The memory that a computation holds at once, at least.

    Parameters
    ----------
    bytes: their number. what: needs them, with the values that the user gave. advice: what to do where they are not
        there.

    >>> Need(1e15, "n = 1000").check()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    tnness.errors.InputError: n = 1000 needs some 1e+06 GB, this machine has ...: make it smaller
    """

    bytes: float
    what: str
    advice: str = "make it smaller"

    def check(self) -> None:
        """Raise `InputError` if the machine has less."""
        there = memory()
        if self.bytes > there:
            raise InputError(
                f"{self.what} needs some {self.bytes / 1e9:.3g} GB, this machine has {there / 1e9:.3g}: {self.advice}"
            )


_CHECK: ContextVar[Callable[[Any], None] | None] = ContextVar("check of a problem that is begun", default=None)


@contextlib.contextmanager
def checked_when_begun(check: Callable[[Any], None]) -> Iterator[None]:
    """Check every chain that is stated in this block as soon as its sites are known, before its terms are.

    check: takes the problem, which has its `spaces` and no terms yet, and raises `InputError` if it is too large.
    """
    token = _CHECK.set(check)
    try:
        yield
    finally:
        _CHECK.reset(token)


def sites_known(problem: Any) -> None:
    """Say that the sites of a problem are known, see `checked_when_begun`."""
    check = _CHECK.get()
    if check is not None:
        try:
            check(problem)
        except InputError as error:
            raise TooLarge(str(error)) from error


CONTAINERS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux says how much memory a container may use."""


def memory() -> float:
    """Return the bytes of memory that this process may use; infinite where the system does not tell."""
    limits = [math.inf]
    for file in CONTAINERS:
        with contextlib.suppress(OSError, ValueError):  # "max" is no limit
            limits.append(float(int(Path(file).read_text())))
    with contextlib.suppress(ImportError):  # Windows sets no such limit
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        limits.append(math.inf if limit == resource.RLIM_INFINITY else float(limit))
    with contextlib.suppress(AttributeError, OSError, ValueError):
        limits.append(float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")))
    return min(limits)


def network_need(dims: Sequence[int], chi: int, itemsize: int = 8, filled: float = 1.0) -> Need:
    """Return the need of a matrix-product state of which two neighbouring sites are split.

    Parameters
    ----------
    dims: the dimension of each site's vector space. chi: largest bond dimension. itemsize: bytes of a number.
    filled: share of the tensors that is not zero by symmetry.
    """
    edges = [1, *_bonds(dims, chi), 1]
    pairs = (edges[i] * dims[i] * dims[i + 1] * edges[i + 2] for i in range(len(dims) - 1))
    state = sum(edges[i] * dims[i] * edges[i + 1] for i in range(len(dims)))
    what = f"chi = {chi} on {len(dims)} sites of up to {max(dims)} dimensions"
    return Need(itemsize * filled * (state + COPIES * max(pairs, default=0)), what, "lower chi, the cutoff or n")


COPIES = 5
"""Matrices of two sites that a split holds at once."""


def _bonds(dims: Sequence[int], chi: int) -> list[int]:
    """Return the largest sizes of the inner bonds."""
    left, right = [1], [1]
    for dim in dims[:-1]:
        left.append(min(chi, left[-1] * dim))
    for dim in dims[:0:-1]:
        right.append(min(chi, right[-1] * dim))
    return [min(a, b) for a, b in zip(left[1:], right[:0:-1], strict=True)]
