"""The counter agrees with the tokenizer of the checkpoints, token for token."""

import gzip
import tomllib
from functools import cache
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CLIPTokenizer

import pipeline.prompt
from pipeline.prompt import tokens
from pipeline.prompt.tokens import count_tokens


@cache
def clip_tokenizer() -> CLIPTokenizer:
    """CLIP's own, built from the file that is shipped."""
    packed = resources.files("pipeline.prompt").joinpath("bpe_simple_vocab_16e6.txt.gz").read_bytes()
    merges = [tuple(line.split()) for line in gzip.decompress(packed).decode().split("\n")[1:48895]]
    letters = list(tokens._letters().values())
    units = [*letters, *(letter + "</w>" for letter in letters), *(left + right for left, right in merges)]
    begin, end = "<|startoftext|>", "<|endoftext|>"
    vocabulary = {unit: index for index, unit in enumerate((*units, begin, end))}
    assert len(vocabulary) == 49408
    return CLIPTokenizer(vocab=vocabulary, merges=merges, unk_token=end, bos_token=begin, eos_token=end, pad_token=end)


def test_the_data_the_prompt_system_reads_goes_into_the_wheel() -> None:
    folder = Path(pipeline.prompt.__file__).parent
    project = tomllib.loads((folder.parents[1] / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["pipeline.prompt"]
    data = {path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".py"}
    assert data == {path.name for pattern in patterns for path in folder.glob(pattern)}
    assert any("LICENSE" in name for name in data)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "a cat", "a photo of a cat's tail", "don't I'LL we're !'s", "16:9, (x:1.3)++", "strawberry latte",
        "딸기 라떼",         "café CAFÉ a\u0301", "½ ² ⅓ 42", "under_score", "日本語", "👍🏽 👨‍👩‍👧", "İstanbul ß ﬁ",
        "<|endoftext|> a", "\u200b\ufeff",
        "masterpiece, best quality, absurdres", "antidisestablishmentarianism",
    ],
)  # fmt: skip
def test_a_text_has_as_many_tokens_as_clip_gives_it(text: str) -> None:
    assert count_tokens(text) == len(clip_tokenizer()(text)["input_ids"])


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cn", "Co", "Cc")), max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_has_as_many_tokens_as_clip_gives_it(text: str) -> None:
    assert count_tokens(text) == len(clip_tokenizer()(text)["input_ids"])
