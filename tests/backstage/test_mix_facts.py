"""Facts of tracks, read from a real library; and stored plans."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from house import prep_context
from mix_library import MixLibrary
from open_library import in_asyncio, runner  # noqa: F401 - a fixture, found by its name

from sfa_engine.backstage.mixes.store import PlanStore
from sfa_engine.errors import Refused
from sfa_engine.library import grids, tracks, trash
from sfa_engine.library.analysis import StemOrigin, set_stems
from sfa_engine.mix.plan import plan_mix
from sfa_engine.mix.plan_text import write_plan
from sfa_engine.mix.sound import VECTOR
from sfa_engine.track.curves import FILE


@pytest.fixture
def library(runner: asyncio.Runner, tmp_path: Path) -> Iterator[MixLibrary]:  # noqa: F811
    made = prep_context(tmp_path)
    context = runner.run(made.__aenter__())
    yield MixLibrary(context)
    runner.run(made.__aexit__(None, None, None))


@in_asyncio
async def test_facts_have_what_was_analysed(library: MixLibrary) -> None:
    track = await library.add(1)
    await library.prepare(track)
    facts = (await library.reader.of([track]))[track]
    assert facts.name == "Artist 1 - Title 1"
    assert (facts.length_s, facts.bpm, facts.camelot, facts.energy) == (40.0, 120.0, "8A", 0.6)
    assert (facts.confidence, facts.bar_confidence, facts.lufs) == (0.8, 0.7, -11.0)
    assert facts.gain_db == -3.0
    assert facts.stems == ("vocals", "drums", "bass")
    assert facts.vocals_s == ((24.0, 30.0),)
    assert [section.label for section in facts.sections] == ["intro", "drop"]
    assert len(facts.loudness) == 80
    assert facts.loudness[10] == pytest.approx(-11.0, abs=0.1)
    assert len(facts.bass_db) == len(facts.drums_db) == len(facts.tonal_db) == 20
    assert facts.bass_db[2] < -20
    assert abs(facts.bass_db[15]) < 1
    assert len(facts.vector) == VECTOR
    assert await library.reader.energies() == [0.6]


@in_asyncio
async def test_of_a_track_that_is_half_prepared_there_is_what_is_known(library: MixLibrary) -> None:
    added = await library.add(1, bpm=99.0, duration_s=200.0)
    uncurved = await library.add(2)
    await library.prepare(uncurved, curves=False)
    broken = await library.add(3)
    (await library.prepare(broken) / "track.json").write_text("{")
    removed = await library.add(4)
    await trash.remove(library.context.database, library.context.places, removed)
    found = await library.reader.of([added, uncurved, broken, removed, 999, added])
    assert list(found) == [added, uncurved, broken]
    assert (found[added].length_s, found[added].bpm, found[added].grid) == (200.0, 99.0, None)
    assert found[uncurved].stems
    assert found[uncurved].loudness == ()
    assert found[broken].stems == ()
    assert found[broken].bpm == 120.0


@in_asyncio
async def test_facts_follow_every_change_and_are_read_once(library: MixLibrary) -> None:
    track = await library.add(1)
    folder = await library.prepare(track)
    database, reader = library.context.database, library.reader
    first = (await reader.of([track]))[track]
    assert (await reader.of([track]))[track].loudness is first.loudness
    async with database.transaction() as connection:
        await grids.set_bpm(connection, track, 60.0)
    by_hand = (await reader.of([track]))[track]
    assert (by_hand.bpm, by_hand.confidence, by_hand.grid.bpm) == (60.0, 1.0, 60.0)
    async with database.transaction() as connection:
        await grids.drop_hand_grid(connection, track)
    assert (await reader.of([track]))[track].bpm == 120.0
    (folder / FILE).unlink()
    assert (await reader.of([track]))[track].loudness == ()
    async with database.transaction() as connection:
        await tracks.edit(connection, track, title="Other")
    assert (await reader.of([track]))[track].name == "Artist 1 - Other"


@in_asyncio
async def test_stems_of_a_part_of_a_track_are_none(library: MixLibrary) -> None:
    track = await library.add(1)
    await library.prepare(track)
    async with library.context.database.transaction() as connection:
        await set_stems(connection, track, [StemOrigin("drums", "demucs", preview=True)])
    assert (await library.reader.of([track]))[track].stems == ()


@in_asyncio
async def test_a_plan_is_stored_as_its_text_and_an_invalid_one_is_refused(
    library: MixLibrary, tmp_path: Path
) -> None:
    for number in (1, 2):
        await library.prepare(await library.add(number))
    facts = await library.reader.of([1, 2])
    plan = plan_mix(list(facts.values()))
    stored = PlanStore(tmp_path)
    assert await stored.listed() == []
    await stored.write("friday", plan)
    assert await stored.read("friday") == plan
    assert await stored.text("friday") == write_plan(plan)
    assert [(each.name, each.tracks) for each in await stored.listed()] == [("friday", 2)]
    edited = write_plan(plan).replace("[[track]] # 2", "# the next one\n[[track]]")
    assert await stored.write("friday", edited) == plan
    assert "# the next one" in await stored.text("friday")
    with pytest.raises(Refused, match='there is a mix "friday"'):
        await stored.write("friday", plan, replace=False)
    line = next(n for n, x in enumerate(edited.splitlines(), 1) if x.startswith("deck = 2"))
    with pytest.raises(Refused, match=f"line {line}: deck is 7"):
        await stored.write("friday", edited.replace("deck = 2", "deck = 7"))
    assert await stored.read("friday") == plan
    for name in ("", "../x", ".x", "a/b"):
        with pytest.raises(Refused, match="is not a name of a mix"):
            await stored.read(name)
    with pytest.raises(Refused, match='no mix "fridy"') as refused:
        await stored.read("fridy")
    assert "friday" in refused.value.hint
    await stored.rename("friday", "saturday")
    assert not await stored.exists("friday")
    (tmp_path / "mixes" / "saturday.toml").write_text(edited.replace("deck = 2", "deck = 7"))
    with pytest.raises(Refused, match=f"saturday.toml: line {line}: deck is 7"):
        await stored.read("saturday")
    await stored.remove("saturday")
    assert await stored.listed() == []
