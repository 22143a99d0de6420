"""Finer keylock: tonal stems by their spectra, in time with everything else."""

import itertools

import numpy as np
import pytest

from sfa_engine.bench import keylock
from sfa_engine.engine.command import Op, When
from sfa_engine.engine.layout import LATENCY
from sfa_engine.engine.ring import Command
from sfa_engine.host import spectral_tables
from sfa_engine.host.offline import Offline

RATE = 48_000


def deck(stems, *, block=512, **settings):
    """Return an engine whose deck plays with finer keylock; the controls have arrived."""
    engine = Offline(RATE, 2, block)
    given = {"keylock": 1.0, "keylock_mode": 1.0, "rate": 1.06} | settings
    for name, value in given.items():
        engine.set(f"deck1.{name}", value)
    engine.render(4800)
    engine.load(0, stems, rate=RATE)
    engine.push(Command(Op.PLAY, deck=0, x=1.0))
    return engine


def tone(hertz=220.0, seconds=12.0, level=0.25):
    t = np.arange(int(seconds * RATE)) / RATE
    mono = level * np.sin(2 * np.pi * hertz * t)
    return np.stack([mono, mono], axis=1).astype(np.float32)


def sharpest(sound):
    """Return the largest second difference: a click's is as high as its step."""
    return float(np.abs(np.diff(sound[:, 0], 2)).max())


@pytest.mark.nightly
def test_at_8_percent_it_is_as_good_as_promised(monkeypatch):
    monkeypatch.setattr(keylock, "SECONDS", 4.0)
    figures = {figure["name"]: figure for figure in keylock.bench_finer((8,))}
    assert figures["finer_hsnr_db_8pct"]["value"] >= 30.0
    assert figures["finer_vocals_hsnr_db_8pct"]["value"] >= 28.0
    assert figures["finer_onset_error_max_ms_8pct"]["value"] == 0.0
    assert figures["finer_mix_lsd_db_8pct"]["ratio"] < 1.0  # of that in the time domain


def test_at_the_original_speed_it_changes_no_byte():
    stems = {"vocals": tone(300.0, 3.0), "other": tone(200.0, 3.0)}
    plain, finer = (
        deck(stems, rate=1.0, keylock=on).render(2 * RATE).tobytes() for on in (0.0, 1.0)
    )
    assert plain == finer


@pytest.mark.parametrize("block", [32, 77, 1024])
def test_every_size_of_block_gives_the_same_bytes(block):
    def played(block):
        engine = deck({"vocals": tone(300.0), "drums": tone(90.0), "other": tone()}, block=block)
        engine.set("deck1.pitch", 2.0, 20_011)
        engine.push(Command(Op.SEEK, deck=0, x=3.0, when=When.FRAME, frame=30_007))
        engine.set("deck1.rate", 0.93, 40_000)
        return engine.render(60_000).tobytes()

    assert played(block) == played(512)


@pytest.mark.parametrize("what", ["keylock", "keylock_mode", "play", "pitch", "rate", "seek"])
@pytest.mark.parametrize("stem", ["vocals", "other"])
def test_nothing_that_is_pressed_clicks(stem, what):
    engine = deck({stem: tone()})
    engine.render(RATE)
    frame = int(engine.memory.engine["frame"])
    if what == "seek":
        engine.push(Command(Op.SEEK, deck=0, x=5.0013, when=When.FRAME, frame=frame + 1000))
    elif what == "play":
        for on, later in ((0.0, 1000), (1.0, 9000)):
            engine.push(Command(Op.PLAY, deck=0, x=on, when=When.FRAME, frame=frame + later))
    else:
        first, second = {"pitch": (3.0, 0.0), "rate": (0.9, 1.0)}.get(what, (0.0, 1.0))
        engine.set(f"deck1.{what}", first, frame + 1000)
        engine.set(f"deck1.{what}", second, frame + 9000)
    sound = engine.render(24_000)
    assert np.abs(sound).max() > 0.1
    assert np.abs(sound).max() < 0.3
    # 2 ms of fade between two phases of the tone; a step would be a hundred times that.
    assert sharpest(sound) < 0.25 * 4 * (2 * np.pi * 220 / RATE) ** 2 + 0.25 * 0.04


def test_it_is_in_phase_with_the_stems_beside_it():
    """A click in all stems at once stays one click: tonal stems are not late."""
    places = np.arange(12_000, 10 * RATE, 24_000)
    click = np.zeros((10 * RATE, 2), np.float32)
    for k in range(40):
        click[places + k] = 0.4 * (-0.9) ** k
    onsets = dict.fromkeys(("vocals", "drums", "other"), places)
    engine = Offline(RATE)
    for name, value in (("keylock", 1.0), ("keylock_mode", 1.0), ("rate", 1.08)):
        engine.set(f"deck1.{name}", value)
    engine.render(4800)
    engine.load(0, dict.fromkeys(onsets, click), rate=RATE, splices=places, onsets=onsets)
    engine.push(Command(Op.PLAY, deck=0, x=1.0))
    alone = []
    whole = engine.render(8 * RATE)[LATENCY:, 0]
    for place in places[2:14]:
        due = round(place / 1.08)
        around = np.abs(whole[due - 600 : due + 600])
        alone.append(int(np.argmax(around > 0.5 * around.max())) - 600)
    assert max(map(abs, alone)) <= 1, alone


def voice(seconds=5.0):
    """Return a steady vowel of 120 Hz with vibrato: what its formants are is known."""
    t = np.arange(int(seconds * RATE)) / RATE
    turns = 2 * np.pi * np.cumsum(120 * (1 + 0.01 * np.sin(2 * np.pi * 5 * t))) / RATE
    formants = ((650, 135, 1.0), (1080, 150, 0.6), (2650, 210, 0.35), (3500, 300, 0.2))
    mono = np.zeros(len(t))
    for h in range(1, 60):
        level = sum(q / (1 + ((120 * h - f) / width) ** 2) for f, width, q in formants)
        mono += 0.1 * level * np.sin(turns * h + 0.3 * h * h)
    return np.stack([mono, mono], axis=1).astype(np.float32)


def envelope_db(sound):
    """Return the level of each half octave, wide enough for two harmonics, against their sum."""
    spectrum = np.abs(np.fft.rfft(sound[RATE : 3 * RATE, 0] * np.hanning(2 * RATE))) ** 2
    hertz = np.arange(len(spectrum)) / 2
    edges = 600 * 2 ** (np.arange(7) / 2)
    power = [spectrum[(hertz > a) & (hertz < b)].sum() for a, b in itertools.pairwise(edges)]
    return 10 * np.log10(np.array(power) / sum(power))


def test_a_voice_whose_pitch_is_shifted_keeps_its_formants():
    sung = voice()
    away = {}
    for stem in ("vocals", "other"):
        found = [
            envelope_db(deck({stem: sung}, rate=1.0001, pitch=pitch).render(4 * RATE))
            for pitch in (0.0, 5.0)
        ]
        away[stem] = np.sqrt(np.mean((found[1] - found[0]) ** 2))
    assert away["vocals"] < 0.5 * away["other"], away


@pytest.mark.parametrize("rate", [0.25, 0.5, 0.51, 1.99, 2.0, 4.0])
@pytest.mark.parametrize("pitch", [-12.0, 12.0])
def test_extremes_are_sound(rate, pitch):
    engine = deck({"vocals": tone(), "piano": tone(440.0)}, rate=rate, pitch=pitch)
    engine.set("deck1.reverse", 1.0, 40_000)
    sound = engine.render(60_000)
    assert np.isfinite(sound).all()
    assert 0.05 < np.abs(sound[20_000:40_000]).max() <= 1.0


@pytest.mark.parametrize("frames", [1, 100, 5000])
def test_a_track_shorter_than_its_frames_plays_and_ends(frames):
    engine = deck({"vocals": np.full((frames, 2), 0.1, np.float32)})
    assert np.isfinite(engine.render(20_000)).all()
    assert engine.memory.value("deck1.play") == 0.0


def test_the_tables_are_those_of_the_transform():
    table = spectral_tables.transform_table(64, 64)
    turns = np.exp(-2j * np.pi * np.arange(4096) / 4096)
    np.testing.assert_allclose(table[0] + 1j * table[1], turns, atol=1e-7)
    window = spectral_tables.hann(4096).astype(float)
    sums = (window.reshape(4, -1) ** 2).sum(axis=0)
    np.testing.assert_allclose(sums, 1.5, atol=1e-6)


def test_pcm_that_is_no_number_is_silent_for_a_moment_and_not_for_ever():
    vocals = tone(seconds=6.0)
    vocals[60_000:60_100] = np.nan
    engine = deck({"vocals": vocals, "other": tone(seconds=6.0)})
    engine.set("deck1.stem.vocals.filter", 40.0)
    sound = engine.render(4 * RATE)
    assert np.isfinite(sound).all()
    engine.set("deck1.stem.other.mute", 1.0)
    engine.render(4800)
    assert np.abs(engine.render(4800)).max() > 0.01


@pytest.mark.parametrize(("control", "off"), [("mute", 1.0), ("volume", -60.0)])
def test_a_stem_that_is_silenced_makes_no_samples_and_comes_back_without_a_click(control, off):
    engine = deck({"vocals": tone(), "other": np.zeros((12 * RATE, 2), np.float32)})
    engine.render(RATE)
    spectrum = engine.dsp.record["channel"][0]["tonal"][0]["spectrum"]
    engine.set(f"deck1.stem.vocals.{control}", off)
    engine.render(4800)
    made = int(spectrum["made"])
    engine.render(RATE // 2)
    assert int(spectrum["made"]) == made
    frame = int(engine.memory.engine["frame"])
    engine.set(f"deck1.stem.vocals.{control}", 0.0, frame + 1000)
    sound = engine.render(24_000)
    assert int(spectrum["made"]) > made + 20_000
    assert np.abs(sound[6000:]).max() == pytest.approx(0.25, abs=0.03)
    assert sharpest(sound) < 0.25 * 4 * (2 * np.pi * 220 / RATE) ** 2 + 0.25 * 0.04


def test_in_time_mode_no_tonal_stem_is_looked_at():
    engine = deck({"vocals": tone(), "other": tone(330.0)}, keylock_mode=0.0)
    engine.render(RATE)
    channel = engine.dsp.record["channel"][0]
    assert channel["tonal_rest"] == 1
    engine.set("deck1.keylock_mode", 1.0)
    engine.render(4800)
    assert channel["tonal_rest"] == 0
    engine.set("deck1.keylock_mode", 0.0)
    engine.render(4800)
    assert channel["tonal_rest"] == 1
