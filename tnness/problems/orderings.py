"""Orders of sites along a chain, for rings and ladders: what is near stays near."""

from __future__ import annotations

from tnness.errors import InputError
from tnness.typed import typed

LONGEST_ORDER = 1_000_000
"""Most sites of a ring or a ladder."""


@typed
def periodic(n: int) -> tuple[int, ...]:
    """Return the chain site of each site of a ring, folded so that neighbours on the ring are at most two sites apart.

    >>> periodic(6)
    (0, 2, 4, 5, 3, 1)
    """
    if not isinstance(n, int) or not 3 <= n <= LONGEST_ORDER:
        raise InputError(f"periodic(n) takes the number of sites of a ring, an integer from 3 to a million, got {n!r}")
    return tuple(2 * i if 2 * i < n else 2 * (n - i) - 1 for i in range(n))


@typed
def ladder(rungs: int, legs: int = 2) -> tuple[tuple[int, ...], ...]:
    """Return the chain site of each site of a ladder, as [leg][rung]: rung after rung.

    >>> ladder(3)
    ((0, 2, 4), (1, 3, 5))
    """
    if not (isinstance(rungs, int) and isinstance(legs, int) and min(rungs, legs) >= 1):
        raise InputError(f"ladder(rungs, legs) takes two integers >= 1, got {rungs!r} and {legs!r}")
    if rungs * legs > LONGEST_ORDER:
        raise InputError(f"a ladder of {rungs} rungs and {legs} legs: at most a million sites fit into a chain")
    return tuple(tuple(legs * rung + leg for rung in range(rungs)) for leg in range(legs))
