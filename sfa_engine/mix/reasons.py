"""What a transition says of itself: each decision, and why."""

from __future__ import annotations

from collections.abc import Iterator

from sfa_engine.mix.blend import Blend
from sfa_engine.mix.facts import SURE
from sfa_engine.mix.loudness import Shape
from sfa_engine.mix.moves import stem_bass
from sfa_engine.mix.timeline import Timeline

FREE_STEP_DB = 2.0  # of loudness, from one plateau to the next
MISSED_S = 1.0  # of music that is left out without a reason: a last tail, a pick-up


def blend_reasons(
    out: Timeline, into: Timeline, blend: Blend, shape: Shape, drums_until: float
) -> tuple[str, ...]:
    """Return the decisions of a blend, each with its reason.

    Parameters
    ----------
    out, into : Timeline
    blend : Blend
    shape : Shape
    drums_until : float
        Bar up to which the drums of the incoming track come in alone.
    """
    return (
        *_places(out, into, blend),
        _tempo(blend),
        _keys(out, into, blend),
        *_basses(out, into, blend),
        *([f"drums: alone for {drums_until:g} bars"] if drums_until else []),
        *_voices(out, into, blend),
        *_loudness(out, into, shape),
    )


def _places(out: Timeline, into: Timeline, blend: Blend) -> Iterator[str]:
    each = blend.each
    start, begin = float(out.edges_s[each.out_bar]), float(into.edges_s[each.in_bar])
    finish = float(into.edges_s[each.in_bar + each.in_bars])
    labels = [out.label_at(start), into.label_at(begin), into.label_at(finish)]
    names = [f" ({label})" if label else "" for label in labels]
    places = each.out_bar + out.first, each.in_bar + into.first
    until = places[1] + each.in_bars
    where = f"bar {places[0]}{names[0]} onto bar {places[1]}{names[1]}"
    yield f"{each.bars} bars: {where}, then bar {until}{names[2]}"
    lost = out.sound_s[1] - float(out.edges_s[each.out_bar + each.bars])
    skipped = begin - into.sound_s[0]
    if lost > MISSED_S:
        label = "of the outro " if out.outro_s < out.sound_s[1] - lost + MISSED_S else ""
        yield f"end: {lost:.0f} s {label}are left out"
    if skipped > MISSED_S:
        yield f"beginning: {skipped:.0f} s are left out"
    if min(out.facts.bar_confidence, into.facts.bar_confidence) < SURE:
        yield "bars: not sure; beats go together, bars may not"


def _tempo(blend: Blend) -> str:
    meeting = blend.meeting
    rates = [100 * (rate - 1) for rate in (meeting.out_rate, meeting.in_rate)]
    octave = {2.0: ", at double tempo", 0.5: ", at half tempo"}.get(meeting.ratio, "")
    return f"tempo: {meeting.bpm:.2f} BPM ({rates[0]:+.1f} %, {rates[1]:+.1f} %{octave})"


def _keys(out: Timeline, into: Timeline, blend: Blend) -> str:
    harmony = blend.harmony
    codes = f"{out.facts.camelot or '?'} and {into.facts.camelot or '?'}"
    said = {
        "fits": f"{codes} (grade {harmony.grade:.2f})",
        "apart": f"{codes} clash, but never sound together",
        "exchange": f"{codes} clash, pitched stems change at bar {blend.exchange.bar}",
        "drums": f"{codes} clash, drums alone until the end",
        "shift": f"{codes} clash, shifted by {harmony.shift_st:+d} semitone"
        f" (grade {harmony.grade:.2f})",
        "short": f"{codes} clash, for four bars at most",
    }
    return f"keys: {said[harmony.way]}"


def _basses(out: Timeline, into: Timeline, blend: Blend) -> Iterator[str]:
    if not (out.knows_bass and into.knows_bass):
        yield "bass: not measured, taken as always playing"
    if blend.exchange.needed:
        how = "stems" if stem_bass(out.facts) and stem_bass(into.facts) else "equaliser"
        yield f"bass: exchanged at bar {blend.exchange.bar}, by {how}"
    else:
        yield "bass: never two at once"


def _voices(out: Timeline, into: Timeline, blend: Blend) -> Iterator[str]:
    voices = blend.voices
    if voices.in_until:
        yield f"voices: incoming muted until bar {voices.in_until:g}"
    if voices.out_from is not None:
        yield f"voices: outgoing muted from bar {voices.out_from:g}"
    if not (out.knows_vocals and into.knows_vocals):
        yield "voices: not known without stems"


def _loudness(out: Timeline, into: Timeline, shape: Shape) -> Iterator[str]:
    if not (out.knows_loudness and into.knows_loudness):
        yield "loudness: not measured, plain equal power"
        return
    change = ""
    if abs(shape.step_db) > FREE_STEP_DB:
        change = f": a {'louder' if shape.step_db > 0 else 'softer'} part follows"
    yield (
        f"loudness: {shape.under_louder_db:+.1f} to {shape.over_louder_db:+.1f} dB of the louder"
        f" track, {shape.over_line_db:+.1f} over the line, step {shape.step_db:+.1f}{change}"
    )
    trims = shape.out_trim_db, shape.in_trim_db
    if (least := min(map(min, trims))) < 0:
        yield f"trim: {least:.1f} dB where both together would stand out"
    raised = [
        f"{name} up to {max(each):+.1f} dB"
        for name, each in zip(("outgoing", "incoming"), trims, strict=True)
        if max(each) > 0
    ]
    if raised:
        yield f"trim: {', '.join(raised)}, beside the louder track"
