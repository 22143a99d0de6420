"""Figures and tracks in a model's words, compared with what code knows. Pure.

A model may repeat figures, not make them::

    what           as it is written          known from fields named
    tempo          124 BPM                   bpm, tempo
    key            A minor, a-Moll, 8A       key, camelot
    level          -9.5 LUFS, 3 dB           lufs, lu, db, dbtp, peak …
    time           1:04, 64 s, 3 minutes     _s, _ms, seconds, duration …
    other          0.97, 78 %                any
    track          #12                       the workbench

A figure is known if a field of its kind has it, as exactly as it is written, or if a sentence of
code has it. What strangers wrote counts for nothing: a title may say "174 BPM".
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sfa_engine.errors import MediaError
from sfa_engine.mix.key_words import code_of
from sfa_engine.track.key import camelot

Kind = Literal["tempo", "key", "level", "time", "other"]
FREE_TO = 20  # whole numbers that count things, and beats and bars of a phrase
PERCENT = ("%", "percent", "prozent")
SECONDS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_UNITS: dict[str, tuple[Kind, float]] = {
    **dict.fromkeys(("bpm", "beats per minute", "schläge pro minute"), ("tempo", 1.0)),
    **dict.fromkeys(("lufs", "lkfs", "lu", "dbtp", "dbfs", "db"), ("level", 1.0)),
    **dict.fromkeys(("ms", "milliseconds", "millisekunden"), ("time", SECONDS["ms"])),
    **dict.fromkeys(
        ("s", "sec", "secs", "second", "seconds", "sekunde", "sekunden"), ("time", 1.0)
    ),
    **dict.fromkeys(("min", "mins", "minute", "minutes", "minuten"), ("time", SECONDS["min"])),
    **dict.fromkeys(("h", "hour", "hours", "stunde", "stunden"), ("time", SECONDS["h"])),
    **dict.fromkeys(PERCENT, ("other", 1.0)),
}
# "BPM: 124", "tempo of 124", "loudness -9.5"
_LABELS: dict[str, Kind] = {
    **dict.fromkeys(("bpm", "tempo"), "tempo"),
    **dict.fromkeys(("lufs", "loudness", "lautheit"), "level"),
}
_LABEL = "|".join(_LABELS)
_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_FIGURE = re.compile(
    rf"""
      (?P<clock>(?<![\w:.,])(?:\d{{1,2}}:)?\d{{1,3}}:[0-5]\d(?:[.,]\d{{1,6}})?(?![\w:]))
    | (?P<code>(?<![\w\#.:])(?-i:(?:0?[1-9]|1[0-2])[AB])(?!\w))
    | (?P<key>(?<![\w\#'\u2019])(?:
          [A-G](?:\#|♯|♭|b)?[ -](?:(?:sharp|flat)[ -])?(?:minor|major|maj|min)
        | [A-H](?:b|is|es|s)?[ -](?:moll|dur)
      )\b)
    | (?P<short>(?<![\w\#'\u2019])(?-i:[A-G][\#♯♭b]m)(?!\w))
    | (?:(?P<label>\b(?:{_LABEL}))[\W_]{{1,4}}(?:(?:is|of|at|ist|von|bei)\ )?[-~]?)?
      (?P<number>(?<![\w\#.,:])\.?\d{{1,12}}(?:[.,]\d{{1,9}})*)
        [ \u00a0\u202f-]?(?P<unit>{_UNIT})?
        (?![\w])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_TRACK = re.compile(r"(?<!\w)#(\d{1,18})(?!\w)")
_KEY = re.compile(r"([A-H])(#|♯|♭|b|is|es|s|)[ -](?:(sharp|flat)[ -])?(\w+)", re.IGNORECASE)
# "A major breakdown" at the beginning of a sentence is no key; "A minor, 8A" and "A minor is" are.
_ARTICLE = re.compile(r"A (?:minor|major) (?!(?:is|and|or|at|to|with|in|on|for|but|key)\b)[a-z]")
_SENTENCE = re.compile(r"(?:^|[.!?]\s+|\n\s*)$")
# Fields whose texts strangers wrote.
NAMES = frozenset(
    ("title", "artist", "artists", "album", "albumartist", "name", "names", "playlist", "playlists")
)
STRANGERS = NAMES.union(
    [
        *("genre", "genres", "comment", "comments", "label", "tags", "lyrics"),
        *("file", "path", "uri", "query", "words", "text"),
    ]
)
# An object with one of these is a track, a list of tracks, or of one: its name is a stranger's.
OF_STRANGERS = frozenset(["id", "track", "tracks", "title", "artist"])
_KINDS: dict[str, tuple[Kind, float]] = {
    **dict.fromkeys(("bpm", "tempo", "tempi", "bpms"), ("tempo", 1.0)),
    **dict.fromkeys(("key", "keys", "camelot"), ("key", 1.0)),
    **dict.fromkeys(
        ("lufs", "lu", "db", "dbtp", "dbfs", "peak", "loudness", "plr", "psr", "gain", "lra"),
        ("level", 1.0),
    ),
    **dict.fromkeys(("s", "seconds", "duration", "length", "position"), ("time", 1.0)),
    **dict.fromkeys(("ms",), ("time", SECONDS["ms"])),
    **dict.fromkeys(("minutes",), ("time", SECONDS["min"])),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure in words.

    Attributes
    ----------
    words : str
        As it is written.
    kind : Kind
    values : tuple of float
        What it may mean: the comma of "1,500" groups thousands, or is a German point.
    tolerance : float
        Half of its last digit.
    code : str
        Of a key, by Camelot.
    scales : tuple of float
        By which a known value may be multiplied: "97 %" is .97.
    """

    words: str
    kind: Kind
    values: tuple[float, ...] = ()
    tolerance: float = 0.0
    code: str = ""
    scales: tuple[float, ...] = (1.0,)


def figures(text: str) -> Iterator[Figure]:
    """Yield the figures in a text, but for small whole numbers without a unit."""
    for found in _FIGURE.finditer(text):
        if found["clock"]:
            yield _clock(found["clock"])
        elif found["code"]:
            yield Figure(found["code"], "key", code=camelot(found["code"]))
        elif found["key"] or found["short"]:
            figure = _key(found, text)
            if figure:
                yield figure
        else:
            figure = _number(found)
            if figure:
                yield figure


def tracks_named(text: str) -> list[int]:
    """Return the numbers of tracks in a text, in its order: "#12" is track 12."""
    return list(dict.fromkeys(int(each) for each in _TRACK.findall(text)))


class Known:
    """The figures that code knows.

    Parameters
    ----------
    question : str
        Its figures may be repeated.
    """

    def __init__(self, question: str = "") -> None:
        self._numbers: dict[Kind, set[float]] = defaultdict(set)
        self._codes: set[str] = set()
        self._strangers: set[str] = set()
        self._read(question)
        for each in figures(question):
            if each.kind == "other":  # "around 126", which is answered with "126 BPM"
                self._numbers["tempo"].update(each.values)
                self._numbers["level"].update(each.values)

    def add(self, value: Any) -> None:
        """Take over what code found: the answer of a tool, data, evidence."""
        sentences: list[str] = []
        self._walk(value, "", sentences)
        for sentence in sentences:
            self._read(self._without_strangers(sentence))

    def unknown(self, text: str) -> str:
        """Return the first figure of a text that is not known; empty if all are."""
        for figure in figures(text):
            if not self._has(figure):
                return figure.words
        return ""

    def _walk(self, value: Any, name: str, sentences: list[str]) -> None:
        if isinstance(value, Mapping):
            for key, each in value.items():
                # The numbers in {"bpm": {"from": 123, "to": 129}} are tempos.
                inherits = _kind(str(key))[0] == "other" != _kind(name)[0]
                if inherits and not isinstance(each, str):
                    self._walk(each, name, sentences)
                elif key == "name" and not OF_STRANGERS & value.keys():
                    self._walk(each, "", sentences)  # of a measure, or of a step of a chain
                else:
                    self._walk(each, str(key), sentences)
        elif isinstance(value, list | tuple):
            for each in value:
                self._walk(each, name, sentences)
        elif isinstance(value, str):
            self._text(value, name, sentences)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            kind, factor = _kind(name)
            self._numbers[kind].add(abs(value * factor))

    def _text(self, value: str, name: str, sentences: list[str]) -> None:
        if name.lower() in STRANGERS:
            self._strangers.add(value)
            # A number in a name may be repeated, without a unit.
            is_name = name.lower() in NAMES
            numbers = [each for each in figures(value) if is_name and each.kind == "other"]
            self._numbers["other"].update(each for one in numbers for each in one.values)
        elif _kind(name)[0] == "key":
            try:
                self._codes.add(camelot(value))
            except MediaError:
                sentences.append(value)
        else:
            sentences.append(value)

    def _read(self, sentence: str) -> None:
        for figure in figures(sentence):
            if figure.kind == "key":
                self._codes.add(figure.code)
            else:
                self._numbers[figure.kind].update(figure.values)

    def _without_strangers(self, text: str) -> str:
        """Return a sentence of code without what strangers wrote in it."""
        for each in sorted(self._strangers, key=len, reverse=True):
            if len(each) > 2 and not each.isdigit():
                text = text.replace(each, " ")
        return text

    def _has(self, figure: Figure) -> bool:
        if figure.kind == "key":
            return figure.code in self._codes
        kinds = self._numbers.keys() if figure.kind == "other" else (figure.kind,)
        return any(
            abs(known * scale - value) <= figure.tolerance
            for kind in kinds
            for known in self._numbers[kind]
            for value in figure.values
            for scale in figure.scales
        )


def _kind(name: str) -> tuple[Kind, float]:
    """Return the kind of a field by its name, and what its unit is of ours."""
    for part in reversed(name.lower().split("_")):
        if part in _KINDS:
            return _KINDS[part]
    return "other", 1.0


def _clock(words: str) -> Figure:
    parts = words.replace(",", ".").split(":")
    seconds = sum(float(each) * 60**place for place, each in enumerate(reversed(parts)))
    decimals = len(parts[-1].partition(".")[2])
    return Figure(words, "time", (seconds,), _half(decimals, at_least=1.0 if not decimals else 0.0))


def _key(found: re.Match[str], text: str) -> Figure | None:
    words = found["key"] or found["short"]
    if found["short"]:
        code = code_of(words[:-1], "minor")
    else:
        if _ARTICLE.match(text, found.start()) and _SENTENCE.search(text[: found.start()]):
            return None
        parts = _KEY.fullmatch(words)
        assert parts is not None
        tonic, sign, spelt, mode = parts.groups()
        is_article = tonic == "a" and " " in words and mode.lower() not in {"moll", "dur"}
        if is_article:  # "a minor change"
            return None
        sign = {"sharp": "#", "flat": "b"}.get((spelt or "").lower(), sign)
        code = code_of(f"{tonic}{sign}", mode)
    return None if code is None else Figure(words, "key", code=code)


def _number(found: re.Match[str]) -> Figure | None:
    digits, unit = found["number"], (found["unit"] or "").lower()
    label, words = (found["label"] or "").lower(), found[0]
    whole = re.fullmatch(r"\d+", digits) is not None
    if unit == "s" and whole and words.endswith("0s") and len(digits) == 2:
        return None  # a decade: "90s house"
    kind, factor = _UNITS.get(unit, (_LABELS.get(label, "other"), 1.0))
    if kind in {"tempo", "other"} and not unit and whole and int(digits) <= FREE_TO:
        return None
    readings = {_float(digits.replace(",", ""))}
    if digits.count(",") == 1 and "." not in digits:
        readings.add(_float(digits.replace(",", ".")))
    if digits.count(".") == 1 and re.fullmatch(r"\d{1,3}\.\d{3}", digits):
        readings.add(_float(digits.replace(".", "")))
    if kind == "tempo" and whole and int(digits) <= FREE_TO:
        return None  # a difference: "3 BPM slower"
    values = tuple(each * factor for each in readings if each is not None)
    decimals = 0 if whole else len(re.split(r"[.,]", digits)[-1])
    scales = (1.0, 100.0) if unit in PERCENT else (1.0,)
    return Figure(words.strip(), kind, values, _half(decimals) * factor, scales=scales)


def _half(decimals: int, at_least: float = 0.0) -> float:
    """Return half of the last digit, and a little for rounding in binary."""
    return max(0.5 * 10.0**-decimals, at_least) * (1 + 1e-6) + 1e-9


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:  # 1.2.3
        return None
