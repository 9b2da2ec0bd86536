import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

from pipeline.admission import admit
from pipeline.config import Limits
from pipeline.styles import load_styles
from store.errors import UnknownField
from tests.flow.conftest import EXAMPLES

REQUESTS = sorted(EXAMPLES.glob("*.json"))


def read(path: Path) -> dict[str, object]:
    return dict(json.loads(path.read_text("utf-8")))


@pytest.mark.parametrize("path", [path for path in REQUESTS if path.stem != "wrong-steps"], ids=lambda path: path.stem)
def test_an_example_is_a_valid_request(path: Path) -> None:
    admit(read(path), Limits(), load_styles().names)


def test_the_wrong_example_is_rejected_with_a_lesson() -> None:
    with pytest.raises(UnknownField, match="did you mean 'guidance_scale'"):
        admit(read(EXAMPLES / "wrong-steps.json"), Limits(), load_styles().names)


def test_the_described_reference_is_the_one_beside_it() -> None:
    described = read(EXAMPLES / "coffee-poster.json")["reference_image"]
    assert isinstance(described, dict)
    data = (EXAMPLES / described["name"]).read_bytes()
    assert described == {
        "name": "coffee-sketch.png",
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
    }
    with Image.open(EXAMPLES / described["name"]) as image:
        assert image.size == (256, 256)


def test_the_examples_show_both_languages_both_branches_and_several_styles() -> None:
    requests = [read(path) for path in REQUESTS]
    prompts = [str(request["prompt"]) for request in requests]
    assert any(prompt.isascii() for prompt in prompts)
    assert any(not prompt.isascii() for prompt in prompts)
    assert {"reference_image" in request for request in requests} == {True, False}
    assert len({request.get("style") for request in requests}) >= 3
