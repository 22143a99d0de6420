"""Quality of keylock: synthetic music through the product's kernel, against the true reference.

What is played at another tempo is compared with the same music rendered directly at that tempo.

============================ ================================================================
figure                       measure
============================ ================================================================
``onset_error_max_ms``       kick and snare with an onset list: attack against the reference's
``pre_echo_db``              the same: energy 25 to 1.5 ms before the attack against the hit's
``hsnr_db``                  a steady chord: energy of its partials against all else, median
                             over windows of 170 ms
``mix_lsd_db``               four stems: log-spectral distance of their sum from the reference
============================ ================================================================

Each is measured at a rate below and at one above the original tempo; the worse is given. The
figures of ``finer`` are of `keylock_mode` finer, each of the stem that it names; its chord has two
notes that are a third doubled, which splices cannot keep whole. Where the program
``rubberband-r3`` is installed, its distance on the same four stems is measured beside ours.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import soundfile

from sfa_engine.bench import keylock_material as material
from sfa_engine.bench.keylock_material import RATE, Mono, Stereo
from sfa_engine.bench.rig import Result, result
from sfa_engine.host.time_stretch import stretched

SECONDS = 8.0
CHANGES_PCT = (4, 8, 16)
WINDOW = 8192  # frames, 170 ms
STEP = WINDOW // 2
ATTACK = 0.35  # of a hit's peak: its attack is where it is reached first
FFT, HOP = 2048, 512
FLOOR = 1e-3  # of the loudest bin; what is below counts as equal
TINY = 1e-12
RUBBER_BAND = "rubberband-r3"  # Debian's rubberband-cli


def play(
    stems: Mapping[str, Stereo],
    rate: float,
    onsets_s: Sequence[float] | Mono | None = None,
    *,
    single_s: Mapping[str, Sequence[float] | Mono] = MappingProxyType({}),
    keylock: bool = True,
    finer: bool = False,
) -> Stereo:
    """Return what a deck plays of stems at a rate: float32[frames, 2], in time with the deck.

    Parameters
    ----------
    stems : mapping of str to float32[frames, 2]
    rate : float
        A factor.
    onsets_s : float[n], optional
        The splice list, in seconds of the track; None: not known.
    single_s : mapping of str to float[n]
        Onsets of single stems, in seconds.
    keylock, finer : bool
    """
    splices = None if onsets_s is None else np.round(np.asarray(onsets_s) * RATE)
    single = {name: np.round(np.asarray(at) * RATE) for name, at in single_s.items()}
    return stretched(
        stems, rate, RATE, splices=splices, onsets=single, keylock=keylock, finer=finer
    )


def attack(sound: Mono, onset_s: float) -> int:
    """Return the frame near an onset where a hit reaches `ATTACK` of its peak."""
    first = round((onset_s - 0.03) * RATE)
    around = np.abs(sound[first : first + round(0.09 * RATE)])
    return first + int(np.argmax(around > ATTACK * around.max()))


def onset_errors(rate: float, stem: str = "drums", *, finer: bool = False) -> tuple[Mono, Mono]:
    """Return timing errors of kicks and snares in ms, and the energy before each in dB."""
    errors, before_db = [], []
    for sound in (material.kick, material.snare):
        track, onsets = material.hits(SECONDS, 1.0, sound)
        played = play({stem: track}, rate, onsets, single_s={stem: onsets}, finer=finer)
        played = played.mean(axis=1)
        true, expected = material.hits(SECONDS, rate, sound)
        reference = true.mean(axis=1)
        for onset in expected[1:-1]:  # the first is in the fade of the start
            found = attack(played, onset)
            errors.append((found - attack(reference, onset)) / RATE * 1e3)
            start = found - round(0.0015 * RATE)
            early = np.square(played[found - round(0.025 * RATE) : start]).sum()
            hit = np.square(played[start : found + round(0.03 * RATE)]).sum()
            before_db.append(10 * np.log10((early + TINY) / hit))
    return np.array(errors), np.array(before_db)


def harmonic_snr_db(sound: Stereo, frequencies: Mono) -> Mono:
    """Return the energy of steady partials against all else, in dB, of each window and side."""
    angles = 2 * np.pi * np.outer(np.arange(WINDOW) / RATE, frequencies)
    basis, _ = np.linalg.qr(np.concatenate([np.cos(angles), np.sin(angles)], axis=1))
    ratios = []
    for first in range(RATE, len(sound) - RATE - WINDOW, STEP):
        window = sound[first : first + WINDOW].astype(np.float64)
        tonal = basis @ (basis.T @ window)
        rest = np.square(window - tonal).sum(axis=0)
        ratios.append(10 * np.log10(np.square(tonal).sum(axis=0) / np.maximum(rest, TINY)))
    return np.concatenate(ratios)


def magnitudes(sound: Stereo) -> npt.NDArray[np.float64]:
    """Return a spectrogram: float64[windows, bins, 2]."""
    windows = np.lib.stride_tricks.sliding_window_view(sound, FFT, axis=0)[::HOP]
    return np.abs(np.fft.rfft(windows * np.hanning(FFT), axis=2)).transpose(0, 2, 1)


def spectral_distance_db(sound: Stereo, reference: Stereo) -> float:
    """Return the log-spectral distance of two sounds, in dB, without their first and last second.

    It is the root mean square over the bins of a window, averaged over the windows.
    """
    frames = min(len(sound), len(reference))
    one, other = (magnitudes(each[RATE : frames - RATE]) for each in (sound, reference))
    floor = FLOOR * other.max()
    away_db = 20 * np.log10((one + floor) / (other + floor))
    return float(np.sqrt(np.square(away_db).mean(axis=1)).mean())


def mix_distance_db(rate: float, *, keylock: bool = True, finer: bool = False) -> float:
    """Return how far four stems played at a rate are from the same music at that tempo, in dB."""
    stems, onsets = material.mix(SECONDS, 1.0)
    true, _ = material.mix(SECONDS, rate)
    drums = onsets["drums"]
    played = play(stems, rate, drums, single_s=onsets, keylock=keylock, finer=finer)
    reference = np.sum(list(true.values()), axis=0)
    return spectral_distance_db(played, reference)


def rubber_band_distance_db(rate: float) -> float:
    """Return `mix_distance_db` of Rubber Band's R3, which stretches all stems at once.

    Parameters
    ----------
    rate : float

    Raises
    ------
    OSError, subprocess.SubprocessError
        If `RUBBER_BAND` cannot be run.
    """
    stems, _ = material.mix(SECONDS, 1.0)
    true, _ = material.mix(SECONDS, rate)
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.wav"), Path(folder, "after.wav")
        soundfile.write(before, np.concatenate(list(stems.values()), axis=1), RATE, "FLOAT")
        command = [RUBBER_BAND, "--quiet", f"--time={1 / rate:.9f}", str(before), str(after)]
        subprocess.run(command, check=True, timeout=300, stdout=subprocess.DEVNULL)
        sides, _ = soundfile.read(after, dtype="float32")
    stretched = sides.reshape(len(sides), len(stems), 2).sum(axis=1)
    return spectral_distance_db(stretched, np.sum(list(true.values()), axis=0))


def chord_snr_db(rate: float, notes: tuple[float, ...], slope: float) -> Mono:
    """Return the harmonic SNR of a steady chord in four stems, of each window and side."""
    whole = material.chord(SECONDS + 4.0, notes, slope)
    shares = zip(material.STEMS, (0.4, 0.3, 0.2, 0.1), strict=True)
    stems = {name: np.float32(share) * whole for name, share in shares}
    return harmonic_snr_db(play(stems, rate), material.partials(notes))


def finer_snr_db(rate: float, stem: str) -> Mono:
    """Return the harmonic SNR of a chord as one stem, of each window and side."""
    notes = material.DOUBLED_THIRD
    whole = material.chord(SECONDS + 4.0, notes, 1.0)
    return harmonic_snr_db(play({stem: whole}, rate, finer=True), material.partials(notes))


def bench_finer(changes_pct: Sequence[int] = CHANGES_PCT) -> list[Result]:
    """Return the quality of the spectral keylock at each change of the tempo, in percent."""
    results = []
    for change in changes_pct:
        rates = (1.0 - change / 100, 1.0 + change / 100)
        for stem in ("other", "vocals"):
            name = "finer_hsnr_db" if stem == "other" else "finer_vocals_hsnr_db"
            ratios = [finer_snr_db(rate, stem) for rate in rates]
            worse = min(float(np.median(one)) for one in ratios)
            results.append(result(f"{name}_{change}pct", worse, "dB", sum(map(len, ratios))))
        errors = np.concatenate([onset_errors(rate, "other", finer=True)[0] for rate in rates])
        results.append(
            result(
                f"finer_onset_error_max_ms_{change}pct",
                float(np.abs(errors).max()),
                "ms",
                len(errors),
            )
        )
        distances = [mix_distance_db(rate, finer=True) for rate in rates]
        without = max(mix_distance_db(rate) for rate in rates)
        results.append(result(f"finer_mix_lsd_db_{change}pct", max(distances), "dB", 2, without))
        if shutil.which(RUBBER_BAND):
            theirs = max(map(rubber_band_distance_db, rates))
            results.append(result(f"rubber_band_mix_lsd_db_{change}pct", theirs, "dB", 2, without))
    return results


def bench_quality() -> list[Result]:
    """Return the figures of both ways to stretch."""
    return [*bench_keylock(), *bench_finer()]


def bench_keylock(changes_pct: Sequence[int] = CHANGES_PCT) -> list[Result]:
    """Return the quality of the time-domain keylock at each change of the tempo, in percent."""
    results = []
    for change in changes_pct:
        rates = (1.0 - change / 100, 1.0 + change / 100)
        end = f"{change}pct"
        errors, early = (np.concatenate(one) for one in zip(*map(onset_errors, rates), strict=True))
        results += [
            result(f"keylock_onset_error_max_ms_{end}", float(np.abs(errors).max()), "ms",
                   len(errors)),
            result(f"keylock_pre_echo_db_{end}", float(early.max()), "dB", len(early)),
        ]  # fmt: skip
        for name, notes, slope in (
            ("hsnr", material.TRIAD, 2.0),
            ("hsnr_doubled_third", material.DOUBLED_THIRD, 1.0),
        ):
            ratios = [chord_snr_db(rate, notes, slope) for rate in rates]
            n = sum(map(len, ratios))
            for what, share in (("", 50), ("_p10", 10)):
                worse = min(float(np.percentile(one, share)) for one in ratios)
                results.append(result(f"keylock_{name}_db{what}_{end}", worse, "dB", n))
        with_it = max(mix_distance_db(rate) for rate in rates)
        without = max(mix_distance_db(rate, keylock=False) for rate in rates)
        results.append(result(f"keylock_mix_lsd_db_{end}", with_it, "dB", 2, without))
    return results
