"""What backstage knows of the set: it holds while a killed stage is replaced."""

import asyncio
import contextlib

from sfa_engine.backstage import stage_listener
from sfa_engine.backstage.niceness import Niceness
from sfa_engine.backstage.session import Session
from sfa_engine.system.runtime_files import ENGINE_SOCKET
from sfa_engine.wire import connection
from sfa_engine.wire.connection import Connection

PLAYING = {"values": {"deck1.play": True, stage_listener.LOCKED: True}}


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.005)


class Stage:
    """A stage that says one thing to who watches it."""

    def __init__(self, runtime):
        self.path = runtime / ENGINE_SOCKET
        self.asked = 0

    async def start(self):
        self.writers = []
        self.server = await asyncio.start_unix_server(self._serve, self.path)

    async def _serve(self, reader, writer):
        self.writers.append(writer)
        cut = Connection()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                cut.receive_data(data)
                while (request := cut.next_event()) is not None:
                    writer.write(connection.answer(request.id, PLAYING))
                    self.asked += request.method == "watch"

    async def kill(self):
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()
        self.path.unlink()


def test_a_set_stays_locked_while_a_killed_stage_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(stage_listener, "RETRY_S", 0.2)
    monkeypatch.setattr(stage_listener, "RESTART_TIMEOUT_S", 1.0)

    async def check():
        session, niceness, stage = Session(), Niceness(), Stage(tmp_path)
        await stage.start()
        following = asyncio.create_task(stage_listener.listen(tmp_path, niceness, session))
        await until(lambda: session.locked)
        unlocked = asyncio.create_task(session.wait_unlocked())
        await stage.kill()
        await stage.start()
        await until(lambda: stage.asked == 2)
        assert session.locked
        assert niceness.playing
        assert not unlocked.done()
        await stage.kill()
        await until(lambda: not session.locked)  # there is none any more
        assert not niceness.playing
        await unlocked
        following.cancel()

    asyncio.run(check())
