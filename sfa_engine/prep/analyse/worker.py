"""The worker program: one JSON line in, JSON lines out.

::

    stdin   {"path": "song.flac"}
    stdout  {"progress": 0.4, "doing": "listening"}      as often as a hundredth is done
            {"result": {…}}                              or
            {"error": "no file …", "hint": "…", "code": "media"}

The exit status is 0 with a result, 1 with an error. It writes no file, so that nothing is left
when it is killed. If whoever started it is gone, it ends.
"""

from __future__ import annotations

import json
import sys
from typing import Any, TextIO

from sfa_engine.errors import Refused, SfaError

LONGEST_REQUEST = 1 << 20  # characters


def main(requests: TextIO | None = None, answers: TextIO | None = None) -> int:
    """Answer the request on stdin; return the exit status."""
    answers = answers or sys.stdout
    told = -1.0

    def tell(**message: Any) -> None:
        answers.write(json.dumps(message, ensure_ascii=True) + "\n")
        answers.flush()

    def progress(share: float, doing: str) -> None:
        nonlocal told
        if share - told >= 0.01:
            told = share
            tell(progress=round(share, 3), doing=doing)

    try:
        path = _path(requests or sys.stdin)
        from sfa_engine.prep.analyse.analysis import analyse

        tell(result=analyse(path, progress))
    except BrokenPipeError:
        return 1
    except SfaError as error:
        tell(error=error.message, hint=error.hint, code=error.code)
        return 1
    except MemoryError:
        tell(error="not enough memory for this track", hint="free some, or cut it", code="worker")
        return 1
    return 0


def _path(requests: TextIO) -> str:
    """Return what the request asks for."""
    line = requests.readline(LONGEST_REQUEST)
    try:
        request = json.loads(line)
    except ValueError:
        raise Refused(f"the request is no JSON: {line[:60]!r}", 'send {"path": "…"}') from None
    path = request.get("path") if isinstance(request, dict) else None
    if not isinstance(path, str) or not path or "\0" in path:
        raise Refused(f"the request names no file: {line[:60]!r}", 'send {"path": "…"}')
    return path
