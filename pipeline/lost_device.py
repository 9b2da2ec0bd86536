"""Whether an error says that the device works no more for this process."""

from typing import Final

# CUDA Runtime API, cudaError_t: those after which "any further CUDA work will return the same error", as
# cudaGetErrorString words them, and what the libraries say that stand in between
_WORDS: Final = (
    "illegal memory access",
    "illegal instruction",
    "misaligned address",
    "operation not supported on global/shared address space",
    "invalid program counter",
    "hardware stack error",
    "unspecified launch failure",
    "launch timed out",
    "device-side assert",
    "uncorrectable ecc error",
    "uncorrectable nvlink error",
    "hardware error",
    "cublas_status_execution_failed",
    "cudnn_status_execution_failed",
)
_SAYS: Final = ("cuda error", "cudnn error")


def is_device_lost(error: BaseException) -> bool:
    """Whether only another process can use the device again."""
    said = str(error).lower()
    # torch.AcceleratorError is one of these
    is_the_devices = isinstance(error, RuntimeError) and any(words in said for words in _SAYS)
    return is_the_devices and any(words in said for words in _WORDS)
