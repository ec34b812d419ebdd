"""Digests of what is stated: matrices, numbers, operators, functions. Equal physics has equal digests."""
