"""Checks that models share: numbers of sites, rates, one number per site."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from tnness.errors import InputError
from tnness.problems.need import Need
from tnness.typed import shown

MOST_SITES = 1_000_000
"""Most sites of a chain: more do not fit into the memory of a machine, whatever is computed."""


def check_sites(n: int) -> None:
    """Refuse a chain of fewer than two sites."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 2:
        raise InputError(f"n = {n!r}: a chain has a whole number of sites, at least 2")
    if n > MOST_SITES:
        raise InputError(f"n = {n}: a chain has at most {MOST_SITES:,} sites")


def check_blocks(slices: int, sites: int, what: str) -> None:
    """Refuse a chain of slices whose blocks, (sites, sites) each, and parameters do not fit into memory.

    what: the parameters that say how large it is, with their values.
    """
    number = float(sites)
    needed = slices * (8 * number**2 + OF_PARAMETER * number)
    Need(needed, f"{what}: {slices} blocks of {sites} x {sites} numbers").check()


OF_PARAMETER = 100
"""Bytes of a site's parameters, as numbers of Python in a tuple."""


def check_rates(rates: Mapping[str, float]) -> None:
    """Refuse rates that are negative or not finite, by the names of their parameters."""
    for name, rate in rates.items():
        if not (math.isfinite(rate) and rate >= 0):
            raise InputError(f"{name} = {rate:g}: a rate is a finite number >= 0")


def site_profile(name: str, values: ArrayLike, n: int) -> tuple[float, ...]:
    """Return one finite number per site as a tuple, so that a frozen model can hold it.

    Raises
    ------
    InputError: another number of values than sites, or a value that is not finite.
    """
    try:
        profile = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{name} takes one number per site, got {shown(values)}") from None
    if profile.shape != (n,):
        raise InputError(f"{name} takes one number per site, n = {n}, but has shape {profile.shape}")
    if not np.isfinite(profile).all():
        raise InputError(f"{name}[{np.flatnonzero(~np.isfinite(profile))[0]}] is not a finite number")
    return tuple(profile.tolist())
