"""Fields of a track as other programs write them: texts, of which the invalid ones are a `Loss`.

A `Report` collects the losses of a file, `Fields` parse those of one track, `Keys` keep the keys of
tracks unique. An invalid field is reported and left out; its track stays. Knows no format.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sfa_engine.desk.deck import HOT_CUES
from sfa_engine.errors import MediaError, Refused
from sfa_engine.interchange.location import is_absolute
from sfa_engine.interchange.record import Loss
from sfa_engine.interchange.xml_text import legal
from sfa_engine.library.color import NAMES
from sfa_engine.library.cues import MAX_LABEL, Cue
from sfa_engine.track.key import parse_key

MAX_TRACKS = 250_000  # of a file, whose records take 1 GB
MAX_LOSSES = 100_000
MAX_CUES = 1000  # of a track
MAX_TEXT = 10_000  # characters
MAX_NAME = 200  # of a track in a report
HOT_CUES_THERE = 8  # that rekordbox, Traktor and VirtualDJ number
EARLY_S = (
    1.0  # before its start, a cue is put there: the programs count an MP3's frames differently
)
LATE_S = 1.5  # after its end: several formats have whole seconds only
SAME_S = 0.001  # two marks at one position
SECONDS_TO = (-1e6, 1e6)  # positions that are numbers at all
MILLISECONDS_TO = (-1e9, 1e9)

INVALID = "it is invalid in the file"
AFTER_END = "it is after the end of the track"
NO_FILE = "it has no file"
NO_FIELD = "the format has no field for it"
ONLY_EIGHT = "the format has 8 hot cues: it becomes a memory cue"
ONLY_CUES = "the format has no such kind of cue"
BAD_PATH = "its path has characters that the format cannot hold"
STREAMED = "it is streamed: there is no file"

_NUMBER = re.compile(
    r"[+-]?(?:\d{1,20}(?:[.,]\d{0,20})?|[.,]\d{1,20})(?:[eE][+-]?\d{1,3})?", re.ASCII
)
_DATE = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T ](\d{2}):(\d{2}):(\d{2}).*)?", re.ASCII)


class Report:
    """The losses of a file, at most `MAX_LOSSES`."""

    def __init__(self) -> None:
        self.losses: list[Loss] = []

    def lose(self, where: str, what: str, why: str) -> None:
        """Add a loss; where it is may be a text that cannot be encoded."""
        if len(self.losses) < MAX_LOSSES:
            where = where[:MAX_NAME].encode("utf-8", "replace").decode()
            self.losses.append(Loss(where, what, why))


class Keys:
    """The keys of the tracks of a file: each is given once."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._taken: set[str] = set()

    def unique(self, key: str, where: str) -> str:
        """Return a key that no other track has; `key` itself if it is free.

        Raises
        ------
        MediaError
            There are more than `MAX_TRACKS`.
        """
        if len(self._taken) >= MAX_TRACKS:
            raise MediaError(
                f"the file has more than {MAX_TRACKS} tracks", "export it in several parts"
            )
        free = key
        number = 2
        if not key or key in self._taken:
            if key:
                self._report.lose(
                    where, "key of a playlist", "two tracks have it: playlists mean the first"
                )
            number = len(self._taken) + 1
            while (free := f"{key}~{number}") in self._taken:
                number += 1
        self._taken.add(free)
        return free


@dataclass(frozen=True, slots=True)
class Fields:
    """The parsers of a track's fields.

    Parameters
    ----------
    where : str
        Name of the track in the report.
    report : Report
    """

    where: str
    report: Report

    def lose(self, what: str, why: str) -> None:
        """Report a loss of this track."""
        self.report.lose(self.where, what, why)

    def number(self, text: str | None, what: str, limits: tuple[float, float]) -> float | None:
        """Return a number within limits; None if the text is missing, empty or invalid.

        Parameters
        ----------
        text : str, optional
            With a decimal point, or a comma.
        what : str
            Name of the field in the report.
        limits : tuple of (float, float)

        Returns
        -------
        float, optional
            Finite.
        """
        if text is None or not (text := text.strip()):
            return None
        value = float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else math.nan
        if not limits[0] <= value <= limits[1]:
            self.lose(what, INVALID)
            return None
        return value

    def required(self, text: str | None, what: str, limits: tuple[float, float]) -> float | None:
        """Return a number like `number`; one that is missing is reported, too."""
        if text is None or not text.strip():
            self.lose(what, INVALID)
            return None
        return self.number(text, what, limits)

    def whole(self, text: str | None, what: str, limits: tuple[float, float]) -> int | None:
        """Return a number as the nearest whole one; else like `number`."""
        value = self.number(text, what, limits)
        return None if value is None else round(value)

    def known(self, text: str | None, what: str, limit: float) -> float | None:
        """Return a number up to a limit; None also for 0, which means that it is not known."""
        return self.number(text, what, (0.0, limit)) or None

    def text(self, text: str | None, what: str) -> str:
        """Return a text; one of more than `MAX_TEXT` characters is cut."""
        if text is None:
            return ""
        if len(text) > MAX_TEXT:
            self.lose(what, f"it is longer than {MAX_TEXT} characters: the rest is cut")
        return text[:MAX_TEXT]

    def date(self, text: str | None, what: str) -> float | None:
        """Return seconds since 1970 of a date like ``2026/12/1`` or ``2026-12-01T20:15:00Z``."""
        if text is None or not (text := text.strip()):
            return None
        if parts := _DATE.fullmatch(text):
            try:
                year, month, day, *clock = (int(part or 0) for part in parts.groups())
                hour, minute, second = clock
                return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
            except (ValueError, OverflowError):
                pass
        self.lose(what, INVALID)
        return None

    def year(self, text: str | None) -> int | None:
        """Return a year; also that of a date."""
        found = self.known(text[:4] if text else None, "year", 9999)
        return None if found is None else int(found) or None

    def key(self, text: str | None) -> str:
        """Return a musical key in our spelling; empty if it is missing or invalid."""
        if text is None or not text.strip():
            return ""
        try:
            return parse_key(text)
        except MediaError:
            self.lose("key", INVALID)
            return ""

    def stars(self, text: str | None, of: int) -> int | None:
        """Return stars from 0 to 5 of a rating from 0 to `of`."""
        value = self.number(text, "rating", (0, of))
        return None if value is None else round(value * 5 / of)

    def written_text(self, text: str, what: str) -> str | None:
        """Return a text as XML can hold it; None if it is empty."""
        kept = legal(text)
        if kept != text:
            self.lose(what, "it has characters that XML cannot hold: they are left out")
        return kept or None

    def short_key(self, key: str) -> str | None:
        """Return a musical key as ``Am`` or ``C``; None if there is none."""
        if not key:
            return None
        try:
            tonic, mode = parse_key(key).split()
        except MediaError:
            self.lose("key", "it is not a valid key")
            return None
        return f"{tonic}m" if mode == "minor" else tonic

    def cue(
        self,
        position_s: float | None,
        *,
        end_s: float | None = None,
        number: int | None = None,
        kind: str = "cue",
        label: str = "",
        color: str = "",
        on_load: bool = False,
    ) -> Cue | None:
        """Return a cue; None if it has no position.

        Parameters
        ----------
        position_s, end_s : float, optional
            None: it was missing or invalid, and reported. Slightly before the start is the start;
            an end that is not after it makes a cue of a loop.
        number : int, optional
            Of a hot cue, from 1; one that we do not have makes a memory cue.
        kind, label, color : str
        on_load : bool

        Returns
        -------
        Cue, optional
            With `by_hand`.
        """
        name = "cue" if number is None else f"hot cue {number}"
        if position_s is None:
            return None
        if position_s < -EARLY_S:
            self.lose(name, INVALID)
            return None
        position_s = max(0.0, position_s)
        if kind == "loop" and (end_s is None or end_s <= position_s):
            self.lose(name, "its loop has no length: it becomes a cue")
            kind, end_s = "cue", None
        if end_s is not None and end_s <= position_s:
            end_s = None
        if number is not None and not 1 <= number <= HOT_CUES:
            self.lose(name, f"hot cues are 1 to {HOT_CUES}: it becomes a memory cue")
            number = None
        if len(label) > MAX_LABEL:
            self.lose("label", f"it is longer than {MAX_LABEL} characters: the rest is cut")
        try:
            return Cue(
                position_s,
                kind=kind,
                end_s=end_s,
                slot=number,
                label=label[:MAX_LABEL],
                color=color,
                on_load=on_load,
            )
        except Refused:
            self.lose(name, INVALID)
            return None

    def cues(self, found: Sequence[Cue | None], duration_s: float | None) -> tuple[Cue, ...]:
        """Return the cues of a track by position: each hot cue once, none after the end.

        A mark to stand on after loading that is at another cue is put into that one.
        """
        cues: list[Cue] = []
        taken: set[int] = set()
        end_s = math.inf if duration_s is None else duration_s + LATE_S
        for cue in sorted(filter(None, found), key=lambda cue: cue.position_s):
            name = "cue" if cue.slot is None else f"hot cue {cue.slot}"
            if cue.position_s > end_s:
                self.lose(name, AFTER_END)
                continue
            if len(cues) >= MAX_CUES:
                self.lose(name, f"a track has up to {MAX_CUES} cues")
                break
            kept = cue
            if cue.slot in taken:
                self.lose(name, "its number is used twice: it becomes a memory cue")
                kept = replace(cue, slot=None)
            elif cue.slot is not None:
                taken.add(cue.slot)
            cues.append(kept)
        return _with_load_marks(cues)


def _with_load_marks(cues: list[Cue]) -> tuple[Cue, ...]:
    """Put marks that are nothing but where to stand after loading into cues at their position."""
    kept = [cue for cue in cues if not _is_load_mark(cue)]
    places = [cue.position_s for cue in kept]
    alone: list[Cue] = []
    for mark in filter(_is_load_mark, cues):
        index = bisect_left(places, mark.position_s - SAME_S)
        if index < len(kept) and places[index] <= mark.position_s + SAME_S:
            kept[index] = replace(kept[index], on_load=True)
        else:
            alone.append(mark)
    return tuple(sorted([*kept, *alone], key=lambda cue: cue.position_s))


def _is_load_mark(cue: Cue) -> bool:
    return cue.on_load and cue.slot is None and cue.end_s is None and not cue.label


def named(cue: Cue) -> str:
    """Return the name that other programs show: its label, or what kind of place it is."""
    return cue.label or ("" if cue.kind in {"cue", "loop", "fade_in", "fade_out"} else cue.kind)


def check_cue(fields: Fields, cue: Cue, kinds: Collection[str]) -> int | None:
    """Return the number of a cue where hot cues are 1 to 8, and report what is lost of it.

    Parameters
    ----------
    fields : Fields
    cue : Cue
    kinds : collection of str
        That the format has.

    Returns
    -------
    int, optional
        None: it becomes, or is, a memory cue.
    """
    name = "cue" if cue.slot is None else f"hot cue {cue.slot}"
    if cue.kind not in kinds and (cue.label or cue.kind.startswith("fade_")):
        fields.lose(f"kind of {name}", ONLY_CUES)
    if cue.stem is not None:
        fields.lose(f"stem of {name}", NO_FIELD)
    if cue.slot is not None and cue.slot > HOT_CUES_THERE:
        fields.lose(name, ONLY_EIGHT)
        return None
    return cue.slot


def rgb(color: str) -> tuple[int, int, int]:
    """Return red, green and blue, 0..255, of ``#rrggbb``."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def color_from(fields: Fields, code: str | None, palette: Mapping[str, str]) -> str:
    """Return a track's colour of a program's code; empty if it has none.

    Parameters
    ----------
    fields : Fields
    code : str, optional
    palette : mapping of str to str
        The codes by the names of `sfa_engine.library.color`.

    Returns
    -------
    str
        ``#rrggbb``.
    """
    if code is None or code in {"", "0"}:
        return ""
    wanted = code.strip().lower()
    for name, known in palette.items():
        if known.lower() == wanted:
            return NAMES[name]
    if re.fullmatch("0x[0-9a-f]{6}", wanted):
        return f"#{wanted[2:]}"
    fields.lose("color", "it is unknown")
    return ""


def code_of(fields: Fields, color: str, palette: Mapping[str, str]) -> str | None:
    """Return a program's code of a track's colour: the nearest that it has."""
    if not color:
        return None

    def distance(name: str) -> int:
        return sum((a - b) ** 2 for a, b in zip(rgb(NAMES[name]), rgb(color), strict=True))

    nearest = min(palette, key=distance)
    if distance(nearest):
        fields.lose("color", "the format has few: it becomes the nearest")
    return palette[nearest]


def day(time_s: float | None, form: str) -> str | None:
    """Return the date, in UTC, of seconds since 1970; None if they are none of our time."""
    if time_s is None or not 0 <= time_s < 253_402_300_800:  # the year 10000
        return None
    date = datetime.fromtimestamp(time_s, UTC)
    return form.format(date.year, date.month, date.day)


def unwritable(location: str, *, is_url: bool = False) -> str:
    """Return why the path of a track's file cannot be written; empty if it can.

    Parameters
    ----------
    location : str
    is_url : bool
        Whether the format percent-encodes it, so that it can hold any byte.
    """
    if not location:
        return NO_FILE
    if not is_absolute(location):
        return "its path is not absolute"
    try:
        raw = location.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return BAD_PATH
    return "" if b"\0" not in raw and (is_url or legal(location) == location) else BAD_PATH
