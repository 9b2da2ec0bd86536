"""Keeps claims alive: renewed from one thread, and told at once when a claim is lost."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from store.errors import ClaimLost
from watcher.claim import Claim

_RENEWALS = 4

_log = logging.getLogger("imagegen.lease")


class Lease:
    """One held claim; `check` is called wherever the work may stop."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._lost = threading.Event()

    def check(self) -> None:
        """Raise ClaimLost if another worker has taken the request over."""
        if self._lost.is_set():
            raise ClaimLost(f"request {self._claim.id}: attempt {self._claim.attempt} was taken over")

    def lose(self) -> None:
        """Mark the claim as taken over."""
        self._lost.set()


class Leases:
    """Renews every held claim four times within its lease, except where the work hangs."""

    def __init__(
        self, renew: Callable[[Claim], bool], lease_seconds: float, hangs: Callable[[Claim], bool] = lambda claim: False
    ) -> None:
        """renew: shows a claim's life and says whether it is still ours.

        hangs: whether its work stands still, or waits for work that does.
        """
        self._renew = renew
        self._hangs = hangs
        self._interval = lease_seconds / _RENEWALS
        self._lock = threading.Lock()
        self._held: dict[tuple[str, int], tuple[Claim, Lease]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="leases", daemon=True)

    def start(self) -> None:
        """Begin to renew."""
        self._thread.start()

    def stop(self) -> None:
        """End the renewing; claims still held then go stale by themselves."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    @contextmanager
    def hold(self, claim: Claim) -> Iterator[Lease]:
        """Keep a claim alive for as long as the block runs."""
        lease = Lease(claim)
        with self._lock:
            self._held[claim.id, claim.attempt] = (claim, lease)
        try:
            yield lease
        finally:
            with self._lock:
                del self._held[claim.id, claim.attempt]

    def renew_all(self) -> None:
        """Renew every held claim once."""
        with self._lock:
            held = list(self._held.values())
        for claim, lease in held:
            try:
                if not self._keeps(claim):
                    lease.lose()
            except Exception:
                # one passing error must not end the renewing; the next round tries again
                _log.exception("a claim on %s could not be renewed", claim.id, extra={"action": "renew_failed"})

    def _keeps(self, claim: Claim) -> bool:
        if self._hangs(claim):
            # others may take over; should the work wake up after all, it publishes nothing
            sentence = "request %s makes no progress; its claim is given up"
            _log.error(sentence, claim.id, extra={"action": "hung", "request_id": claim.id})
            return False
        return self._renew(claim)

    def _keep(self) -> None:
        while not self._stop.wait(self._interval):
            self.renew_all()
