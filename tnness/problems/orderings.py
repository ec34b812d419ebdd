"""Orders of sites along a chain, for rings and ladders: what is near stays near."""

from __future__ import annotations

from tnness.errors import InputError


def periodic(n: int) -> tuple[int, ...]:
    """Return the chain site of each site of a ring, folded so that neighbours on the ring are at most two sites apart.

    >>> periodic(6)
    (0, 2, 4, 5, 3, 1)
    """
    if not isinstance(n, int) or n < 3:
        raise InputError(f"periodic(n) takes the number of sites of a ring, an integer >= 3, got {n!r}")
    return tuple(2 * i if 2 * i < n else 2 * (n - i) - 1 for i in range(n))


def ladder(rungs: int, legs: int = 2) -> tuple[tuple[int, ...], ...]:
    """Return the chain site of each site of a ladder, as [leg][rung]: rung after rung.

    >>> ladder(3)
    ((0, 2, 4), (1, 3, 5))
    """
    if not (isinstance(rungs, int) and isinstance(legs, int) and rungs >= 1 and legs >= 1):
        raise InputError(f"ladder(rungs, legs) takes two integers >= 1, got {rungs!r} and {legs!r}")
    return tuple(tuple(legs * rung + leg for rung in range(rungs)) for leg in range(legs))
