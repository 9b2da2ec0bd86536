"""What the HTTP statuses of a language model's server mean: what to call them, and whether to ask again."""

from typing import Final

from pipeline.prompt.exchange import Failure, Reason

_REASONS: Final[dict[int, Reason]] = {
    400: "bad_request",
    401: "unauthorised",
    403: "unauthorised",
    404: "not_found",
    408: "timeout",
    422: "bad_request",
    429: "rate_limit",
}
_SERVER_ERROR: Final = 500


def refused(status: int, retry_after: str | None, code: str | None) -> Failure:
    """What an HTTP status means, with the server's retry-after and its code for the error, if it sent them."""
    default: Reason = "server_error" if status >= _SERVER_ERROR else "bad_request"
    reason = _REASONS.get(status, default)
    # a quota that is used up is not there again in a moment
    transient = reason in ("timeout", "rate_limit", "server_error") and code != "insufficient_quota"
    return Failure(reason=reason, status=status, transient=transient, retry_after=_seconds(retry_after))


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after or ""))
    except ValueError:
        return None
