"""`imagegen prompt` shows what words become, at once and without a GPU."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.flow.program import environment, imagegen

PROMPT = "봄 신메뉴 딸기 라떼 포스터, 사람 없이, '봄을 마시다' 문구 넣어줘, 뷁쉙"
LEAST = {"style", "style_reason", "positive", "negative", "width", "height", "keywords", "unknown_words", "extractor"}


def shown(folder: Path, *arguments: str, **more: str) -> Any:
    process = imagegen("prompt", *arguments, "--json", folder=folder, cache=folder, **more)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def test_json_is_one_object_with_everything_that_was_decided(tmp_path: Path) -> None:
    found = shown(tmp_path, PROMPT)
    assert found.keys() >= LEAST
    assert (found["style"], found["extractor"], found["unknown_words"]) == ("ultra_realistic", "rules", ["뷁쉙"])
    assert "strawberry latte" in found["positive"]
    assert found["keywords"]["overlay_texts"] == ["봄을 마시다"]
    assert found["height"] > found["width"]


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        (["고양이 스토리"], -1), (["고양이 메뉴판"], -1), (["고양이 배너"], 1), (["고양이 썸네일"], 1),
        (["고양이 배너", "--aspect-ratio", "1:1"], 0), (["고양이", "--purpose", "poster"], -1),
    ],
)  # fmt: skip
def test_the_purpose_gives_the_shape_unless_the_request_names_one(
    arguments: list[str], shape: int, tmp_path: Path
) -> None:
    found = shown(tmp_path, *arguments)
    assert (found["width"] > found["height"]) - (found["width"] < found["height"]) == shape


def test_the_options_say_what_the_fields_of_a_request_say(tmp_path: Path) -> None:
    options = ["--user-input", "밤에", "--style", "anime", "--negative-prompt", "강아지"]
    found = shown(tmp_path, "고양이", *options)
    assert (found["style"], found["style_reason"]) == ("anime", "named in the request")
    assert "night" in found["positive"]
    assert "puppy" in found["negative"]


def test_all_styles_stand_in_one_object(tmp_path: Path) -> None:
    found = shown(tmp_path, PROMPT, "--all-styles")
    assert [one["style"] for one in found["styles"]] == ["ultra_realistic", "semi_realistic", "anime"]
    assert all(one.keys() >= LEAST for one in (found, *found["styles"]))
    assert found["style"] == "ultra_realistic"


@pytest.mark.parametrize("key", ["", " "])
def test_an_empty_key_counts_as_none(key: str, tmp_path: Path) -> None:
    found = shown(tmp_path, PROMPT, OPENAI_API_KEY=key, IMAGEGEN_PROMPT__LLM_API_KEY=key)
    assert found["extractor"] == "rules"
    assert "llm_failure" not in found["keywords"]


@pytest.mark.parametrize(
    "words", ["🍓☕", "딸기\x01\x1b[31m 라떼\t\x7f", "日本語のケーキ", "a " * 999, "strawberry 라떼 on a 테이블"]
)
def test_odd_words_give_one_object_in_plain_ascii(words: str, tmp_path: Path) -> None:
    found = shown(tmp_path, words)
    assert found.keys() >= LEAST
    assert (found["positive"] + found["negative"]).isascii()


@pytest.mark.parametrize("words", ["", "   ", "가" * 20_000])
def test_what_no_request_may_say_leaves_stdout_empty(words: str, tmp_path: Path) -> None:
    process = imagegen("prompt", words, "--json", folder=tmp_path, cache=tmp_path)
    assert (process.returncode, process.stdout) == (2, "")
    assert "prompt" in process.stderr


def test_a_person_sees_style_prompts_tokens_and_what_was_not_understood(tmp_path: Path) -> None:
    process = imagegen("prompt", PROMPT, "--all-styles", folder=tmp_path, cache=tmp_path)
    assert process.returncode == 0
    for part in ("configured default", "tokens", "positive", "negative", "anime", "뷁쉙", "strawberry latte"):
        assert part in process.stdout


def test_a_request_that_would_be_rejected_is_rejected_here(tmp_path: Path) -> None:
    process = imagegen("prompt", "고양이", "--style", "oil", "--json", folder=tmp_path, cache=tmp_path)
    assert (process.returncode, process.stdout) == (2, "")
    assert "unknown_style" in process.stderr


def test_torch_is_not_imported(tmp_path: Path) -> None:
    script = (
        "import sys; from watcher.cli import app\n"
        "try: app(['prompt', 'a cat', '--json'])\n"
        "except SystemExit: pass\n"
        "sys.exit(bool({'torch', 'diffusers', 'transformers'} & set(sys.modules)))"
    )
    process = subprocess.run([sys.executable, "-c", script], env=environment(tmp_path), cwd=tmp_path, check=False)
    assert process.returncode == 0
