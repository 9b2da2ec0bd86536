"""What encoding a picture costs the processor: the encoder of the service against others, in turns.

Each figure is the least CPU time of several runs over one 1024 x 1024 picture with the spectrum of a photograph.
"""

import argparse
import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from store.png import encode_png


def photograph(size: int) -> NDArray[np.uint8]:
    """A picture whose spectrum falls as 1/f, with some grain."""
    chance = np.random.default_rng(7)
    reach = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size))) + 1 / size
    layers = [np.fft.ifft2(np.fft.fft2(chance.normal(size=(size, size))) / reach).real for _ in range(3)]
    picture = np.stack(layers, axis=2)
    picture = (picture - picture.mean()) / picture.std() * 48 + 128 + chance.normal(scale=2, size=picture.shape)
    return picture.clip(0, 255).astype(np.uint8)


def pillow(level: int) -> Callable[[NDArray[np.uint8]], bytes]:
    def encode(pixels: NDArray[np.uint8]) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=level)
        return buffer.getvalue()

    return encode


def opencv(pixels: NDArray[np.uint8]) -> bytes:
    found, data = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert found
    return data.tobytes()


ENCODERS: dict[str, Callable[[NDArray[np.uint8]], bytes]] = {
    "imagegen (Sub filter, ISA-L 1)": encode_png,
    "Pillow, level 6 (its default)": pillow(6),
    "Pillow, level 1": pillow(1),
    "OpenCV, level 1": opencv,
}


def cpu_seconds(encode: Callable[[NDArray[np.uint8]], bytes], pixels: NDArray[np.uint8]) -> tuple[float, int]:
    started = time.thread_time()
    data = encode(pixels)
    seconds = time.thread_time() - started
    with Image.open(io.BytesIO(data)) as picture:
        assert np.array_equal(np.asarray(picture), pixels), "the picture came back otherwise"
    return seconds, len(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    pixels = photograph(arguments.size)
    found: dict[str, tuple[float, int]] = {}
    for _ in range(arguments.runs):
        for name, encode in ENCODERS.items():
            seconds, size = cpu_seconds(encode, pixels)
            found[name] = (min(seconds, found.get(name, (seconds, 0))[0]), size)
    table = Table("encoder", "CPU ms", "KiB")
    for name, (seconds, size) in found.items():
        table.add_row(name, f"{seconds * 1000:.1f}", f"{size / 1024:.0f}")
    Console().print(table)
    if arguments.json:
        figures = {name: {"cpu_ms": seconds * 1000, "bytes": size} for name, (seconds, size) in found.items()}
        arguments.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
