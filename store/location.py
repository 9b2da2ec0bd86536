"""A place named by the user: a folder, later also a bucket in the cloud."""

from pathlib import Path

from store.bucket import Bucket
from store.errors import SettingsInvalid
from store.folder import FolderBucket


def open_bucket(location: str, *, make: bool = False) -> Bucket:
    """The bucket at a location such as "/srv/outbox"; make=True creates a missing folder.

    The path is resolved once, here; only what lies below it may not be a link.  Raises
    SettingsInvalid if the location is not a folder and cannot be made one.
    """
    if not location or "://" in location:
        raise SettingsInvalid(f"the location {location!r} is not supported; name a folder")
    try:
        root = Path(location).expanduser().resolve()
    except (ValueError, RuntimeError) as error:
        raise SettingsInvalid(f"the location {location!r} cannot be a folder: {error}") from error
    if make:
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsInvalid(f"{root} cannot be made a folder: {error.strerror}; correct the setting") from error
    if not root.is_dir():
        raise SettingsInvalid(f"{root} is not a folder; create it or correct the setting")
    return FolderBucket(root)
