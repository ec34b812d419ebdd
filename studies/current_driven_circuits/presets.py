"""What is computed: `quick` in ten minutes of one core, `paper` at greater lengths."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A line through the phase diagram: one probability is varied, at two lengths whose ratio gives the exponents."""

    name: str
    varied: str  # p1 or p2
    values: tuple[float, ...]
    fixed: float  # the other one
    lengths: tuple[int, int]
    chi: int  # 0 where the closed Gaussian equations are exact (p2 = 0)


@dataclass(frozen=True, kw_only=True)
class Length:
    """Gaussian circuits of one length: trajectories of so many gates, at p1 = 1 and all biases."""

    n: int
    gates: int
    realizations: int = 1
    samples: int = 256  # of each trajectory


@dataclass(frozen=True, kw_only=True)
class Quench:
    """Circuits that start from a pure product state, at infinite temperature."""

    gaussian: int  # sites of phases I and II
    dense: int  # sites of the density matrices
    realizations: tuple[int, int]
    end: float  # last time of the density matrices


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of the magnetisation, by the averaged replica."""

    n: int
    delta: float
    p1: float
    p2: tuple[float, ...]
    chi: int
    end: float
    count: int

    @property
    def times(self) -> list[float]:
        """Even in the logarithm."""
        return [float(t) for t in np.geomspace(2.0, self.end, self.count)]


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Two starts under one circuit."""

    gaussian: tuple[int, ...]  # sites
    dense: int
    gates: tuple[tuple[float, float], ...]  # of the density matrices: (p1, p2)
    realizations: int


@dataclass(frozen=True, kw_only=True)
class Averages:
    """Trajectories against the averaged replica."""

    dense: tuple[int, ...]  # sites
    gaussian: int
    realizations: int
    gates: tuple[int, int]  # of a trajectory: density matrices, Gaussian ones


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One setting of all figures."""

    name: str
    cuts: tuple[Cut, ...]
    haar: tuple[int, ...]  # lengths of Fig. 11
    drawn: tuple[int, ...]  # lengths at which circuits are drawn, too
    steps: int  # gates of each of them
    volume: tuple[Length, ...]
    shown: int  # the length whose dependence on the bias is drawn
    sampled: int  # sites of Fig. 5's independent normals
    quench: Quench
    step: Step
    states: dict[int, int]  # scattering states: realizations by length
    memory: Memory
    averages: Averages
    measured: tuple[int, ...] = (8, 16, 32)  # lengths of the crossover without coherences


HALVES = tuple(10.0**-k for k in (6, 5.5, 5, 4.5, 4, 3.5, 3, 2.5, 2, 1.5, 1, 0.5, 0))
FEW = (0.01, 0.03, 0.1, 0.3, 0.5)


def cuts(gaussian: tuple[int, int], network: tuple[int, int], chi: int) -> tuple[Cut, ...]:
    """The three cuts of Fig. 4."""
    return (
        Cut(name="I to II: p2 = 0", varied="p1", values=HALVES, fixed=0.0, lengths=gaussian, chi=0),
        Cut(name="II to III: p1 = 1/2", varied="p2", values=FEW, fixed=0.5, lengths=network, chi=chi),
        Cut(name="I to III: p2 = 1/2", varied="p1", values=FEW, fixed=0.5, lengths=network, chi=chi),
    )


GATES = ((1.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 0.1))

PRESETS = {
    "quick": Preset(
        name="quick",
        cuts=cuts((50, 100), (6, 12), 64),
        haar=(2, 3, 4, 5, 6, 7, 8, 10, 12),
        drawn=(2, 3, 4, 5),
        steps=40_000,
        volume=(
            Length(n=12, gates=22_000, realizations=8),
            Length(n=25, gates=180_000, realizations=4),
            Length(n=50, gates=1_300_000, realizations=2),
            Length(n=100, gates=8_000_000, samples=512),
        ),
        shown=50,
        sampled=1000,
        quench=Quench(gaussian=60, dense=8, realizations=(12, 16), end=60.0),
        step=Step(n=20, delta=0.05, p1=0.5, p2=(0.0, 0.03, 0.1, 0.3), chi=64, end=50.0, count=14),
        states={8: 128, 16: 64, 32: 32, 48: 12},
        memory=Memory(gaussian=(10, 20, 40), dense=6, gates=GATES, realizations=20),
        averages=Averages(dense=(3, 4), gaussian=10, realizations=16, gates=(10_000, 13_000)),
    ),
    "paper": Preset(
        name="paper",
        cuts=cuts((100, 200), (20, 40), 128),
        haar=(2, 3, 4, 5, 6, 7, 8, 10, 12, 20),
        drawn=(2, 3, 4, 5, 6, 7, 8),
        steps=200_000,
        volume=(
            Length(n=12, gates=22_000, realizations=32),
            Length(n=25, gates=180_000, realizations=16),
            Length(n=50, gates=1_300_000, realizations=16),
            Length(n=100, gates=10_000_000, realizations=4),
            Length(n=200, gates=30_000_000, realizations=2),
        ),
        shown=50,
        sampled=1000,
        quench=Quench(gaussian=200, dense=9, realizations=(40, 100), end=100.0),
        step=Step(n=40, delta=0.02, p1=0.5, p2=(0.0, 0.003, 0.01, 0.03, 0.1, 0.3), chi=128, end=200.0, count=20),
        states={8: 256, 16: 128, 32: 64, 64: 16},
        memory=Memory(gaussian=(10, 20, 40, 80), dense=8, gates=GATES, realizations=40),
        averages=Averages(dense=(3, 4), gaussian=10, realizations=64, gates=(60_000, 130_000)),
        measured=(16, 32, 64),
    ),
}
