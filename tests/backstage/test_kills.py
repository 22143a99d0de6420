"""Backstage and its workers killed at random moments: nothing is lost, nothing is left behind.

Twelve rounds a run; ``SFA_KILL_ROUNDS=200`` makes it two hundred.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from house import House, house, song, until_ended

from sfa_engine.backstage.core import tag_prefix
from sfa_engine.backstage.runner import TAG_VARIABLE
from sfa_engine.errors import EngineError, Refused, SfaError
from sfa_engine.track.media import read_bundle
from sfa_engine.wire.blocking import SocketClient

ROUNDS = int(os.environ.get("SFA_KILL_ROUNDS", "12"))
TRACKS = 6

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + 10 * ROUNDS)]


def workers(here: House) -> list[int]:
    """Return the processes that the house's backstage has started, or theirs."""
    mark = f"{TAG_VARIABLE}={tag_prefix(here.data)}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


class Performer(threading.Thread):
    """Somebody who marks places all the while, and remembers what was acknowledged."""

    def __init__(self, here: House, seed: int) -> None:
        super().__init__(daemon=True)
        self.here = here
        self.rng = random.Random(seed)
        self.kept: dict[tuple[int, int], float] = {}  # track and button: seconds
        self.doubtful: dict[tuple[int, int], set[float]] = {}  # sent, and no answer came
        self.marked = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            with suppress(EngineError, OSError):
                self._mark_with(self.here.connect())
            self.over.wait(0.02)

    def _mark_with(self, client: SocketClient) -> None:
        with client:
            while not self.over.is_set():
                tracks = [
                    track
                    for track in client.call("library.search")["tracks"]
                    if track["bundle"] and Path(track["bundle"]).exists()
                ]
                if tracks:
                    self._mark(client, self.rng.choice(tracks))
                self.over.wait(0.01)

    def _mark(self, client: SocketClient, track: dict[str, object]) -> None:
        button = self.rng.randint(1, 8)
        place_s = round(self.rng.uniform(0.0, 8.0), 3)
        where = (int(str(track["id"])), button)
        self.doubtful.setdefault(where, set()).add(place_s)
        try:
            hotcues = {str(button): place_s}
            client.call("library.save_hotcues", bundle=track["bundle"], hotcues=hotcues)
        except Refused:  # its bundle was being replaced: said, and not kept
            return
        except SfaError as error:
            if error.code not in {"media", "engine"}:
                raise
            if error.code == "engine":
                raise
        self.kept[where] = place_s
        self.doubtful[where] = set()
        self.marked += 1


def test_nothing_is_lost_when_anything_dies(tmp_path: Path) -> None:
    rng = random.Random(7)
    music = [
        song(tmp_path / "music" / f"song {n}.wav", seed=n, bpm=100.0 + 7 * n) for n in range(TRACKS)
    ]
    batches: list[str] = []
    asked: set[str] = set()
    with house(tmp_path) as here:
        performer = Performer(here, 3)
        here.start().close()
        performer.start()
        for _ in range(ROUNDS):
            with suppress(EngineError), here.connect() as client:
                path = str(rng.choice(music))
                engine = rng.choice(["none", "sketch"])
                said = client.call(
                    "prep.add", sources=[path], engine=engine, again=rng.random() < 0.5
                )
                batches.append(said["batch"])
                asked.add(path)
            time.sleep(rng.uniform(0.0, 1.5))
            victims = workers(here)
            if victims and rng.random() < 0.5:
                with suppress(ProcessLookupError):
                    os.kill(rng.choice(victims), signal.SIGKILL)
            else:
                here.kill()
                here.start().close()
        with here.connect() as client:
            for batch in batches:
                until_ended(client, batch, limit_s=120.0)
            performer.over.set()
            performer.join(20)
            assert not performer.is_alive()
            check_all(client, performer, asked)
        here.stop()
        assert workers(here) == []
        assert not [p for p in here.bundles.iterdir() if p.name.startswith(".sfa")]
        assert "Traceback" not in here.log


def check_all(client: SocketClient, performer: Performer, asked: set[str]) -> None:
    """See that everything is there, once, and that rows and files agree."""
    counts = client.call("jobs.list")["counts"]
    failed = client.call("jobs.list", states=["failed"])["jobs"]
    # A worker that is killed three times has used its attempts up: told, and not lost.
    others = [job["error"] for job in failed if "SIGKILL" not in job["error"]["message"]]
    assert others == []
    assert counts["waiting"] == counts["running"] == 0
    if failed:
        client.call("jobs.retry", failed=True)
        give_up = time.monotonic() + 120.0
        while any(client.call("jobs.list")["counts"][state] for state in ("waiting", "running")):
            assert time.monotonic() < give_up
            time.sleep(0.1)
    tracks = client.call("library.search")["tracks"]
    sources = [
        source for t in tracks for source in client.call("library.show", track=t["id"])["sources"]
    ]
    assert sorted(sources) == sorted(asked)
    assert len(tracks) == len(asked)
    assert performer.marked > ROUNDS
    for (track, button), place_s in performer.kept.items():
        cues = client.call("library.show", track=track)["cues"]
        on_it = [cue["position_s"] for cue in cues if cue["slot"] == button and cue["by_hand"]]
        assert on_it, f"hot cue {button} of track {track} at {place_s} s is lost"
        assert on_it[0] in {place_s, *performer.doubtful[track, button]}
    assert client.call("library.check", deep=True)["findings"] == []
    for track in tracks:
        described = read_bundle(track["bundle"]).track
        assert described.grid is not None
        assert track["state"] == "ready"


def test_a_backstage_that_cannot_start_twice_says_so(tmp_path: Path) -> None:
    with house(tmp_path) as here:
        here.start().close()
        second = subprocess.run(
            [
                *(sys.executable, "-m", "sfa_engine.run.backstage_process"),
                *("--runtime", str(here.runtime), "--log", str(tmp_path / "second")),
            ],
            env=here.env,
            check=False,
            timeout=30,
        )
        assert second.returncode == 1
        log = (tmp_path / "second" / "backstage.log").read_text()
        assert [line for line in log.splitlines() if "ERROR" in line and "runs in" in line], log
