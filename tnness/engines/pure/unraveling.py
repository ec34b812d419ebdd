r"""Unravelings: how single pure states follow an equation whose average is sum_k rate_k D[L_k].

The jumps on one site, or on two neighbours, are a *window*. A time step h of a window turns the amplitudes by a random
matrix M of the window alone, drawn from its density matrix rho. On average over the draws rho becomes exp(h D) rho,
whatever h is: only the splitting between Hamiltonian and windows makes an error, of second order in the time step.

- `Jumps`: with Gamma = sum_k rate_k L_k^+ L_k nothing happens until a time tau with the probability
  Tr rho exp(-Gamma tau), which is a sum of exponentials. A uniform number u is drawn; if this probability is below u at
  the end of the step, tau solves Tr rho exp(-Gamma tau) = u, a jump L_k happens there with the probability
  proportional to rate_k <L_k^+ L_k>, and the rest of the step begins anew (J. Dalibard, Y. Castin, K. Molmer, Phys.
  Rev. Lett. 68, 580 (1992)). Any number of jumps may fall into a step.
- `Diffusion`: exp(h D) has the Kraus operators K_0 (the dominant one), K_1, ..., K_m, orthogonal to each other. The
  operators 2^-m (K_0 + sum_j w_j K_j), w_j of the numbers 1, i, -1, -i, make up the same map, and one is drawn. As h
  goes to 0, this is quantum-state diffusion with complex noise (N. Gisin, I. C. Percival, J. Phys. A 25, 5677 (1992)),

    d|psi> = -iH|psi> dt + sum_k (<L_k^+> L_k - L_k^+ L_k/2 - <L_k^+><L_k>/2)|psi> dt + sum_k (L_k - <L_k>)|psi> d xi_k.

- `Noise`: the kick exp(-i eta sqrt(rate h) L), eta normal, of a Hermitian diagonal L on one site: white noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
import scipy.linalg as linalg
from numpy.typing import NDArray

from tnness.errors import ModelError
from tnness.operators.terms import Operator
from tnness.problems.envelope import Function, value_at
from tnness.problems.lindbladian import Lindbladian

Array = NDArray[Any]
Streams = Sequence[np.random.Generator]

SAME_MATRIX = 1e-12
"""Relative difference of matrices that counts as round-off."""
LEAST_KRAUS = 1e-15
"""Weight of a Kraus operator, of a whole of 1, below which it is round-off."""
NEWTON_STEPS = 60
"""Most steps to the time of a jump; they converge quadratically, and from one side."""


@dataclass(frozen=True)
class WindowJump:
    """A jump as it acts on amplitudes: rate, a number or a function of time, and its matrix on its window.

    odd: whether it comes with the parity of all sites on its left.
    """

    rate: float | Function
    matrix: Array
    odd: bool
    name: str


@dataclass(frozen=True)
class JumpWindow:
    """One site or two neighbours, with all jumps on them, at least one."""

    sites: tuple[int, ...]
    jumps: tuple[WindowJump, ...]

    @property
    def levels(self) -> int:
        """Number of states."""
        return len(self.jumps[0].matrix)

    def rates(self, time: float) -> Array:
        """Return the rates at a time."""
        return np.array(
            [value_at(j.rate, time, j.name, True) if callable(j.rate) else float(j.rate) for j in self.jumps]
        )


@dataclass
class Turned:
    """What a step does to a window: (states, d, d), and which states take the parity of the sites on the left."""

    matrices: Array
    strings: Array | None = None
    jumps: Array | None = None


class Unraveling(Protocol):
    """The rule by which windows are turned."""

    name: ClassVar[str]
    windows: tuple[JumpWindow, ...]
    blind: bool
    """Whether no draw depends on the state; then no matrix changes a norm."""

    def draw(self, stream: np.random.Generator) -> Array:
        """Return the random numbers of one step of one state, for all windows in a row."""
        ...

    def turn(self, number: int, rho: Array | None, rates: Array, length: float, drawn: Array, streams: Streams) -> Any:
        """Return what a step of some length does to window `number`; None if nothing."""
        ...


def windows_of(problem: Lindbladian) -> tuple[JumpWindow, ...]:
    """Return the windows of a problem in the order of their sites, a site before the bond to its right.

    Raises
    ------
    ModelError: a jump on more than one site or two neighbours.
    """
    found: dict[tuple[int, ...], list[WindowJump]] = {}
    constant = problem.constant()
    given: list[tuple[Operator, float | Function]] = [(j.operator, j.rate) for j in constant.jumps if j.rate]
    given += [(d.operator, d.function) for d in problem.driven if d.is_rate]
    for operator, rate in given:
        sites = operator.sites or (0,)
        if max(sites) > min(sites) + 1:
            raise ModelError(
                f"the jump {operator} acts on sites {', '.join(map(str, sites))}: a trajectory takes jumps on one site "
                "or two neighbours; engines 'tebd', 'tdvp' and 'exact' take others"
            )
        matrix = operator.matrix(sites, problem.levels, problem.parities)
        found.setdefault(sites, []).append(WindowJump(rate, matrix, operator.odd, f"the jump {operator}"))
    return tuple(JumpWindow(sites, tuple(found[sites])) for sites in sorted(found))


@dataclass
class Jumps:
    """Quantum jumps."""

    windows: tuple[JumpWindow, ...]
    blind: bool = field(init=False)
    name: ClassVar[str] = "jumps"

    def __post_init__(self) -> None:
        self.blind = all(len(w.sites) == 1 and all(_is_multiple(j.matrix) for j in w.jumps) for w in self.windows)
        self._products = [np.array([j.matrix.conj().T @ j.matrix for j in w.jumps]) for w in self.windows]

    def draw(self, stream: np.random.Generator) -> Array:
        """Return one uniform number per window; further ones are drawn where a jump happens."""
        return stream.random(len(self.windows))

    def turn(
        self, number: int, rho: Array | None, rates: Array, length: float, drawn: Array, streams: Streams
    ) -> Turned | None:
        """Return the products of decays and jumps of a step."""
        window, products = self.windows[number], self._products[number]
        jumps = np.array([j.matrix for j in window.jumps])
        odd = np.array([j.odd for j in window.jumps])
        gamma = np.einsum("k,kab->ab", rates, products)
        decay, basis = np.linalg.eigh(gamma)
        decay = np.maximum(decay, 0.0)
        count, levels = len(drawn), window.levels
        if rho is None:
            rho = np.broadcast_to(np.eye(levels, dtype=complex) / levels, (count, levels, levels))
        turned = np.broadcast_to(np.eye(levels, dtype=complex), (count, levels, levels)).copy()
        strings, happened = np.zeros(count, bool), np.zeros(count, int)
        left, wanted, active = np.full(count, length), drawn[:, number].copy(), np.arange(count)
        rho = rho.copy()
        while active.size:
            weights = np.einsum("ba,rbc,ca->ra", basis.conj(), rho[active], basis).real
            weights = np.maximum(weights, 0.0)
            weights /= weights.sum(axis=1, keepdims=True)
            stays = (weights * np.exp(-decay * left[active, None])).sum(axis=1) >= wanted[active]
            quiet, jumping = active[stays], active[~stays]
            turned[quiet] = _decayed(basis, decay, left[quiet]) @ turned[quiet]
            if jumping.size:
                times = _times_of(weights[~stays], decay, wanted[jumping], left[jumping])
                before = _decayed(basis, decay, times)
                turned[jumping] = before @ turned[jumping]
                at = before @ rho[jumping] @ before.conj().transpose(0, 2, 1)
                chances = np.cumsum(rates * np.einsum("kab,rba->rk", products, at).real, axis=1)
                picked = np.array([streams[r].random() for r in jumping]) * chances[:, -1]
                which = np.minimum((picked[:, None] >= chances).sum(axis=1), len(jumps) - 1)
                turned[jumping] = jumps[which] @ turned[jumping]
                after = jumps[which] @ at @ jumps[which].conj().transpose(0, 2, 1)
                rho[jumping] = after / np.trace(after, axis1=1, axis2=2).real[:, None, None]
                strings[jumping] ^= odd[which]
                happened[jumping] += 1
                left[jumping] -= times
                wanted[jumping] = [streams[r].random() for r in jumping]
            active = jumping
        if self.blind and not happened.any():
            return None
        sizes = np.sqrt(np.einsum("rab,rab->r", turned, turned.conj()).real / levels)
        return Turned(turned / sizes[:, None, None], strings if strings.any() else None, happened)


@dataclass
class Diffusion:
    """Quantum-state diffusion.

    Raises
    ------
    ModelError: an odd jump, after which a state would be neither even nor odd in fermions.
    """

    windows: tuple[JumpWindow, ...]
    blind: bool = False
    name: ClassVar[str] = "diffusion"

    def __post_init__(self) -> None:
        odd = next((j for w in self.windows for j in w.jumps if j.odd), None)
        if odd is not None:
            raise ModelError(f"{odd.name} is odd in fermions and cannot diffuse: --set unraveling=jumps takes it")
        self._kept: dict[Any, Array] = {}

    def draw(self, stream: np.random.Generator) -> Array:
        """Return as many uniform numbers for each window as its map can have Kraus operators besides the first."""
        return stream.random(sum(w.levels**2 - 1 for w in self.windows))

    def turn(
        self, number: int, rho: Array | None, rates: Array, length: float, drawn: Array, streams: Streams
    ) -> Turned | None:
        """Return one of the rotated Kraus operators for each state."""
        assert rho is not None
        kraus = self._kraus(number, rates, length)
        kraus_pairs = np.einsum("aij,rjk,bik->rab", kraus, rho, kraus.conj(), optimize=True)  # Tr K_a rho K_b^+
        first = sum(w.levels**2 - 1 for w in self.windows[:number])
        weights = np.zeros((len(rho), len(kraus)), complex)
        weights[:, 0] = 1.0
        rest = np.einsum("raa->ra", kraus_pairs).real
        for j in range(1, len(kraus)):
            chances = np.empty((len(rho), len(PHASES)))
            for k, phase in enumerate(PHASES):
                weights[:, j] = phase
                known = np.einsum("ra,rab,rb->r", weights[:, : j + 1], kraus_pairs[:, : j + 1, : j + 1],
                                  weights[:, : j + 1].conj()).real  # fmt: skip
                chances[:, k] = np.maximum(known + rest[:, j + 1 :].sum(axis=1), 0.0)
            ladder = np.cumsum(chances, axis=1)
            chosen = (drawn[:, first + j - 1, None] * ladder[:, -1:] >= ladder).sum(axis=1)
            weights[:, j] = PHASES[np.minimum(chosen, len(PHASES) - 1)]
        return Turned(np.einsum("ra,aij->rij", weights, kraus))

    def _kraus(self, number: int, rates: Array, length: float) -> Array:
        key = number, float(f"{length:.12e}"), tuple(float(f"{rate:.12e}") for rate in rates)
        if key not in self._kept:
            if len(self._kept) > MOST_MAPS:
                self._kept.clear()
            self._kept[key] = kraus_of([j.matrix for j in self.windows[number].jumps], rates, length)
        return self._kept[key]


PHASES = np.array([1, 1j, -1, -1j])
MOST_MAPS = 4096
"""Maps of windows that are kept."""


@dataclass
class Noise:
    """White noise: unitary kicks."""

    windows: tuple[JumpWindow, ...]
    blind: bool = True
    name: ClassVar[str] = "noise"

    def __post_init__(self) -> None:
        self._diagonals = [np.real(np.diag(w.jumps[0].matrix)) for w in self.windows]

    def draw(self, stream: np.random.Generator) -> Array:
        """Return one normal number per noisy site."""
        return stream.standard_normal(len(self.windows))

    def turn(
        self, number: int, rho: Array | None, rates: Array, length: float, drawn: Array, streams: Streams
    ) -> Turned | None:
        """Return the kicks of a step."""
        diagonal = math.sqrt(rates[0]) * self._diagonals[number]
        phases = np.exp(-1j * math.sqrt(length) * np.multiply.outer(drawn[:, number], diagonal))
        return Turned(phases[:, :, None] * np.eye(len(diagonal)))


def why_no_noise(problem: Lindbladian, windows: Sequence[JumpWindow]) -> str:
    """Return in one line why white noise does not make the jumps of a problem; "" if it does."""
    for window in windows:
        for jump in window.jumps:
            if len(window.sites) > 1 or not _is_noise(problem, min(window.sites), jump):
                return f"{jump.name} is no white noise, which makes real diagonal jumps of one site"
        if len(window.jumps) > 1:
            return f"{window.jumps[1].name} is a second noise on site {min(window.sites)}"
    return ""


def _is_noise(problem: Lindbladian, site: int, jump: WindowJump) -> bool:
    """Return whether a jump of one site is a real diagonal matrix on amplitudes.

    The string of an odd jump reaches to its left: only on the first site there is none.
    """
    diagonal = np.real(np.diag(jump.matrix))
    size = max(1.0, float(np.abs(jump.matrix).max()))
    return (not jump.odd or site == 0) and bool(np.abs(jump.matrix - np.diag(diagonal)).max() <= SAME_MATRIX * size)


def kraus_of(jumps: Sequence[Array], rates: Array, length: float) -> Array:
    """Return orthogonal Kraus operators of exp(length sum_k rate_k D[L_k]), the heaviest first: (m + 1, d, d).

    They are the eigenvectors of its Choi matrix. The first has a trace that is real and not negative.

    >>> half, other = kraus_of([np.diag([1.0, -1.0])], np.array([0.5]), 0.2)
    >>> (
    ...     np.allclose(half, np.eye(2) * np.sqrt((1 + np.exp(-0.2)) / 2)),
    ...     np.allclose(abs(other), np.eye(2) * abs(other[0, 0])),
    ... )
    (True, True)
    """
    levels, one = len(jumps[0]), np.eye(len(jumps[0]))
    generator = np.zeros((levels**2,) * 2, complex)
    for rate, jump in zip(rates, jumps, strict=True):
        product = jump.conj().T @ jump
        generator += rate * (np.kron(jump, jump.conj()) - (np.kron(product, one) + np.kron(one, product.T)) / 2)
    moved: Array = linalg.expm(length * generator)  # (i j, k l): rho_kl -> rho_ij, row major
    choi = moved.reshape((levels,) * 4).transpose(0, 2, 1, 3).reshape((levels**2,) * 2)  # (i k, j l)
    weights, vectors = np.linalg.eigh((choi + choi.conj().T) / 2)
    kept = np.flatnonzero(weights > LEAST_KRAUS * levels)[::-1]
    kraus = np.array([math.sqrt(weights[k]) * vectors[:, k].reshape(levels, levels) for k in kept])
    trace = np.trace(kraus[0])
    return kraus * np.where(np.arange(len(kraus)) == 0, abs(trace) / trace if trace else 1.0, 1.0)[:, None, None]


def _is_multiple(matrix: Array) -> bool:
    """Return whether a matrix is a multiple of a unitary one."""
    product = matrix.conj().T @ matrix
    return bool(
        np.abs(product - np.eye(len(product)) * product[0, 0]).max() <= SAME_MATRIX * max(1e-300, abs(product[0, 0]))
    )


def _decayed(basis: Array, decay: Array, times: Array) -> Array:
    """Return exp(-Gamma t/2) for each time: (times, d, d)."""
    return (basis * np.exp(-0.5 * np.multiply.outer(times, decay))[:, None, :]) @ basis.conj().T


def _times_of(weights: Array, decay: Array, wanted: Array, longest: Array) -> Array:
    """Return the times at which sum_a w_a exp(-g_a t) has fallen to the wanted numbers: Newton's method from t = 0.

    The function falls and is convex, so that no step goes too far.
    """
    times = np.zeros(len(weights))
    for _ in range(NEWTON_STEPS):
        terms = weights * np.exp(-decay * times[:, None])
        step = (terms.sum(axis=1) - wanted) / np.maximum((terms * decay).sum(axis=1), 1e-300)
        times = np.minimum(times + np.maximum(step, 0.0), longest)
        if (step <= 1e-13 * longest).all():
            break
    return times


UNRAVELINGS: dict[str, Callable[[tuple[JumpWindow, ...]], Unraveling]] = {
    "noise": Noise,
    "jumps": Jumps,
    "diffusion": Diffusion,
}
"""The unravelings by name."""
