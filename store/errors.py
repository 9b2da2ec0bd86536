"""Every error of the house, in one tree.

    ServiceError
    ├── RequestRejected              the request must be changed; nothing is retried
    │   ├── NotUtf8                  not_utf8
    │   ├── MalformedJson            malformed_json
    │   ├── DuplicateKey             duplicate_key
    │   ├── NotAnObject              not_an_object
    │   ├── BadNumber                bad_number
    │   ├── BadText                  bad_text
    │   ├── TooDeep                  too_deep
    │   ├── RequestTooLarge          request_too_large
    │   ├── UnknownField             unknown_field
    │   ├── InvalidField             invalid_field
    │   ├── IdMismatch               id_mismatch
    │   ├── IdConflict               id_conflict
    │   ├── UnknownStyle             unknown_style
    │   ├── ReferenceMissing         reference_missing
    │   ├── ReferenceMismatch        reference_mismatch
    │   ├── ReferenceTooLarge        reference_too_large
    │   ├── ReferenceUnreadable      reference_unreadable
    │   └── NotARegularFile          not_a_regular_file
    ├── DrawingError                 the pipeline could not draw
    │   ├── CheckpointMissing        checkpoint_missing
    │   ├── CheckpointBroken         checkpoint_broken
    │   ├── CheckpointReplaced       checkpoint_replaced    (retryable)
    │   ├── OutOfMemory              out_of_memory          (retryable)
    │   ├── DeviceLost               device_lost            (retryable)
    │   ├── DownloadFailed           download_failed        (retryable)
    │   ├── NodeFailed               node_failed
    │   ├── RequestTimeout           request_timeout
    │   └── WorkflowBroken           workflow_broken
    ├── StoreError                   the folder or bucket could not do what was asked
    │   ├── KeyNotFound              key_not_found
    │   ├── InvalidKey               invalid_key
    │   ├── TooLarge                 too_large
    │   ├── BlobBroken               blob_broken
    │   ├── ManifestBroken           manifest_broken
    │   ├── StoreFull                store_full             (retryable)
    │   └── StoreUnavailable         store_unavailable      (retryable)
    ├── QueueUnavailable             queue_unavailable      (retryable)
    ├── ReceiptLost                  receipt_lost
    ├── ClaimLost                    claim_lost
    ├── Cancelled                    cancelled
    ├── ShuttingDown                 shutting_down          (retryable)
    ├── AttemptsExhausted            attempts_exhausted
    ├── SettingsInvalid              settings_invalid
    └── InternalError                internal_error

Codes are stable: they stand in manifests and other programs branch on them.
"""

from typing import ClassVar


class ServiceError(Exception):
    """The service could not do what was asked."""

    code: ClassVar[str] = "service_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str = "", *, field: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.field = field
        super().__init__(self.message)


class RequestRejected(ServiceError):
    """The request cannot be drawn as it is; change it and submit it under a new id."""

    code = "request_rejected"


class NotUtf8(RequestRejected):
    """The request file is not UTF-8; save it as UTF-8."""

    code = "not_utf8"


class MalformedJson(RequestRejected):
    """The request file is not valid JSON."""

    code = "malformed_json"


class DuplicateKey(RequestRejected):
    """The request names a field twice; keep one of them."""

    code = "duplicate_key"


class NotAnObject(RequestRejected):
    """The request is JSON but not an object; wrap the fields in { }."""

    code = "not_an_object"


class BadNumber(RequestRejected):
    """The request holds a number that JSON or this service does not allow (NaN, Infinity, huge digits)."""

    code = "bad_number"


class BadText(RequestRejected):
    """The request holds text that is not valid Unicode (a lone surrogate)."""

    code = "bad_text"


class TooDeep(RequestRejected):
    """The request is nested too deeply."""

    code = "too_deep"


class RequestTooLarge(RequestRejected):
    """The request file is larger than allowed."""

    code = "request_too_large"


class UnknownField(RequestRejected):
    """The request has a field that does not exist."""

    code = "unknown_field"


class InvalidField(RequestRejected):
    """A field of the request has a value that is not allowed."""

    code = "invalid_field"


class IdMismatch(RequestRejected):
    """The field id must equal the file name without .json; leave it out or rename the file."""

    code = "id_mismatch"


class IdConflict(RequestRejected):
    """Another request with this id has a result already; submit this one under a new id."""

    code = "id_conflict"


class UnknownStyle(RequestRejected):
    """The request names a style that is not configured."""

    code = "unknown_style"


class ReferenceMissing(RequestRejected):
    """The reference image did not arrive in the inbox in time."""

    code = "reference_missing"


class ReferenceMismatch(RequestRejected):
    """The reference image is not the one the request describes."""

    code = "reference_mismatch"


class ReferenceTooLarge(RequestRejected):
    """The reference image is larger than allowed, in bytes or in pixels."""

    code = "reference_too_large"


class ReferenceUnreadable(RequestRejected):
    """The reference image cannot be decoded; send a whole PNG, JPEG or WebP file."""

    code = "reference_unreadable"


class NotARegularFile(RequestRejected):
    """The name belongs to something that is not a regular file (a link, a pipe, a device, a directory)."""

    code = "not_a_regular_file"


class DrawingError(ServiceError):
    """The pipeline could not draw the request."""

    code = "drawing_error"


class CheckpointMissing(DrawingError):
    """A checkpoint is not on this machine; run `imagegen models pull` or point the style at a local file."""

    code = "checkpoint_missing"


class CheckpointBroken(DrawingError):
    """A checkpoint on this machine cannot be used as it is."""

    code = "checkpoint_broken"


class CheckpointReplaced(DrawingError):
    """A file of a checkpoint was replaced while it was read; the request is tried again with what is there now."""

    code = "checkpoint_replaced"
    retryable = True


class OutOfMemory(DrawingError):
    """Memory ran out while the picture was drawn; ask for fewer pixels, or end what else uses the device."""

    code = "out_of_memory"
    retryable = True


class DeviceLost(DrawingError):
    """The device works no more for this worker, which ends; another one tries the request again."""

    code = "device_lost"
    retryable = True


class DownloadFailed(DrawingError):
    """The model hub did not deliver; check the network and run the command again, it resumes."""

    code = "download_failed"
    retryable = True


class NodeFailed(DrawingError):
    """A node of the pipeline failed."""

    code = "node_failed"


class RequestTimeout(DrawingError):
    """Drawing took longer than max_request_seconds; ask for fewer steps, images or pixels, or raise the limit."""

    code = "request_timeout"


class WorkflowBroken(DrawingError):
    """The nodes of a branch do not fit together; check the configured nodes."""

    code = "workflow_broken"


class StoreError(ServiceError):
    """The store could not do what was asked."""

    code = "store_error"


class KeyNotFound(StoreError):
    """There is nothing under this key."""

    code = "key_not_found"


class InvalidKey(StoreError):
    """The key is not one a bucket can hold."""

    code = "invalid_key"


class TooLarge(StoreError):
    """What lies under the key is larger than the limit given."""

    code = "too_large"


class BlobBroken(StoreError):
    """A blob's bytes do not match its name."""

    code = "blob_broken"


class ManifestBroken(StoreError):
    """What lies under a result's name is no manifest of this version; restore the file or move it away."""

    code = "manifest_broken"


class StoreFull(StoreError):
    """No space is left; free some, work resumes by itself."""

    code = "store_full"
    retryable = True


class StoreUnavailable(StoreError):
    """The store does not answer."""

    code = "store_unavailable"
    retryable = True


class QueueUnavailable(ServiceError):
    """The queue does not answer."""

    code = "queue_unavailable"
    retryable = True


class ReceiptLost(ServiceError):
    """The message is not ours any more: it was given to somebody else, or is gone."""

    code = "receipt_lost"


class ClaimLost(ServiceError):
    """Another worker owns the request now."""

    code = "claim_lost"


class Cancelled(ServiceError):
    """The request was cancelled before its picture was finished."""

    code = "cancelled"


class ShuttingDown(ServiceError):
    """The service is stopping; the request goes back to the inbox."""

    code = "shutting_down"
    retryable = True


class AttemptsExhausted(ServiceError):
    """Every allowed attempt at the request ended without a result."""

    code = "attempts_exhausted"


class SettingsInvalid(ServiceError):
    """The configuration cannot be used; correct the named setting."""

    code = "settings_invalid"


class InternalError(ServiceError):
    """A bug in the service; the log of the worker has the traceback under the request's id."""

    code = "internal_error"
