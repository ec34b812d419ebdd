"""Runs of `tebd` on blocks of two sites, where terms reach over three: second neighbours, ladders, folded rings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tnness.network.chain_state import ChainState
from tnness.network.chain_view import ChainView
from tnness.network.grouping import joined, parted
from tnness.problems.blocks import block_starts

if TYPE_CHECKING:
    from tnness.problems.generator import ChainGenerator


@dataclass(frozen=True)
class Blocks:
    """The sites of a run on blocks.

    generator: of the single sites. n: their number.
    """

    generator: ChainGenerator
    starts: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts", tuple(block_starts(self.generator.n)))

    def join(self, state: ChainState) -> ChainState:
        """Return a state of the sites as one of blocks."""
        return joined(state, self.starts)

    def part(self, state: ChainState) -> ChainState:
        """Return a state of blocks as one of the sites."""
        return parted(state, self.generator.dims, self.starts)

    def view(self, state: ChainState) -> ChainView:
        """Return a view of the sites."""
        return ChainView(self.part(state), self.generator.spaces, self.generator.functionals)

    def of(self, sites: tuple[int, ...]) -> tuple[int, ...]:
        """Return the blocks of some sites."""
        return tuple(sorted({site // 2 for site in sites}))
