"""Delivers to a bucket, and tampers with the messages about it: doubled, shuffled, late, lost and garbled."""

import random
import time
from collections.abc import Sequence

from tests.chaos.case import Case, Drop
from tests.chaos.cloud_ground import CloudGround

GARBAGE = (b"hello", b"{", b'{"Records": 7}', '{"무엇": "이것"}'.encode(), b'{"Records": [{"eventVersion": "9.0"}]}')


class BadPostman:
    """Puts the files of all cases under their names within so many seconds."""

    def __init__(self, ground: CloudGround, cases: Sequence[Case], seconds: float, chance: random.Random) -> None:
        self._ground = ground
        self._chance = chance
        self._inbox = ground.bucket("inbox/")
        self._sqs = ground.sqs()
        started = time.monotonic()
        self._due: list[tuple[float, Drop]] = []
        for case in cases:
            begin = started + chance.uniform(0, seconds)
            for drop in case.drops:
                begin += drop.seconds
                self._due.append((begin, drop))
        self._due.sort(key=lambda entry: entry[0])
        self.doubled = self.lost = self.garbled = 0

    def is_done(self) -> bool:
        """Whether everything has been delivered."""
        return not self._due

    def tick(self) -> None:
        """Deliver what is due, and tamper now and then."""
        while self._due and self._due[0][0] <= time.monotonic():
            _, drop = self._due.pop(0)
            self._inbox.put(drop.name, drop.data)
        if self._chance.random() < 0.1:
            self._tamper()

    def _tamper(self) -> None:
        if self._chance.random() < 0.2:
            body = self._chance.choice(GARBAGE).decode()
            self._sqs.send_message(QueueUrl=self._ground.queue, MessageBody=body)
            self.garbled += 1
            return
        found = self._sqs.receive_message(QueueUrl=self._ground.queue, MaxNumberOfMessages=3, VisibilityTimeout=1)
        for message in found.get("Messages", []):
            if self._chance.random() < 0.3:
                self._sqs.delete_message(QueueUrl=self._ground.queue, ReceiptHandle=message["ReceiptHandle"])
                self.lost += 1
            else:
                late = self._chance.randrange(6)
                self._sqs.send_message(QueueUrl=self._ground.queue, MessageBody=message["Body"], DelaySeconds=late)
                self.doubled += 1
