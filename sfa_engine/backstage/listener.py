"""Hears from the stage whether a set is playing, so that workers keep out of its way.

Without a stage nothing plays, as far as backstage knows.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from sfa_engine.backstage.courtesy import Courtesy
from sfa_engine.errors import SfaError
from sfa_engine.wire import ENGINE, frames
from sfa_engine.wire.messages import ANSWER, REQUEST

AGAIN_S = 2.0
PLAYS = ("deck1.play", "deck2.play")
CHUNK = 65_536


async def listen(runtime: Path, courtesy: Courtesy) -> None:
    """Follow the stage's decks until cancelled; connect again whenever it has gone."""
    while True:
        with suppress(OSError, SfaError):
            await _follow(runtime / ENGINE, courtesy)
        courtesy.playing = False
        await asyncio.sleep(AGAIN_S)


async def _follow(path: Path, courtesy: Courtesy) -> None:
    """Follow one stage for as long as it lives."""
    reader, writer = await asyncio.open_unix_connection(path)
    playing: dict[str, bool] = {}
    try:
        writer.write(frames.pack([REQUEST, 1, "watch", {"paths": list(PLAYS), "rate_hz": 5}]))
        cut = frames.FrameReader()
        while data := await reader.read(CHUNK):
            for body in cut.feed(data):
                message = frames.unpack(body)
                said = message[3] if message[0] == ANSWER else message[2]
                playing |= {path: bool(value) for path, value in (said or {})["values"].items()}
            courtesy.playing = any(playing.values())
    finally:
        writer.close()
