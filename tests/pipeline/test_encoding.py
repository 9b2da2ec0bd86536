"""Prompts of any length reach the checkpoint whole; short ones as diffusers would have read them."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import encoding
from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.checkpoints import Checkpoint, CheckpointCache
from pipeline.device import Device
from pipeline.embeddings import Embeddings, Reading, RecentEmbeddings
from pipeline.encoding import encode, read_prompts
from pipeline.generator import Generator
from pipeline.prompt.emphasis import Fragment, escaped, fragments, literal
from pipeline.state import State
from pipeline.styles import load_styles
from store.digest import Digest
from store.manifest import PromptRecord, TokenCounts
from tests.clock import FakeClock
from tests.pipeline.samples import NUMPY_IN_DIFFUSERS, asked, quarters

pytestmark = pytest.mark.filterwarnings(NUMPY_IN_DIFFUSERS)

STYLES = load_styles(builtin=STYLE_CHANGES)
ANIME, REALISTIC = STYLES.find("anime"), STYLES.find("realistic")
LONG = ", ".join(["a cat under a cherry tree at night, soft light"] * 12)
TRICKY = [
    "a (b:1.5)",
    "C++ book",
    '"a" cat',
    "((((",
    "a,b,,c",
    "cat--",
    "a \\(b)",
    "<|endoftext|> cat",
    "딸기 라떼",
    "x" * 40,
]
ENCODERS = ("text_encoder", "text_encoder_2")


class NotToBeRead:
    """Plays text encoders that must not be asked again."""

    def __call__(self, *args: Any) -> Embeddings:
        raise AssertionError("the prompts were read anew")


def new_cache(weights: BuiltinWeights, dtype: torch.dtype = torch.float32) -> CheckpointCache:
    return CheckpointCache(weights, STYLES, Device(name="cpu", dtype=dtype), FakeClock())


@pytest.fixture(scope="module", params=[torch.float32, torch.float16], ids=str)
def checkpoint(request: pytest.FixtureRequest, weights: BuiltinWeights) -> Checkpoint:
    return new_cache(weights, request.param).bring(ANIME)[0]


@pytest.fixture(scope="module")
def single(weights: BuiltinWeights) -> Checkpoint:
    """In single precision."""
    return new_cache(weights).bring(ANIME)[0]


def by_diffusers(checkpoint: Checkpoint, positive: str, negative: str | None) -> tuple[torch.Tensor, ...]:
    pipe = StableDiffusionXLPipeline(**checkpoint.parts, vae=None, add_watermarker=False)
    with torch.no_grad():
        found: tuple[torch.Tensor, ...] = pipe.encode_prompt(prompt=positive, negative_prompt=negative)
    return found


def by_us(embeddings: Embeddings) -> tuple[torch.Tensor | None, ...]:
    return embeddings.positive, embeddings.negative, embeddings.pooled, embeddings.negative_pooled


def same(ours: Embeddings, theirs: tuple[torch.Tensor, ...]) -> bool:
    pairs = zip(by_us(ours), theirs, strict=True)
    return all(one is not None and one.dtype == other.dtype and torch.equal(one, other) for one, other in pairs)


def state_of(positive: str, negative: str = "", **fields: Any) -> State:
    record = PromptRecord(positive=positive, negative=negative, style="anime", style_reason="", extractor="none")
    return State(request=asked(**fields), seed=1, prompt=record)


@pytest.mark.parametrize("text", ["a cat", *TRICKY])
def test_a_short_prompt_is_read_as_diffusers_reads_it(text: str, checkpoint: Checkpoint) -> None:
    assert same(
        encode(checkpoint.parts, literal(text), literal("text, logo")), by_diffusers(checkpoint, text, "text, logo")
    )


@given(positive=st.text(max_size=18), negative=st.text(min_size=1, max_size=18).filter(str.strip))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_escaped_words_are_read_as_diffusers_reads_them_bare(single: Checkpoint, positive: str, negative: str) -> None:
    ours = encode(single.parts, fragments(escaped(positive)), fragments(escaped(negative)))
    assert same(ours, by_diffusers(single, positive, negative))


def test_an_empty_negative_prompt_is_left_to_diffusers_which_takes_zeros(single: Checkpoint) -> None:
    ours = encode(single.parts, literal("a cat"), literal(" "))
    theirs = by_diffusers(single, "a cat", None)
    assert (ours.negative, ours.negative_pooled) == (None, None)
    assert torch.equal(ours.positive, theirs[0])
    assert not theirs[1].any()


def test_nothing_of_a_long_prompt_is_dropped(checkpoint: Checkpoint) -> None:
    ours = encode(checkpoint.parts, literal(LONG), literal("logo"))
    other = encode(checkpoint.parts, literal(f"{LONG}, dog"), literal("logo"))
    cut = by_diffusers(checkpoint, LONG, "logo")[0]
    assert ours.negative is not None
    assert ours.positive.shape == ours.negative.shape == (1, 77 * ours.tokens.chunks, cut.shape[2])
    assert ours.tokens.chunks > 1
    assert ours.positive.shape == other.positive.shape
    assert not torch.equal(ours.positive[:, -77:], other.positive[:, -77:])


def test_the_shorter_prompt_is_filled_with_empty_chunks(checkpoint: Checkpoint) -> None:
    ours = encode(checkpoint.parts, literal("a cat"), literal(LONG))
    empty = by_diffusers(checkpoint, "", None)[0]
    assert torch.equal(ours.positive[:, :77], by_diffusers(checkpoint, "a cat", None)[0])
    assert torch.equal(ours.positive[:, 77:], empty.repeat(1, ours.tokens.chunks - 1, 1))


def test_a_long_prompt_is_cut_behind_a_comma_and_not_at_an_early_full_stop(single: Checkpoint) -> None:
    words = f"a cat. {LONG}"
    assert (
        encode(single.parts, literal(words), ()).tokens.chunks == encode(single.parts, literal(LONG), ()).tokens.chunks
    )


def test_a_weight_moves_its_own_words_and_no_others(checkpoint: Checkpoint) -> None:
    plain = encode(checkpoint.parts, literal("a masterpiece, grass"), ())
    heavy = encode(checkpoint.parts, fragments("a (masterpiece)1.3, grass"), ())
    moved = (plain.positive != heavy.positive).any(dim=2)[0].nonzero().flatten().tolist()
    # begin mark, "a", and then the word
    assert moved == [2]
    assert torch.equal(plain.pooled, heavy.pooled)


def test_words_may_weigh_less(checkpoint: Checkpoint) -> None:
    light = encode(checkpoint.parts, fragments(f"a (cat, sitting)0.6, {LONG}"), ())
    assert torch.isfinite(light.positive).all()
    assert not torch.equal(light.positive, encode(checkpoint.parts, literal(f"a cat, sitting, {LONG}"), ()).positive)


def test_tokens_are_counted_without_marks_and_with_the_windows(single: Checkpoint) -> None:
    tokens = encode(single.parts, fragments("a (cat)1.3 \\(b\\)"), ()).tokens
    count = len(single.parts["tokenizer"]("a cat (b)").input_ids)
    assert tokens == TokenCounts(positive=count, negative=2, chunks=1)


@pytest.mark.parametrize("negative", ["", "text, logo"])
def test_a_short_prompt_draws_the_picture_that_a_plain_pipe_draws(
    negative: str, weights: BuiltinWeights, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_words(self: Embeddings, device: str) -> dict[str, Any]:
        return {"prompt": "a red fox", "negative_prompt": negative or None}

    parameters: dict[str, Any] = {
        "width": 64,
        "height": 64,
        "steps": 2,
        "seed": 5,
        "num_images": 2,
        "prompt_mode": "raw",
    }
    for reference in (None, quarters(64, 64)):
        ours = generator.generate_image("a red fox", reference, negative_prompt=negative, **parameters)
        with monkeypatch.context() as patched:
            patched.setattr(Embeddings, "inputs", in_words)
            theirs = generator.generate_image("a red fox", reference, negative_prompt=negative, **parameters)
        assert [image.data for image in ours.images] == [image.data for image in theirs.images]


@pytest.mark.parametrize("reference", [False, True])
def test_the_end_of_a_long_prompt_shows_in_the_picture(reference: bool, generator: Generator) -> None:
    # the builder would say each word once
    parameters: dict[str, Any] = {"width": 64, "height": 64, "steps": 2, "seed": 5, "prompt_mode": "raw"}
    given = quarters(64, 64) if reference else None
    one, other = (generator.generate_image(f"{LONG}{end}", given, **parameters) for end in (", a dog", ", a house"))
    assert one.images[0].data != other.images[0].data
    assert one.prompt.tokens.positive > 77
    assert one.prompt.tokens.chunks > 1
    assert not [warning for warning in one.warnings if "token" in warning]


def test_in_raw_mode_a_weight_is_text(weights: BuiltinWeights) -> None:
    cache = new_cache(weights)
    checkpoint, _ = cache.bring(ANIME)
    raw, _ = read_prompts(checkpoint, cache, state_of("a (cat)1.3", prompt_mode="raw"))
    built, _ = read_prompts(checkpoint, cache, state_of("a (cat)1.3"))
    assert same(raw, by_us(encode(checkpoint.parts, literal("a (cat)1.3"), ()))) is False
    assert torch.equal(raw.positive, by_diffusers(checkpoint, "a (cat)1.3", None)[0])
    assert not torch.equal(raw.positive, built.positive)


def test_the_same_prompts_are_read_once_whatever_is_drawn_in_between(
    weights: BuiltinWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = new_cache(weights)
    first, known = read_prompts(cache.bring(ANIME)[0], cache, state_of("a cat"))
    of_another, _ = read_prompts(cache.bring(REALISTIC)[0], cache, state_of("a cat"))
    assert not known
    assert not torch.equal(first.positive, of_another.positive)
    again = cache.bring(ANIME)[0]
    monkeypatch.setattr(encoding, "encode", NotToBeRead())
    assert read_prompts(again, cache, state_of("a cat")) == (first, True)


@pytest.mark.parametrize("change", [{"positive": "a dog"}, {"negative": "a dog"}])
def test_other_words_are_read_anew(change: dict[str, str], weights: BuiltinWeights) -> None:
    cache = new_cache(weights)
    checkpoint, _ = cache.bring(ANIME)
    read_prompts(checkpoint, cache, state_of("a cat", "logo"))
    assert not read_prompts(checkpoint, cache, state_of(**{"positive": "a cat", "negative": "logo", **change}))[1]


def test_a_node_records_whether_the_prompts_were_remembered(weights: BuiltinWeights, generator: Generator) -> None:
    parameters: dict[str, Any] = {"width": 64, "height": 64, "steps": 1, "seed": 5}
    drawings = [generator.generate_image("a cat in a hat nobody drew before", **parameters) for _ in range(2)]
    assert [drawing.nodes[1].detail["prompts_remembered"] for drawing in drawings] == [False, True]
    assert drawings[0].images[0].data == drawings[1].images[0].data


def test_what_was_read_stays_as_it_is_when_the_next_checkpoint_takes_the_encoders_place(
    weights: BuiltinWeights,
) -> None:
    cache = new_cache(weights)
    checkpoint, _ = cache.bring(ANIME)
    embeddings, _ = read_prompts(checkpoint, cache, state_of(f"(a)1.2 {LONG}", "(b)0.7"))
    before = [tensor.clone() for tensor in (embeddings.positive, embeddings.pooled)]
    other, _ = cache.bring(REALISTIC)
    assert torch.equal(embeddings.positive, before[0])
    assert torch.equal(embeddings.pooled, before[1])
    again, known = read_prompts(other, cache, state_of(f"(a)1.2 {LONG}", "(b)0.7"))
    assert not known
    assert not torch.equal(again.positive, before[0])
    assert embeddings.positive.device.type == "cpu"
    assert not embeddings.positive.requires_grad


def reading(words: str) -> Reading:
    return Reading(reader=Digest.of(b""), positive=(Fragment(text=words),), negative=())


def a_kilobyte() -> Embeddings:
    half = torch.zeros(1, 1, 128)
    return Embeddings(
        positive=half, pooled=half, negative=None, negative_pooled=None, tokens=TokenCounts(positive=1, negative=1)
    )


def test_what_was_not_used_for_longest_is_forgotten_first() -> None:
    recent = RecentEmbeddings(most_bytes=2048)
    kept = {word: a_kilobyte() for word in "abc"}
    for word in "ab":
        recent.keep(reading(word), kept[word])
    assert recent.get(reading("a")) is kept["a"]
    recent.keep(reading("c"), kept["c"])
    assert [recent.get(reading(word)) for word in "abc"] == [kept["a"], None, kept["c"]]
    assert recent.bytes == 2048


def test_what_is_too_large_for_the_memory_is_not_kept() -> None:
    recent = RecentEmbeddings(most_bytes=1000)
    recent.keep(reading("a"), a_kilobyte())
    assert (recent.get(reading("a")), recent.bytes) == (None, 0)


def test_another_checkpoint_or_another_weight_is_another_reading() -> None:
    one = reading("a")
    assert one == reading("a")
    assert one != replace(one, reader=Digest.of(b"other"))
    assert one != replace(one, positive=(Fragment(text="a", weight=1.1),))
