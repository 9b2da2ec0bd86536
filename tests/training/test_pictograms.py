"""Only what all three sets draw is learnt from, and nothing that is no object."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from pipeline.builtin.networks import STYLES
from pipeline.training.pictograms import read
from store.errors import SettingsInvalid

SVG = {"body": '<rect width="32" height="32" fill="#00ff00"/>'}
EMOJI = [
    {"hexcode": "1F34E", "label": "red apple", "tags": ["fruit"], "group": 4},
    {"hexcode": "1F43B-200D-2744-FE0F", "label": "polar bear", "tags": [], "group": 3},
    {"hexcode": "1F1F0-1F1F7", "label": "flag: South Korea", "tags": [], "group": 9},
    {"hexcode": "1F44B-1F3FB", "label": "waving hand: light skin tone", "tags": [], "group": 1},
    {"hexcode": "1F346", "label": "eggplant", "tags": [], "group": 4},
]
GROUPS = {"1": "people-body", "3": "animals-nature", "4": "food-drink", "9": "flags"}


def package(folder: Path, name: str, files: dict[str, bytes]) -> None:
    with tarfile.open(folder / f"{name}-1.0.0.tgz", "w:gz") as archive:
        for path, data in files.items():
            entry = tarfile.TarInfo(f"package/{path}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def webp() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA", (40, 44), "red").save(buffer, "WEBP", lossless=True)
    return buffer.getvalue()


def icons(chars: dict[str, str], **aliases: dict[str, str]) -> dict[str, bytes]:
    drawn = {name: SVG for name in chars.values() if name not in aliases}
    document = {"icons": drawn, "aliases": aliases, "width": 32, "height": 32}
    return {"icons.json": json.dumps(document).encode(), "chars.json": json.dumps(chars).encode()}


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    data = {
        "en/data.json": EMOJI,
        "ko/data.json": [{**EMOJI[0], "label": "빨간 사과"}],
        "meta/groups.json": {"groups": GROUPS},
    }
    package(tmp_path, "emojibase-data", {name: json.dumps(document).encode() for name, document in data.items()})
    codes = ["1f34e", "1f43b-200d-2744-fe0f", "1f1f0-1f1f7", "1f44b-1f3fb", "1f346"]
    package(tmp_path, "lobehub-fluent-emoji-3d", {f"assets/{code}.webp": webp() for code in codes})
    chars = {"1f34e": "red-apple", "1f43b-200d-2744": "polar-bear", "1f1f0-1f1f7": "flag", "1f44b-1f3fb": "hand"}
    package(tmp_path, "iconify-json-noto", icons({**chars, "1f346": "eggplant"}))
    aliased = {name: name for name in ("apple",)} and {
        "1f34e": "red-apple",
        "1f43b-200d-2744": "polar-bear",
        "x": "apple",
    }
    package(tmp_path, "iconify-json-fluent-emoji-flat", icons(aliased, **{"red-apple": {"parent": "apple"}}))
    return tmp_path


def test_objects_of_all_three_sets_are_joined_by_their_code_points(downloads: Path) -> None:
    found = read(downloads, 16)
    assert [entry.name for entry in found.objects] == ["red apple", "polar bear"]
    assert found.objects[0].korean == "빨간 사과"
    assert found.objects[0].words == ("fruit",)
    assert {style: pictures.shape for style, pictures in found.pictures.items()} == dict.fromkeys(
        STYLES, (2, 16, 16, 4)
    )
    assert found.pictures["ultra_realistic"][0, 8, 8].tolist() == [255, 0, 0, 255]
    assert found.pictures["anime"][0, 8, 8].tolist() == [0, 255, 0, 255]


def test_what_was_read_once_is_not_drawn_again(downloads: Path) -> None:
    first = read(downloads, 16)
    for archive in downloads.glob("*.tgz"):
        archive.unlink()
    assert read(downloads, 16).objects == first.objects


def test_a_missing_package_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"emojibase-data.*fetch"):
        read(tmp_path, 16)
