"""A real HTTP server that receives webhooks, and answers as it is asked to."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOOPBACK = ("127.0.0.0/8", "::1/128")


@dataclass
class Message:
    """What arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """The server.

    Attributes
    ----------
    answers : list
        Status and headers of the next answers, or functions of the handler; then 204.
    """

    port: int = 0
    messages: list[Message] = field(default_factory=list)
    answers: list[object] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?of=sfa"

    def wait(self, count: int, limit_s: float = 30.0) -> list[Message]:
        """Return the messages when there are so many."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.messages) >= count, limit_s), (
                f"{len(self.messages)} of {count} messages"
            )
            return list(self.messages)

    def take(self, message: Message) -> object:
        with self.arrived:
            self.messages.append(message)
            self.arrived.notify_all()
            return self.answers.pop(0) if self.answers else 204


@contextmanager
def receiver(port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Lend a server on loopback, with TLS if a context is given."""
    here = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = here.take(Message(self.path, headers, body))
            if callable(answer):
                answer(self)
                return
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            here.take(Message(f"GET {self.path}", {}, b""))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, *_: object) -> None:
            """Say nothing of a client that has hung up."""

    with Server(("127.0.0.1", port), Handler) as server:
        here.port = server.server_port
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield here
        finally:
            server.shutdown()
            thread.join()


def slowly(seconds: float) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer a byte at a time, for so long."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        give_up = time.monotonic() + seconds
        try:
            while time.monotonic() < give_up:
                handler.wfile.write(b".")
                time.sleep(0.02)
        except OSError:
            pass

    return answer


def endless(sent: list[int]) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer without an end, and count what was taken."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while sum(sent) < 200 << 20:
                handler.wfile.write(b"4000\r\n" + b"." * 0x4000 + b"\r\n")
                sent.append(0x4000)
        except OSError:
            pass

    return answer


def nonsense(handler: BaseHTTPRequestHandler) -> None:
    """Answer with what is not HTTP."""
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n" * 100)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True
