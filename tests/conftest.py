"""Settings for all tests: hypothesis without deadlines and with fixed examples, so that a run repeats."""

from hypothesis import settings

settings.register_profile("fixed", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("fixed")
