"""Prompts become embeddings of any length, with compel (https://github.com/damian0815/compel)."""

from collections.abc import Mapping
from typing import Any

import torch
from compel import Compel, ReturnedEmbeddingsType, SplitLongTextMode

from pipeline.checkpoints import Checkpoint, CheckpointCache
from pipeline.embeddings import Embeddings, Reading
from pipeline.prompt.emphasis import Fragment, fragments, literal, plain
from pipeline.state import State
from store.manifest import TokenCounts

_ENCODERS = (("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2"))


def read_prompts(checkpoint: Checkpoint, cache: CheckpointCache, state: State) -> tuple[Embeddings, bool]:
    """The state's prompts as this checkpoint reads them, and whether they were remembered.

    In prompt_mode raw every character is text; else the templates' weights count.
    """
    read = literal if state.request.prompt_mode == "raw" else fragments
    reading = Reading(
        reader=checkpoint.reader,
        positive=read(state.prompt.positive),
        negative=read(state.prompt.negative),
    )
    if known := cache.embeddings.get(reading):
        return known, True
    embeddings = encode(checkpoint.parts, reading.positive, reading.negative)
    cache.embeddings.keep(reading, embeddings)
    return embeddings, False


def encode(parts: Mapping[str, Any], positive: tuple[Fragment, ...], negative: tuple[Fragment, ...]) -> Embeddings:
    """Run both text encoders; the tensors lie in the CPU's memory and keep the encoders' precision.

    A prompt of up to 77 tokens without weights gives what diffusers' own encode_prompt gives, bit for bit.  A
    longer one is cut behind a comma or a full stop into chunks, each of which is read by itself; the shorter
    prompt is filled with empty chunks.  Pooled embeddings are of the first 77 tokens, weights aside.
    """
    # made anew each time: compel holds on to the encoders, which would outlive a swap
    readers = [_reader(parts[tokenizer], parts[encoder]) for tokenizer, encoder in _ENCODERS]
    prompts = (positive, negative) if negative else (positive,)
    with torch.no_grad():
        hidden = [[_hidden(reader, prompt) for prompt in prompts] for reader in readers]
        length = max(tensor.shape[1] for tensors in hidden for tensor in tensors)
        pooled = [readers[1].conditioning_provider.get_pooled_embeddings([plain(prompt)]).cpu() for prompt in prompts]
        padded = [
            [_padded(tensor, reader, length) for tensor in tensors]
            for reader, tensors in zip(readers, hidden, strict=True)
        ]
        joined = [torch.cat(tensors, dim=-1).cpu() for tensors in zip(*padded, strict=True)]
    tokenizer = parts["tokenizer"]
    positive_tokens, negative_tokens = (len(tokenizer(plain(prompt)).input_ids) for prompt in (positive, negative))
    return Embeddings(
        positive=joined[0],
        pooled=pooled[0],
        negative=joined[1] if negative else None,
        negative_pooled=pooled[1] if negative else None,
        tokens=TokenCounts(
            positive=positive_tokens, negative=negative_tokens, chunks=length // tokenizer.model_max_length
        ),
    )


def _reader(tokenizer: Any, encoder: Any) -> Compel:
    return Compel(
        tokenizer=tokenizer,
        text_encoder=encoder,
        returned_embeddings_type=ReturnedEmbeddingsType.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED,
        truncate_long_prompts=False,
        # by sentences, one full stop early on would leave a chunk nearly empty
        split_long_text_mode=SplitLongTextMode.PHRASES,
    )


def _hidden(reader: Compel, prompt: tuple[Fragment, ...]) -> torch.Tensor:
    # compel's own parser is left out: it changes commas, drops quotes and takes weights from anybody
    hidden: torch.Tensor = reader.conditioning_provider.get_embeddings_for_weighted_prompt_fragments(
        [[part.text for part in prompt] or [""]], [[part.weight for part in prompt] or [1.0]], device=reader.device
    )
    return hidden


def _padded(hidden: torch.Tensor, reader: Compel, length: int) -> torch.Tensor:
    empty = reader.conditioning_provider.empty_z
    missing = (length - hidden.shape[1]) // empty.shape[1]
    return torch.cat([hidden, *[empty] * missing], dim=1) if missing else hidden
