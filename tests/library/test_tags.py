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
from mutagen import apev2, flac, id3, mp4

from sfa_engine.errors import MediaError
from sfa_engine.library.content import content_hash, keep_cover
from sfa_engine.library.tags import Cover, Tags, names_of, read_tags, with_names

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


@pytest.mark.parametrize("nothing", ["\u200b", "\ufeff\u2060", "\u3000", "\u00ad \u202e", "\0\t"])
def test_what_cannot_be_seen_is_no_name(tmp_path, nothing):
    path = made(tmp_path, "a.flac")
    file = flac.FLAC(path)
    file["TITLE"], file["ARTIST"], file["GENRE"] = nothing, [nothing, "X"], "\u200bHouse"
    file.save()
    tags = read_tags(path)
    assert (tags.title, tags.artist, tags.genre) == ("", "X", "\u200bHouse")


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


# ---------------------------------------------------------------- all values, every form of tags


def wave(path, *chunks, form=b"RIFF", kind=b"WAVE", order="<I"):
    soundfile.write(path, SOUND, RATE, format="WAV" if form == b"RIFF" else "AIFF")
    content = path.read_bytes()
    for name, body in chunks:
        content += name + struct.pack(order, len(body)) + body + bytes(len(body) % 2)
    path.write_bytes(form + struct.pack(order, len(content) - 8) + kind + content[12:])
    return path


def info(**texts):
    body = b"INFO"
    for name, text in texts.items():
        raw = text if isinstance(text, bytes) else text.encode()
        body += (
            name.encode() + struct.pack("<I", len(raw) + 1) + raw + bytes(1 + (len(raw) + 1) % 2)
        )
    return b"LIST", body


def test_all_artists_and_genres_of_a_file_are_kept(tmp_path):
    path = made(tmp_path, "a.flac")
    file = flac.FLAC(path)
    file["ARTIST"], file["GENRE"] = ["Alpha", "Beta", "alpha"], ["Drum & Bass", "Jungle"]
    file.save()
    tags = read_tags(path)
    assert (tags.artist, tags.genre) == ("Alpha, Beta", "Drum & Bass, Jungle")
    path = made(tmp_path, "a.mp3")
    file = mutagen.File(path)
    file.tags.add(id3.TPE1(text=["First", "Second"]))
    file.tags.add(id3.TCON(text=["House", "Techno"]))
    file.save()
    assert (read_tags(path).artist, read_tags(path).genre) == ("First, Second", "House, Techno")


def test_a_riff_says_what_its_info_list_does(tmp_path):
    words = info(
        INAM="Títle", IART=b"\xc4rtist", IPRD="Album", IGNR="Dub", ICRD="1997-01", IKEY="8A"
    )
    tags = read_tags(wave(tmp_path / "a.wav", (b"junk", b"x"), words))
    assert (tags.title, tags.artist, tags.album, tags.genre, tags.year, tags.key) == (
        "Títle", "Ärtist", "Album", "Dub", 1997, "A minor",
    )  # fmt: skip


def test_an_aiff_says_what_its_own_chunks_do(tmp_path):
    chunks = ((b"NAME", b"Odd"), (b"AUTH", b"Someone"))
    path = wave(tmp_path / "a.aiff", *chunks, form=b"FORM", kind=b"AIFF", order=">I")
    assert (read_tags(path).title, read_tags(path).artist) == ("Odd", "Someone")


def test_ape_tags_fill_what_id3_does_not_say(tmp_path):
    path = tmp_path / "a.mp3"
    soundfile.write(path, SOUND, RATE)
    ape = apev2.APEv2()
    ape["Title"], ape["Artist"], ape["Genre"] = "Ape", ["One", "Two"], "Dub"
    ape.save(path)
    tags = read_tags(path)
    assert (tags.title, tags.artist, tags.genre) == ("Ape", "One, Two", "Dub")
    file = mutagen.File(path)
    file.add_tags()
    file.tags.add(id3.TIT2(text="Id3"))
    file.save()
    assert (read_tags(path).title, read_tags(path).artist) == ("Id3", "One, Two")


@pytest.mark.parametrize(
    ("frames", "bpm", "key"),
    [
        ([id3.TKEY(text="1m")], None, "A minor"),
        ([id3.TKEY(text="12d")], None, "F major"),
        (
            [id3.TXXX(desc="INITIALKEY", text="5A"), id3.TXXX(desc="BPM", text="126")],
            126,
            "C minor",
        ),
        ([id3.TXXX(desc="Initial Key", text="8A/9A"), id3.TBPM(text="128")], 128, "A minor"),
        ([id3.TBPM(text="0"), id3.TXXX(desc="TEMPO", text="90,5")], 90.5, None),
        ([id3.TBPM(text="128"), id3.TXXX(desc="fBPM", text="127.98")], 127.98, None),
        ([id3.TKEY(text="?"), id3.TXXX(desc="key", text="F#m")], None, "F# minor"),
    ],
)
def test_key_and_tempo_are_found_where_programs_put_them(tmp_path, frames, bpm, key):
    path = tmp_path / "a.mp3"
    soundfile.write(path, SOUND, RATE)
    file = mutagen.File(path)
    file.add_tags()
    for frame in frames:
        file.tags.add(frame)
    file.save()
    assert (read_tags(path).bpm, read_tags(path).key) == (bpm, key)


def test_a_free_tempo_of_mp4_is_more_exact_than_its_atom(tmp_path):
    path = made(tmp_path, "a.m4a")
    file = mutagen.File(path)
    file["----:com.apple.iTunes:BPM"] = [mp4.MP4FreeForm(b"127.35")]
    file["tmpo"] = [127]
    file.save()
    assert read_tags(path).bpm == 127.35


@pytest.mark.parametrize(
    ("name", "artist", "title"),
    [
        ("Artist - Title", "Artist", "Title"),
        ("01 - Artist - Title", "Artist", "Title"),
        ("1-03 Artist \u2013 Title", "Artist", "Title"),
        ("[05] Artist - Title - Remix", "Artist", "Title - Remix"),
        ("01_Artist_-_Title", "Artist", "Title"),
        ("01 Title", "", "Title"),
        ("7. Title", "", "Title"),
        ("07-title", "", "title"),
        ("50 Cent - In da Club", "50 Cent", "In da Club"),
        ("02 50 Cent - In da Club", "50 Cent", "In da Club"),
        ("808 State - Pacific", "808 State", "Pacific"),
        ("99 Problems", "", "99 Problems"),
        ("2-Step", "", "2-Step"),
        ("1999", "", "1999"),
        ("Jay-Z", "", "Jay-Z"),
        (" - x", "", "- x"),
        ("01", "", "01"),
    ],
)
def test_a_file_without_tags_is_called_by_its_name(name, artist, title):
    assert names_of(name) == (artist, title)
    assert with_names(Tags(), name) == Tags(artist=artist, title=title)


def test_what_tags_say_comes_before_the_name():
    assert with_names(Tags(title="T", artist="A"), "X - Y") == Tags(title="T", artist="A")
    assert with_names(Tags(title="Y"), "X - Y") == Tags(title="Y", artist="X")
    assert with_names(Tags(title="Z"), "X - Y") == Tags(title="Z")
    assert with_names(Tags(artist="x"), "X - Y") == Tags(title="Y", artist="x")
    assert with_names(Tags(artist="V"), "X - Y") == Tags(title="X - Y", artist="V")


@given(st.text(max_size=60))
def test_any_name_of_a_file_is_a_title(name):
    artist, title = names_of(name)
    assert title or not name.strip()
    (artist + title).encode()


@given(st.binary(max_size=300))
def test_any_info_list_is_looked_through(tmp_path_factory, noise):
    path = tmp_path_factory.getbasetemp() / "noise.wav"
    path.write_bytes(b"RIFF\xff\xff\xff\x00WAVELIST\x00\x01\x00\x00INFO" + noise)
    tags = read_tags(path)
    (tags.title + tags.artist).encode()
