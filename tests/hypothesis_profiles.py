"""How many random examples: few for `make test`, many for `make test-deep`."""

import os

from hypothesis import settings

# deadlines fail on a busy machine and tell nothing
settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile("deep", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
