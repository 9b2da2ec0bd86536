"""What is written beside weights and moves pixels as they do: configurations, schedules and vocabularies."""

from pipeline.weights import Located, known_digest_of_files
from store.digest import Digest

_KINDS = (".json", ".txt")


def digest_of_descriptions(located: Located) -> Digest:
    """The SHA-256 that stands for all descriptions of some weights; each is read once and remembered."""
    return known_digest_of_files(located.config or located.path, _KINDS)
