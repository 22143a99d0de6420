"""What the meters say of a piece of sound; plain values."""

from __future__ import annotations

import msgspec

SILENCE_LUFS = -70.0  # the absolute gate of BS.1770; a report of silence has it
CRUSHED_PLR_DB = 8.0  # below, a master counts as crushed
GOOD_LOW_CORRELATION = 0.8  # of left and right below `LOW_HZ`, in finished music
LOW_HZ = 120.0
# Borders of the bands whose shares are reported, in Hz.
BANDS: dict[str, tuple[float, float]] = {
    "below_120": (0.0, 120.0),
    "120_to_500": (120.0, 500.0),
    "500_to_4k": (500.0, 4_000.0),
    "4k_to_11k": (4_000.0, 11_000.0),
    "above_11k": (11_000.0, 1e9),
}
# Third octaves of IEC 61260, 20 Hz to 20 kHz.
THIRDS_HZ: tuple[float, ...] = tuple(1000.0 * 10 ** (n / 10) for n in range(-17, 14))


class Encoded(msgspec.Struct, frozen=True, kw_only=True):
    """The same sound after an encoder.

    Parameters
    ----------
    codec : str
        As ``aac-256``: name and kbit/s.
    true_peak_dbtp : float
        Of what the decoder returns.
    overshoot_db : float
        By how much that is more than before.
    over_samples : int
        Samples of it beyond full scale, which a player clips.
    """

    codec: str
    true_peak_dbtp: float
    overshoot_db: float
    over_samples: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the meters say.

    Parameters
    ----------
    duration_s : float
    rate : int
        Hz at which it was measured, which is that of the file.
    channels : int
        Of the file; more than two are mixed down first.
    integrated_lufs, short_max_lufs, momentary_max_lufs : float
        BS.1770; `SILENCE_LUFS` for silence.
    loudest_s : float
        Where the loudest three seconds begin.
    range_lu : float
        Tech 3342.
    true_peak_dbtp, sample_peak_dbfs : float
    plr_db : float or None
        True peak less integrated loudness.
    psr_db : float or None
        Least of the true peak of three seconds less their loudness, where it is not quiet.
    shares : dict of str to float
        Of the power, by `BANDS`.
    thirds_db : tuple of float
        Power in each of `THIRDS_HZ` against all of it; -120 for nothing.
    slope_db_per_octave : float or None
        Of the power per hertz, 100 Hz to 4 kHz.
    correlation, low_correlation : float or None
        Of left and right: of all, and below `LOW_HZ`.
    side_db : float
        Power of the side against the middle; -120 for none.
    mono_loss_lu : float or None
        What is lost, in loudness, when both sides are added up.
    dc : tuple of float
        Mean of each side; full scale is 1.
    clipped_runs, longest_run : int
        Runs of three samples or more at full scale, and samples in the longest.
    level_95_db : float
        RMS of both sides that 95 % of the audible 10 ms do not exceed; what a compressor sees.
    silent_samples : int
        Samples that were not finite in the file, and are silence here.
    damaged_s : float
        Seconds that could not be decoded, and are silence here.
    truncated : bool
        Whether the file ends early.
    encoded : Encoded or None
    """

    duration_s: float
    rate: int
    channels: int
    integrated_lufs: float
    short_max_lufs: float
    momentary_max_lufs: float
    loudest_s: float
    range_lu: float
    true_peak_dbtp: float
    sample_peak_dbfs: float
    plr_db: float | None
    psr_db: float | None
    shares: dict[str, float]
    thirds_db: tuple[float, ...]
    slope_db_per_octave: float | None
    correlation: float | None
    low_correlation: float | None
    side_db: float
    mono_loss_lu: float | None
    dc: tuple[float, float]
    clipped_runs: int
    longest_run: int
    level_95_db: float
    silent_samples: int = 0
    damaged_s: float = 0.0
    truncated: bool = False
    encoded: Encoded | None = None

    @property
    def is_silent(self) -> bool:
        """Whether nothing is louder than the absolute gate."""
        return self.integrated_lufs <= SILENCE_LUFS

    @property
    def dc_max(self) -> float:
        """Larger offset of both sides."""
        return max(abs(each) for each in self.dc)


def remarks(report: Report) -> list[str]:
    """Return what is worth knowing of a report, a sentence each; none if all is well."""
    said = []
    if report.truncated:
        said.append("the file is damaged or ends early: what could be read was measured")
    if report.silent_samples:
        said.append(f"{report.silent_samples} samples were not finite, and count as silence")
    if report.channels == 1:
        said.append("mono: measured as it plays, on both sides; one channel reads 3.0 LU less")
    if report.channels > 2:
        said.append(f"{report.channels} channels: mixed down to two before it was measured")
    if report.is_silent:
        return [*said, f"silence: nothing is louder than {SILENCE_LUFS:g} LUFS"]
    if report.plr_db is not None and report.plr_db < CRUSHED_PLR_DB:
        said.append(f"PLR {report.plr_db:.1f} dB, below {CRUSHED_PLR_DB:g}: crushed")
    if report.clipped_runs:
        said.append(
            f"clipped: {report.clipped_runs} runs of 3 samples or more at full scale, "
            f"the longest of {report.longest_run}; no later step brings them back"
        )
    low = report.low_correlation
    if low is not None and low < GOOD_LOW_CORRELATION:
        said.append(f"below {LOW_HZ:g} Hz left and right correlate by {low:.2f} only")
    if report.mono_loss_lu is not None and report.mono_loss_lu > 3.5:
        # unrelated sides lose 3 LU
        said.append(f"in mono it loses {report.mono_loss_lu:.1f} LU: parts of it cancel")
    if report.encoded is not None and report.encoded.true_peak_dbtp > 0.0:
        said.append(
            f"after {report.encoded.codec} the true peak is "
            f"{report.encoded.true_peak_dbtp:+.1f} dBTP: players without headroom clip it"
        )
    return said
