"""TeNPy and quimb evolving the workload's state with the workload's gates.

Each peer keeps its own state inside its package's own objects and steps with that package's public
calls. None is slowed down or tuned beyond what its docstring says; what matters is spelled out.
"""

from typing import Protocol

import numpy as np
import quimb.tensor as qtn
import tenpy.linalg.np_conserved as npc
from tenpy.algorithms.tebd import QRBasedTEBDEngine, TEBDEngine
from tenpy.networks.mps import MPS
from tenpy.networks.site import Site

from benchmarks.workload import Layer, Tensors


class Contestant(Protocol):
    """What the benchmark times: any kernel that takes the shared state and gates and steps."""

    name: str

    def setup(self, tensors: Tensors, layers: list[Layer]) -> None:
        """Takes the state, real (left, p, right) in any gauge, and one step's layers; not timed."""

    def step(self) -> None:
        """One Trotter step: every layer once, every bond truncated to chi; this is timed."""

    def tensors(self) -> Tensors:
        """The state now, real (left, p, right), in any gauge and normalisation; not timed."""


class TenpyPeer:
    """TeNPy's TEBD on an MPS of 4-state sites without charges.

    Args:
        chi: largest bond dimension.
        dtype: complex128 is what the engine makes of any Hamiltonian (exp(-i dt H)) and of a state
            built without saying otherwise; float64 needs the gates and the state handed in by hand.
        qr: the QR-based engine of arXiv:2212.09782, without the exact truncation error
            (compute_err=False: computing it costs more than the decomposition saves).
    """

    def __init__(self, chi: int, *, dtype: type = np.complex128, qr: bool = False):
        self.name = f"TeNPy, {_word(dtype)}, {'QR' if qr else 'SVD'}"
        self._dtype, self._engine_class = dtype, QRBasedTEBDEngine if qr else TEBDEngine
        # svd_min, trunc_cut: only exact zeros go, so that chi_max alone decides
        self._options = {"trunc_params": {"chi_max": chi, "svd_min": 1e-14, "trunc_cut": None}}
        if qr:
            self._options |= {"cbe_expand": 0.1, "compute_err": False}

    def setup(self, tensors: Tensors, layers: list[Layer]) -> None:
        leg = npc.LegCharge.from_trivial(4)
        sites = [Site(leg, ["1", "X", "Y", "Z"]) for _ in tensors]
        psi = MPS.from_Bflat(
            sites,
            [t.transpose(1, 0, 2) for t in tensors],  # (p, left, right)
            dtype=self._dtype,
            form=None,
            unit_cell_width=len(sites),
        )
        psi.canonical_form(renormalize=False)
        self._psi = psi
        self._engine = self._engine_class(psi, None, self._options)  # no model: gates are given
        labels = ["p0", "p1", "p0*", "p1*"]
        legs = [leg, leg, leg.conj(), leg.conj()]
        self._layers = [
            {
                bond: npc.Array.from_ndarray(gate, legs, self._dtype, labels=labels)
                for bond, gate in sorted(layer.items())
            }
            for layer in layers
        ]

    def step(self) -> None:
        for layer in self._layers:
            for bond, gate in layer.items():
                self._engine.update_bond(bond + 1, gate)  # TeNPy's bond i joins sites i - 1 and i

    def tensors(self) -> Tensors:
        # (left, p, right), which is TeNPy's own order of legs
        return [_real(self._psi.get_B(i, "B").to_ndarray()) for i in range(self._psi.L)]


class QuimbPeer:
    """quimb's gate_split in alternating sweeps, the orthogonality centre moved along by QR.

    The calls are those of `quimb.tensor.TEBD.sweep`, which takes a Hamiltonian and not gates.

    Args:
        chi: largest bond dimension.
        dtype: complex128 is what quimb's TEBD makes of any real-time evolution; float64 is the
            expert's.
        method: quimb's split driver; "svd:rand" (randomised) is the expert's.
    """

    def __init__(self, chi: int, *, dtype: type = np.complex128, method: str = "svd"):
        words = {"svd": "SVD", "svd:rand": "randomised SVD"}
        self.name = f"quimb, {_word(dtype)}, {words[method]}"
        self._dtype = dtype
        # cutoff defaults to 1e-10 of the weight, which would thin the bonds
        self._split = {"method": method, "max_bond": chi, "cutoff": 0.0, "renorm": 0}

    def setup(self, tensors: Tensors, layers: list[Layer]) -> None:
        arrays = [t.astype(self._dtype) for t in tensors]
        arrays[0], arrays[-1] = arrays[0][0], arrays[-1][..., 0]  # open ends carry no outer bond
        self._psi = qtn.MatrixProductState(arrays, shape="lpr")
        self._psi.canonicalize_(0)
        self._centre = 0
        self._layers = [{b: g.reshape(16, 16).astype(self._dtype) for b, g in layer.items()} for layer in layers]

    def step(self) -> None:
        for layer in self._layers:
            rightwards = 2 * self._centre < self._psi.L
            for bond in sorted(layer, reverse=not rightwards):
                self._move_centre(bond)
                absorb = "right" if rightwards else "left"
                self._psi.gate_split_(layer[bond], (bond, bond + 1), absorb=absorb, **self._split)
                self._centre = bond + 1 if rightwards else bond

    def tensors(self) -> Tensors:
        psi = self._psi.copy()
        psi.permute_arrays("lpr")
        arrays = list(psi.arrays)
        arrays[0], arrays[-1] = arrays[0][None], arrays[-1][..., None]
        return [_real(a) for a in arrays]

    def _move_centre(self, bond: int) -> None:
        if self._centre < bond:
            self._psi.left_canonicalize_(start=self._centre, stop=bond)
        elif self._centre > bond + 1:
            self._psi.right_canonicalize_(start=self._centre, stop=bond + 1)


def peers(chi: int) -> list[Contestant]:
    """Every peer at one bond dimension; the first is what ratios are taken against."""
    return [
        TenpyPeer(chi),
        TenpyPeer(chi, qr=True),
        TenpyPeer(chi, dtype=np.float64),
        TenpyPeer(chi, dtype=np.float64, qr=True),
        QuimbPeer(chi),
        QuimbPeer(chi, dtype=np.float64),
        QuimbPeer(chi, dtype=np.float64, method="svd:rand"),
    ]


def _word(dtype: type) -> str:
    return "complex" if np.issubdtype(dtype, np.complexfloating) else "real"


def _real(array: np.ndarray) -> np.ndarray:
    """The real tensor itself; complex kernels of real matrices keep LAPACK's vectors real."""
    largest = np.abs(array).max()
    if np.iscomplexobj(array) and np.abs(array.imag).max() > 1e-10 * largest:
        raise ValueError("the tensor is complex in this gauge and has no real part to compare")
    return np.ascontiguousarray(array.real)
