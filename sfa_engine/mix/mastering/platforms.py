"""What the places where music is played do to its level.

Turn-down levels, not targets: what is louder is turned down there, and nothing is wrong with it.
Sources differ, and services change theirs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sfa_engine.mix.mastering.report import Report

PEAK_LIMIT_DBTP = -1.0  # up to which quiet ones are raised
BROADCAST_TOLERANCE_LU = 1.0  # R 128: in production


class Platform(NamedTuple):
    """A place where music is played.

    Parameters
    ----------
    name : str
    level_lufs : float
        What is louder is turned down to it.
    raises : bool
        Whether what is quieter is raised, as far as its peaks allow.
    advice_dbtp : float
        Highest true peak that is advised, of what is not louder than the level.
    loud_advice_dbtp : float
        The same of what is louder.
    """

    name: str
    level_lufs: float
    raises: bool = False
    advice_dbtp: float = -1.0
    loud_advice_dbtp: float = -1.0


PLATFORMS = (
    Platform("Spotify", -14.0, raises=True, loud_advice_dbtp=-2.0),
    Platform("Spotify (loud)", -11.0, raises=True, loud_advice_dbtp=-2.0),
    Platform("Spotify (quiet)", -19.0, raises=True, loud_advice_dbtp=-2.0),
    Platform("YouTube", -14.0),
    Platform("Tidal", -14.0),
    Platform("Amazon Music", -14.0, advice_dbtp=-2.0, loud_advice_dbtp=-2.0),
    Platform("Apple Music", -16.0, raises=True),
    Platform("Deezer", -15.0),
    Platform("SoundCloud", -10.0),
)
BROADCAST_LUFS = -23.0
CLUB_LUFS = (-9.0, -6.0)


def changes(report: Report) -> list[dict[str, Any]]:
    """Return what each platform does to the level: name, level, change in dB, a sentence.

    Empty for silence. `change_db` is rounded to 0.1 dB; `peak_ok` says whether the true peak is
    within what the platform advises.
    """
    if report.is_silent:
        return []
    return [_change(each, report) for each in PLATFORMS]


def broadcast(report: Report) -> str:
    """Return how the loudness relates to broadcasting (R 128), a sentence."""
    off_lu = round(report.integrated_lufs - BROADCAST_LUFS, 1)
    if abs(off_lu) <= BROADCAST_TOLERANCE_LU:
        return f"within {BROADCAST_TOLERANCE_LU:g} LU of {BROADCAST_LUFS:g} LUFS"
    return f"{abs(off_lu):.1f} LU {'above' if off_lu > 0 else 'below'} {BROADCAST_LUFS:g} LUFS"


def _change(platform: Platform, report: Report) -> dict[str, Any]:
    over_db = round(report.integrated_lufs - platform.level_lufs, 1)
    room_db = max(0.0, round(PEAK_LIMIT_DBTP - report.true_peak_dbtp, 1))
    is_loud = over_db > 0
    advice_dbtp = platform.loud_advice_dbtp if is_loud else platform.advice_dbtp
    change_db = 0.0
    if is_loud:
        change_db = -over_db
        words = f"it will be turned down by {over_db:.1f} dB"
    elif over_db == 0:
        words = "it stays as it is"
    elif platform.raises and room_db > 0:
        change_db = min(-over_db, room_db)
        words = f"it will be raised by {change_db:.1f} dB"
        if change_db < -over_db:
            words += f", up to a true peak of {PEAK_LIMIT_DBTP:g} dBTP"
    elif platform.raises:
        words = "it stays as it is: its peaks leave no room to raise it"
    else:
        words = f"it stays as it is, {-over_db:.1f} dB below the level"
    is_peak_ok = report.true_peak_dbtp <= advice_dbtp + 0.05  # as it is shown
    if not is_peak_ok:
        words += f"; a true peak of {advice_dbtp:g} dBTP at most is advised"
    return {
        "platform": platform.name,
        "level_lufs": platform.level_lufs,
        "change_db": change_db + 0.0,
        "peak_ok": is_peak_ok,
        "sentence": words,
    }
