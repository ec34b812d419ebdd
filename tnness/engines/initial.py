"""Initial states and the one parser of their names. An engine builds the representation of the state that it needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tnness.errors import InputError
from tnness.network.chain_state import ChainState
from tnness.network.initial import basis_states
from tnness.operators.basis import LocalSpace

Kind = Literal["identity", "product", "thermal", "ground", "network", "array"]

FORMS = "identity, thermal:BETA, product:01*... or ground:N"


@dataclass(frozen=True)
class Initial:
    """An initial state as the user named it.

    Parameters
    ----------
    kind: `identity` (mixed), `product` (one label per site), `thermal`, `ground`, `network` (a `ChainState`) or
        `array` (numbers that the engine interprets: a correlation matrix, or states of the sites).
    value: the labels, the inverse temperature, the number of particles, the state or the array.
    text: the name that error messages show.
    """

    kind: Kind = "identity"
    value: Any = None
    text: str = "identity"

    def populations(self, spaces: Sequence[LocalSpace]) -> list[NDArray[np.float64]]:
        """Return the populations of the levels of each site of a product state: (d,) each."""
        return basis_states(self.value, spaces)

    def refused(self, needed: str = f"{FORMS} is needed") -> InputError:
        """Return the error for a state that an engine cannot start from. needed: states that it can start from."""
        return InputError(f"initial = {self.text}: {needed}")


def parse_initial(given: Any) -> Initial:
    """Return an initial state from a label, a `ChainState`, an object whose `state` is a `ChainState`, or an array.

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
        return Initial("network", state, f"a {type(given).__name__}")
    if isinstance(given, (np.ndarray, list, tuple)):
        return Initial("array", given, f"a {type(given).__name__}")
    raise InputError(f"initial = a {type(given).__name__}: {FORMS}, a state or a record is needed")


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
    if not (value.isascii() and value.isdigit()):
        raise Initial(text=text).refused("ground:N takes a number of particles")
    return Initial("ground", int(value), text)


_PARSERS: dict[str, Callable[[str, str], Initial]] = {"product": _product, "thermal": _thermal, "ground": _ground}
