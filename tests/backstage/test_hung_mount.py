"""A mount that hangs: whoever names something on it is told, and nobody else waits."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest
from house import prep_context

from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.services.input_sources import parse_source
from sfa_engine.backstage.verbs import prep
from sfa_engine.backstage.verbs.prep import PrepVerbs
from sfa_engine.backstage.watch_folders import FolderWatcher
from sfa_engine.errors import Refused


def test_a_name_that_does_not_answer_is_refused_in_time_and_the_loop_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = threading.Event()

    def hanging(word: str) -> object:
        if word.startswith("/mnt/nfs"):
            mounted.wait()
        return parse_source(word)

    monkeypatch.setattr(prep, "parse_source", hanging)
    monkeypatch.setattr(prep, "POLL_S", 0.5)
    (tmp_path / "song.wav").write_bytes(b"RIFF")

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            dispatcher = Dispatcher(context.queue, {}, {})
            verbs = PrepVerbs(context, dispatcher, FolderWatcher(context, dispatcher))
            hung = asyncio.create_task(verbs.prep_add(["/mnt/nfs/song.wav"]))
            began = time.monotonic()
            assert (await verbs.prep_add([str(tmp_path / "song.wav")]))["count"] == 1
            assert time.monotonic() - began < 0.4
            with pytest.raises(Refused, match="no answer within"):
                await hung

    asyncio.run(main())
    mounted.set()
