"""Random streams by name: equal names give equal numbers, different names independent ones.

The disorder of a model is drawn from `default_rng(seed)` itself. Every other use of random numbers in a run has a
stream of the same seed with its own name, which shares no number with the disorder or with another use.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def stream(seed: int, name: str, *numbers: int) -> np.random.Generator:
    """Return the random generator for a named use: SeedSequence(seed, spawn_key=(words of the name, *numbers)).

    Parameters
    ----------
    seed: of the run, an integer >= 0. name: the use of the random numbers. numbers: integers >= 0 that distinguish
        streams of one name: a step, a layer, a realization, ...

    >>> float(stream(7, "noise", 0).random()) == float(stream(7, "noise", 0).random())
    True
    >>> float(stream(7, "noise", 0).random()) == float(np.random.default_rng(7).random())
    False
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(*_words(name), *numbers)))


def save_stream(generator: np.random.Generator) -> NDArray[np.uint64]:
    """Return the state of a stream as six numbers, for a file."""
    state: dict[str, Any] = generator.bit_generator.state  # type: ignore[assignment]  # a dictionary for PCG64
    numbers = state["state"]["state"], state["state"]["inc"]
    halves = [half for number in numbers for half in (number >> 64, number & _LOW)]
    return np.array([*halves, state["has_uint32"], state["uinteger"]], dtype=np.uint64)


def restore_stream(saved: NDArray[np.uint64]) -> np.random.Generator:
    """Return the stream that was saved.

    >>> generator = stream(1, "noise")
    >>> _ = generator.random(3)
    >>> float(restore_stream(save_stream(generator)).random()) == float(generator.random())
    True
    """
    high, low, inc_high, inc_low, has_uint32, uinteger = (int(number) for number in saved)
    bits = np.random.PCG64()
    bits.state = {
        "bit_generator": "PCG64",
        "state": {"state": (high << 64) | low, "inc": (inc_high << 64) | inc_low},
        "has_uint32": has_uint32,
        "uinteger": uinteger,
    }
    return np.random.Generator(bits)


_LOW = (1 << 64) - 1


def _words(name: str) -> tuple[int, ...]:
    """The first two 32-bit words of the SHA-256 of a name."""
    return tuple(int(word) for word in np.frombuffer(hashlib.sha256(name.encode()).digest()[:8], ">u4"))
