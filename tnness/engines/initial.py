"""Initial states and the one parser of their names. An engine builds the representation of the state that it needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tnness.errors import InputError
from tnness.interop.states import foreign_kind
from tnness.network.chain_state import ChainState
from tnness.network.initial import basis_states, domain_wall
from tnness.operators.basis import LocalSpace

Kind = Literal["identity", "product", "thermal", "ground", "network", "array", "ghz", "random", "foreign", "tensors"]

FORMS = "identity, thermal:BETA, product:01*..., domain_wall:K, ghz, random:SEED:CHI or ground:N"


@dataclass(frozen=True)
class Initial:
    """An initial state as the user named it.

    Parameters
    ----------
    kind: `identity` (mixed), `product` (one label per site, or a domain wall), `thermal`, `ground`, `ghz`, `random` (a
        pure state), `network` (a `ChainState`), `foreign` (an object of quimb or TeNPy), `tensors` (of a matrix-product
        state or operator) or `array` (numbers that the engine interprets: a correlation matrix, amplitudes, a density
        matrix, or states of the sites).
    value: the labels, the inverse temperature, the number of particles, seed and bond dimension, the state, the tensors
        or the array.
    text: the name that error messages show.
    recorded: whether the network is that of a record, whose tensors are never amplitudes.
    wall: of a domain wall, the first site on its right.
    """

    kind: Kind = "identity"
    value: Any = None
    text: str = "identity"
    wall: int | None = None
    recorded: bool = False

    def populations(self, spaces: Sequence[LocalSpace]) -> list[NDArray[np.float64]]:
        """Return the populations of the levels of each site of a product state: (d,) each."""
        return basis_states(self.value, spaces) if self.wall is None else domain_wall(spaces, self.wall)

    @property
    def array(self) -> NDArray[Any]:
        """The numbers as one array; an empty one of numbers that are none, such as those of sites of several kinds."""
        try:
            return np.asarray(self.value)
        except ValueError:
            return np.zeros(0)

    def refused(self, needed: str = f"{FORMS} is needed") -> InputError:
        """Return the error for a state that an engine cannot start from. needed: states that it can start from."""
        return InputError(f"initial = {self.text}: {needed}")


def parse_initial(given: Any) -> Initial:
    """Return an initial state from a label, a state, an object whose `state` is a `ChainState`, or numbers.

    Parameters
    ----------
    given: a label; a `ChainState` of amplitudes or of coefficients; a record; a `MatrixProductState` or
        `MatrixProductOperator` of quimb; an `MPS`, `MPO` or `PurificationMPS` of TeNPy; a list of tensors (left, d,
        right) or (left, d, d, right); amplitudes (prod d,), a density matrix (prod d, prod d), or one density matrix
        (d, d) or probabilities (d,) for each site.

    Raises
    ------
    InputError: an unknown label, or an object of another kind.

    >>> parse_initial("thermal:0.5").value
    0.5
    >>> parse_initial("product:01*").kind
    'product'
    """
    if given is None or (isinstance(given, str) and given == "identity"):
        return Initial()
    if isinstance(given, Initial):
        return given
    if isinstance(given, str):
        kind, _, value = given.partition(":")
        if kind in _PARSERS:
            return _PARSERS[kind](value, repr(given))
        raise Initial(text=repr(given)).refused()
    if isinstance(given, ChainState):
        return Initial("network", given, "a ChainState")
    state = getattr(given, "state", None)
    if isinstance(state, ChainState):
        return Initial("network", state, f"a {type(given).__name__}", recorded=True)
    if foreign_kind(given) is not None:
        return Initial("foreign", given, f"a {foreign_kind(given)}")
    if isinstance(given, (np.ndarray, list, tuple)):
        _check_numbers(given)
        if not isinstance(given, np.ndarray) and given and all(np.ndim(entry) in (3, 4) for entry in given):
            return Initial("tensors", given, "a list of tensors")
        return Initial("array", given, f"a {type(given).__name__}")
    raise InputError(f"initial = a {type(given).__name__}: {FORMS}, a state or a record is needed")


LARGEST_ENTRY = 1e100
"""Largest number of a state: its square must be one, too."""


def _check_numbers(given: Any) -> None:
    """Refuse an array, or a list of arrays, that holds anything but numbers up to LARGEST_ENTRY."""
    try:
        arrays = [np.asarray(given)]
    except ValueError:  # arrays of different shapes
        try:
            arrays = [np.asarray(entry) for entry in given]
        except ValueError:
            arrays = [np.asarray(None)]
    fit = all(array.dtype.kind in "biufc" and (np.abs(array) <= LARGEST_ENTRY).all() for array in arrays)
    if not fit or (isinstance(given, np.ndarray) and given.ndim == 0):
        raise InputError(f"initial = a {type(given).__name__}: arrays of numbers up to {LARGEST_ENTRY:g} are needed")


def _is_whole(text: str) -> bool:
    """Return whether a text is a whole number of 64 bits."""
    return text.isascii() and text.isdigit() and len(text) <= DIGITS_OF_INTEGER


DIGITS_OF_INTEGER = 18
"""Most digits of an integer of 64 bits, whatever they are."""


def _product(value: str, text: str) -> Initial:
    return Initial("product", value, text)


def _thermal(value: str, text: str) -> Initial:
    try:
        beta = float(value)
    except ValueError:
        beta = math.nan
    if not math.isfinite(beta):
        raise Initial(text=text).refused("thermal:BETA takes a number")
    return Initial("thermal", beta, text)


def _ground(value: str, text: str) -> Initial:
    if not _is_whole(value):
        raise Initial(text=text).refused("ground:N takes a number of particles")
    return Initial("ground", int(value), text)


def _wall(value: str, text: str) -> Initial:
    if not _is_whole(value):
        raise Initial(text=text).refused("domain_wall:K takes the first site on the right of the wall")
    return Initial("product", "", text, int(value))


def _ghz(value: str, text: str) -> Initial:
    if value:
        raise Initial(text=text).refused("ghz takes nothing else")
    return Initial("ghz", None, text)


def _random(value: str, text: str) -> Initial:
    seed, _, chi = value.partition(":")
    if not (_is_whole(seed) and _is_whole(chi)) or int(chi) < 1:
        raise Initial(text=text).refused("random:SEED:CHI takes two numbers, the second one at least 1")
    return Initial("random", (int(seed), int(chi)), text)


_PARSERS: dict[str, Callable[[str, str], Initial]] = {
    "product": _product,
    "thermal": _thermal,
    "ground": _ground,
    "domain_wall": _wall,
    "ghz": _ghz,
    "random": _random,
}
