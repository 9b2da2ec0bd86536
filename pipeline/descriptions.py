"""What is written beside weights and moves pixels as they do: configurations, schedules and vocabularies."""

from pathlib import Path

from pipeline.weights import Located, combined_digest, known_digest_of_file
from store.digest import Digest

_KINDS = (".json", ".txt")


def digest_of_descriptions(located: Located) -> Digest:
    """The SHA-256 that stands for all descriptions of some weights; each is read once and remembered."""
    folder = located.config or located.path
    return combined_digest((file.relative_to(folder).as_posix(), known_digest_of_file(file)) for file in _files(folder))


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix in _KINDS and file.is_file())
