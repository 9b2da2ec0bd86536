"""A place named by the user: a folder, or a prefix of an S3 bucket such as "s3://pictures/outbox"."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from store.bucket import Bucket, check_prefix
from store.errors import InvalidKey, SettingsInvalid
from store.folder import FolderBucket
from store.s3options import S3Options

_SCHEME = "s3://"
# of the 1,024 bytes of a key, what lies below a prefix needs the rest
_MOST_PREFIX_BYTES = 500
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


DEFAULTS = S3Options()


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Place:
    """A bucket and a prefix within it, empty or ending in "/"."""

    bucket: str
    prefix: str


def s3_place(location: str) -> S3Place | None:
    """Bucket and prefix of a location in S3, None for a folder; raises SettingsInvalid if it is neither."""
    if not location.startswith(_SCHEME):
        if not location or "://" in location:
            raise SettingsInvalid(f"the location {location!r} is not supported; name a folder or s3://bucket/prefix")
        return None
    bucket, _, path = location.removeprefix(_SCHEME).partition("/")
    prefix = f"{path.rstrip('/')}/" if path.strip("/") else ""
    try:
        check_prefix(prefix)
    except InvalidKey as error:
        raise SettingsInvalid(f"the location {location!r} cannot be used: {error.message}") from error
    if not _BUCKET_NAME.fullmatch(bucket):
        raise SettingsInvalid(f"the location {location!r} names no bucket; write s3://bucket/prefix")
    if (size := len(os.fsencode(prefix))) > _MOST_PREFIX_BYTES:
        raise SettingsInvalid(
            f"the prefix of {location[:80]!r}… has {size} bytes; at most"
            f" {_MOST_PREFIX_BYTES} leave room for names below it"
        )
    return S3Place(bucket=bucket, prefix=prefix)


def folder_of(location: str) -> Path | None:
    """The folder of a location, resolved; None where it lies in S3; raises SettingsInvalid."""
    if s3_place(location) is not None:
        return None
    try:
        return Path(location).expanduser().resolve()
    except (ValueError, RuntimeError) as error:
        raise SettingsInvalid(f"the location {location!r} cannot be a folder: {error}") from error


def open_bucket(location: str, *, make: bool = False, s3: S3Options = DEFAULTS) -> Bucket:
    """The bucket at a location such as "/srv/outbox" or "s3://pictures/outbox".

    make=True creates a missing folder; a bucket in S3 has to be there, and is first asked when it is used.  The path
    of a folder is resolved once, here; only what lies below it may not be a link.  Raises SettingsInvalid if
    the location is not a folder and cannot be made one, or if boto3 is not installed.
    """
    place = s3_place(location)
    if place is not None:
        return open_s3(place.bucket, place.prefix, s3)
    root = folder_of(location) or Path()
    if make:
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsInvalid(f"{root} cannot be made a folder: {error.strerror}; correct the setting") from error
    if not root.is_dir():
        raise SettingsInvalid(f"{root} is not a folder; create it or correct the setting")
    return FolderBucket(root)


def open_s3(bucket: str, prefix: str, options: S3Options) -> Bucket:
    """A prefix of a bucket in S3; raises SettingsInvalid if boto3 is missing or has no credentials."""
    try:
        # an extra, and it takes a while to import
        from store.s3 import S3Bucket
        from store.s3client import open_client
    except ImportError as error:
        raise SettingsInvalid(f"s3://{bucket} needs boto3: pip install 'imagegen[cloud]' ({error})") from error
    return S3Bucket(open_client(options), bucket, prefix)
