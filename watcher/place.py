"""Where an inbox lies, and where it keeps its own state."""

from dataclasses import dataclass

from store.bucket import Bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxPlace:
    """Where requests come in and where the inbox keeps its own state; prefixes within one bucket."""

    bucket: Bucket
    incoming: str = ""
    state: str = ".imagegen/"
