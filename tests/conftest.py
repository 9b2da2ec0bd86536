import os
from pathlib import Path

import pytest
from hypothesis import settings

# the same examples everywhere, so that a failure is the change's; HYPOTHESIS_PROFILE=wild looks for new ones
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("wild", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

# before diffusers and transformers are imported, which read them then
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
# more torch threads than one are slower on two cores, and they move pixels
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def builtin_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the built-in checkpoints are made once for all tests."""
    return tmp_path_factory.mktemp("cache")
