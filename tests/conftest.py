"""Settings of the whole suite."""

from hypothesis import HealthCheck, settings

# The same examples on every run, and no deadline: a busy machine is no failure.
settings.register_profile(
    "suite", deadline=None, derandomize=True, max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")
