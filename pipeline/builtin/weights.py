"""The built-in checkpoints as weights: made on first use, kept in the cache directory."""

import shutil
import tempfile
from pathlib import Path
from typing import Final

from pipeline.builtin.architecture import NATIVE_SIZE
from pipeline.styles import HubRepository, Style, load_styles
from pipeline.weights import Located, digest_of_folder
from store.errors import CheckpointMissing
from store.manifest import WeightsRecord

# goes up with every change that gives other bytes
REVISION: Final = "trained-2"
# what the styles that ship with the code need changed while the built-in checkpoints stand in for theirs
STYLE_CHANGES: Final = {"native_size": NATIVE_SIZE, "steps": 20}


class BuiltinWeights:
    """Three small checkpoints, one VAE and one ControlNet that need no download."""

    def __init__(self, cache: Path) -> None:
        """cache: the directory that may keep the made files; it need not exist yet."""
        self._folder = cache / f"builtin-{REVISION}"
        self._names = {style.repo: name for name, style in load_styles().styles.items()}

    def checkpoint(self, style: Style) -> Located:
        """The built-in checkpoint that stands in for the style's repository."""
        if style.repo not in self._names:
            raise CheckpointMissing(
                f"style {style.name!r}: no built-in checkpoint stands in for {style.repo};"
                " set models to a directory and run `imagegen models pull`"
            )
        return self._located(self._names[style.repo])

    def vae(self, repository: HubRepository) -> Located:
        """The built-in VAE."""
        return self._located("vae")

    def controlnet(self, repository: HubRepository) -> Located:
        """The built-in ControlNet."""
        return self._located("controlnet")

    def _located(self, name: str) -> Located:
        if not self._folder.is_dir():
            _make(self._folder)
        path = self._folder / name
        record = WeightsRecord(repo=f"builtin/{name}", revision=REVISION, sha256=digest_of_folder(path))
        return Located(path=path, record=record)


def _make(folder: Path) -> None:
    """Build beside the final place and rename, so that nobody ever sees half of it."""
    # torch is imported only when something must be built
    from pipeline.builtin.build import build

    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
    try:
        build(temporary)
        temporary.rename(folder)
    except OSError:
        # another process may have finished first; then its files are as good as ours
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
