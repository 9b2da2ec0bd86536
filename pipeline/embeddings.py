"""What a checkpoint's text encoders make of two prompts, and the memory of the latest ones."""

from collections import OrderedDict
from dataclasses import dataclass

import torch

from pipeline.prompt.emphasis import Fragment
from store.digest import Digest
from store.manifest import TokenCounts

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embeddings:
    """The two prompts of a drawing, read.

    positive, negative: (1, 77 x chunks, width), of one length.  pooled, negative_pooled: (1, width of the
    second encoder).  An empty negative prompt is None: diffusers then takes zeros.
    """

    positive: torch.Tensor
    pooled: torch.Tensor
    negative: torch.Tensor | None
    negative_pooled: torch.Tensor | None
    tokens: TokenCounts

    def inputs(self, device: str) -> dict[str, torch.Tensor | None]:
        """As a diffusers pipe for SDXL wants them, on this device."""
        tensors = {
            "prompt_embeds": self.positive,
            "pooled_prompt_embeds": self.pooled,
            "negative_prompt_embeds": self.negative,
            "negative_pooled_prompt_embeds": self.negative_pooled,
        }
        return {name: tensor if tensor is None else tensor.to(device) for name, tensor in tensors.items()}

    @property
    def bytes(self) -> int:
        """How much memory the tensors take."""
        tensors = (self.positive, self.pooled, self.negative, self.negative_pooled)
        return sum(tensor.nbytes for tensor in tensors if tensor is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What embeddings depend on: who reads, text encoders and tokenizers, and the words with their weights."""

    reader: Digest
    positive: tuple[Fragment, ...]
    negative: tuple[Fragment, ...]


class RecentEmbeddings:
    """Remembers what was read last, within a bound; only the thread that draws may call it.

    It stays through swaps: a reading names its reader, and the tensors lie in the CPU's memory.
    """

    def __init__(self, most_bytes: int = 16 * _MIB) -> None:
        self._most = most_bytes
        self._kept: OrderedDict[Reading, Embeddings] = OrderedDict()

    @property
    def bytes(self) -> int:
        """How much memory is in use."""
        return sum(embeddings.bytes for embeddings in self._kept.values())

    def get(self, reading: Reading) -> Embeddings | None:
        """What was kept of this reading."""
        embeddings = self._kept.get(reading)
        if embeddings is not None:
            self._kept.move_to_end(reading)
        return embeddings

    def keep(self, reading: Reading, embeddings: Embeddings) -> None:
        """Remember this reading and forget those that were not used for longest, until all fit."""
        self._kept[reading] = embeddings
        while self._kept and self.bytes > self._most:
            self._kept.popitem(last=False)
