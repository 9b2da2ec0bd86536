"""A stand-in for an OpenAI-compatible server, on a real socket; what it answers is a script."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FORM: dict[str, Any] = {
    "subject": "strawberry latte",
    "attributes": ["iced", "glass cup"],
    "action": "",
    "setting": "cafe window table",
    "time_season": "spring morning",
    "lighting": "soft natural light",
    "mood": ["cozy"],
    "palette": ["pink", "white"],
    "shot": "close-up",
    "people": "none",
    "intent": "promote a new drink",
    "purpose": "poster",
    "style": "realistic",
    "style_explicit": False,
    "style_confidence": "high",
    "aspect_ratio": "9:16",
    "exclusions": ["plastic straw"],
    "overlay_texts": ["봄 신메뉴"],
    "untranslated": ["성수동"],
}


class Exchange:
    """One request as it came in, and the means to answer it."""

    def __init__(self, handler: BaseHTTPRequestHandler, body: dict[str, Any], released: threading.Event) -> None:
        self.body = body
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.connection = handler.client_address
        self._released = released
        self._handler = handler

    @property
    def mode(self) -> str:
        return self.body["response_format"]["type"]

    def send(self, status: int, document: Any, **headers: str) -> None:
        self.send_bytes(status, json.dumps(document).encode(), "application/json", **headers)

    def send_bytes(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        self._head(status, kind, len(body), headers)
        self._handler.wfile.write(body)

    def drip(self, body: bytes, pause: float) -> None:
        """One byte after the other, until the test is over."""
        self._handler.close_connection = True
        self._head(200, "application/json", len(body), {})
        for byte in body:
            self._handler.wfile.write(bytes([byte]))
            if self._released.wait(pause):
                return

    def cut(self) -> None:
        """Promise more than is sent."""
        self._handler.close_connection = True
        self._head(200, "application/json", 1000, {})
        self._handler.wfile.write(b'{"id": ')

    def say_nothing(self) -> None:
        """Keep the connection open without a word, until the test is over."""
        self._handler.close_connection = True
        self._released.wait(30)

    def _head(self, status: int, kind: str, length: int, headers: dict[str, str]) -> None:
        self._handler.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(length), **headers}.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.end_headers()
        self._handler.wfile.flush()


Behaviour = Callable[[Exchange], None]


class LlmStandIn:
    """Plays its behaviours in turn, the last one for ever, and remembers what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.behaviours: list[Behaviour] = [answering(FORM)]
        self.exchanges: list[Exchange] = []
        self.released = threading.Event()

    def plays(self, *behaviours: Behaviour) -> None:
        self.behaviours = list(behaviours)

    def play(self, exchange: Exchange) -> None:
        turn = len(self.exchanges)
        self.exchanges.append(exchange)
        self.behaviours[min(turn, len(self.behaviours) - 1)](exchange)

    @property
    def modes(self) -> list[str]:
        return [exchange.mode for exchange in self.exchanges]


def completion(content: str | None, *, finish: str = "stop", refusal: str | None = None) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, "refusal": refusal}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "stand-in",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 700, "completion_tokens": 150, "total_tokens": 850},
    }


def answering(form: dict[str, Any], **changes: Any) -> Behaviour:
    return saying(json.dumps({**form, **changes}, ensure_ascii=False))


def saying(content: str | None, *, finish: str = "stop", refusal: str | None = None) -> Behaviour:
    return lambda exchange: exchange.send(200, completion(content, finish=finish, refusal=refusal))


def failing(status: int, message: str = "no", **headers: str) -> Behaviour:
    return lambda exchange: exchange.send(status, {"error": {"message": message, "code": None}}, **headers)


def without_json_schema(exchange: Exchange) -> None:
    if exchange.mode == "json_schema":
        failing(400, "response_format json_schema is not supported")(exchange)
    else:
        answering(FORM)(exchange)


@contextmanager
def llm_stand_in() -> Iterator[LlmStandIn]:
    """A server on a free port of the loopback, for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with suppress(BrokenPipeError, ConnectionResetError):
                stand_in.play(Exchange(self, body, stand_in.released))

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stand_in = LlmStandIn(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stand_in
    finally:
        stand_in.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
