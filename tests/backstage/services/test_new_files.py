"""Files that arrive while a folder is watched; the kernel's own events, and time that is given."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sfa_engine.backstage.services.new_files import StabilityTracker, is_written, new_files

SONG = Path("song.mp3")


def test_a_file_is_whole_when_its_size_has_been_steady():
    growth = StabilityTracker(steady_s=3.0)
    sizes = [(0.0, 100), (1.0, 200), (2.0, 200), (3.9, 200), (4.0, 200)]
    assert [growth.update(SONG, (size, 7), now) for now, size in sizes] == [False] * 4 + [True]
    assert growth.paths == ()


def test_a_file_that_grows_slowly_is_waited_for():
    growth = StabilityTracker(steady_s=3.0)
    assert not any(growth.update(SONG, (n, 7), 2.9 * n) for n in range(1, 50))
    assert growth.paths == (SONG,)


def test_a_file_that_is_written_in_place_is_waited_for():
    growth = StabilityTracker(steady_s=3.0)
    written = [growth.update(SONG, (100, now), float(now)) for now in range(60)]
    assert not any(written)
    assert [growth.update(SONG, (100, 59), now) for now in (61.9, 62.0)] == [False, True]


@pytest.mark.slow
def test_a_preallocated_file_is_told_when_the_last_block_is_written(tmp_path):
    path = tmp_path / "one.mp3"

    async def watch():
        told = []

        async def listen():
            async for found in new_files(tmp_path, asyncio.Event(), steady_s=0.6, poll_ms=50):
                told.append((found, path.read_bytes()))
                return

        listening = asyncio.ensure_future(listen())
        await asyncio.sleep(0.3)
        path.write_bytes(bytes(2000))
        for block in range(20):  # opened anew for each, as a server of files does
            with path.open("r+b") as file:
                file.seek(block * 100)
                file.write(b"s" * 100)
            await asyncio.sleep(0.1)
        await listening
        return told

    assert asyncio.run(asyncio.wait_for(watch(), 30)) == [(path, b"s" * 2000)]


def test_an_empty_file_is_waited_for_and_one_that_goes_is_forgotten():
    growth = StabilityTracker(steady_s=1.0)
    assert not any(growth.update(SONG, (0, 7), float(now)) for now in range(10))
    assert not growth.update(SONG, None, 10.0)
    assert growth.paths == ()


@pytest.mark.slow
def test_files_that_arrive_are_told_once_and_only_sound(tmp_path):
    (tmp_path / "old.mp3").write_bytes(b"was here")
    (tmp_path / "deep").mkdir()

    async def watch():
        stop = asyncio.Event()
        told = []
        watching = new_files(tmp_path, stop, steady_s=0.0, poll_ms=50)
        first = asyncio.ensure_future(anext(watching))
        number = 0
        while not first.done():  # until the watch stands, what is written is not seen
            number += 1
            (tmp_path / "notes.txt").write_text("x")
            (tmp_path / ".hidden.mp3").write_bytes(b"x")
            (tmp_path / "one.mp3").write_bytes(b"x" * number)
            await asyncio.wait([first], timeout=0.2)
        told.append(await first)
        (tmp_path / "deep/two.flac").write_bytes(b"sound")
        async for path in watching:
            told.append(path)
            if path.name == "two.flac":
                stop.set()
        return told

    told = asyncio.run(asyncio.wait_for(watch(), 30))
    assert {path.name for path in told} == {"one.mp3", "two.flac"}
    assert told[-1] == tmp_path / "deep/two.flac"


@pytest.mark.slow
@pytest.mark.parametrize("back", [True, False])
def test_watching_ends_when_the_folder_is_another_or_gone(tmp_path, back):
    folder = tmp_path / "inbox"
    folder.mkdir()

    async def watch():
        watching = asyncio.ensure_future(
            anext(new_files(folder, asyncio.Event(), poll_ms=50), None)
        )
        await asyncio.sleep(0.3)
        folder.rename(tmp_path / "elsewhere")
        if back:
            folder.mkdir()
        return await watching

    assert asyncio.run(asyncio.wait_for(watch(), 60)) is None


@pytest.mark.slow
def test_a_folder_that_is_moved_here_brings_its_files(tmp_path):
    here = tmp_path / "here"
    here.mkdir()

    async def watch():
        watching = new_files(here, asyncio.Event(), steady_s=0.0, poll_ms=50)
        first = asyncio.ensure_future(anext(watching))
        number = 0
        while not first.done():  # until the watch stands, what comes is not seen
            number += 1
            album = tmp_path / "elsewhere" / f"album {number}"
            (album / "disc 1").mkdir(parents=True)
            (album / "disc 1" / "song.mp3").write_bytes(b"sound")
            (album / "cover.jpg").write_bytes(b"picture")
            album.rename(here / album.name)
            await asyncio.wait([first], timeout=0.2)
        return await first

    path = asyncio.run(asyncio.wait_for(watch(), 30))
    assert path.name == "song.mp3"
    assert path.parent.parent.parent == here


@pytest.mark.slow
def test_watching_ends_when_told(tmp_path):
    async def watch():
        stop = asyncio.Event()
        stop.set()
        return [path async for path in new_files(tmp_path, stop, poll_ms=50)]

    assert asyncio.run(asyncio.wait_for(watch(), 10)) == []


@pytest.mark.slow
def test_a_folder_may_be_named_from_here_or_by_a_link(tmp_path, monkeypatch):
    (tmp_path / "music").mkdir()
    (tmp_path / "link").symlink_to("music")
    monkeypatch.chdir(tmp_path)

    async def first_of(folder):
        watching = new_files(Path(folder), asyncio.Event(), steady_s=0.0, poll_ms=50)
        first = asyncio.ensure_future(anext(watching))
        number = 0
        while not first.done():
            number += 1
            (tmp_path / "music/one.mp3").write_bytes(b"x" * number)
            await asyncio.wait([first], timeout=0.2)
        return await first

    for folder in ("music", "link"):
        path = asyncio.run(asyncio.wait_for(first_of(folder), 30))
        assert path.name == "one.mp3"
        assert path.is_absolute()


# ---------------------------------------------------------------- copies that stand still


def test_a_file_that_somebody_writes_is_not_whole_however_steady():
    growth = StabilityTracker(steady_s=3.0)
    assert not any(growth.update(SONG, (100, 7), float(now), is_open=True) for now in range(60))
    assert not growth.update(SONG, (100, 7), 61.0)
    assert growth.update(SONG, (100, 7), 63.0)


def test_the_kernel_tells_who_writes(tmp_path):
    path = tmp_path / "song.wav"
    with path.open("wb") as file:
        file.write(b"x")
        assert is_written(path)
        with path.open("rb"):
            assert is_written(path)
    assert not is_written(path)
    with path.open("rb"):
        assert not is_written(path)
    assert not is_written(tmp_path / "none")


def test_a_writer_who_comes_while_it_is_asked_is_not_disturbed(tmp_path):
    path = tmp_path / "song.wav"
    path.write_bytes(b"")
    done = threading.Event()

    def write() -> None:
        for _ in range(2000):
            with path.open("ab") as file:
                file.write(b"x")
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        is_written(path)
    writer.join()
    assert path.stat().st_size == 2000


async def first_arrival(folder, change, **how):
    """Return the first file that is told in a folder, while a change is made in it."""
    watching = asyncio.ensure_future(anext(new_files(folder, asyncio.Event(), poll_ms=50, **how)))
    await asyncio.sleep(0.3)  # until the watch stands
    await asyncio.gather(change(watching))
    return await watching


@pytest.mark.slow
def test_a_copy_that_stands_still_is_told_when_it_is_closed(tmp_path):
    async def copy(watching):
        with (tmp_path / "song.mp3").open("wb") as file:
            file.write(b"first half")
            file.flush()
            await asyncio.sleep(1.0)
            assert not watching.done()
            file.write(b"second half")

    told = asyncio.run(asyncio.wait_for(first_arrival(tmp_path, copy, steady_s=0.2), 30))
    assert told.read_bytes() == b"first halfsecond half"


@pytest.mark.slow
@pytest.mark.parametrize("form", ["WAV", "OGG", "AIFF"])
def test_a_file_without_its_end_is_waited_for_longer(tmp_path, form):
    path = tmp_path / f"song.{form.lower()}"
    soundfile.write(tmp_path / "whole", np.zeros((480_000, 2)), 48_000, format=form)
    content = (tmp_path / "whole").read_bytes()

    async def copy(watching):
        path.write_bytes(content[: len(content) // 2])  # by another machine: nobody here writes
        await asyncio.sleep(1.0)
        assert not watching.done()
        with path.open("ab") as file:
            file.write(content[len(content) // 2 :])

    how = {"steady_s": 0.2, "truncated_steady_s": 20.0}
    asyncio.run(asyncio.wait_for(first_arrival(tmp_path, copy, **how), 15))
    assert path.read_bytes() == content


@pytest.mark.slow
def test_a_file_that_was_cut_elsewhere_is_taken_at_last(tmp_path):
    path = tmp_path / "song.wav"
    soundfile.write(tmp_path / "whole", np.zeros((480_000, 2)), 48_000, format="WAV")

    async def copy(_watching):
        path.write_bytes((tmp_path / "whole").read_bytes()[:100_000])

    how = {"steady_s": 0.2, "truncated_steady_s": 1.0}
    assert asyncio.run(asyncio.wait_for(first_arrival(tmp_path, copy, **how), 30)) == path
