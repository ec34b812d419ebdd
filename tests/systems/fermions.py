"""Fermions on any chain, from what its terms say: names of operators, sites, coefficients and rates.

A small chain densely: every name is a product of creators and destroyers of the modes of its site, and these are
Jordan-Wigner matrices whose strings run from the first mode of the chain. Modes are ordered site by site, each with its
basis (empty, filled). A quadratic chain of any length by the covariance of its Majorana operators, which knows no
string: Barthel & Zhang, J. Stat. Mech. (2022) 113101.
"""

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from systems.dense import ONE, Array, Z

Words = Mapping[str, str]
"""What the names of a site's operators mean: a, b, ... destroy its modes, A, B, ... create in them."""

SPINLESS: Words = {"C": "a", "Cd": "A", "N": "Aa"}
ELECTRON: Words = {"Cu": "a", "Cud": "A", "Nu": "Aa", "Cd": "b", "Cdd": "B", "Nd": "Bb"}
DESTROY = np.array([[0.0, 1.0], [0.0, 0.0]])  # |empty><filled|


def jordan_wigner(mode: int, modes: int) -> Array:
    """The destroyer Z x ... x Z x c x 1 x ... x 1, Z = (-1)^n; (2^modes, 2^modes)."""
    return reduce(np.kron, [Z] * mode + [DESTROY] + [ONE] * (modes - mode - 1))


def total_parity(modes: int) -> Array:
    """(-1)^N of all modes."""
    return reduce(np.kron, [Z] * modes)


def modes_per_site(words: Words) -> int:
    """Number of different modes that the words name."""
    return len(set("".join(words.values()).lower()))


def fermion_operator(terms: Iterable[Any], n: int, words: Words) -> Array:
    """A sum of terms on n sites; of each only `coefficient` and `factors`, (site, operator with a name), are read."""
    modes = n * modes_per_site(words)
    total = np.zeros((2**modes,) * 2, complex)
    for term in terms:
        product = term.coefficient * np.eye(2**modes)
        for mode, creates in _ladder(term, words):
            destroyer = jordan_wigner(mode, modes)
            product = product @ (destroyer.T if creates else destroyer)
        total += product
    return total


def fermion_equation(chain: Any, words: Words) -> tuple[Array, list[Array]]:
    """(H, jumps) of a chain's `n`, `hamiltonian_terms` and `jumps`; jumps carry the square roots of their rates."""
    hamiltonian = fermion_operator(_all_terms(chain), chain.n, words)
    return hamiltonian, [np.sqrt(j.rate) * fermion_operator(j.operator, chain.n, words) for j in chain.jumps]


def majorana_fillings(chain: Any, words: Words) -> NDArray[np.float64]:
    """<n> of every mode in the steady state of a chain with quadratic H and linear jumps; (modes,).

    With w_2k = c_k + c_k^+, w_2k+1 = -i (c_k - c_k^+), H = i/4 sum A_ab w_a w_b and L = sum l_a w_a, the covariance
    G_ab = i/2 <[w_a, w_b]> obeys dG/dt = X G + G X^T + 4 Im M, X = A - 2 Re M, M = sum over jumps of l l^+.
    """
    modes = chain.n * modes_per_site(words)
    products = np.zeros((2 * modes,) * 2, complex)  # H = sum products_ab w_a w_b
    for term in _all_terms(chain):
        first, second = (_in_majoranas(*letter, modes) for letter in _ladder(term, words))
        products += term.coefficient * np.outer(first, second)
    bath = np.zeros_like(products)
    for jump in chain.jumps:
        linear = [
            term.coefficient * _in_majoranas(*letter, modes)
            for term in jump.operator
            for letter in _ladder(term, words)
        ]
        bath += jump.rate * np.outer(sum(linear), np.conj(sum(linear)))
    drift = (-2j * (products - products.T)).real - 2 * bath.real
    covariance = scipy.linalg.solve_continuous_lyapunov(drift, -4 * bath.imag)
    return (1 + np.diagonal(covariance, 1)[::2]) / 2


def _ladder(term: Any, words: Words) -> list[tuple[int, bool]]:
    """The creators and destroyers of a term, in their order: (mode, creates); X^ is the adjoint of X."""
    found = []
    for site, operator in term.factors:
        name, adjoint = operator.name.removesuffix("^"), operator.name.endswith("^")
        letters = words[name][::-1].swapcase() if adjoint else words[name]
        found += [(site * modes_per_site(words) + "abcd".index(x.lower()), x.isupper()) for x in letters]
    return found


def _in_majoranas(mode: int, creates: bool, modes: int) -> Array:
    """c = (w_2k + i w_2k+1)/2 or its adjoint; (2 modes,)."""
    vector = np.zeros(2 * modes, complex)
    vector[2 * mode : 2 * mode + 2] = 0.5, -0.5j if creates else 0.5j
    return vector


def _all_terms(chain: Any) -> list[Any]:
    return [term for operator in chain.hamiltonian_terms for term in operator]
