"""What an analysis found, and who made the stems."""

from dataclasses import replace

import pytest
from open_library import in_asyncio

from sfa_engine.errors import MediaError
from sfa_engine.library.analysis import (
    Analysis,
    Section,
    StemOrigin,
    analysis_of,
    set_stems,
    stems_of,
    store,
)
from sfa_engine.library.tracks import add


@in_asyncio
async def test_an_analysis_comes_back_as_it_was(database):
    analysis = Analysis(
        "3", 124.02, 0.9, variable=True, key="A minor", lufs=-8.5, peak_dbtp=0.3, energy=0.8,
        sections=(Section(0.0, 15.5, "intro"), Section(15.5, 60.0, "drop")),
        features={"mfcc": [1.5, -2.0], "words": "é", "nothing": None},
    )  # fmt: skip
    async with database.transaction(durable=False) as connection:
        track, _ = await add(connection, "x")
        assert await analysis_of(connection, track.id) is None
        await store(connection, track.id, analysis)
        found = await analysis_of(connection, track.id)
    assert found.made_at > 1.7e9
    assert replace(found, made_at=0.0) == analysis


@in_asyncio
async def test_stems_replace_those_before(database):
    async with database.transaction(durable=False) as connection:
        track, _ = await add(connection, "x")
        await set_stems(connection, track.id, [StemOrigin("mix", "none", sketch=True)])
        made = [StemOrigin("vocals", "demucs", "htdemucs", "4")]
        await set_stems(connection, track.id, made)
        (stem,) = await stems_of(connection, track.id)
        assert (stem.name, stem.engine, stem.model, stem.version) == (
            "vocals", "demucs", "htdemucs", "4",
        )  # fmt: skip
        assert stem.sketch is False
        with pytest.raises(MediaError, match='did you mean "drums"'):
            await set_stems(connection, track.id, [StemOrigin("drum", "x")])
