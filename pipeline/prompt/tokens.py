"""Counts CLIP tokens without torch, with the vocabulary both encoders of SDXL use (arXiv 2103.00020).

The file bpe_simple_vocab_16e6.txt.gz is OpenAI CLIP's, under the MIT licence that lies beside it.
"""

import gzip
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib import resources
from itertools import pairwise

# what one pass of the encoder reads, and of that what is left between the begin and the end mark
WINDOW, BUDGET = 77, 75
_MARKS = WINDOW - BUDGET
_FILE = "bpe_simple_vocab_16e6.txt.gz"
_MERGES = 48_894
_SPECIAL = ("<|startoftext|>", "<|endoftext|>")
_CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
_CACHED_WORDS = 8192
# what _spelled_out finds in plain ASCII, many times faster
_ASCII_WORD = re.compile(r"<\|startoftext\|>|<\|endoftext\|>|'(?:s|t|re|ve|m|ll|d)|[a-z]+|[0-9]|[^\sa-z0-9]+")
_END = "</w>"


def count_tokens(text: str) -> int:
    """CLIP tokens of a prompt, begin and end mark included; 2 for an empty one."""
    small = unicodedata.normalize("NFC", text).lower()
    words = _ASCII_WORD.findall(small) if small.isascii() else _spelled_out(small)
    return _MARKS + sum(_pieces_of(word) for word in words)


def _spelled_out(text: str) -> Iterator[str]:
    """The pieces between which nothing is merged: contractions, letters, single digits, all the rest."""
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        fixed = next((word for word in (*_SPECIAL, *_CONTRACTIONS) if text.startswith(word, position)), None)
        end = position + len(fixed) if fixed else _run_end(text, position)
        yield text[position:end]
        position = end


def _run_end(text: str, position: int) -> int:
    kind = _kind(text[position])
    end = position + 1
    while kind != "N" and end < len(text) and _kind(text[end]) == kind:
        end += 1
    return end


def _kind(character: str) -> str:
    if character.isspace():
        return " "
    category = unicodedata.category(character)[0]
    return category if category in "LN" else ""


@lru_cache(maxsize=_CACHED_WORDS)
def _pieces_of(word: str) -> int:
    if word in _SPECIAL:
        return 1
    ranks, letters = _ranks(), _letters()
    units = [letters[byte] for byte in word.encode()]
    units[-1] += _END
    while len(units) > 1:
        best = min(pairwise(units), key=lambda pair: ranks.get(pair, _MERGES))
        if best not in ranks:
            break
        units = _merged(units, best)
    return len(units)


def _merged(units: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    position = 0
    while position < len(units):
        if tuple(units[position : position + 2]) == pair:
            merged.append(units[position] + units[position + 1])
            position += 2
        else:
            merged.append(units[position])
            position += 1
    return merged


@cache
def _ranks() -> Mapping[tuple[str, ...], int]:
    packed = resources.files("pipeline.prompt").joinpath(_FILE).read_bytes()
    # the first line is a version, and behind the merges lie others that CLIP does not use
    lines = gzip.decompress(packed).decode().split("\n")[1 : _MERGES + 1]
    return {tuple(line.split()): rank for rank, line in enumerate(lines)}


@cache
def _letters() -> Mapping[int, str]:
    """The printable letter that stands for each byte (GPT-2's byte-level alphabet)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = (byte for byte in range(256) if byte not in set(plain))
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + place) for place, byte in enumerate(others)}
