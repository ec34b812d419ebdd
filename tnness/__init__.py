"""tnness: tensor networks for non-equilibrium steady states.

A model states its physics once, as local operators on a chain; engines solve it; every answer is a `Record` with a
certificate. See the README for a tour and `tnness --help` for the command line.
"""

from tnness.engines.accelerated import Accelerated
from tnness.engines.ask import Ask, Start
from tnness.engines.beyond.correlation import Correlation, spectrum
from tnness.engines.beyond.counting import Counting
from tnness.engines.beyond.modes import Modes
from tnness.engines.exact import Exact
from tnness.engines.protocol import Engine, Report, Run
from tnness.engines.pure.ground import ground_energy, ground_state
from tnness.engines.registry import register_engine
from tnness.engines.tdvp import TDVP
from tnness.engines.tebd import TEBD
from tnness.engines.thermal import thermal_state
from tnness.errors import InputError, ModelError, NumericalError, RecordError, TnnessError, Unavailable
from tnness.interop.quimb import from_quimb, to_quimb
from tnness.interop.tenpy import from_tenpy, to_tenpy
from tnness.model.registry import find, models, register
from tnness.network.chain_state import ChainState
from tnness.network.doubling import density_from_pure
from tnness.network.initial import identity_state, product_state
from tnness.network.truncation import Truncation, register_truncation
from tnness.observables.mixed import (
    charge_distribution,
    logarithmic_negativity,
    renyi2_of_sites,
    structure_factor,
    transposed_moment,
)
from tnness.observables.observable import (
    Observable,
    cutoff_weight,
    expectation,
    operator_entanglement,
    purity,
    renyi2_entropy,
    renyi2_mutual_information,
    two_point,
)
from tnness.observables.thermometry import local_temperature
from tnness.observables.views import Estimate, View
from tnness.operators.basis import (
    LocalSpace,
    bit,
    boson,
    classical,
    clock,
    composite,
    electron,
    levels,
    quantum_space,
    spin,
    spin_half,
    spin_one,
    spinless,
    tj,
)
from tnness.operators.terms import LocalOperator, Operator, power_law_sum, string, total
from tnness.problems.circuit import Circuit
from tnness.problems.envelope import Piecewise
from tnness.problems.generator import ChainGenerator
from tnness.problems.hopping import FactorisedHopping
from tnness.problems.lindbladian import Lindbladian
from tnness.problems.orderings import ladder, periodic
from tnness.records.certificate import Certificate
from tnness.records.record import Record, versions
from tnness.records.snapshot import Snapshot
from tnness.runs.beyond import correlation, counting, modes
from tnness.runs.solve import Changes, Interrupted, evolve, extend, steady_state
from tnness.stopping.protocol import Rule
from tnness.study.check import check
from tnness.study.collect import collect
from tnness.study.converge import converge
from tnness.study.status import status
from tnness.study.sweep import sweep

__version__ = versions().get("tnness", "unknown")

__all__ = [
    "TDVP",
    "TEBD",
    "Accelerated",
    "Ask",
    "Certificate",
    "ChainGenerator",
    "ChainState",
    "Changes",
    "Circuit",
    "Correlation",
    "Counting",
    "Engine",
    "Estimate",
    "Exact",
    "FactorisedHopping",
    "InputError",
    "Interrupted",
    "Lindbladian",
    "LocalOperator",
    "LocalSpace",
    "ModelError",
    "Modes",
    "NumericalError",
    "Observable",
    "Operator",
    "Piecewise",
    "Record",
    "RecordError",
    "Report",
    "Rule",
    "Run",
    "Snapshot",
    "Start",
    "TnnessError",
    "Truncation",
    "Unavailable",
    "View",
    "bit",
    "boson",
    "charge_distribution",
    "check",
    "classical",
    "clock",
    "collect",
    "composite",
    "converge",
    "correlation",
    "counting",
    "cutoff_weight",
    "density_from_pure",
    "electron",
    "evolve",
    "expectation",
    "extend",
    "find",
    "from_quimb",
    "from_tenpy",
    "ground_energy",
    "ground_state",
    "identity_state",
    "ladder",
    "levels",
    "local_temperature",
    "logarithmic_negativity",
    "models",
    "modes",
    "operator_entanglement",
    "periodic",
    "power_law_sum",
    "product_state",
    "purity",
    "quantum_space",
    "register",
    "register_engine",
    "register_truncation",
    "renyi2_entropy",
    "renyi2_mutual_information",
    "renyi2_of_sites",
    "spectrum",
    "spin",
    "spin_half",
    "spin_one",
    "spinless",
    "status",
    "steady_state",
    "string",
    "structure_factor",
    "sweep",
    "thermal_state",
    "tj",
    "to_quimb",
    "to_tenpy",
    "total",
    "transposed_moment",
    "two_point",
]
