"""The recording and what is kept to capture: exact to the sample, and never in the way."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from sfa_engine.engine.command import Op
from sfa_engine.engine.layout import LATENCY, TAP_MASTER, TAP_STEM
from sfa_engine.engine.ring import Command
from sfa_engine.errors import MediaError, Refused
from sfa_engine.host import recorder as recording
from sfa_engine.host.capture import Capture, CaptureSettings
from sfa_engine.host.offline import Offline
from sfa_engine.host.pads import Pads
from sfa_engine.host.recorder import Recorder, RecordSettings
from sfa_engine.host.taps import Taps
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
BPM = 120.0
BEAT = 24_000
TIMEOUT_S = 20.0


def noise(seconds, seed):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((round(seconds * RATE), 2)) * 0.1).astype(np.float32)


class Rig:
    """An engine without a device, with what the host keeps of its sound."""

    def __init__(self, folder, **settings):
        self.offline = Offline(RATE, 2, 128)
        self.taps = Taps(self.offline.dsp)
        self.tracks = {}
        self.recorder = Recorder(
            self.offline.memory, self.taps, RecordSettings(folder, **settings), self.describe
        )
        self.capture = Capture(
            self.offline.dsp, self.taps, self.offline.loader, CaptureSettings(seconds=8.0)
        )
        self.capture.open()
        self.offline.loader.on_stems = self.capture.open_stems
        self.played = []

    def describe(self, deck):
        return self.tracks.get(deck, {"loaded": False})

    def load(self, deck, seconds=30.0, title="", **stems):
        stems = stems or {"drums": noise(seconds, deck), "vocals": noise(seconds, 9 + deck)}
        self.offline.load(deck, stems, rate=RATE, grid=Grid((Anchor(0.0, 0.0),), BPM))
        self.offline.memory.engine["transport"][deck]["load_ticket"] += 1 + deck
        self.tracks[deck] = {"loaded": True, "title": title, "artist": "A", "path": "/x.sfa"}
        self.render(64)
        self.offline.push(Command(Op["PLAY"], deck=deck, x=1.0))

    def render(self, frames):
        self.played.append(self.offline.render(frames))
        self.offline.reported()

    def render_slowly(self, seconds):
        """Render for as long as the thread needs to look a few times."""
        for _ in range(round(seconds * 10)):
            self.render(RATE // 10)
            time.sleep(0.03)

    @property
    def sound(self):
        return np.concatenate(self.played)


@pytest.fixture
def rig(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "STEP_S", 0.02)
    monkeypatch.setattr(recording, "COMMIT_S", 0.05)
    monkeypatch.setattr(recording, "RESERVE_BYTES", 0)
    made = Rig(tmp_path, form="float")
    yield made
    made.recorder.end()


def test_the_recording_is_what_the_device_got(rig, tmp_path):
    rig.load(0)
    rig.render(4000)
    first = rig.taps.head
    rig.recorder.start(path=str(tmp_path / "set.wav"))
    rig.render(30_000)
    state = rig.recorder.stop()
    sound, _ = soundfile.read(tmp_path / "set.wav", dtype="float32")
    start = first + LATENCY
    assert len(sound) >= 30_000 - LATENCY - 32
    heard = rig.sound[start : start + len(sound)]  # of the last tick a part is still to come
    assert np.array_equal(sound[: len(heard)], heard)
    assert (state["lost"], state["on"]) == (0, False)
    assert state["time_s"] == len(sound) / RATE


def test_a_recording_begins_in_the_past(rig, tmp_path):
    rig.load(0)
    rig.render(48_000)
    rig.recorder.start(path=str(tmp_path / "set.wav"), preroll_s=0.5)
    rig.render(4800)
    rig.recorder.stop()
    sound, _ = soundfile.read(tmp_path / "set.wav", dtype="float32")
    assert len(sound) > 24_000 + 4700
    at = rig.taps.head - LATENCY - len(sound) + LATENCY
    assert np.array_equal(sound, rig.sound[at : at + len(sound)])


def test_decks_and_stems_are_aligned_and_sum_to_the_master(rig, tmp_path):
    rig.offline.set("master.limiter.on", 0.0)
    rig.load(0)
    rig.recorder.start(path=str(tmp_path / "set.wav"), stems=True)
    rig.render(48_000)
    state = rig.recorder.stop()
    names = sorted(path.name for path in tmp_path.glob("*.wav"))
    assert names == ["set.deck1.drums.wav", "set.deck1.vocals.wav", "set.deck1.wav", "set.wav"]
    parts = {name: soundfile.read(tmp_path / name, dtype="float32")[0] for name in names}
    assert len({len(part) for part in parts.values()}) == 1
    stems = parts["set.deck1.drums.wav"] + parts["set.deck1.vocals.wav"]
    assert np.abs(stems - parts["set.deck1.wav"]).max() < 1e-6
    assert np.abs(parts["set.deck1.wav"] - parts["set.wav"]).max() < 1e-4
    assert state["stems"]


def test_a_slow_disk_loses_frames_that_are_counted_and_nothing_else(rig, tmp_path, monkeypatch):
    rig.load(0, seconds=60.0)
    ring = len(rig.taps.ring(TAP_MASTER))
    rig.recorder.start(path=str(tmp_path / "set.wav"))
    step = rig.recorder._step
    monkeypatch.setattr(rig.recorder, "_step", lambda *_, **__: time.sleep(0.01))
    time.sleep(0.1)
    for _ in range(ring // 48_000 + 2):
        rig.render(48_000)
    monkeypatch.setattr(rig.recorder, "_step", step)
    state = rig.recorder.stop()
    assert 40_000 < state["lost"] < 3 * 48_000
    sound, _ = soundfile.read(tmp_path / "set.wav", dtype="float32")
    assert len(sound) == round(state["time_s"] * RATE)
    assert not sound[: state["lost"] - 1].any()
    assert sound[-1000:].any()


def test_a_folder_that_vanishes_ends_the_recording_with_the_reason(rig, tmp_path):
    rig.load(0)
    (tmp_path / "stick").mkdir()
    rig.recorder.start(path=str(tmp_path / "stick" / "set.wav"))
    rig.render_slowly(0.3)
    (tmp_path / "stick").rename(tmp_path / "gone")
    give_up = time.monotonic() + TIMEOUT_S
    while rig.recorder.describe()["on"]:
        rig.render(4800)
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert rig.recorder.describe()["error"] == "the file was deleted, or its disk was removed"


def test_a_disk_that_takes_no_more_ends_the_recording_with_the_reason(rig, tmp_path):
    rig.load(0)
    rig.recorder.start(path=str(tmp_path / "set.wav"))
    rig.render_slowly(0.3)
    (tmp_path / "set.wav").rename(tmp_path / "gone.wav")
    give_up = time.monotonic() + TIMEOUT_S
    while rig.recorder.describe()["on"]:
        rig.render(4800)
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert "deleted" in rig.recorder.describe()["error"]
    assert soundfile.info(tmp_path / "gone.wav").frames > 4800
    # It is not in the way of another.
    rig.recorder.start(path=str(tmp_path / "again.wav"))
    assert rig.recorder.describe()["error"] == ""
    rig.recorder.stop()


def test_less_than_the_reserve_is_refused_before_the_disk_is_full(rig, tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "RESERVE_BYTES", 1 << 60)
    with pytest.raises(MediaError, match="free on the disk"):
        rig.recorder.start(path=str(tmp_path / "set.wav"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"path": "/no/such/folder/x.wav"}, "cannot be made"),
        ({"path": "x.mp3"}, "unknown sound format"),
        ({"form": "mp3"}, "no format"),
        ({"path": "/dev/null"}, "exists"),
        ({"path": "x\0.wav"}, "is no file"),
        ({"path": "x" * 300 + ".wav"}, "is no file"),
    ],
)
def test_a_bad_target_is_refused_in_one_line(rig, given, words):
    with pytest.raises((MediaError, Refused), match=words) as refused:
        rig.recorder.start(**given)
    assert "\n" not in str(refused.value)
    assert not rig.recorder.describe()["on"]


def test_one_recording_goes_on_at_a_time(rig, tmp_path):
    with pytest.raises(Refused, match="nothing is recorded"):
        rig.recorder.stop()
    rig.recorder.start(path=str(tmp_path / "a.wav"))
    with pytest.raises(Refused, match="goes on"):
        rig.recorder.start(path=str(tmp_path / "b.wav"))
    rig.recorder.stop()
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_it_is_split_where_tracks_begin_and_the_lists_have_their_times(rig, tmp_path):
    rig.load(0, title="One")
    rig.recorder.start(path=str(tmp_path / "set.wav"), split=True)
    rig.render_slowly(4.0)
    rig.load(1, title="Two")
    began = rig.taps.head
    rig.render_slowly(4.0)
    rig.recorder.stop()
    sizes = [soundfile.info(tmp_path / name).frames for name in ("set.wav", "set-02.wav")]
    assert abs(sizes[0] - began) < 0.3 * RATE
    sound = np.concatenate(
        [soundfile.read(tmp_path / n, dtype="float32")[0] for n in ("set.wav", "set-02.wav")]
    )
    at = rig.taps.head - len(sound)
    assert np.array_equal(sound, rig.sound[at : at + len(sound)])
    sheet = (tmp_path / "set.cue").read_text()
    assert [line for line in sheet.splitlines() if line.startswith("FILE")] == [
        'FILE "set.wav" WAVE',
        'FILE "set-02.wav" WAVE',
    ]
    assert 'TITLE "Two"' in sheet
    lines = (tmp_path / "set.txt").read_text().splitlines()
    assert [line.split("\t")[1] for line in lines] == ["A - One", "A - Two"]


# ---------------------------------------------------------------------- capture


def test_the_last_bars_of_a_stem_are_those_of_an_offline_render(rig):
    rig.load(0)
    rig.offline.set("deck1.stem.drums.filter", -30.0)
    rig.offline.set("deck1.rate", 1.25)
    rig.render(8 * BEAT)
    rig.offline.set("deck1.stem.drums.volume", -3.0)
    rig.render(5 * BEAT + 1000)
    found = rig.capture.last_bars("deck1.drums", 2)
    assert found.beats == 8.0
    assert abs(len(found.sound) - 8 * BEAT / 1.25) <= 1
    memory = rig.offline.memory.engine
    head = memory["transport"][0]["head"]
    place = float(head["anchor_position"]) + (found.first - int(head["anchor_frame"])) * 1.25
    assert abs(place / BEAT / 4 - round(place / BEAT / 4)) < 2 / BEAT  # begins on a downbeat

    again = Rig(None)  # the same set, of which all is kept
    again.taps.open(TAP_STEM + 1, 60 * RATE)
    again.load(0)
    again.offline.set("deck1.stem.drums.filter", -30.0)
    again.offline.set("deck1.rate", 1.25)
    again.render(8 * BEAT)
    again.offline.set("deck1.stem.drums.volume", -3.0)
    again.render(5 * BEAT + 1000)
    whole, _ = again.taps.read(TAP_STEM + 1, found.first, found.first + len(found.sound))
    assert np.array_equal(found.sound, whole)


def test_the_last_bars_of_a_deck_and_of_the_master_end_with_the_newest_downbeat(rig):
    rig.load(0)
    rig.render(9 * BEAT)
    deck = rig.capture.last_bars("deck1", 1)
    assert len(deck.sound) == 4 * BEAT
    assert deck.sound.any()
    rig.offline.push(Command(Op["CLOCK_TEMPO"], x=150.0))
    rig.render(10 * BEAT)
    master = rig.capture.last_bars("master", 2)
    assert abs(len(master.sound) - 8 * RATE * 60 / 150) <= 1
    end = master.first + LATENCY + len(master.sound)
    assert np.array_equal(master.sound, rig.sound[end - len(master.sound) : end])


def test_bars_of_a_stem_go_to_a_pad_and_sound_again_as_they_are(rig, tmp_path):
    rig.load(0)
    rig.offline.set("deck1.stem.drums.filter", -30.0)
    rig.render(9 * BEAT + 777)
    found = rig.capture.last_bars("deck1.drums", 1)
    pads = Pads(rig.offline.memory, rig.offline.dsp, rig.offline.loader)
    pads._folder = tmp_path / "pads"
    pads._loader.wait_done = lambda *_: None  # of the device that is not there
    loaded = pads.load_pcm(4, found.sound, found.rate, name="deck1.drums 1 bars", label="drums")
    kept, rate = soundfile.read(loaded["path"], dtype="float32")
    assert rate == RATE
    assert np.array_equal(kept, found.sound)
    for path, value in (("pad5.mode", 2.0), ("pad5.beats", found.beats), ("pad5.quantise", 2.0),
                        ("sampler.clock", 1.0), ("master.limiter.on", 0.0)):  # fmt: skip
        rig.offline.set(path, value)
    rig.offline.set("deck1.stem.drums.mute", 1.0)
    rig.offline.set("deck1.stem.vocals.mute", 1.0)
    rig.offline.push(Command(Op["PAD_HIT"], deck=-1, target=4, x=127.0))
    first = len(rig.sound)
    rig.render(12 * BEAT)
    downbeat = 12 * BEAT + 64  # of the deck, which began 64 frames late
    sound = rig.sound[downbeat + LATENCY :]
    assert downbeat > first
    assert np.abs(sound[: 4 * BEAT] - found.sound).max() < 1e-6
    assert np.abs(sound[4 * BEAT : 8 * BEAT] - found.sound).max() < 1e-6


def test_what_cannot_be_captured_is_said(rig):
    for source, words in (
        ("deck1", "no track"),
        ("deck1.drums", "is not kept"),
        ("deck9", "no source"),
    ):
        with pytest.raises(Refused, match=words):
            rig.capture.last_bars(source, 1)
    rig.load(0, drums=noise(3, 1))
    rig.render(4000)
    with pytest.raises(Refused, match="are kept"):
        rig.capture.last_bars("deck1.drums", 64)
    for bars in (0, -1, 1e9):
        with pytest.raises(Refused, match="cannot be captured"):
            rig.capture.last_bars("deck1.drums", bars)


@pytest.mark.parametrize("size_mb", [1, 20, 60, 100, 400])
def test_all_that_is_kept_stays_within_its_size(size_mb):
    offline = Offline(RATE, 2, 128)
    taps = Taps(offline.dsp)
    kept = Capture(offline.dsp, taps, SimpleNamespace(), CaptureSettings(16.0, size_mb))
    kept.open()
    for deck in (0, 1):
        kept.open_stems(deck, ("vocals", "drums", "bass", "other", "guitar", "piano"))
    assert taps.size_bytes <= size_mb << 20
    lengths = kept.describe()
    if size_mb >= 100:
        assert (lengths["master"], lengths["deck2.vocals"]) == (31.0, 16.0)


def test_a_tap_that_is_read_too_late_is_silence_and_counted(rig):
    rig.offline.loader.on_stems = None
    taps = Taps(rig.offline.dsp)
    taps.open(TAP_STEM, 3200)
    rig.load(0, vocals=noise(5, 3))
    rig.render(6400)
    sound, lost = taps.read(TAP_STEM, 3000, 6400)
    assert lost > 0
    assert not sound[: lost - 1].any()
    assert sound[lost:].any()
    assert taps.read(TAP_STEM, taps.head, taps.head + 100)[1] == 100
