import hashlib

import numpy as np
import pytest

from sfa_engine.demo.groove import GROOVES, render_groove
from sfa_engine.demo.master import ride
from sfa_engine.demo.score import Grid, Tape, hits
from sfa_engine.errors import Refused

RATE = 48000
STEMS = {"vocals", "drums", "bass", "other"}
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def every_groove(test):
    return pytest.mark.slow(pytest.mark.parametrize("name", GROOVES)(test))


@pytest.fixture(scope="module")
def progress():
    """What each groove's rendering said of its progress."""
    return {name: [] for name in GROOVES}


@pytest.fixture(scope="module")
def grooves(progress):
    return {name: render_groove(name, RATE, progress[name].append) for name in GROOVES}


def mix(groove):
    return np.sum(list(groove.stems.values()), axis=0)


def part(groove, sound, bar, bars):
    first, last = (round(groove.bar_s(b) * RATE) for b in (bar, bar + bars))
    return sound[first:last]


def digest(groove):
    return {k: hashlib.sha256(v.tobytes()).hexdigest() for k, v in groove.stems.items()}


def decibels(sound):
    return 20 * np.log10(np.sqrt(np.mean(np.square(sound, dtype=np.float64))) + 1e-12)


def beats(groove, first_bar, bars):
    """Frames of the beats of some bars, from the declared grid alone."""
    count = np.arange(first_bar * 4, (first_bar + bars) * 4)
    return np.rint(groove.first_beat_s * RATE + count * 60 / groove.bpm * RATE).astype(int)


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["quicksilver", "slow-gold"])
def test_a_groove_is_the_same_to_the_last_bit_every_time(grooves, name):
    assert digest(render_groove(name, RATE)) == digest(grooves[name])


@every_groove
def test_stems_are_named_float_stereo_and_equally_long(grooves, name):
    stems = grooves[name].stems
    assert set(stems) == STEMS
    assert {s.dtype for s in stems.values()} == {np.dtype(np.float32)}
    assert len({s.shape for s in stems.values()}) == 1
    assert all(s.ndim == 2 and s.shape[1] == 2 and s.flags.c_contiguous for s in stems.values())


@every_groove
def test_a_groove_is_as_long_as_its_bars_and_a_tail(grooves, name):
    groove = grooves[name]
    seconds = len(groove.stems["drums"]) / RATE
    assert groove.bars == 48
    assert 85.0 < groove.bar_s(48) < 99.0
    assert 1.0 < seconds - groove.bar_s(48) < 3.0


@every_groove
def test_every_sample_is_a_number(grooves, name):
    assert all(np.isfinite(s).all() for s in grooves[name].stems.values())


@every_groove
def test_the_sum_of_the_stems_peaks_below_minus_one_decibel(grooves, name):
    peak = 20 * np.log10(np.abs(mix(grooves[name])).max())
    assert -2.0 < peak < -1.0


@every_groove
def test_the_drop_is_loud_and_the_break_is_not(grooves, name):
    groove = grooves[name]
    whole = mix(groove)
    drop, rest = (decibels(part(groove, whole, bar, 8)) for bar in (16, 24))
    assert -13.0 < drop < -9.0
    assert drop - 9.0 < rest < drop - 3.0


@every_groove
def test_no_stem_carries_an_offset(grooves, name):
    for sound in grooves[name].stems.values():
        assert np.abs(sound.mean(axis=0, dtype=np.float64)).max() < 1e-3


@every_groove
def test_every_stem_can_be_heard_in_the_drop(grooves, name):
    groove = grooves[name]
    levels = {k: decibels(part(groove, s, 16, 8)) for k, s in groove.stems.items()}
    assert min(levels.values()) > -26.0
    assert max(levels, key=levels.get) in {"drums", "bass"}


@every_groove
def test_the_first_downbeat_is_a_whole_frame(grooves, name):
    first = grooves[name].first_beat_s * RATE
    assert first == pytest.approx(round(first), abs=1e-9)


@every_groove
def test_every_kick_of_intro_and_outro_starts_on_its_beat(grooves, name):
    groove = grooves[name]
    drums = groove.stems["drums"][:, 0]
    for beat in [*beats(groove, 0, 4), *beats(groove, 44, 4)]:
        first = max(0, beat - 240)
        onset = first + int(np.argmax(np.abs(drums[first : beat + 240]) > 0.12))
        assert abs(onset - beat) <= 1


@every_groove
def test_the_beat_is_found_where_it_is_declared(grooves, name):
    groove = grooves[name]
    drums = np.abs(groove.stems["drums"][:, 0])
    every = beats(groove, 16, 7)
    on = np.mean([drums[b : b + 480].max() for b in every])
    off = np.mean([drums[b - 480 : b].max() for b in every])
    assert on > 3 * off


@every_groove
def test_the_intro_is_drums_alone_and_so_is_the_end(grooves, name):
    groove = grooves[name]
    for stem in STEMS - {"drums"}:
        # The rooms are convolved by FFT, whose rounding is below what a file of 24 bits holds.
        assert np.abs(part(groove, groove.stems[stem], 0, 3)).max() < 2.0**-24
        assert decibels(part(groove, groove.stems[stem], 47, 1)) < -80.0
    assert decibels(part(groove, groove.stems["drums"], 47, 1)) > -20.0


@every_groove
def test_drums_and_bass_are_silent_in_the_first_half_of_the_break(grooves, name):
    groove = grooves[name]
    for stem in ("drums", "bass"):
        assert np.abs(part(groove, groove.stems[stem], 24.5, 3.4)).max() == 0.0
    assert decibels(part(groove, groove.stems["drums"], 30, 2)) > -40.0


@every_groove
def test_sections_are_phrases_of_eight_bars(grooves, name):
    groove = grooves[name]
    assert [bar for _, bar in groove.sections] == [0, 8, 16, 24, 32, 40]
    assert groove.bar_s(0) == groove.first_beat_s


@every_groove
def test_the_tail_ends_in_silence(grooves, name):
    for sound in grooves[name].stems.values():
        assert np.abs(sound[-RATE // 20 :]).max() < 1e-4


@every_groove
def test_notes_begin_and_end_without_clicks(grooves, name):
    stems = grooves[name].stems
    assert np.abs(np.diff(stems["bass"], axis=0)).max() < 0.15
    assert np.abs(np.diff(stems["vocals"], axis=0)).max() < 0.25


@every_groove
def test_the_bass_is_mono_and_the_chords_are_wide(grooves, name):
    stems = grooves[name].stems
    np.testing.assert_array_equal(stems["bass"][:, 0], stems["bass"][:, 1])
    assert 0.0 < np.corrcoef(stems["other"].T)[0, 1] < 0.8


@every_groove
def test_the_loudest_notes_are_tonic_and_fifth_of_the_key(grooves, name):
    groove = grooves[name]
    tonal = (groove.stems["other"] + groove.stems["vocals"]).mean(axis=1)
    window = 16384  # 3 Hz apart: semitones are told apart from 60 Hz upwards
    blocks = tonal[: len(tonal) // window * window].reshape(-1, window)
    height = np.abs(np.fft.rfft(blocks * np.hanning(window))).sum(axis=0)
    frequency = np.fft.rfftfreq(window, 1 / RATE)
    heard = (frequency > 100) & (frequency < 1800)
    note = np.rint(12 * np.log2(frequency[heard] / 440) + 9).astype(int) % 12
    chroma = np.bincount(note, height[heard] / np.sqrt(frequency[heard]), 12)
    name_of_tonic, mode = groove.key.split()
    tonic = NAMES.index(name_of_tonic)
    assert mode == "minor"
    assert set(np.argsort(chroma)[-2:]) == {tonic, (tonic + 7) % 12}
    outside = [(tonic + k) % 12 for k in (1, 4, 6, 9, 11)]  # not in the minor scale
    assert chroma[outside].max() < 0.5 * chroma.max()
    assert chroma[(tonic + 3) % 12] > 1.5 * chroma[(tonic + 4) % 12]  # minor, not major


@every_groove
def test_the_kick_owns_the_bottom_and_the_cymbals_the_top(grooves, name):
    groove = grooves[name]
    below, above = {}, {}
    for stem, sound in groove.stems.items():
        mono = part(groove, sound, 16, 8).mean(axis=1)
        power = np.abs(np.fft.rfft(mono[: 1 << 19])) ** 2  # the first 11 of 16 seconds
        frequency = np.fft.rfftfreq(1 << 19, 1 / RATE)
        below[stem] = power[frequency < 120].sum()
        above[stem] = power[frequency > 8000].sum()
    assert below["drums"] + below["bass"] > 50 * (below["vocals"] + below["other"])
    assert above["drums"] > 2 * (above["vocals"] + above["other"] + above["bass"])


@pytest.mark.slow
def test_the_grooves_differ_in_tempo_and_the_first_two_are_neighbours_in_key(grooves):
    assert sorted((g.bpm, g.key) for g in grooves.values()) == [
        (118.0, "F minor"),
        (122.0, "A minor"),
        (128.0, "E minor"),
    ]
    assert {g.artist for g in grooves.values()} == {"Sound Forge Alchemy"}


@every_groove
def test_progress_goes_up_to_one(grooves, progress, name):
    seen = progress[name]
    assert seen == sorted(seen)
    assert len(seen) > len(grooves[name].stems)
    assert seen[-1] == 1.0


def test_an_unknown_groove_is_refused_with_the_nearest_name():
    with pytest.raises(Refused) as refusal:
        render_groove("slowgold")
    assert refusal.value.message == 'no groove "slowgold"'
    assert refusal.value.hint == 'did you mean "slow-gold"?'


def test_a_name_like_none_is_refused_with_all_of_them():
    with pytest.raises(Refused, match="there are slow-gold, quicksilver, copper-rain"):
        render_groove("xyz")


def test_a_rate_too_low_for_cymbals_is_refused():
    with pytest.raises(Refused, match="give 32000 or more"):
        render_groove(GROOVES[0], 8000)


def test_only_odd_sixteenths_swing():
    grid = Grid(bpm=120.0, rate=48000, first_frame=100, bars=4, swing=0.6)
    assert [grid.frame(1, step) for step in (0, 2, 4)] == [96100, 108100, 120100]
    assert grid.frame(0, 1) == 100 + 7200
    assert grid.frame(2) == 100 + 2 * 96000


def test_a_pattern_reads_as_steps_and_levels():
    assert list(hits("9... ..1.")) == [(0, 1.0), (6, pytest.approx(1 / 27))]


def test_a_shot_over_either_end_of_the_tape_is_cut():
    tape = Tape(4)
    shot = np.arange(1, 4, dtype=np.float32)
    tape.lay(shot, -1, send=0.5)
    tape.lay(shot, 3)
    tape.lay(shot, 9)
    np.testing.assert_array_equal(tape.sound[:, 0], [2, 3, 0, 1])
    np.testing.assert_array_equal(tape.send, [1, 1.5, 0, 0])


def test_the_last_fader_keeps_the_sum_below_the_ceiling_and_the_balance_as_it_was():
    rng = np.random.default_rng(5)
    stems = {k: rng.uniform(-0.6, 0.6, (30000, 2)).astype(np.float32) for k in "ab"}
    stems["a"][20000:] *= 0.1
    stems["b"][20000:] *= 0.1
    before = {k: v.copy() for k, v in stems.items()}
    ride(stems, RATE, ceiling=0.8)
    assert np.abs(stems["a"] + stems["b"]).max() <= 0.8 + 1e-6
    np.testing.assert_allclose(stems["a"] * before["b"], stems["b"] * before["a"], atol=1e-6)
    np.testing.assert_array_equal(stems["a"][25000:], before["a"][25000:])
