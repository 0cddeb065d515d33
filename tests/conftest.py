"""Profiles of the property tests: the same 100 examples every time, or 2,000 with `--hypothesis-profile=proof`."""

from hypothesis import HealthCheck, settings

COMMON = {"deadline": None, "derandomize": True, "database": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=100, **COMMON)
settings.register_profile("proof", max_examples=2_000, **COMMON)
settings.load_profile("default")
