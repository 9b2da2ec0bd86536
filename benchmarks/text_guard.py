"""How long the text guard looks at a picture of 1024 x 1024, how long its first look takes, and what it finds.

Run from the repository's root: .venv/bin/python -m benchmarks.text_guard [--font FILE] [--threads N]
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline import lettering
from tests.pipeline.hangul import write_english, write_korean

SIDE = 1024
LOOKS = 20
SIZES = (20, 28, 40, 60, 90, 140)
KOREAN = ("여름 할인", "딸기 라떼", "봄날 카페", "세일", "카페 라떼 할인")
ENGLISH = ("SALE 50%", "Grand Opening", "Coffee & Cake", "NEW", "signature")

Write = Callable[[Image.Image, str, tuple[int, int], int, tuple[int, int, int]], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--font", help="a font file with Hangul; without one strokes are drawn")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    lettering._THREADS = options.threads
    korean = with_font(options.font) if options.font else write_korean
    time_looks(options.threads)
    for name, write, words in (("Korean", korean, KOREAN), ("English", write_english, ENGLISH)):
        print(f"{name}: found {recall(write, words)}")
    alarms = [name for name, picture in plain_pictures() if look(picture)]
    print(f"without lettering: {len(alarms)} alarms on {sum(1 for _ in plain_pictures())}: {', '.join(alarms)}")


def time_looks(threads: int) -> None:
    pictures = [ground(seed) for seed in range(4)]
    started = time.perf_counter()
    look(pictures[0])
    print(f"{threads} threads; the first look, with loading: {time.perf_counter() - started:.2f} s")
    seconds = []
    for index in range(LOOKS):
        started = time.perf_counter()
        look(pictures[index % len(pictures)])
        seconds.append(time.perf_counter() - started)
    print(f"{LOOKS} looks at {SIDE} x {SIDE}: median {statistics.median(seconds):.3f} s, most {max(seconds):.3f} s")


def recall(write: Write, words: tuple[str, ...]) -> str:
    """Found of written, size by size, over grounds and colours."""
    random = np.random.default_rng(7)
    told = []
    for size in SIZES:
        hits = 0
        for index, text in enumerate(words * 2):
            picture = ground(index) if index % 2 else Image.new("RGB", (SIDE, SIDE), (245, 240, 230))
            colour = (255, 255, 255) if index % 2 else tuple(int(value) for value in random.integers(0, 120, 3))
            left, top = (int(value) for value in random.integers(20, 300, 2))
            write(picture, text, (left, top), size, colour)
            hits += bool(look(picture))
        told.append(f"{size} px {hits}/{2 * len(words)}")
    return ", ".join(told)


def plain_pictures() -> Iterator[tuple[str, Image.Image]]:
    """Pictures without lettering, forty in all."""
    for seed in range(10):
        random = np.random.default_rng(seed)
        yield f"ground {seed}", ground(seed)
        noise = random.integers(0, 256, (SIDE >> seed % 5, SIDE >> seed % 5, 3), np.uint8)
        yield f"noise {seed}", Image.fromarray(noise).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        picture = ground(seed)
        pen = ImageDraw.Draw(picture)
        for _ in range(3 + 4 * seed):
            left, top, size = (int(value) for value in random.integers(10, 800, 3))
            pen.ellipse((left, top, left + size // 4, top + size // 4), tuple(random.integers(0, 255, 3).tolist()))
        yield f"circles {seed}", picture
        width = 8 << seed % 5
        line = np.where(np.arange(SIDE) // width % 2, 220, 40).astype(np.uint8)
        yield f"stripes {seed}", Image.fromarray(np.tile(line, (SIDE, 1))).rotate(20 * seed).convert("RGB")


def ground(seed: int) -> Image.Image:
    """Soft colours, as an out-of-focus photograph."""
    random = np.random.default_rng(seed)
    pixels = random.integers(30, 200, (6, 6, 3), np.uint8)
    return Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def with_font(path: str) -> Write:
    def write(image: Image.Image, words: str, place: tuple[int, int], size: int, colour: tuple[int, int, int]) -> None:
        ImageDraw.Draw(image).text(place, words, font=ImageFont.truetype(path, size), fill=colour)

    return write


def look(picture: Image.Image) -> tuple[lettering.Box, ...]:
    return lettering.find_lettering(np.asarray(picture))


if __name__ == "__main__":
    main()
