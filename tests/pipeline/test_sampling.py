"""Every number of a drawing is decided once: by the request, else the style, else the configuration."""

from typing import Any

import pytest

from pipeline.config import DrawingConfig
from pipeline.request import GenerationRequest
from pipeline.sampling import Sampling, idle_fields, resolve
from store.errors import InvalidField
from tests.pipeline.samples import asked, plain_style

CONFIG = DrawingConfig(strength=0.35, controlnet_scale=0.45, controlnet_end=0.8)


def resolved(derived_seed: int = 5, **fields: Any) -> Sampling:
    return resolve(asked(**fields), plain_style(), CONFIG, seed=derived_seed)


def test_what_the_request_leaves_open_comes_from_the_style() -> None:
    sampling = resolved()
    assert (sampling.steps, sampling.guidance_scale, sampling.size.width) == (17, 3.25, 512)
    assert (sampling.output_format, sampling.reference_mode) == ("png", "variation")


def test_what_the_style_leaves_open_comes_from_the_configuration() -> None:
    sampling = resolved(reference_image="cat.png")
    assert (sampling.strength, sampling.controlnet_scale, sampling.controlnet_end) == (0.35, 0.45, 0.8)


def test_what_the_request_says_outranks_both() -> None:
    sampling = resolved(
        steps=3,
        guidance_scale=0,
        width=72,
        height=64,
        reference_image="cat.png",
        strength=0.9,
        controlnet_scale=0,
        output_format="webp",
    )
    assert (sampling.steps, sampling.guidance_scale) == (3, 0)
    assert (sampling.strength, sampling.controlnet_scale) == (0.9, 0)
    assert (sampling.size.width, sampling.size.height, sampling.output_format) == (72, 64, "webp")


def test_without_a_reference_drawing_starts_from_noise_and_no_controlnet_takes_part() -> None:
    sampling = resolved(strength=0.2, controlnet_scale=1.5)
    assert (sampling.strength, sampling.controlnet_scale, sampling.controlnet_end) == (1.0, 0.0, 1.0)


def test_structure_starts_from_noise_and_keeps_the_controlnet() -> None:
    sampling = resolved(reference_image="cat.png", reference_mode="structure", strength=0.2, controlnet_scale=1.5)
    assert (sampling.strength, sampling.controlnet_scale, sampling.reference_mode) == (1.0, 1.5, "structure")


def test_a_request_without_a_seed_takes_the_one_it_is_given() -> None:
    assert resolved(derived_seed=41, num_images=3).seeds == (41, 42, 43)


def test_the_seed_of_the_request_outranks_the_one_it_is_given_even_when_it_is_0() -> None:
    assert resolved(derived_seed=41, seed=0, num_images=2).seeds == (0, 1)


def test_seeds_begin_again_at_0_after_the_largest() -> None:
    assert resolved(derived_seed=2**32 - 2, num_images=4).seeds == (2**32 - 2, 2**32 - 1, 0, 1)


@pytest.mark.parametrize("steps", range(1, 151))
def test_a_strength_that_leaves_no_step_is_refused_and_the_least_it_names_is_enough(steps: int) -> None:
    fields = {"reference_image": "cat.png", "steps": steps}
    with pytest.raises(InvalidField, match="leaves no step to draw") as caught:
        resolved(**fields, strength=0.9 / steps)
    assert caught.value.field == "strength"
    least = float(caught.value.message.rpartition("at least ")[2])
    assert resolved(**fields, strength=least).strength == least
    assert least < 1 / steps + 0.001


def test_a_strength_too_low_for_the_steps_is_no_fault_where_strength_has_no_effect() -> None:
    assert resolved(steps=1, strength=0.1).strength == 1.0
    assert resolved(steps=1, strength=0.1, reference_image="cat.png", reference_mode="structure").strength == 1.0


def idle(request: GenerationRequest) -> tuple[str, ...]:
    return idle_fields(request, resolve(request, plain_style(), CONFIG, seed=0))


def test_a_negative_prompt_is_idle_without_guidance() -> None:
    warned = ("negative_prompt has no effect with a guidance_scale of 1",)
    assert idle(asked(negative_prompt="people", guidance_scale=1)) == warned
    assert idle(asked(negative_prompt="people", guidance_scale=1.1)) == ()


def test_fields_that_only_a_reference_gives_a_meaning_are_named_without_one() -> None:
    request = asked(strength=0.5, controlnet_scale=None, reference_mode="variation")
    assert idle(request) == tuple(
        f"{field} has no effect without a reference_image"
        for field in ("strength", "controlnet_scale", "reference_mode")
    )


def test_fields_the_request_does_not_set_are_not_idle() -> None:
    assert idle(asked()) == ()


def test_with_a_reference_no_field_is_idle() -> None:
    request = asked(reference_image="cat.png", strength=0.5, controlnet_scale=1, reference_mode="variation")
    assert idle(request) == ()


def test_strength_is_idle_where_only_the_structure_is_kept() -> None:
    request = asked(reference_image="cat.png", reference_mode="structure", strength=0.5, controlnet_scale=1)
    assert idle(request) == ("strength has no effect with reference_mode structure, which starts from noise",)


def test_extra_words_are_idle_where_the_prompt_is_left_as_it_is() -> None:
    request = asked(prompt_mode="raw", user_input="bright")
    assert idle(request) == ("user_input has no effect with prompt_mode raw",)
