"""`library check` deletes curves that nobody can use; missing ones are in order."""

import pytest
from open_library import in_asyncio, with_bundle

from sfa_engine.library.check import check
from sfa_engine.library.manifest import update
from sfa_engine.library.tags import Tags
from sfa_engine.library.tracks import add
from sfa_engine.track.curves import FILE, CurvesWriter
from sfa_engine.track.media import read_bundle


def curves_of(digest: str) -> bytes:
    curves = CurvesWriter()
    curves.add("energy", [[0.5]], 2, (0, 1))
    return curves.file(digest)


@pytest.mark.parametrize(
    ("content", "finding"),
    [("right", False), ("missing", False), ("other sound", True), ("damaged", True)],
)
@in_asyncio
async def test_only_curves_that_cannot_be_used_are_found_and_deleted(
    database, places, content, finding
):
    async with database.transaction() as connection:
        track, _ = await add(connection, "/m/a", tags=Tags(title="a"))
    folder = await with_bundle(database, places, track.id)
    await update(database, places, track.id)
    digest = read_bundle(folder).track.digest
    texts = {
        "right": curves_of(digest),
        "other sound": curves_of("ab" * 32),
        "damaged": curves_of(digest)[:60],
    }
    if content in texts:
        (folder / FILE).write_bytes(texts[content])
    found = [each.drift for each in await check(database, places)]
    assert found == (["old-curves"] if finding else [])
    repaired = await check(database, places, repair=True)
    assert all(each.repaired for each in repaired)
    assert (folder / FILE).exists() == (content == "right")
    assert await check(database, places) == []
