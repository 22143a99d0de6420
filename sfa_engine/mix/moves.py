"""The moves of a transition: what is done to faders, equalisers and stems of both decks, and why.

All are undone when the transition is over: of the incoming deck by the moves themselves, of the
outgoing one when it has stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec.structs import replace

from sfa_engine.desk import find
from sfa_engine.desk.scale import OFF
from sfa_engine.mix.basses import Exchange
from sfa_engine.mix.document import IN, OUT, Curve, Move, Transition
from sfa_engine.mix.facts import BASS, DRUMS, TONAL, VOCALS, TrackFacts
from sfa_engine.mix.keys import Harmony
from sfa_engine.mix.loudness import Shape
from sfa_engine.mix.voices import Voices

TRIM = find("deck1.trim").scale
LOW_CUT_DB = -26.0  # of the low band: the deck keeps its body, and no bass is left
DRUMS_FILTER = 40.0  # %: a high-pass at 230 Hz; a kick at 90 Hz is 16 dB down, at 170 Hz it was 12
EXCHANGE_BEATS = 1  # that the lows take to change sides, before the bar


def stem_bass(facts: TrackFacts) -> bool:
    """Return whether the bass of a track can be taken out by its stems."""
    return BASS in facts.stems and DRUMS in facts.stems


def pitched(facts: TrackFacts) -> list[str]:
    """Return the stems that have pitches, but for the bass and the vocals."""
    return [stem for stem in TONAL if stem in facts.stems and stem not in {BASS, VOCALS}]


def blend_moves(
    out: TrackFacts,
    into: TrackFacts,
    bars: int,
    *,
    exchange: Exchange,
    voices: Voices,
    harmony: Harmony,
    shape: Shape,
    drums_until: float,
) -> tuple[Move, ...]:
    """Return the moves of a blend in order of time.

    Parameters
    ----------
    out, into : TrackFacts
    bars : int
        Length.
    exchange : Exchange
    voices : Voices
    harmony : Harmony
    shape : Shape
    drums_until : float
        Bar from which more than the drums of the incoming track comes in; 0: from the beginning.
    """
    moves = [
        *_faders(bars, shape),
        *_trims(bars, shape),
        *(_basses(out, into, exchange) if exchange.needed else ()),
        *_voices(voices),
        *_tones(out, into, bars, exchange, harmony, drums_until),
    ]
    return in_order(moves)


def fade_moves(
    seconds: float, rise_s: float | None = None, fall_s: float | None = None, bass_s: float = 0.0
) -> tuple[Move, ...]:
    """Return the moves of a fade of both volumes.

    Parameters
    ----------
    seconds : float
        Its length.
    rise_s, fall_s : float, optional
        What the incoming track takes to come in, from the beginning, and the outgoing one to go,
        until the end; all of it if not given.
    bass_s : float
        What an exchange of the basses in the middle takes; 0: there is none.
    """
    if not seconds:
        return ()
    rise_s = seconds if rise_s is None else rise_s
    fall_s = seconds if fall_s is None else fall_s
    moves = [_ramp("out.fader", seconds - fall_s, 0.0, OFF, fall_s, "power")]
    if rise_s:
        moves.append(Move("in.fader", 0.0, OFF))
        moves.append(_ramp("in.fader", 0.0, OFF, 0.0, rise_s, "power"))
    if bass_s:
        at = round(seconds / 2 - bass_s, 3)
        moves.append(Move("in.eq.low.gain", 0.0, LOW_CUT_DB, why="one bass at a time"))
        moves.append(_ramp("in.eq.low.gain", at, LOW_CUT_DB, 0.0, bass_s))
        moves.append(_ramp("out.eq.low.gain", at, 0.0, LOW_CUT_DB, bass_s))
    return in_order(moves)


def in_order(moves: Sequence[Move]) -> tuple[Move, ...]:
    """Return moves in order of time; of equal times, what is set comes before what is moved."""
    return tuple(sorted(moves, key=lambda move: (move.at, move.over > 0, move.control)))


def with_trims(each: Transition, out_db: float, in_db: float) -> Transition:
    """Return a transition whose moves of the trims are higher.

    Parameters
    ----------
    each : Transition
    out_db, in_db : float
        By how much, of both decks; what would leave the control's range stops at its end.
    """
    by_db = {f"{OUT}.trim": out_db, f"{IN}.trim": in_db}
    moves = tuple(
        _raised(move, by_db[move.control]) if move.control in by_db else move for move in each.moves
    )
    return replace(each, moves=moves)


def _raised(move: Move, by_db: float) -> Move:
    start = None if move.start is None else _sum_db(move.start, by_db)
    value = move.value if isinstance(move.value, str) else _sum_db(move.value, by_db)
    return replace(move, value=value, start=start)


def _sum_db(level_db: float, by_db: float) -> float:
    if level_db <= OFF:
        return level_db
    return min(TRIM.high, max(TRIM.low, round(level_db + by_db, 2)))


def _ramp(
    control: str,
    at: float,
    start: float,
    value: float,
    over: float,
    curve: Curve = "linear",
    why: str = "",
) -> Move:
    return Move(control, at, value, start, over, curve, why)


def _faders(bars: int, shape: Shape) -> Iterator[Move]:
    if shape.rise:
        yield Move("in.fader", 0.0, OFF)
        yield _ramp("in.fader", 0.0, OFF, 0.0, float(shape.rise), "power")
    if shape.fall:
        yield _ramp("out.fader", float(bars - shape.fall), 0.0, OFF, float(shape.fall), "power")


def _trims(bars: int, shape: Shape) -> Iterator[Move]:
    for side, trims in ((OUT, shape.out_trim_db), (IN, shape.in_trim_db)):
        width = bars / (len(trims) - 1)
        if side == IN and trims[0]:
            yield Move(f"{side}.trim", 0.0, trims[0], why="as loud as the other track")
        for k, (first, last) in enumerate(pairwise(trims)):
            if first != last:
                is_down = min(first, last) < 0
                why = "two loud parts at once" if is_down else "as loud as the other track"
                yield _ramp(f"{side}.trim", k * width, first, last, width, why=why)


def _basses(out: TrackFacts, into: TrackFacts, exchange: Exchange) -> Iterator[Move]:
    bar = float(exchange.bar)
    beat = EXCHANGE_BEATS / out.beats_per_bar
    if exchange.bar:
        if stem_bass(into):
            yield Move("in.stem.bass.mute", 0.0, "on", why="one bass at a time")
            yield Move("in.stem.bass.mute", bar, "off")
            yield Move("in.stem.drums.filter", 0.0, DRUMS_FILTER, why="one kick at a time")
            yield _ramp("in.stem.drums.filter", bar - beat, DRUMS_FILTER, 0.0, beat)
        else:
            yield Move("in.eq.low.gain", 0.0, LOW_CUT_DB, why="one bass at a time")
            yield _ramp("in.eq.low.gain", bar - beat, LOW_CUT_DB, 0.0, beat)
    before = max(0.0, bar - beat)
    if stem_bass(out):
        yield Move("out.stem.bass.mute", bar, "on", why="one bass at a time")
        yield _ramp("out.stem.drums.filter", before, 0.0, DRUMS_FILTER, beat)
    else:
        yield _ramp("out.eq.low.gain", before, 0.0, LOW_CUT_DB, beat)


def _voices(voices: Voices) -> Iterator[Move]:
    why = "one voice at a time" if voices.both_sing else "no line is cut"
    if voices.in_until:
        yield Move("in.stem.vocals.mute", 0.0, "on", why=why)
        yield Move("in.stem.vocals.mute", voices.in_until, "off")
    if voices.out_from is not None:
        yield Move("out.stem.vocals.mute", voices.out_from, "on", why=why)


def _tones(
    out: TrackFacts,
    into: TrackFacts,
    bars: int,
    exchange: Exchange,
    harmony: Harmony,
    drums_until: float,
) -> Iterator[Move]:
    if harmony.way in {"drums", "exchange"}:
        bar = float(exchange.bar if harmony.way == "exchange" else bars)
        for stem in pitched(into):
            yield Move(f"in.stem.{stem}.mute", 0.0, "on", why="the keys clash")
            yield Move(f"in.stem.{stem}.mute", bar, "off")
        if not exchange.needed and BASS in into.stems:
            yield Move("in.stem.bass.mute", 0.0, "on", why="the keys clash")
            yield Move("in.stem.bass.mute", bar, "off")
        if harmony.way == "exchange":
            for stem in pitched(out):
                yield Move(f"out.stem.{stem}.mute", bar, "on", why="the keys clash")
            if not exchange.needed and BASS in out.stems:
                yield Move("out.stem.bass.mute", bar, "on", why="the keys clash")
    elif drums_until:
        for stem in pitched(into):
            volume = f"in.stem.{stem}.volume"
            yield Move(volume, 0.0, OFF, why="drums first")
            yield _ramp(volume, drums_until, OFF, 0.0, drums_until, "power")
