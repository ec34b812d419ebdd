"""Runs: what is asked for, the one loop that answers it, and the files it keeps."""
