"""Loads by words and by file: looked up without the deck's lock, prepared where that is needed."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from engine_process import Show, show, until

from sfa_engine.errors import SfaError
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.system.process_lock import lock_holder
from sfa_engine.track.media import Cue

pytestmark = pytest.mark.slow

RATE = 48_000


_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def engine() -> Iterator[Show]:
    """One engine for all tests here; each has a song of its own."""
    with show({}, "none") as running:
        until((running.runtime / "backstage.sock").exists, "backstage")
        yield running


@pytest.fixture
def song(tmp_path: Path) -> Path:
    number = next(_numbers)
    sound = np.random.default_rng(number).standard_normal((4 * RATE, 2)) * 0.1
    path = tmp_path / f"my song {number}.wav"
    soundfile.write(path, sound, RATE)
    return path


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    sound = (np.random.default_rng(1).standard_normal((4 * RATE, 2)) * 0.1).astype(np.float32)
    return write_bundle_arrays(tmp_path / "x.sfa", {"mix": sound}, title="X", artist="", bpm=None)


def loaded(engine: Show, deck: int = 1) -> str:
    with engine.connect() as client:
        return str(client.call("status")["decks"][deck - 1].get("title", ""))


@pytest.fixture(autouse=True)
def _empty_decks(engine: Show) -> Iterator[None]:
    yield
    with engine.connect() as client:
        for deck in (1, 2):
            client.call("deck.eject", deck=deck)


def prepare(engine: Show, song: Path) -> None:
    status, _, err = engine.command("prep", "--no-stems", "--quiet", str(song))
    assert status == 0, err


def test_a_load_that_waits_for_backstage_holds_up_no_other_of_its_deck(
    engine: Show, bundle: Path
) -> None:
    backstage = lock_holder(engine.runtime / "backstage.lock")
    os.kill(backstage, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor() as pool, engine.connect() as waiting, engine.connect() as other:
            asked = pool.submit(waiting.call, "deck.load", deck=1, track="anything")
            time.sleep(0.3)  # it may be asked by then; if not, this test is merely kind
            began = time.monotonic()
            assert other.call("deck.load", deck=1, path=str(bundle))["title"] == "X"
            other.call("deck.eject", deck=1)
            assert time.monotonic() - began < 5.0
            assert not asked.done()
            with pytest.raises(SfaError):
                asked.result(60.0)
    finally:
        os.kill(backstage, signal.SIGCONT)


def test_a_file_that_was_imported_is_loaded_by_its_path_and_by_a_copy(
    engine: Show, song: Path
) -> None:
    prepare(engine, song)
    copy = shutil.copy(song, song.with_name("another name.wav"))
    for path in (song, copy):
        with engine.connect() as client:
            assert client.call("deck.load", deck=1, path=str(path))["title"] == song.stem
    status, out, err = engine.command("load", "2", str(song))
    assert (status, out.split(",")[0]) == (0, f"deck 2: {song.stem}"), err


def test_a_file_that_is_not_prepared_is_prepared_and_loaded_when_it_is_ready(
    engine: Show, song: Path
) -> None:
    with engine.connect() as client:
        said = client.call("deck.load", deck=1, path=str(song))
        assert said["preparing"] > 0
        assert said["name"] == song.name
    until(lambda: loaded(engine) == song.stem, "the song on the deck")


def test_automatic_gain_brings_a_track_to_the_loudness_at_its_load(
    engine: Show, song: Path, bundle: Path
) -> None:
    prepare(engine, song)
    with engine.connect() as client:

        def trim() -> float:
            return float(client.call("get", path="deck1.trim")["value"])

        def load() -> str:
            client.call("set", path="deck1.trim", value=1.5, wait=True)
            client.call("deck.load", deck=1, path=str(song), force=True)
            return str(client.call("library.find", path=str(song))["bundle"])

        analysed = load()
        assert trim() == 1.5  # off
        lufs = client.call("library.hotcues", bundle=analysed)["loudness_lufs"]
        client.call("set", path="master.auto_gain", value=True)
        client.call("set", path="master.loudness", value=-17.0)
        load()
        until(lambda: trim() == round(-17.0 - lufs, 1), "the trim")
        client.call("set", path="master.loudness", value=-30.0)
        load()
        until(lambda: trim() == -12.0, "the lowest trim")
        client.call("deck.load", deck=1, path=str(bundle))  # which has no analysis
        until(lambda: trim() == 0.0, "the trim at rest")
        client.call("set", path="deck1.trim", value=1.5, wait=True)
        client.call("deck.load", deck=1, path=str(bundle))
        assert trim() == 1.5  # the performer's
        client.call("set", path="master.auto_gain", value=False)


def test_the_command_waits_until_the_track_is_on_the_deck(engine: Show, song: Path) -> None:
    status, out, err = engine.command("load", "1", str(song))
    assert (status, out.split(",")[0]) == (0, f"deck 1: {song.stem}"), err
    assert "preparing: job" in err
    assert loaded(engine) == song.stem


def test_a_folder_of_stems_is_loaded_as_the_track_that_was_made_of_it(
    engine: Show, tmp_path: Path
) -> None:
    folder = tmp_path / "in parts"
    folder.mkdir()
    for number, stem in enumerate(("drums", "bass"), 100):
        sound = np.random.default_rng(number).standard_normal((4 * RATE, 2)) * 0.1
        soundfile.write(folder / f"{stem}.wav", sound, RATE)
    status, out, err = engine.command("load", "2", f"{folder}/")
    assert (status, out.split(",")[0]) == (0, "deck 2: in parts"), err
    assert "drums, bass" in out
    with engine.connect() as client:
        assert client.call("deck.load", deck=1, path=str(folder))["title"] == "in parts"


def test_a_track_that_cannot_be_prepared_is_refused(engine: Show, tmp_path: Path) -> None:
    (tmp_path / "noise.wav").write_bytes(b"no sound at all")
    status, out, err = engine.command("load", "1", str(tmp_path / "noise.wav"))
    assert (status, out) == (1, "")
    assert "noise.wav" in err.splitlines()[-1]


def test_a_damaged_track_is_prepared_again_by_a_load(engine: Show, song: Path) -> None:
    prepare(engine, song)
    with engine.connect() as client:
        bundle = Path(client.call("library.find", words=song.stem)["bundle"])
        (bundle / "mix.wav").unlink()
        assert "preparing" in client.call("deck.load", deck=1, track=song.stem)
    until(lambda: loaded(engine) == song.stem, "the song on the deck")
    assert (bundle / "mix.wav").exists()


def test_a_damaged_track_whose_file_is_gone_is_refused_with_its_place(
    engine: Show, song: Path
) -> None:
    prepare(engine, song)
    with engine.connect() as client:
        (Path(client.call("library.find", words=song.stem)["bundle"]) / "mix.wav").unlink()
    song.unlink()
    status, _, err = engine.command("load", "1", song.stem)
    assert status == 1
    assert f'its file "{song}" is not there' in err


def test_a_track_at_whose_place_another_is_now_is_not_loaded_as_that(
    engine: Show, song: Path
) -> None:
    prepare(engine, song)
    with engine.connect() as client:
        (Path(client.call("library.find", words=song.stem)["bundle"]) / "mix.wav").unlink()
    other = np.random.default_rng(1000 + next(_numbers)).standard_normal((4 * RATE, 2)) * 0.1
    soundfile.write(song, other, RATE)
    status, _, err = engine.command("load", "1", song.stem)
    assert status == 1
    assert "another track has replaced it" in err
    time.sleep(1.0)  # the time of two looks
    assert loaded(engine) == ""
    with engine.connect() as client:  # by its place it is meant
        found = client.call("library.find", path=str(song))
        assert client.call("deck.load", deck=1, path=str(song))["path"] == found["bundle"]


def test_another_load_takes_the_place_of_one_that_waits(
    engine: Show, song: Path, bundle: Path
) -> None:
    with engine.connect() as client:
        assert "preparing" in client.call("deck.load", deck=1, path=str(song))
        client.call("deck.load", deck=1, path=str(bundle))
        until(
            lambda: client.call("library.search", words=f"{song.stem} state:ready")["count"],
            "the preparation",
            details=lambda: "".join(f"\n{job}" for job in client.call("jobs.list")["jobs"]),
        )
    time.sleep(1.0)  # the time of two looks
    assert loaded(engine) == "X"


def test_words_of_the_library_come_before_a_file_that_is_called_so(
    engine: Show, song: Path, tmp_path: Path
) -> None:
    prepare(engine, song)
    (tmp_path / song.stem).mkdir()
    status, out, err = engine.command_in(tmp_path, "load", "1", song.stem)
    assert (status, out.split(",")[0]) == (0, f"deck 1: {song.stem}"), err


def test_a_bundle_here_is_loaded_by_its_name_where_no_track_is_called_so(
    engine: Show, bundle: Path
) -> None:
    here = bundle.rename(bundle.with_name("bundle without ending"))
    done = engine.command_in(here.parent, "load", "1", here.name)
    assert done == (0, "deck 1: X, mix\n", "")


@pytest.mark.parametrize("on_load", [True, False])
def test_the_loop_that_a_track_was_saved_with_is_set_and_on_if_it_is_to_be(
    engine: Show, tmp_path: Path, on_load: bool
) -> None:
    sound = (np.random.default_rng(1).standard_normal((4 * RATE, 2)) * 0.1).astype(np.float32)
    cues = [
        Cue(RATE, "of one stem", "loop", RATE + 4800, stem="mix"),
        Cue(RATE // 2, "a hot cue", "loop", RATE, hot_cue=1),
        Cue(2 * RATE, "saved", "loop", 3 * RATE),
    ]
    path = write_bundle_arrays(
        tmp_path / "x.sfa", {"mix": sound}, title="X", artist="", bpm=None, cues=cues
    )
    with engine.connect() as client:
        client.call("set", path="deck1.loop.on_load", value=on_load)
        client.call("deck.load", deck=1, path=str(path))
        loop = [f"deck1.loop.{name}" for name in ("start", "end", "active")]
        until(
            lambda: [client.call("get", path=p)["value"] for p in loop] == [2.0, 3.0, on_load],
            "the loop",
        )


def test_a_deck_shows_the_number_of_its_track_in_the_library(
    engine: Show, song: Path, bundle: Path
) -> None:
    prepare(engine, song)
    with engine.connect() as client:

        def number() -> int:
            return int(client.call("get", path="deck1.track")["value"])

        found = client.call("library.find", path=str(song))
        client.call("deck.load", deck=1, path=str(song))
        assert number() == found["id"]
        stage = lock_holder(engine.runtime / "stage.lock")
        os.kill(stage, signal.SIGKILL)

    def is_shown() -> bool:
        try:
            return loaded(engine) == song.stem
        except SfaError:
            return False

    until(lambda: lock_holder(engine.runtime / "stage.lock") not in {0, stage}, "the next stage")
    until(is_shown, "the song on the deck")
    with engine.connect() as client:
        until(lambda: number() == found["id"], "the number after a restart")
        client.call("deck.load", deck=1, path=str(bundle))  # which the library does not have
        assert number() == 0
        client.call("deck.load", deck=1, path=str(song))
        client.call("deck.eject", deck=1)
        assert number() == 0
