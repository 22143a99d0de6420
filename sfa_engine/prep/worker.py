"""The protocol of worker programs: one JSON line in, JSON lines out.

::

    stdin   {"path": "song.flac", …}                     one line; with "leash" it stays open
    stdout  {"progress": 0.4, "doing": "measuring"}      for each hundredth; for other words or
                                                         less progress four times a second at most
            {"result": {…}}                              or
            {"error": "no file …", "hint": "…", "code": "media"}
    stderr  its log, and whatever libraries print

The exit status is 0 with a result, 1 with an error. On a leash a worker kills its process group
when its standard input ends: the caller is gone. Results are written atomically, so a worker may
be killed at any moment.
"""

from __future__ import annotations

import io
import json
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO, TypeVar

from sfa_engine.errors import Refused, SfaError

MAX_REQUEST_BYTES = 1 << 20
PROGRESS_STEP = 0.01
WORDS_PERIOD_S = 0.25  # between messages without more progress
OOM_SCORE_ADJ = 800  # of -1000 to 1000; above a browser's tabs (300), which may be the user's own

Kind = TypeVar("Kind")
Progress = Callable[[float, str], None]
Work = Callable[[Mapping[str, Any], Progress], Mapping[str, Any]]

_REQUIRED: Any = object()


def main(work: Work) -> int:
    """Run a worker program on standard input and output; return the exit status.

    Parameters
    ----------
    work : callable
        Called with the request and a function for progress (part done 0..1, what is being done);
        returns the result as plain values.
    """
    _raise_oom_score()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # prints of libraries are not messages
        try:
            return serve(work, io.FileIO(0, closefd=False), answers)
        except BrokenPipeError:
            os._exit(1)  # the caller is gone


def serve(
    work: Work,
    requests: BinaryIO | io.FileIO,
    answers: TextIO,
    now_s: Callable[[], float] = time.monotonic,
) -> int:
    """Answer the request of one stream on another; return the exit status."""
    sent, sent_s, words = -1.0, 0.0, ""

    def send(**message: Any) -> None:
        answers.write(json.dumps(message, ensure_ascii=True, allow_nan=False) + "\n")
        answers.flush()

    def progress(share: float, doing: str) -> None:
        nonlocal sent, sent_s, words
        is_changed = share < sent or doing != words
        if share - sent >= PROGRESS_STEP or (is_changed and now_s() - sent_s >= WORDS_PERIOD_S):
            sent, sent_s, words = share, now_s(), doing
            send(progress=round(min(1.0, share), 3), doing=doing)

    try:
        request = read_request(requests)
        if request.get("leash"):
            _put_on_leash(requests)
        send(result=work(request, progress))
    except SfaError as error:
        send(error=error.message, hint=error.hint, code=error.code)
        return 1
    except MemoryError:
        send(error="not enough memory for this track", hint="free some, or cut it", code="worker")
        return 1
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the edge: every error is reported
        traceback.print_exc()
        message = f"internal error of the worker: {type(error).__name__}: {error}"
        send(error=message[:1000], hint="see `sfa log backstage`; report it", code="fault")
        return 1
    return 0


def read_request(requests: BinaryIO | io.FileIO) -> dict[str, Any]:
    """Read a request, one line.

    Raises
    ------
    Refused
        It is not a JSON object, or too long.
    """
    line = requests.readline(MAX_REQUEST_BYTES)
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise Refused(f"the request is not JSON: {line[:60]!r}", 'send {"path": "…"}') from None
    if not isinstance(request, dict):
        raise Refused(f"the request is not an object: {line[:60]!r}", 'send {"path": "…"}')
    return request


def field(
    request: Mapping[str, Any], name: str, kind: type[Kind], default: Kind = _REQUIRED
) -> Kind:
    """Return a checked value of a request.

    Raises
    ------
    Refused
        It is missing without a default, or of another type.
    """
    value: Any = request.get(name, default)
    if value is _REQUIRED:
        raise Refused(f'the request has no "{name}"', f"give {name}, of type {kind.__name__}")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if value is not default and (
        not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool)
    ):
        raise Refused(f"{name} is {value!r:.60}", f"give a value of type {kind.__name__}")
    if kind is str and "\0" in str(value):
        raise Refused(f"{name} has a zero byte in it", "leave it out")
    result: Kind = value
    return result


def _raise_oom_score() -> None:
    """Let the kernel kill us first when memory is full: a job can be retried, a set cannot."""
    with suppress(OSError, ValueError):  # not available, or higher already
        score = Path("/proc/self/oom_score_adj")
        if int(score.read_text()) < OOM_SCORE_ADJ:
            score.write_text(str(OOM_SCORE_ADJ))


def _put_on_leash(requests: BinaryIO | io.FileIO) -> None:
    """Kill the process group when standard input ends, which is when the caller does."""

    def wait() -> None:
        while requests.read(4096):
            pass
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True, name="leash").start()
