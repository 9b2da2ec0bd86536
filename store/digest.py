"""The name of a content: a SHA-256 that can be nothing else."""

import hashlib
import re
from typing import Any, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_HEX = re.compile(r"[0-9a-f]{64}")


class Digest(str):
    """A SHA-256 in 64 lower-case hex digits; where one is asked for, a file name cannot slip in."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Accept exactly 64 lower-case hex digits; raise ValueError otherwise."""
        if not _HEX.fullmatch(text):
            raise ValueError(f"not a SHA-256 in 64 lower-case hex digits: {text[:80]!r}")
        return super().__new__(cls, text)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """The digest of these bytes."""
        return cls(hashlib.sha256(data).hexdigest())

    @property
    def shard(self) -> str:
        """The folder a blob of this digest lies in: the first two digits."""
        return self[:2]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate from a string and keep the pattern in JSON Schemas."""
        text = core_schema.str_schema(pattern=f"^{_HEX.pattern}$")
        return core_schema.no_info_after_validator_function(cls, text)
