"""A mix that is performed goes on, whichever process is killed, in every phase of it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from engine_process import Show, show, until
from house import prep_context
from mix_library import MixLibrary

from sfa_engine.backstage.mixes.store import PlanStore
from sfa_engine.errors import SfaError
from sfa_engine.mix.plan import plan_mix
from sfa_engine.system.process_lock import lock_holder
from sfa_engine.system.runtime_files import BACKSTAGE_LOCK, BACKSTAGE_SOCKET, HOST_LOCK, STAGE_LOCK
from sfa_engine.wire.blocking import SocketClient

pytestmark = [pytest.mark.realtime, pytest.mark.nightly]

LENGTH_S = 56.0
STILL_S = 1.5  # that nothing may play: a host that was killed is back in less
PHASES = ("loaded", "queued", "blending", "after")


async def _fill(data: Path) -> None:
    async with prep_context(data) as context:
        library = MixLibrary(context)
        ids = []
        for number, bpm in enumerate((120.0, 121.0, 122.0), 1):
            track = await library.add(number)
            await library.prepare(track, bpm=bpm, length_s=LENGTH_S)
            ids.append(track)
        facts = await library.reader.of(ids)
        await PlanStore(data).write("night", plan_mix(list(facts.values()), ordered=True))


class Watched:
    """A running engine that performs a mix."""

    def __init__(self, running: Show) -> None:
        self.running = running
        self.still_since = time.monotonic()
        self.has_begun = False

    def call(self, method: str, **params: Any) -> Any:
        """Call backstage; again while it is restarted."""
        for _ in range(200):
            try:
                path = self.running.runtime / BACKSTAGE_SOCKET
                with SocketClient(path, timeout_s=10.0) as client:
                    return client.call(method, **params)
            except SfaError:
                time.sleep(0.1)
        raise AssertionError("backstage does not answer")

    def engine(self) -> dict[str, Any] | None:
        """Return what the stage says; None while it is restarted. Notes silence."""
        try:
            with self.running.connect() as client:
                said: dict[str, Any] = client.call("automation.status")
        except SfaError:
            return None
        if any(deck["playing"] for deck in said["decks"]):
            self.still_since, self.has_begun = time.monotonic(), True
        assert not self.has_begun or time.monotonic() - self.still_since < STILL_S
        return said

    def phase(self) -> str:
        """Return the phase of the transition."""
        said = self.engine()
        if said is None:
            return ""
        if all(deck["playing"] for deck in said["decks"]):
            return "blending"
        mix = self.call("mix.status")
        if not mix["running"]:
            return "over"
        if mix["queued"]:
            return "queued"
        if mix["place"] > 1 and said["waiting"]:
            return "after"
        return "loaded" if mix["next"] and mix["next"]["loaded"] else ""

    def kill(self, lock: str) -> None:
        """Kill a process of the engine, and wait for the next one."""
        pid = lock_holder(self.running.runtime / lock)
        assert pid
        os.kill(pid, signal.SIGKILL)
        until(
            lambda: lock_holder(self.running.runtime / lock) not in {0, pid},
            f"the next of {lock}",
            every_s=0.01,
        )


@pytest.mark.parametrize("lock", [BACKSTAGE_LOCK, STAGE_LOCK, HOST_LOCK])
def test_a_mix_goes_on_when_a_process_is_killed_in_every_phase(lock: str) -> None:
    def prepare(engine: Show) -> None:
        asyncio.run(_fill(engine.runtime / "data" / "sfa"))

    with show({}, "none", prepare=prepare) as running:
        watched = Watched(running)
        watched.call("mix.start", name="night")
        killed: list[str] = []
        while (phase := watched.phase()) != "over":
            if phase in PHASES and phase not in killed:
                time.sleep(0.4)
                watched.kill(lock)
                killed.append(phase)
            time.sleep(0.05)
        assert set(killed) == set(PHASES)

        def news() -> list[str]:
            return [each["kind"] for each in watched.call("notifications.list")["notifications"]]

        until(lambda: "mix.done" in news(), "the notification of the end", every_s=0.1)
        assert "mix.dropped" not in news()
