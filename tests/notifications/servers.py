"""Receivers on this machine: an HTTP server that does as it is told, and an SMTP server that keeps what it gets."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_string
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: str


@dataclass
class Answer:
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    wait_s: float = 0


class HookServer:
    """Answers from `answers`, one each, then with 204; what came in is in `requests`."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: list[Answer] = []
        received, answers = self.requests, self.answers

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                received.append(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self._answer(answers.pop(0) if answers else Answer())

            def do_GET(self) -> None:
                received.append(Request(self.path, {}, ""))
                self._answer(Answer())

            def _answer(self, answer: Answer) -> None:
                time.sleep(answer.wait_s)
                self.send_response(answer.status)
                for name, value in {"Content-Length": "0", **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/hook"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class MailServer:
    """As much SMTP as a client needs to hand a message over. `refuse` is what it says to RCPT instead of yes."""

    def __init__(self) -> None:
        self.received: list[Message] = []
        self.refuse = ""
        self._server: socketserver.ThreadingTCPServer | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin, or begin again on the same port."""
        mails = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self._say("220 ready")
                for line in iter(self.rfile.readline, b""):
                    command = line.decode().strip().upper()
                    if command.startswith("RCPT") and mails.refuse:
                        self._say(mails.refuse)
                    elif command == "DATA":
                        self._say("354 go on")
                        mails.received.append(message_from_string("".join(self._lines())))
                        self._say("250 kept")
                    elif command == "QUIT":
                        self._say("221 bye")
                        return
                    else:
                        self._say("250 fine")

            def _lines(self) -> Iterator[str]:
                while (line := self.rfile.readline().decode()) not in (".\r\n", ""):
                    yield line.removeprefix("." if line.startswith("..") else "")

            def _say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
