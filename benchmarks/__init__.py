"""Benchmarks of the evolution engine against its peers: same gates, same state, same process."""
