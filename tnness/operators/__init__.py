"""Operators: what acts on a site or a few, the local spaces, and all conventions."""
