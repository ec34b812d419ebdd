"""Any problem on a chain as local matrices."""

from __future__ import annotations

from typing import Any

from tnness.errors import ModelError
from tnness.problems.generator import ChainGenerator


def chain_of(problem: Any, taker: str) -> ChainGenerator:
    """Return a problem's local matrices; refuse a problem that is no chain.

    Parameters
    ----------
    problem: what a model states. taker: who needs a chain, for the message.

    Raises
    ------
    ModelError: the problem has no local matrices, or they cannot be built.
    """
    if getattr(problem, "form", "") != "chain":
        raise ModelError(
            f"problem() returned a {type(problem).__name__}, not a Lindbladian or ChainGenerator, which {taker} takes"
        )
    return problem.generator()
