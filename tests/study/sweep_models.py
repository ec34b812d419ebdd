"""Models and measuring functions for the tests of sweeps: found by `file.py:Name`, from any process."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from tnness import Lindbladian, NumericalError, Observable, expectation
from tnness import spin_half as s
from tnness.model.checks import check_sites


@dataclass(frozen=True, kw_only=True)
class Noisy:
    """Spins in random fields, pumped at one end; some realizations fail on purpose."""

    n: int = 2  # sites
    gamma: float = 1.0  # rate
    fields: tuple[float, ...] | None = None  # drawn
    fails_below: float = -2.0  # a first field below this raises

    def __post_init__(self) -> None:
        check_sites(self.n)

    def draw(self, rng):
        fields = tuple(rng.uniform(-1, 1, self.n).tolist())
        return self if self.fields is not None else type(self)(**(vars(self) | {"fields": fields}))

    def problem(self) -> Lindbladian:
        if self.fields is not None and self.fields[0] < self.fails_below:
            raise ZeroDivisionError(f"the field {self.fields[0]:.3f} is too low")
        chain = Lindbladian([s] * self.n)
        for i in range(self.n - 1):
            chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
        for i, field in enumerate(self.fields or ()):
            chain.hamiltonian(field * s.X(i))
        chain.jump(s.Sp(0), rate=self.gamma)
        chain.jump(s.Sm(self.n - 1), rate=self.gamma)
        chain.jump(s.Z(0), rate=0.3)
        return chain

    def observables(self) -> dict[str, Observable]:
        return {
            "z": expectation([s.Z(i) for i in range(self.n)], "site", description="<Z_i>"),
            "x": expectation(s.X(0), unit="1"),
        }


def slow(setting):
    """A point that takes a moment, and says that it began."""
    time.sleep(0.15)
    return {"seed_modulo": float(setting.seed % 10**6), "gamma_again": float(setting.values["gamma"])}


def killed_once(setting):
    """Kills its own process the first time that realization 1 is computed."""
    mark = Path(os.environ["TNNESS_TEST_MARK"])
    if setting.realization == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"one": 1.0}


def always_killed(setting):
    """Kills its own process whenever realization 1 is computed."""
    if setting.realization == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"one": 1.0}


def fails(setting):
    """Fails as a computation does."""
    if setting.realization == 2:
        raise NumericalError("it broke down")
    return {"one": 1.0}


def wrong(setting):
    """Returns nothing that can be kept."""
    return "many"
