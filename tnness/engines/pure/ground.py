"""Ground states with a given particle number, by TeNPy's DMRG.

The import of TeNPy takes a second; it happens only when DMRG is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tnness.engines.fermions.quadratic import NotQuadratic, check_spaces, quadratic
from tnness.engines.fermions.states import occupied_level
from tnness.engines.pure.view import PureView
from tnness.errors import InputError, NumericalError
from tnness.interop.tenpy import from_tenpy
from tnness.network.chain_state import ChainState
from tnness.operators.terms import total
from tnness.problems.lindbladian import Lindbladian
from tnness.typed import typed


@typed
def ground_state(problem: Lindbladian, particles: int, chi: int = 128, accuracy: float = 1e-12) -> ChainState:
    """Return the ground state of the problem's Hamiltonian among states with a number of particles: amplitudes, norm 1.

    Parameters
    ----------
    problem: spins 1/2 or spinless fermions; the Hamiltonian must conserve the number of particles (spins up).
    particles: 0 to n. chi: largest bond dimension (default 128).
    accuracy: relative change of the energy in a sweep at which DMRG stops (default 1e-12).

    Raises
    ------
    InputError: the number of particles is not possible, or the Hamiltonian does not conserve it.
    NumericalError: DMRG did not converge.
    """
    check_spaces(problem.spaces)
    _check_particles(problem, particles)
    if chi < 1 or not 0 < accuracy < 1:
        raise InputError(f"a ground state takes chi >= 1 and an accuracy from 0 to 1, got {chi} and {accuracy:g}")
    fillings = _lowest_sites(problem, particles)
    if particles in (0, problem.n):
        return ChainState.product([np.eye(2)[level] for level in fillings], dtype=complex)
    return _dmrg(problem, fillings, chi, accuracy)


def _check_particles(problem: Lindbladian, particles: int) -> None:
    if not 0 <= particles <= problem.n:
        raise InputError(f"a ground state of {problem.n} sites takes 0 to {problem.n} particles, got {particles!r}")


def _lowest_sites(problem: Lindbladian, particles: int) -> list[int]:
    """Return the levels of the product state in which the sites of lowest field are occupied."""
    energies = []
    for i, space in enumerate(problem.spaces):
        bond, filled = min(i, problem.n - 2), occupied_level(space)
        diagonal = np.real(np.diag(problem.bond_hamiltonian(bond))).reshape(2, 2)
        along = diagonal if i == bond else diagonal.T  # this site first; the bond has all its one-site terms
        energies.append(float((along[filled] - along[1 - filled]).mean()))
    chosen = set(np.argsort(energies, kind="stable")[:particles].tolist())
    return [occupied_level(s) if i in chosen else 1 - occupied_level(s) for i, s in enumerate(problem.spaces)]


def _dmrg(problem: Lindbladian, fillings: list[int], chi: int, accuracy: float) -> ChainState:
    from tenpy.algorithms.dmrg import TwoSiteDMRGEngine
    from tenpy.networks.mps import MPS
    from tenpy.tools.misc import TenpyInconsistencyError

    model = _tenpy_model(problem)
    psi = MPS.from_product_state(model.lat.mps_sites(), fillings, bc="finite", unit_cell_width=problem.n)
    options = {
        "mixer": True,
        "trunc_params": {"chi_max": chi, "svd_min": 1e-13},
        "max_E_err": accuracy,
        "max_S_err": 1e-8,
        "max_sweeps": 100,
    }
    engine = TwoSiteDMRGEngine(psi, model, options)
    try:
        engine.run()
    except TenpyInconsistencyError as error:
        raise NumericalError(f"the ground state is truncated too much: raise chi = {chi}") from error
    if not engine.is_converged():
        raise NumericalError(f"the ground state did not converge in {engine.sweeps} sweeps: raise chi = {chi}")
    state = from_tenpy(psi, problem.spaces)
    state.log_norm = 0.0
    return state


def _tenpy_model(problem: Lindbladian) -> Any:
    from tenpy.linalg import np_conserved as npc
    from tenpy.models.lattice import TrivialLattice
    from tenpy.models.model import MPOModel, NearestNeighborModel
    from tenpy.networks.site import Site

    class Chain(NearestNeighborModel, MPOModel):
        """A TeNPy model of a Hamiltonian that is given bond by bond."""

        def __init__(self, lattice: TrivialLattice, bonds: list[Any]) -> None:
            NearestNeighborModel.__init__(self, lattice, bonds)
            MPOModel.__init__(self, lattice, self.calc_H_MPO_from_bond())

    info = npc.ChargeInfo([1], ["N"])
    sites = []
    for space in problem.spaces:
        sign = 1 if occupied_level(space) == 1 else -1  # charges rise with the level: TeNPy reorders none
        sites.append(Site(npc.LegCharge.from_qflat(info, [[0], [1]] if sign == 1 else [[-1], [0]])))
    bonds: list[Any] = [None]
    for i in range(problem.n - 1):
        legs = [sites[i].leg, sites[i + 1].leg, sites[i].leg.conj(), sites[i + 1].leg.conj()]
        matrix = problem.bond_hamiltonian_shared(i).reshape(2, 2, 2, 2)
        try:
            bonds.append(npc.Array.from_ndarray(matrix, legs, labels=["p0", "p1", "p0*", "p1*"], qtotal=[0]))
        except ValueError as error:
            raise InputError(f"the Hamiltonian on bond {i} does not conserve the particle number") from error
    return Chain(TrivialLattice(sites), bonds)


@typed
def ground_energy(problem: Lindbladian, particles: int) -> float:
    """Return the energy of `ground_state`: from orbitals if the Hamiltonian is quadratic, otherwise by DMRG.

    The jumps play no part.
    """
    _check_particles(problem, particles)
    closed = Lindbladian(problem.spaces)
    closed.hamiltonian(total(problem.hamiltonian_terms))
    try:
        form = quadratic(closed)
    except NotQuadratic:
        view = PureView(ground_state(problem, particles), problem.spaces)
        return float(np.real(view.expect(total(problem.hamiltonian_terms))))
    return float(np.linalg.eigvalsh(form.hamiltonian)[:particles].sum()) + form.constant
