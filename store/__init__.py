"""The exit: bytes, names and manifests; no GPU and no pixels."""
