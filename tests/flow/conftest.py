import shutil
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "inbox_example"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with an empty inbox."""
    (tmp_path / "inbox").mkdir()
    return tmp_path


@pytest.fixture
def with_examples(folder: Path) -> Path:
    """A working folder whose inbox holds the examples."""
    shutil.copytree(EXAMPLES, folder / "inbox", dirs_exist_ok=True)
    return folder
