import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.cloud.servers import Address

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


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Address"]:
    """A SeaweedFS server for all tests of this process."""
    from tests.cloud import servers

    server, address = servers.seaweed(tmp_path_factory.mktemp("seaweed"))
    with server:
        yield address


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Address"]:
    """A MiniStack server for all tests of this process."""
    from tests.cloud import servers

    server, address = servers.ministack(tmp_path_factory.mktemp("ministack"))
    with server:
        yield address


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Address"]:
    """A moto server for all tests of this process."""
    from tests.cloud import servers

    server, address = servers.moto(tmp_path_factory.mktemp("moto"))
    with server:
        yield address
