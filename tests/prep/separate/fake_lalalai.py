"""A server that speaks LALAL.AI's shapes, and whatever goes wrong on the way to it."""

from __future__ import annotations

import io
import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import numpy as np
import soundfile

LICENCE = "14abcde0"
SHARES = {"vocals": 0.4, "drum": 0.3, "bass": 0.2, "piano": 0.05, "voice": 0.6}


class FakeLalalai:
    """The service: files by name, one split each, and what the next requests are to meet.

    Attributes
    ----------
    trouble : dict of str to deque
        For a path, answers that come before the right one: a status, ``(status, headers)``,
        ``"cut"`` (the line breaks in the middle) or ``"hang"`` (until the test ends).
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.trouble: dict[str, deque[Any]] = {}
        self.files: dict[str, bytes] = {}
        self.splits: dict[str, str] = {}
        self.cancelled: list[str] = []
        self.left_min = 90.0
        self.polls = 0
        self.states: deque[dict[str, Any]] = deque()
        self.ended = threading.Event()
        fake = self

        class Handler(_Handler):
            service = fake

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str, form: dict[str, str], headers: Any, body: bytes) -> Any:
        """Return the right answer: an object for JSON, or bytes."""
        name = form.get("id", "")
        if path == "/api/upload/":
            name = f"file-{len(self.files) + 1}"
            assert headers["Content-Disposition"].startswith("attachment; filename")
            self.files[name] = body
            return {"status": "success", "id": name, "size": len(body), "duration": 1.0}
        if path == "/api/split/":
            for wanted in json.loads(form["params"]):
                self.splits[wanted["id"]] = wanted["stem"]
            return {"status": "success", "task_id": "t"}
        if path == "/api/check/":
            self.polls += 1
            task = self.states.popleft() if self.states else {"state": "success", "progress": 100}
            split = None
            if task["state"] == "success":
                at = f"{self.url}/media/{name}/{self.splits[name]}"
                split = {"stem_track": at, "back_track": f"{at}/back"}
            job = {"status": "success", "task": task, "split": split, "preview": None}
            return {"status": "success", "result": {name: job}}
        if path == "/api/cancel/":
            self.cancelled.append(name)
            return {"status": "success"}
        if path == "/billing/get-limits/":
            return {
                "status": "success",
                "option": "Plus pack",
                "email": "someone@example.com",
                "process_duration_limit": 300.0,
                "process_duration_used": 300.0 - self.left_min,
                "process_duration_left": self.left_min,
            }
        _, _, name, stem, *back = path.split("/")
        share = 1.0 - SHARES[stem] if back else SHARES[stem]
        mix, rate = soundfile.read(io.BytesIO(self.files[name]))
        made = io.BytesIO()
        soundfile.write(made, mix * share, rate, "PCM_24", format="FLAC")
        return made.getvalue()


class _Handler(BaseHTTPRequestHandler):
    service: FakeLalalai
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers["Content-Length"])))

    def _serve(self, body: bytes) -> None:
        url = urlsplit(self.path)
        self.service.requests.append(url.path)
        troubles = self.service.trouble.get(url.path)
        trouble = troubles.popleft() if troubles else None
        licensed = (
            self.headers["Authorization"] == f"license {LICENCE}"
            if url.path.startswith("/api/")
            else url.path.startswith("/media/") or parse_qs(url.query)["key"] == [LICENCE]
        )
        if trouble == "hang":
            self.service.ended.wait(20)
            self.close_connection = True
            return None
        if isinstance(trouble, int):
            return self._send(trouble, b"<html>busy</html>")
        if isinstance(trouble, tuple):
            return self._send(trouble[0], b"", trouble[1])
        if not licensed:
            return self._send(401, b"{}")
        text = body.decode("latin-1") if len(body) < 10_000 else ""
        form = {key: values[0] for key, values in parse_qs(text).items()}
        answer = self.service.answer(url.path, form, self.headers, body)
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        if trouble == "cut":
            self._send(200, content[: len(content) // 2], {"Content-Length": str(len(content))})
            self.close_connection = True
            return None
        return self._send(200, content)

    def _send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(content))} | (headers or {})).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def shares_of(mix: np.ndarray) -> dict[str, np.ndarray]:
    """Return what the service makes of a mix, by our names."""
    ours = {"vocals": "vocals", "drums": "drum", "bass": "bass"}
    return {name: mix * SHARES[theirs] for name, theirs in ours.items()}
