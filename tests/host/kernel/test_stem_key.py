"""A stem of another deck in the key of the deck that it is heard on."""

import numpy as np
import pytest

from sfa_engine.desk.deck import STEMS
from sfa_engine.engine.command import Op
from sfa_engine.engine.layout import TICK
from sfa_engine.engine.ring import Command
from sfa_engine.host.offline import Offline
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
TONE_HZ = 400.0
VOCALS, DRUMS = STEMS.index("vocals"), STEMS.index("drums")


def tone(seconds=20):
    wave = 8000 * np.sin(2 * np.pi * TONE_HZ * np.arange(seconds * RATE) / RATE)
    return np.stack([wave, wave], axis=1).astype(np.int16)


TRACK = {"vocals": tone(), "drums": tone(), "bass": np.zeros((20 * RATE, 2), np.int16)}


def hosting(own="A minor", guest="B minor", tempi=(120.0, 124.0), stem=VOCALS, **settings):
    """Return an engine that plays deck 2's stem on deck 1, and nothing else of any deck."""
    engine = Offline(RATE, 2, 256)
    for name, value in {"deck2.fader": -60.0, "deck1.stem_key": 1.0, **settings}.items():
        engine.set(name.replace("__", "."), value)
    for other in ("vocals", "drums", "bass"):
        engine.set(f"deck1.stem.{other}.mute", float(STEMS.index(other) != stem))
    engine.render(TICK)
    for deck, key in enumerate((own, guest)):
        grid = Grid((Anchor(0.0, 0.0),), tempi[deck])
        engine.load(deck, TRACK, rate=RATE, grid=grid, key=key, position_s=2.0)
        engine.push(Command(Op.PLAY, deck=deck, x=1.0))
    engine.render(TICK)
    engine.push(Command(Op.STEM_SOURCE, deck=0, target=stem, x=2.0))
    engine.render(RATE // 10)
    return engine


def semitones(engine, seconds=2.0):
    """Return how far above its own pitch the tone is heard."""
    heard = engine.render(round(seconds * RATE))[:, 0].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)), 8 * len(heard)))
    peak = np.argmax(spectrum) / (8 * len(heard)) * RATE
    return 12 * np.log2(peak / TONE_HZ)


@pytest.mark.parametrize(
    ("own", "guest", "shift"),
    [
        ("A minor", "A minor", 0),
        ("A minor", "C major", 0),
        ("A minor", "G minor", 2),
        ("A minor", "B minor", -2),
        ("F# minor", "C minor", -6),
        ("C minor", "F# minor", -6),
        ("Bb major", "F# minor", 1),
        ("E major", "C major", 4),
    ],
)
def test_a_guest_is_heard_in_the_key_of_its_host(own, guest, shift):
    engine = hosting(own, guest, deck1__keylock=1.0)
    assert semitones(engine) == pytest.approx(shift, abs=0.05)


@pytest.mark.parametrize("keylock", [0.0, 1.0])
def test_it_follows_the_hosts_rate_and_pitch(keylock):
    engine = hosting(deck1__keylock=keylock, deck1__rate=1.05, deck1__pitch=3.0)
    by_rate = 0.0 if keylock else 12 * np.log2(1.05)
    assert semitones(engine) == pytest.approx(-2 + 3 + by_rate, abs=0.05)


def test_the_nearest_octave_counts_the_hosts_pitch():
    engine = hosting("A minor", "E minor", deck1__keylock=1.0, deck1__pitch=3.0)
    assert semitones(engine) == pytest.approx(5 + 3 - 12, abs=0.05)


def test_switched_off_it_has_the_pitch_that_its_tempo_gives_it():
    engine = hosting(deck1__stem_key=0.0)
    assert semitones(engine) == pytest.approx(12 * np.log2(120 / 124), abs=0.05)
    engine.set("deck1.stem_key", 1.0)
    engine.render(RATE // 10)
    assert semitones(engine) == pytest.approx(-2, abs=0.05)


@pytest.mark.parametrize("keys", [("A minor", None), (None, "B minor"), (None, None)])
def test_without_both_keys_nothing_is_shifted(keys):
    engine = hosting(*keys)
    assert semitones(engine) == pytest.approx(12 * np.log2(120 / 124), abs=0.05)


def test_drums_are_never_shifted():
    engine = hosting(stem=DRUMS)
    assert semitones(engine) == pytest.approx(12 * np.log2(120 / 124), abs=0.05)


@pytest.mark.parametrize("keys", [("A minor", "A minor"), ("C major", "A minor")])
def test_in_key_as_it_is_no_sample_changes(keys):
    heard = [
        hosting(*keys, tempi=(120.0, 120.0), deck1__stem_key=on).render(RATE) for on in (0.0, 1.0)
    ]
    np.testing.assert_array_equal(*heard)
    assert np.abs(heard[0]).max() > 0.1


def test_the_decks_own_stems_are_not_touched():
    def own(on):
        engine = Offline(RATE, 2, 256)
        engine.set("deck1.stem_key", on)
        engine.set("deck1.stem.vocals.loop_length", 0.25)
        engine.load(0, TRACK, rate=RATE, grid=Grid((Anchor(0.0, 0.0),), 120.0), key="A minor")
        engine.push(Command(Op.PLAY, x=1.0))
        engine.push(Command(Op.STEM_LOOP, target=VOCALS, x=1.0))
        return engine.render(RATE)

    np.testing.assert_array_equal(own(0.0), own(1.0))


def test_the_place_stays_the_decks():
    engine = hosting("A minor", "E minor", deck1__rate=0.96)
    for _ in range(50):
        engine.render(TICK * 20)
        memory = engine.memory.engine
        line = memory["transport"][0]["head"]
        gone = int(memory["frame"]) - int(line["anchor_frame"])
        beat = (float(line["anchor_position"]) + gone * float(line["speed"])) / RATE * 2.0
        head = engine.dsp.record["channel"][0]["voice"][1 + VOCALS]["head"][0]
        gone = int(memory["frame"]) - int(head["anchor_frame"])
        place = float(head["anchor_position"]) + gone * float(head["speed"])
        guest = memory["transport"][0]["stem"][VOCALS]["now"]
        wanted = (beat * float(guest["multiple"]) + float(guest["offset"])) * 60 / 124 * RATE
        assert abs(place - wanted) < 0.05 * RATE  # as with keylock: splices, no drift


def test_another_key_is_taken_while_the_track_plays():
    engine = hosting("A minor", "A minor", deck1__keylock=1.0)
    assert semitones(engine) == pytest.approx(0, abs=0.05)
    there = engine.loader.on_deck(0)
    assert not engine.loader.has_key(0, 2)
    assert engine.loader.give_grid(0, Grid((Anchor(0.0, 0.0),), 120.0), key=2)  # B minor
    engine.render(RATE // 10)
    assert engine.loader.on_deck(0) is not there
    assert semitones(engine) == pytest.approx(2, abs=0.05)
