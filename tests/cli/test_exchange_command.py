"""`sfa library import`, `export` and `prepare` beside a real backstage."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from house import House, house, song, until_ended

from sfa_engine.errors import Refused
from sfa_engine.wire.blocking import SocketClient

pytestmark = pytest.mark.slow
Ran = tuple[int, str, str]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("exchange")) as lent:
        lent.start().close()
        yield lent


@pytest.fixture
def client(here: House) -> Iterator[SocketClient]:
    with here.connect() as lent:
        yield lent


@pytest.fixture(scope="module")
def music(here: House) -> Path:
    """Make a song, a sheet with its cues, and a list that has another one too."""
    folder = here.folder / "Music"
    song(folder / "Ann - One.wav", seconds=12.0, bpm=120.0)
    (folder / "one.cue").write_text(
        'PERFORMER "Ann"\nTITLE "One"\nFILE "Ann - One.wav" WAVE\n'
        '  TRACK 01 AUDIO\n    TITLE "begin"\n    INDEX 01 00:01:00\n'
        '  TRACK 02 AUDIO\n    TITLE "drop"\n    INDEX 01 00:08:00\n'
    )
    (folder / "Set.m3u8").write_text("#EXTINF:12,Ann - One\nann - one.WAV\nC:\\gone\\Two.mp3\n")
    return folder


@pytest.fixture
def library(here: House, tmp_path: Path) -> Callable[..., Ran]:
    def run(*words: object) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "sfa_engine.cli.main", "library", *map(str, words)],
            env=here.env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_lists_and_cues_come_over_and_the_track_keeps_them_when_it_is_prepared(
    client: SocketClient, music: Path, library: Callable[..., Ran], tmp_path: Path
) -> None:
    status, out, _ = library("import", music / "one.cue", "--dry-run")
    assert (status, out.splitlines()[0]) == (*(0, "would import 1 track (1 new) from CUE sheets"),)
    assert client.call("library.search", words="")["count"] == 0
    assert library("import", music / "one.cue", "--quiet")[:2] == (0, "")
    status, out, _ = library("import", music / "Set.m3u8", "--json")
    done = json.loads(out)
    assert status == 0
    assert (done["counts"]["new"], done["counts"]["updated"], done["losses"]) == (1, 1, [])
    status, out, _ = library("playlist", "list")
    assert out == "Set  (2 tracks)\n"

    shown = client.call("library.show", track="Ann One")
    assert (shown["state"], len(shown["cues"])) == ("added", 2)
    # A load asks for it like this: the track is imported, from its source, as the one that it is.
    asked = client.call("library.find", words="Ann One", prepare=True)
    assert asked["track"] == shown["id"]
    batch = client.call("jobs.show", job=asked["preparing"])["batches"][0]
    until_ended(client, batch)
    now = client.call("library.show", track="Ann One")
    assert (now["id"], now["state"]) == (shown["id"], "ready")
    assert [(c["label"], c["position_s"]) for c in now["cues"] if c["by_hand"]] == [
        *(("begin", 1.0), ("drop", 8.0)),
    ]
    assert client.call("library.find", words="Ann One", prepare=True)["bundle"] == now["bundle"]

    status, out, err = library("prepare", "--all", "--quiet")
    assert (status, out) == (0, "0 tracks to prepare\n")
    assert not err
    status, out, err = library("prepare", "--playlist", "Set", "--dry-run")
    assert (out, err) == ("0 tracks to prepare\n", "1 file not here: see --map\n")

    assert library("export", "--playlist", "Set", "--to", "m3u", "-o", "back.m3u8")[0] == 0
    assert str(music / "Ann - One.wav") in (tmp_path / "back.m3u8").read_text()
    status, out, _ = library("export", "Ann One", "--to", "zip", "-o", "stems")
    assert status == 0
    assert out.startswith(f"exported 1 track to {tmp_path}/stems")
    assert (tmp_path / "stems" / "Ann - One.stems.zip").is_file()
    assert library("export", "Ann One", "--to", "zip", "-o", "stems")[0] == 2  # it is there
    status, out, _ = library("export", "--to", "zip", "-o", "stems", "--replace")
    assert status == 1
    assert "1 x track" in out
    assert library("export", "--to", "sfa")[0] == 0
    assert (tmp_path / "library.sfa-library.zip").is_file()
    assert library("import", "library.sfa-library.zip", "--quiet")[0] == 0


def test_a_query_prepares_what_was_only_imported(
    client: SocketClient, library: Callable[..., Ran], tmp_path: Path
) -> None:
    song(tmp_path / "Bo - Later.wav", seconds=4.0, seed=5)
    (tmp_path / "more.m3u").write_text("Bo - Later.wav\n")
    assert library("import", "more.m3u", "--quiet")[0] == 0
    assert client.call("library.show", track="Later")["state"] == "added"
    assert library("prepare", "Later", "--quiet")[0] == 0
    assert client.call("library.show", track="Later")["state"] == "ready"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("import", "nowhere.xml"), "no file or folder"),
        (("import", "."), "no folder of stems"),
        (("import", "x.bin"), "is of no known format"),
        (("import", "x.bin", "--format", "m3v"), 'did you mean "m3u"?'),
        (("import", "x.bin", "--format", "midi"), "is only written"),
        (("import", "x.bin", "--map", "oops"), "FROM=TO"),
        (("import", "x.bin", "--mp3-shift", "much"), "invalid MP3 shift"),
        (("import", "x.bin", "--format", "cue"), "is not a CUE sheet"),
        (("export", "--to", "apple"), "only read"),
        (("export", "--to", "nothing"), "no format"),
        (("export", "--playlist", "None such", "--to", "m3u"), "no playlist"),
        (("export", "title:nothing-like-it", "--to", "m3u"), "no track to export"),
        (("export", "--to", "m3u", "-o", "x.bin"), "exists"),
    ],
)
def test_what_does_nothing_exits_with_2_and_a_hint(
    library: Callable[..., Ran], tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "x.bin").write_bytes(b"TITLE \xff")
    status, out, err = library(*words)
    assert (status, out) == (2, "")
    (line,) = err.split("\n")[-2:-1]  # above it the progress bar has ended
    assert line.startswith("sfa: ")
    assert said in line
    assert "; " in line


def test_a_report_is_of_an_exchange_alone(client: SocketClient, music: Path) -> None:
    said = client.call("prep.add", sources=[str(music / "Ann - One.wav")], engine="none")
    until_ended(client, said["batch"])
    with pytest.raises(Refused, match="imports and exports no library"):
        client.call("library.exchanged", job=said["jobs"][0])
    formats = {each["name"]: each for each in client.call("library.formats")["formats"]}
    assert formats["m3u"]["reads"]
    assert formats["m3u"]["writes"]
