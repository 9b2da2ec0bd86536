"""How models are laid out and run: exact, the same bytes every time, or fast, compiled."""

from typing import Final, Literal

import torch

Profile = Literal["exact", "fast"]

# what a UNet and a ControlNet repeat most; compiled once for all places of the same width
_REPEATED: Final = "BasicTransformerBlock"
# widths, guidance or none, and a ControlNet need a dozen; torch falls back to slow steps without a word beyond it
_COMPILED_FORMS: Final = 64


def prepare(profile: Profile) -> None:
    """Make torch ready for a profile; to be called before anything is compiled."""
    if profile == "fast":
        torch._dynamo.config.recompile_limit = _COMPILED_FORMS


def tune(model: torch.nn.Module, profile: Profile) -> None:
    """Lay a model out for a profile, in place, once it has its storage.

    fast: weights of convolutions channels last, and the transformer blocks compiled (regional compilation, diffusers'
    documentation on optimisation) for any size, so that neither a swap nor another size compiles anything again.
    """
    if profile == "exact":
        return
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for module in model.modules():
        if type(module).__name__ == _REPEATED:
            module.compile(dynamic=True)
