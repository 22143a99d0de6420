"""`sfa bundle` and `sfa separate --bundle`: what they make, and over what they do not write."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
import soundfile
from open_library import with_bundle

from sfa_engine.library.database import Database
from sfa_engine.library.places import Places
from sfa_engine.library.tracks import add, edit
from sfa_engine.track.media import read_bundle

pytestmark = pytest.mark.slow
RATE = 8_000


@pytest.fixture
def song(tmp_path):
    path = tmp_path / "song.wav"
    soundfile.write(path, np.full((RATE, 2), 0.25, np.float32), RATE)
    return path


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path / "data" / "sfa", tmp_path / "data" / "sfa" / "tracks")


async def prepared(places: Places) -> Path:
    """Return the bundle of a track called "song" that the library has."""
    async with await Database.open(places.database) as database:
        async with database.transaction() as connection:
            track, _ = await add(connection, "/m/song.mp3", content_hash="ab" * 32)
            await edit(connection, track.id, title="song", artist="")
        return await with_bundle(database, places, track.id)


@pytest.mark.parametrize("options", [[], ["--replace"], ["-o", "data/sfa/tracks/song.sfa"]])
def test_the_bundle_of_a_track_of_the_library_is_never_replaced(sfa, song, places, options):
    owned = asyncio.run(prepared(places))
    assert owned == places.bundles / "song.sfa"
    before = read_bundle(owned).track
    status, _, err = sfa("bundle", song, *options)
    assert (status, len(err.splitlines())) == (1, 1)
    assert "song.sfa belongs to track #1 of the library; name another place with -o" in err
    assert read_bundle(owned).track == before
    assert sfa("bundle", song, "-o", "mine.sfa", "--quiet")[0] == 0


def test_a_bundle_made_by_hand_is_replaced_when_that_is_asked_for(sfa, song, places):
    assert sfa("bundle", song, "--quiet", "--title", "first")[0] == 0
    status, _, err = sfa("bundle", song, "--title", "second")
    assert status == 1
    assert "exists; add --replace" in err
    assert read_bundle(places.bundles / "song.sfa").track.title == "first"
    assert sfa("bundle", song, "--quiet", "--title", "second", "--replace")[0] == 0
    assert read_bundle(places.bundles / "song.sfa").track.title == "second"


@pytest.mark.parametrize("options", [[], ["--replace"], ["--replace", "--preview", "1"]])
@pytest.mark.parametrize("source", ["song.wav", "data/sfa/tracks/song.sfa"])
def test_stems_never_replace_the_bundle_of_a_track_of_the_library(
    sfa, song, places, source, options
):
    owned = asyncio.run(prepared(places))
    before = read_bundle(owned).track
    status, out, err = sfa("separate", song.parent / source, "-m", "sketch", "--bundle", *options)
    assert (status, out, len(err.splitlines())) == (1, "", 1)
    assert "song.sfa belongs to track #1 of the library; name another place with -o" in err
    assert read_bundle(owned).track == before


def test_stems_replace_a_bundle_when_that_is_asked_for_and_no_file_is_begun_before(
    sfa, song, tmp_path
):
    (tmp_path / "new.wav").write_bytes(song.read_bytes())
    separate = ["separate", "-m", "sketch", "--bundle", "-o", "out", "--quiet"]
    assert sfa(*separate, song)[0] == 0
    status, _, err = sfa(*separate, "new.wav", song)
    assert status == 1
    assert "out/song.sfa exists; add --replace" in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["song.sfa"]
    assert sfa(*separate, "new.wav", song, "--replace")[0] == 0


def test_a_data_folder_that_cannot_be_written_is_one_line(sfa, song, tmp_path):
    (tmp_path / "file").touch()
    status, _, err = sfa("bundle", song, XDG_DATA_HOME=str(tmp_path / "file"))
    assert (status, len(err.splitlines())) == (1, 1)
    assert "tracks cannot be made: Not a directory; name another place with -o" in err


def test_a_first_beat_behind_the_end_is_refused(sfa, song, tmp_path):
    status, _, err = sfa("bundle", song, "--bpm", "125", "--first-beat", "9999", "-o", "x.sfa")
    assert status == 1
    assert "the first beat is at 9999 s and the sound lasts 1.0 s" in err
    assert not (tmp_path / "x.sfa").exists()
