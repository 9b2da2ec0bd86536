"""Keywords from a language model, and from rules wherever it has none."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import JsonValue

from pipeline.clock import Clock
from pipeline.config import PromptConfig
from pipeline.prompt.answer_cache import AnswerCache, cache_key
from pipeline.prompt.circuit import Circuit
from pipeline.prompt.exchange import Failure, Said
from pipeline.prompt.instructions import version
from pipeline.prompt.keywords import Extractor, Keywords
from pipeline.prompt.ladder import Ladder
from pipeline.prompt.llm import ChatServer
from pipeline.prompt.merging import merged
from pipeline.prompt.schema import keywords_of

_log = logging.getLogger("imagegen.prompt")
Detail = dict[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What the model read, if it did, and how that went."""

    keywords: Keywords | None
    detail: Detail


class LlmExtractor:
    """Asks a model, and keeps its answers; threads may share it, and it does not fail.

    `detail` of the keywords says how it went: llm_model, llm_seconds, and either llm_cache (memory or disk)
    or llm_calls with llm_mode, llm_tokens_in and llm_tokens_out; where the rules answered instead,
    llm_failure says why, with llm_status where there was an HTTP status.
    """

    def __init__(
        self, server: ChatServer, ladder: Ladder, circuit: Circuit, cache: AnswerCache, clock: Clock, rules: Extractor
    ) -> None:
        self._server = server
        self._ladder = ladder
        self._circuit = circuit
        self._cache = cache
        self._clock = clock
        self._rules = rules

    def __call__(self, prompt: str, user_input: str) -> Keywords:
        """The keywords of both texts; takes no longer than the deadline of the configuration."""
        rules = self._rules(prompt, user_input)
        started = self._clock.monotonic()
        read = self._read(Said.of(prompt, user_input))
        seconds = round(self._clock.monotonic() - started, 3)
        detail = {**rules.detail, "llm_model": self._server.model, "llm_seconds": seconds, **read.detail}
        return replace(rules if read.keywords is None else merged(read.keywords, rules), detail=detail)

    def _read(self, said: Said) -> _Read:
        key = cache_key(version(), self._server.model, self._server.base_url, said.prompt, said.user_input)
        if found := self._cache.get(key):
            answer, place = found
            return _Read(keywords=keywords_of(answer, said.prompt, said.user_input), detail={"llm_cache": place})
        if not self._circuit.admits():
            return _Read(keywords=None, detail={"llm_failure": "circuit_open"})
        return self._ask(said, key)

    def _ask(self, said: Said, key: str) -> _Read:
        climb = self._ladder.climb(said)
        detail: Detail = {"llm_calls": climb.calls, "llm_mode": climb.mode}
        if isinstance(climb.result, Failure):
            return self._without(climb.result, detail)
        keywords = keywords_of(climb.result.answer, said.prompt, said.user_input)
        detail |= {"llm_tokens_in": climb.result.tokens_in, "llm_tokens_out": climb.result.tokens_out}
        if not keywords.subject:
            return self._without(Failure(reason="no_subject"), detail)
        self._circuit.succeeded()
        self._cache.put(key, climb.result.answer)
        return _Read(keywords=keywords, detail=detail)

    def _without(self, failure: Failure, detail: Detail) -> _Read:
        _log.warning(
            "the language model %s gave no keywords (%s); the rules read this request",
            self._server.model,
            failure.reason if failure.status is None else f"{failure.reason}, HTTP {failure.status}",
            extra={"action": "llm_failed"},
        )
        # a server that refuses one request is well
        if failure.reason == "refusal":
            self._circuit.succeeded()
        elif self._circuit.failed():
            _log.warning("the language model is left alone for a while", extra={"action": "llm_left_alone"})
        status: Detail = {} if failure.status is None else {"llm_status": failure.status}
        return _Read(keywords=None, detail={**detail, "llm_failure": failure.reason, **status})


def open_extractor(
    config: PromptConfig,
    cache_folder: Path,
    clock: Clock,
    fallback: Extractor,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Extractor:
    """The extractor a configuration asks for: with neither a key nor a base_url the fallback itself.

    Answers are kept in cache_folder, which is made when there is one.  Nothing is opened, and the openai
    library is not imported, before the first question.
    """
    server = model_server(config)
    if server is None:
        return fallback
    ladder = Ladder(
        server,
        clock,
        sleep,
        timeout_seconds=config.llm_timeout_seconds,
        deadline_seconds=config.llm_deadline_seconds,
    )
    cache = AnswerCache(cache_folder, clock, config.llm_cache_days)
    return LlmExtractor(server, ladder, Circuit(clock), cache, clock, fallback)


def model_server(config: PromptConfig) -> ChatServer | None:
    """The language model that is asked; with neither a key nor a base_url none is."""
    if config.llm_api_key is None and config.llm_base_url is None:
        return None
    return ChatServer(model=config.llm_model, base_url=config.llm_base_url, key=config.llm_api_key)
