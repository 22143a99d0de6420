"""A whole engine with its web process, and the demo's tracks in its library.

For the bench of the page, the screenshots and the tests of the page: all three show what the
product makes itself.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from sfa_engine.bench import demo_library
from sfa_engine.bench.rig import Rig
from sfa_engine.bench.web import free_port
from sfa_engine.demo.demo import GROOVES, write_grooves
from sfa_engine.errors import EngineError
from sfa_engine.library.folding import FUNCTION, fold
from sfa_engine.system.child import wait_for
from sfa_engine.system.process_lock import lock_holder
from sfa_engine.system.runtime_files import (
    BACKSTAGE_SOCKET,
    HOST_LOCK,
    STAGE_LOCK,
    WEB_LOCK,
)
from sfa_engine.web import password, secrets, users
from sfa_engine.web.database import FILE, open_database, transaction
from sfa_engine.web.rights import SYSTEM, Role
from sfa_engine.wire.blocking import SocketClient

BLOCK = 128
TITLES = {"slow-gold": "Slow Gold", "quicksilver": "Quicksilver"}
START_S = 120.0  # of each process, where others use the machine too
PREPARED_S = 300.0  # for two tracks of two minutes, on a machine that has other work
PASSWORD = "two decks, four stems"  # noqa: S105 - of accounts that live as long as the engine
LOCKS = {"host": HOST_LOCK, "stage": STAGE_LOCK, "web": WEB_LOCK}


class DemoSite:
    """The engine under `sfa start`, with backstage and the web process.

    Parameters
    ----------
    stack : contextlib.ExitStack
        Ends everything.
    device : str, optional
        Default a dummy JACK server.
    is_prepared : bool
        Whether the demo's tracks are in its library.
    has_controllers : bool
        Whether MIDI is on, with a controller of `sfa_engine.bench.demo_controller`.

    Attributes
    ----------
    rig : Rig
    port : int
    origin : str
    tracks : list of int
        The demo's tracks in the library.
    """

    def __init__(
        self,
        stack: ExitStack,
        device: str | None = None,
        *,
        is_prepared: bool = True,
        has_controllers: bool = False,
    ) -> None:
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        midi = str(has_controllers).lower()
        config = f"[web]\nport = {self.port}\n[osc]\nenabled = false\n[midi]\nenabled = {midi}\n"
        self.rig = Rig(
            stack, device, BLOCK, supervised=True, alone=True, options=("--web",), config=config,
            start_timeout_s=START_S, fill=self._fill if is_prepared else lambda _data: None,
        )  # fmt: skip
        self.data = self.rig.runtime / "data" / "sfa"
        self.tracks: list[int] = []
        wait_for(
            lambda: self.pid("web") > 0 and (self.data / FILE).exists(), "the web process", START_S
        )
        wait_for((self.rig.runtime / BACKSTAGE_SOCKET).exists, "backstage", START_S)
        wait_for(self._knows_verbs, "the verbs of backstage", START_S)

        if has_controllers:
            stack.enter_context(self.rig.beside("sfa_engine.bench.demo_controller"))
        if is_prepared:
            self.tracks = self._prepare()

    def _fill(self, data: Path) -> None:
        self._is_filled = demo_library.copy_to(data)

    def pid(self, name: str) -> int:
        """Return the process `host`, `stage` or `web`; 0 if it does not run."""
        return lock_holder(self.rig.runtime / LOCKS[name])

    def kill(self, *names: str) -> None:
        """Kill processes, and return when others have taken their places."""
        before = {name: self.pid(name) for name in names}
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        for name, pid in before.items():
            wait_for(partial(self._is_another, name, pid), name, START_S)
        wait_for(self._answers, "the engine", START_S)

    def _is_another(self, name: str, pid: int) -> bool:
        return self.pid(name) not in {0, pid}

    def _answers(self) -> bool:
        """Return whether engine and web process answer."""
        return self._status("/health") == 200

    def _knows_verbs(self) -> bool:
        """Return whether the web process has read the verbs: those without a user get a 401."""
        return self._status("/api/mix/list") == 401

    def _status(self, path: str) -> int:
        """Return the status of a GET; 0 without an answer."""
        asking = HTTPConnection("127.0.0.1", self.port, timeout=10.0)
        try:
            with closing(asking):
                asking.request("GET", path)
                return asking.getresponse().status
        except OSError:
            return 0

    def sign_in(self, name: str = "ann", role: Role = "super_admin") -> tuple[str, str]:
        """Make a user, if there is none of this name; return a new session's cookie."""
        with closing(open_database(self.data / FILE)) as connection, transaction(connection):
            found = users.find(connection, name) or users.add(connection, SYSTEM, name, role)
            users.set_password(connection, found.id, password.hashed(PASSWORD))
            secret = secrets.begin_session(connection, found.id, "127.0.0.1", "bench")
        return f"sfa_session_{self.port}", secret

    def invite(self, name: str = "eve") -> str:
        """Return the secret of a one-time link for a user, who is made if there is none."""
        with closing(open_database(self.data / FILE)) as connection, transaction(connection):
            found = users.find(connection, name) or users.add(connection, SYSTEM, name, "user")
            return secrets.add_link(connection, found)

    def call(self, method: str, **params: Any) -> Any:
        """Call a verb of the engine; it may have been restarted meanwhile."""
        with self.rig.connect() as client:
            return client.call(method, **params)

    def backstage(self) -> SocketClient:
        """Return a client of backstage."""
        return SocketClient(self.rig.runtime / BACKSTAGE_SOCKET, 60.0, "backstage")

    def _prepare(self) -> list[int]:
        """Put the demo's two tracks into the library, if they are not; return them.

        Raises
        ------
        EngineError
            A job failed, or took too long.
        """
        with self.backstage() as client:
            if not self._is_filled:
                cache = demo_library.cache_folder()
                folders = write_grooves(cache, GROOVES, lambda _name, _part: None)
                added = [client.call("prep.add", sources=[str(folder)]) for folder in folders]
                for each in added:
                    _track_of(client, each["jobs"])
                _until(lambda: not _busy(client), "all jobs")
                demo_library.keep(self.data)
            found = client.call("library.search", words="", limit=10)["tracks"]
        ids = {each["title"]: int(each["id"]) for each in found}
        return [ids[TITLES[name]] for name in GROOVES]

    def load(self, *, is_playing: bool = True) -> None:
        """Load the two tracks into the two decks, and play them in time."""
        for deck, track in enumerate(self.tracks, 1):
            self.call("deck.load", deck=deck, track=f"#{track}", force=True)
        self.call("set", path="deck1.leader", value=True)
        self.call("set", path="deck2.sync", value="beat")
        self.call("set", path="crossfader", value=0.0)
        for deck in range(1, len(self.tracks) + 1):
            self.call("set", path=f"deck{deck}.play", value=is_playing)

    def add_rows(self, count: int) -> None:
        """Put rows into the library that have no files."""
        with closing(sqlite3.connect(self.data / "library.db", timeout=60.0)) as library:
            library.create_function(FUNCTION, 1, fold)
            library.executemany(
                "INSERT INTO tracks (uuid, title, artist, bundle, duration_s, state, bpm,"
                " added_at, changed_at) VALUES (?, ?, ?, ?, ?, 'ready', ?, 0, 0)",
                [
                    (f"row {k}", f"Title {k:05d}", f"Artist {k % 997:03d}", f"row-{k}.sfa",
                     120 + k % 300, 90 + k % 90)
                    for k in range(count)
                ],
            )  # fmt: skip
            library.commit()


@contextmanager
def demo_site(
    device: str | None = None, *, is_prepared: bool = True, has_controllers: bool = False
) -> Iterator[DemoSite]:
    """Lend an engine, with the demo's tracks in its library."""
    with ExitStack() as stack:
        yield DemoSite(stack, device, is_prepared=is_prepared, has_controllers=has_controllers)


def _track_of(client: SocketClient, jobs: list[int]) -> int:
    """Return the track that jobs make, when they are done."""

    def track() -> int:
        for job in jobs:
            found = client.call("jobs.show", job=job)
            if found["state"] in {"failed", "cancelled"}:
                raise EngineError(f"job {job} {found['state']}: {found.get('error')}")
            if found["state"] == "done" and found["track"]:
                return int(found["track"])
        return 0

    _until(lambda: track() > 0, f"job {jobs}")
    return track()


def _busy(client: SocketClient) -> int:
    counts = client.call("jobs.list")["counts"]
    return int(counts["waiting"]) + int(counts["running"])


def _until(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + PREPARED_S
    while not condition():
        if time.monotonic() > give_up:
            raise EngineError(f"timeout after {PREPARED_S:g} s: {what}")
        time.sleep(0.1)
