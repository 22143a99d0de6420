"""Plays and files on real verbs: counted once, found by place or content."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgpack
import pytest
from house import prep_context, song
from open_library import with_bundle

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.job import State
from sfa_engine.backstage.verbs import library
from sfa_engine.backstage.verbs.library import LibraryVerbs
from sfa_engine.errors import MediaError, Refused
from sfa_engine.library import tracks, trash
from sfa_engine.library.content import content_hash, sound_identity
from sfa_engine.library.tags import Tags
from sfa_engine.wire.frames import Raw
from sfa_engine.wire.verbs import verbs_of


def with_verbs(path: Path, body: Callable[[LibraryVerbs, PrepContext], Awaitable[None]]) -> None:
    async def main() -> None:
        async with prep_context(path) as context:
            await body(LibraryVerbs(context, Dispatcher(context.queue, {}, {})), context)

    asyncio.run(main())


async def added(
    context: PrepContext, source: Path | str, title: str, digest: str | None = None
) -> int:
    async with context.database.transaction() as connection:
        track, _ = await tracks.add(
            connection, str(source), content_hash=digest, tags=Tags(title=title, artist="Us")
        )
    return track.id


def test_a_play_that_is_told_twice_counts_once(tmp_path: Path):
    async def body(verbs: LibraryVerbs, context: PrepContext) -> None:
        number = await added(context, "/m/a.flac", "A")
        bundle = str(await with_bundle(context.database, context.places, number))
        now_s, play = time.time(), str(uuid.uuid4())
        for told, is_new in ((play, True), (play, False), (str(uuid.uuid4()), True)):
            said = await verbs.library_played(bundle, told, 1, now_s - 60.0)
            assert said == {"track": number, "is_new": is_new}
        await verbs.library_played(bundle, str(uuid.uuid4()), 2, now_s - 86_400.0)
        (found,) = (await verbs.library_search("plays:3 played:<1h"))["tracks"]
        assert (found["play_count"], found["played_at"]) == (3, now_s - 60.0)
        said = await verbs.library_history()
        assert [each["deck"] for each in said["plays"]] == [1, 1, 2]
        assert (await verbs.library_history(since="1h"))["count"] == 2
        assert (await verbs.library_history(track="A", limit=1, offset=2))["plays"][0]["deck"] == 2

    with_verbs(tmp_path, body)


def test_history_outlives_its_tracks(tmp_path: Path):
    async def body(verbs: LibraryVerbs, context: PrepContext) -> None:
        number = await added(context, "/m/a.flac", "A")
        bundle = str(await with_bundle(context.database, context.places, number))
        await verbs.library_played(bundle, str(uuid.uuid4()), 1, time.time())
        await trash.remove(context.database, context.places, number)
        await verbs.library_empty_trash()
        (play,) = (await verbs.library_history())["plays"]
        assert (play["name"], play["track_id"]) == ("Us - A", None)

    with_verbs(tmp_path, body)


@pytest.mark.parametrize(
    "told",
    [
        {"play": "no uuid"},
        {"deck": 0},
        {"deck": True},
        {"played_at": -1.0},
        {"played_at": float("nan")},
        {"bundle": "/etc"},
    ],
)
def test_what_is_no_play_is_refused(tmp_path: Path, told: dict[str, object]):
    async def body(verbs: LibraryVerbs, context: PrepContext) -> None:
        bundle = str(
            await with_bundle(context.database, context.places, await added(context, "/m/a", "A"))
        )
        play = {"bundle": bundle, "play": str(uuid.uuid4()), "deck": 1, "played_at": 1.0}
        asked = Raw(msgpack.packb({**play, **told}))
        with pytest.raises(Refused):
            await verbs.library_played(**verbs_of(LibraryVerbs)["library.played"].parse(asked))

    with_verbs(tmp_path, body)


def test_a_file_is_found_by_its_place_by_a_link_to_it_and_by_its_content(tmp_path: Path):
    async def body(verbs: LibraryVerbs, context: PrepContext) -> None:
        file = song(tmp_path / "music" / "a.wav", seconds=1.0)
        number = await added(context, file, "A", content_hash(file))
        await with_bundle(context.database, context.places, number)
        copy = Path(shutil.copy(file, tmp_path / "copy.wav"))
        (tmp_path / "link.wav").symlink_to(file)
        for path in (file, copy, tmp_path / "link.wav"):
            assert (await verbs.library_find(path=str(path)))["id"] == number
        other = song(tmp_path / "other.wav", seconds=1.0, seed=2)
        with pytest.raises(Refused, match="not in the library"):
            await verbs.library_find(path=str(other))
        with pytest.raises(MediaError):
            await verbs.library_find(path=str(tmp_path / "none.wav"))
        for asked in ({}, {"words": "A", "path": str(file)}):
            with pytest.raises(Refused, match="one of words and path"):
                await verbs.library_find(**asked)

    with_verbs(tmp_path, body)


def test_a_file_that_was_written_since_is_not_the_track_of_its_place(tmp_path: Path):
    async def body(verbs: LibraryVerbs, context: PrepContext) -> None:
        file = song(tmp_path / "a.wav", seconds=1.0)
        number = await added(context, file, "A", sound_identity(file))
        await with_bundle(context.database, context.places, number)
        async with context.database.transaction() as connection:
            await connection.execute("UPDATE sources SET added_at = added_at - 60")
        assert (await verbs.library_find(path=str(file)))["id"] == number
        song(file, seconds=1.0, seed=2)
        with pytest.raises(Refused, match="not in the library"):
            await verbs.library_find(path=str(file))
        assert (await verbs.library_find(path=str(file), prepare=True))["track"] is None

    with_verbs(tmp_path, body)


def test_a_file_that_does_not_answer_is_refused_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    mounted = threading.Event()
    monkeypatch.setattr(library, "sound_identity", lambda _: mounted.wait())
    monkeypatch.setattr(library, "FIND_S", 0.3)

    async def body(verbs: LibraryVerbs, _shop: PrepContext) -> None:
        with pytest.raises(Refused, match="was not read in"):
            await verbs.library_find(path=str(song(tmp_path / "a.wav", seconds=1.0)))

    with_verbs(tmp_path, body)
    mounted.set()


def test_what_cannot_be_played_is_prepared_before_all_else(tmp_path: Path):
    async def body(verbs: LibraryVerbs, context: PrepContext) -> None:
        file = song(tmp_path / "music" / "a.wav", seconds=1.0)
        number = await added(context, file, "A")
        said = await verbs.library_find("A", prepare=True)
        assert (said["name"], said["track"]) == ("Us - A", number)
        again = await verbs.library_find(path=str(file), prepare=True)
        assert again["preparing"] == said["preparing"]  # it waits already
        (job,) = await context.queue.list([State.WAITING])
        assert (job.id, job.priority) == (said["preparing"], 100)
        assert job.args["path"] == str(file)
        new = song(tmp_path / "new.wav", seconds=1.0, seed=2)
        assert (await verbs.library_find(path=str(new), prepare=True))["track"] is None
        file.unlink()
        with pytest.raises(Refused, match=r"its file .* is not there"):
            await verbs.library_find("A", prepare=True)

    with_verbs(tmp_path, body)


def test_a_damaged_bundle_is_told_by_show_and_prepared_again(tmp_path: Path):
    async def body(verbs: LibraryVerbs, context: PrepContext) -> None:
        file = song(tmp_path / "music" / "a.wav", seconds=1.0)
        number = await added(context, file, "A")
        bundle = await with_bundle(context.database, context.places, number)
        assert (await verbs.library_show("A"))["damage"] == ""
        assert "preparing" not in await verbs.library_find("A", prepare=True)
        (bundle / "mix.wav").unlink()
        assert "is missing" in (await verbs.library_show("A"))["damage"]
        assert "preparing" in await verbs.library_find("A", prepare=True)

    with_verbs(tmp_path, body)
