"""A journal rendered again: the same samples, whatever was done; what differs is said."""

import os

import numpy as np
import pytest
import soundfile

from sfa_engine.desk import CONTROLS
from sfa_engine.engine.command import Op, Ring, When
from sfa_engine.engine.journal import parse
from sfa_engine.engine.layout import VALUE_PATHS
from sfa_engine.engine.ring import Command, CommandWriter
from sfa_engine.errors import MediaError
from sfa_engine.host.dsp_state import DspState
from sfa_engine.host.journal import JournalSettings, JournalWriter, prune
from sfa_engine.host.loader import Loader
from sfa_engine.host.offline import Offline
from sfa_engine.host.pads import Sound
from sfa_engine.host.replay import MASTER, USER_EFFECT, Replay
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.script.replay_files import write_replay
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
BLOCK = 128
SETTINGS = JournalSettings()
FADERS = [
    path
    for path in VALUE_PATHS
    if path.startswith(
        ("deck1.", "deck2.", "crossfader", "stem_fader.", "master.", "pad1.", "pad2.", "sampler.")
    )
    and not CONTROLS[path].verb
    and path.rpartition(".")[2] not in {"rate_range", "position"}
]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    rng = np.random.default_rng(5)
    made = []
    for number, bpm in enumerate((123.0, 128.0)):
        stems = {
            name: (rng.standard_normal((12 * RATE, 2)) * 0.1).astype(np.float32)
            for name in ("vocals", "drums", "bass", "other")
        }
        path = folder / f"{number}.sfa"
        write_bundle_arrays(path, stems, title=f"T{number}", artist="A", bpm=bpm, rate=RATE)
        made.append(path)
    return made


class Live:
    """An engine with a journal, whose sound is kept."""

    def __init__(self, folder):
        self.offline = Offline(RATE, 2, BLOCK)
        self.writer = JournalWriter(self.offline.memory, folder, SETTINGS)
        self.writer.begin(RATE, 2)
        self.offline.loader.on_send = self.writer.note
        self.parts = []

    def render(self, frames):
        self.parts.append(self.offline.render(frames))
        self.offline.reported()

    @property
    def sound(self):
        return np.concatenate(self.parts)

    def end(self):
        self.writer.end()
        assert not self.writer.error
        return parse(self.writer.path.read_bytes())


def rendered(journal, name=MASTER, *, stems=False):
    replay = Replay(journal, stems=stems)
    return np.concatenate([pieces[name] for pieces in replay.pieces()]), replay


def load(live, deck, path):
    live.offline.load(deck, path)
    live.render(BLOCK)


def perform(live, bundles, seed, blocks=900):
    """Do at random what two hands can: every verb, every fader, loads, waiting commands."""
    rng = np.random.default_rng(seed)
    verbs = [op for op in Op if op not in {Op.SET, Op.LOAD, Op.SAMPLE}]
    for deck in (0, 1):
        load(live, deck, bundles[deck])
        live.offline.push(Command(Op["PLAY"], deck=deck, x=1.0))
    midi = CommandWriter(live.offline.memory, Ring.MIDI)
    for _ in range(blocks):
        for _ in range(rng.poisson(0.4)):
            deck = int(rng.integers(2))
            if rng.random() < 0.5:
                path = FADERS[int(rng.integers(len(FADERS)))]
                scale = CONTROLS[path].scale
                low, high = max(scale.low, -60.0), min(scale.high, 100.0)
                live.offline.set(path, float(rng.uniform(low, high)))
                continue
            op = verbs[int(rng.integers(len(verbs)))]
            when = When(int(rng.choice([0, 0, 0, 1, 2, 3])))
            frame = int(live.offline.memory.engine["emitted"]) + int(rng.integers(9000))
            x = float(rng.choice([0.0, 1.0, -1.0, 4.0, 0.5]))
            target = int(rng.integers(4))
            clock = int(rng.integers(3))
            source = int(rng.integers(2000))
            command = Command(op, deck, target, x, 0.0, when, clock, frame, source)
            if rng.random() < 0.3:
                midi.push(command)
            else:
                live.offline.push(command)
        if rng.random() < 0.004:
            deck = int(rng.integers(2))
            load(live, deck, bundles[int(rng.integers(2))])
            live.offline.push(Command(Op["PLAY"], deck=deck, x=1.0))
        if rng.random() < 0.02:
            start, frames = int(rng.integers(5 * RATE)), int(rng.integers(1, RATE))
            stems = (("drums",), ("vocals", "bass"))[int(rng.integers(2))]
            sound = Sound(str(bundles[int(rng.integers(2))]), stems, start, frames, 0.5)
            live.offline.load_pad(int(rng.integers(4)), sound if rng.random() < 0.9 else None)
        if rng.random() < 0.01:  # a grid that is corrected on the deck
            live.offline.loader.free_taken()
            grid = Grid((Anchor(float(rng.uniform(0, 9000)), 0.0),), float(rng.uniform(100, 140)))
            live.offline.loader.give_grid(int(rng.integers(2)), grid)
        live.render(BLOCK)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_random_performance_is_rendered_again_sample_for_sample(tmp_path, bundles, seed):
    live = Live(tmp_path)
    perform(live, bundles, seed)
    sound, replay = rendered(live.end())
    assert np.abs(live.sound).max() > 0.01
    assert np.array_equal(sound, live.sound)
    assert replay.warnings == []


def test_steps_of_the_overload_ladder_are_replayed_where_they_were(tmp_path, bundles):
    live = Live(tmp_path)
    for deck in (0, 1):
        load(live, deck, bundles[deck])
        for name, value in (("keylock", 1.0), ("keylock_mode", 1.0), ("rate", 1.04), ("fx1", 1.0)):
            live.offline.set(f"deck{deck + 1}.{name}", value)
        live.offline.push(Command(Op["PLAY"], deck=deck, x=1.0))
    for path, value in (("slot1.kind", 3.0), ("on", 1.0), ("mix", 60.0)):
        live.offline.set(f"fx1.{path}", value)
    live.render(RATE // 4)
    record = live.offline.dsp.record
    seen = []
    for share in (1e-9, 1e9, 1e-9):  # any block is above the first, and below the second
        record["ladder_budget"], record["ladder_hold"] = share, 0.1
        for _ in range(320):
            live.render(BLOCK)
            seen.append(live.offline.memory.reading("engine.ladder"))
    assert [k for k, before in zip(seen[1:], seen, strict=False) if k != before] == [
        *(1, 2, 3, 2, 1, 0, 1, 2, 3),
    ]
    sound, replay = rendered(live.end())
    assert np.array_equal(sound, live.sound)
    assert replay.warnings == []


def test_sounds_without_a_file_and_user_effects_are_left_out_and_that_is_said(tmp_path, bundles):
    live = Live(tmp_path)
    load(live, 0, bundles[0])
    live.offline.load_pad(0, np.full((4800, 2), 0.1, np.float32), rate=RATE)
    live.offline.set("fx2.slot3.kind", float(USER_EFFECT))
    live.render(BLOCK)
    hit(live, 0)
    live.render(50 * BLOCK)
    assert np.abs(live.sound).max() > 0.01
    sound, replay = rendered(live.end())
    assert not sound.any()
    assert replay.warnings == [
        "pad 1 is silent: it was in memory alone",
        "user effects are not rendered",
    ]


def hit(live, pad, force=127.0):
    live.offline.push(Command(Op["PAD_HIT"], deck=-1, target=pad, x=force))


def pads_set(folder, paths):
    """Return a set that plays a file of each path on a pad, one after the other."""
    live = Live(folder)
    for pad, path in enumerate(paths):
        live.offline.load_pad(pad, Sound(str(path), label=path.stem))
    live.render(BLOCK)
    for pad in range(len(paths)):
        hit(live, pad)
        live.render(2400)
    return live


def test_pads_are_rendered_again_sample_for_sample(tmp_path):
    noise = np.random.default_rng(3).standard_normal((4800, 2)) * 0.1
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    for path, rate, form in zip(paths, (RATE, 44_100), ("FLOAT", "PCM_16"), strict=True):
        soundfile.write(path, noise, rate, form)
    live = pads_set(tmp_path / "journals", paths)
    live.offline.load_pad(0, Sound(str(paths[1])))  # while it sounds
    hit(live, 0)
    live.render(2400)
    live.offline.load_pad(0, None)
    hit(live, 0)  # nothing is there any more
    live.render(4800)
    sound, replay = rendered(live.end())
    assert np.abs(live.sound).max() > 0.05
    assert np.array_equal(sound, live.sound)
    assert replay.warnings == []


def test_a_pads_file_that_is_gone_or_changed_is_silent_and_said(tmp_path):
    noise = np.random.default_rng(3).standard_normal((4800, 2)) * 0.1
    paths = [tmp_path / f"{name}.wav" for name in ("gone", "other", "here")]
    for path in paths:
        soundfile.write(path, noise, RATE, "FLOAT")
    journal = pads_set(tmp_path / "journals", paths).end()
    paths[0].unlink()
    soundfile.write(paths[1], noise[::-1], RATE, "FLOAT")
    sound, replay = rendered(journal)
    assert not sound[: BLOCK + 4800].any()
    assert sound[BLOCK + 4800 :].any()
    assert 'pad 1 "gone" is silent' in replay.warnings[0]
    assert "is missing; load another file" in replay.warnings[0]
    assert "has another sound by now" in replay.warnings[1]
    assert len(replay.warnings) == 2


def test_a_journal_without_the_sounds_of_pads_is_rendered_without_them(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full((4800, 2), 0.1), RATE, "FLOAT")
    journal = pads_set(tmp_path / "journals", [tmp_path / "a.wav"]).end()
    journal.segments[0].pads.clear()
    sound, replay = rendered(journal)
    assert not sound.any()
    assert replay.warnings == ["pad 1: its sound is not in the journal"]


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10, 40))
def test_many_random_performances_are_rendered_again(tmp_path, bundles, seed):
    live = Live(tmp_path)
    perform(live, bundles, seed, blocks=4000)
    assert np.array_equal(rendered(live.end())[0], live.sound)


def short_set(folder, bundles):
    live = Live(folder)
    load(live, 0, bundles[0])
    live.offline.push(Command(Op["PLAY"], x=1.0))
    live.render(4000)
    live.offline.set("deck1.filter", 30.0)
    live.render(8000)
    return live


def test_a_cut_journal_is_rendered_as_far_as_it_goes(tmp_path, bundles):
    live = Live(tmp_path)
    load(live, 0, bundles[0])
    live.offline.push(Command(Op["PLAY"], x=1.0))
    live.render(4000)
    live.writer._write()
    live.offline.set("deck1.filter", 30.0)
    live.render(4000)
    live.end()
    data = live.writer.path.read_bytes()
    sound, replay = rendered(parse(data[:-1]))
    assert len(sound) == 4000 + BLOCK
    assert np.array_equal(sound, live.sound[: len(sound)])
    assert "cut" in replay.warnings[0]


def test_a_track_that_is_gone_is_silent_and_said(tmp_path, bundles):
    live = Live(tmp_path)
    rng = np.random.default_rng(1)
    stems = {"mix": (rng.standard_normal((2 * RATE, 2)) * 0.1).astype(np.float32)}
    gone = write_bundle_arrays(
        tmp_path / "gone.sfa", stems, title="Gone", artist="", bpm=120.0, rate=RATE
    )
    load(live, 0, gone)
    load(live, 1, bundles[1])
    for deck in (0, 1):
        live.offline.push(Command(Op["PLAY"], deck=deck, x=1.0))
    live.render(4800)
    journal = live.end()
    (gone / "mix.wav").unlink()
    sound, replay = rendered(journal, "deck1", stems=True)
    assert not sound.any()
    other, replay = rendered(journal, "deck2", stems=True)
    assert other.any()
    assert len(replay.warnings) == 1
    assert '"Gone" is silent' in replay.warnings[0]


def test_a_track_with_another_sound_by_now_is_silent_and_said(tmp_path, bundles):
    live = short_set(tmp_path / "journals", bundles)
    journal = live.end()
    for entry in journal.segments[0].loads.values():
        entry["track"]["digest"] = "0" * 64
    sound, replay = rendered(journal)
    assert not sound.any()
    assert "has another sound by now" in replay.warnings[0]


def test_another_kernel_and_lost_reports_are_said(tmp_path, bundles):
    journal = short_set(tmp_path, bundles).end()
    journal.segments[0].host["kernel"] = "another"
    journal.segments[0].lost = 7
    warnings = Replay(journal).warnings
    assert "another version of the kernel" in warnings[0]
    assert "7 reports were lost" in warnings[1]


def test_a_desk_laid_out_otherwise_is_rendered_by_the_names_of_its_controls(tmp_path, bundles):
    live = short_set(tmp_path, bundles)
    journal = live.end()
    # As if a control had been put before all others since, and an operation before the verbs.
    journal.head["layout"] = 1
    journal.head["values"] = ["gone", *journal.head["values"]]
    journal.head["ops"] = {n: v + 1 if v > 4 else v for n, v in journal.head["ops"].items()}
    segment = journal.segments[0]
    segment.host["layout"] = 1
    segment.reports = segment.reports.copy()
    sets = segment.reports["op"] == Op.SET
    segment.reports["target"][sets] += 1
    segment.reports["op"][segment.reports["op"] > 4] += 1
    sound, replay = rendered(journal)
    assert np.array_equal(sound, live.sound)
    assert "a desk at rest" in replay.warnings[0]


def test_the_next_host_writes_what_the_one_before_left_and_goes_on(tmp_path, bundles):
    live = short_set(tmp_path, bundles)
    memory = live.offline.memory
    live.writer._stop.set()  # killed: its last records stay on the ring
    live.writer._thread.join()
    live.offline.set("deck1.fader", -6.0)
    live.render(4000)
    live.offline.set("deck1.fader", -9.0)  # still on its ring when the next one begins
    before = live.sound
    first_frame = int(memory.engine["emitted"])

    # The next: another dsp on the same memory.
    writer = JournalWriter(memory, tmp_path, SETTINGS)
    dsp = DspState(memory, RATE, 2)
    loader = Loader(dsp)
    memory.engine["resuming"] = 0
    writer.begin(RATE, 2)
    memory.engine["frame"] = -(-first_frame // 32) * 32 + 4800
    memory.engine["emitted"] = memory.engine["frame"]
    loader.on_send = writer.note
    mounted, _ = loader.mount_bundle(bundles[0])
    mounted.filled.wait()
    loader.give_track(0, mounted, resumed=True)
    live.offline.dsp, live.offline.loader, live.parts = dsp, loader, []
    live.render(6000)
    after = live.sound
    writer.end()

    assert writer.path == live.writer.path
    journal = parse(writer.path.read_bytes())
    assert len(journal.segments) == 2
    sound, replay = rendered(journal)
    assert np.array_equal(sound[: len(before)], before)
    assert not sound[len(before) : -len(after)].any()
    assert np.array_equal(sound[-len(after) :], after)
    assert replay.warnings == []


def test_two_tracks_that_come_at_one_tick_are_both_there(tmp_path, bundles):
    live = Live(tmp_path)
    for deck, path in enumerate(bundles):
        live.offline.load(deck, path)
        live.offline.push(Command(Op["PLAY"], deck=deck, x=1.0))
    live.render(4800)
    assert np.array_equal(rendered(live.end())[0], live.sound)


def test_a_disk_that_takes_no_more_ends_the_journal_not_the_set(tmp_path, bundles):
    live = short_set(tmp_path, bundles)
    live.writer._stop.set()
    live.writer._thread.join()
    live.writer._thread = None
    live.writer._handle = os.open("/dev/full", os.O_WRONLY)
    live.offline.set("deck1.fader", -6.0)
    live.render(BLOCK)
    assert not live.writer._step()
    assert live.writer.error == "No space left on device"
    assert live.offline.memory.engine["journalled"] == 0
    live.render(BLOCK)
    assert live.writer.describe()["lost"] == 1


def test_replayed_files_are_the_master_and_the_stems_that_were_heard(tmp_path, bundles):
    live = short_set(tmp_path / "journals", bundles)
    journal = live.end()
    peaks = write_replay(Replay(journal, stems=True), tmp_path / "set.wav")
    names = sorted(path.name for path in tmp_path.glob("*.wav"))
    stems = [f"set.deck1.{stem}.wav" for stem in ("bass", "drums", "other", "vocals")]
    assert names == sorted(["set.deck1.wav", *stems, "set.wav"])
    sound, rate = soundfile.read(tmp_path / "set.wav", dtype="float32")
    assert rate == RATE
    assert np.array_equal(sound, live.sound)
    assert peaks[str(tmp_path / "set.wav")] == np.abs(live.sound).max()
    parts = [soundfile.read(tmp_path / name, dtype="float32")[0] for name in stems]
    assert all(len(part) == len(sound) for part in parts)
    with pytest.raises(MediaError, match="unknown sound format"):
        write_replay(Replay(journal), tmp_path / "set.mp3")


def test_a_journal_of_nothing_is_refused(tmp_path):
    live = Live(tmp_path)
    with pytest.raises(MediaError, match="nothing that was played"):
        Replay(live.end())


def test_the_oldest_journals_are_deleted_never_the_current(tmp_path):
    for number in range(6):
        path = tmp_path / f"{number}.sfaj"
        path.write_bytes(bytes(1 << 20))
        os.utime(path, (number, number))
    prune(tmp_path, JournalSettings(files=4), tmp_path / "0.sfaj")
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{n}.sfaj" for n in (0, 2, 3, 4, 5)]
    prune(tmp_path, JournalSettings(size_mb=2), tmp_path / "0.sfaj")
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{n}.sfaj" for n in (0, 4, 5)]
