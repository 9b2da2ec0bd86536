"""A small byte-level BPE vocabulary in CLIP's format: any text can be encoded."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

from pipeline.builtin.architecture import MAX_TOKENS

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
_WORD_END = "</w>"


def words_of(texts: Iterable[str]) -> list[str]:
    """The words of the texts, each once, in order."""
    return sorted({word for text in texts for word in re.findall(r"[a-z]+", text.lower())})


def make_tokenizer(words: Iterable[str], *, pad_token: str = END) -> CLIPTokenizer:
    """A tokenizer to which each of the words is one token, and everything else its bytes."""
    merges = list(_merges(words))
    alphabet = sorted(ByteLevel.alphabet())
    units = [*alphabet, *(unit + _WORD_END for unit in alphabet)]
    tokens = dict.fromkeys([*units, *(left + right for left, right in merges), BEGIN, END])
    return CLIPTokenizer(
        vocab={token: index for index, token in enumerate(tokens)},
        merges=merges,
        unk_token=END,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=pad_token,
        model_max_length=MAX_TOKENS,
    )


def _merges(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Byte pair encoding (arXiv 1508.07909) until each word is one token.

    The tokenizers library can train this too, but gave another vocabulary at each call (seen with 0.23.3).
    """
    split = [[*word[:-1], word[-1] + _WORD_END] for word in words]
    while pairs := Counter(pair for units in split for pair in pairwise(units)):
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        yield best
        split = [_merged(units, best) for units in split]


def _merged(units: list[str], pair: tuple[str, str]) -> list[str]:
    joined: list[str] = []
    for unit in units:
        if joined and (joined[-1], unit) == pair:
            joined[-1] += unit
        else:
            joined.append(unit)
    return joined
