"""Whether an error says that memory ran out: not every library has a class for it."""

from typing import Final

_WORDS: Final = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on the device or of the host."""
    if isinstance(error, MemoryError):
        return True
    # torch.OutOfMemoryError is one of these
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in said for words in _WORDS)
