"""What a run in stages says of a state that never comes to rest."""

from dataclasses import dataclass

from tnness import TEBD, Lindbladian, expectation, steady_state
from tnness import spin_half as s
from tnness.stopping.ladder import OSCILLATES


@dataclass(frozen=True, kw_only=True)
class HalfClosed:
    """A driven spin, and beside it two spins that nothing damps: they exchange an excitation for ever."""

    n: int = 3

    def problem(self) -> Lindbladian:
        chain = Lindbladian([s] * self.n)
        chain.hamiltonian(s.X(1) * s.X(2) + s.Y(1) * s.Y(2) + 0.3 * s.Z(1))
        chain.jump(s.Sp(0))
        chain.jump(s.Sm(0), rate=0.5)
        return chain

    def observables(self):
        return {"z": expectation([s.Z(i) for i in range(self.n)], "site")}


def test_a_closed_part_that_oscillates_is_not_told_to_raise_the_bond_dimension():
    """The chain is kept exactly (chi = 4 would do): neither truncation nor time is missing."""
    record = steady_state(HalfClosed(), engine=TEBD(chi=16, dt=0.4, order=2), initial="product:001")
    assert record.outcome == OSCILLATES
    assert "--chi" not in record.outcome
    assert not record.certificate.converged
    assert record.certificate.discarded_weight < 1e-11
