"""What comes in while the storm blows: one id with its files, and how it must end."""

from dataclasses import dataclass
from typing import Literal

When = Literal["at once", "working", "decided", "put aside"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """One file that comes into the inbox: so many seconds after the moment it waits for.

    piece: appended under its name for all to see, instead of renamed to it as a whole.
    """

    name: str
    data: bytes
    when: When = "at once"
    seconds: float = 0.0
    piece: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An id, the files that come for it in order, and how it may end; ends is empty where nothing must come of it.

    code: of the manifest's error; conflict: the bytes that came too late under the id.
    """

    id: str
    kind: str
    drops: tuple[Drop, ...]
    ends: frozenset[str] = frozenset({"succeeded"})
    code: str | None = None
    conflict: bytes | None = None
