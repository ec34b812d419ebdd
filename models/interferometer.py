"""The interference of two sites: an observable that shows the coherence between them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def ports(correlation: NDArray[Any], detectors: tuple[int, int], phase: float) -> list[float]:
    """Return the particle numbers behind a balanced beam splitter fed by two sites: (left port, right port).

    The left port has |r|^2 n_L + |t|^2 n_R + 2 Re r^* t <c^+_L c_R>; the right port has r and t exchanged. Their
    difference is 2 Re (r^* t - t^* r) <c^+_L c_R>: Gullans and Huse, PRX 9, 021007 (2019), (84)-(86).

    Parameters
    ----------
    correlation: <c^+_i c_j>, (n, n). detectors: the sites L and R. phase: t / r = e^(i phase), |r| = |t|.

    >>> np.round(ports(np.array([[0.5, 0.25j], [-0.25j, 0.5]]), (0, 1), np.pi / 2), 12).tolist()
    [0.25, 0.75]
    """
    first, second = detectors
    r, t = 1 / np.sqrt(2), np.exp(1j * phase) / np.sqrt(2)
    sides, element = np.real([correlation[first, first], correlation[second, second]]), correlation[first, second]
    left = abs(r) ** 2 * sides[0] + abs(t) ** 2 * sides[1] + 2 * (np.conj(r) * t * element).real
    right = abs(t) ** 2 * sides[0] + abs(r) ** 2 * sides[1] + 2 * (np.conj(t) * r * element).real
    return [float(left), float(right)]
