"""Pairs that are not blended: a plain fade, or one track after the other, with the reason.

Albums in sequence, live recordings and fade-outs are left alone. Where beats, tempo or meter forbid
a blend the volumes fade for a few bars, shorter if the tempi are further apart. No fade has two
voices at once, or cuts one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product

import numpy as np

from sfa_engine.mix.document import Transition
from sfa_engine.mix.facts import LOUDNESS_HZ, SURE, TrackFacts
from sfa_engine.mix.moves import fade_moves
from sfa_engine.mix.tempo import meet, nearest
from sfa_engine.mix.timeline import SMOOTH_S, Floats, Timeline
from sfa_engine.mix.voices import BOTH_S, CUT_S

SHORT_S = 45.0  # a shorter track has no room for a blend at each end
LEAST_BARS = 24
FADE_S, LONGEST_FADE_S = 4.0, 8.0  # without a beat; and of slow beats
# Bars of a fade by how far the tempi are apart: further apart, they disturb each other.
FADE_BARS = ((0.12, 4), (0.20, 2), (float("inf"), 1))
METER_BARS = 2
# Shares of a fade that its ends may take, and the levels against the louder track that are sought.
RISES, FALLS = (1.0, 0.5, 0.25, 0.0), (1.0, 0.5, 0.25)
LEAST_DB, MOST_DB = -2.5, 1.0
SOONER_DB = 0.5  # better, that a shorter end is taken for
STEP_S = 0.25
LEAST_EXCHANGE_S = 2.0
FADED_DB = -18.0  # below the median: there the next track may begin in a fade-out
FADE_OUT_S = 8.0  # that a fade-out takes at least: most chords have died away by then
FADE_OUT_DB = -20.0  # below the median, at its end
LOUD_DB = -6.0  # below the median: not yet fading
FADE_OUT_LIKENESS = -0.9  # of its level in dB and a falling line, as a correlation
_LIVE = re.compile(
    r"[(\[][^)\]]*\b(?i:live)\b"  # (Live at the Garden), [live]
    r"|\b(?i:live (?:at|from))\b"
    r"|\b(?i:live in)\b.*\b(?:19|20)\d\d\b"
    r"|- (?i:live)$"
)


def why_no_mix(out: Timeline, into: Timeline) -> str:
    """Return why a pair is left alone, one track after the other; empty if it is not."""
    one, other = out.facts, into.facts
    if not one.length_s or not other.length_s:
        missing = one if not one.length_s else other
        return f"{missing.name}: its length is not known"
    if in_sequence(one, other):
        return f"in sequence on the album {one.album}"
    for facts in (one, other):
        if is_live(facts):
            return f"{facts.name}: a live recording"
    if fade_out_s(out) is not None:
        return f"{one.name}: fades out by itself"
    return ""


def why_no_blend(out: Timeline, into: Timeline, limit: float) -> str:
    """Return why the beats of a pair cannot go together; empty if they can.

    Parameters
    ----------
    out, into : Timeline
    limit : float
        Most that a rate may be off, as a share.
    """
    for line in (out, into):
        facts = line.facts
        if not line.bars or not facts.bpm:
            return f"{facts.name}: no beats"
        if facts.confidence < SURE:
            return f"{facts.name}: the grid is not sure ({facts.confidence:.2f})"
        if facts.length_s < SHORT_S or line.bars < LEAST_BARS:
            return f"{facts.name}: too short ({facts.length_s:.0f} s, {line.bars} bars)"
    meters = out.facts.beats_per_bar, into.facts.beats_per_bar
    if meters[0] != meters[1]:
        return f"{meters[0]} beats a bar against {meters[1]}"
    bpms = out.facts.bpm or 0.0, into.facts.bpm or 0.0
    if meet(*bpms, limit) is None:
        factor = nearest(*bpms)[1]
        return f"tempo: {bpms[0]:.1f} and {bpms[1]:.1f} BPM ({100 * (factor - 1):+.1f} %)"
    return ""


def in_sequence(one: TrackFacts, other: TrackFacts) -> bool:
    """Return whether two tracks follow each other on an album.

    Where places on the album are not known, neighbours from one album by one artist do.
    """
    if not one.album or one.album.casefold() != other.album.casefold():
        return False
    if one.artist.casefold() != other.artist.casefold():
        return False
    if one.album_number is None or other.album_number is None:
        return True
    return other.album_number == one.album_number + 1


def is_live(facts: TrackFacts) -> bool:
    """Return whether a track says that it is a live recording."""
    return bool(_LIVE.search(facts.name) or _LIVE.search(facts.album))


def fade_out_s(line: Timeline) -> float | None:
    """Return when a track that fades out has become soft; None if it does not fade out."""
    levels = np.array(line.facts.loudness[: round(line.sound_s[1] * LOUDNESS_HZ)])
    steps = round(FADE_OUT_S * LOUDNESS_HZ)
    if len(levels) < 4 * steps:
        return None
    median = float(np.median(levels))
    falling = levels[np.flatnonzero(levels > median + LOUD_DB)[-1] :]
    if len(falling) < steps or falling[-1] > median + FADE_OUT_DB:
        return None
    if np.corrcoef(np.arange(len(falling)), falling)[0, 1] > FADE_OUT_LIKENESS:
        return None
    return float(np.flatnonzero(levels > median + FADED_DB)[-1] + 1) / LOUDNESS_HZ


def follow(out: Timeline, into: Timeline, reason: str) -> Transition:
    """Return the transition of one track after the other, nothing cut.

    Parameters
    ----------
    out, into : Timeline
    reason : str
    """
    soft = None if in_sequence(out.facts, into.facts) else fade_out_s(out)
    gapless = in_sequence(out.facts, into.facts) or is_live(out.facts)
    end = out.facts.length_s if gapless else out.sound_s[1]
    if soft is not None and not _both_sing(out, into, soft, into.sound_s[0], end - soft):
        end = soft
    begin = 0.0 if in_sequence(out.facts, into.facts) else into.sound_s[0]
    return Transition(
        out=out.facts.id,
        into=into.facts.id,
        kind="follow",
        out_s=round(end, 3) if out.facts.length_s else None,  # None: whenever it ends
        in_s=round(begin, 3),
        fallback=reason,
    )


def fade(
    out: Timeline,
    into: Timeline,
    reason: str,
    free_s: float = 0.0,
    vetoes: Mapping[str, int] | None = None,
) -> Transition:
    """Return the longest fade of the volumes that the pair allows.

    Parameters
    ----------
    out, into : Timeline
    reason : str
        Why there is no blend.
    free_s : float
        Where the outgoing track is at its own tempo, in seconds of it: no fade begins before.
    vetoes : mapping of str to int, optional
        What ruled the blends out.
    """
    end, begin = out.sound_s[1], into.sound_s[0]
    wanted = _fade_length_s(out, into)
    longest = min(wanted, (end - free_s) / 2, (into.sound_s[1] - begin) / 4)
    seconds = 0.0
    for length in (longest, longest / 2, longest / 4):
        if length < 0.25:
            break
        if not _both_sing(out, into, end - length, begin, length):
            seconds = round(length, 3)
            break
    why = [] if seconds == round(wanted, 3) else [f"{seconds:.1f} s: no room for {wanted:.1f} s"]
    if seconds < longest - 0.01:
        why = [f"{seconds:.1f} s instead of {wanted:.1f} s: two voices, or a line that is cut"]
    return Transition(
        out=out.facts.id,
        into=into.facts.id,
        kind="fade" if seconds else "follow",
        out_s=round(end - seconds, 3),
        in_s=round(begin, 3),
        seconds=seconds,
        fallback=reason,
        why=tuple(why),
        vetoes=dict(sorted((vetoes or {}).items())),
        moves=fade_moves(seconds, *_shape_s(out, into, end - seconds, begin, seconds)),
    )


def _fade_length_s(out: Timeline, into: Timeline) -> float:
    """Return the length of a fade by the beats of both tracks."""
    one, other = out.facts, into.facts
    if not out.bars or not into.bars or not one.bpm or not other.bpm:
        return FADE_S
    if min(one.confidence, other.confidence) < SURE:
        return FADE_S
    apart = abs(nearest(one.bpm, other.bpm)[1] - 1)
    bars = next(bars for most, bars in FADE_BARS if apart <= most)
    if one.beats_per_bar != other.beats_per_bar:
        bars = min(bars, METER_BARS)
    return round(min(LONGEST_FADE_S, bars * one.beats_per_bar * 60 / one.bpm), 3)


def _shape_s(
    out: Timeline, into: Timeline, out_s: float, in_s: float, seconds: float
) -> tuple[float, float, float]:
    """Return what both tracks take to come in and to go, and an exchange of the basses, in seconds.

    All of the fade, if that keeps it beside the louder track: beside a soft tail a track comes in
    sooner, and over a soft intro it goes later. Basses are exchanged unless too little is left.
    """
    bass_s = _bass_s(out, into, out_s, in_s, seconds)
    if not (out.knows_loudness and into.knows_loudness and seconds):
        return seconds, seconds, bass_s
    time_s = np.arange(-SMOOTH_S / 2, seconds + SMOOTH_S / 2, STEP_S) + STEP_S / 2
    one, other = out.momentary_at(out_s + time_s), into.momentary_at(in_s + time_s)
    other[time_s < 0] = 0.0
    louder = np.maximum(_windows(one), _windows(other))
    lows = [_lows(line, start + time_s) for line, start in ((out, out_s), (into, in_s))]
    best, least = (seconds, seconds, bass_s), np.inf
    for exchange_s, rise_s, fall_s in product(
        [bass_s, 0.0] if bass_s else [0.0],
        [seconds * share for share in RISES],
        [seconds * share for share in FALLS],
    ):
        up = np.clip(time_s / rise_s, 0, 1) if rise_s else time_s > 0
        down = np.clip((time_s - seconds + fall_s) / fall_s, 0, 1)
        powers = one * np.cos(np.pi / 2 * down) ** 2, other * np.sin(np.pi / 2 * up) ** 2
        if exchange_s:
            is_late = time_s > seconds / 2
            powers = powers[0] * (1 - lows[0] * is_late), powers[1] * (1 - lows[1] * ~is_late)
        ratio = _windows(powers[0] + powers[1]) / np.maximum(louder, 1e-12)
        level = 10 * np.log10(np.maximum(ratio, 1e-9))
        missed = max(0.0, float(LEAST_DB - level.min())) + max(0.0, float(level.max() - MOST_DB))
        if missed < least - SOONER_DB:
            best, least = (round(rise_s, 3), round(fall_s, 3), exchange_s), missed
    return best


def _windows(power: Floats) -> Floats:
    """Return the sum of each three seconds."""
    return np.convolve(power, np.ones(round(SMOOTH_S / STEP_S)), "valid")


def _lows(line: Timeline, time_s: Floats) -> Floats:
    """Return the share of the lows in the loudness at some times; 0 without bars."""
    if not line.bars:
        return np.zeros(len(time_s))
    at = np.searchsorted(line.edges_s, time_s, side="right") - 1
    return line.lows[np.clip(at, 0, line.bars - 1)]


def _bass_s(out: Timeline, into: Timeline, out_s: float, in_s: float, seconds: float) -> float:
    """Return what an exchange of the basses takes, a beat; 0 if not both play."""
    if seconds < LEAST_EXCHANGE_S or not (out.bars and into.bars and out.facts.bpm):
        return 0.0
    spans = (out, out_s), (into, in_s)
    places = [(line, line.index_at(start), line.index_at(start + seconds)) for line, start in spans]
    both = all(line.bass[first : last + 1].any() for line, first, last in places)
    return round(min(60.0 / out.facts.bpm, seconds / 4), 3) if both else 0.0


def _both_sing(out: Timeline, into: Timeline, out_s: float, in_s: float, seconds: float) -> bool:
    """Return whether two voices overlap in a fade, or one is faded in the middle of a line."""
    if out.sung_s(out_s + seconds / 2, out_s + seconds) > CUT_S:
        return True
    both = sum(
        max(0.0, min(b - out_s, d - in_s, seconds) - max(a - out_s, c - in_s, 0.0))
        for a, b in out.vocals_s
        for c, d in into.vocals_s
    )
    return both > BOTH_S
