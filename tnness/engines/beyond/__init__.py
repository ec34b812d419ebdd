"""Questions beyond the steady state: slowest rates, counting statistics, correlations in time."""
