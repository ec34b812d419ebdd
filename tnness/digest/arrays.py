"""Digests of arrays and numbers that do not depend on the last bits, in which builds of BLAS differ.

Rounding each element is not enough: of ten thousand elements with last-bit noise, a few lie so close to the edge of a
rounding cell that the noise carries them over. Instead an array is written in fixed point, in units of its largest
magnitude, and a few sums of all its elements with fixed pseudo-random weights are rounded. Noise moves such a sum over
an edge about as rarely as it moves one element, however many elements there are; a change of the array moves it by far
more than a cell. Every step is exact arithmetic, so that equal arrays have equal digests on every machine.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Integers = NDArray[np.int64]
Real = NDArray[np.float64]

DIGITS = 12
"""Significant digits, relative to an array's largest magnitude."""
EIGENVECTOR_DIGITS = 9
"""Significant digits of eigenvectors, whose noise is amplified by small gaps."""
SUMS = 2
"""Number of weighted sums of an array, each of more than 20 bits."""
ARRAY_BLOCK = 2**16
"""Number of elements that are weighted at once."""
GUARD_BITS, WEIGHT_BITS = 12, 20
"""Binary digits kept of an element behind its last significant one; binary digits of a weight, with its sign."""
MULTIPLIER = 0x9E3779B97F4A7C15
"""An odd number, whose powers turn the weights of the first block into those of the others."""
OFF_POWERS = 1.37
"""The unit changes from one power of 2 to the next at magnitudes 2^k / OFF_POWERS, not at common ones such as 1."""
SPARE_DIGITS = 3
"""Last digits of a floating-point type that are left to round-off."""
LOG_OF_ZERO = -2000.0
"""Replaces the logarithm of 0: it is below that of every number."""


def hashed(tag: str, *parts: bytes) -> bytes:
    """Return the SHA-256 of a tag and some parts, each framed by its length.

    >>> hashed("a", b"bc") == hashed("ab", b"c")
    False
    """
    whole = hashlib.sha256()
    for part in (tag.encode(), *parts):
        whole.update(len(part).to_bytes(8, "little") + part)
    return whole.digest()


def of_array(values: ArrayLike, digits: int = DIGITS) -> bytes:
    """Return the digest of an array: its kind, its shape and its values; integers and texts count exactly.

    Parameters
    ----------
    values: any shape. digits: significant ones, relative to the largest magnitude; fewer for single precision. A
        change of one among N elements shows if it exceeds 10^-digits sqrt(N) of that magnitude.

    >>> of_array([1.0, 0.0]) == of_array([1.0 + 1e-15, -0.0]) != of_array([1.0, 1e-9])
    True
    """
    array = np.asarray(values)
    kind, shape = array.dtype.kind, repr(array.shape).encode()
    if kind in "iub":
        return hashed("truths" if kind == "b" else "integers", shape, array.astype("<i8").tobytes())
    if kind not in "fc":
        return hashed("texts", shape, repr(array.tolist()).encode())
    digits = min(digits, np.finfo(array.dtype).precision - SPARE_DIGITS)
    wide = np.ascontiguousarray(array, np.complex128 if kind == "c" else np.float64)
    return hashed("complex" if kind == "c" else "real", shape, _of_reals(wide.reshape(-1).view(np.float64), digits))


def of_arrays(arrays: Sequence[Array]) -> bytes:
    """Return the digest of some arrays of one kind, all in units of their common largest magnitude."""
    shapes = repr([array.shape for array in arrays]).encode()
    flat = [array.ravel() for array in arrays]
    return hashed("arrays", shapes, of_array(np.concatenate(flat) if flat else np.zeros(0)))


def of_number(value: complex) -> bytes:
    """Return the digest of a float or complex number, to `DIGITS` significant digits.

    >>> of_number(0.1 + 0.2) == of_number(0.3)
    True
    """
    parts = (value.real, value.imag) if isinstance(value, complex) else (value,)
    return hashed("number", *(_rounded(part).hex().encode() for part in parts))


def magnitudes(values: ArrayLike) -> Real:
    """Return roughly log2 |x|, for numbers of which small ones count as much as large ones: rates, conductances.

    It is exact at powers of 2 and linear in |x| between them, and is computed without round-off; 0 gives `LOG_OF_ZERO`.

    >>> magnitudes([1.0, 2.0, 3.0, 1e-300]).round(1).tolist()
    [0.0, 1.0, 1.5, -996.7]
    """
    mantissas, exponents = np.frexp(np.abs(np.asarray(values, float)))
    return np.where(mantissas > 0, exponents + 2 * mantissas - 2, LOG_OF_ZERO)


def _rounded(value: float) -> float:
    mantissa, exponent = math.frexp(value)
    if not math.isfinite(value):
        return value
    bits = _bits(DIGITS)
    return math.ldexp(round(math.ldexp(mantissa, bits)), exponent - bits) + 0.0  # -0 counts as 0


def _of_reals(flat: Real, digits: int) -> bytes:
    """Return the hash of the rounded weighted sums of real numbers, and of the places of those that are not finite."""
    places, finite = b"", np.isfinite(flat)
    if not finite.all():
        places = repr([(int(i), str(flat[i])) for i in np.flatnonzero(~finite)]).encode()
        flat = np.where(finite, flat, 0.0)
    largest = max(float(flat.max(initial=0.0)), -float(flat.min(initial=0.0)))
    mantissa, exponent = math.frexp(largest)
    exponent += mantissa * OFF_POWERS >= 1
    point = _bits(digits) + GUARD_BITS - exponent  # binary places kept of an element
    cell = GUARD_BITS + WEIGHT_BITS - 2 + math.ceil(math.log2(max(len(flat), 1)) / 2)
    sums = (_sums(flat, point) + (1 << (cell - 1))) >> cell
    return hashed("sums", places, exponent.to_bytes(4, "little", signed=True), sums.astype("<i8").tobytes())


def _sums(flat: Real, point: int) -> Integers:
    """Return the weighted sums of the elements in fixed point, modulo 2^64: (SUMS,)."""
    total = np.zeros(SUMS, np.int64)
    for block, start in enumerate(range(0, len(flat), ARRAY_BLOCK)):
        fixed = np.rint(np.ldexp(flat[start : start + ARRAY_BLOCK], point)).astype(np.int64)
        total += (_weights(block, len(fixed)) * fixed).sum(axis=1)
    return total


def _weights(block: int, count: int) -> Integers:
    """Return pseudo-random integers of WEIGHT_BITS bits, the same on every machine: (SUMS, count)."""
    turned = _table()[:, :count] * np.uint64(pow(MULTIPLIER, block, 2**64))
    return turned.view(np.int64) >> (64 - WEIGHT_BITS)


@cache
def _table() -> NDArray[np.uint64]:
    return np.random.Philox(key=0).random_raw(SUMS * ARRAY_BLOCK).reshape(SUMS, ARRAY_BLOCK)


def _bits(digits: int) -> int:
    return math.ceil(digits * math.log2(10))
