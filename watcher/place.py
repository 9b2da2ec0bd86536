"""Where an inbox lies, and where it keeps its own state."""

from dataclasses import dataclass

from store.bucket import Bucket
from store.location import DEFAULTS, open_bucket, open_s3, s3_place
from store.s3options import S3Options


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxPlace:
    """Where requests come in and where the inbox keeps its own state; prefixes within one bucket."""

    bucket: Bucket
    incoming: str = ""
    state: str = ".imagegen/"


def open_place(location: str, s3: S3Options = DEFAULTS, *, make: bool = False) -> InboxPlace:
    """The inbox at a location; make=True creates a missing folder.  Raises SettingsInvalid as open_bucket does.

    A folder keeps its state within itself.  In S3 it lies beside the inbox, because whatever is written under the
    inbox's prefix is announced.
    """
    found = s3_place(location)
    if found is None:
        return InboxPlace(bucket=open_bucket(location, make=make))
    state = f"{found.prefix.removesuffix('/')}.imagegen/"
    return InboxPlace(bucket=open_s3(found.bucket, "", s3), incoming=found.prefix, state=state)
