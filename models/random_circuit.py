"""A current-driven random circuit, one realization at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from tnness import Circuit, InputError, Observable, bit, register, spin_half
from tnness.model.checks import check_sites
from tnness.problems.ensembles import mapped
from tnness.typed import check_fields

from .conserving_gates import check_probabilities, gates
from .interferometer import ports

Array = NDArray[Any]
Real = NDArray[np.float64]


@register("random-circuit")
@dataclass(frozen=True, kw_only=True)
class RandomCircuit:
    """A random circuit of spins 1/2 between two reservoirs of different magnetisation: one realization.

    In each step a gate acts on a random bond: a partial swap with probability p1, an interaction with p2, a swap or
    nothing otherwise; gates at the ends act on a fresh spin of density 1/2 + m, which is then discarded. Unit time is
    n + 1 steps. Spin up is a particle. Without interactions (p2 = 0) the particles are free fermions, and engine
    `gaussian` serves hundreds of sites; `tebd` and `exact` serve all gates. A steady state is the average over one
    trajectory, with errors by blocking; a `sweep` averages over many realizations.

    The average over circuits is the symmetric exclusion process for any p1 and p2. Entropies are measured from its
    local equilibrium, the product of states of the average densities n_i: Delta S_X = sum_(i in X) H(n_i) - S_X. The
    observables "leading_..." are expansions in the purity, 2^(|X| - 1) (Tr rho_X^2 - prod (1 + (2 n_i - 1)^2)/2); the
    replica (`replica-abc`) gives their averages.

    M. J. Gullans, D. A. Huse, Phys. Rev. X 9, 021007 (2019), doi:10.1103/PhysRevX.9.021007.

    Agrees
    ------
    - E|G_ij|^2, the variance of n_i and the profile with the closed equations (D8)-(D10), within 1.7 standard errors
      (root of the mean square): test_averages_solve_the_closed_equations
    - purities, variances and entropies of three sites with the exact averaged replica, within 1.7 standard errors:
      test_averages_are_those_of_the_exact_replica
    - the volume law at fifty sites, (34)-(36), within 4 standard errors of less than 1 %:
      test_volume_law_at_fifty_sites
    - the mean density with averaged maps, step by step, to 1e-12: test_the_mean_density_is_that_of_averaged_maps
    """

    n: int = 20  # number of sites
    p1: float = 1.0  # probability of a partial swap
    p2: float = 0.0  # probability of an interaction
    m_left: float = 0.5  # magnetisation of the left reservoir, density 1/2 + m
    m_right: float = -0.5  # magnetisation of the right reservoir
    steps: int | None = None  # gates of a steady state's trajectory; 40 (n + 1)^3 unless given
    settle: int | None = None  # gates before its averages begin; a fifth of the steps unless given
    every: int | None = None  # gates between two samples; a thousand samples unless given
    placement: Literal["random", "layers"] = "random"  # gates on random bonds, or on all even, then all odd ones
    coherences: bool = True  # if false, every gate is followed by a measurement of both spins, (54)
    initial: Literal["equilibrium", "mixed", "step", "full", "empty", "neel"] = "equilibrium"  # densities at time 0
    cuts: int | None = 1  # cuts between left and right, evenly spaced: 1 is the middle; all unless given
    negativity: bool = True  # compute the negativity, at the cost of n^3 for each cut
    detectors: tuple[int, int] | None = None  # sites whose interference is measured
    detector_phase: float = 1.5707963267948966  # phase of t over r of the balanced beam splitter
    matrices: bool = False  # keep G_ij = <c^+_i c_j> and |G_ij|^2

    engines: ClassVar[tuple[str, ...]] = ("gaussian", "tebd", "exact")

    def __post_init__(self) -> None:
        check_fields(self)
        check_sites(self.n)
        check_probabilities(self.p1, self.p2)
        for name, m in (("m_left", self.m_left), ("m_right", self.m_right)):
            if not abs(m) <= 0.5:
                raise InputError(f"{name} = {m:g}: a magnetisation lies between -1/2 and 1/2")
        if self.cuts is not None and not 1 <= self.cuts < self.n:
            raise InputError(f"cuts = {self.cuts}: a chain of {self.n} sites has 1 to {self.n - 1} cuts")
        if self.detectors is not None and not all(0 <= site < self.n for site in self.detectors):
            raise InputError(f"detectors = {list(self.detectors)}: the sites are 0 to {self.n - 1}")
        if self.initial not in _PROFILES:
            raise InputError(f"initial = {self.initial!r} is not one of {', '.join(_PROFILES)}")
        self.problem()  # the circuit checks the numbers of steps

    def small(self) -> Self:
        """Return a chain of four sites and a short trajectory."""
        return replace(self, n=min(self.n, 4), steps=4000, settle=None, every=None, cuts=1, detectors=None)

    def problem(self) -> Circuit:
        """Return the circuit."""
        ensemble, space = gates(self.p1, self.p2), spin_half
        left, right = ([0.5 + m, 0.5 - m] for m in (self.m_left, self.m_right))
        if not self.coherences:  # the particle is level 1 of a bit, level 0 of a spin
            ensemble, space = mapped(ensemble, lambda u: u[..., ::-1, ::-1]), bit
            left, right = left[::-1], right[::-1]
        return Circuit(
            [space] * self.n,
            ensemble,
            left,
            right,
            placement=self.placement,
            steps=self.steps,
            settle=self.settle,
            every=self.every,
        )

    def initial_state(self, engine: str) -> Array:
        """Return the density matrices of the sites at time 0: (n, 2, 2)."""
        p = _PROFILES[self.initial](self.steady_density, 0.5 + self.m_left, 0.5 + self.m_right)
        levels = np.stack([p, 1 - p] if self.coherences else [1 - p, p], axis=1)
        return levels[:, :, None] * np.eye(2)

    # ------------------------------------------------------------------ local equilibrium

    @property
    def steady_density(self) -> Real:
        """The average density of the steady state with random placement: (n,)."""
        i = np.arange(1, self.n + 1) / (self.n + 1)
        return 0.5 + self.m_left + (self.m_right - self.m_left) * i

    def mean_density(self, start: Real, steps: int) -> Real:
        """Return the density averaged over circuits after some steps: (n,).

        On average, any gate gives both spins of its bond the mean of their densities. start: density at time 0.
        """
        extended = np.concatenate([[0.5 + self.m_left], start, [0.5 + self.m_right]])
        if self.placement == "random":
            modes, decay = self._modes
            rest = modes @ (decay**steps * (modes.T @ (start - self.steady_density)))
            return self.steady_density + rest
        order = np.array([*range(0, self.n + 1, 2), *range(1, self.n + 1, 2)])
        periods, rest = divmod(steps, self.n + 1)
        whole = np.linalg.matrix_power(self._averaged(order), periods)
        return (self._averaged(order[:rest]) @ whole @ extended)[1:-1]

    @cached_property
    def _modes(self) -> tuple[Real, Real]:
        """Eigenvectors of one averaged step, (n, n), and its eigenvalues."""
        k = np.pi * np.arange(1, self.n + 1) / (self.n + 1)
        modes = np.sqrt(2 / (self.n + 1)) * np.sin(np.outer(np.arange(1, self.n + 1), k))
        return modes, 1 - (1 - np.cos(k)) / (self.n + 1)

    def _averaged(self, bonds: Array) -> Real:
        """Return gates on these bonds in turn, as a matrix on the densities and the two reservoirs: (n + 2, n + 2)."""
        total = np.eye(self.n + 2)
        for k in bonds.tolist():
            step = np.eye(self.n + 2)
            step[k : k + 2, k : k + 2] = 0.5
            step[0], step[-1] = np.eye(self.n + 2)[[0, -1]]
            total = step @ total
        return total

    def _equilibrium(self, view: Any) -> Real:
        """Return the densities averaged over circuits, at the time of a view."""
        return self.mean_density(view.start.density, round(view.time * (self.n + 1)))

    # ------------------------------------------------------------------ what is measured

    @property
    def cut_sites(self) -> list[int]:
        """Sites to the left of each cut."""
        if self.cuts is None:
            return list(range(1, self.n))
        return sorted({round(self.n * (j + 1) / (self.cuts + 1)) for j in range(self.cuts)})

    def observables(self) -> dict[str, Observable]:
        """Return densities, coherences, entropies from local equilibrium, and correlations across the cuts."""
        nat: dict[str, Any] = {"unit": "nat"}  # no needs: the chain's length decides whether a view gives entropies
        origin = ("time", "start")
        cut: dict[str, Any] = {"dims": ("cut",), "coordinates": {"cut": self.cut_sites}}
        observables = {
            "density": Observable(
                lambda v: v.density,
                dims=("site",),
                description="<n_i>",
                symbol=r"\langle n_i \rangle",
                needs=("density",),
            ),
            "h": Observable(
                lambda v: v.density**2 - self._equilibrium(v) ** 2,
                dims=("site",),
                description="<n_i>^2 less the square of its average over circuits",
                needs=("density", *origin),
            ),
            "purity": Observable(
                lambda v: np.exp(v.log_purity()),
                monitored=False,
                description="Tr rho^2",
                symbol=r"\mathrm{Tr} \rho^2",
                needs=("log_purity",),
            ),
            "entropy": Observable(
                lambda v: v.entropy(), **nat, description="von Neumann entropy of the chain", symbol=r"S"
            ),
            "renyi2_entropy": Observable(
                lambda v: -v.log_purity(), **nat, description="-ln Tr rho^2", symbol=r"S_2", needs=("log_purity",)
            ),
            "entropy_deviation": Observable(
                self._deviation,
                **nat,
                description="Delta S: entropy missing from local equilibrium",
                symbol=r"\Delta S",
            ),
            "relative_entropy": Observable(
                self._relative, **nat, description="of the state to local equilibrium; its average is that of Delta S"
            ),
            "leading_entropy_deviation": Observable(
                lambda v: self._leading(v, 0, self.n),
                **nat,
                monitored=False,
                description="Delta S to leading order, from the purity",
                needs=("renyi2", *origin),
            ),
            "mutual_information": Observable(
                self._across(lambda v, a, b: -v.entropy() + v.entropy(a) + v.entropy(b)),
                **(cut | nat),
                description="I = S_A + S_B - S_AB",
                symbol=r"I",
            ),
            "renyi2_mutual_information": Observable(
                self._across(lambda v, a, b: v.renyi2(a) + v.renyi2(b) + v.log_purity()),
                **(cut | nat),
                description="the same of Renyi-2 entropies",
                symbol=r"I_2",
                needs=("renyi2", "log_purity"),
            ),
            "leading_mutual_information": Observable(
                lambda v: [
                    self._leading(v, 0, self.n) - self._leading(v, 0, k) - self._leading(v, k, self.n)
                    for k in self.cut_sites
                ],
                **(cut | nat),
                monitored=False,
                description="I to leading order, from purities",
                needs=("renyi2", *origin),
            ),
            "mutual_coherence": Observable(
                self._across(lambda v, a, b: 2 * np.sum(np.abs(v.correlation[np.ix_(a, b)]) ** 2)),
                **cut,
                description="2 sum |G_ij|^2, i and j on either side",
                needs=("correlation",),
            ),
        }
        if self.negativity:
            observables["negativity"] = Observable(
                self._across(lambda v, a, b: v.negativity(a, b)),
                **(cut | nat),
                description="fermionic logarithmic negativity of the two sides",
            )
        if self.detectors is not None:
            pair, phase = self.detectors, self.detector_phase
            observables["interferometer"] = Observable(
                lambda v: ports(v.correlation, pair, phase),
                dims=("meter",),
                coordinates={"meter": ["left", "right"]},
                description="|r|^2 n_L + |t|^2 n_R + 2 Re r^* t <c^+_L c_R>; the other port; t / r = e^(i phase)",
                needs=("correlation",),
            )
        return observables | (self._matrices() if self.matrices else {})

    def _matrices(self) -> dict[str, Observable]:
        quiet: dict[str, Any] = {"monitored": False, "needs": ("correlation",)}
        return {
            "correlation": Observable(
                lambda v: np.stack([v.correlation.real, v.correlation.imag]),
                dims=("part", "site", "site_2"),
                coordinates={"part": ["real", "imaginary"]},
                description="G_ij = <c^+_i c_j>",
                symbol=r"G_{ij}",
                **quiet,
            ),
            "a": Observable(
                lambda v: np.abs(v.correlation) ** 2 * (1 - np.eye(self.n)),
                dims=("site", "site_2"),
                description="|G_ij|^2, 0 on the diagonal",
                symbol=r"|G_{ij}|^2",
                **quiet,
            ),
        }

    def _across(self, measure: Any) -> Any:
        """Return the function view -> (cut,) that calls measure(view, sites left, sites right) for each cut."""
        sites = range(self.n)
        return lambda view: [measure(view, sites[:k], sites[k:]) for k in self.cut_sites]

    def _deviation(self, view: Any) -> float:
        n = self._equilibrium(view)
        return float(np.sum(_cross(n, n) + _cross(1 - n, 1 - n)) - view.entropy())

    def _relative(self, view: Any) -> float:
        """Return -Tr rho ln rho_LE - S.

        The first term has n_i where Delta S has its average over circuits; both have the same average.
        """
        n, mean = view.density, self._equilibrium(view)
        return float(np.sum(_cross(n, mean) + _cross(1 - n, 1 - mean)) - view.entropy())

    def _leading(self, view: Any, start: int, stop: int) -> float:
        fields = 2 * self._equilibrium(view)[start:stop] - 1
        purity = np.exp(-view.renyi2(range(start, stop)) + (stop - start) * np.log(2))
        return float(purity - np.prod(1 + fields**2)) / 2


_PROFILES: dict[str, Any] = {
    "equilibrium": lambda steady, left, right: steady,
    "mixed": lambda steady, left, right: np.full(len(steady), 0.5),
    "step": lambda steady, left, right: np.where(np.arange(len(steady)) < len(steady) // 2, left, right),
    "full": lambda steady, left, right: np.ones(len(steady)),
    "empty": lambda steady, left, right: np.zeros(len(steady)),
    "neel": lambda steady, left, right: (np.arange(len(steady)) % 2).astype(float),
}
"""Name -> densities at time 0, as functions of the densities of the steady state and of the reservoirs."""


def _cross(p: Real, q: Real) -> Real:
    """Return -p ln q; 0 where the mean q is 0, since then p is 0 too."""
    return -p * np.log(np.where(q > 0, q, 1.0))
