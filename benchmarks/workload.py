"""The benchmark's workload in plain numpy, independent of tnness.

A vectorised density matrix of the driven MBL Heisenberg chain, its Trotter gates, a state with full
bonds to start from, and the full-SVD evolution that every other kernel is judged by.

Conventions: site tensors are real, (left, p, right), with p over the normalised Pauli basis
P_a = (1, X, Y, Z)/sqrt(2); gates are real, (p_out, q_out, p_in, q_in). A layer is {bond: gate},
bond b joining sites b and b + 1; one Trotter step is a list of layers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import scipy.linalg

Layer = dict[int, np.ndarray]
Tensors = list[np.ndarray]

CACHE = Path(__file__).parent / ".cache"

_ONE = np.eye(2)
_SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
_PAULI = np.concatenate([_ONE[None], _SIGMA]) / np.sqrt(2)  # (a, 2, 2), orthonormal
_SPIN = _SIGMA / 2
_FLIP = {+1: _SPIN[0] + 1j * _SPIN[1], -1: _SPIN[0] - 1j * _SPIN[1]}  # S^+, S^-


@dataclass(frozen=True)
class DrivenChain:
    """MBL Heisenberg chain with weak bulk drive "correlated" (Lenarčič et al., Phys. Rev. Lett. 125, 116601)."""

    n: int = 20  # sites
    h: float = 2.0  # disorder strength
    eps: float = 0.1  # dissipation rate
    seed: int = 7  # of the fields: fields_z, then fields_x, uniform(-1, 1, n)
    fields: tuple[np.ndarray, np.ndarray] | None = field(default=None, compare=False)

    def __post_init__(self):
        if self.fields is None:
            rng = np.random.default_rng(self.seed)
            drawn = rng.uniform(-1, 1, self.n), rng.uniform(-1, 1, self.n)
            object.__setattr__(self, "fields", drawn)

    def bond_hamiltonian(self, bond: int) -> np.ndarray:
        """S.S plus each site's field, shared half-half between the two bonds of a bulk site."""
        hamiltonian = sum(np.kron(s, s) for s in _SPIN)
        for site, place in ((bond, 0), (bond + 1, 1)):
            one_site = self.h * (self.fields[0][site] * _SPIN[2] + self.fields[1][site] * _SPIN[0])
            hamiltonian = hamiltonian + self._share(site) * _placed(one_site, place)
        return hamiltonian  # (4, 4)

    def bond_jumps(self, bond: int) -> list[tuple[float, np.ndarray]]:
        """(rate, jump): the four flips per bond, and the dephasing S^z shared as the fields are."""
        jumps = []
        for sign in (+1, -1):
            blocked = _ONE - sign * 2 * _SPIN[2]
            jumps.append((self.eps, np.kron(_FLIP[sign], blocked) / (2 * np.sqrt(2))))
            jumps.append((self.eps, np.kron(blocked, _FLIP[sign]) / (2 * np.sqrt(2))))
        for site, place in ((bond, 0), (bond + 1, 1)):
            jumps.append((self.eps * self._share(site), _placed(_SPIN[2], place)))
        return jumps

    def bond_generator(self, bond: int) -> np.ndarray:
        """Real matrix M_ab = Tr(P_a L(P_b)) of the bond's Lindbladian."""
        return superoperator(self.bond_hamiltonian(bond), self.bond_jumps(bond))  # (16, 16)

    def gates(self, bonds: range, dt: float) -> Layer:
        """{bond: expm(dt M_bond)}."""
        return gates_of(self.bond_generator, bonds, dt)

    def step(self, dt: float) -> list[Layer]:
        """One second-order step, half steps merged between steps: even(dt), odd(dt)."""
        return [self.gates(range(first, self.n - 1, 2), dt) for first in (0, 1)]

    def _share(self, site: int) -> float:
        return 1.0 if site in (0, self.n - 1) else 0.5


@dataclass(frozen=True)
class DrivenXXZ:
    """XXZ chain, sigma^+ at rate 1 on its first site, sigma^- on its last (Prosen, Phys. Rev. Lett. 107, 137201)."""

    n: int = 20  # sites
    delta: float = 0.5  # anisotropy

    def bond_generator(self, bond: int) -> np.ndarray:
        """Real matrix M_ab = Tr(P_a L(P_b)) of X X + Y Y + delta Z Z, and of the jump of an end."""
        x, y, z = (np.kron(s, s) for s in _SIGMA)
        jumps = [(1.0, _placed(_FLIP[+1], 0))] if bond == 0 else []
        jumps += [(1.0, _placed(_FLIP[-1], 1))] if bond == self.n - 2 else []
        return superoperator(x + y + self.delta * z, jumps)  # (16, 16)


def gates_of(generator: Callable[[int], np.ndarray], bonds: range, dt: float) -> Layer:
    """{bond: expm(dt M_bond)}."""
    return {b: scipy.linalg.expm(dt * generator(b)).reshape(4, 4, 4, 4) for b in bonds}


def superoperator(hamiltonian: np.ndarray, jumps: list[tuple[float, np.ndarray]]) -> np.ndarray:
    """M_ab = Tr(P_a L(P_b)) of a two-site Lindbladian in the normalised Pauli basis."""
    one = np.eye(len(hamiltonian))
    # rows stacked: vec(A rho B) = kron(A, B^T) vec(rho)
    matrix = -1j * (np.kron(hamiltonian, one) - np.kron(one, hamiltonian.T))
    for rate, jump in jumps:
        loss = jump.conj().T @ jump
        matrix = matrix + rate * (np.kron(jump, jump.conj()) - 0.5 * np.kron(loss, one) - 0.5 * np.kron(one, loss.T))
    basis = np.array([np.kron(p, q).ravel() for p in _PAULI for q in _PAULI]).T  # (16, ab)
    return (basis.conj().T @ matrix @ basis).real


def identity_state(n: int) -> Tensors:
    """rho = 1/2^n as a product state."""
    tensor = np.zeros((1, 4, 1))
    tensor[0, 0, 0] = 1 / np.sqrt(2)
    return [tensor.copy() for _ in range(n)]


def local_observables(tensors: Tensors) -> np.ndarray:
    """<sigma_a sigma_b> on every bond, divided by the trace.

    Args:
        tensors: real (left, p, right) in any gauge and normalisation.

    Returns:
        (n - 1, 4, 4), a and b over (1, X, Y, Z): [:, a, 0] and [:, 0, b] are the one-site averages,
        [:, 0, 0] is 1.
    """
    left, right = [np.ones(1)], [np.ones(1)]  # environments of the traced sites
    for tensor in tensors[:-2]:
        left.append(_unit(left[-1] @ tensor[:, 0]))
    for tensor in tensors[:1:-1]:
        right.append(_unit(tensor[:, 0] @ right[-1]))
    pairs = []
    for i, environment in enumerate(reversed(right)):
        a = np.tensordot(left[i], tensors[i], 1)  # (p, bond)
        b = np.tensordot(tensors[i + 1], environment, 1)  # (bond, q)
        coefficients = a @ b
        pairs.append(coefficients / coefficients[0, 0])
    return np.array(pairs)


class SvdReference:
    """The yardstick: real two-site SVD around an exact orthogonality centre, in plain scipy."""

    name = "numpy, real, SVD (reference)"

    def __init__(self, chi: int):
        self.chi = chi

    def setup(self, tensors: Tensors, layers: list[Layer]) -> None:
        self._tensors = [np.array(t) for t in tensors]
        self._layers = layers
        self._centre = len(tensors) - 1
        self._move_centre(0)

    def step(self) -> None:
        for layer in self._layers:
            rightwards = 2 * self._centre < len(self._tensors)
            for bond in sorted(layer, reverse=not rightwards):
                self._move_centre(bond if self._centre <= bond else bond + 1)
                self._apply(bond, layer[bond], rightwards)

    def tensors(self) -> Tensors:
        return self._tensors

    def _apply(self, bond: int, gate: np.ndarray, rightwards: bool) -> None:
        a, b = self._tensors[bond], self._tensors[bond + 1]
        theta = np.tensordot(gate, np.tensordot(a, b, 1), ((2, 3), (1, 2)))  # (p, q, left, right)
        theta = theta.transpose(2, 0, 1, 3).reshape(4 * a.shape[0], 4 * b.shape[2])
        u, s, v = _svd(theta)
        kept = min(self.chi, np.count_nonzero(s > 1e-14 * s[0]))
        u, s, v = u[:, :kept], s[:kept], v[:kept]
        u, v, self._centre = (u, s[:, None] * v, bond + 1) if rightwards else (u * s, v, bond)
        self._tensors[bond] = u.reshape(a.shape[0], 4, kept)
        self._tensors[bond + 1] = v.reshape(kept, 4, b.shape[2])

    def _move_centre(self, target: int) -> None:
        while self._centre < target:
            tensor = self._tensors[self._centre]
            q, r = np.linalg.qr(tensor.reshape(-1, tensor.shape[2]))
            self._tensors[self._centre] = q.reshape(*tensor.shape[:2], -1)
            self._centre += 1
            self._tensors[self._centre] = np.tensordot(r, self._tensors[self._centre], 1)
        while self._centre > target:
            tensor = self._tensors[self._centre]
            q, r = np.linalg.qr(tensor.reshape(tensor.shape[0], -1).T)
            self._tensors[self._centre] = q.T.reshape(-1, *tensor.shape[1:])
            self._centre -= 1
            self._tensors[self._centre] = np.tensordot(self._tensors[self._centre], r.T, 1)


def full_state(chain: DrivenChain, chi: int, *, time: float = 8.0, dt: float = 0.2) -> Tensors:
    """The identity evolved with full SVDs until its bonds are full; kept in benchmarks/.cache.

    Args:
        chain: whose generator evolves it.
        chi: the bond dimension, reached on every bond that can hold it.
        time: how long to evolve (1 / energy); eps * time = 0.8 at the defaults.
        dt: the Trotter step used to get there.
    """
    system = f"mbl_n{chain.n}_h{chain.h:g}_eps{chain.eps:g}_seed{chain.seed}"
    path = CACHE / f"{system}_chi{chi}_t{time:g}_dt{dt:g}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as stored:
            return [stored[f"site_{i}"] for i in range(chain.n)]
    reference = SvdReference(chi)
    reference.setup(identity_state(chain.n), chain.step(dt))
    for _ in range(round(time / dt)):
        reference.step()
    tensors = reference.tensors()
    _check_full(tensors, chi)
    CACHE.mkdir(exist_ok=True)
    partial = path.with_suffix(".part.npz")
    np.savez(partial, **{f"site_{i}": t for i, t in enumerate(tensors)})
    partial.replace(path)
    return tensors


def _check_full(tensors: Tensors, chi: int) -> None:
    n = len(tensors)
    for bond, tensor in enumerate(tensors[:-1]):
        full = min(chi, 4 ** min(bond + 1, n - 1 - bond))
        if tensor.shape[2] < full:
            raise RuntimeError(f"bond {bond} holds {tensor.shape[2]} of {full}: evolve longer")


def _placed(operator: np.ndarray, place: int) -> np.ndarray:
    return np.kron(operator, _ONE) if place == 0 else np.kron(_ONE, operator)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _svd(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    options = {"full_matrices": False, "check_finite": False}
    try:
        return scipy.linalg.svd(matrix, **options)
    except np.linalg.LinAlgError:  # gesdd can fail where gesvd does not
        return scipy.linalg.svd(matrix, lapack_driver="gesvd", **options)
