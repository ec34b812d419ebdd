"""Operators as texts: `0.5*Z(0)*Z(1) - Sp(2)*Sm(3)`, with the names of the sites' own operators."""

from __future__ import annotations

import ast
from collections.abc import Sequence

import numpy as np

from tnness.errors import InputError, TnnessError
from tnness.operators.basis import LocalSpace
from tnness.operators.terms import LocalOperator, Operator, as_operator


def read_operator(text: str, spaces: Sequence[LocalSpace]) -> Operator:
    """Return the operator that a text stands for: sums, differences and products of numbers and NAME(SITE).

    spaces: of the sites; the names are those of their operators.

    Raises
    ------
    InputError: the text is no such sum, or names an operator or a site that does not exist.

    >>> from tnness.operators.basis import spin_half
    >>> str(read_operator("2*Z(0)*Z(1) - X(2)", [spin_half] * 3))
    '2 Z(0) Z(1) + -1 X(2)'
    """
    try:
        return as_operator(_read(ast.parse(text.strip(), mode="eval").body, spaces))
    except (SyntaxError, ValueError, RecursionError, _Unreadable) as error:
        raise InputError(
            f"operator {text!r}: a sum of products such as 0.5*Z(0)*Z(1) - Sp(2)*Sm(3) is needed{_why(error)}"
        ) from error


def written_operator(operator: Operator, spaces: Sequence[LocalSpace]) -> str:
    """Return the text from which `read_operator` makes an equal operator.

    Raises
    ------
    InputError: a factor is not one of the named operators of its site.

    >>> from tnness.operators.basis import spin_half as s
    >>> written_operator(0.5 * s.Z(0) * s.Z(1), [s] * 2)
    '0.5*Z(0)*Z(1)'
    """
    terms = []
    for term in operator:
        for site, factor in term.factors:
            named = spaces[site].operators.get(factor.name) if site < len(spaces) else None
            if named is None or not np.array_equal(named.matrix, factor.matrix):
                raise InputError(
                    f"operator {operator}: its factor {factor.name}({site}) is not one of the named operators of site "
                    f"{site}: write it as a sum of those"
                )
        number = complex(term.coefficient)
        shown = repr(number.real) if number.imag == 0 else repr(number)
        terms.append("*".join([*([] if number == 1 and term.factors else [shown]), *_factors(term.factors)]))
    return " + ".join(terms) or "0.0"


def _factors(factors: Sequence[tuple[int, LocalOperator]]) -> list[str]:
    return [f"{factor.name}({site})" for site, factor in factors]


class _Unreadable(Exception):
    """A part of a text that is no operator; the text says which."""


def _why(error: Exception) -> str:
    return f": {error}" if isinstance(error, _Unreadable) else ""


def _read(node: ast.expr, spaces: Sequence[LocalSpace]) -> Operator | complex:
    match node:
        case ast.Constant(value=int() | float() | complex() as number) if not isinstance(number, bool):
            return complex(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -1 * _read(operand, spaces)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _read(left, spaces) + _read(right, spaces)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _read(left, spaces) - _read(right, spaces)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _read(left, spaces) * _read(right, spaces)
        case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=int() as site)], keywords=[]):
            if not 0 <= site < len(spaces):
                raise _Unreadable(f"there is no site {site}, there are sites 0 to {len(spaces) - 1}")
            try:
                return getattr(spaces[site], name)(site)
            except (TnnessError, AttributeError) as error:
                raise _Unreadable(str(error)) from error
    raise _Unreadable(f"{ast.unparse(node)!r} cannot be read")
