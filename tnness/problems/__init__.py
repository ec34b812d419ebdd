"""The problems that models state and engines solve."""
