"""Find a place of a track by its name: a hot cue, a memory cue or a section. Pure.

::

    "drop"       the first place that is called so, or is of that kind
    "break 2"    the second of that kind, in the order of the track
    "3"          hot cue 3

A label comes before a kind, a hot cue before a memory cue, and both before a section.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sfa_engine.errors import Refused, did_you_mean
from sfa_engine.stage.track_cues import TrackCue, TrackSection
from sfa_engine.system.timecode import clock

SAME_S = 0.5  # a hot cue, a memory cue and a section so close are one place
SHOWN = 8  # names in an error
_PLAIN = frozenset({"", "cue", "loop", "fade_in"})  # kinds that name nothing
_NUMBERED = re.compile(r"(.+?) (\d{1,4})")

_Placed = TypeVar("_Placed", "Place", TrackCue)


@dataclass(frozen=True, slots=True)
class Place:
    """A place of a track that has a name.

    Attributes
    ----------
    names : tuple of str
        Its label and its kind, as far as it has them.
    what : str
        ``hot cue``, ``memory cue`` or ``section``.
    """

    position_s: float
    names: tuple[str, ...]
    what: str
    hot_cue: int | None = None
    end_s: float | None = None

    @property
    def name(self) -> str:
        """What it is called first."""
        return self.names[0] if self.names else self.what


def places_of(
    hot_cues: Iterable[TrackCue], memory_cues: Iterable[TrackCue], sections: Iterable[TrackSection]
) -> list[Place]:
    """Return all places of a track, the more important ones first, each kind by position."""
    found = [_of_cue(cue, "hot cue") for cue in _by_place(hot_cues)]
    found += [_of_cue(cue, "memory cue") for cue in _by_place(memory_cues)]
    return found + [
        Place(each.start_s, (each.label,), "section")
        for each in sorted(sections, key=lambda each: each.start_s)
    ]


def find_place(places: Sequence[Place], name: str) -> Place:
    """Return the place that a name means.

    Raises
    ------
    Refused
        There is none, or fewer of its kind than the number says; the hint names what there is.
    """
    wanted = _plain(name)
    if wanted.isdecimal():
        for each in places:
            if each.hot_cue == int(wanted):
                return each
        raise Refused(f"hot cue {wanted:.10} is not set", _listed(places))
    for position in (0, 1):  # labels first
        for each in places:
            if wanted in [_plain(word) for word in each.names[position : position + 1]]:
                return each
    numbered = _NUMBERED.fullmatch(wanted)
    if numbered and (of_kind := _of_kind(places, numbered[1])):
        number = int(numbered[2])
        if not 1 <= number <= len(of_kind):
            there = ", ".join(clock(each.position_s) for each in of_kind[:SHOWN])
            raise Refused(
                f'no "{name:.60}": the track has {len(of_kind)}', f"{numbered[1]} is at {there}"
            )
        return of_kind[number - 1]
    if of_kind := _of_kind(places, wanted):
        return of_kind[0]
    starting = [e for e in places if any(_plain(word).startswith(wanted) for word in e.names)]
    if wanted and len({each.position_s for each in starting}) == 1:
        return starting[0]
    known = {_plain(word) for each in places for word in each.names}
    raise Refused(f'nothing is called "{name:.60}"', did_you_mean(wanted, known) or _listed(places))


def _of_cue(cue: TrackCue, what: str) -> Place:
    kind = "" if cue.kind in _PLAIN else cue.kind
    names = tuple(filter(None, (cue.label, kind)))
    return Place(cue.position_s, names, what, cue.slot, cue.end_s)


def _of_kind(places: Sequence[Place], kind: str) -> list[Place]:
    """Return the places of a kind in the order of the track, each once."""
    found: list[Place] = []
    for each in places:
        words = {_plain(word) for word in each.names}
        words |= {base[1] for word in words if (base := _NUMBERED.fullmatch(word))}
        is_near = any(abs(each.position_s - other.position_s) <= SAME_S for other in found)
        if kind in words and not is_near:
            found.append(each)
    return _by_place(found)


def _by_place(items: Iterable[_Placed]) -> list[_Placed]:
    return sorted(items, key=lambda each: each.position_s)


def _plain(text: str) -> str:
    """Return a name as it is compared: without case, hyphens and extra spaces."""
    return " ".join(text.casefold().replace("-", " ").replace("_", " ").split())


def _listed(places: Sequence[Place]) -> str:
    names = list(dict.fromkeys(each.name for each in places if each.names))
    if not names:
        return "label a cue, or analyse the track"
    more = " …" if len(names) > SHOWN else ""
    return f"there are {', '.join(names[:SHOWN])}{more}"
