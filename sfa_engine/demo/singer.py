"""A singer of few words: harmonics of a voice, shaped by the formants of phones.

A line is a list of syllables; a syllable is spelled in the phones below. A vowel begins on its
beat, so the consonants before it are sung ahead of the beat, as people do::

    Syllable(0.5, 1.5, 64, "slou")      s l o-----u      the o starts at beat 0.5
                                        ^ ahead of it

The voice is a sum of harmonics with the gains of five resonators in a row; breath and
consonants are noise of a moving colour. Knows nothing of rooms or of the mix.

References
----------
.. [1] D. H. Klatt, "Software for a cascade/parallel formant synthesizer", JASA 67(3), 1980.
.. [2] Formants of an alto: appendix D of The Canonical Csound Reference Manual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sfa_engine.demo.effect import band, drive, without_rumble
from sfa_engine.demo.oscillator import (
    HOP,
    TICK,
    below_half_rate,
    harmonics,
    moving_noise,
    noise_hz,
    partials,
    tick_times,
)
from sfa_engine.demo.score import Curve, Signal
from sfa_engine.demo.voice import hertz

LEAD_S = 0.3  # a line starts so much before its beat 0: room for the consonants of its first vowel
TAIL_S = 0.35  # and ends so much after its last syllable
BANDWIDTH_HZ = np.array([80.0, 95.0, 130.0, 170.0, 220.0])


@dataclass(frozen=True)
class Syllable:
    """One note of a line: when, how long, how high, and how it is spelled.

    Parameters
    ----------
    beat, beats : float
        Start of its first vowel and length from there.
    note : float
        MIDI number.
    phones : str
        One letter for each phone.
    level : float
        Factor.
    """

    beat: float
    beats: float
    note: float
    phones: str
    level: float = 1.0


@dataclass(frozen=True)
class Phone:
    """How a sound of speech is made.

    Parameters
    ----------
    formants_hz : tuple of float
        Five resonances; none means those of the vowel that follows.
    voice, breath : float
        Level of the harmonics, and of noise through the formants.
    hiss : tuple of float
        Centre in Hz, width in octaves and level of noise at the teeth.
    seconds : float
        Length; a vowel has 0 and shares what is left of its syllable.
    """

    formants_hz: tuple[float, ...] = ()
    voice: float = 0.0
    breath: float = 0.0
    hiss: tuple[float, float, float] = (3000.0, 1.0, 0.0)
    seconds: float = 0.0


def _vowel(*formants_hz: float) -> tuple[Phone, ...]:
    return (Phone(formants_hz, voice=1.0, breath=0.025),)


def _stop(formants_hz: tuple[float, ...], centre_hz: float, voice: float) -> tuple[Phone, ...]:
    """Return a closure and the burst that ends it."""
    return (
        Phone(formants_hz, voice=voice, seconds=0.035),
        Phone(formants_hz, voice=voice, hiss=(centre_hz, 0.5, 0.16), seconds=0.016),
    )


PHONES: dict[str, tuple[Phone, ...]] = {
    "a": _vowel(800, 1180, 2800, 3500, 4950),
    "A": _vowel(690, 1660, 2600, 3500, 4950),  # as in "bad"
    "e": _vowel(420, 1900, 2700, 3400, 4950),
    "i": _vowel(330, 2200, 2900, 3700, 4950),
    "o": _vowel(470, 830, 2830, 3500, 4950),
    "u": _vowel(340, 720, 2530, 3500, 4950),
    "h": (Phone(breath=0.11, seconds=0.075),),
    "s": (Phone(hiss=(7200.0, 0.45, 0.10), seconds=0.105),),
    "v": (Phone((320, 1100, 2300, 3400, 4900), 0.4, 0.01, (5500.0, 0.8, 0.05), 0.06),),
    "l": (Phone((370, 1150, 2750, 3500, 4900), 0.55, 0.005, seconds=0.07),),
    "w": (Phone((300, 640, 2300, 3400, 4900), 0.6, 0.005, seconds=0.07),),
    "y": (Phone((290, 2250, 3000, 3700, 4900), 0.6, 0.005, seconds=0.07),),
    "m": (Phone((260, 1050, 2250, 3300, 4900), 0.40, 0.0, seconds=0.075),),
    "n": (Phone((270, 1550, 2550, 3400, 4900), 0.40, 0.0, seconds=0.06),),
    "d": _stop((300, 1750, 2700, 3500, 4900), 4200.0, 0.12),
    "g": _stop((290, 1900, 2350, 3500, 4900), 2100.0, 0.12),
    "b": _stop((290, 850, 2250, 3400, 4900), 900.0, 0.12),
    "p": _stop((290, 850, 2250, 3400, 4900), 1100.0, 0.0),
    "t": _stop((300, 1750, 2700, 3500, 4900), 4800.0, 0.0),
    "k": _stop((290, 1900, 2350, 3500, 4900), 2300.0, 0.0),
}


def _smooth(curve: Curve, seconds: float, tick_s: float) -> Curve:
    """Blur along the first axis with a window of a length; the ends are held."""
    half = max(1, round(0.5 * seconds / tick_s))
    window = np.hanning(2 * half + 3)[1:-1]
    window /= window.sum()
    flat = curve.reshape(len(curve), -1)
    held = np.pad(flat, ((half, half), (0, 0)), mode="edge")
    columns = [np.convolve(column, window, mode="valid") for column in held.T]
    return np.stack(columns, axis=1).reshape(curve.shape)


def _spell(syllable: Syllable, beat_s: float) -> list[tuple[float, Phone]]:
    """Return start time and phone of every sound of a syllable, and the silence after it."""
    phones = [phone for letter in syllable.phones for phone in PHONES[letter]]
    vowels = [k for k, phone in enumerate(phones) if phone.seconds == 0.0]
    start = syllable.beat * beat_s
    begin = start - sum(p.seconds for p in phones[: vowels[0]])
    rest = syllable.beats * beat_s - sum(p.seconds for p in phones[vowels[0] :])
    each = max(0.04, rest / len(vowels))
    out: list[tuple[float, Phone]] = []
    formants: tuple[float, ...] = phones[vowels[-1]].formants_hz
    for k, phone in enumerate(phones):
        after = next((phones[v].formants_hz for v in vowels if v >= k), formants)
        full = Phone(
            phone.formants_hz or after, phone.voice, phone.breath, phone.hiss, phone.seconds
        )
        out.append((begin, full))
        begin += phone.seconds or each
    out.append((begin, Phone(out[-1][1].formants_hz)))
    return out


def sing(
    line: Sequence[Syllable],
    rate: int,
    beat_s: float,
    seed: int,
    size: float = 1.0,
    detune: float = 0.0,
) -> Signal:
    """Sing a line.

    Parameters
    ----------
    line : sequence of Syllable
        In order of time.
    rate : int
        Frames in a second.
    beat_s : float
        Length of a beat.
    seed : int
        Of breath, drift and vibrato; another seed is another take of the same line.
    size : float
        Factor on every formant: above 1 a smaller singer.
    detune : float
        In semitones.

    Returns
    -------
    float32[frames]
        Beat 0 is `LEAD_S` after the start; an RMS of about 0.3 while it is loud.
    """
    rng = np.random.default_rng(seed)
    last = line[-1]
    frames = round(((last.beat + last.beats) * beat_s + LEAD_S + TAIL_S) * rate)
    t = tick_times(frames, rate)
    tick_s = TICK / rate
    events = [(s + LEAD_S, p, y.level) for y in line for s, p in _spell(y, beat_s)]
    events.sort(key=lambda event: event[0])
    first = events[0][1]
    events.insert(0, (-1.0, Phone(first.formants_hz), 0.0))
    now = np.searchsorted(np.array([e[0] for e in events]), t, side="right") - 1
    formants = np.array([e[1].formants_hz for e in events])[now] * size
    voice = np.array([e[1].voice * e[2] for e in events])[now]
    breath = np.array([e[1].breath * e[2] for e in events])[now]
    hiss = np.array([(e[1].hiss[0], e[1].hiss[1], e[1].hiss[2] * e[2]) for e in events])[now]
    formants = _smooth(formants, 0.100, tick_s)
    voice = _smooth(voice, 0.065, tick_s)
    breath = _smooth(breath, 0.045, tick_s)
    loud_hiss = _smooth(hiss[:, 2], 0.012, tick_s)

    starts = np.array([y.beat * beat_s + LEAD_S - 0.03 for y in line])
    place = np.maximum(0, np.searchsorted(starts, t, side="right") - 1)
    since = np.maximum(0.0, t - starts[place])
    note = _smooth(np.array([y.note for y in line])[place], 0.075, tick_s)
    vibrato = 0.28 * np.clip((since - 0.25) / 0.35, 0.0, 1.0)  # semitones, once the note stands
    vibrato = _smooth(vibrato, 0.05, tick_s) * np.sin(2.0 * np.pi * (5.4 * t + rng.random()))
    drift = _smooth(rng.standard_normal(len(t)), 0.12, tick_s)
    drift *= 0.05 / max(1e-9, float(np.std(drift)))
    scoop = -0.9 * _smooth(np.exp(-since / 0.05), 0.03, tick_s)
    pitch = hertz(note + vibrato + drift + scoop + detune)
    tremble = _smooth(rng.standard_normal(len(t)), 0.08, tick_s)
    voice *= 1.0 + 0.35 * np.exp(-since / 0.10) - 0.30 * np.clip(since / 1.2, 0.0, 1.0)
    voice *= 1.0 + 0.06 * tremble / max(1e-9, float(np.std(tremble)))

    sound = _voiced(pitch, formants, voice, frames, rate)
    sound += _noises(formants, breath, hiss, loud_hiss, frames, rate, seed)
    return without_rumble(drive(sound, 2.5), rate)


def _resonance(frequency: Curve, formants: Curve, size: int) -> Curve:
    """Return the gain of the formants in a row: float64[frequency, ticks]."""
    out = np.ones((len(frequency), size), np.float32)
    f2 = np.square(frequency, dtype=np.float32)
    for k, width_hz in enumerate(BANDWIDTH_HZ):
        centre2 = (formants[:, k] ** 2).astype(np.float32)
        out *= centre2 / np.sqrt((centre2 - f2) ** 2 + f2 * np.float32(width_hz**2))
    return out * _presence(frequency)


def _presence(frequency: Curve) -> Curve:
    """Return a shelf, 11 dB from 3 to 8 kHz: what the row of five resonators lacks on top."""
    lift: Curve = np.sqrt((1.0 + (frequency / 2200.0) ** 2) / (1.0 + (frequency / 8000.0) ** 2))
    return lift


def _voiced(pitch: Curve, formants: Curve, level: Curve, frames: int, rate: int) -> Signal:
    """Return the harmonics of a voice: float32[frames]."""
    frequency = harmonics(pitch, rate, top_hz=11000.0)
    number = np.arange(1, len(frequency) + 1)[:, None]
    gain = _resonance(frequency, formants, len(pitch)) * below_half_rate(frequency, rate)
    # the glottis falls by 12 dB an octave and the lips give 6 of them back
    # (1 / number); a bright voice, as a microphone close by has it, has about 3 dB more
    gain *= band(frequency, 120.0, 9000.0) / number**0.5
    # vowels differ by 12 dB in power; a singer, and a compressor, evens most of that out
    power = np.sqrt(np.sum(gain * gain, axis=0))
    gain *= level / power**0.85
    # phases of a chirp spread the pulse in time, which keeps its peak low
    phase = np.pi * (number[:, 0] ** 2) / len(number)
    return partials(pitch, 0.19 * gain, frames, rate, phase)


def _noises(
    formants: Curve, breath: Curve, hiss: Curve, loud_hiss: Curve, frames: int, rate: int, seed: int
) -> Signal:
    """Return breath through the formants and hiss at the teeth: float32[frames]."""
    hops = frames // HOP + 2
    at = np.minimum(np.arange(hops) * HOP // TICK, len(breath) - 1)
    frequency = noise_hz(rate)
    level = np.zeros((hops, len(frequency)), np.float32)
    blown = np.flatnonzero(breath[at] > 1e-4)
    mouth = _resonance(frequency[:, None], formants[at[blown]], len(blown)).T
    mouth *= band(frequency, 400.0, 10000.0)
    mouth /= np.sqrt(np.mean(mouth * mouth, axis=1, keepdims=True)) ** 0.85
    level[blown] = 0.5 * breath[at[blown]][:, None] * mouth
    hissed = np.flatnonzero(loud_hiss[at] > 1e-4)
    centre, width, _ = hiss[at[hissed]].T[:, :, None]
    octaves = np.log2(np.maximum(frequency, 20.0) / centre)
    level[hissed] += loud_hiss[at[hissed]][:, None] * np.exp(-0.5 * (octaves / width) ** 2)
    return moving_noise(level, frames, seed)
