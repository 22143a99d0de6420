"""Under which key an audition is kept: one for all that decides it, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from house import prep_context
from mix_library import MixLibrary
from msgspec.structs import replace
from open_library import in_asyncio, runner  # noqa: F401 - a fixture, found by its name

from sfa_engine.backstage.mixes.auditions import Auditions
from sfa_engine.backstage.mixes.facts import FactsReader
from sfa_engine.library import check, grids, manifest, sounds, tracks
from sfa_engine.library.bundle import rewrite_manifest
from sfa_engine.mix.plan import plan_mix
from sfa_engine.mix.sound import MEASURES, VECTOR, VERSION
from sfa_engine.track.media import read_bundle


class Asked:
    """A plan of two prepared tracks, of which the first transition is asked for."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.library = MixLibrary(context)
        self.names = {1: "1.sfa", 2: "2.sfa"}
        self.plan: Any = None

    async def prepare(self) -> None:
        for number in (1, 2):
            await self.library.prepare(await self.library.add(number), bpm=120.0 + number)
        facts = await self.library.reader.of([1, 2])
        self.plan = plan_mix(list(facts.values()), ordered=True)

    @property
    def bundle(self) -> Path:
        return Path(self.context.places.bundles / self.names[1])

    async def key(self, place: int | None = 0) -> str:
        """Return the key, by a reader that knows nothing yet."""
        facts = await FactsReader(self.context).of([1, 2])
        auditions = Auditions(self.context.settings.data, self.context.places.bundles)
        return auditions.ask(self.plan, facts, self.names, place)


@pytest.fixture
def asked(runner: asyncio.Runner, tmp_path: Path) -> Iterator[Asked]:  # noqa: F811
    made = prep_context(tmp_path)
    lent = Asked(runner.run(made.__aenter__()))
    runner.run(lent.prepare())
    yield lent
    runner.run(made.__aexit__(None, None, None))


@in_asyncio
async def test_what_does_not_decide_the_sound_does_not_change_the_key(asked: Asked) -> None:
    context = asked.context
    keys = [await asked.key(), await asked.key()]
    # A clean-up, which a backstage makes a minute after its first start.
    assert await check.check(context.database, context.places, repair=True) == []
    keys.append(await asked.key())
    async with context.database.transaction() as connection:
        await tracks.edit(connection, 1, rating=5, comment="good", album="An album")
        vector = np.ones(VECTOR, "<f4").tobytes()
        measured = np.ones(len(MEASURES), "<f4").tobytes()
        await sounds.store(connection, 1, VERSION, vector, measured)
        await connection.execute("UPDATE analyses SET confidence = 0.7, energy = 0.2")
    await manifest.update(context.database, context.places, 1)
    keys.append(await asked.key())
    asked.bundle.rename(asked.bundle.with_name("moved.sfa"))
    async with context.database.transaction() as connection:
        await tracks.set_bundle(connection, 1, "moved.sfa", 40.0)
    asked.names[1] = "moved.sfa"
    keys.append(await asked.key())
    assert len(set(keys)) == 1, keys


@in_asyncio
async def test_what_decides_the_sound_changes_the_key(asked: Asked) -> None:
    context = asked.context
    keys = [await asked.key(), await asked.key(None)]
    plan = asked.plan
    asked.plan = replace(plan, tracks=(replace(plan.tracks[0], trim_db=-2.0), plan.tracks[1]))
    keys.append(await asked.key())
    asked.plan = plan
    louder = replace(read_bundle(asked.bundle).track, gain_db=-9.0)
    assert rewrite_manifest(asked.bundle, louder)
    keys.append(await asked.key())
    async with context.database.transaction() as connection:
        await grids.set_downbeat(connection, 1, 0.1)
    await manifest.update(context.database, context.places, 1)
    keys.append(await asked.key())
    assert len(set(keys)) == len(keys)
