"""How a model is built, without its weights: two checkpoints that agree in it can lie in the same storage."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from diffusers import UNet2DConditionModel

from pipeline.device import Device
from pipeline.intact import require_config
from store.errors import CheckpointBroken

# text encoders first: the prompt is read while the UNet is still coming
MODELS: Final = ("text_encoder", "text_encoder_2", "unet")
_ENCODERS: Final[Mapping[str, Any]] = {
    "text_encoder": transformers.CLIPTextModel,
    "text_encoder_2": transformers.CLIPTextModelWithProjection,
}
# what a configuration says about the file it came in, and not about the model
_ABOUT_THE_FILE: Final = {"architectures", "dtype", "torch_dtype", "transformers_version", "model_type"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """One model's class and numbers; equal where the same code would run on weights of the same shapes."""

    name: str
    numbers: str
    config: Any

    def fits(self, other: "Blueprint") -> bool:
        """Whether weights made for the other can lie in a model built from this one."""
        return (self.name, self.numbers) == (other.name, other.numbers)


def read_blueprint(name: str, what: str, described: Path) -> Blueprint:
    """The blueprint of one of MODELS, from a folder in diffusers format; raises CheckpointBroken."""
    require_config(what, described / name)
    if name == "unet":
        config = UNet2DConditionModel.load_config(described, subfolder=name, local_files_only=True)
        return Blueprint(name=name, numbers=_canonical(_with_defaults(config)), config=config)
    config = transformers.CLIPTextConfig.from_pretrained(described / name, local_files_only=True)
    return Blueprint(name=name, numbers=_canonical(config.to_dict()), config=config)


def skeleton(blueprint: Blueprint, device: Device) -> torch.nn.Module:
    """The model in the device's precision, ready to draw, and without storage: its tensors are on "meta"."""
    model: torch.nn.Module
    with torch.device("meta"):
        if blueprint.name == "unet":
            model = UNet2DConditionModel.from_config(blueprint.config)
        else:
            model = _ENCODERS[blueprint.name](blueprint.config)
    model = model.to(device.dtype).requires_grad_(False).eval()
    _require_known_buffers(blueprint.name, model)
    return model


def allocate(model: torch.nn.Module, device: Device) -> None:
    """Give a skeleton its storage on the device; its weights mean nothing yet."""
    model.to_empty(device=device.name)
    for buffer in _places(model).values():
        buffer.copy_(torch.arange(buffer.shape[-1]).expand_as(buffer))


def _places(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The buffers that no checkpoint holds: the numbers of a text encoder's places, from 0."""
    kept = model.state_dict().keys()
    return {key: buffer for key, buffer in model.named_buffers() if key not in kept}


def _require_known_buffers(name: str, model: torch.nn.Module) -> None:
    for key in _places(model):
        if not key.endswith("position_ids"):
            raise CheckpointBroken(f"{name}: nobody knows the values of its buffer {key}; this version cannot draw it")


def _with_defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(UNet2DConditionModel.__init__).parameters
    return {
        name: config.get(name, parameter.default)
        for name, parameter in parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }


def _canonical(numbers: Mapping[str, Any]) -> str:
    told = {name: value for name, value in numbers.items() if name not in _ABOUT_THE_FILE and not name.startswith("_")}
    return json.dumps(told, sort_keys=True, default=str)
