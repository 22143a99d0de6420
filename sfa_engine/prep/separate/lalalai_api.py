"""LALAL.AI over HTTP: upload, split, check, cancel, download, limits. No sound, no files of ours.

::

    POST /api/upload/           the file, its name in Content-Disposition   {"status", "id", …}
    POST /api/split/            params=[{"id", "stem"}]                     {"status"}
    POST /api/check/            id                  {"status", "result": {id: {"task", "split"}}}
    POST /api/cancel/           id                                          {"status"}
    GET  /billing/get-limits/   key                                         {"status", "option", …}

Each but the last with ``Authorization: license KEY``. What is busy or broken (429, 5xx, a line that
is cut) is asked again, later each time, and as late as ``Retry-After`` says. An upload or a split
is not repeated once it may have been taken: it would be paid for twice.
"""

from __future__ import annotations

import email.utils
import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from sfa_engine.errors import Refused, WorkerError
from sfa_engine.system.http import open_client

NAME = "LALAL.AI"
URL = "https://www.lalal.ai"
TRIES = 5
FIRST_WAIT_S = 1.0  # then twice as long each time
MAX_WAIT_S = 60.0
FIRST_POLL_S = 2.0
MAX_POLL_S = 15.0  # what the service's own example waits
MAX_JOB_S = 3600.0
TIMEOUT_S = 60.0
PIECE_BYTES = 1 << 16
MAX_ANSWER_BYTES = 1 << 20


@dataclass(frozen=True)
class Quota:
    """What a licence allows: the name of its plan, minutes that are left of so many."""

    plan: str
    left_min: float
    limit_min: float


class Service:
    """The service behind one licence.

    Parameters
    ----------
    licence : str
        The licence key; it is never shown.
    url : str
        Where the service is.
    wait : callable
        Waits for so many seconds.

    Attributes
    ----------
    taken : bool
        Whether the service may have an upload: another would be paid for again.
    """

    def __init__(
        self, licence: str, url: str = URL, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self._licence = licence
        self._wait = wait
        self.taken = False
        self._http = open_client(
            httpx.Client,
            NAME,
            WorkerError,
            base_url=url.rstrip("/"),
            headers={"Authorization": f"license {licence}"},
            timeout=TIMEOUT_S,
        )
        # the licence is for the service alone, not for where its files lie
        self._files = open_client(
            httpx.Client, NAME, WorkerError, timeout=TIMEOUT_S, follow_redirects=True
        )

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()
        self._files.close()

    def quota(self) -> Quota:
        """Return what the licence still allows.

        Raises
        ------
        Refused
            If the licence is not accepted.
        WorkerError
            If the service does not answer as it should.
        """
        said = self._ask("GET", "/billing/get-limits/", params={"key": self._licence})
        try:
            return Quota(
                str(said.get("option") or "?"),
                float(said["process_duration_left"]),
                float(said["process_duration_limit"]),
            )
        except (KeyError, TypeError, ValueError):
            raise _odd("limits", said) from None

    def upload(self, path: Path, progress: Callable[[float], None]) -> str:
        """Upload a sound file; return the name that the service has for it."""
        size = path.stat().st_size

        def pieces() -> Iterator[bytes]:
            with path.open("rb") as file:
                while piece := file.read(PIECE_BYTES):
                    yield piece
                    progress(file.tell() / size)

        said = self._ask(
            "POST",
            "/api/upload/",
            content=pieces,
            headers={
                "Content-Disposition": f"attachment; filename*=utf-8''{quote(path.name)}",
                "Content-Length": str(size),
            },
            repeatable=False,
        )
        if not isinstance(said.get("id"), str) or not said["id"]:
            raise _odd("upload", said)
        return str(said["id"])

    def split(self, file: str, stem: str) -> None:
        """Have one stem parted from the rest of an uploaded file."""
        params = json.dumps([{"id": file, "stem": stem}])
        self._ask("POST", "/api/split/", data={"params": params}, repeatable=False)

    def run_to_completion(self, file: str, progress: Callable[[float], None]) -> dict[str, str]:
        """Wait until a split is done; return the addresses of ``stem_track`` and ``back_track``.

        Raises
        ------
        WorkerError
            If it failed, was cancelled, or takes longer than an hour.
        """
        pause_s, waited_s = FIRST_POLL_S, 0.0
        while waited_s < MAX_JOB_S:
            said = self._ask("POST", "/api/check/", data={"id": file})
            try:
                job = said["result"][file]
                task = job.get("task") or {}
                state = task.get("state", "progress")
                if job.get("status") == "error" or state in {"error", "cancelled"}:
                    why = task.get("error") or job.get("error") or state
                    raise WorkerError(f"LALAL.AI could not do it: {why!s:.200}", "try it again")
                if state == "success":
                    return {k: str(job["split"][k]) for k in ("stem_track", "back_track")}
                progress(float(task.get("progress") or 0.0) / 100.0)
            except (KeyError, TypeError, ValueError, AttributeError):
                raise _odd("check", said) from None
            self._wait(pause_s)
            waited_s += pause_s
            pause_s = min(MAX_POLL_S, pause_s * 1.5)
        raise WorkerError("LALAL.AI has not run_to_completion after an hour", "try it again later")

    def cancel(self, file: str) -> None:
        """Have the work on a file ended; whether that succeeds does not matter any more."""
        with suppress(httpx.HTTPError):
            self._http.post("/api/cancel/", data={"id": file}, timeout=5.0)

    def download(self, url: str, path: Path, progress: Callable[[float], None]) -> None:
        """Write what is at an address into a file; it is complete, or there is an error."""

        def attempt() -> httpx.Response:
            with self._files.stream("GET", url) as answer:
                if answer.status_code == httpx.codes.OK:
                    expected = int(answer.headers.get("Content-Length", 0))
                    with path.open("wb") as file:
                        for piece in answer.iter_bytes(PIECE_BYTES):
                            file.write(piece)
                            progress(min(1.0, file.tell() / expected) if expected else 0.0)
            return answer

        self._persist(attempt, "the download")

    def _ask(
        self, method: str, path: str, *, repeatable: bool = True, **what: Any
    ) -> dict[str, Any]:
        """Return the service's answer, a JSON object whose status is a success."""

        def attempt() -> httpx.Response:
            content = what.get("content")
            fresh = what | {"content": content()} if callable(content) else what
            return self._http.request(method, path, **fresh)

        answer = self._persist(attempt, path, repeatable=repeatable)
        try:
            said = json.loads(answer.content[:MAX_ANSWER_BYTES])
        except ValueError:
            raise _odd(path, answer.text) from None
        if not isinstance(said, dict):
            raise _odd(path, said)
        if said.get("status") != "success":
            raise WorkerError(
                f"LALAL.AI refuses {path}: {said.get('error') or said!s:.200}", "see its word"
            )
        return said

    def _persist(
        self, attempt: Callable[[], httpx.Response], what: str, *, repeatable: bool = True
    ) -> httpx.Response:
        """Return an answer without an error, after as many tries as that takes."""
        pause_s = FIRST_WAIT_S
        for left in reversed(range(TRIES)):
            try:
                answer = attempt()
            except httpx.HTTPError as problem:
                sent = not isinstance(problem, httpx.ConnectError | httpx.ConnectTimeout)
                self.taken |= sent and not repeatable
                if not left or (sent and not repeatable):
                    why = str(problem) or type(problem).__name__
                    raise WorkerError(
                        f"LALAL.AI does not answer ({what}): {why}",
                        "look at the network; try it again",
                    ) from problem
                wait_s = pause_s
            else:
                busy = answer.status_code == httpx.codes.TOO_MANY_REQUESTS
                self.taken |= not (busy or repeatable)
                if not (busy or answer.status_code >= 500):
                    return _accepted(answer, what)
                if not left or not (busy or repeatable):
                    raise WorkerError(
                        f"LALAL.AI answers {answer.status_code} ({what})", "try it again later"
                    )
                wait_s = max(pause_s, _retry_after_s(answer))
            # a little apart, so that many who were turned away do not come back as one
            self._wait(min(MAX_WAIT_S, wait_s) * (1.0 + 0.1 * random.random()))  # noqa: S311
            pause_s *= 2.0
        raise AssertionError("unreachable")


def _accepted(answer: httpx.Response, what: str) -> httpx.Response:
    """Return an answer, or raise what its status says."""
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise Refused(
            "LALAL.AI does not accept the licence key",
            "look at it in your account there, then `sfa secret set lalalai`",
        )
    if answer.status_code == httpx.codes.PAYMENT_REQUIRED:
        raise Refused("the LALAL.AI licence has no minutes left", "buy some, or take embedded")
    if answer.is_error or answer.is_redirect:
        raise WorkerError(f"LALAL.AI answers {answer.status_code} ({what})", "report it")
    return answer


def _retry_after_s(answer: httpx.Response) -> float:
    """Return how long the service asks to wait: seconds, or until a date."""
    said = answer.headers.get("Retry-After", "")
    with suppress(ValueError):
        return max(0.0, float(said))
    with suppress(ValueError, TypeError):
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    return 0.0


def _odd(what: str, said: Any) -> WorkerError:
    return WorkerError(f"LALAL.AI answers {what} in an unknown way: {said!s:.200}", "report it")
