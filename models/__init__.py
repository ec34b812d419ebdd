"""The systems, one per file. Importing this package registers them all."""

from . import (
    anderson_bar,
    anderson_wire,
    cavity,
    charge_network,
    energy_correlation,
    energy_spreading,
    haar_circuit,
    hopping_master_equation,
    mbl_heisenberg,
    noisy_anderson,
    random_circuit,
    replica_abc,
    ssep,
    thermal_network,
    xx_dephasing,
    xxz_driven,
)

__all__ = [
    "anderson_bar",
    "anderson_wire",
    "cavity",
    "charge_network",
    "energy_correlation",
    "energy_spreading",
    "haar_circuit",
    "hopping_master_equation",
    "mbl_heisenberg",
    "noisy_anderson",
    "random_circuit",
    "replica_abc",
    "ssep",
    "thermal_network",
    "xx_dephasing",
    "xxz_driven",
]
