"""A snapshot on the disk, and the set that goes on from it at the next downbeat."""

import numpy as np
import pytest
import soundfile

from sfa_engine.engine.command import Op
from sfa_engine.engine.journal import HEAD, pack_batch
from sfa_engine.engine.memory import Memory
from sfa_engine.engine.ring import Command
from sfa_engine.errors import MediaError
from sfa_engine.host.decks import Decks
from sfa_engine.host.dsp_state import DspState
from sfa_engine.host.loader import Loader
from sfa_engine.host.offline import Offline
from sfa_engine.host.pads import Pads, Sound
from sfa_engine.host.resume import Snapshots, restore
from sfa_engine.library.bundle import write_bundle_arrays

RATE = 48_000


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    noise = (np.random.default_rng(1).standard_normal((40 * RATE, 2)) * 0.1).astype(np.float32)
    return [
        write_bundle_arrays(
            folder / f"{bpm}.sfa", {"mix": noise}, title="", artist="", bpm=bpm, first_beat_s=0.3,
            rate=RATE,
        )
        for bpm in (123.0, 128.0)
    ]  # fmt: skip


def played(bundles, frames):
    """Return an engine whose decks play in sync, as a host has them."""
    offline = Offline(RATE, 2, 128)
    for deck, path in enumerate(bundles):
        offline.load(deck, path)
        offline.memory.engine["transport"][deck]["bundle"] = str(path).encode()
        offline.memory.engine["transport"][deck]["track_rate"] = RATE
    offline.render(128)
    offline.push(Command(Op["LEADER"], deck=0, x=1.0))
    offline.push(Command(Op["PLAY"], deck=0, x=1.0))
    offline.push(Command(Op["SYNC"], deck=1, x=2.0))
    offline.push(Command(Op["PLAY"], deck=1, x=1.0))
    offline.set("crossfader", 25.0)
    offline.render(frames // 128 * 128)
    return offline


def snapshot(offline, path):
    Snapshots(offline.memory, path).write()
    return path


def resumed(path):
    """Return an engine that goes on from a snapshot, as a new host does."""
    offline = Offline(RATE, 2, 128)
    found = restore(offline.memory, path)
    offline.dsp = DspState(offline.memory, RATE, 2)
    offline.loader = Loader(offline.dsp)
    Decks(offline.memory, offline.loader).resume_all(5.0)
    return offline, found


def beat_of(memory, deck):
    return memory.reading(f"deck{deck}.beat")


@pytest.mark.parametrize("frames", [100_000, 333_333, 555_111])
def test_a_set_goes_on_at_the_next_downbeat(bundles, tmp_path, frames):
    offline = played(bundles, frames)
    reached = beat_of(offline.memory, 1)
    after, found = resumed(snapshot(offline, tmp_path / "s"))
    assert found.deck == 1
    sound = after.render(128)
    # The reading is of the frame after the block.
    tempo = after.memory.reading("deck1.tempo")
    began = beat_of(after.memory, 1) - 128 / RATE * tempo / 60
    downbeat = np.ceil(reached / 4 - 1e-6) * 4
    assert -1e-6 <= downbeat - began <= 32 / RATE * tempo / 60 + 1e-6
    assert after.memory.value("crossfader") == 25.0
    assert sound[64:].any()


def test_the_faster_a_deck_is_the_more_is_in_memory_when_it_goes_on(bundles, tmp_path, monkeypatch):
    offline = played(bundles, 100_000)
    offline.set("deck1.rate", 4.0)
    offline.render(4096)
    path = snapshot(offline, tmp_path / "s")
    monkeypatch.setattr(Loader, "_fill", lambda *_: None)  # a slow disk
    after, _ = resumed(path)
    after.render(RATE)  # at the fourfold speed
    assert after.memory.reading("deck1.underruns") == 0
    assert after.memory.value("deck1.position") > 6.0


@pytest.mark.parametrize("beats", [1, 2, 4, 8])
def test_a_deck_in_a_loop_goes_on_in_its_loop_on_a_beat(bundles, tmp_path, beats):
    offline = played(bundles, 400_000)
    offline.set("deck1.quantise", 1.0)
    offline.set("deck1.loop.length", beats)
    offline.push(Command(Op["LOOP_BEATLOOP"], deck=0, x=1.0))
    offline.render(333_312)
    assert offline.memory.value("deck1.loop.active")
    ends = [offline.memory.value(f"deck1.loop.{end}") for end in ("start", "end")]
    after, _ = resumed(snapshot(offline, tmp_path / "s"))
    after.render(128)
    tempo = after.memory.reading("deck1.tempo")
    began = beat_of(after.memory, 1) - 128 / RATE * tempo / 60
    assert abs(began - round(began)) <= 33 / RATE * tempo / 60
    for _ in range(5):
        assert ends[0] <= after.memory.value("deck1.position") <= ends[1] + 0.01
        after.render(48_000)
    apart = beat_of(after.memory, 1) - beat_of(after.memory, 2)
    assert abs(apart - round(apart)) < 1e-3


def test_decks_that_were_in_sync_still_are(bundles, tmp_path):
    after, _ = resumed(snapshot(played(bundles, 400_000), tmp_path / "s"))
    after.render(4800)
    apart = beat_of(after.memory, 1) - beat_of(after.memory, 2)
    assert abs(apart - round(apart)) < 1e-6
    assert after.memory.reading("deck2.tempo") == pytest.approx(123.0)


def test_a_deck_that_stood_stands_where_it_was(bundles, tmp_path):
    offline = played(bundles[:1], 100_000)
    offline.push(Command(Op["PLAY"], deck=0, x=0.0))
    offline.render(1280)
    before = offline.memory.value("deck1.position")
    after, found = resumed(snapshot(offline, tmp_path / "s"))
    after.render(1280)
    assert found.deck == 0
    assert after.memory.value("deck1.position") == before


def test_the_pads_have_their_sounds_again_or_say_why(bundles, tmp_path):
    offline = played(bundles, 100_000)
    gone = tmp_path / "gone.wav"
    soundfile.write(gone, np.full((4800, 2), 0.1), RATE, "FLOAT")
    offline.load_pad(3, Sound(str(bundles[0]), ("mix",), 4800, 9600, 0.5, "slice", "#ff0000"))
    offline.load_pad(4, Sound(str(gone)))
    offline.set("pad4.mode", 2.0)
    offline.render(1280)
    before = offline.pads.describe(3)
    path = snapshot(offline, tmp_path / "s")
    gone.unlink()
    after, _ = resumed(path)
    pads = Pads(after.memory, after.dsp, after.loader)
    pads.resume()
    after.render(1280)
    assert pads.describe(3) == before
    assert after.memory.value("pad4.mode") == 2.0
    assert not pads.describe(4)["loaded"]
    assert list(pads.errors()) == ["5"]
    assert "is missing" in pads.errors()["5"]
    after.push(Command(Op["PAD_HIT"], deck=-1, target=3, x=127.0))
    after.render(1280)
    assert after.memory.reading("pad4.playing") == 1.0


def test_what_cannot_be_resumed_is_said(tmp_path):
    memory = Memory.anonymous()
    path = tmp_path / "s"
    with pytest.raises(MediaError, match="no set to resume"):
        restore(memory, path)
    for data, words in (
        (b"", "not a journal"),
        (HEAD + b"abc", "damaged"),
        (HEAD + pack_batch([{"kind": "resume", "layout": 1}], 0, b"")[0], "another version"),
        (HEAD + pack_batch([{"kind": "set"}], 0, b"")[0], "another version"),
    ):
        path.write_bytes(data)
        with pytest.raises(MediaError, match=words):
            restore(memory, path)
    assert int(memory.engine["fresh"]) == 1


def test_a_disk_that_takes_no_snapshot_says_why(bundles, tmp_path):
    offline = played(bundles[:1], 1000)
    snapshots = Snapshots(offline.memory, tmp_path / "no" / "folder" / "s")
    snapshots.write()
    assert snapshots.error == "No such file or directory"
