"""What a file is to the library: known by its sound, however it is tagged, and by its place."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pytest
import soundfile
from house import beat, prep_context, song
from mutagen import id3

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.steps import clean
from sfa_engine.backstage.steps import import_file as import_step
from sfa_engine.backstage.steps.clean import Clean
from sfa_engine.backstage.steps.import_file import ImportFile
from sfa_engine.backstage.steps.plans import ImportSource, PrepOptions, import_file
from sfa_engine.errors import MediaError, WorkerError
from sfa_engine.library import cues, tracks
from sfa_engine.library.content import content_hash
from sfa_engine.library.cues import Cue
from sfa_engine.library.search import search
from sfa_engine.library.track import Track
from sfa_engine.track.media import read_bundle

pytestmark = pytest.mark.slow


async def taken(context: PrepContext, path: Path) -> Track:
    """Import a file, and return its track."""
    async with context.database.transaction() as connection:
        await context.queue.add_chain(
            connection, [import_file(ImportSource(str(path)), PrepOptions("none"))]
        )
    job = await context.queue.claim("import")
    assert job is not None
    try:
        outcome = await ImportFile(context)(job, lambda *_: None)
    except (MediaError, WorkerError) as error:
        await context.queue.fail(job, error)
        raise
    async with context.database.transaction() as connection:
        await outcome.effect(connection)
        await context.queue.finish(connection, job, outcome.result)
    await outcome.after_commit()
    async with context.database.reading() as connection:
        return await tracks.get(connection, outcome.result["track"])


async def cue(context: PrepContext, track: Track) -> None:
    async with context.database.transaction() as connection:
        await cues.add(connection, track.id, Cue(0.5, "cue", slot=1))


async def all_tracks(context: PrepContext) -> list[Track]:
    async with context.database.reading() as connection:
        return await search(connection, "")


def retag(path: Path, title: str = "Other", artist: str = "") -> None:
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    if isinstance(file.tags, id3.ID3):
        file.tags.add(id3.TIT2(text=title))
        file.tags.add(id3.TPE1(text=artist))
        file.tags.add(id3.COMM(desc="", text="x" * 30_000))
    else:
        file["title"], file["artist"], file["comment"] = title, artist, "x" * 30_000
    file.save()


@pytest.mark.parametrize("ending", ["flac", "mp3", "ogg", "wav", "aiff"])
def test_a_retagged_file_is_its_track_with_its_cues(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"song.{ending}"
    soundfile.write(path, beat(2.0), 48_000)

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            first = await taken(context, path)
            await cue(context, first)
            before = content_hash(path)
            retag(path, "Halcyon", "Orbital")
            assert content_hash(path) != before
            again = await taken(context, path)
            moved = await taken(context, shutil.copy(path, tmp_path / f"copy.{ending}"))
            assert again.id == moved.id == first.id
            # it was called by its file alone
            assert (again.title, again.artist) == ("Halcyon", "Orbital")
            assert (
                read_bundle(context.places.bundles / (first.bundle or "")).track.title == "Halcyon"
            )
            async with context.database.reading() as connection:
                assert len(await cues.cues_of(connection, first.id)) == 1

    asyncio.run(main())


def test_names_that_the_library_has_are_not_changed_by_a_tagger(tmp_path: Path) -> None:
    path = song(tmp_path / "song.flac", seconds=2.0)
    retag(path, "Halcyon", "Orbital")

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            first = await taken(context, path)
            retag(path, "On and on", "Somebody")
            again = await taken(context, path)
            assert (again.id, again.title, again.artist) == (first.id, "Halcyon", "Orbital")

    asyncio.run(main())


@pytest.mark.parametrize("ending", ["flac", "ogg", "wav", "mp3"])
def test_a_file_that_was_cut_is_replaced_by_the_whole(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"song.{ending}"
    soundfile.write(path, beat(16.0), 48_000)
    retag(path, "Halcyon", "Orbital")
    whole = path.read_bytes()

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            path.write_bytes(whole[: len(whole) // 2])
            half = await taken(context, path)
            assert 2.0 < (half.duration_s or 0.0) < 14.0
            await cue(context, half)
            path.write_bytes(whole)
            track = await taken(context, path)
            assert track.id == half.id
            assert track.duration_s == pytest.approx(16.0, abs=0.1)
            assert [each.id for each in await all_tracks(context)] == [half.id]
            async with context.database.reading() as connection:
                assert len(await cues.cues_of(connection, half.id)) == 1
            found = await context.database.fetch("SELECT args FROM jobs WHERE kind != 'import'")
            assert {json.loads(args)["options"]["again"] for (args,) in found} == {True}

    asyncio.run(main())


def test_other_sound_whose_tags_say_the_same_in_its_place_is_a_new_version_of_the_track(
    tmp_path: Path,
) -> None:
    path = song(tmp_path / "bounce.wav", seconds=4.0)
    retag(path, "Bounce", "Wren")

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            first = await taken(context, path)
            assert (first.artist, first.title) == ("Wren", "Bounce")
            soundfile.write(path, 0.5 * beat(4.1), 48_000, subtype="PCM_16")
            retag(path, "Bounce", "Wren")
            second = await taken(context, path)
            assert (second.id, second.duration_s) == (first.id, pytest.approx(4.1))

    asyncio.run(main())


def test_another_song_without_tags_in_its_place_is_a_track_of_its_own(tmp_path: Path) -> None:
    path = song(tmp_path / "track01.wav", seconds=4.0)

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            first = await taken(context, path)
            await cue(context, first)
            soundfile.write(path, beat(4.0, bpm=90.0), 48_000, subtype="PCM_16")
            assert (await taken(context, path)).id != first.id
            assert len(await all_tracks(context)) == 2

    asyncio.run(main())


@pytest.mark.parametrize("same_names", [True, False])
def test_at_the_place_of_an_older_library_s_track_only_its_names_are_proof(
    tmp_path: Path, same_names: bool
) -> None:
    path = song(tmp_path / "song.flac", seconds=2.0)
    retag(path, "Halcyon", "Orbital")

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            first = await taken(context, path)
            await cue(context, first)
            await make_old(context, first, path)
            song(path, seconds=2.0, bpm=90.0)
            retag(path, *(("halcyon", "orbital") if same_names else ("Xtal", "Aphex Twin")))
            second = await taken(context, path)
            assert (second.id == first.id) is same_names
            async with context.database.reading() as connection:
                assert len(await cues.cues_of(connection, first.id)) == 1
            sound = read_bundle(context.places.bundles / (first.bundle or "")).track
            kept = (await all_tracks(context))[-1]
            assert kept.id == first.id
            assert (sound.content_hash == second.content_hash) is same_names

    asyncio.run(main())


def test_a_track_of_before_without_a_file_makes_no_import_read_its_file_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def counted(files: Sequence[str]) -> str:
        read.append(files)
        return "0" * 64

    monkeypatch.setattr(import_step, "_file_hash", counted)

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            old = song(tmp_path / "old.wav", seconds=2.0)
            await make_old(context, await taken(context, old), old)
            old.unlink()
            await taken(context, song(tmp_path / "new.wav", seconds=4.0))
            assert read == []
            await taken(context, song(tmp_path / "same length.wav", seconds=2.0, seed=2))
            await taken(context, song(tmp_path / "moved" / "old.wav", seconds=3.0))
            assert len(read) == 2

    asyncio.run(main())


def test_the_old_sound_stays_until_the_new_is_known_to_be_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = song(tmp_path / "song.wav", seconds=4.0)
    retag(path, "Bounce", "Wren")
    run = PrepContext.run_local

    async def here(*given: Any) -> dict[str, Any]:
        said = await run(*given)
        with path.open("ab") as file:
            file.write(b"more")
        return said

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            first = await taken(context, path)
            before = read_bundle(context.places.bundles / (first.bundle or "")).track
            soundfile.write(path, beat(5.0), 48_000, subtype="PCM_16")
            retag(path, "Bounce", "Wren")
            with monkeypatch.context() as growing:
                growing.setattr(PrepContext, "run_local", here)
                with pytest.raises(WorkerError, match="changed while"):
                    await taken(context, path)
            after = read_bundle(context.places.bundles / (first.bundle or "")).track
            assert (after.digest, after.frames) == (before.digest, before.frames)
            assert [entry.name for entry in context.places.bundles.iterdir()] == [first.bundle]
            async with context.database.transaction() as connection:
                await connection.execute("UPDATE jobs SET due_s = 0 WHERE state = 'waiting'")
            assert (await taken(context, path)).duration_s == pytest.approx(5.0)

    asyncio.run(main())


def test_another_piece_in_its_place_is_a_track_of_its_own(tmp_path: Path) -> None:
    path = song(tmp_path / "song.flac", seconds=4.0)
    retag(path, "Halcyon", "Orbital")

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            first = await taken(context, path)
            song(path, seconds=4.0, bpm=90.0)
            retag(path, "Xtal", "Aphex Twin")
            second = await taken(context, path)
            assert second.id != first.id
            async with context.database.reading() as connection:
                assert await tracks.sources(connection, second.id) == [str(path)]
                assert await tracks.sources(connection, first.id) == []

    asyncio.run(main())


def test_a_new_version_that_cannot_be_read_leaves_the_track_as_it_was(tmp_path: Path) -> None:
    path = song(tmp_path / "song.wav", seconds=4.0)
    retag(path, "Bounce", "Wren")

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            first = await taken(context, path)
            content = path.read_bytes()
            path.write_bytes(content[:24] + bytes(4) + content[28:])  # 0 Hz
            with pytest.raises(MediaError):
                await taken(context, path)
            (track,) = await all_tracks(context)
            assert (track.id, track.content_hash) == (first.id, first.content_hash)
            soundfile.write(path, beat(4.2), 48_000, subtype="PCM_16")
            retag(path, "Bounce", "Wren")
            assert (await taken(context, path)).duration_s == pytest.approx(4.2)

    asyncio.run(main())


async def make_old(context: PrepContext, track: Track, path: Path) -> None:
    """Give a track the identity that the library's first release gave."""
    digest = content_hash(path)
    async with context.database.transaction() as connection:
        await connection.execute(
            "UPDATE tracks SET content_hash = ? WHERE id = ?", (digest, track.id)
        )


def test_a_track_of_an_older_library_is_known_by_its_bytes_then_by_its_sound(
    tmp_path: Path,
) -> None:
    path = song(tmp_path / "song.flac", seconds=2.0)

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            first = await taken(context, path)
            await make_old(context, first, path)
            copy = await taken(context, shutil.copy(path, tmp_path / "copy.flac"))
            assert (copy.id, copy.content_hash) == (first.id, first.content_hash)
            await make_old(context, first, path)
            retag(path, first.title, first.artist)  # before the library met it again: by its names
            again = await taken(context, path)
            assert (again.id, again.content_hash) == (first.id, first.content_hash)

    asyncio.run(main())


def test_the_night_gives_tracks_of_an_older_library_the_identity_of_their_sound(
    tmp_path: Path,
) -> None:
    path = song(tmp_path / "song.flac", seconds=2.0)
    gone = song(tmp_path / "gone.flac", seconds=2.0, seed=2)

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            first, second = await taken(context, path), await taken(context, gone)
            await make_old(context, first, path)
            await make_old(context, second, gone)
            gone.unlink()
            context.niceness.playing = True
            assert await Clean(context)._identify() == 0
            context.niceness.playing = False
            assert await Clean(context)._identify() == 1
            found = {track.id: track.content_hash for track in await all_tracks(context)}
            assert found[first.id] == first.content_hash
            bundle = read_bundle(context.places.bundles / (first.bundle or "")).track
            assert bundle.content_hash == first.content_hash

    asyncio.run(main())


def test_a_file_that_is_another_by_now_is_read_by_one_night_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = song(tmp_path / "song.flac", seconds=2.0)
    read = []

    def counted(place: str) -> str:
        read.append(place)
        return content_hash(place)

    monkeypatch.setattr(clean, "content_hash", counted)

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            track = await taken(context, path)
            await make_old(context, track, path)
            song(path, seconds=2.0, seed=2)
            for _ in range(3):
                assert await Clean(context)._identify() == 0
            assert len(read) == 1
            song(path, seconds=2.1)
            await Clean(context)._identify()
            assert len(read) == 2

    asyncio.run(main())


def test_two_songs_of_silence_and_noise_are_two(tmp_path: Path) -> None:
    for number in range(2):
        noise = 0.1 * np.random.default_rng(number).standard_normal((96_000, 2))
        soundfile.write(tmp_path / f"{number}.wav", noise, 48_000)

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            found = [await taken(context, tmp_path / f"{number}.wav") for number in range(2)]
            assert found[0].id != found[1].id

    asyncio.run(main())


def test_a_file_that_grows_while_it_is_imported_is_imported_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = song(tmp_path / "song.wav", seconds=4.0)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    run = PrepContext.run_local

    async def here(*given: Any) -> dict[str, Any]:
        said = await run(*given)
        path.write_bytes(whole)
        return said

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            with monkeypatch.context() as growing:
                growing.setattr(PrepContext, "run_local", here)
                with pytest.raises(WorkerError, match="changed while"):
                    await taken(context, path)
            assert await all_tracks(context) == []
            async with context.database.transaction() as connection:
                await connection.execute("UPDATE jobs SET state = 'waiting', due_s = 0")
            assert (await taken(context, path)).duration_s == 4.0

    asyncio.run(main())
