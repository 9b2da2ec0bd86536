"""What goes to a language model, and what comes back."""

import unicodedata
from dataclasses import dataclass
from typing import Literal, Self

from pipeline.prompt.schema import Answer

MAX_CHARACTERS = 1000
Mode = Literal["json_schema", "json_object"]
Reason = Literal[
    "timeout",
    "unreachable",
    "rate_limit",
    "server_error",
    "unauthorised",
    "not_found",
    "bad_request",
    "refusal",
    "cut_off",
    "invalid",
    "no_subject",
    "circuit_open",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the user wrote, as a model gets it: NFC, valid Unicode, at most 1,000 characters a text."""

    prompt: str
    user_input: str

    @classmethod
    def of(cls, prompt: str, user_input: str) -> Self:
        """The two texts of a request."""
        return cls(prompt=_normal(prompt), user_input=_normal(user_input))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer of the model's; tokens are None where the server does not count them."""

    answer: Answer
    tokens_in: int | None = None
    tokens_out: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why there is no answer; it holds no word of the server's, who may repeat the key.

    transient says that the same call may go well a moment later, retry_after in how many seconds,
    where the server says so.
    """

    reason: Reason
    status: int | None = None
    transient: bool = False
    retry_after: float | None = None


def _normal(text: str) -> str:
    # half a surrogate pair cannot be sent
    sendable = text.encode("utf-8", "replace").decode("utf-8")
    return unicodedata.normalize("NFC", sendable)[:MAX_CHARACTERS]
