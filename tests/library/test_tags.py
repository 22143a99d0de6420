"""Tags of real files in every usual format; of odd ones, at the worst nothing is known."""

import base64
import os
import struct
import zlib

import av
import mutagen
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from mutagen import flac, id3, mp4

from sfa_engine.errors import MediaError
from sfa_engine.library.content import content_hash, keep_cover
from sfa_engine.library.tags import Cover, Tags, read_tags

RATE = 44_100
SOUND = np.zeros((RATE, 2), np.float32)
WHOLE = ("Tïtle", "Ärtist", "Album", "House", 1999, 124.5, "A minor")


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b"\0\0"))
    + chunk(b"IEND", b"")
)
JPEG = b"\xff\xd8\xff\xe0" + bytes(100) + b"\xff\xd9"


def picture(content=PNG, kind=3):
    made = flac.Picture()
    made.data, made.type, made.mime = content, kind, "image/png"
    return made


def encoded(path, codec):
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=RATE)
        frame = av.AudioFrame.from_ndarray(SOUND.T.copy(), "fltp", "stereo")
        frame.rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)


def with_id3(path):
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    title, artist, album, genre, year, bpm, _ = WHOLE
    for frame in (
        id3.TIT2(text=title), id3.TPE1(text=artist), id3.TALB(text=album), id3.TCON(text=genre),
        id3.TDRC(text=f"{year}-05-01"), id3.TBPM(text=str(bpm)), id3.TKEY(text="Am"),
        id3.APIC(data=JPEG, type=4), id3.APIC(data=PNG, type=3, desc="front"),
    ):  # fmt: skip
        file.tags.add(frame)
    file.save()


def with_comments(path):
    file = mutagen.File(path)
    title, artist, album, genre, year, bpm, _ = WHOLE
    file["TITLE"], file["ARTIST"], file["ALBUM"], file["GENRE"] = title, artist, album, genre
    file["DATE"], file["BPM"], file["INITIALKEY"] = str(year), str(bpm), "8A"
    if isinstance(file, flac.FLAC):
        file.add_picture(picture())
    else:
        file["METADATA_BLOCK_PICTURE"] = base64.b64encode(picture().write()).decode()
    file.save()


def with_atoms(path):
    file = mutagen.File(path)
    title, artist, album, genre, year, _, _ = WHOLE
    file["\xa9nam"], file["\xa9ART"], file["\xa9alb"], file["\xa9gen"] = title, artist, album, genre
    file["\xa9day"], file["tmpo"] = str(year), [124]
    file["----:com.apple.iTunes:initialkey"] = [mp4.MP4FreeForm(b"A minor")]
    file["covr"] = [mp4.MP4Cover(PNG, mp4.MP4Cover.FORMAT_PNG)]
    file.save()


def made(folder, name):
    """Return a tagged sound file of the format that its name says."""
    path = folder / name
    if path.suffix == ".m4a":
        encoded(path, "aac")
        with_atoms(path)
    else:
        subtype = "OPUS" if path.suffix == ".opus" else None
        form = {".opus": "OGG", ".aiff": "AIFF"}.get(path.suffix)
        rate = 48_000 if path.suffix == ".opus" else RATE
        soundfile.write(path, SOUND[:rate], rate, format=form, subtype=subtype)
        (with_comments if path.suffix in {".flac", ".ogg", ".opus"} else with_id3)(path)
    return path


@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.ogg", "a.opus", "a.m4a", "a.wav", "a.aiff"])
def test_every_format_says_what_was_written_to_it(tmp_path, name):
    tags = read_tags(made(tmp_path, name))
    bpm = 124.0 if name == "a.m4a" else 124.5
    assert (
        tags.title, tags.artist, tags.album, tags.genre, tags.year, tags.bpm, tags.key,
    ) == (*WHOLE[:5], bpm, "A minor")  # fmt: skip
    assert tags.cover == Cover(PNG, "png")
    assert tags.duration_s == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("name", ["a.mp3", "a.flac"])
def test_the_name_of_a_file_may_be_wrong(tmp_path, name):
    path = made(tmp_path, name)
    for other in ("b.wav", "b", "b.m4a"):
        path = path.replace(tmp_path / other)
        assert read_tags(path).title == "Tïtle"


def test_a_file_without_tags_says_its_length_alone(tmp_path):
    soundfile.write(tmp_path / "a.flac", SOUND, RATE)
    assert read_tags(tmp_path / "a.flac") == Tags(duration_s=1.0)


@pytest.mark.parametrize("content", [b"", b"hello", b"ID3\x04\0\0\x7f\x7f\x7f\x7f", b"fLaC" * 50])
@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.m4a", "a.wav", "a.txt"])
def test_what_is_no_sound_file_says_nothing_and_fails_nothing(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    assert read_tags(tmp_path / name).title == ""
    assert read_tags(tmp_path / "none.mp3") == Tags()
    assert read_tags(tmp_path) == Tags()


def test_values_that_cannot_be_are_left_out(tmp_path):
    path = made(tmp_path, "a.flac")
    file = flac.FLAC(path)
    file["BPM"], file["INITIALKEY"], file["DATE"] = "fast", "H", "unknown"
    file["TITLE"], file["ARTIST"] = "a\x00b\nc", " " * 10
    file["ALBUM"] = "x" * 10_000
    file.clear_pictures()
    file.add_picture(picture(b"not a picture"))
    file.save()
    tags = read_tags(path)
    assert (tags.bpm, tags.key, tags.year, tags.cover) == (None, None, None, None)
    assert (tags.title, tags.artist, len(tags.album)) == ("a b c", "", 500)
    assert tags.genre == "House"


def test_an_old_numbered_genre_is_a_word(tmp_path):
    soundfile.write(tmp_path / "a.mp3", SOUND, RATE)
    file = mutagen.File(tmp_path / "a.mp3")
    file.add_tags()
    file.tags.add(id3.TCON(text="(17)"))
    file.save()
    assert read_tags(tmp_path / "a.mp3").genre == "Rock"


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return {name: made(folder, name).read_bytes() for name in ("a.mp3", "a.flac", "a.m4a", "a.ogg")}


@pytest.mark.slow
@given(
    name=st.sampled_from(["a.mp3", "a.flac", "a.m4a", "a.ogg"]),
    cuts=st.lists(st.tuples(st.integers(0, 6_000), st.binary(max_size=8)), max_size=4),
    end=st.integers(0, 20_000),
)
def test_no_damage_brings_anything_but_tags(tmp_path_factory, whole_files, name, cuts, end):
    data = bytearray(whole_files[name][: max(end, 1)])
    for at, piece in cuts:
        data[at : at + len(piece)] = piece
    path = tmp_path_factory.getbasetemp() / f"damaged-{name}"
    path.write_bytes(data)
    tags = read_tags(path)
    assert len(tags.title) <= 500
    (tags.title + tags.artist + tags.album + tags.genre).encode()


# ---------------------------------------------------------------- content


def test_content_is_the_same_whatever_the_name(tmp_path):
    data = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(data)
    (tmp_path / "b").write_bytes(data)
    told = []
    assert content_hash(tmp_path / "a", told.append) == content_hash(tmp_path / "b")
    assert told[-1] == 1.0
    assert told == sorted(told)
    with pytest.raises(MediaError, match="No such file"):
        content_hash(tmp_path / "none")


def test_a_cover_is_kept_once(tmp_path):
    folder = tmp_path / "covers"
    name = keep_cover(folder, Cover(PNG, "png"))
    assert keep_cover(folder, Cover(PNG, "png")) == name
    assert [entry.name for entry in folder.iterdir()] == [name]
    assert (folder / name).read_bytes() == PNG
