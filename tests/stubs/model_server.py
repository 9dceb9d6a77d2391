"""A real HTTP server that speaks the providers' protocols: OpenAI's chat completions and embeddings, and Anthropic's
messages.

Each request takes the next behaviour of the script; when the script is over, every request is answered.

    with ModelServer() as server:
        server.will(Fail(500), Answer('{"title": "Call"}'))
        ...  # OPENAI_BASE_URL=server.openai_url, or base_url=server.url for Anthropic
        assert len(server.seen) == 2
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Answer:
    """A whole answer. `text` may be made from the request's JSON body."""

    text: str | Callable[[Mapping[str, Any]], str] = '{"answer": "from the stub"}'
    input_tokens: int = 1000
    output_tokens: int = 100
    finish: str = "stop"
    after_s: float = 0.0


@dataclass(frozen=True)
class Fail:
    """An error answer, in the protocol's own shape."""

    status: int
    message: str = "scripted failure"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Silent:
    """The connection is taken, and nothing ever comes."""


@dataclass(frozen=True)
class Drip:
    """A byte now and then, so that no single read ever times out."""

    every_s: float = 0.05


@dataclass(frozen=True)
class Cut:
    """The answer breaks off in the middle of its body."""


@dataclass(frozen=True)
class Raw:
    """Exactly these bytes as the body of a 200."""

    body: bytes
    content_type: str = "application/json"


@dataclass(frozen=True)
class Endless:
    """A body of so many bytes."""

    size: int


Behaviour = Answer | Fail | Silent | Drip | Cut | Raw | Endless
MALFORMED_JSON = Raw(b'{"id": "x", "choices": [{"index": 0, "mess')
NO_CHOICES = Raw(
    json.dumps(
        {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [],
            "type": "message",
            "role": "assistant",
            "content": [],
            "stop_reason": "end_turn",
            "usage": {
                "input_tokens": 5,
                "output_tokens": 0,
                "prompt_tokens": 5,
                "completion_tokens": 0,
                "total_tokens": 5,
            },
        }
    ).encode()
)


@dataclass(frozen=True)
class Seen:
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


class ModelServer:
    """Listens on a free port of 127.0.0.1 while in use as a context manager."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.stopping = threading.Event()
        self._script: list[Behaviour] = []
        self._otherwise: Behaviour = Answer()
        self._lock = threading.Lock()
        self._http = _QuietServer(("127.0.0.1", 0), _Handler)
        self._http.model_server = self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    def will(self, *behaviours: Behaviour) -> None:
        """The next requests meet these, one each, in this order."""
        with self._lock:
            self._script += behaviours

    def otherwise(self, behaviour: Behaviour) -> None:
        """Every request after the script meets this."""
        self._otherwise = behaviour

    def take(self, seen: Seen) -> Behaviour:
        with self._lock:
            self.seen.append(seen)
            return self._script.pop(0) if self._script else self._otherwise

    def __enter__(self) -> ModelServer:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    model_server: ModelServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up at their deadline are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _QuietServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        stub = self.server.model_server
        behaviour = stub.take(Seen(self.path, {key.lower(): value for key, value in self.headers.items()}, body))
        match behaviour:
            case Answer():
                stub.stopping.wait(behaviour.after_s)
                self._send(200, self._answer(behaviour, body))
            case Fail():
                self._send(behaviour.status, self._error(behaviour), headers=behaviour.headers)
            case Silent():
                stub.stopping.wait()
            case Drip():
                self._drip(behaviour)
            case Cut():
                whole = self._answer(Answer(), body)
                self._send(200, whole[: len(whole) // 2], length=len(whole))
                self.close_connection = True
            case Raw():
                self._send(200, behaviour.body, content_type=behaviour.content_type)
            case Endless():
                self._send(200, b" " * behaviour.size)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the console."""

    def _send(
        self,
        status: int,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        length: int | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _drip(self, behaviour: Drip) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        while not self.server.model_server.stopping.wait(behaviour.every_s):
            self.wfile.write(b" ")
            self.wfile.flush()

    def _answer(self, answer: Answer, body: Mapping[str, Any]) -> bytes:
        text = answer.text if isinstance(answer.text, str) else answer.text(body)
        if self.path.endswith("/embeddings"):
            found = _embeddings(body)
        elif self.path.endswith("/messages"):
            found = _anthropic_message(answer, text, body)
        else:
            found = _chat_completion(answer, text, body)
        return json.dumps(found).encode()

    def _error(self, failure: Fail) -> bytes:
        if self.path.endswith("/messages"):
            kind = _ANTHROPIC_ERRORS.get(failure.status, "api_error")
            return json.dumps({"type": "error", "error": {"type": kind, "message": failure.message}}).encode()
        return json.dumps({"error": {"message": failure.message, "type": "scripted", "code": None}}).encode()


_ANTHROPIC_ERRORS: dict[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


# OpenAI's finish reasons in Anthropic's words.
_ANTHROPIC_STOPS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}


def _chat_completion(answer: Answer, text: str, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-stub",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": body.get("model"),
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": answer.finish},
        ],
        "usage": {
            "prompt_tokens": answer.input_tokens,
            "completion_tokens": answer.output_tokens,
            "total_tokens": answer.input_tokens + answer.output_tokens,
        },
    }


def _anthropic_message(answer: Answer, text: str, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": "msg_stub",
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": [{"type": "text", "text": text}],
        "stop_reason": _ANTHROPIC_STOPS[answer.finish],
        "stop_sequence": None,
        "usage": {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens},
    }


def _embeddings(body: Mapping[str, Any]) -> dict[str, Any]:
    """A vector that depends on the text alone: its length and how often each vowel occurs."""
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    return {
        "object": "list",
        "model": body.get("model"),
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": [float(len(text)), *(float(text.lower().count(vowel)) for vowel in "aeiou")],
            }
            for index, text in enumerate(texts)
        ],
        "usage": {"prompt_tokens": sum(len(text) for text in texts), "total_tokens": sum(len(text) for text in texts)},
    }
