"""Whether the stores in S3 honour conditional writes, on which claims and manifests rest."""

import logging
from collections.abc import Iterator

from store.bucket import Bucket
from store.errors import SettingsInvalid, StoreUnavailable
from store.location import open_bucket, s3_place
from store.s3probe import honours_create
from watcher.place import open_place
from watcher.settings import Settings

_log = logging.getLogger("imagegen.conditions")


def require_conditions(settings: Settings, workers: int) -> None:
    """Try each store in S3; raises SettingsInvalid where several workers would draw everything twice.

    A single worker may work on such a store, and is warned.  Raises StoreUnavailable where one does not answer, unless
    it is one inbox of several: the others need not wait for it.
    """
    for location, bucket, prefix in _stores(settings):
        try:
            if honours_create(bucket, prefix):
                continue
        except StoreUnavailable as error:
            if len(settings.all_lanes) == 1 or location == settings.outbox:
                raise
            _log.error("%s is left alone until it answers: %s", location, error.message, extra={"action": error.code})
            continue
        if workers > 1:
            raise SettingsInvalid(
                f"{location} ignores conditional writes (If-None-Match), so several workers would take one request;"
                " run a single worker, or use a store that honours them",
                field="workers",
            )
        _log.warning(
            "%s ignores conditional writes (If-None-Match): no second worker may ever work on it",
            location,
            extra={"action": "no_conditions"},
        )


def _stores(settings: Settings) -> Iterator[tuple[str, Bucket, str]]:
    for lane in settings.all_lanes:
        if s3_place(lane.inbox) is not None:
            place = open_place(lane.inbox, settings.s3)
            yield lane.inbox, place.bucket, place.state
    if s3_place(settings.outbox) is not None:
        yield settings.outbox, open_bucket(settings.outbox, s3=settings.s3), ".imagegen/"
