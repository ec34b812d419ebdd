"""Weakly dissipative chains that tests share."""

import dataclasses

from tnness import find
from tnness import spin_half as s
from tnness.model.protocol import draw
from tnness.observables.observable import expectation
from tnness.problems.lindbladian import Lindbladian

MBL = find("mbl-heisenberg")


def chain(n=4, h=2.0, eps=0.003, seed=3):
    return draw(MBL(n=n, h=h, eps=eps), seed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Magnet:
    """A Heisenberg chain in fields along z: beside the energy, the magnetisation is nearly conserved."""

    n: int = 4
    eps: float = 0.01
    slow: bool = True
    fields: tuple[float, ...] = (0.3, -0.8, 0.5, 0.1)

    engines = ("tebd", "exact")

    def problem(self):
        chain = Lindbladian([s] * self.n)
        for i in range(self.n - 1):
            chain.hamiltonian(s.Sx(i) * s.Sx(i + 1) + s.Sy(i) * s.Sy(i + 1) + s.Sz(i) * s.Sz(i + 1))
            for flip, sign in ((s.Sp, 1), (s.Sm, -1)):
                chain.jump(flip(i) * (1 - 2 * sign * s.Sz(i + 1)), rate=(2 + sign) * self.eps / 8)
        for i in range(self.n):
            chain.hamiltonian(self.fields[i] * s.Sz(i))
            chain.jump(s.Sz(i), rate=self.eps * (1 + i))
        if self.slow:
            chain.nearly_conserved([s.Sz(i) for i in range(self.n)])
        return chain

    def observables(self):
        return {"sz": expectation([s.Sz(i) for i in range(self.n)], "site")}
