"""No committed row is lost: not to kill -9, not to a full disk, not to another writer."""

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from sfa_engine.library.places import Places

WRITER = """
import asyncio, sys
from pathlib import Path
from sfa_engine.library.cues import Cue, add
from sfa_engine.library.database import Database
from sfa_engine.library.tracks import add as add_track

async def main():
    async with await Database.open(Path(sys.argv[1])) as database:
        async with database.transaction() as connection:
            track, _ = await add_track(connection, "source of " + sys.argv[2])
        for number in range(int(sys.argv[3])):
            async with database.transaction() as connection:
                first = await add(connection, track.id, Cue(float(number), label=sys.argv[2]))
                second = await add(connection, track.id, Cue(float(number), label=sys.argv[2]))
            print(first.id, second.id, flush=True)

asyncio.run(main())
"""

FULL_DISK = """
import asyncio, sys
from pathlib import Path
from sfa_engine.errors import LibraryError
from sfa_engine.library.cues import Cue, add
from sfa_engine.library.database import Database
from sfa_engine.library.tracks import add as add_track

async def main():
    async with await Database.open(Path(sys.argv[1])) as database:
        async with database.transaction() as connection:
            track, _ = await add_track(connection, "x")
        for number in range(100_000):
            try:
                async with database.transaction() as connection:
                    cue = await add(connection, track.id, Cue(1.0, label="x" * 200))
            except LibraryError as problem:
                print("refused", problem, flush=True)
                break
            print(cue.id, flush=True)
        try:
            async with database.transaction() as connection:
                for number in range(20_000):
                    await add(connection, track.id, Cue(1.0, label="y" * 200))
        except LibraryError as problem:
            print("refused", problem, flush=True)
        async with database.reading() as connection:
            (count,) = (await connection.execute_fetchall("SELECT count(*) FROM cues"))[0]
        print("count", count, flush=True)

asyncio.run(main())
"""


def writer(path, name, number):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, path, name, str(number)], stdout=subprocess.PIPE, text=True
    )


def cues_in(path):
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {number for (number,) in connection.execute("SELECT id FROM cues")}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kills", [12, pytest.param(60, marks=pytest.mark.nightly)])
def test_no_committed_cue_is_lost_to_kills_at_any_moment(tmp_path, kills):
    path = tmp_path / "library.db"
    chance = random.Random(11)
    said = set()
    for run in range(kills):
        process = writer(path, str(run), 1_000_000)
        if run % 3 == 2:  # perhaps while it opens
            time.sleep(chance.uniform(0.2, 0.8))  # the moment of the kill is the point
        else:
            said.update(int(word) for word in process.stdout.readline().split())
            time.sleep(chance.uniform(0.0, 0.05))
        os.kill(process.pid, signal.SIGKILL)
        for line in process.stdout:
            if line.endswith("\n"):
                said.update(int(word) for word in line.split())
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
        there = cues_in(path)
        assert said <= there
        # At most the last transaction was committed and not said any more; it is whole.
        assert len(there) % 2 == 0
    assert len(said) >= kills


@pytest.mark.slow
def test_two_processes_that_write_at_once_lose_nothing(tmp_path):
    path = tmp_path / "library.db"
    processes = [writer(path, name, 150) for name in ("one", "two")]
    said = [
        int(word) for process in processes for word in process.communicate(timeout=100)[0].split()
    ]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(said) == len(set(said)) == 600
    assert cues_in(path) == set(said)


@pytest.fixture(params=["disk", "limit"])
def small_room(request, tmp_path):
    """Lend a folder with little room: a small disk, or a limit on the size of files."""
    places = Places(tmp_path / "small", tmp_path / "tracks")
    places.folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", places.folder]
    if (
        request.param == "disk"
        and not subprocess.run(mount, check=False, capture_output=True).returncode
    ):
        yield places, None
        subprocess.run(["umount", places.folder], check=True)
    else:  # nobody but root may mount
        yield places, 1_000_000


@pytest.mark.slow
def test_a_full_disk_is_said_and_loses_nothing(small_room):
    places, limit_bytes = small_room

    def limit():
        if limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, places.database],
        capture_output=True, text=True, preexec_fn=limit, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    refused = [line for line in lines if line.startswith("refused")]
    assert len(refused) == 2, done.stdout[-500:]
    assert all("the disk is full" in line and "space" in line for line in refused)
    said = {int(line) for line in lines if line.isdigit()}
    assert len(said) > 10
    assert lines[-1] == f"count {len(said)}"
    assert cues_in(places.database) == said
