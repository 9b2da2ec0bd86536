"""The built-in checkpoints, made once, and somebody who draws with them."""

import gc
import importlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.config import DrawingConfig
from pipeline.styles import load_styles

if TYPE_CHECKING:
    from pipeline.generator import Generator

# transformers' reading threads wait for each other longer than they read, where models are this small
os.environ.setdefault("HF_DEACTIVATE_ASYNC_LOAD", "1")


@pytest.fixture(scope="session")
def weights(builtin_cache: Path) -> Iterator[BuiltinWeights]:
    importlib.import_module("pipeline.generator")
    # loading makes so many objects that Python collects garbage often, each time among a million of the libraries
    gc.collect()
    gc.freeze()
    yield BuiltinWeights(builtin_cache)
    gc.unfreeze()


@pytest.fixture(scope="session")
def generator(weights: BuiltinWeights) -> "Generator":
    from pipeline.generator import Generator

    return Generator(weights, load_styles(builtin=STYLE_CHANGES), DrawingConfig(device="cpu"))


@pytest.fixture
def mine(weights: BuiltinWeights, tmp_path: Path) -> Path:
    """A copy of the checkpoint of the style anime, to be changed at will."""
    built = weights.checkpoint(load_styles().find("anime")).path
    return Path(shutil.copytree(built, tmp_path / "mine"))
