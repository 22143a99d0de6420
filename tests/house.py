"""A real backstage process in folders of its own, or a prep_context alone, and music for them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.executor import Local
from sfa_engine.backstage.niceness import Niceness
from sfa_engine.backstage.queue import Queue
from sfa_engine.backstage.settings import Settings
from sfa_engine.errors import EngineError
from sfa_engine.library.database import BUSY_TIMEOUT_S, Database
from sfa_engine.library.places import Places
from sfa_engine.run.folders import memory_path
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET
from sfa_engine.wire.blocking import SocketClient

RATE = 48_000
EVEN_BACKSTAGE = Path(__file__).with_name("even_backstage.py")
# A second of work for each track that is prepared, which few tests are about.
NO_TAGS = "[analysis]\ntags = false\n"


def beat(seconds: float = 16.0, bpm: float = 120.0, seed: int = 1) -> np.ndarray:
    """Return kicks on the beats, hats between and a chord: float32[frames, 2]."""
    rng = np.random.default_rng(seed)
    sound = np.zeros((round(seconds * RATE), 2), np.float32)
    step = 60.0 / bpm
    decay = np.exp(-np.arange(4800) / 900.0)
    kick = 0.7 * np.sin(2 * np.pi * 55.0 * np.arange(4800) / RATE) * decay
    hat = 0.1 * rng.standard_normal(1200) * np.exp(-np.arange(1200) / 200.0)
    for number in range(int(seconds / step)):
        at = round(number * step * RATE)
        sound[at : at + 4800] += kick[: len(sound) - at, None].astype(np.float32)
        at += round(step / 2 * RATE)
        sound[at : at + 1200] += hat[: max(0, len(sound) - at), None].astype(np.float32)
    time_s = np.arange(len(sound)) / RATE
    for hertz in (220.0, 261.63, 329.63):
        sound += 0.05 * np.sin(2 * np.pi * hertz * time_s)[:, None].astype(np.float32)
    return sound


def song(path: Path, **of: Any) -> Path:
    """Write a piece as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, beat(**of), RATE, subtype="PCM_16")
    return path


@asynccontextmanager
async def prep_context(folder: Path, busy_s: float = BUSY_TIMEOUT_S) -> AsyncIterator[PrepContext]:
    """Lend what the steps of jobs work with, on a new library, and nobody at work."""
    places = Places(folder, folder / "tracks")
    settings = Settings(folder, places.bundles, folder / "models")
    async with await Database.open(places.database, busy_s=busy_s) as database:
        local = Local(Niceness())
        # Workers are marked with the owner's name: other tests' are not to be ended with them.
        queue = Queue(database, f"test-{uuid.uuid4()}")
        yield PrepContext(settings, places, database, queue, local, local)


class House:
    """A backstage that can be killed and started again, and a client of it."""

    def __init__(self, folder: Path, program: Path = EVEN_BACKSTAGE) -> None:
        self.folder = folder
        self.program = program
        self.runtime = Path(tempfile.mkdtemp(prefix="sfa-", dir=memory_path()))
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "config" / "sfa").mkdir(parents=True, exist_ok=True)
        self.env = {
            **os.environ,
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "SFA_RUNTIME": str(self.runtime),
        }
        self.configure("")

    @property
    def data(self) -> Path:
        """The folder of the library."""
        return self.folder / "data" / "sfa"

    @property
    def bundles(self) -> Path:
        """The folder of the bundles."""
        return self.data / "tracks"

    def configure(self, text: str) -> None:
        """Write the configuration; tags are off unless it says otherwise."""
        analysis = "" if "[analysis]" in text else NO_TAGS
        (self.folder / "config" / "sfa" / "config.toml").write_text(text + analysis)

    def start(self, *, temporary: bool = False) -> SocketClient:
        """Start it, to end with its last client if temporary, and return a client."""
        with (self.folder / "backstage.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, str(self.program)),
                    *("--runtime", str(self.runtime)),
                    *(["--temporary"] if temporary else []),
                ],
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        give_up = time.monotonic() + 30
        while True:
            try:
                return self.connect()
            except EngineError:
                if time.monotonic() > give_up or self.process.poll() is not None:
                    raise AssertionError(self.log) from None
                time.sleep(0.01)

    def connect(self) -> SocketClient:
        """Return another client."""
        return SocketClient(self.runtime / BACKSTAGE_SOCKET, 30.0, "backstage")

    @property
    def log(self) -> str:
        """What it said, but for what is no more than news."""
        written = self.folder / "state" / "sfa" / "log" / "backstage.log"
        said = (self.folder / "backstage.log").read_text()
        lines = written.read_text().splitlines(keepends=True) if written.exists() else []
        return said + "".join(line for line in lines if " INFO backstage[" not in line)

    def kill(self) -> None:
        """Kill it."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ask it to end."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def close(self) -> None:
        """End it, and clear up."""
        self.stop()
        for left in self.runtime.iterdir():
            left.unlink()
        self.runtime.rmdir()


@contextmanager
def house(folder: Path, program: Path = EVEN_BACKSTAGE) -> Iterator[House]:
    """Lend a house that is not started yet."""
    here = House(folder, program)
    try:
        yield here
    finally:
        here.close()


def prepared(client: SocketClient, *sources: Path | str, **options: Any) -> dict[str, Any]:
    """Have sources prepared, and return what became of them."""
    words = [str(source) for source in sources]
    said = client.call("prep.add", sources=words, **{"engine": "none", **options})
    return until_ended(client, said["batch"])


def until_ended(client: SocketClient, batch: str, limit_s: float = 110.0) -> dict[str, Any]:
    """Return a batch when all of it has ended."""
    give_up = time.monotonic() + limit_s
    while True:
        told: dict[str, Any] = client.call("prep.batch", batch=batch)
        if not told["counts"]["waiting"] and not told["counts"]["running"]:
            return {**told, **client.call("prep.tracks", batch=batch)}
        assert time.monotonic() < give_up, client.call("jobs.list")
        time.sleep(0.05)
