"""What is done to sounds: colour, drive, fades, room, echo, ducking.

Rooms and echoes are impulse responses, laid over a whole stem at once with the Fourier
transform; silence costs nothing. Everything takes and returns arrays and keeps no state.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sfa_engine.demo.score import Curve, Signal


def band(frequency: Curve, low_hz: float, high_hz: float, order: int = 2) -> Curve:
    """Return the gain of a Butterworth band between two edges, each -3 dB."""
    safe = np.maximum(frequency, 1e-3)
    low = 1.0 + (low_hz / safe) ** (2 * order)
    high = 1.0 + (safe / high_hz) ** (2 * order)
    gain: Curve = 1.0 / np.sqrt(low * high)
    return gain


def colour(sound: Signal, rate: int, low_hz: float, high_hz: float, order: int = 2) -> Signal:
    """Filter a sound without turning its phase; for noise, before its envelope.

    Parameters
    ----------
    sound : float32[frames] or float32[frames, 2]
        Taken as a loop: the end leaks into the beginning.
    rate : int
        Frames in a second.
    low_hz, high_hz : float
        Edges of the band.
    order : int
        Steepness, 6 dB an octave each.
    """
    frames = len(sound)
    frequency: Curve = np.arange(frames // 2 + 1, dtype=np.float64) * (rate / frames)
    gain = band(frequency, low_hz, high_hz, order).astype(np.float32)
    spectrum = np.fft.rfft(sound, axis=0)
    spectrum *= gain if sound.ndim == 1 else gain[:, None]
    return np.fft.irfft(spectrum, frames, axis=0).astype(np.float32)


def drive(sound: Signal, amount: float) -> Signal:
    """Saturate softly, in place; full scale stays full scale, and quiet sounds get louder."""
    sound *= np.float32(amount)
    np.tanh(sound, out=sound)
    sound /= np.float32(np.tanh(amount))
    return sound


def fade(sound: Signal, rate: int, rise_s: float, fall_s: float) -> Signal:
    """Round both ends of a sound with halves of a cosine, in place, and return it."""
    for seconds, back in ((rise_s, False), (fall_s, True)):
        n = min(len(sound), round(seconds * rate))
        if n:
            edge = (0.5 - 0.5 * np.cos(np.pi * np.arange(n) / n)).astype(np.float32)
            end = sound[::-1][:n] if back else sound[:n]
            end *= edge if sound.ndim == 1 else edge[:, None]
    return sound


def without_dc(sound: Signal) -> Signal:
    """Take a sound's mean away under a window, so that both ends stay where they are."""
    n = len(sound)
    window = np.sin(np.pi * (np.arange(n) + 0.5) / n).astype(np.float32)
    window /= window.sum()
    shape = window if sound.ndim == 1 else window[:, None]
    out: Signal = sound - shape * sound.sum(axis=0)
    return out


def without_rumble(sound: Signal, rate: int, seconds: float = 0.012) -> Signal:
    """Take away what a sound has below about ``0.6 / seconds`` Hz, offset included.

    Parameters
    ----------
    sound : float32[frames]
        Mono.
    rate : int
        Frames in a second.
    seconds : float
        Length of the running mean, taken twice, that is subtracted.
    """
    half = round(0.5 * seconds * rate)
    slow: Curve = sound.astype(np.float64)
    for _ in range(2):
        total = np.concatenate([[0.0], np.cumsum(np.pad(slow, half))])
        slow = (total[2 * half :] - total[: -2 * half])[: len(sound)] / (2 * half)
    return (sound - slow).astype(np.float32)


def room(rate: int, seed: int, decay_s: float = 1.8, before_s: float = 0.018) -> Signal:
    """Return the impulse response of a room without bass, whose treble dies first.

    Parameters
    ----------
    rate : int
        Frames in a second.
    seed : int
        Of the noise that it is made of.
    decay_s : float
        Time in which the middle falls by 60 dB.
    before_s : float
        Silence before the first reflection.

    Returns
    -------
    float32[frames, 2]
        Both sides differ; each has an energy of 1.

    References
    ----------
    .. [1] J. A. Moorer, "About This Reverberation Business", Computer Music Journal 3(2), 1979.
    """
    frames = round(decay_s * rate)
    rng = np.random.default_rng(seed)
    t = np.arange(frames) / rate
    out = np.zeros((frames, 2), np.float32)
    # edges in Hz and the decay of each band against the middle's
    for low, high, share in ((220, 900, 1.0), (900, 3500, 0.85), (3500, 11000, 0.5)):
        noise = rng.standard_normal((frames, 2), dtype=np.float32)
        falling = (10.0 ** (-3.0 * t / (share * decay_s))).astype(np.float32)
        out += colour(noise, rate, low, high) * falling[:, None]
    fade(out, rate, 0.006, 0.1 * decay_s)
    out /= np.sqrt(np.sum(out * out, axis=0))
    return np.concatenate([np.zeros((round(before_s * rate), 2), np.float32), out])


def echo(
    rate: int, delay_s: float, repeats: int, feedback: float = 0.55, width: float = 0.8
) -> Signal:
    """Return the impulse response of an echo that jumps from side to side and grows darker.

    Parameters
    ----------
    rate : int
        Frames in a second.
    delay_s : float
        From one repeat to the next.
    repeats : int
        How many.
    feedback : float
        Level of a repeat against the one before; the first is 1.
    width : float
        How far the repeats jump, 0 to 1.

    Returns
    -------
    float32[frames, 2]
        Starts with silence: the dry sound is not in it.
    """
    half = 256  # frames on both sides of a repeat; its filter rings no longer than that
    out = np.zeros((round(delay_s * rate * repeats) + 2 * half, 2), np.float32)
    frequency: Curve = np.arange(half + 1, dtype=np.float64) * (rate / (2.0 * half))
    for k in range(repeats):
        gain = band(frequency, 200.0 + 50.0 * k, 6500.0 * 0.78**k, order=1)
        click = np.fft.fftshift(np.fft.irfft(gain)).astype(np.float32)
        middle = round(delay_s * rate * (k + 1))
        side = width if k % 2 else -width
        for channel, share in enumerate((1.0 - side, 1.0 + side)):
            level = np.float32(feedback**k * share / (1.0 + width))
            out[middle - half : middle + half, channel] += fade(click * level, rate, 0.001, 0.001)
    return out


def mix_in(sound: Signal, send: Signal, response: Signal) -> None:
    """Add a send to a stem through an impulse response, in place; the tail ends with the stem.

    Parameters
    ----------
    sound : float32[frames, 2]
        The stem.
    send : float32[frames]
        What goes into the room.
    response : float32[n, 2]
        The room.
    """
    block = 1 << int(np.ceil(np.log2(2 * len(response))))
    hop = block - len(response) + 1
    spectra = [np.fft.rfft(response[:, side], block) for side in (0, 1)]
    for first in range(0, len(send), hop):
        part = send[first : first + hop]
        if not part.any():
            continue
        spectrum = np.fft.rfft(part, block)
        for side in (0, 1):
            wet = np.fft.irfft(spectrum * spectra[side], block)
            place = sound[first : first + block, side]
            reach = min(len(part) + len(response) - 1, len(place))
            place[:reach] += wet[:reach]


def in_room(shot: Signal, response: Signal, wet: float, frames: int, rate: int) -> Signal:
    """Return a shot with its room baked in, faded out at a length: float32[frames, 2]."""
    out = np.zeros((frames, 2), np.float32)
    dry = shot if shot.ndim == 2 else np.repeat(shot[:, None], 2, axis=1)
    n = min(frames, len(dry))
    out[:n] = dry[:n]
    mono = np.zeros(frames, np.float32)
    mono[:n] = dry[:n].mean(axis=1) * np.float32(wet)
    mix_in(out, mono, response)
    return fade(out, rate, 0.0, 0.3 * frames / rate)


def duck(frames: int, kicks: Sequence[int], rate: int, depth: float, back_s: float) -> Signal:
    """Return a gain that dips at every kick and comes back, as a side-chain would.

    Parameters
    ----------
    frames : int
        Length.
    kicks : sequence of int
        Frames of the kicks.
    rate : int
        Frames in a second.
    depth : float
        How much is taken away, 0 to 1.
    back_s : float
        From the dip back to 1.

    Returns
    -------
    float32[frames]
        1 away from the kicks; starts to fall 4 ms before one, so that nothing clicks.
    """
    gain = np.ones(frames, np.float32)
    before, after = round(0.004 * rate), round(back_s * rate)
    falling = 0.5 - 0.5 * np.cos(np.pi * np.arange(before) / before)
    rising = 0.5 + 0.5 * np.cos(np.pi * (np.arange(after) / after) ** 1.3)
    dip = (1.0 - depth * np.concatenate([falling, rising])).astype(np.float32)
    for kick in kicks:
        first = max(0, kick - before)
        part = dip[first - (kick - before) :]
        place = gain[first : first + len(part)]
        np.minimum(place, part[: len(place)], out=place)
    return gain
