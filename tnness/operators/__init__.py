"""Operators on one or a few sites, the local spaces, and all conventions."""
