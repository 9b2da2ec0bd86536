"""Which libraries drew: the versions that can move a pixel."""

from importlib.metadata import PackageNotFoundError, version

_LIBRARIES = ("imagegen", "torch", "diffusers", "transformers", "compel", "numpy", "pillow")
# they move pixels through references, tokens, lettering and the files' own encoding
_BESIDES = ("safetensors", "tokenizers", "accelerate", "opencv-python-headless", "rapidocr", "onnxruntime", "isal")


def versions() -> dict[str, str]:
    """Those a manifest names."""
    return {name: version(name) for name in _LIBRARIES}


def all_versions() -> dict[str, str]:
    """Those two drawings must agree in to be taken for one; what is not installed is left out."""
    return {name: found for name in (*_LIBRARIES, *_BESIDES) if (found := _version(name)) is not None}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
