"""A bucket in S3, or on a server that speaks its protocol: conditional writes decide, nothing is listed to decide."""

import mimetypes
import random
import time
import uuid
from collections.abc import Callable
from datetime import UTC
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from store.bucket import Head, check_key, check_prefix
from store.errors import InvalidKey, StoreUnavailable, TooLarge
from store.s3client import is_absent, status_of, translated

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

_TOKEN = "imagegen-token"  # noqa: S105 - the name of a field, not a secret
_MOST_KEY_BYTES = 1024
_CHUNK = 256 * 1024
_TRIES = 6
_FIRST_PAUSE = 0.1
_EXISTS, _CONFLICT = 412, 409


class S3Bucket:
    """Keeps the Bucket promises with the objects below a prefix; safe to share between threads.

    Every object we write carries a token of its own, by which a writer knows its own work again when an answer was
    lost, and by which a version differs from one of equal bytes.
    """

    def __init__(
        self, client: "S3Client", bucket: str, prefix: str = "", pause: Callable[[float], None] = time.sleep
    ) -> None:
        """prefix: empty or ending in "/".  pause: sleeps between tries, for so many seconds."""
        self._client = client
        self._bucket = bucket
        self._prefix = check_prefix(prefix)
        self._pause = pause

    @property
    def address(self) -> str:
        """Where the bucket lies, for people."""
        return f"s3://{self._bucket}/{self._prefix}"

    def create(self, key: str, data: bytes) -> bool:
        """Write with If-None-Match; whoever is refused looks whether it was an earlier try of its own that won."""
        full, token = self._full(key), _new_token()
        with translated(self._bucket, key):
            try:
                self._again_on_conflict(lambda: self._write(full, data, token, IfNoneMatch="*"))
            except ClientError as error:
                if status_of(error) != _EXISTS:
                    raise
                return self._token_at(full) == token
        return True

    def put(self, key: str, data: bytes, *, durable: bool = True) -> None:
        """Write or overwrite; S3 knows only durable writes."""
        full = self._full(key)
        with translated(self._bucket, key):
            self._again_on_conflict(lambda: self._write(full, data, _new_token()))

    def get(self, key: str, limit: int) -> bytes:
        """Read a whole object; its size is looked at first, and boto3 compares its checksum."""
        full = self._full(key)
        with translated(self._bucket, key):
            for _ in range(_TRIES):
                answer = self._client.get_object(Bucket=self._bucket, Key=full)
                size, body = answer["ContentLength"], answer["Body"]
                if size > limit:
                    body.close()
                    raise TooLarge(f"{key!r} has {size} bytes; at most {limit} are allowed")
                try:
                    return b"".join(body.iter_chunks(_CHUNK))
                except BotoCoreError:
                    # cut off in the middle, or changed on the way: read anew
                    body.close()
        raise StoreUnavailable(f"{self.address}{key}: the answer broke off {_TRIES} times")

    def head(self, key: str) -> Head | None:
        """The version is made of ETag, time and token."""
        full = self._full(key)
        with translated(self._bucket, key):
            try:
                found = self._client.head_object(Bucket=self._bucket, Key=full)
            except ClientError as error:
                if is_absent(error):
                    return None
                raise
        token = found["Metadata"].get(_TOKEN, "")
        version = f"{found['ETag']}-{found['LastModified'].timestamp():.0f}-{found.get('VersionId', '')}-{token}"
        return Head(size=found["ContentLength"], version=version, modified=found["LastModified"].astimezone(UTC))

    def list(self, prefix: str = "", *, beginning: str = "", recursive: bool = False) -> list[str]:
        """Every page, without a watermark; objects whose names are no keys of ours are left out."""
        start = self._prefix + check_prefix(prefix) + beginning
        asked: dict[str, Any] = {"Bucket": self._bucket, "Prefix": start}
        if not recursive:
            asked["Delimiter"] = "/"
        with translated(self._bucket, prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(**asked)
            found = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return [key for key in (name[len(self._prefix) :] for name in found) if _is_key(key)]

    def move(self, source: str, target: str) -> None:
        """Copy what lies there now, then delete it unless something else has come under the name meanwhile.

        Who dies in between, or loses an answer, leaves a copy and never a loss.  Two who move at once may
        both succeed, each with a copy of its own.
        """
        old, new = self._full(source), self._full(target)
        with translated(self._bucket, source):
            etag = self._copied(old, new)
            if old != new:
                self._delete_if(old, etag)

    def touch(self, key: str) -> None:
        """Copy the object onto itself under a new token."""
        full = self._full(key)
        with translated(self._bucket, key):
            self._again_on_conflict(lambda: self._copy(full, full, _new_token()))

    def delete(self, key: str) -> None:
        """Delete; an absent object is fine."""
        full = self._full(key)
        with translated(self._bucket, key):
            self._client.delete_object(Bucket=self._bucket, Key=full)

    def _full(self, key: str) -> str:
        full = self._prefix + check_key(key)
        try:
            size = len(full.encode())
        except UnicodeEncodeError as error:
            raise InvalidKey(f"{key[:200]!r} is not a key: it holds a character that no name can hold") from error
        if size > _MOST_KEY_BYTES:
            raise InvalidKey(f"the name {key[:80]!r}… is too long for S3, which takes 1,024 bytes")
        return full

    def _write(self, full: str, data: bytes, token: str, **conditions: Any) -> None:
        self._client.put_object(
            Bucket=self._bucket,
            Key=full,
            Body=data,
            ContentType=_kind_of(full),
            Metadata={_TOKEN: token},
            # sent with the bytes and compared by the server
            ChecksumAlgorithm="SHA256",
            **conditions,
        )

    def _copy(self, old: str, new: str, token: str, **conditions: Any) -> None:
        self._client.copy_object(
            Bucket=self._bucket,
            Key=new,
            CopySource={"Bucket": self._bucket, "Key": old},
            MetadataDirective="REPLACE",
            Metadata={_TOKEN: token},
            ContentType=_kind_of(new),
            **conditions,
        )

    def _copied(self, old: str, new: str) -> str:
        """Copy, and say by its ETag what was copied."""
        for _ in range(_TRIES):
            etag, token = self._client.head_object(Bucket=self._bucket, Key=old)["ETag"], _new_token()
            if old == new:
                return etag
            try:
                self._again_on_conflict(lambda: self._copy(old, new, token, CopySourceIfMatch=etag))  # noqa: B023
            except ClientError as error:
                if not (is_absent(error) or status_of(error) == _EXISTS):
                    raise
                # gone or replaced since we looked; an earlier try whose answer was lost may have copied it all the same
                if self._token_at(new) != token:
                    continue
            return etag
        raise StoreUnavailable(f"{self.address}: {old!r} changes faster than it can be moved")

    def _delete_if(self, full: str, etag: str) -> None:
        try:
            # not every server looks at the condition of a delete
            if self._client.head_object(Bucket=self._bucket, Key=full)["ETag"] == etag:
                self._client.delete_object(Bucket=self._bucket, Key=full, IfMatch=etag)
        except ClientError as error:
            if not (is_absent(error) or status_of(error) == _EXISTS):
                raise

    def _token_at(self, full: str) -> str | None:
        try:
            return self._client.head_object(Bucket=self._bucket, Key=full)["Metadata"].get(_TOKEN)
        except ClientError as error:
            if is_absent(error):
                return None
            raise

    def _again_on_conflict(self, write: Callable[[], None]) -> None:
        """Try again while another write to the same key is under way, which boto3 does not take for passing."""
        for attempt in range(_TRIES):
            try:
                return write()
            except ClientError as error:
                if status_of(error) != _CONFLICT or attempt == _TRIES - 1:
                    raise
            # jitter, not secrecy
            self._pause(_FIRST_PAUSE * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311
        return None


def _new_token() -> str:
    return uuid.uuid4().hex


def _is_key(key: str) -> bool:
    try:
        return bool(check_key(key))
    except InvalidKey:
        return False


def _kind_of(key: str) -> str:
    return mimetypes.guess_type(key.rpartition("/")[2])[0] or "application/octet-stream"
