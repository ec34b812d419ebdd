"""The systems, one per file. Importing this package registers them all."""

from . import mbl_heisenberg, replica_abc, ssep, xx_dephasing, xxz_driven

__all__ = ["mbl_heisenberg", "replica_abc", "ssep", "xx_dephasing", "xxz_driven"]
