"""Which tracks an instruction names: "track 12", "this", "the second one", "dieser". Pure.

::

    "how do I get from this one into 23?"      track 7  ─► 7, 23
    "and the second one?"     answer before: 4, 9, 31   ─► 9
    "dark techno 120 to 126"                            ─► none: a number alone is no track
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from sfa_engine.agents.contract import Context

MAX_NUMBER = 1 << 40
# Behind a number: it counts or measures something, and names no track.
_UNITS = (
    r"(?!\s*(?:bpm|lufs|dbtp|db|hz|khz|bars?|beats?|takte?n?|schl[aä]ge?n?|min\w*|sec\w*|sek\w*"
    r"|hours?|stunden?|tracks?|songs?|tunes?|titeln?\b|st[uü]cken?|liedern?|lieder|loops?|cues?"
    r"|hot|months?|monate?n?|weeks?|wochen?|days?|tagen?|years?|jahren?|stars?|sternen?|percent"
    r"|prozent|%|st\b|lu\b|s\b|[:.,]\d))"
)
_N = rf"\#?(\d{{1,12}})\b{_UNITS}"
_NAMED = re.compile(
    rf"(?:\#\s?(\d{{1,12}})\b)|\b(?:tracks?|numbers?|songs?|title|tune|no|nr|nummer|titel|st[uü]ck"
    rf"|lied)\.?\s+{_N}"
)
_BEHIND = re.compile(
    r"\b(?:of|for|on|with|from|into|to|in|like|than|about|von|f[uü]r|zu|nach|mit|wie|als|aus|bei"
    r"|mixe?|mixing|blende?|mische|analy[sz]e|analysiere|master|mastere|cue|between|zwischen|can|does|has|hat)"
    rf"\s+{_N}"
)
_PAIR = re.compile(
    rf"(?<![\d.:#])\#?(\d{{1,12}})\s+(?:and|und|in|into|to|zu|nach|onto|auf|with|mit|&)\s+{_N}"
)
_LIST = re.compile(
    rf"(?<![\d.:,])\#?\d{{1,12}}(?:,\s+\#?\d{{1,12}})+(?:,?\s+(?:and|und)\s+\#?\d{{1,12}})?\b{_UNITS}"
)
_TEMPOS = re.compile(r"\b(\d{2,3})\s*(?:-|\u2013|to|bis|and|und)\s*(\d{2,3})\b")
_USUAL_BPM = range(60, 221)
_TRANSITION = re.compile(
    r"transition|[uü](?:be|e)rgang|[uü]berg[aä]nge|blend|mix|misch|\bget from|komme ich|crossfade"
)
# Of these two numbers are tracks, though they may be tempos.
_BETWEEN_TRACKS = re.compile(
    r"transition|[uü](?:be|e)rgang|[uü]berg[aä]nge|blend|\bmixe? \d|\bget from|komme ich|crossfade"
)
_YEAR = re.compile(r"\b(?:19[5-9]\d|20[0-4]\d)\b")
_AROUND = re.compile(r"\b(?:around|about|um|ca|circa|etwa|rund)\.?\s+$")

_ORDINALS = {
    "first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "sixth": 5, "seventh": 6,
    "eighth": 7, "ninth": 8, "tenth": 9, "last": -1,
    "erste": 0, "zweite": 1, "dritte": 2, "vierte": 3, "fünfte": 4, "fuenfte": 4, "sechste": 5,
    "siebte": 6, "achte": 7, "neunte": 8, "zehnte": 9, "letzte": -1,
}  # fmt: skip
_ORDINAL = re.compile(
    rf"\b(?:the|der|die|das|den|dem|des|vom|zum)\s+({'|'.join(_ORDINALS)})[nrsm]?\b"
    r"(?=\s*(?:$|[?.!,;]|(?:one|tracks?|songs?|title|hit|result|titel|st[uü]ck|lied|treffer|and"
    r"|und|into|with|in|mit|zu|to|please|bitte|instead|stattdessen)\b))"
)
_BOTH = re.compile(
    r"\b(?:these|those|them|both|diese\s+(?:\w+\s+)?(?:tracks|titel|st[uü]cke|lieder|songs)"
    r"|diesen\s+(?:\w+\s+)?(?:tracks|titeln|st[uü]cken|liedern|songs)|diese[nr]?\s+beiden"
    r"|d(?:ie|en|er)\s+beiden|beide[ns]?)\b"
)
_THIS = re.compile(
    r"\bthis\b(?!\s+(?:week|month|year|morning|evening|afternoon|weekend|time|set)\b)"
    r"|\bthat\s+(?:one|track|song|tune|piece)\b"
    r"|\bdiese[mnrs]?\b(?!\s+(?:woche|monat|jahr|abend|mal|set)\b)"
    r"|\bde[mr]\s+hier\b|\bdas\s+hier\b"
)
_IT = re.compile(r"\b(?:it|its|he|she|es|ihn|ihm|er|sie|here|hier)\b")


def referred(context: Context) -> Context:
    """Return a context whose tracks are those that the instruction names, in its order.

    What it does not name stays. "This" is the track of the context, else the first one of the last
    answer that had some; "the second one" is the second of that answer.
    """
    last = next((turn.tracks for turn in reversed(context.history) if turn.tracks), ())
    this = context.track if context.track is not None else next(iter(last), None)
    text = context.instruction.lower()
    if _BOTH.search(text) and (several := context.tracks or last):
        count = 2 if re.search(r"\bboth\b|\bbeid|\bthese two\b|\bthose two\b", text) else None
        return replace(context, track=several[0], tracks=several[:count])
    found = sorted([*_numbers(text), *_ordinals(text, last), *_these(text, this)])
    tracks = tuple(dict.fromkeys(track for _, track in found))
    if not tracks and this is not None and context.track is None and _IT.search(text):
        tracks = (this,)
    if not tracks:
        return context
    others = context.tracks if set(tracks) <= {context.track} else tracks
    return replace(context, track=tracks[0], tracks=others or tracks)


def names_several(instruction: str) -> bool:
    """Return whether an instruction refers to several tracks at once: "these", "both"."""
    return bool(_BOTH.search(instruction.lower()))


def names_a_track(instruction: str) -> bool:
    """Return whether an instruction refers to a track at all, by number, place or "this"."""
    text = instruction.lower()
    patterns = (_BOTH, _THIS, _ORDINAL)
    return any(each.search(text) for each in patterns) or bool(list(_numbers(text)))


def _numbers(text: str) -> Iterator[tuple[int, int]]:
    """Yield the place of each number of a track in a text, and that number."""
    is_transition = bool(_TRANSITION.search(text))
    excluded: set[int] = set()
    if not _BETWEEN_TRACKS.search(text):
        for span in _TEMPOS.finditer(text):
            if int(span[1]) in _USUAL_BPM and int(span[2]) in _USUAL_BPM:
                excluded |= {span.start(1), span.start(2)}
    seen: set[int] = set()
    for found in _NAMED.finditer(text):
        group = 1 if found[1] is not None else 2
        seen.add(found.start(group))
        yield found.start(group), min(int(found[group]), MAX_NUMBER)
    for span in _LIST.finditer(text):
        for found in re.finditer(r"\d+", span[0]):
            at = span.start() + found.start()
            if at not in seen:
                seen.add(at)
                yield at, min(int(found[0]), MAX_NUMBER)
    patterns = [_BEHIND, *([_PAIR] if is_transition else [])]
    for pattern in patterns:
        for found in pattern.finditer(text):
            for group in range(1, found.re.groups + 1):
                at = found.start(group)
                if at in seen or at in excluded or _YEAR.fullmatch(found[group]):
                    continue
                if _AROUND.search(text[:at]):
                    continue
                seen.add(at)
                yield at, min(int(found[group]), MAX_NUMBER)


def _ordinals(text: str, last: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    for found in _ORDINAL.finditer(text):
        place = _ORDINALS[found[1]]
        if -len(last) <= place < len(last):
            yield found.start(), last[place]


def _these(text: str, this: int | None) -> Iterator[tuple[int, int]]:
    if this is not None:
        yield from ((found.start(), this) for found in _THIS.finditer(text))
