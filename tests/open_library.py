"""A library in a folder of its own, open in an event loop of its own, for the tests that ask."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.library.database import Database
from sfa_engine.library.places import Places
from sfa_engine.library.tracks import bundle_name, get, set_bundle, set_state

RATE = 8_000


def in_asyncio(test):
    """Let a test await: the rest of the suite is trio's, the library is asyncio's."""

    @functools.wraps(test)
    def run(runner, **fixtures):
        runner.run(test(**fixtures))

    signature = inspect.signature(test)
    first = inspect.Parameter("runner", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    run.__signature__ = signature.replace(parameters=[first, *signature.parameters.values()])
    return run


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "library", tmp_path / "tracks")


@pytest.fixture
def database(runner: asyncio.Runner, places: Places) -> Iterator[Database]:
    database = runner.run(Database.open(places.database))
    yield database
    runner.run(database.close())


async def with_bundle(database: Database, places: Places, track_id: int, seconds: float = 2.0):
    """Give a track a bundle of a little noise, as preparation does; return its folder."""
    async with database.reading() as connection:
        name = await bundle_name(connection, track_id)
        track = await get(connection, track_id)
    sound = np.random.default_rng(track_id).uniform(-0.1, 0.1, (int(seconds * RATE), 2))
    folder = write_bundle_arrays(
        places.bundles / name,
        {"mix": sound.astype(np.float32)},
        title=track.title,
        artist=track.artist,
        bpm=None,
        rate=RATE,
    )
    async with database.transaction(durable=False) as connection:
        await set_bundle(connection, track_id, name, seconds)
        await set_state(connection, track_id, "ready")
    return folder
