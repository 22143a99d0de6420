"""The stage's line to the audio process, for what needs files or devices."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import trio

from sfa_engine.errors import EngineError, Refused, SfaError

ANSWER_S = 10.0  # the first seconds of a track from the slowest card
TAKEN_S = 2.0  # then the kernel takes it, or the host says that it came too late
LINE_BYTES = 1 << 18  # two tracks with all cues are 170 kB: 2 ms of the event loop to parse


async def ask_host(runtime: Path, verb: str, /, **arguments: Any) -> dict[str, Any]:
    """Ask the audio process for something and return its answer.

    Raises
    ------
    Refused
        It said no.
    EngineError
        It is not there, or does not answer.
    """
    path = runtime / "host.sock"
    request = {"do": verb, "with": arguments, "until": time.monotonic() + ANSWER_S}
    answer = b""
    with trio.move_on_after(ANSWER_S + TAKEN_S):
        try:
            stream = await trio.open_unix_socket(str(path))
        except OSError:
            raise EngineError("the audio process is not there", "see `sfa health`") from None
        async with stream:
            try:
                await stream.send_all(json.dumps(request).encode() + b"\n")
                while not answer.endswith(b"\n") and len(answer) < LINE_BYTES:
                    part = await stream.receive_some()
                    if not part:
                        break
                    answer += part
            except trio.BrokenResourceError:
                pass
    if not answer.endswith(b"\n"):
        raise EngineError("the audio process did not answer", "see `sfa health`")
    said = json.loads(answer)
    if "error" in said:
        error = said["error"]
        kind = EngineError if error["code"] in {"engine", "device"} else Refused
        raised: SfaError = kind(error["message"], error["hint"])
        raised.code = error["code"]
        raise raised
    result: dict[str, Any] = said["ok"]
    return result
