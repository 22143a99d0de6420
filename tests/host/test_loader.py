"""Tracks into memory: what the disk does later does not matter, and errors are told."""

import ctypes
import errno
import os
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from sfa_engine.engine.command import Op, ReportKind
from sfa_engine.engine.layout import LATENCY, SLOTS
from sfa_engine.engine.ring import Command
from sfa_engine.errors import EngineError, MediaError
from sfa_engine.host import loader
from sfa_engine.host.decks import Decks
from sfa_engine.host.offline import Offline
from sfa_engine.library.bundle import constant_grid, write_bundle_arrays
from sfa_engine.track.curves import FILE, CurvesWriter
from sfa_engine.track.media import read_bundle

RATE = 48_000
SECONDS = 8


@pytest.fixture(scope="module")
def sound():
    noise = np.random.default_rng(6).standard_normal((SECONDS * RATE, 2)) * 0.1
    return np.clip(noise, -0.9, 0.9).astype(np.float32)


@pytest.fixture
def bundle(tmp_path, sound):
    stems = {"drums": sound / 2, "bass": sound / 2}
    return write_bundle_arrays(tmp_path / "x.sfa", stems, title="X", artist="", bpm=120.0)


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def play(engine, seconds):
    engine.push(Command(Op.PLAY, deck=0, x=1.0))
    return engine.render(int(seconds * RATE))


def test_a_bundle_sounds_as_its_stems(bundle, sound):
    engine = Offline()
    engine.load(0, bundle)
    engine.render(32)
    out = play(engine, 2)
    expected = sound[200 : len(out) - LATENCY]
    assert np.abs(out[LATENCY + 200 :] - expected).max() < 2 / 32768


@pytest.mark.parametrize("pcm", ["s16", "f32"])
def test_a_track_that_is_played_from_its_files_sounds_as_one_in_memory(tmp_path, sound, pcm):
    stems = {"drums": sound / 2, "bass": sound / 2}
    path = write_bundle_arrays(
        tmp_path / "f.sfa", stems, title="F", artist="", bpm=120.0, gain_db=-2.0, pcm=pcm
    )
    heard = []
    for mapped in (False, True):
        engine = Offline(mapped=mapped)
        mounted = engine.load(0, path, position_s=1.0)
        assert isinstance(mounted.pcm["drums"], np.memmap) is mapped
        engine.render(32)
        heard.append(play(engine, 1))
        engine.load(0, path)  # the first is given back, and its files are closed
        engine.render(32)
        engine.load(0, path)
    assert np.array_equal(*heard)
    assert np.abs(heard[0]).max() > 0.05


def test_files_that_cannot_be_mapped_are_told(bundle, monkeypatch):
    monkeypatch.setattr(np, "memmap", lambda *_: (_ for _ in ()).throw(OSError(24, "too many")))
    with pytest.raises(MediaError, match="a stem cannot be mapped"):
        Offline(mapped=True).load(0, bundle)


@pytest.mark.parametrize("pcm", ["s16", "f32"])
def test_both_forms_of_pcm_are_played(tmp_path, sound, pcm):
    path = write_bundle_arrays(
        tmp_path / "f.sfa", {"mix": sound}, title="F", artist="", bpm=None, pcm=pcm
    )
    engine = Offline()
    engine.load(0, path)
    engine.render(32)
    out = play(engine, 1)
    error = np.abs(out[LATENCY + 200 :] - sound[200 : len(out) - LATENCY]).max()
    assert error < (1 / 32768 if pcm == "s16" else 1e-7)


def test_what_happens_to_the_files_after_the_load_is_not_heard(bundle, sound):
    engine = Offline()
    engine.load(0, bundle)
    engine.render(32)
    for file in bundle.glob("*.wav"):
        os.truncate(file, 1000)
    out = play(engine, 4)
    assert np.abs(out[LATENCY + 200 :] - sound[200 : len(out) - LATENCY]).max() < 2 / 32768


def test_a_file_cut_short_while_it_is_read_is_told_and_the_beginning_plays(
    bundle, sound, monkeypatch
):
    read = loader.Reader.read
    cut = bundle / "bass.wav"

    def read_and_cut(self, start, end):
        if start > 0:
            os.truncate(cut, 3 * RATE * 4)
        return read(self, start, end)

    monkeypatch.setattr(loader.Reader, "read", read_and_cut)
    engine = Offline()
    mounted, _ = engine.loader.mount_bundle(bundle)
    mounted.filled.wait()
    assert "has become shorter" in mounted.error
    engine.loader.give_track(0, mounted)
    engine.render(32)
    out = play(engine, 6)
    early = slice(LATENCY + 200, RATE)
    assert np.abs(out[early] - sound[200 : RATE - LATENCY]).max() < 2 / 32768
    assert engine.memory.reading("deck1.underruns") > 0
    assert not out[-RATE:].any()


def test_a_track_that_starts_in_its_middle_is_read_from_there(bundle, sound):
    engine = Offline()
    mounted, _ = engine.loader.mount_bundle(bundle, 5.0)
    mounted.filled.wait()
    engine.loader.give_track(0, mounted, 5.0)
    engine.render(32)
    out = play(engine, 1)
    expected = sound[5 * RATE + 200 : 6 * RATE - LATENCY]
    assert np.abs(out[LATENCY + 200 :] - expected).max() < 2 / 32768


def test_another_grid_while_it_plays_is_not_heard_and_its_beats_are_in_force(bundle):
    loops = [Command(Op.LOOP_BEATLOOP, deck=0), Command(Op.JUMP, deck=0, x=4.0)]
    grids = [constant_grid(bpm, 0.25, 4, RATE) for bpm in (60.0, 90.0, 120.0)]

    def heard(grids):
        engine = Offline()
        engine.load(0, bundle)
        engine.render(32)
        played = [play(engine, 0.5)]
        for grid in grids * SLOTS:
            assert engine.loader.give_grid(0, grid)
            assert not engine.loader.give_grid(0, grid)  # the last one still waits
            played.append(engine.render(4800))
            assert engine.memory.reading("deck1.tempo") == pytest.approx(grid.bpm)
        engine.loader.free()
        assert len(engine.loader._mounted) == 1
        return engine, np.concatenate(played)

    engine, changed = heard(grids)
    same, unchanged = heard(grids[-1:] * len(grids))
    assert changed.any()
    assert np.array_equal(changed, unchanged)
    for command in loops:
        engine.push(command)
        same.push(command)
    assert np.array_equal(engine.render(RATE), same.render(RATE))


def curves(bundle, frames, digest=None):
    """Put curves with a splice list into a bundle."""
    writer = CurvesWriter()
    writer.add_list("splices", frames)
    (bundle / FILE).write_bytes(writer.file(digest or read_bundle(bundle).track.digest))


def test_the_onsets_of_a_bundle_are_in_memory_for_the_kernel(bundle):
    known = [1000, 50_000, 10**9]
    curves(bundle, known)
    engine = Offline()
    mounted = engine.load(0, bundle)
    media = engine.dsp.record["media"][mounted.slot]
    assert mounted.splices.tolist() == known[:2]  # the last one is beyond the track
    assert media["splices"] == 2
    address = ctypes.cast(int(media["splices_address"]), ctypes.POINTER(ctypes.c_double))
    assert address[:2] == known[:2]
    engine.render(32)
    assert engine.loader.give_grid(0, None)
    engine.render(32)
    assert engine.loader.on_deck(0).splices.tolist() == known[:2]


@pytest.mark.parametrize("fault", ["missing", "of_another_sound", "damaged"])
def test_without_valid_curves_no_onsets_are_known(bundle, fault):
    if fault != "missing":
        curves(bundle, [1000], "00" * 32 if fault == "of_another_sound" else None)
    if fault == "damaged":
        file = bundle / FILE
        file.write_bytes(file.read_bytes()[:-1] + b"!")
    engine = Offline()
    mounted = engine.load(0, bundle)
    assert mounted.splices is None
    assert engine.dsp.record["media"][mounted.slot]["splices"] == -1


def test_an_analysis_gives_the_track_on_a_deck_its_onsets(bundle):
    engine = Offline()
    decks = Decks(engine.memory, engine.loader)
    stopped = threading.Event()

    def run():
        while not stopped.is_set():
            engine.render(512)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        decks.load(0, str(bundle))
        engine.loader.on_deck(0).filled.wait(10)
        assert engine.loader.on_deck(0).splices is None
        curves(bundle, [4800])
        assert decks.refresh(0)["is_current"]
        engine.loader.wait_taken(0)
        assert engine.loader.on_deck(0).splices.tolist() == [4800]
        taken = engine.loader.on_deck(0)
        assert decks.refresh(0)["is_current"]
        assert engine.loader.on_deck(0) is taken  # nothing new
    finally:
        stopped.set()
        thread.join()


def test_another_grid_waits_until_a_track_is_all_in_memory(bundle, monkeypatch):
    goes_on = threading.Event()
    read = loader.Reader.read

    def read_later(self, start, end):
        if start > 0:
            goes_on.wait(10)
        return read(self, start, end)

    monkeypatch.setattr(loader.Reader, "read", read_later)
    engine = Offline()
    assert not engine.loader.give_grid(0, None)  # there is no track
    mounted, _ = engine.loader.mount_bundle(bundle)
    engine.loader.give_track(0, mounted)
    engine.render(32)
    assert not engine.loader.give_grid(0, None)
    goes_on.set()
    mounted.filled.wait(10)
    assert engine.loader.give_grid(0, None)
    engine.render(32)
    engine.push(Command(Op.JUMP, deck=0, x=4.0))
    engine.render(32)
    assert [r.kind for r in engine.reported() if r.op == Op.JUMP] == [ReportKind.REFUSED]


def test_a_grid_for_a_track_that_has_gone_changes_nothing_and_keeps_no_memory(bundle, sound):
    engine = Offline()
    engine.load(0, bundle)
    engine.render(32)
    engine.loader.give_track(0, None)
    assert engine.loader.give_grid(0, None)  # sent behind what takes the track away
    engine.render(4800)
    assert engine.loader.on_deck(0) is None
    other = engine.loader.mount_arrays({"mix": sound}, RATE)
    engine.loader.give_track(0, other)
    engine.render(4800)
    engine.loader.wait_taken(0)
    engine.loader.free()
    assert list(engine.loader._mounted.values()) == [other]


def test_a_bundle_that_is_gone_is_refused_and_takes_no_slot(tmp_path):
    engine = Offline()
    for _ in range(SLOTS + 2):
        with pytest.raises(MediaError, match="gone"):
            engine.loader.mount_bundle(tmp_path / "gone.sfa")
    assert not engine.loader._mounted


def test_a_bundle_whose_files_cannot_be_opened_takes_no_slot(bundle, monkeypatch):
    engine = Offline()
    opened = os.open

    def refuse(path, flags, *mode):
        if str(path).endswith(".wav"):
            raise OSError(errno.EMFILE, "Too many open files", str(path))
        return opened(path, flags, *mode)

    with monkeypatch.context() as full:
        full.setattr(loader.os, "open", refuse)
        for _ in range(SLOTS + 2):
            with pytest.raises(MediaError, match="Too many open files"):
                engine.loader.mount_bundle(bundle)
    engine.load(0, bundle)
    assert len(engine.loader._mounted) == 1


def test_a_track_that_gets_no_thread_to_fill_it_takes_no_slot_and_no_file(bundle, monkeypatch):
    engine = Offline()
    files = open_files()

    def refuse(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        for _ in range(SLOTS + 2):
            with pytest.raises(RuntimeError, match="thread"):
                engine.loader.mount_bundle(bundle)
    assert not engine.loader._mounted
    assert open_files() == files


def test_a_track_that_the_kernel_has_no_room_for_gives_its_slot_back(bundle):
    engine = Offline()
    mounted, _ = engine.loader.mount_bundle(bundle)
    with suppress(EngineError):
        while True:
            engine.loader.give_track(0, None)
    with pytest.raises(EngineError, match="takes no commands"):
        engine.loader.give_track(0, mounted)
    mounted.filled.wait(10)
    engine.loader.free()
    assert not engine.loader._mounted


def test_a_track_larger_than_the_memory_is_refused_with_both_sizes(bundle, monkeypatch):
    monkeypatch.setattr(loader, "available_bytes", lambda: loader.RESERVE_BYTES + 1000)
    with pytest.raises(EngineError, match=r"needs \d+ MB of memory and 0 MB are free"):
        Offline().loader.mount_bundle(bundle)


@pytest.mark.parametrize("error", [OSError(errno.ENOMEM, "Cannot allocate memory"), MemoryError()])
def test_a_track_that_the_system_gives_no_memory_is_refused_with_its_size(
    bundle, monkeypatch, error
):
    def refuse(*_):
        raise error

    engine = Offline()
    monkeypatch.setattr(loader.mmap, "mmap", refuse)
    with pytest.raises(EngineError, match=r"not the memory for .*\.wav: 1 MB; eject"):
        engine.loader.mount_bundle(bundle)


def test_a_full_rack_says_so(sound):
    engine = Offline()
    for _ in range(SLOTS):
        engine.loader.mount_arrays({"mix": sound}, RATE)
    with pytest.raises(EngineError, match="all media slots"):
        engine.loader.mount_arrays({"mix": sound}, RATE)


def test_a_track_that_is_still_on_the_ring_keeps_its_memory_when_its_deck_is_ejected(sound):
    engine = Offline()
    mounted = engine.loader.mount_arrays({"mix": sound}, RATE)
    engine.loader.give_track(0, mounted)
    engine.loader.give_track(0, None)
    with pytest.raises(EngineError, match="did not take the track"):  # no block is rendered
        engine.loader.wait_taken(0, 0.01)
    engine.loader.free()
    assert engine.dsp.record["media"][mounted.slot]["address"].any()
    engine.render(64)
    engine.loader.wait_taken(0)
    engine.loader.free()
    assert not engine.dsp.record["media"][mounted.slot]["address"].any()
