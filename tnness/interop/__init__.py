"""Interop: states and operators handed to other packages, and taken in."""
