"""A message of a queue, and what a queue does with it."""

from dataclasses import dataclass
from typing import Protocol

# more than this no queue of SQS is asked to wait
LONGEST_POLL_SECONDS = 20
# an event of S3 may be as large; a queue that takes less never gets some of them
LARGEST_EVENT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One delivery of a message: what it says, the receipt it is deleted by, and how often it was delivered so far."""

    body: bytes
    receipt: str
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts:
    """What a queue says of itself: about how many messages are in sight, and out of it.

    most_receives: after how many a message goes to the dead-letter queue, None where there is none.
    largest: the largest message it takes, in bytes.
    """

    waiting: int
    in_hand: int
    most_receives: int | None
    largest: int


class Queue(Protocol):
    """Messages, one at a time; see SqsQueue."""

    def receive(self, seconds: int, visibility: int) -> Message | None:
        """Wait at most so many seconds for a message, which then nobody else sees for `visibility` seconds."""

    def extend(self, message: Message, seconds: int) -> None:
        """Nobody else sees it for so many seconds from now; 0 gives it back.  May raise ReceiptLost."""

    def delete(self, message: Message) -> None:
        """Take it off the queue for good.  May raise ReceiptLost."""
