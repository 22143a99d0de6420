"""Work that is given to a worker program, and waited for: what the commands need of one.

The program is on a leash: it ends when this process does. What it makes is whole or not there.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from sfa_engine import errors
from sfa_engine.errors import SfaError, WorkerError

Report = Callable[[float, str], None]

LEAVE_S = 6.0  # for a worker to tell a cloud that it goes
NOTES = 20  # last lines of its log that are kept
_KINDS = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, SfaError)
}


def ask(module: str, request: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Have a worker program do something.

    Parameters
    ----------
    module : str
        The program, as in ``python -m``.
    request : mapping
        Plain values.
    report : callable
        Told the part that is done, 0..1, and what is being done.

    Returns
    -------
    dict
        The result.

    Raises
    ------
    SfaError
        What the worker says; WorkerError if it ended without a word.
    """
    process = subprocess.Popen(
        (sys.executable, "-m", module),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    notes: deque[str] = deque(maxlen=NOTES)
    reader = threading.Thread(target=_note, args=(process.stderr, notes), daemon=True)
    reader.start()
    try:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps({**request, "leash": True}).encode() + b"\n")
            process.stdin.flush()  # and stays open: that is the leash
        for message in _messages(process.stdout):
            if "progress" in message:
                report(float(message["progress"]), str(message.get("doing", "")))
            elif isinstance(message.get("result"), dict):
                return dict(message["result"])
            elif "error" in message:
                kind = _KINDS.get(str(message.get("code")), WorkerError)
                raise kind(str(message["error"]), str(message.get("hint", "")))
        status = process.wait()
        reader.join(1.0)
        why = f"signal {-status}" if status < 0 else f"status {status}"
        last = notes[-1] if notes else "it said nothing"
        raise WorkerError(f"the worker {module} ended with {why}: {last}", "try it again")
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """See that a worker is gone: asked first, then killed."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            process.kill()
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(BrokenPipeError):
            assert stream
            stream.close()
    process.wait()


def _messages(answers: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Yield what a worker says; what is no message is left out."""
    for line in answers:
        with contextlib.suppress(ValueError):
            message = json.loads(line)
            if isinstance(message, dict):
                yield message


def _note(log: IO[bytes], notes: deque[str]) -> None:
    """Keep the last lines of a log."""
    with log:
        for line in log:
            notes.append(line.decode(errors="replace").strip()[:500])
