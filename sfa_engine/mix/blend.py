"""A candidate judged: what is done about voices, keys and basses, what vetoes it, what it costs.

Prices are in points: 1 is a second of music that is left out.

=================  ========================================================================
cut                1 a second of the outgoing track that is left out, an outro 0.08
skipped            1 a second of the incoming track that is left out, an intro 0.4
length             16 bars of instrumentals, else 8; 2 for twice or half of it, 10 for 4 bars
phrase             4 for an end off the borders of both tracks, 0.5 off the sections
voices             0.3 a second of a voice that is muted; 3 where it is not known
bass               10 a bar without one, beyond 0.75
key                what `keys.PRICES` says, and 6 times what the grade lacks of 0.9
tempo              50 a unit of the rate, and 1 for half or double
bars               4 if it is not sure where the bars of one of them begin
variable           3 if the tempo of one of them changes
quiet              1 a second that the incoming track stays quiet for, beyond four
step               1 a decibel of loudness between before and after, beyond two
loudness           4 a decibel beyond the goals of `loudness`, 0.4 before they are missed
=================  ========================================================================

Vetoes: ``two voices``, ``line cut at the end``, ``line cut at the start``, ``line cut by the
exchange``, ``key clash``, ``no room for the glide``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sfa_engine.mix import wheel
from sfa_engine.mix.basses import FREE_EMPTY_BARS, Exchange, settle_basses
from sfa_engine.mix.candidate import Candidate
from sfa_engine.mix.facts import DRUMS, SURE
from sfa_engine.mix.keys import PRICES, Harmony, ways_of_keys
from sfa_engine.mix.moves import pitched
from sfa_engine.mix.tempo import Meeting
from sfa_engine.mix.timeline import INTRO, PHRASE, SECTION, Timeline
from sfa_engine.mix.voices import Voices, settle_voices

GLIDE_BARS = 16  # that a change of tempo takes, outside a blend: 4 % is 0.25 % a bar
FREE_SKIP_S = 2.0  # of an intro that cost nothing
FREE_QUIET_S = 4.0  # that an audience takes for a break
BASS_PRICE = 10.0  # points a bar without a bass
LOUDNESS_PRICE = 4.0  # points a decibel
INSTRUMENTAL = 0.05  # share of a blend in which somebody sings, at most
DRUMS_FIRST_BARS = 8  # in which the drums come in before the rest
_OUTRO, _INTRO = 0.08, 0.4  # points a second


class Blend(NamedTuple):
    """A candidate with what is done about it, and its price.

    Parameters
    ----------
    each : Candidate
    meeting : Meeting
    voices : Voices
    exchange : Exchange
    harmony : Harmony
    prices : dict of str to float
        By name; only what is not 0.
    """

    each: Candidate
    meeting: Meeting
    voices: Voices
    exchange: Exchange
    harmony: Harmony
    prices: dict[str, float]

    @property
    def price(self) -> float:
        """All prices together."""
        return sum(self.prices.values())

    @property
    def drums_until(self) -> float:
        """Bar up to which only the drums of the incoming track sound, by its stems."""
        if self.harmony.way == "drums":
            return float(self.each.bars)
        if self.harmony.way == "exchange":
            return float(self.exchange.bar)
        return 0.0


def drums_first(into: Timeline, blend: Blend, rise: int) -> float:
    """Return from which bar more than the drums comes in, 0 if all comes in together.

    Parameters
    ----------
    into : Timeline
    blend : Blend
    rise : int
        Bars that the incoming track takes to come in.
    """
    span = min(DRUMS_FIRST_BARS, rise)
    if DRUMS not in into.facts.stems or span < 4 or not pitched(into.facts):
        return 0.0
    first = into.drums[blend.each.in_bar : blend.each.in_bar + span // 2]
    return span / 2 if len(first) and first.mean() >= 0.5 else 0.0


def judge(
    out: Timeline,
    into: Timeline,
    each: Candidate,
    meeting: Meeting,
    place: Mapping[str, float],
    *,
    pitch_st: int,
    trims_db: tuple[float, float],
    may_shift: bool,
    glide_from: int,
) -> Blend | str:
    """Return a candidate with its price, or the name of its veto.

    Parameters
    ----------
    out, into : Timeline
    each : Candidate
    meeting : Meeting
        The tempo.
    place : mapping of str to float
        What its place costs; see `place_prices`.
    pitch_st : int
        Semitones that the outgoing track is shifted by.
    trims_db : (float, float)
        Trims of both tracks.
    may_shift : bool
        Whether the incoming track may be shifted.
    glide_from : int
        Bar of the outgoing track from which on its tempo may change.
    """
    if meeting.out_rate != 1.0 and each.out_bar < glide_from + GLIDE_BARS:
        return "no room for the glide"
    usual = settle_basses(out, into, each, trims_db)
    veto = "key clash"
    for harmony in ways_of_keys(
        out, into, each, pitch_st=pitch_st, exchange_bar=usual.bar, may_shift=may_shift
    ):
        in_least, out_most, exchange = 0.0, None, usual
        if harmony.way == "drums":
            exchange = settle_basses(out, into, each, trims_db, bar=each.bars)
            in_least = float(each.bars)
        elif harmony.way == "exchange":
            in_least = out_most = float(exchange.bar)
        voices = settle_voices(out, into, each, in_least=in_least, out_most=out_most)
        if isinstance(voices, str):
            veto = voices
            continue
        prices = dict(place)
        prices["voices"] += 0.3 * voices.muted_s
        prices["bass"] = BASS_PRICE * max(0.0, exchange.empty_bars - FREE_EMPTY_BARS)
        prices["loudness"] = LOUDNESS_PRICE * exchange.weak_db
        prices["key"] = PRICES[harmony.way]
        if harmony.way in {"fits", "shift"}:
            prices["key"] += 6 * max(0.0, wheel.NEAR - harmony.grade)
        kept = {name: round(float(p), 2) for name, p in prices.items() if round(float(p), 2)}
        return Blend(each, meeting, voices, exchange, harmony, kept)
    return veto


def place_prices(
    out: Timeline, into: Timeline, each: Candidate, meeting: Meeting
) -> dict[str, float]:
    """Return the prices that depend on place, length and tempo: the least that a blend costs.

    Parameters
    ----------
    out, into : Timeline
    each : Candidate
    meeting : Meeting
    """
    start = float(out.edges_s[each.out_bar])
    end = float(out.edges_s[each.out_bar + each.bars])
    begin = float(into.edges_s[each.in_bar])
    finish = float(into.edges_s[each.in_bar + each.in_bars])
    last = out.sound_s[1]
    outro = max(0.0, last - max(end, out.outro_s))
    skipped = max(0.0, begin - into.sound_s[0] - FREE_SKIP_S)
    off = max(abs(meeting.out_rate - 1), abs(meeting.in_rate - 1))
    known = out.knows_vocals and into.knows_vocals
    sung = (out.sung_s(start, end) + into.sung_s(begin, finish)) / (end - start)
    usual = 16 if known and sung <= INSTRUMENTAL else 8
    ends = out.border[each.out_bar + each.bars], into.border[each.in_bar + each.in_bars]
    begins = out.border[each.out_bar], into.border[each.in_bar]
    return {
        "cut": max(0.0, last - end - outro) + _OUTRO * outro,
        "skipped": skipped * (_INTRO if into.label_at(into.sound_s[0]) == INTRO else 1.0),
        "length": 10.0 if each.bars < 8 else 2.0 * abs(each.bars.bit_length() - usual.bit_length()),
        "phrase": 4.0 * sum(border < PHRASE for border in begins)
        + (4.0 if max(ends) < PHRASE else 0.5 * (ends[1] < SECTION))
        + 0.5 * (begins[0] < SECTION),
        "voices": 0.0 if known else 3.0 * (each.bars > 8),
        "tempo": 50 * off + (meeting.ratio != 1.0),
        "bars": 4.0 * (min(out.facts.bar_confidence, into.facts.bar_confidence) < SURE),
        "variable": 3.0 * (out.facts.variable or into.facts.variable),
        "quiet": max(0.0, into.quiet_s(finish) - FREE_QUIET_S),
    }
