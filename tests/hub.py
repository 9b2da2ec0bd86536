"""A stand-in for the model hub: real HTTP on the loopback interface, saying what huggingface_hub asks for."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

Files = Mapping[str, bytes]
_IN_LFS = (".safetensors", ".bin", ".ckpt", ".onnx", ".msgpack")


class Hub:
    """Repositories with their commits, what was asked for, and the failures to play; files are named repo/path."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.ranges: dict[str, str] = {}
        self.cut_once: set[str] = set()
        self.answered_with: dict[str, int] = {}
        self.garbled: set[str] = set()
        self.gated: set[str] = set()
        self.claimed_sizes: dict[str, int] = {}
        self._commits: dict[str, dict[str, Files]] = {}

    def publish(self, repo: str, files: Files, revision: str | None = None) -> str:
        """Make these files the newest commit of a repository; returns its full revision."""
        revision = revision or hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        self._commits.setdefault(repo, {})[revision] = files
        return revision

    def at(self, repo: str, revision: str | None) -> tuple[str, Files] | None:
        """The commit of that name, or the newest; None if there is no such revision."""
        commits = self._commits[repo]
        revision = list(commits)[-1] if revision in (None, "main") else revision
        return (revision, commits[revision]) if revision in commits else None

    def has(self, repo: str) -> bool:
        return repo in self._commits

    @property
    def fetched(self) -> list[str]:
        """Every file whose bytes were asked for, as repo/path."""
        return [line.removeprefix("GET ") for line in self.asked if line.startswith("GET ") and "/api/" not in line]


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub that answers until the block is left."""
    hub = Hub()
    handler = type("Handler", (_Answer,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


class _Answer(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            self._describe("/".join(parts[2:4]), *parts[4:6])
        else:
            self._give("/".join(parts[:2]), parts[3], "/".join(parts[4:]))

    def _describe(self, repo: str, what: str = "revision", revision: str | None = None) -> None:
        self.hub.asked.append(f"{self.command} /api/{what}/{repo}")
        if not self.hub.has(repo):
            return self._refuse(401, "RepoNotFound")
        commit = self.hub.at(repo, revision)
        if commit is None:
            return self._refuse(404, "RevisionNotFound")
        described = [self._entry(repo, name, data, tree=what == "tree") for name, data in sorted(commit[1].items())]
        document = described if what == "tree" else {"id": repo, "sha": commit[0], "siblings": described}
        return self._send(200, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _entry(self, repo: str, name: str, data: bytes, *, tree: bool) -> dict[str, Any]:
        size = self.hub.claimed_sizes.get(f"{repo}/{name}", len(data))
        sha256 = hashlib.sha256(data).hexdigest()
        if tree:
            entry = {"type": "file", "path": name, "size": size, "oid": _blob_id(data)}
        else:
            entry = {"rfilename": name, "size": size, "blobId": _blob_id(data)}
        lfs = {"oid" if tree else "sha256": sha256, "size": size, "pointerSize": 134}
        return {**entry, "lfs": lfs} if name.endswith(_IN_LFS) else entry

    def _give(self, repo: str, revision: str, name: str) -> None:
        file = f"{repo}/{name}"
        self.hub.asked.append(f"{self.command} {file}")
        if repo in self.hub.gated:
            return self._refuse(403, "GatedRepo")
        if self.command == "GET" and file in self.hub.answered_with:
            return self._refuse(self.hub.answered_with[file], "")
        commit = self.hub.at(repo, revision) if self.hub.has(repo) else None
        if commit is None or name not in commit[1]:
            return self._refuse(404, "EntryNotFound")
        data = commit[1][name]
        etag = hashlib.sha256(data).hexdigest() if name.endswith(_IN_LFS) else _blob_id(data)
        return self._send_file(file, data, {"ETag": f'"{etag}"', "X-Repo-Commit": commit[0]})

    def _send_file(self, file: str, data: bytes, headers: dict[str, str]) -> None:
        if file in self.hub.garbled:
            data = bytes(byte ^ 0xFF for byte in data)
        asked_range = self.headers.get("Range")
        if asked_range is None:
            return self._send(200, data, headers, cut=self.command == "GET" and file in self.hub.cut_once, file=file)
        self.hub.ranges[file] = asked_range
        start = int(asked_range.removeprefix("bytes=").rstrip("-"))
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return self._send(206, data[start:], headers)

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, b"{}", {"X-Error-Code": code} if code else {})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str], *, cut: bool = False, file: str = "") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if cut:
            self.hub.cut_once.discard(file)
            body, self.close_connection = body[: len(body) // 2], True
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *line: Any) -> None:
        """Say nothing on stderr."""


def _blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
