"""What the kernel does to sound, measured on what comes out of it."""

import numpy as np
import pytest
from scipy.signal import resample_poly
from scipy.signal.windows import kaiser

from sfa_engine.engine.command import Op
from sfa_engine.engine.layout import LATENCY
from sfa_engine.engine.ring import Command
from sfa_engine.host.offline import Offline

RATE = 48_000
THROUGH = 2  # of deck.assign
FADED_IN = 200  # frames
RNG = np.random.default_rng(11)
TIME = np.arange(4 * RATE) / RATE


def stereo(mono):
    return np.stack([mono, mono], axis=1).astype(np.float32)


def tone(hertz, level=0.5):
    return stereo(level * np.sin(2 * np.pi * hertz * TIME))


def playing(source, *, block=512, **settings):
    """Return an engine that plays a source, from a settled desk; ``deck1__rate=1.08``."""
    engine = Offline(RATE, 2, block)
    stems = source if isinstance(source, dict) else {"mix": source}
    engine.load(0, stems, rate=RATE)
    engine.set("deck1.assign", THROUGH)
    for name, value in settings.items():
        engine.set(name.replace("__", "."), value)
    engine.render(3200)
    engine.push(Command(Op.PLAY, deck=0, x=1.0))
    return engine


def spectrum_db(signal):
    window = kaiser(len(signal), 20)
    magnitude = np.abs(np.fft.rfft(signal * window)) / window.sum() * 2
    return np.fft.rfftfreq(len(signal), 1 / RATE), 20 * np.log10(magnitude + 1e-12)


def true_peak_db(signal):
    edge = 4000  # a cut-off signal rings
    peaks = [
        np.abs(resample_poly(signal[:, c].astype(float), 4, 1, window=window)[edge:-edge]).max()
        for c in range(2)
        for window in (("kaiser", 5.0), ("kaiser", 8.0))
    ]
    return 20 * np.log10(max(peaks) + 1e-12)


def peak_db(signal):
    return 20 * np.log10(np.abs(signal).max() + 1e-12)


# ---------------------------------------------------------------------- nothing added


def test_at_neutral_one_stem_comes_out_as_it_went_in():
    source = (RNG.standard_normal((RATE, 2)) * 3000).astype(np.int16)
    out = playing(source).render(RATE // 2)
    expected = source[FADED_IN : len(out) - LATENCY] / 32768
    assert np.array_equal(out[LATENCY + FADED_IN :], expected.astype(np.float32))


def test_at_neutral_four_stems_come_out_as_their_sum():
    stems = {
        name: (RNG.standard_normal((RATE, 2)) * 1500).astype(np.int16)
        for name in ("vocals", "drums", "bass", "other")
    }
    out = playing(stems).render(RATE // 2)
    expected = sum(s.astype(float) for s in stems.values())[FADED_IN : len(out) - LATENCY] / 32768
    assert np.abs(out[LATENCY + FADED_IN :] - expected).max() < 0.5 / 32768


def test_silence_stays_silent():
    assert not playing(np.zeros((RATE, 2), np.int16)).render(RATE // 2).any()


# ---------------------------------------------------------------------- varispeed


@pytest.mark.parametrize("rate", [0.92, 1.06, 1.08, 1.5])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_ten_kilohertz_tone_has_no_aliases_and_no_images(rate, backwards):
    engine = playing(tone(10_000), deck1__rate=rate)
    if backwards:
        engine.push(Command(Op.SEEK, deck=0, x=3.0))
        engine.set("deck1.reverse", 1.0)
    hertz, level = spectrum_db(engine.render(RATE)[8000 : 8000 + 32_768, 0].astype(float))
    others = np.abs(hertz - 10_000 * rate) > 60
    assert level[~others].max() > -7
    assert level[others].max() < -90


@pytest.mark.parametrize("hertz", [100, 1000, 10_000, 15_000, 18_000])
def test_the_interpolator_is_flat_up_to_eighteen_kilohertz(hertz):
    out = playing(tone(hertz), deck1__rate=1.06).render(RATE)[8000:]
    rms = np.sqrt((out.astype(float) ** 2).mean())
    assert abs(20 * np.log10(rms / (0.5 / np.sqrt(2)))) < 0.25


@pytest.mark.parametrize("device_rate", [44_100, 96_000])
def test_a_device_of_another_rate_plays_at_the_right_pitch(device_rate):
    engine = Offline(device_rate, 2)
    engine.load(0, {"mix": tone(1000)}, rate=RATE)
    engine.push(Command(Op.PLAY, deck=0, x=1.0))
    out = engine.render(device_rate)[device_rate // 4 :, 0]
    magnitude = np.abs(np.fft.rfft(out * np.hanning(len(out))))
    assert abs(magnitude.argmax() * device_rate / len(out) - 1000) < 2
    assert engine.memory.value("deck1.position") == pytest.approx(1.0, abs=1e-3)


# ---------------------------------------------------------------------- isolator and filter


def test_the_isolator_sums_flat_when_it_is_in_use():
    source = np.zeros((3 * RATE, 2), np.float32)
    source[RATE] = 0.5
    out = playing(source, deck1__eq__low__gain=0.01).render(2 * RATE)[:, 0] / 0.5
    level = 20 * np.log10(np.abs(np.fft.rfft(out.astype(float))) + 1e-12)
    hertz = np.fft.rfftfreq(len(out), 1 / RATE)
    heard = (hertz > 20) & (hertz < 20_000)
    assert np.abs(level[heard]).max() < 0.05


@pytest.mark.parametrize(("band", "hertz"), [("low", 60), ("mid", 790), ("high", 8000)])
def test_a_killed_band_is_gone(band, hertz):
    out = playing(tone(hertz), **{f"deck1__eq__{band}__kill": 1.0}).render(RATE)
    assert peak_db(out[RATE // 2 :]) - peak_db(tone(hertz)) < -60


@pytest.mark.parametrize(("band", "hertz"), [("low", 1000), ("mid", 60), ("high", 60)])
def test_the_other_bands_stay_when_one_is_killed(band, hertz):
    out = playing(tone(hertz), **{f"deck1__eq__{band}__kill": 1.0}).render(RATE)
    assert abs(peak_db(out[RATE // 2 :]) - peak_db(tone(hertz))) < 0.5


@pytest.mark.parametrize(
    ("place", "gone", "kept"), [(-80.0, 8000, 60), (80.0, 60, 15_000), (-100.0, 2000, 40)]
)
def test_the_filter_cuts_on_its_side(place, gone, kept):
    settled = slice(RATE // 2, None)
    cut = playing(tone(gone), deck1__filter=place).render(RATE)[settled]
    through = playing(tone(kept), deck1__filter=place).render(RATE)[settled]
    assert peak_db(cut) - peak_db(tone(gone)) < -30
    assert abs(peak_db(through) - peak_db(tone(kept))) < 4


def test_a_filter_swept_wildly_stays_finite_and_comes_back_to_nothing():
    engine = playing(tone(440), deck1__resonance=100.0)
    for _ in range(200):
        engine.set("deck1.filter", float(RNG.uniform(-100, 100)))
        assert np.isfinite(engine.render(64)).all()
    engine.set("deck1.filter", 0.0)
    engine.render(2 * RATE)  # the limiter, which the ringing woke, lets go
    before = engine.memory.value("deck1.position")
    out = engine.render(4800)
    start = round(before * RATE) - LATENCY
    assert np.abs(out - tone(440)[start : start + len(out)]).max() < 1e-6


# ---------------------------------------------------------------------- limiter

LOUD = {
    "noise": RNG.standard_normal((2 * RATE, 2)) * 0.9,
    "square": stereo(0.95 * np.sign(np.sin(2 * np.pi * 97.3 * TIME[: 2 * RATE]))),
    "quarter of the rate": stereo(np.sin(2 * np.pi * 12_000 * TIME[: 2 * RATE] + np.pi / 4)),
    "near nyquist": stereo(np.sin(2 * np.pi * 19_900 * TIME[: 2 * RATE])),
    "steps": stereo(
        np.sin(2 * np.pi * 1000 * TIME[: 2 * RATE])
        * np.where(np.arange(2 * RATE) // 4800 % 2, 1, 0.01)
    ),
    "random signs": RNG.choice([-1.0, 1.0], (2 * RATE, 2)),
    "impulses": stereo((np.arange(2 * RATE) % 1777 == 0) * 1.0),
}


@pytest.mark.parametrize("trim_db", [0.0, 12.0])
@pytest.mark.parametrize("name", LOUD)
def test_the_ceiling_is_held_on_any_material(name, trim_db):
    engine = playing(
        LOUD[name].astype(np.float32), deck1__trim=trim_db, deck1__fader=6.0, master__volume=6.0
    )
    assert true_peak_db(engine.render(2 * RATE)) <= -1.0


def test_another_ceiling_is_held_too():
    engine = playing(LOUD["square"], deck1__trim=12.0, master__limiter__ceiling=-6.0)
    assert true_peak_db(engine.render(RATE)) <= -6.0


def test_below_its_ceiling_the_limiter_changes_nothing_and_it_recovers():
    source = tone(440, 0.5)
    source[RATE : RATE + 2000] *= 2.5
    out = playing(source).render(3 * RATE)
    assert np.array_equal(
        out[LATENCY + FADED_IN : RATE - 100], source[FADED_IN : RATE - 100 - LATENCY]
    )
    late = slice(int(2.5 * RATE), 3 * RATE - LATENCY)
    assert np.array_equal(out[LATENCY:][late], source[late])


def test_switched_off_it_lets_everything_through():
    out = playing(LOUD["steps"], master__limiter__on=0.0, deck1__trim=6.0).render(RATE)
    assert np.abs(out).max() > 1.5


def test_what_is_not_a_number_comes_out_as_silence_and_leaves_nothing_behind():
    source = tone(440)
    source[RATE : RATE + 100] = np.nan
    source[RATE + 200] = np.inf
    engine = playing(source, deck1__eq__low__gain=3.0, deck1__filter=-30.0)
    out = engine.render(int(3.5 * RATE))
    assert np.isfinite(out).all()
    assert np.abs(out[int(2.5 * RATE) : 3 * RATE]).max() > 0.1


# ---------------------------------------------------------------------- no clicks


def brightness_db(out):
    """Return the level of what a 200 Hz tone has no part in: above 6 kHz."""
    hertz, level = spectrum_db(out)
    return level[hertz > 6000].max()


SWEPT = {
    "deck1.stem.mix.volume": (-60.0, 6.0),
    "deck1.stem.mix.pan": (-100.0, 100.0),
    "deck1.stem.mix.mute": (0.0, 1.0),
    "deck1.stem.mix.filter": (-100.0, 100.0),
    "deck1.trim": (-60.0, 12.0),
    "deck1.fader": (-60.0, 6.0),
    "deck1.eq.low.gain": (-60.0, 12.0),
    "deck1.eq.low.kill": (0.0, 1.0),
    "deck1.filter": (-100.0, 100.0),
    "deck1.rate": (0.8, 1.25),
    "master.volume": (-60.0, 6.0),
    "crossfader": (-100.0, 100.0),
    "crossfader_reverse": (0.0, 1.0),
}


@pytest.mark.parametrize("path", SWEPT)
def test_a_control_swept_as_fast_as_messages_arrive_does_not_click(path):
    settings = {"deck1__assign": 1.0} if path.startswith("crossfader") else {}
    engine = playing(tone(200, 0.2), block=64, **settings)
    engine.render(RATE // 2)
    pieces = []
    for k in range(300):
        engine.set(path, SWEPT[path][k // 5 % 2])
        pieces.append(engine.render(64))
    swept = np.concatenate(pieces)[:, 0].astype(float)
    # The same with steps: what a click is.
    hard = 0.2 * np.sin(2 * np.pi * 200 * TIME[: len(swept)]) * (np.arange(len(swept)) // 320 % 2)
    assert brightness_db(swept) < brightness_db(hard) - 15
    assert np.abs(np.diff(swept)).max() < 0.04


def test_jumps_stops_and_starts_fade():
    engine = playing(tone(200, 0.5), block=64)
    pieces = [engine.render(RATE // 4)]
    for k in range(40):
        engine.push(Command(Op.SEEK, deck=0, x=float(RNG.uniform(0, 3))))
        if k % 4 == 0:
            engine.push(Command(Op.PLAY, deck=0, x=float(k % 8 == 0)))
        pieces.append(engine.render(640))
    out = np.concatenate(pieces)[:, 0]
    # A full step would be 1; a fade over 96 frames moves 1 / 96 a frame, and two may overlap.
    assert np.abs(np.diff(out)).max() < 0.5 * 2 * np.pi * 200 / RATE * 2 + 3 / 96
