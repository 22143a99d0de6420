"""What an encoder does to the peaks: the sound is encoded and decoded again, in memory."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from sfa_engine.mix.mastering.codecs import CODECS
from sfa_engine.mix.mastering.report import Encoded
from sfa_engine.prep.master.meter import PeakMeter

Block = NDArray[np.float32]

_RATES = (44_100, 48_000)  # of every encoder, but Opus, which has the latter alone


class EncoderMeter:
    """Encodes blocks, decodes them, and measures the peaks.

    Parameters
    ----------
    name : str
        Of `CODECS`.
    rate : int
        Hz of the blocks; others than 44.1 and 48 kHz are converted, as a platform does.
    """

    def __init__(self, name: str, rate: int) -> None:
        encoder, decoder, bit_rate = CODECS[name]
        self.name = name
        rates = _RATES if encoder != "libopus" else _RATES[1:]
        coded_rate = rate if rate in rates else _RATES[1]
        self._resampler = (
            None if rate == coded_rate else soxr.ResampleStream(rate, coded_rate, 2, quality="VHQ")
        )
        self._format = "flt" if encoder == "libopus" else "fltp"
        self._encoder = av.CodecContext.create(encoder, "w")
        self._encoder.rate = coded_rate  # type: ignore[attr-defined]
        self._encoder.bit_rate = bit_rate
        self._encoder.format = self._format  # type: ignore[attr-defined]
        self._encoder.layout = "stereo"  # type: ignore[attr-defined]
        self._encoder.thread_count = 1
        self._encoder.open()
        self._decoder = av.CodecContext.create(decoder, "r")
        self._decoder.extradata = self._encoder.extradata
        self._decoder.rate = coded_rate  # type: ignore[attr-defined]
        self._decoder.layout = "stereo"  # type: ignore[attr-defined]
        self._rate = coded_rate
        self._frames = 0
        self._held: Block = np.empty((0, 2), np.float32)
        self._peaks = PeakMeter()
        self._over = 0

    def take(self, block: Block) -> None:
        """Take the next frames."""
        if self._resampler is not None:
            block = self._resampler.resample_chunk(block, last=False)
        self._encode(block)

    def finish(self, true_peak_dbtp: float) -> Encoded:
        """Return what the encoder made of it.

        Parameters
        ----------
        true_peak_dbtp : float
            Of the sound before.
        """
        if self._resampler is not None:
            self._encode(self._resampler.resample_chunk(np.empty((0, 2), np.float32), last=True))
        if len(self._held):  # an encoder takes whole frames
            size = self._encoder.frame_size  # type: ignore[attr-defined]
            self._encode(np.zeros((-len(self._held) % size, 2), np.float32))
        for packet in self._encoder.encode(None):  # type: ignore[attr-defined]
            self._decode(packet)
        self._decode(None)
        self._peaks.finish(np.empty((0, 2), np.float32))
        peak_db = 20 * np.log10(max(self._peaks.true_peak, 1e-6))
        return Encoded(
            codec=self.name,
            true_peak_dbtp=round(float(peak_db), 2),
            overshoot_db=round(float(peak_db) - true_peak_dbtp, 2),
            over_samples=self._over,
        )

    def _encode(self, block: Block) -> None:
        size = self._encoder.frame_size  # type: ignore[attr-defined]
        held = np.concatenate([self._held, block])
        whole = len(held) // size * size
        for begin in range(0, whole, size):
            piece = held[begin : begin + size]
            planes = piece.T if self._format == "fltp" else piece.reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(planes), self._format, "stereo")
            frame.sample_rate = self._rate
            frame.pts = self._frames
            self._frames += size
            for packet in self._encoder.encode(frame):  # type: ignore[attr-defined]
                self._decode(packet)
        self._held = held[whole:].copy()

    def _decode(self, packet: Any) -> None:
        for frame in self._decoder.decode(packet):  # type: ignore[attr-defined]
            sound = frame.to_ndarray()
            sound = sound.T if frame.format.is_planar else sound.reshape(-1, 2)
            sound = np.ascontiguousarray(sound, np.float32)
            self._over += int(np.count_nonzero(np.abs(sound) > 1.0))
            self._peaks.take(sound, np.array([0]))
