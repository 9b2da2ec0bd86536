"""A proxy between a client and a server that plays the faults of networks and stores, over real sockets."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.cloud.servers import HOST, Address

_HOP = {"connection", "transfer-encoding", "keep-alive", "expect"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request on its way: path with query, headers with names in lower case, body."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One answer on its way back."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


Pass = Callable[[Asked], Answered]
# gets a request and the way to the server; None: the connection is cut without an answer
Fault = Callable[[Asked, Pass], Answered | None]


def lost_answer(asked: Asked, go_on: Pass) -> None:
    """The server does what it is asked, and nobody hears of it."""
    go_on(asked)


def slow_down(asked: Asked, go_on: Pass) -> Answered:
    """The store is too busy."""
    return _error(503, "SlowDown")


def conflict(asked: Asked, go_on: Pass) -> Answered:
    """Another conditional write to the same key is under way."""
    return _error(409, "ConditionalRequestConflict")


def ignores_conditions(asked: Asked, go_on: Pass) -> Answered:
    """An old server: it has never heard of If-None-Match, so it overwrites."""
    return go_on(replace(asked, headers={k: v for k, v in asked.headers.items() if k != "if-none-match"}))


def bent(asked: Asked, go_on: Pass) -> Answered:
    """A byte of the content changes on its way."""
    answer = go_on(asked)
    return replace(answer, body=bytes([answer.body[0] ^ 1]) + answer.body[1:]) if answer.body else answer


def _error(status: int, code: str) -> Answered:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>played</Message></Error>".encode()
    return Answered(status=status, headers=(("content-type", "application/xml"),), body=body)


class Proxy:
    """Passes everything on; each armed fault is played once, on the first request it fits."""

    def __init__(self, target: Address) -> None:
        self._target = target.url.removeprefix("http://")
        self._lock = threading.Lock()
        self._armed: list[tuple[Callable[[Asked], bool], Fault]] = []
        self.always: Fault | None = None
        self.seen: list[Asked] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                proxy.serve(self)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its base names it
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """Clients that are killed hang up; that is what they are killed for."""

        self._server = Server((HOST, 0), Handler)
        self.address = replace(target, url=f"http://{HOST}:{self._server.server_address[1]}")

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        """Serve for as long as the block runs."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def arm(self, fault: Fault, method: str, part: str = "", times: int = 1) -> None:
        """Play a fault on the next requests of a method whose path holds part."""
        with self._lock:
            fits = [(lambda asked: asked.method == method and part in asked.path, fault)]
            self._armed += fits * times

    @property
    def is_spent(self) -> bool:
        """Whether every armed fault has been played."""
        with self._lock:
            return not self._armed

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request, or cut the connection."""
        headers = {name.lower(): value for name, value in handler.headers.items()}
        if headers.get("expect", "").lower() == "100-continue":
            handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        asked = Asked(method=handler.command, path=handler.path, headers=headers, body=_body(handler, headers))
        answer = self._played(asked)
        if answer is None:
            handler.close_connection = True
            return
        _send(handler, asked, answer)

    def _played(self, asked: Asked) -> Answered | None:
        with self._lock:
            self.seen.append(asked)
            fault = next((armed for armed in self._armed if armed[0](asked)), None)
            if fault is not None:
                self._armed.remove(fault)
        chosen = fault[1] if fault is not None else self.always
        return self._pass_on(asked) if chosen is None else chosen(asked, self._pass_on)

    def _pass_on(self, asked: Asked) -> Answered:
        connection = http.client.HTTPConnection(self._target, timeout=60)
        try:
            headers = {name: value for name, value in asked.headers.items() if name not in _HOP}
            headers["content-length"] = str(len(asked.body))
            connection.putrequest(asked.method, asked.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders(asked.body)
            answer = connection.getresponse()
            return Answered(status=answer.status, headers=tuple(answer.getheaders()), body=answer.read())
        finally:
            connection.close()


def _body(handler: BaseHTTPRequestHandler, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return handler.rfile.read(int(headers.get("content-length", 0)))
    parts: list[bytes] = []
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        parts.append(handler.rfile.read(size))
        handler.rfile.readline()
    while handler.rfile.readline().strip():
        pass
    return b"".join(parts)


def _send(handler: BaseHTTPRequestHandler, asked: Asked, answer: Answered) -> None:
    length = next((value for name, value in answer.headers if name.lower() == "content-length"), str(len(answer.body)))
    handler.send_response_only(answer.status)
    for name, value in answer.headers:
        if name.lower() not in _HOP | {"content-length"}:
            handler.send_header(name, value)
    # the answer to a HEAD has the length of a body that does not come
    handler.send_header("content-length", length if asked.method == "HEAD" else str(len(answer.body)))
    handler.end_headers()
    if asked.method != "HEAD":
        handler.wfile.write(answer.body)
