"""Which steps a piece of sound needs, each with its numbers and a reason; none if not needed.

::

    high-pass ─► equaliser ─► bass to mono ─► compressor ─► tilt, width ─► gain ─► limiter

`plan` decides on all but the last two; these are decided by `level`, from what the meters say of
the sound after the others.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np

from sfa_engine.errors import Refused, did_you_mean
from sfa_engine.mix.mastering.equaliser import Band, response_db
from sfa_engine.mix.mastering.report import GOOD_LOW_CORRELATION, LOW_HZ, THIRDS_HZ, Report
from sfa_engine.mix.mastering.spectrum import matching_bands, slope_of, standing_out

HIGH_PASS_HZ = 25.0
MAX_DC = 1e-3  # -60 dBFS
MAX_RUMBLE = 0.01  # of the power, in the third octave of 20 Hz
MOST_EQ_DB, LEAST_EQ_DB = 3.0, 0.5
LOW_SHARE = (0.14, 0.45)  # from pop to the upper end of dance
BRIGHT_SHARE = 0.02  # of the power at 4-11 kHz, on average
BRIGHT_FACTOR = 3.0  # left alone: from a third to three times of that
STANDS_OUT_DB = 6.0
STANDS_OUT_HZ = (150.0, 8_000.0)  # below are the notes of a bass
MOST_BELLS = 2
SLOPE_DB = -5.0  # per octave: the average of finished music (Pestana 2013)
SLOPE_TOLERANCE_DB = 1.5
SLOPE_OCTAVES = 5.32  # 100 Hz to 4 kHz
MOST_TILT_DB = 3.0
TILT_HZ = (250.0, 1_600.0)  # shelves of half the tilt, each
MOST_COMPRESSION_DB = 2.0
ATTACK_MS, RELEASE_MS = 20.0, 200.0
LEAST_COMPRESSION_DB = 0.5
MOST_WIDTH_DB, LEAST_WIDTH_DB = 3.0, 1.0
LEAST_GAIN_DB = 0.05
LIMITER_RELEASE_MS = 100.0
LIMITER_MARGIN_DB = 0.2  # that the limiter takes besides: its own margin, and for bright sound
LUFS_RANGE = (-40.0, -4.0)  # of a target
CEILING_RANGE = (-12.0, 0.0)
LIMIT_RANGE = (0.0, 12.0)


class Step(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """A step of the chain.

    Parameters
    ----------
    reason : str
    """

    reason: str


class HighPass(Step, frozen=True, kw_only=True, tag="high_pass"):
    """Removes what is below, at 12 dB an octave."""

    hz: float


class Equaliser(Step, frozen=True, kw_only=True, tag="equaliser"):
    """Wide bands."""

    bands: tuple[Band, ...]


class MonoBass(Step, frozen=True, kw_only=True, tag="mono_bass"):
    """Removes the side below, at 24 dB an octave."""

    hz: float


class Compressor(Step, frozen=True, kw_only=True, tag="compressor"):
    """Lowers what is above a threshold; both sides alike."""

    threshold_db: float
    ratio: float
    most_db: float
    attack_ms: float = ATTACK_MS
    release_ms: float = RELEASE_MS


class Width(Step, frozen=True, kw_only=True, tag="width"):
    """A gain of the side."""

    gain_db: float


class Gain(Step, frozen=True, kw_only=True, tag="gain"):
    """A gain of all."""

    gain_db: float


class Limiter(Step, frozen=True, kw_only=True, tag="limiter"):
    """The limiter of the engine's master: holds the true peak."""

    ceiling_dbtp: float
    release_ms: float = LIMITER_RELEASE_MS


class Aim(msgspec.Struct, frozen=True, kw_only=True):
    """What a master is made for.

    Parameters
    ----------
    preset : str
    target_lufs : float or None
        None keeps the loudness.
    lowers : bool
        Whether what is louder is turned down to the target; else it stays as loud as it is.
    ceiling_dbtp : float
    loud_ceiling_dbtp : float or None
        In place of it where the result is louder than the target.
    limit_db : float
        How much the limiter may take away.
    most_range_lu : float
        Above, the compressor is needed.
    """

    preset: str
    target_lufs: float | None
    lowers: bool = False
    ceiling_dbtp: float = -1.0
    loud_ceiling_dbtp: float | None = None
    limit_db: float = 3.0
    most_range_lu: float = 15.0


PRESETS = {
    aim.preset: aim
    for aim in (
        Aim(preset="streaming", target_lufs=-14.0, loud_ceiling_dbtp=-2.0),
        Aim(preset="apple", target_lufs=-16.0),
        Aim(preset="club", target_lufs=-8.0, most_range_lu=10.0),
        Aim(preset="dj", target_lufs=None),
        Aim(preset="broadcast", target_lufs=-23.0, lowers=True, most_range_lu=20.0),
    )
}
DEFAULT_PRESET = "streaming"


def aim_of(
    preset: str = DEFAULT_PRESET,
    *,
    target_lufs: float | None = None,
    ceiling_dbtp: float | None = None,
    limit_db: float | None = None,
    reference: Report | None = None,
) -> Aim:
    """Return the aim of a preset, with what was given in its place.

    Parameters
    ----------
    preset : str
        Of `PRESETS`.
    target_lufs, ceiling_dbtp, limit_db : float, optional
        A target that is given is met from above too.
    reference : Report, optional
        Its loudness is the target unless one is given.

    Raises
    ------
    Refused
        There is no such preset, or a number is out of range.
    """
    if preset not in PRESETS:
        hint = did_you_mean(preset, PRESETS) or f"give one of {', '.join(PRESETS)}"
        raise Refused(f'no preset "{preset:.40}"', hint)
    aim = PRESETS[preset]
    if target_lufs is None and reference is not None:
        target_lufs = round(float(np.clip(reference.integrated_lufs, *LUFS_RANGE)), 1)
    for value, name, (low, high), unit in (
        (target_lufs, "target", LUFS_RANGE, "LUFS"),
        (ceiling_dbtp, "ceiling", CEILING_RANGE, "dBTP"),
        (limit_db, "limiting", LIMIT_RANGE, "dB"),
    ):
        if value is not None and not low <= value <= high:
            raise Refused(f"a {name} of {value:g} {unit}", f"give {low:g} to {high:g}")
    if target_lufs is not None:
        aim = msgspec.structs.replace(aim, target_lufs=target_lufs, lowers=True)
    if ceiling_dbtp is not None:
        aim = msgspec.structs.replace(aim, ceiling_dbtp=ceiling_dbtp, loud_ceiling_dbtp=None)
    if limit_db is not None:
        aim = msgspec.structs.replace(aim, limit_db=limit_db)
    return aim


def plan(report: Report, aim: Aim, reference: Report | None = None) -> list[Step]:
    """Return the steps before gain and limiter that a piece of sound needs.

    Parameters
    ----------
    report : Report
        Of the sound.
    aim : Aim
    reference : Report, optional
        Of music that it is to sound like.

    Raises
    ------
    Refused
        The sound, or the reference, is silent.
    """
    for each, name in ((report, "the file"), (reference, "the reference")):
        if each is not None and each.is_silent:
            raise Refused(f"{name} is silent: nothing to master", "choose another file")
    equaliser = _equaliser(report) if reference is None else _matched(report, reference)
    steps = [
        _high_pass(report),
        equaliser,
        _mono_bass(report),
        _compressor(report, aim),
        None if reference is not None else _tilt(report, equaliser),
        None if reference is None else _width(report, reference),
    ]
    return [step for step in steps if step is not None]


class Level(NamedTuple):
    """What `level` decides.

    Parameters
    ----------
    steps : tuple of Step
    gain_db : float
    goal_lufs : float or None
        What the loudness is to come to; None where the limiter may not take enough for it.
    """

    steps: tuple[Step, ...]
    gain_db: float
    goal_lufs: float | None


def level(
    report: Report, aim: Aim, source_lufs: float, more_db: float = 0.0, less_db: float = 0.0
) -> Level:
    """Return gain and limiter for the sound after all other steps.

    Parameters
    ----------
    report : Report
        Of that sound.
    aim : Aim
    source_lufs : float
        Loudness before all steps, which is kept where there is no target, or where it is louder
        than a target that lowers nothing.
    more_db : float
        Added to the gain, for what the limiter was measured to take from the loudness.
    less_db : float
        Taken from the room for limiting, for what the limiter was measured to take too much.
    """
    loud, peak = report.integrated_lufs, report.true_peak_dbtp
    is_louder = aim.target_lufs is not None and source_lufs > aim.target_lufs
    is_kept = aim.target_lufs is None or (is_louder and not aim.lowers)
    goal = source_lufs if is_kept or aim.target_lufs is None else aim.target_lufs
    ceiling = aim.ceiling_dbtp
    if is_kept and is_louder and aim.loud_ceiling_dbtp is not None:
        ceiling = aim.loud_ceiling_dbtp
    wanted = goal - loud + more_db
    room = ceiling + max(0.0, aim.limit_db - LIMITER_MARGIN_DB) - less_db - peak
    gain = round(min(wanted, room), 2)
    steps: list[Step] = []
    if abs(gain) >= LEAST_GAIN_DB:
        what = "as loud as before" if is_kept else aim.preset
        reason = f"from {loud:.1f} to {goal:.1f} LUFS ({what})"
        if wanted > room:
            short = f"{wanted - room:.1f} dB short of it"
            reason += f"; {short}, for the limiter may take {aim.limit_db:g} dB"
        steps.append(Gain(gain_db=gain, reason=reason))
    else:
        gain = 0.0
    if peak + gain > ceiling:
        steps.append(
            Limiter(
                ceiling_dbtp=ceiling,
                reason=f"the true peak would be {peak + gain:+.1f} dBTP, "
                f"{peak + gain - ceiling:.1f} dB over {ceiling:g}",
            )
        )
    return Level(tuple(steps), gain, None if wanted > room else goal)


def _high_pass(report: Report) -> HighPass | None:
    reasons = []
    if report.dc_max > MAX_DC:
        reasons.append(f"an offset of {20 * np.log10(report.dc_max):.0f} dBFS")
    rumble = 10 ** (report.thirds_db[0] / 10)
    if rumble > MAX_RUMBLE:
        reasons.append(f"{100 * rumble:.0f} % of the power around 20 Hz")
    if not reasons:
        return None
    return HighPass(hz=HIGH_PASS_HZ, reason=f"{' and '.join(reasons)}: no loudspeaker plays it")


def _equaliser(report: Report) -> Equaliser | None:
    """Return wide corrections of what is far from finished music."""
    bands, reasons = [], []
    low = report.shares["below_120"]
    gain = _towards(low, *LOW_SHARE)
    if abs(gain) >= LEAST_EQ_DB:
        bands.append(Band(shape="low_shelf", hz=LOW_HZ, gain_db=gain))
        reasons.append(
            f"{100 * low:.0f} % of the power below {LOW_HZ:g} Hz, "
            f"{100 * LOW_SHARE[0]:.0f} to {100 * LOW_SHARE[1]:.0f} % are usual"
        )
    bright = report.shares["4k_to_11k"]
    gain = _towards(bright, BRIGHT_SHARE / BRIGHT_FACTOR, BRIGHT_SHARE * BRIGHT_FACTOR)
    if abs(gain) >= LEAST_EQ_DB and bright > 0:
        bands.append(Band(shape="bell", hz=6_600.0, gain_db=gain))  # the middle of 4-11 kHz
        reasons.append(
            f"{100 * bright:.1f} % of the power at 4 to 11 kHz, "
            f"{100 * BRIGHT_SHARE:.0f} % are the average"
        )
    out = standing_out(report.thirds_db, *STANDS_OUT_HZ)
    for hz, over_db in list(out.items())[:MOST_BELLS]:
        if over_db >= STANDS_OUT_DB:
            gain = -round(min(MOST_EQ_DB, over_db / 2), 1)
            bands.append(Band(shape="bell", hz=round(hz), gain_db=gain, q=1.4))  # an octave
            reasons.append(f"around {hz:.0f} Hz it stands {over_db:.1f} dB out")
    return Equaliser(bands=tuple(bands), reason="; ".join(reasons)) if bands else None


def _towards(share: float, low: float, high: float) -> float:
    """Return the gain in dB that brings a share of the power into a range, as far as allowed."""
    if low <= share <= high:
        return 0.0
    goal = min(max(share, low), high)
    share = min(max(share, 1e-6), 1 - 1e-6)
    gain = 10 * np.log10(goal / (1 - goal) * (1 - share) / share)
    return round(float(np.clip(gain, -MOST_EQ_DB, MOST_EQ_DB)), 1)


def _matched(report: Report, reference: Report) -> Equaliser | None:
    bands = matching_bands(
        report.thirds_db,
        reference.thirds_db,
        report.rate,
        most_db=MOST_EQ_DB,
        least_db=LEAST_EQ_DB,
    )
    reason = "towards the reference's third octaves"
    return Equaliser(bands=tuple(bands), reason=reason) if bands else None


def _mono_bass(report: Report) -> MonoBass | None:
    low = report.low_correlation
    if low is None or low >= GOOD_LOW_CORRELATION:
        return None
    return MonoBass(
        hz=LOW_HZ,
        reason=f"left and right correlate by {low:.2f} below {LOW_HZ:g} Hz, "
        f"{GOOD_LOW_CORRELATION:g} and more are usual",
    )


def _compressor(report: Report, aim: Aim) -> Compressor | None:
    most = min(MOST_COMPRESSION_DB, (report.range_lu - aim.most_range_lu) / 2)
    if most < LEAST_COMPRESSION_DB:
        return None
    ratio = 1.5 if most <= 1.0 else 2.0
    threshold = report.level_95_db - most / (1 - 1 / ratio)
    return Compressor(
        threshold_db=round(threshold, 1),
        ratio=ratio,
        most_db=round(most, 1),
        reason=f"a range of {report.range_lu:.1f} LU, {aim.most_range_lu:g} are enough "
        f"for {aim.preset}",
    )


def _tilt(report: Report, equaliser: Equaliser | None) -> Equaliser | None:
    """Return two shelves that lean the spectrum towards the average slope."""
    thirds = np.array(report.thirds_db)
    if equaliser is not None:
        thirds = thirds + response_db(equaliser.bands, THIRDS_HZ, max(report.rate, 48_000))
    slope = slope_of([float(each) for each in thirds])
    if slope is None or abs(slope - SLOPE_DB) < SLOPE_TOLERANCE_DB:
        return None
    over = (SLOPE_DB - slope) * SLOPE_OCTAVES / 2  # half of what is missing
    tilt = float(np.clip(over, -MOST_TILT_DB, MOST_TILT_DB))
    half = round(tilt / 2, 1)
    low, high = TILT_HZ
    return Equaliser(
        bands=(
            Band(shape="low_shelf", hz=low, gain_db=-half, q=0.5),
            Band(shape="high_shelf", hz=high, gain_db=half, q=0.5),
        ),
        reason=f"the spectrum falls by {-slope:.1f} dB an octave, finished music by "
        f"{-SLOPE_DB:g} on average",
    )


def _width(report: Report, reference: Report) -> Width | None:
    gain = reference.side_db - report.side_db
    if min(reference.side_db, report.side_db) < -40.0 or abs(gain) < LEAST_WIDTH_DB:
        return None  # of mono, or nearly so, nothing is made wider
    return Width(
        gain_db=round(float(np.clip(gain, -MOST_WIDTH_DB, MOST_WIDTH_DB)), 1),
        reason=f"the side is {report.side_db:.1f} dB against the middle, "
        f"{reference.side_db:.1f} in the reference",
    )


AnyStep = HighPass | Equaliser | MonoBass | Compressor | Width | Gain | Limiter
