"""What is asked for becomes what is drawn: every number decided, once."""

import math
from dataclasses import dataclass

from pipeline.config import DrawingConfig
from pipeline.request import AspectRatio, GenerationRequest, ReferenceMode
from pipeline.sizes import Size, resolve_size
from pipeline.styles import Style
from store.errors import InvalidField
from store.manifest import ImageFormat

# classifier-free guidance needs a scale above this, otherwise the negative prompt is not looked at
_NO_GUIDANCE = 1.0
_ONLY_WITH_REFERENCE = ("strength", "controlnet_scale", "reference_mode")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """A request with nothing left open: how many steps, which size, which seeds.

    strength is in (0, 1], the share of the noise schedule a variation runs through; it is 1 where the
    drawing starts from noise.  controlnet_scale is in [0, 2], 0 where no ControlNet takes part;
    controlnet_end in (0, 1], the share of the steps in which it does.
    """

    steps: int
    guidance_scale: float
    size: Size
    seeds: tuple[int, ...]
    strength: float
    controlnet_scale: float
    controlnet_end: float
    reference_mode: ReferenceMode
    output_format: ImageFormat


def resolve(
    request: GenerationRequest, style: Style, config: DrawingConfig, *, seed: int, wish: AspectRatio | None = None
) -> Sampling:
    """Fill what the request leaves open from the style and the configuration; raises InvalidField.

    seed draws the first image where the request names none; image k is drawn with seed + k.  wish is the
    aspect ratio the prompt's words ask for, where the request has none of its own.
    """
    first = seed if request.seed is None else request.seed
    steps = request.steps or style.steps
    guidance_scale = style.guidance_scale if request.guidance_scale is None else request.guidance_scale
    has_reference = request.reference_image is not None
    return Sampling(
        steps=steps,
        guidance_scale=guidance_scale,
        size=resolve_size(request, style.native_size, wish),
        seeds=tuple((first + index) % 2**32 for index in range(request.num_images)),
        strength=_strength(request, config, steps) if has_reference else 1.0,
        controlnet_scale=_controlnet_scale(request, config) if has_reference else 0.0,
        controlnet_end=config.controlnet_end if has_reference else 1.0,
        reference_mode=request.reference_mode,
        output_format=request.output_format,
    )


def idle_fields(request: GenerationRequest, sampling: Sampling) -> tuple[str, ...]:
    """A warning for each field the request sets although it cannot have an effect."""
    idle = []
    if request.negative_prompt and sampling.guidance_scale <= _NO_GUIDANCE:
        idle.append(f"negative_prompt has no effect with a guidance_scale of {sampling.guidance_scale:g}")
    if request.prompt_mode == "raw" and request.user_input:
        idle.append("user_input has no effect with prompt_mode raw")
    if request.reference_image is None:
        fields = [field for field in _ONLY_WITH_REFERENCE if request.asks_for(field)]
        idle += [f"{field} has no effect without a reference_image" for field in fields]
    elif request.reference_mode == "structure" and request.asks_for("strength"):
        idle.append("strength has no effect with reference_mode structure, which starts from noise")
    return tuple(idle)


def _strength(request: GenerationRequest, config: DrawingConfig, steps: int) -> float:
    if request.reference_mode == "structure":
        return 1.0
    strength = config.strength if request.strength is None else request.strength
    if int(steps * strength) < 1:
        default = "" if request.asks_for("strength") else ", the default,"
        raise InvalidField(
            f"strength: found {strength}{default} with {steps} steps, which leaves no step to draw;"
            f" allowed: more steps, or a strength of at least {math.ceil(1000 / steps) / 1000}",
            field="strength" if request.asks_for("strength") else "steps",
        )
    return strength


def _controlnet_scale(request: GenerationRequest, config: DrawingConfig) -> float:
    return config.controlnet_scale if request.controlnet_scale is None else request.controlnet_scale
