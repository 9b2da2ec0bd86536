"""A JSON object becomes a request, or a rejection that says which field to change and how."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pipeline.admission import MAX_METADATA_BYTES, admit
from pipeline.config import Limits
from pipeline.request import GenerationRequest
from store.errors import InvalidField, RequestRejected, UnknownField, UnknownStyle

STYLES = frozenset({"ultra_realistic", "realistic", "anime"})
SHA256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
LONGEST_NAME = "n" * 251 + ".png"

GOOD: dict[str, list[Any]] = {
    "schema_version": [1],
    "id": ["r", "order-12.a_B", "r" * 128, None],
    "prompt": ["a cat", "딸기 케이크", "x" * 2000, " {braces} "],
    "user_input": ["", "밝게", "x" * 2000],
    "reference_image": [
        "cat.png",
        "고양이 사진.jpeg",
        "a..b",
        LONGEST_NAME,
        {"name": "cat.png"},
        {"name": "cat.png", "sha256": SHA256, "bytes": 1},
        None,
    ],
    "style": ["auto", "realistic", "anime"],
    "purpose": ["feed", "banner", "other", None],
    "negative_prompt": ["", "blurry"],
    "aspect_ratio": ["1:1", "16:9", "9:21", None],
    "steps": [1, 150, None],
    "guidance_scale": [0, 0.0, 7, 30.0, None],
    "seed": [0, 2**32 - 1, None],
    "num_images": [1, 8],
    "strength": [0.001, 1, 1.0, None],
    "controlnet_scale": [0, 2.0, None],
    "reference_mode": ["variation", "structure"],
    "output_format": ["png", "webp", "jpeg"],
    "prompt_mode": ["auto", "raw"],
    "metadata": [{}, {"order": {"id": 12, "tags": ["a", None, 1.5, True]}, "이름": "값"}],
}
ACCEPTED = [{"prompt": "a cat", field: value} for field, values in GOOD.items() for value in values] + [
    {"prompt": "a cat", "width": 64, "height": 2048},
    {"prompt": "a cat", "width": None, "height": None, "aspect_ratio": "3:4"},
]

# field, the value found, and a word of what is allowed
BAD: list[tuple[str, Any, str]] = [
    ("schema_version", 2, "1"),
    ("schema_version", "1", "1"),
    ("id", "", "match pattern"),
    ("id", "-r", "match pattern"),
    ("id", "a/b", "match pattern"),
    ("id", "r\n", "match pattern"),
    ("id", "r" * 129, "match pattern"),
    ("id", 12, "string"),
    ("prompt", "", "at least 1"),
    ("prompt", "x" * 2001, "at most 2000"),
    ("prompt", None, "string"),
    ("prompt", ["a cat"], "string"),
    ("user_input", "x" * 2001, "at most 2000"),
    ("user_input", 7, "string"),
    ("reference_image", 3, "object"),
    ("reference_image", ["cat.png"], "object"),
    ("style", 3, "string"),
    ("purpose", "selfie", "'feed', 'story'"),
    ("negative_prompt", "x" * 2001, "at most 2000"),
    ("aspect_ratio", "5:4", "'1:1', '4:3'"),
    ("aspect_ratio", 1.5, "'1:1', '4:3'"),
    ("steps", 0, "greater than or equal to 1"),
    ("steps", 151, "less than or equal to 150"),
    ("steps", "20", "integer"),
    ("steps", 20.0, "integer"),
    ("steps", True, "integer"),
    ("guidance_scale", -0.1, "greater than or equal to 0"),
    ("guidance_scale", 30.1, "less than or equal to 30"),
    ("guidance_scale", "7", "number"),
    ("guidance_scale", True, "number"),
    ("seed", -1, "greater than or equal to 0"),
    ("seed", 2**32, "less than 4294967296"),
    ("seed", 10**40, "less than 4294967296"),
    ("seed", 1.0, "integer"),
    ("num_images", 0, "greater than or equal to 1"),
    ("num_images", 9, "at most 8"),
    ("num_images", "2", "integer"),
    ("num_images", None, "integer"),
    ("strength", 0, "greater than 0"),
    ("strength", 1.01, "less than or equal to 1"),
    ("strength", "0.5", "number"),
    ("controlnet_scale", -1, "greater than or equal to 0"),
    ("controlnet_scale", 2.5, "less than or equal to 2"),
    ("reference_mode", "copy", "'variation' or 'structure'"),
    ("output_format", "gif", "'png', 'webp' or 'jpeg'"),
    ("output_format", "PNG", "'png', 'webp' or 'jpeg'"),
    ("prompt_mode", "free", "'auto' or 'raw'"),
    ("metadata", [1], "object"),
    ("metadata", "x", "object"),
    ("metadata", None, "object"),
]


def admitted(**fields: Any) -> GenerationRequest:
    return admit({"prompt": "a cat", **fields}, Limits(), STYLES)


def refused(kind: type[RequestRejected], **fields: Any) -> RequestRejected:
    with pytest.raises(kind) as caught:
        admitted(**fields)
    assert type(caught.value) is kind
    return caught.value


def shown(document: dict[str, Any]) -> str:
    return ascii(document)[:60]


@pytest.mark.parametrize("document", ACCEPTED, ids=shown)
def test_what_is_allowed_is_taken_as_it_is(document: dict[str, Any]) -> None:
    request = admit(document, Limits(), STYLES)
    taken = request.model_dump(mode="json", exclude_unset=True)
    if isinstance(document.get("reference_image"), str):
        taken["reference_image"] = taken["reference_image"]["name"]
    assert taken == document


@pytest.mark.parametrize("document", ACCEPTED, ids=shown)
def test_the_json_schema_accepts_what_is_admitted(document: dict[str, Any]) -> None:
    Draft202012Validator(GenerationRequest.model_json_schema()).validate(document)


def test_the_json_schema_is_a_schema_that_names_every_field_and_no_other() -> None:
    schema = GenerationRequest.model_json_schema()
    Draft202012Validator.check_schema(schema)
    assert set(schema["properties"]) == set(GOOD) | {"width", "height"}
    assert not schema["additionalProperties"]


@pytest.mark.parametrize(("field", "value", "_"), [one for one in BAD if one[:2] != ("num_images", 9)], ids=ascii)
def test_the_json_schema_refuses_what_is_refused_as_far_as_it_can(field: str, value: Any, _: str) -> None:
    valid = Draft202012Validator(GenerationRequest.model_json_schema()).is_valid({"prompt": "a cat", field: value})
    # JSON Schema counts 20.0 among the integers, and its patterns let a last newline pass
    assert not valid or isinstance(value, float) or value == "r\n"


@pytest.mark.parametrize(("field", "value", "allowed"), BAD, ids=ascii)
def test_what_is_not_allowed_is_refused_with_field_value_and_range(field: str, value: Any, allowed: str) -> None:
    error = refused(InvalidField, **{field: value})
    assert (error.code, error.field, error.retryable) == ("invalid_field", field, False)
    assert error.message.startswith(f"{field}: found {json.dumps(value)[:80]}")
    assert allowed in error.message.partition("; allowed: ")[2]


@pytest.mark.parametrize("value", [63, "512", 512.0, True, None])
def test_a_width_must_be_an_integer_of_at_least_64(value: Any) -> None:
    assert "width" in refused(InvalidField, width=value, height=512).message


def test_a_long_value_is_shown_in_part() -> None:
    assert len(refused(InvalidField, prompt="x" * 100_000).message) < 200


def test_without_a_prompt_there_is_no_request() -> None:
    with pytest.raises(InvalidField, match="prompt: missing; it is required") as caught:
        admit({"style": "anime"}, Limits(), STYLES)
    assert caught.value.field == "prompt"


def test_a_prompt_of_white_space_is_none() -> None:
    assert "prompt must hold more than white space" in refused(InvalidField, prompt=" \t\n　").message


@pytest.mark.parametrize("fields", [{"width": 512}, {"height": 512}, {"width": 512, "aspect_ratio": "1:1"}], ids=str)
def test_width_and_height_go_together(fields: dict[str, Any]) -> None:
    message = refused(InvalidField, **fields).message
    assert message == "width and height go together; give both, or aspect_ratio alone"


def test_a_size_and_an_aspect_ratio_are_not_given_together() -> None:
    message = refused(InvalidField, width=512, height=512, aspect_ratio="1:1").message
    assert message == "give width and height, or aspect_ratio, not both"


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "a/b.png", "..", "../cat.png", ".", ".hidden.png", "a\0b.png", "n" * 252 + ".png", "가" * 86],
    ids=lambda name: ascii(name)[:20],
)
@pytest.mark.parametrize("wrapped", [False, True], ids=["as a name", "as an object"])
def test_a_reference_must_be_one_plain_file_name(name: str, wrapped: bool) -> None:
    error = refused(InvalidField, reference_image={"name": name} if wrapped else name)
    assert error.field == "reference_image"
    assert "one file name in the inbox: no '/', no leading dot, at most 255 bytes" in error.message


def test_a_name_of_255_bytes_is_not_too_long() -> None:
    reference = admitted(reference_image="가" * 85).reference_image
    assert reference is not None
    assert len(reference.name.encode()) == 255


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("name", "", "at least 1 character"),
        ("name", 5, "string"),
        ("sha256", SHA256.upper(), "pattern"),
        ("sha256", "ba78", "pattern"),
        ("bytes", 0, "greater than or equal to 1"),
        ("bytes", "12", "integer"),
    ],
)
def test_a_fault_within_a_reference_is_named_with_its_place(field: str, value: Any, allowed: str) -> None:
    error = refused(InvalidField, reference_image={"name": "cat.png", field: value})
    assert error.field == f"reference_image.{field}"
    assert allowed in error.message


def test_a_reference_without_a_name_is_refused() -> None:
    error = refused(InvalidField, reference_image={"sha256": SHA256})
    assert (error.field, error.message) == ("reference_image.name", "reference_image.name: missing; it is required")


def test_a_misspelled_field_is_named_with_the_one_it_resembles() -> None:
    error = refused(UnknownField, guidence_scale=7)
    assert (error.code, error.field) == ("unknown_field", "guidence_scale")
    assert error.message == "'guidence_scale' is not a field of a request; did you mean 'guidance_scale'?"


def test_a_field_like_no_other_is_named_with_all_there_are() -> None:
    message = refused(UnknownField, zzz=1).message
    assert all(field in message for field in GenerationRequest.model_fields)


def test_a_misspelled_field_within_a_reference_is_compared_with_those_of_a_reference() -> None:
    error = refused(UnknownField, reference_image={"name": "cat.png", "sha265": SHA256})
    assert error.field == "reference_image.sha265"
    assert "did you mean 'sha256'?" in error.message


def test_several_faults_are_all_named_in_one_message() -> None:
    error = refused(InvalidField, steps=0, strength=2, output_format="gif")
    assert error.field == "steps"
    assert [part.partition(":")[0] for part in error.message.split("; ") if "found" in part] == [
        "steps",
        "strength",
        "output_format",
    ]


def test_an_unknown_field_is_named_however_many_other_faults_there_are() -> None:
    error = refused(UnknownField, steps=0, seed=-1, strength=2, num_images=0, width=1, height=1, stepz=3)
    assert error.field == "stepz"
    assert error.message.startswith("'stepz' is not a field")
    assert error.message.endswith("; and 2 more")


def test_a_style_that_is_not_configured_is_refused_with_those_that_are() -> None:
    error = refused(UnknownStyle, style="oil painting")
    assert (error.code, error.field) == ("unknown_style", "style")
    assert error.message == "style: found 'oil painting'; allowed: auto, anime, realistic, ultra_realistic"


def test_limits_of_the_operator_hold_and_every_excess_is_named() -> None:
    limits = Limits(max_side=512, max_images=2)
    document = {"prompt": "a cat", "width": 513, "height": 600, "num_images": 3}
    with pytest.raises(InvalidField) as caught:
        admit(document, limits, STYLES)
    assert caught.value.field == "width"
    assert caught.value.message == (
        "width: found 513; allowed: at most 512; height: found 600; allowed: at most 512;"
        " num_images: found 3; allowed: at most 2"
    )
    assert admit({"prompt": "a cat", "width": 512, "height": 512, "num_images": 2}, limits, STYLES).width == 512


def test_metadata_may_be_as_large_as_its_limit_and_no_larger() -> None:
    envelope = len(json.dumps({"note": ""}))
    fits = "x" * (MAX_METADATA_BYTES - envelope)
    assert admitted(metadata={"note": fits}).metadata == {"note": fits}
    error = refused(InvalidField, metadata={"note": fits + "x"})
    assert error.field == "metadata"
    assert error.message == f"metadata: found {MAX_METADATA_BYTES + 1} bytes of JSON; allowed: at most 16384"


def test_a_request_knows_which_fields_were_set_even_to_their_default() -> None:
    request = admitted(strength=None, num_images=1)
    assert request.asks_for("num_images")
    assert request.asks_for("strength")
    assert not request.asks_for("seed")


def test_an_unknown_field_with_an_endless_name_is_named_by_its_beginning() -> None:
    with pytest.raises(UnknownField) as caught:
        admit({"prompt": "a cat", "x" * 200_000: 1}, Limits(), {"anime"})
    assert len(caught.value.message) < 1000
    assert caught.value.field is not None
    assert len(caught.value.field) < 100
