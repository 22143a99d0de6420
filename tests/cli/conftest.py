"""The command line and the engine in processes of their own, for the tests here."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from engine_process import bundles, silent_engine  # noqa: F401 - fixtures, found by their names
from house import EVEN_BACKSTAGE, NO_TAGS
from open_library import with_bundle

from sfa_engine.cli.main import main
from sfa_engine.errors import EngineError
from sfa_engine.library.analysis import Analysis, StemOrigin, set_stems, store
from sfa_engine.library.cues import Cue
from sfa_engine.library.database import Database
from sfa_engine.library.manifest import update
from sfa_engine.library.places import Places
from sfa_engine.library.tags import Tags
from sfa_engine.library.tracks import add
from sfa_engine.run.folders import memory_path
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.wire.blocking import SocketClient


@pytest.fixture
def sfa(tmp_path):
    """Run the command in a world of its own; return status, output and errors."""
    (tmp_path / "config.toml").write_text(NO_TAGS)

    def run(*words, stdin="", **environment):
        done = subprocess.run(
            [sys.executable, "-m", "sfa_engine.cli.main", *map(str, words)],
            env={
                **os.environ,
                "SFA_RUNTIME": str(tmp_path / "run"),
                "SFA_CONFIG": str(tmp_path / "config.toml"),
                "XDG_DATA_HOME": str(tmp_path / "data"),
                **environment,
            },
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


async def _fill(data):
    """Make a library of one track: 20 s at 120 BPM from 0.25 s on, found by an analysis."""
    places = Places(data, data / "tracks")
    database = await Database.open(places.database)
    async with database.transaction() as connection:
        track, _ = await add(connection, "/m/a", tags=Tags(title="Halcyon", artist="Orbital"))
    await with_bundle(database, places, track.id, 20.0)
    async with database.transaction() as connection:
        await store(
            connection,
            track.id,
            Analysis("1", bpm=120.0),
            grid=Grid((Anchor(2_000.0, 0.0),), 120.0),
            rate=8_000,
            cues=[
                Cue(0.25, "intro", label="first downbeat", slot=1, by_hand=False),
                Cue(4.25, "intro", label="intro end", by_hand=False),
                Cue(8.25, "build", label="build 1", by_hand=False),
                Cue(8.25, "loop", 10.25, label="bass 1 bars", stem="bass", by_hand=False),
            ],
        )
        await set_stems(connection, track.id, [StemOrigin("mix", "sketch", "sketch", sketch=True)])
    await update(database, places, track.id)
    await database.close()


@pytest.fixture(scope="module")
def backstage(tmp_path_factory):
    """Run backstage on a library of one track; lend its environment."""
    folder = tmp_path_factory.mktemp("backstage")
    runtime = Path(tempfile.mkdtemp(prefix="sfa-", dir=memory_path()))
    environment = {
        "SFA_RUNTIME": str(runtime),
        "SFA_CONFIG": str(folder / "config.toml"),
        "XDG_DATA_HOME": str(folder / "data"),
    }
    (folder / "config.toml").touch()
    asyncio.run(_fill(folder / "data" / "sfa"))
    process = subprocess.Popen(
        [sys.executable, EVEN_BACKSTAGE, "--runtime", runtime],
        env={**os.environ, **environment},
    )
    give_up = time.monotonic() + 30.0
    while True:
        try:
            SocketClient(runtime / BACKSTAGE_SOCKET, 30.0, "backstage").close()
            break
        except EngineError:
            assert process.poll() is None
            assert time.monotonic() < give_up
            time.sleep(0.01)
    yield environment
    process.terminate()
    process.wait(60.0)
    for left in runtime.iterdir():
        left.unlink()
    runtime.rmdir()


@pytest.fixture
def ask(backstage, monkeypatch):
    """Run the command in this process, beside backstage; return status, output and errors."""
    for name, value in backstage.items():
        monkeypatch.setenv(name, value)

    def run(*words):
        done = CliRunner().invoke(main, list(map(str, words)))
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout, done.stderr

    return run
