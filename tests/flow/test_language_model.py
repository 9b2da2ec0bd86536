"""The commands with a language model configured: its words are drawn, and without it everything still is."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from store.manifest import ResultManifest
from tests.flow.program import imagegen
from tests.pipeline.llm_server import FORM, LlmStandIn, answering, llm_stand_in, saying

KEY = "sk-very-secret-0123456789"
PROMPT = "성수동 카페 창가의 딸기 라떼, 'Grand Opening' 문구 넣어줘"


@pytest.fixture
def server() -> Iterator[LlmStandIn]:
    with llm_stand_in() as stand_in:
        yield stand_in


def configured(url: str) -> dict[str, str]:
    return {
        "IMAGEGEN_PROMPT__LLM_BASE_URL": url,
        "IMAGEGEN_PROMPT__LLM_API_KEY": KEY,
        "IMAGEGEN_PROMPT__LLM_MODEL": "small",
    }


def unused_url() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}/v1"


def previewed(folder: Path, url: str) -> Any:
    process = imagegen("prompt", PROMPT, "--json", folder=folder, cache=folder, **configured(url))
    assert process.returncode == 0, process.stderr
    assert KEY not in process.stdout + process.stderr
    return json.loads(process.stdout)


def test_the_preview_asks_the_configured_model_once(server: LlmStandIn, tmp_path: Path) -> None:
    server.plays(answering(FORM, subject="strawberry latte, grand opening", overlay_texts=[]))
    found, again = previewed(tmp_path, server.url), previewed(tmp_path, server.url)
    assert (found["extractor"], found["style"]) == ("llm", "ultra_realistic")
    assert found["positive"].startswith("professional photograph of strawberry latte, iced, glass cup")
    assert "opening" not in found["positive"].lower()
    assert found["keywords"]["overlay_texts"] == ["Grand Opening"]
    assert found == again
    assert len(server.exchanges) == 1


@pytest.mark.parametrize("lies", [False, True])
def test_the_preview_does_without_a_model_that_is_down_or_lies(lies: bool, server: LlmStandIn, tmp_path: Path) -> None:
    server.plays(saying("I cannot help with that."))
    found = previewed(tmp_path, server.url if lies else unused_url())
    assert found["extractor"] == "rules"
    assert "strawberry latte" in found["positive"]


def test_a_request_is_drawn_from_the_models_words(server: LlmStandIn, tmp_path: Path, builtin_cache: Path) -> None:
    (tmp_path / "inbox").mkdir()
    request = {"prompt": PROMPT, "width": 64, "height": 64, "steps": 2}
    (tmp_path / "inbox" / "a.json").write_text(json.dumps(request))
    process = imagegen("run", "--once", folder=tmp_path, cache=builtin_cache, **configured(server.url))
    assert process.returncode == 0, process.stderr
    text = (tmp_path / "outbox" / "results" / "a.json").read_text()
    result = ResultManifest.model_validate_json(text)
    assert result.prompt is not None
    assert (result.prompt.extractor, result.prompt.keywords["subject"]) == ("llm", "strawberry latte")
    detail = result.nodes[0].detail
    assert (detail["llm_model"], detail["llm_mode"], detail["llm_tokens_in"]) == ("small", "json_schema", 700)
    assert KEY not in text + process.stdout + process.stderr


def test_the_doctor_says_who_reads_the_words_but_not_the_key(tmp_path: Path, builtin_cache: Path) -> None:
    more = configured("http://127.0.0.1:9/v1")
    process = imagegen("doctor", folder=tmp_path, cache=builtin_cache, **more)
    assert "small at http://127.0.0.1:9/v1, else rules" in process.stdout
    assert KEY not in process.stdout + process.stderr
