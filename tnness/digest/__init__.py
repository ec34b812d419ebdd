"""Digests (hashes) of matrices, numbers, operators and functions. Equal physics has equal digests."""
