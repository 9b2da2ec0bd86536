"""The language model's server: the only file that knows the openai library."""

from threading import Event
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from pipeline.prompt.deadline import within
from pipeline.prompt.exchange import Failure, Mode, Reply
from pipeline.prompt.instructions import Message
from pipeline.prompt.refusals import refused
from pipeline.prompt.schema import Answer, UnboundedAnswer
from pipeline.prompt.tolerant import read_answer

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.chat import ChatCompletion

OPENAI_URL: Final = "https://api.openai.com/v1"
MAX_TOKENS: Final = 500
# what a local server is sent in place of a key: the library sends nothing without one
_NO_KEY: Final = "no-key"
# anything shorter is no secret, and may well be a word of the answer
_SECRET_LENGTH: Final = 12


class ChatServer:
    """An OpenAI-compatible server and one of its models; threads may share it.

    Nothing is imported or opened before the first question.
    """

    def __init__(
        self, *, model: str, base_url: str | None = None, key: SecretStr | None = None, max_tokens: int = MAX_TOKENS
    ) -> None:
        """Without a base_url it is OpenAI's own, whatever OPENAI_BASE_URL says; an answer has max_tokens at most."""
        self.model = model
        self.base_url = (base_url or OPENAI_URL).rstrip("/")
        self._is_openai = self.base_url == OPENAI_URL
        self._key = key
        self._max_tokens = max_tokens
        self._idle: list[OpenAI] = []

    def ask(self, messages: list[Message], mode: Mode, seconds: float) -> Reply | Failure:
        """One call, without a retry, which takes at most so many seconds however slowly bytes come."""
        # each call has a client of its own: closing it must not end the calls of other threads
        used: list[OpenAI] = []
        given_up = Event()

        def abandon() -> None:
            given_up.set()
            for client in used:
                client.close()

        result = within(seconds, lambda: self._call(used, given_up, messages, mode, seconds), abandon)
        if result is None:
            return Failure(reason="timeout", transient=True)
        self._idle += used
        return result

    def _take(self) -> "OpenAI":
        from openai import OpenAI

        try:
            return self._idle.pop()
        except IndexError:
            pass
        key = self._key.get_secret_value() if self._key else _NO_KEY
        return OpenAI(api_key=key, base_url=self.base_url, max_retries=0)

    def _call(
        self, used: list["OpenAI"], given_up: Event, messages: list[Message], mode: Mode, seconds: float
    ) -> Reply | Failure:
        try:
            used.append(self._take())
            if given_up.is_set():
                # it took so long to make the client that nobody could close it
                used[0].close()
                return Failure(reason="timeout", transient=True)
            return self._read(self._completion(used[0], mode, self._options(messages, seconds)))
        except Exception as error:
            return _failure(error)

    def _options(self, messages: list[Message], seconds: float) -> dict[str, Any]:
        from openai import omit

        common = {"model": self.model, "messages": messages, "timeout": seconds}
        if self._is_openai:
            return {**common, "max_completion_tokens": self._max_tokens, "reasoning_effort": "none", "store": False}
        # the library takes both names from the environment; they are nobody else's business
        strangers = {"OpenAI-Organization": omit, "OpenAI-Project": omit}
        # Ollama reads only max_tokens, which the newer models of OpenAI refuse
        return {**common, "max_tokens": self._max_tokens, "extra_headers": strangers}

    def _completion(self, client: "OpenAI", mode: Mode, options: dict[str, Any]) -> "ChatCompletion":
        if mode == "json_object":
            loose: ChatCompletion = client.chat.completions.create(response_format={"type": "json_object"}, **options)
            return loose
        form = UnboundedAnswer if self._is_openai else Answer
        return client.chat.completions.parse(response_format=form, **options)

    def _read(self, completion: "ChatCompletion") -> Reply | Failure:
        choice = completion.choices[0]
        content = choice.message.content or ""
        if choice.message.refusal or choice.finish_reason == "content_filter":
            return Failure(reason="refusal")
        if choice.finish_reason == "length":
            return Failure(reason="cut_off")
        answer = None if self._repeats_key(content) else _answer(choice.message, content)
        if answer is None:
            return Failure(reason="invalid")
        usage = completion.usage
        return Reply(
            answer=answer,
            tokens_in=_count(usage and usage.prompt_tokens),
            tokens_out=_count(usage and usage.completion_tokens),
        )

    def _repeats_key(self, content: str) -> bool:
        key = self._key.get_secret_value() if self._key else ""
        return len(key) >= _SECRET_LENGTH and key in content


def _answer(message: object, content: str) -> Answer | None:
    parsed = getattr(message, "parsed", None)
    return parsed if isinstance(parsed, Answer) else read_answer(content)


def _count(tokens: object) -> int | None:
    # the library does not check what a server sends
    return tokens if isinstance(tokens, int) else None


def _failure(error: Exception) -> Failure:
    import openai

    match error:
        case openai.APIStatusError():
            return refused(error.status_code, error.response.headers.get("retry-after"), error.code)
        case openai.APITimeoutError():
            return Failure(reason="timeout", transient=True)
        case openai.APIConnectionError():
            return Failure(reason="unreachable", transient=True)
        case openai.LengthFinishReasonError():
            return Failure(reason="cut_off")
        case openai.ContentFilterFinishReasonError():
            return Failure(reason="refusal")
    return Failure(reason="invalid")
