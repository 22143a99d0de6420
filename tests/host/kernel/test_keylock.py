"""Keylock and pitch: what is heard moves, where the deck is does not."""

import numpy as np
import pytest

from sfa_engine.engine.command import Op, When
from sfa_engine.engine.layout import LATENCY, TICK
from sfa_engine.engine.ring import Command
from sfa_engine.host.offline import Offline
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
FADE = 96
CLICK = 16_000
RATES = [0.5, 0.84, 0.92, 0.96, 1.04, 1.08, 1.16, 2.0]


def deck(stems, *, rate=1.0, keylock=1.0, pitch=0.0, block=512, track_rate=RATE, **given):
    """Return an engine whose deck 1 plays from frame 128 on; its controls have arrived."""
    engine = Offline(RATE, 2, block)
    for name, value in (("keylock", keylock), ("pitch", pitch), ("rate", rate)):
        engine.set(f"deck1.{name}", value)
    engine.render(TICK * 64)
    engine.load(0, stems, rate=track_rate, **given)
    engine.push(Command(Op.PLAY, deck=0, x=1.0))
    return engine


def heard(engine, frames):
    """Return what a deck that begins to play gives: float32[frames, 2], from its first frame."""
    return engine.render(frames + LATENCY)[LATENCY:]


def noise(seconds, seed=0):
    return np.random.default_rng(seed).integers(-6000, 6000, (int(seconds * RATE), 2), np.int16)


def tone(hertz, seconds=4.0, level=0.2):
    t = np.arange(int(seconds * RATE)) / RATE
    mono = level * np.sin(2 * np.pi * hertz * t)
    return np.stack([mono, mono], axis=1).astype(np.float32)


def clicks(places, seconds):
    """Return single loud frames over soft noise."""
    stem = noise(seconds, 5) // 20
    stem[np.asarray(places)] = CLICK
    return stem


def hits(sound):
    """Return the frames of clicks."""
    return np.flatnonzero(np.abs(sound[:, 0]) > 0.6 * CLICK / 32768)


def pitch_of(sound):
    """Return the frequency of the loudest partial, in Hz."""
    size = 8 * len(sound)
    spectrum = np.abs(np.fft.rfft(sound[:, 0] * np.hanning(len(sound)), size))
    return spectrum.argmax() * RATE / size


# ---------------------------------------------------------------------- the position


def test_at_the_original_speed_keylock_changes_no_byte():
    stems = {"drums": noise(2, 1), "bass": noise(2, 2)}
    plain, locked = (heard(deck(stems, keylock=on), RATE) for on in (0.0, 1.0))
    assert plain.any()
    assert plain.tobytes() == locked.tobytes()


def test_neither_keylock_nor_pitch_moves_the_position():
    def positions(changes):
        engine = deck({"mix": noise(8)}, keylock=0.0, rate=1.07, grid=Grid((Anchor(0, 0),), 120.0))
        for frame, path, value in changes:
            engine.set(path, value, frame)
        seen = []
        for _ in range(100):
            engine.render(800)
            seen.append(engine.memory.engine["transport"][0]["head"].tobytes())
            seen.append(engine.memory.value("deck1.position"))
        return seen

    moves = [(9000, "deck1.rate", 0.9), (30_000, "deck1.reverse", 1.0)]
    turns = [
        (frame, f"deck1.{name}", value)
        for k, frame in enumerate(range(156 * TICK, 70_000, 35 * TICK))
        for name, value in (("keylock", float(k % 2)), ("pitch", float(k * 7 % 25 - 12)))
    ]
    assert positions(moves) == positions(moves + turns)


def test_a_deck_is_back_on_its_timeline_when_keylock_is_off_again():
    track = noise(8)
    engine = deck({"mix": track}, rate=1.08)
    engine.render(RATE)
    engine.set("deck1.keylock", 0.0)
    engine.set("deck1.rate", 1.0)
    engine.render(RATE)  # it waits for an onset for a quarter of a second
    frame = int(engine.memory.engine["frame"])
    head = engine.memory.engine["transport"][0]["head"]
    place = float(head["anchor_position"]) + frame - int(head["anchor_frame"])
    played = engine.render(1000 + LATENCY)[LATENCY:]
    between = place - np.floor(place)
    assert (
        engine.dsp.record["channel"][0]["voice"][0]["head"][0]["anchor_position"]
        == (head["anchor_position"])
    )
    if between < 1e-6:
        first = int(place)
        assert np.abs(played - track[first : first + 1000] / 32768).max() < 1e-4


def test_a_jump_goes_to_the_place_exactly():
    track = noise(8)
    engine = deck({"mix": track}, rate=1.08)
    engine.render(RATE)
    engine.push(Command(Op.SEEK, deck=0, x=3.0))
    played = engine.render(FADE + 400 + LATENCY)[LATENCY + FADE :]
    first = 3 * RATE + FADE
    assert np.abs(played - track[first : first + 400] / np.float32(32768)).max() < 1e-6


# ---------------------------------------------------------------------- hits


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("known", ["list", "grid"])
def test_every_hit_is_heard_once_and_on_its_frame(rate, known):
    beat = 12_000
    places = np.arange(beat // 2, 8 * RATE, beat)
    given = {"splices": places}
    if known == "grid":
        given = {"grid": Grid((Anchor(float(places[0]), 0.0),), 60.0 * RATE / beat)}
    engine = deck({"drums": clicks(places, 8.0)}, rate=rate, **given)
    found = hits(heard(engine, int(7.5 * RATE / rate)))
    expected = places / rate
    expected = expected[expected < 7.4 * RATE / rate]
    assert len(found[: len(expected)]) == len(expected)
    assert np.abs(found[: len(expected)] - expected).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("rate", [0.92, 1.08])
def test_backwards_too(rate):
    places = np.arange(6000, 8 * RATE, 12_000)
    engine = deck({"drums": clicks(places, 8.0)}, rate=rate, splices=places)
    engine.push(Command(Op.SEEK, deck=0, x=7.0))
    engine.set("deck1.reverse", 1.0)
    found = hits(heard(engine, int(6.5 * RATE / rate)))
    expected = (7 * RATE - places[places < 7 * RATE][::-1]) / rate
    expected = expected[expected < 6.4 * RATE / rate]
    assert len(expected) > 20
    # Read between frames, a click has two loud ones at most.
    nearest = np.abs(found[:, None] - expected[None, :])
    assert nearest.min(axis=0).max() <= 1.0
    assert nearest.min(axis=1).max() <= 1.0


def test_a_hit_right_after_a_jump_is_exact_too():
    places = np.array([2 * RATE])
    for before in (300, 500, 700, 900, 1500):
        engine = deck({"drums": clicks(places, 4.0)}, rate=1.1, splices=places)
        engine.push(Command(Op.SEEK, deck=0, x=(2 * RATE - before) / RATE))
        (found,) = hits(heard(engine, 3000))
        assert abs(found - before / 1.1) <= 0.5 + 1e-6


def test_hits_stay_on_their_frames_round_a_loop_and_while_the_rate_moves():
    places = np.arange(1500, 8 * RATE, 3000)
    engine = deck({"drums": clicks(places, 8.0)}, rate=1.06, splices=places, block=TICK)
    for name, place in (("start", 1.0), ("end", 1.5)):
        engine.set(f"deck1.loop.{name}", place)
    engine.push(Command(Op.LOOP_ACTIVE, deck=0, x=1.0))
    line = engine.memory.engine["transport"][0]["head"]
    rng, off = np.random.default_rng(3), []
    for _ in range(25):
        engine.set("deck1.rate", rng.uniform(0.8, 1.25))
        engine.render(1920)
        for _ in range(150):
            start = int(engine.memory.engine["frame"])
            for hit in hits(engine.render(TICK)):
                since = start + hit - LATENCY - int(line["anchor_frame"])
                place = float(line["anchor_position"]) + since * float(line["speed"])
                off.append(np.abs(places - place).min() / float(line["speed"]))
    assert len(off) > 30
    assert np.quantile(off, 0.9) <= 0.5 + 1e-6  # not those of the loop's last frames


# ---------------------------------------------------------------------- sound


@pytest.mark.parametrize(
    ("rate", "pitch", "keylock", "expected"),
    [
        (1.08, 0.0, 1.0, 1.0),
        (0.6, 0.0, 1.0, 1.0),
        (1.08, 0.0, 0.0, 1.08),
        (1.0, 5.0, 0.0, 2 ** (5 / 12)),
        (1.0, -12.0, 1.0, 0.5),
        (0.9, 12.0, 0.0, 1.8),
        (1.2, 3.0, 1.0, 2 ** (3 / 12)),
        (2.2, 0.0, 1.0, 2.2),  # too fast for keylock
        (0.45, 4.0, 1.0, 0.45),
    ],
)
def test_the_pitch_is_that_of_the_track_times_the_shift(rate, pitch, keylock, expected):
    engine = deck({"mix": tone(440)}, rate=rate, pitch=pitch, keylock=keylock)
    played = heard(engine, int(1.7 * RATE))[RATE // 5 :]
    assert pitch_of(played) == pytest.approx(440 * expected, rel=1e-3)
    assert 0.17 < np.abs(played).max() < 0.23


def test_the_speed_is_the_same_at_any_pitch():
    places = np.arange(6000, 8 * RATE, 12_000)
    for pitch in (-12.0, -3.5, 7.0, 12.0):
        engine = deck({"drums": clicks(places, 8.0)}, rate=1.05, pitch=pitch, splices=places)
        played = heard(engine, 7 * RATE)[:, 0]
        for place in places[places / 1.05 < 6.5 * RATE]:
            near = round(place / 1.05)
            around = np.abs(played[near - 40 : near + 41])
            assert abs(int(around.argmax()) - 40) <= 1


def test_stems_stay_in_phase_with_each_other():
    one, other = noise(3, 1).astype(np.float32) / 65536, noise(3, 2).astype(np.float32) / 65536
    apart = heard(deck({"drums": one, "bass": other}, rate=1.06), 2 * RATE)
    together = heard(deck({"mix": one + other}, rate=1.06), 2 * RATE)
    assert np.abs(apart - together).max() < 1e-5


def test_a_mute_acts_at_once_and_the_other_stem_plays_on():
    stems = {"drums": noise(3, 1), "bass": np.zeros((3 * RATE, 2), np.int16)}
    engine = deck(stems, rate=1.06)
    engine.render(RATE)
    engine.set("deck1.stem.drums.mute", 1.0)
    played = engine.render(1000)
    assert np.abs(played[: LATENCY - 1]).max() > 0.01
    assert not played[LATENCY + 2 * FADE :].any()


@pytest.mark.parametrize("rate", [0.7, 1.06, 1.9])
def test_toggling_does_not_click(rate):
    level, hertz = 0.2, 300
    engine = deck({"mix": tone(hertz, 8.0, level)}, rate=rate)
    for k, frame in enumerate(range(5000, 90_000, 7000)):
        engine.set("deck1.keylock", float(k % 2), frame)
        engine.set("deck1.pitch", float(k % 3), frame + 3000)
    played = engine.render(100_000)[3000:, 0]
    steepest = 2 * np.pi * hertz / RATE * level * max(1.0, rate) * 2 ** (2 / 12)
    assert np.abs(np.diff(played)).max() < 1.5 * steepest
    assert np.abs(played).max() < 1.1 * level


def test_every_block_size_gives_the_same_bytes():
    stems = {"drums": clicks(np.arange(3000, 96_000, 9000), 2.0), "other": noise(2, 3)}

    def performance(block):
        engine = deck(stems, rate=1.08, block=block, splices=np.arange(3000, 96_000, 9000))
        for frame, path, value in (
            (9001, "deck1.rate", 0.93),
            (14_003, "deck1.pitch", 4.0),
            (20_011, "deck1.keylock", 0.0),
            (25_000, "deck1.reverse", 1.0),
            (26_001, "deck1.keylock", 1.0),
        ):
            engine.set(path, value, frame)
        engine.push(Command(Op.SEEK, deck=0, x=0.9, when=When.FRAME, frame=17_017))
        return engine.render(40_000)

    first = performance(32)
    assert first.any()
    for block in (77, 128, 1024):
        assert performance(block).tobytes() == first.tobytes()


# ---------------------------------------------------------------------- any track


@pytest.mark.parametrize("track_rate", [8000, 22_050, 44_100, 96_000, 192_000])
@pytest.mark.parametrize("rate", [0.5, 1.08, 2.0])
def test_tracks_of_any_sample_rate(track_rate, rate):
    t = np.arange(2 * track_rate) / track_rate
    mono = (6000 * np.sin(2 * np.pi * 440 * t)).astype(np.int16)
    engine = deck({"mix": np.stack([mono, mono], 1)}, rate=rate, track_rate=track_rate)
    played = heard(engine, int(1.8 * RATE / rate))
    assert pitch_of(played) == pytest.approx(440, rel=3e-3)


@pytest.mark.parametrize(
    "track",
    [
        np.zeros((2 * RATE, 2), np.int16),
        np.zeros((1, 2), np.int16),
        np.full((2 * RATE, 2), np.nan, np.float32),
        np.full((2 * RATE, 2), np.inf, np.float32),
        noise(0.01),
        noise(2.0),
    ],
    ids=["silent", "one_frame", "nan", "infinite", "short", "two_seconds"],
)
@pytest.mark.parametrize("splices", [None, [], [0.0], [-5.0, 1e12], list(range(0, 90_000, 3))])
def test_any_track_plays_to_its_end(track, splices):
    engine = deck({"drums": track}, rate=1.3, pitch=2.0, splices=splices)
    played = engine.render(3 * RATE)
    assert np.isfinite(played).all()
    assert engine.memory.value("deck1.play") == 0.0
    assert not played[-RATE // 2 :].any()


def test_hundreds_of_changes_at_once_and_impossible_numbers():
    engine = deck({"mix": noise(3)}, rate=1.06)
    for k in range(200):
        engine.set("deck1.keylock", float(k % 2))
        engine.set("deck1.pitch", (np.nan, np.inf, -np.inf, 1e300, -12.0)[k % 5])
        engine.set("deck1.rate", (0.0, np.inf, -1.0, 1.06)[k % 4])
    played = engine.render(RATE)
    assert np.isfinite(played).all()
    assert -12.0 <= engine.memory.value("deck1.pitch") <= 12.0


def test_every_extreme_of_rate_and_pitch_is_loud_and_finite():
    level = np.abs(noise(20)).mean() / 32768
    for rate in (0.25, 0.5, 0.501, 1.0, 1.999, 2.0, 4.0):
        for pitch in (-12.0, -0.01, 12.0):
            engine = deck({"mix": noise(8)}, rate=rate, pitch=pitch)
            played = heard(engine, RATE)
            assert np.isfinite(played).all()
            assert np.abs(played[FADE:]).mean() > 0.4 * level


@pytest.mark.nightly
def test_two_hours_do_not_drift():
    places = np.arange(6000, 60 * RATE, 12_000)
    engine = deck({"drums": clicks(places, 60.0)}, rate=1.05, splices=places)
    for path, value in (("deck1.loop.start", 1.0), ("deck1.loop.end", 57.0)):
        engine.set(path, value)
    engine.push(Command(Op.LOOP_ACTIVE, deck=0, x=1.0))
    step = 56 * RATE / 1.05  # frames a round
    done, off = 0, []
    while done < 7200 * RATE:
        played = engine.render(10 * RATE)
        for hit in hits(played):
            position = (done + hit - LATENCY) * 1.05
            if position >= 57 * RATE:
                position = RATE + (position - RATE) % (56 * RATE)
            off.append(np.abs(places - position).min() / 1.05)
        done += len(played)
    assert len(off) > 7200 * 1.05 * 3.9
    assert step > 0
    assert max(off) <= 1.0
