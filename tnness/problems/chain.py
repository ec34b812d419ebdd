"""Any problem on a chain as local matrices."""

from __future__ import annotations

from typing import Any

from tnness.errors import ModelError
from tnness.problems.generator import ChainGenerator


def chain_of(problem: Any, taker: str, any_sites: bool = False) -> ChainGenerator:
    """Return a problem's local matrices; refuse a problem that is no chain, or reaches further than the taker can.

    Parameters
    ----------
    problem: what a model states. taker: who needs a chain, for the message. any_sites: whether it takes terms on other
        sites than neighbours.

    Raises
    ------
    ModelError: the problem has no local matrices, or they cannot be built.
    """
    if getattr(problem, "form", "") != "chain":
        raise ModelError(
            f"problem() returned a {type(problem).__name__}, not a Lindbladian or ChainGenerator, which {taker} takes"
        )
    generator = problem.generator()
    if not any_sites:
        generator.check_neighbours(taker)
    return generator
