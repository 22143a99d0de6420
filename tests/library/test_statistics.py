"""How much there is."""

from open_library import in_asyncio, with_bundle

from sfa_engine.library.statistics import numbers, storage
from sfa_engine.library.tags import Tags
from sfa_engine.library.tracks import add, set_state
from sfa_engine.library.trash import remove


@in_asyncio
async def test_tracks_are_counted_by_state_and_bytes_by_kind(database, places):
    empty = await storage(places)
    assert (empty.bundles_bytes, empty.trash_bytes, empty.backups_bytes) == (0, 0, 0)
    async with database.transaction() as connection:
        for title in "abc":
            await add(connection, title, tags=Tags(title=title))
        await set_state(connection, 3, "failed", "broken")
    for number in (1, 2):
        await with_bundle(database, places, number)
    await remove(database, places, 2)
    await database.back_up(places.backups)
    found = await numbers(database)
    assert (found.tracks, found.removed, found.duration_s) == (2, 1, 2.0)
    assert found.states == {"added": 0, "preparing": 0, "ready": 1, "failed": 1}
    room = await storage(places)
    sound = 2 * 8_000 * 4
    assert sound < room.bundles_bytes < sound + 2_000
    assert sound < room.trash_bytes < sound + 2_000
    assert room.backups_bytes > 10_000
    assert room.database_bytes > 10_000
    assert room.free_bytes > 0
