"""Runs: the job that a user asks for, the one loop that carries it out, and the files of a run."""
