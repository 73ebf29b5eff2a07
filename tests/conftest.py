"""Settings that hold for all tests."""

from hypothesis import settings

# A shared machine may stall any example; the time of the suite is bounded as a whole.
settings.register_profile("crepitus", deadline=None, max_examples=60)
settings.load_profile("crepitus")
