"""Two tracks that turn out to be one sound keep what was made by hand of both."""

from __future__ import annotations

from open_library import in_asyncio

from sfa_engine.library import cues, grids, playlists, plays, tracks
from sfa_engine.library.analysis import Analysis, store
from sfa_engine.library.cues import Cue
from sfa_engine.library.tags import Tags
from sfa_engine.track.grid import Anchor, Grid

GRID = Grid((Anchor(10.0, 0.0),), 124.0)
SOUND = "sound:1:a"


async def pair(connection):
    """Make a track that is known by its sound, and one that was only imported."""
    known, _ = await tracks.add(
        connection, "/a.mp3", content_hash=SOUND, tags=Tags(title="One", duration_s=300.0)
    )
    made, _ = await tracks.add(connection, "/b.mp3", tags=Tags(title="Other", artist="Ann"))
    return known.id, made.id


@in_asyncio
async def test_cues_grid_fields_plays_and_playlists_come_together(database):
    async with database.transaction() as connection:
        known, made = await pair(connection)
        await store(
            connection,
            known,
            Analysis("7", bpm=62.0),
            grid=Grid((Anchor(0.0, 0.0),), 62.0),
            cues=[Cue(2.0, "drop", slot=2)],
        )
        await cues.add(connection, known, Cue(1.0, slot=1, label="mine"))
        await cues.add(connection, made, Cue(5.0, slot=1, label="theirs"))
        await cues.add(connection, made, Cue(6.0, slot=2))
        await cues.add(connection, made, Cue(1.001, label="the same"))
        await grids.set_grid(connection, made, GRID, 48_000, by_hand=True)
        await tracks.edit(connection, made, rating=4, comment="x", key="8A")
        track = await tracks.get(connection, made)
        await plays.record(connection, track, "p", 1, 5.0)
        number = await playlists.create(connection, "Set")
        await playlists.append(connection, number, [made, known])

        one = await tracks.set_content(connection, made, SOUND)
        found = [(c.position_s, c.slot, c.by_hand) for c in await cues.cues_of(connection, known)]
        grid = await grids.grid_of(connection, known)
        entries = [each.track.id for each in await playlists.entries(connection, number)]
        history = await plays.history(connection, known)
        places = await tracks.sources(connection, known)
    assert one.id == known
    assert found == [(1.0, 1, True), (2.0, None, False), (5.0, None, True), (6.0, 2, True)]
    assert grid is not None
    assert (grid.grid, one.bpm) == (GRID, 124.0)
    assert (one.title, one.artist, one.rating, one.comment, one.key) == (
        *("One", "Ann", 4, "x", "A minor"),
    )
    assert (one.play_count, one.played_at, len(history)) == (1, 5.0, 1)
    assert entries == [known, known]
    assert set(places) == {"/a.mp3", "/b.mp3"}


@in_asyncio
async def test_where_both_have_something_by_hand_the_one_with_the_sound_keeps_its_own(database):
    async with database.transaction() as connection:
        known, made = await pair(connection)
        await grids.set_bpm(connection, known, 100.0)
        await tracks.edit(connection, known, rating=1, color="red")
        await grids.set_grid(connection, made, GRID, 48_000, by_hand=True)
        await tracks.edit(connection, made, rating=5, color="blue")
        one = await tracks.set_content(connection, made, SOUND)
        left = await tracks.by_uuid(connection, "none")
    assert (one.bpm, one.rating, one.color) == (100.0, 1, "#e62828")
    assert left is None
