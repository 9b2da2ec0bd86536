"""The border to boto3: how its client is made, and what its errors mean in this house."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)

from store.errors import InvalidKey, KeyNotFound, ServiceError, SettingsInvalid, StoreFull, StoreUnavailable
from store.s3options import S3Options

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

_TRIES = 5
_CONNECTIONS = 32
_ABSENT = {"NoSuchKey", "NotFound", "404"}
_FULL = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "507"}
_REFUSED = {
    "403",
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "UnauthorizedAccess",
}


def open_client(options: S3Options) -> "S3Client":
    """A client that several threads may share.  Nothing is sent yet; raises SettingsInvalid."""
    addressing: Any = {"addressing_style": options.addressing}
    config = Config(
        # with back-off and jitter
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        connect_timeout=options.connect_timeout,
        read_timeout=options.read_timeout,
        max_pool_connections=_CONNECTIONS,
        s3=addressing,
    )
    try:
        session = boto3.Session(profile_name=options.profile, region_name=options.region)
        return session.client("s3", endpoint_url=options.endpoint_url, config=config)
    except ProfileNotFound as error:
        raise SettingsInvalid(f"s3.profile: {error}", field="s3.profile") from error
    except (BotoCoreError, ValueError) as error:
        raise SettingsInvalid(f"S3 cannot be reached with these settings: {error}", field="s3") from error


def status_of(error: ClientError) -> int:
    """The HTTP status of an answer; 0 where there was none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_absent(error: ClientError) -> bool:
    """Whether an answer says that there is nothing under the key."""
    return _code_of(error) in _ABSENT


def _code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def translated(bucket: str, key: str) -> Iterator[None]:
    """Turn what boto3 raises into the errors of the house."""
    try:
        yield
    except ClientError as error:
        raise _meaning(error, bucket, key) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise StoreUnavailable(
            f"s3://{bucket}: {error}; set credentials in the environment, a profile or the machine's role"
        ) from error
    except BotoCoreError as error:
        raise StoreUnavailable(f"s3://{bucket}/{key}: {error}") from error


def _meaning(error: ClientError, bucket: str, key: str) -> ServiceError:
    code, status = _code_of(error), status_of(error)
    if code == "NoSuchBucket":
        return StoreUnavailable(f"the bucket {bucket!r} is not there; create it or correct the setting")
    if is_absent(error):
        return KeyNotFound(f"there is nothing under {key!r}")
    if code in _FULL:
        return StoreFull(f"s3://{bucket}: no space is left to write {key!r}; free some, work resumes by itself")
    if code == "KeyTooLongError":
        return InvalidKey(f"the name {key[:80]!r}… is too long for S3, which takes 1,024 bytes")
    if code in _REFUSED:
        return StoreUnavailable(f"s3://{bucket}: {code}; check credentials and policy")
    return StoreUnavailable(
        f"s3://{bucket}/{key}: {code or status} {error.response.get('Error', {}).get('Message', '')}"
    )
