"""The engines of the spectral features: our own, and librosa where it is installed.

Tones and levels, which beats and structure are judged by, are ours in both; chroma, MFCC, centroid,
roll-off, contrast and zero crossings come from the engine. librosa is imported when it is chosen
and not before: its import costs as much as the analysis of a track (decision 0007).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfa_engine.errors import Refused
from sfa_engine.prep.analyse.features import Spectra, centibels
from sfa_engine.prep.analyse.measurement import HOP, SHORT
from sfa_engine.prep.analyse.smooth import Curve
from sfa_engine.prep.options import FEATURES
from sfa_engine.track.media import RATE

OWN, LIBROSA = FEATURES


def spectra_of(engine: str) -> Spectra:
    """Return what takes the spectra of a track.

    Raises
    ------
    Refused
        There is no such engine, or it is not installed.
    """
    kinds: dict[str, Callable[[int, int, int], Spectra]] = {OWN: Spectra, LIBROSA: LibrosaSpectra}
    if engine not in kinds:
        raise Refused(f'no feature engine "{engine:.80}"', f"it is one of {', '.join(FEATURES)}")
    return kinds[engine](RATE, SHORT, HOP)


class LibrosaSpectra(Spectra):
    """The same frames, described by librosa.

    Parameters
    ----------
    rate, size, hop : int
        Hz and frames.

    Raises
    ------
    Refused
        librosa is not installed.
    """

    def __init__(self, rate: int, size: int, hop: int) -> None:
        super().__init__(rate, size, hop)
        try:
            import librosa.feature
        except ImportError:
            raise Refused(
                "librosa is not installed",
                "install it with `pip install 'sfa-engine[librosa]'`, or set features to own",
            ) from None
        self._features = librosa.feature

    def _described(self, frames: Curve, power: Curve) -> dict[str, NDArray[Any]]:
        """Return the features of some frames."""
        size = np.sqrt(power).T
        features, shape = self._features, {"sr": self.rate, "n_fft": self.size}
        rows = {
            "chroma": features.chroma_stft(S=power.T, tuning=0.0, **shape),
            "centroid": features.spectral_centroid(S=size, **shape),
            "rolloff": features.spectral_rolloff(S=size, **shape),
            "contrast": features.spectral_contrast(S=size, **shape),
            "crossings": _crossings(features, frames),
        }
        mel = features.melspectrogram(S=power.T, **shape)
        described = {name: np.asarray(row.T, np.float32) for name, row in rows.items()}
        return {**described, "mel": centibels(np.asarray(mel.T, np.float32))}

    def _cepstrum(self, mel: NDArray[Any]) -> Curve:
        mel_db = np.asarray(mel, np.float32).T / 100
        if not mel_db.size:
            return super()._cepstrum(mel)
        floored = np.maximum(mel_db, mel_db.max() - 80)
        coefficients: Curve = np.asarray(self._features.mfcc(S=floored).T, np.float32)
        return coefficients


def _crossings(features: Any, frames: Curve) -> Curve:
    """Return the rate of zero crossings of each frame: float32[1, frames]."""
    size = frames.shape[1]
    rates = [
        features.zero_crossing_rate(frame, frame_length=size, hop_length=size, center=False)
        for frame in np.ascontiguousarray(frames)
    ]
    return np.concatenate(rates, axis=1)
