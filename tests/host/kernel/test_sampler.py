"""The sampler's pads: exact to the frame, without clicks, and never more than their budget."""

import numpy as np
import pytest

from sfa_engine.desk.desk import PADS
from sfa_engine.engine.command import Op, Reason, ReportKind, When
from sfa_engine.engine.layout import FADE, LATENCY, POLYPHONY, SEAM, SOUNDS, TICK
from sfa_engine.engine.ring import Command
from sfa_engine.host.offline import Offline
from sfa_engine.host.pads import Sound
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.track.wav import wav_header

RATE = 48_000
RNG = np.random.default_rng(5)
NOISE = (RNG.standard_normal((4800, 2)) * 0.1).astype(np.float32)
LONG = (RNG.standard_normal((2 * RATE, 2)) * 0.05).astype(np.float32)
TONE = np.repeat(0.25 * np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE), 2).reshape(-1, 2)
ONCE, GATE, LOOP = 0.0, 1.0, 2.0


def sampler(*sounds, block=512, rate=RATE, channels=2, pad=1, **settings):
    """Return an engine whose first pads have sounds; ``mode=2.0`` sets a control of pad `pad`."""
    engine = Offline(rate, channels, block)
    for number, sound in enumerate(sounds):
        engine.load_pad(number, np.asarray(sound, np.float32), rate=RATE)
    for name, value in settings.items():
        engine.set(f"pad{pad}.{name}", value)
    engine.render(2048)
    return engine


def hit(engine, pad=1, force=127.0, frame=None, op=Op.PAD_HIT):
    when = When.NOW if frame is None else When.FRAME
    place = 0 if frame is None else frame
    engine.push(Command(op, deck=-1, target=pad - 1, x=force, when=when, frame=place))


def reading(engine, name):
    return engine.memory.reading(name)


def now(engine):
    return int(engine.memory.engine["frame"])


def heard(engine, frames):
    """Return what comes from the mix in the next frames, without the limiter's delay."""
    ticks = -(-(frames + LATENCY) // TICK)  # so that what is sent next is due at once
    return engine.render(ticks * TICK)[LATENCY : LATENCY + frames]


# ---------------------------------------------------------------------- exact


@pytest.mark.parametrize("offset", [0, 1, 31, 333])
def test_a_hit_sounds_at_its_very_frame_as_the_sample_is(offset):
    engine = sampler(NOISE)
    hit(engine, frame=now(engine) + offset)
    out = heard(engine, 6000)
    assert np.array_equal(out[offset : offset + len(NOISE)], NOISE)
    assert not out[:offset].any()
    assert not out[offset + len(NOISE) :].any()


def test_a_hit_that_is_due_now_sounds_in_the_next_block():
    engine = sampler(NOISE, block=128)
    hit(engine)
    assert np.array_equal(heard(engine, 4800), NOISE)


def test_every_block_size_gives_the_same_bytes():
    outs = []
    for block in (17, 128, 512, 1000):
        engine = sampler(NOISE, LONG, block=block, pitch=3.0, attack=4.0, mode=GATE)
        engine.set("pad2.mode", LOOP)
        engine.set("pad2.start", 20.0)
        engine.set("pad2.end", 37.0)
        engine.render(2048)
        hits = ((1, 90.0, 5001), (2, 127.0, 5500), (1, 0.0, 7003), (2, 1.0, 30_000))
        for pad, force, frame in hits:
            hit(engine, pad, force, frame)
        engine.set("pad2.pan", -30.0, 9000)
        outs.append(engine.render(34_000))
    assert all(np.array_equal(outs[0], out) for out in outs[1:])


def test_pads_that_rest_leave_the_mix_as_it_is():
    quiet = Offline(RATE)
    loaded = Offline(RATE)
    for engine in (quiet, loaded):
        engine.load(0, {"mix": (LONG * 30000).astype(np.int16)}, rate=RATE)
        engine.push(Command(Op.PLAY, deck=0, x=1.0))
    loaded.load_pad(0, NOISE)
    assert np.array_equal(quiet.render(9600), loaded.render(9600))


def test_a_sample_of_another_rate_plays_at_its_pitch():
    engine = Offline(RATE)
    engine.load_pad(0, TONE[:22_050].astype(np.float32), rate=44_100)  # 200 Hz at 48 kHz
    engine.render(64)
    hit(engine)
    out = heard(engine, RATE // 2)[:, 0]
    magnitude = np.abs(np.fft.rfft(out * np.hanning(len(out))))
    assert abs(magnitude.argmax() * 2 - 200 * 44_100 / RATE) < 3
    assert np.abs(out[: round(22_050 / 44_100 * RATE) - 100]).max() > 0.2


@pytest.mark.parametrize("semitones", [-24.0, -7.0, 12.0, 24.0])
def test_pitch_shifts_in_semitones(semitones):
    engine = sampler(TONE, pitch=semitones)
    hit(engine)
    out = heard(engine, 10_000)[:, 0]
    magnitude = np.abs(np.fft.rfft(out * np.hanning(len(out))))
    assert abs(magnitude.argmax() * RATE / len(out) - 200 * 2 ** (semitones / 12)) < 6


def test_reverse_plays_backwards():
    engine = sampler(NOISE, reverse=1.0)
    hit(engine)
    out = heard(engine, 6000)
    assert np.abs(out[: len(NOISE)] - NOISE[::-1]).max() < 1e-6
    assert not out[len(NOISE) :].any()


def test_start_and_end_cut_the_sample_and_the_end_fades():
    engine = sampler(NOISE, start=25.0, end=75.0)
    hit(engine)
    out = heard(engine, 6000)
    assert np.array_equal(out[: 2400 - SEAM], NOISE[1200 : 3600 - SEAM])
    assert not out[2400:].any()
    fade = np.abs(out[2400 - SEAM : 2400]) / np.maximum(1e-9, np.abs(NOISE[3600 - SEAM : 3600]))
    assert np.all(np.diff(fade[:, 0]) < 1e-3)


def test_start_behind_end_plays_what_lies_between():
    engine = sampler(NOISE, start=75.0, end=25.0)
    hit(engine)
    assert np.array_equal(heard(engine, 3000)[:2000], NOISE[1200:3200])


def test_force_is_level_and_may_count_less():
    levels = []
    for share in (100.0, 0.0):
        engine = sampler(NOISE)
        engine.set("sampler.velocity", share)
        engine.render(32)
        hit(engine, force=64.0)
        levels.append(np.abs(heard(engine, 4800)).max() / np.abs(NOISE).max())
    assert levels[0] == pytest.approx((64 / 127) ** 2, rel=1e-3)
    assert levels[1] == 1.0


def test_volume_pan_and_the_samplers_volume_act():
    engine = sampler(NOISE, volume=-6.0, pan=-100.0)
    hit(engine)
    out = heard(engine, 4800)
    assert not out[:, 1].any()
    assert np.abs(out[:, 0] / NOISE[:, 0] - 10 ** (-6 / 20)).max() < 1e-4
    engine.set("sampler.volume", -60.0)
    engine.render(1000)
    hit(engine)
    assert not heard(engine, 4800).any()


# ---------------------------------------------------------------------- modes


def test_once_plays_to_its_end_though_it_is_let_go():
    engine = sampler(NOISE)
    hit(engine)
    hit(engine, force=0.0, frame=now(engine) + 100)
    assert np.array_equal(heard(engine, 4800), NOISE)


def test_gate_plays_while_it_is_held_and_falls_as_its_release_says():
    engine = sampler(LONG, mode=GATE, release=10.0)
    hit(engine)
    hit(engine, force=0.0, frame=now(engine) + 1000)
    out = heard(engine, 4000)
    assert np.array_equal(out[:1000], LONG[:1000])
    assert out[1000:1470].any()
    assert not out[1480:].any()
    assert reading(engine, "pad1.playing") == 0.0


def test_attack_rises_in_a_straight_line():
    engine = sampler(np.full((RATE, 2), 0.25), attack=100.0)
    hit(engine)
    out = heard(engine, 9600)[:, 0]
    assert out[2399] == pytest.approx(0.125, abs=1e-4)
    assert out[4800:].min() == out.max() == pytest.approx(0.25)
    assert np.abs(np.diff(out)).max() < 1e-4


def envelope_of(engine, frames):
    """Return the level of a pad that plays a constant of 0.25, frame by frame."""
    hit(engine)
    return heard(engine, frames)[:, 0] / 0.25


FLAT = np.full((RATE, 2), 0.25, np.float32)


def test_a_sound_rises_holds_decays_and_sustains():
    engine = sampler(FLAT, attack=10.0, hold=20.0, decay=50.0, sustain=40.0)
    level = envelope_of(engine, 9600)
    assert level[239] == pytest.approx(0.5, abs=0.01)
    assert level[480:1440] == pytest.approx(1.0)
    assert level[1440 + 1200] == pytest.approx(0.7, abs=0.001)
    assert level[1440 + 2400 :] == pytest.approx(0.4, abs=1e-6)
    assert np.abs(np.diff(level)).max() < 1 / 479
    engine.set("pad1.sustain", 20.0)  # while it sounds
    lower = heard(engine, 9600)[:, 0] / 0.25
    assert lower[-1] == pytest.approx(0.2, abs=1e-6)
    assert np.abs(np.diff(lower)).max() < 1 / 1000


def test_a_sound_that_decays_to_nothing_ends():
    engine = sampler(FLAT, mode=LOOP, hold=1.0, sustain=0.0)
    level = envelope_of(engine, 4800)
    assert level[:48] == pytest.approx(1.0)
    assert not level[48 + FADE :].any()
    assert np.abs(np.diff(level)).max() <= 1.01 / FADE
    assert reading(engine, "sampler.voices") == 0.0


def test_a_sound_is_let_go_at_any_time_of_its_envelope():
    for after in (100, 700, 1500, 5000):
        engine = sampler(
            FLAT, mode=GATE, attack=10.0, hold=10.0, decay=50.0, sustain=50.0, release=10.0
        )
        hit(engine, frame=now(engine))
        hit(engine, force=0.0, frame=now(engine) + after)
        level = heard(engine, 6000)[:, 0] / 0.25
        assert level[: after - 1].all()
        assert not level[after + 482 :].any()
        assert np.abs(np.diff(level)).max() < 1 / 470


def test_the_envelope_is_the_same_whatever_the_block():
    outs = []
    for block in (17, 128, 1000):
        engine = sampler(LONG, block=block, attack=3.3, hold=7.7, decay=20.1, sustain=33.0)
        hit(engine, frame=now(engine) + 999)
        outs.append(engine.render(8000))
    assert all(np.array_equal(outs[0], out) for out in outs[1:])


# ---------------------------------------------------------------------- tempo

CLICK = np.zeros((RATE, 2), np.float32)  # a second: two beats at 120 BPM
CLICK[:4] = 0.5


def periods(engine, seconds=4.0):
    """Return the frames between the clicks of a loop."""
    hit(engine)
    out = np.abs(heard(engine, round(seconds * RATE))[:, 0])
    found = np.flatnonzero((out > 0.2) & (np.concatenate([[0], out[:-1]]) <= 0.2))
    return np.diff(found)


@pytest.mark.parametrize(
    ("tempo", "frames"),
    [(120.0, 48_000), (150.0, 38_400), (90.0, 64_000), (60.0, 48_000), (240.0, 48_000)],
)
def test_a_loop_with_beats_follows_the_sessions_tempo_or_half_or_twice_of_it(tempo, frames):
    engine = sampler(CLICK, mode=LOOP, beats=2.0)
    engine.push(Command(Op["CLOCK_TEMPO"], x=tempo))
    engine.render(64)
    assert np.abs(periods(engine) - frames).max() <= 1


def test_a_loop_at_its_own_tempo_plays_bit_for_bit():
    engine = sampler(LONG, mode=LOOP, beats=4.0)
    hit(engine)
    assert np.array_equal(heard(engine, 3 * len(LONG)), np.tile(LONG, (3, 1)))


def test_a_loop_follows_a_deck_as_its_rate_moves():
    engine = sampler(CLICK, mode=LOOP, beats=2.0)
    track = np.zeros((60 * RATE, 2), np.float32)
    engine.load(0, {"mix": track}, rate=RATE, grid=Grid((Anchor(0.0, 0.0),), 120.0))
    engine.set("sampler.clock", 1.0)
    engine.push(Command(Op.PLAY, deck=0, x=1.0))
    engine.set("deck1.rate", 1.25)
    engine.render(9600)
    assert np.abs(periods(engine) - 38_400).max() <= 1
    engine.set("deck1.rate", 0.8)
    engine.render(9600)
    hit(engine, op=Op.PAD_STOP)
    engine.render(9600)
    assert np.abs(periods(engine) - 60_000).max() <= 1


def test_a_loop_keeps_the_tempo_of_a_deck_that_stops_whatever_is_loaded_next():
    engine = sampler(CLICK, mode=LOOP, beats=2.0)
    track = np.zeros((60 * RATE, 2), np.float32)
    engine.load(0, {"mix": track}, rate=RATE, grid=Grid((Anchor(0.0, 0.0),), 150.0))
    engine.set("sampler.clock", 1.0)
    engine.push(Command(Op.PLAY, deck=0, x=1.0))
    engine.render(9600)
    assert np.abs(periods(engine) - 38_400).max() <= 1
    engine.push(Command(Op.PLAY, deck=0, x=0.0))
    engine.load(0, {"mix": track}, rate=RATE, grid=Grid((Anchor(0.0, 0.0),), 100.0))
    hit(engine, op=Op.PAD_STOP)
    engine.render(9600)
    assert np.abs(periods(engine) - 38_400).max() <= 1
    engine.push(Command(Op.PLAY, deck=0, x=1.0))
    hit(engine, op=Op.PAD_STOP)
    engine.render(9600)
    assert np.abs(periods(engine) - 57_600).max() <= 1


@pytest.mark.parametrize("settings", [{}, {"beats": 2.0, "mode": ONCE}])
def test_without_beats_or_a_loop_a_sound_keeps_its_speed(settings):
    engine = sampler(CLICK, **{"mode": LOOP, **settings})
    engine.push(Command(Op["CLOCK_TEMPO"], x=150.0))
    engine.render(64)
    hit(engine)
    assert np.array_equal(heard(engine, 47_000), CLICK[:47_000])


def test_a_loop_by_a_deck_without_a_grid_keeps_its_speed():
    engine = sampler(CLICK, mode=LOOP, beats=1.0)
    engine.set("sampler.clock", 2.0)
    engine.render(64)
    assert np.array_equal(periods(engine), [48_000] * 3)


# ---------------------------------------------------------------------- loops


def test_a_loop_of_a_whole_sample_repeats_it_exactly_and_a_hit_ends_it():
    engine = sampler(NOISE, mode=LOOP)
    hit(engine)
    out = heard(engine, 3 * 4800)
    assert np.array_equal(out, np.tile(NOISE, (3, 1)))
    hit(engine)
    assert not heard(engine, 2000)[FADE + 1 :].any()


@pytest.mark.parametrize("pitch", [0.0, 5.0, -5.0])
def test_a_loop_within_a_sample_has_no_click(pitch):
    engine = sampler(TONE, mode=LOOP, start=10.13, end=31.77, pitch=pitch)
    hit(engine)
    out = heard(engine, 2 * RATE)[:, 0]
    assert np.abs(np.diff(out[200:])).max() < 0.25 * 2 * np.pi * 200 / RATE * 2 + 0.5 / SEAM
    assert np.abs(out[RATE:]).max() > 0.2


@pytest.mark.parametrize("mode", [ONCE, GATE, LOOP])
@pytest.mark.parametrize("frames", [1, 2, 23, 100])
@pytest.mark.parametrize("pitch", [0.0, 24.0, -24.0])
@pytest.mark.parametrize("reverse", [0.0, 1.0])
def test_the_shortest_samples_play(mode, frames, pitch, reverse):
    engine = sampler(NOISE[:frames], mode=mode, pitch=pitch, reverse=reverse)
    hit(engine)
    out = heard(engine, 2000)
    assert np.isfinite(out).all()
    assert np.abs(out).max() < 1.0
    assert (reading(engine, "pad1.playing") == 1.0) is (mode == LOOP)


def test_what_is_no_number_is_silence():
    bad = NOISE.copy()
    bad[100:200] = np.nan
    bad[300] = np.inf
    engine = sampler(NOISE, pitch=1.0)
    engine.load_pad(1, bad)
    engine.render(64)
    hit(engine, 2)
    out = heard(engine, 5000)
    assert np.isfinite(out).all()
    assert np.array_equal(out[400:4800], bad[400:])


def test_stop_lets_a_pad_go_and_stop_all_every_pad():
    engine = sampler(LONG, LONG, mode=LOOP)
    hit(engine, 1)
    hit(engine, 2)
    engine.render(500)
    hit(engine, 1, op=Op.PAD_STOP)
    engine.render(500)
    assert [reading(engine, f"pad{n}.playing") for n in (1, 2)] == [0.0, 1.0]
    hit(engine, 1, op=Op.SAMPLER_STOP)
    engine.render(500)
    assert reading(engine, "sampler.voices") == 0.0


# ---------------------------------------------------------------------- choke, replace, steal


def test_a_pad_silences_its_choke_group_and_no_other():
    engine = sampler(LONG, LONG, LONG)
    for pad in (1, 2):
        engine.set(f"pad{pad}.choke", 3.0)
    engine.render(32)
    hit(engine, 1)
    hit(engine, 3)
    engine.render(512)
    hit(engine, 2)
    engine.render(512)
    assert [reading(engine, f"pad{n}.playing") for n in (1, 2, 3)] == [0.0, 1.0, 1.0]


def test_a_hit_of_a_pad_that_sounds_restarts_it():
    engine = sampler(LONG)
    hit(engine)
    engine.render(4096)
    hit(engine)
    out = heard(engine, 1000)
    assert np.array_equal(out[FADE:], LONG[FADE:1000])
    assert reading(engine, "sampler.voices") == 1.0


def test_chokes_restarts_and_new_sounds_do_not_click():
    engine = sampler(TONE, TONE, TONE, block=64)
    for pad in (1, 2, 3):
        engine.set(f"pad{pad}.choke", 1.0)
        engine.set(f"pad{pad}.attack", 2.0)
    engine.render(32)
    pieces = []
    for k in range(60):
        hit(engine, k % 3 + 1)
        if k % 7 == 3:
            engine.load_pad(k % 3, TONE.astype(np.float32))
        pieces.append(engine.render(640))
    out = np.concatenate(pieces)[:, 0]
    assert np.abs(np.diff(out)).max() < 2 * (0.25 * 2 * np.pi * 200 / RATE + 0.25 / FADE)


def test_a_sample_that_is_replaced_fades_out_and_its_memory_is_given_back():
    engine = sampler(np.full((RATE, 2), 0.25))
    hit(engine)
    engine.render(4096)
    engine.load_pad(0, NOISE)
    out = heard(engine, 1000)[:, 0]
    assert np.abs(np.diff(out)).max() < 0.25 / FADE * 1.1
    assert not out[FADE:].any()
    engine.pads.free()
    assert len(engine.pads._samples) == 1
    hit(engine)
    assert np.array_equal(heard(engine, 4800), NOISE)


def test_more_than_the_polyphony_lets_the_oldest_fade():
    engine = sampler(*[LONG] * 3)
    engine.set("sampler.keys", 1.0)
    for number in range(3, PADS):
        engine.load_pad(number, LONG)
    engine.set("sampler.keys", 0.0)
    engine.render(64)
    for pad in range(1, PADS + 1):
        hit(engine, pad)
        engine.render(64)
    assert reading(engine, "sampler.voices") == POLYPHONY == PADS
    engine.set("sampler.keys", 1.0)
    engine.render(2048)
    assert reading(engine, "pad2.playing") == 1.0


def test_a_thousand_hits_in_one_block_are_bounded_and_the_last_ones_win():
    engine = Offline(RATE, block=128)
    for number in range(PADS):
        engine.load_pad(number, LONG[:, :])
    engine.render(64)
    for k in range(1000):
        hit(engine, k % PADS + 1)
    out = engine.render(128)
    assert np.isfinite(out).all()
    assert reading(engine, "sampler.voices") <= POLYPHONY
    sounds = engine.dsp.record["sound"]
    assert (sounds["slot"] >= 0).sum() <= SOUNDS
    engine.render(4096)
    assert {r.reason for r in engine.reported() if r.kind is ReportKind.REFUSED} == set()
    playing = [reading(engine, f"pad{n}.playing") for n in range(1, PADS + 1)]
    assert sum(playing) == reading(engine, "sampler.voices") == PADS
    assert int(engine.dsp.record["hits"]) == 1000


def test_many_hits_of_one_pad_at_one_frame_sound_once():
    engine = sampler(NOISE)
    for _ in range(150):
        hit(engine, frame=now(engine) + 50)
    assert np.array_equal(heard(engine, 5000)[50 : 50 + 4800], NOISE)


# ---------------------------------------------------------------------- quantise, keys


def test_a_quantised_hit_waits_for_the_beat_to_the_frame():
    engine = sampler(NOISE, quantise=1.0)
    length = RATE // 2  # 120 BPM
    hit(engine)
    engine.render(32)
    assert reading(engine, "pad1.waiting") == 1.0
    start = now(engine) - LATENCY
    out = engine.render(length + 6000)
    beat = -(-(start + LATENCY) // length) * length
    at = beat - start
    assert not out[:at].any()
    assert np.array_equal(out[at : at + 4800], NOISE)
    assert reading(engine, "pad1.waiting") == 0.0


def test_a_bar_is_four_beats_and_the_last_hit_counts():
    engine = sampler(NOISE, quantise=2.0)
    hit(engine, force=20.0)
    hit(engine, force=127.0)
    out = engine.render(5 * RATE // 2)
    first = int(np.flatnonzero(out[:, 0])[0])
    assert 2048 + first - LATENCY == 4 * RATE // 2
    assert np.array_equal(out[first : first + 4800], NOISE)


def test_a_stop_takes_a_waiting_hit_back_and_so_does_the_release_of_a_gate():
    engine = sampler(NOISE, quantise=2.0)
    hit(engine)
    engine.render(64)
    hit(engine, op=Op.PAD_STOP)
    assert not engine.render(3 * RATE).any()
    engine.set("pad1.mode", GATE)
    hit(engine)
    engine.render(64)
    hit(engine, force=0.0)
    assert not engine.render(3 * RATE).any()


def test_a_bank_is_the_keyboard_of_one_pad():
    engine = sampler(TONE)
    engine.set("sampler.keys", 1.0)
    engine.render(32)
    for pad, semitones in ((1, 0), (13, 12), (16, 15)):
        hit(engine, pad)
        out = heard(engine, 9600)[:, 0]
        magnitude = np.abs(np.fft.rfft(out * np.hanning(len(out))))
        assert abs(magnitude.argmax() * RATE / len(out) - 200 * 2 ** (semitones / 12)) < 6
        hit(engine, pad, op=Op.PAD_STOP)
        engine.render(4096)
    hit(engine, 17)
    engine.render(64)
    refused = [r for r in engine.reported() if r.kind is ReportKind.REFUSED]
    assert [r.reason for r in refused] == [Reason.NO_SAMPLE]


def test_keys_play_chords_and_a_choke_group_makes_them_one_voice():
    engine = sampler(LONG)
    engine.set("sampler.keys", 1.0)
    engine.render(32)
    for pad in (1, 5, 8):
        hit(engine, pad)
    engine.render(64)
    assert reading(engine, "sampler.voices") == 3.0
    engine.set("pad1.choke", 1.0)
    engine.render(32)
    for pad in (1, 5, 8):
        hit(engine, pad)
        engine.render(64)
    assert reading(engine, "sampler.voices") == 1.0


# ---------------------------------------------------------------------- outputs, readings, refusals


def test_a_pad_may_be_on_the_headphones_alone():
    engine = sampler(NOISE, channels=4, output=1.0)
    engine.set("phones.volume", 0.0)
    engine.render(2048)
    hit(engine)
    out = heard(engine, 4800)
    assert not out[:, :2].any()
    assert np.abs(out[:, 2:] - NOISE).max() < 1e-6
    engine.set("pad1.output", 2.0)
    hit(engine)
    out = heard(engine, 4800)
    assert np.array_equal(out[:, :2], NOISE)
    assert np.abs(out[:, 2:] - NOISE).max() < 1e-6


def test_readings_say_what_pads_do():
    engine = sampler(LONG)
    assert reading(engine, "pad1.duration") == 2.0
    assert reading(engine, "pad2.duration") == 0.0
    hit(engine)
    engine.render(4096)
    assert reading(engine, "pad1.playing") == 1.0
    assert reading(engine, "pad1.level") == pytest.approx(np.abs(LONG[:4096]).max(), rel=0.2)
    assert reading(engine, "sampler.level") > 0.1
    engine.load_pad(0, None)
    engine.render(6 * RATE)
    assert reading(engine, "pad1.playing") == reading(engine, "pad1.level") == 0.0
    assert reading(engine, "pad1.duration") == 0.0


def test_what_makes_no_sense_is_refused():
    engine = sampler(NOISE)
    hit(engine, 2)
    for target in (-1, PADS, 1 << 30):
        engine.push(Command(Op.PAD_HIT, deck=-1, target=target, x=1.0))
        engine.push(Command(Op.PAD_STOP, deck=-1, target=target, x=1.0))
    engine.push(Command(Op.SAMPLE, deck=-1, target=0, x=0.0))  # not of the host
    engine.render(64)
    reasons = [r.reason for r in engine.reported() if r.kind is ReportKind.REFUSED]
    assert reasons == [Reason.NO_SAMPLE, *[Reason.UNKNOWN] * 7]


def test_random_hits_stay_finite_and_leave_nothing_behind():
    engine = Offline(RATE, block=128)
    for number in range(PADS):
        engine.load_pad(number, LONG[: int(RNG.integers(1, 9000))])
    for number in range(1, PADS + 1):
        for name, high in (("mode", 2), ("choke", 8), ("quantise", 2), ("output", 2)):
            engine.set(f"pad{number}.{name}", float(RNG.integers(0, high + 1)))
        engine.render(32)
        for name, high in (("start", 100), ("end", 100), ("attack", 20), ("release", 50)):
            engine.set(f"pad{number}.{name}", float(RNG.uniform(0, high)))
        engine.set(f"pad{number}.pitch", float(RNG.uniform(-24, 24)))
        engine.set(f"pad{number}.reverse", float(RNG.integers(0, 2)))
        engine.render(32)
    for _ in range(400):
        for _ in range(int(RNG.integers(0, 8))):
            hit(engine, int(RNG.integers(1, PADS + 1)), float(RNG.integers(0, 128)))
        out = engine.render(int(RNG.integers(1, 300)))
        assert np.isfinite(out).all()
        assert reading(engine, "sampler.voices") <= POLYPHONY
    hit(engine, op=Op.SAMPLER_STOP)
    engine.render(4 * RATE)
    assert reading(engine, "sampler.voices") == 0.0
    assert not (engine.dsp.record["sound"]["slot"] >= 0).any()
    assert not engine.dsp.record["sample"]["heads"].any()
    assert not engine.render(1024).any()


def test_a_stretch_of_a_file_has_what_lies_around_it_for_its_seams(tmp_path):
    path = tmp_path / "tone.wav"
    pcm = (TONE * 32767).astype(np.int16)
    path.write_bytes(wav_header(len(pcm), RATE, "s16") + pcm.tobytes())
    engine = Offline(RATE)
    engine.load_pad(0, Sound(str(path), start=10_007, frames=9_013))
    engine.set("pad1.mode", LOOP)
    engine.render(64)
    hit(engine)
    out = heard(engine, RATE)[:, 0]
    assert np.array_equal(out[:8000], pcm[10_007:18_007, 0] / np.float32(32768.0))
    assert np.abs(np.diff(out[100:])).max() < 0.25 * 2 * np.pi * 200 / RATE * 2 + 0.5 / SEAM


assert TICK == 32
