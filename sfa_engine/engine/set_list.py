"""The tracks of a set, with the time from which each was audible; from its journal. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sfa_engine.desk import CONTROLS, DECK_NUMBERS
from sfa_engine.engine.audible import is_open
from sfa_engine.engine.command import Handover, Op, ReportKind
from sfa_engine.engine.journal import Entry, Journal, Segment
from sfa_engine.engine.layout import DECKS, ENGINE, VALUE_INDEX, VALUES

ENOUGH_S = 3.0  # for which a track is audible, before it counts as played: more than a slip


@dataclass(frozen=True)
class Played:
    """A track that was played.

    Parameters
    ----------
    frame : int
        From which it was audible.
    deck : int
        From 1.
    title, artist, path : str
    """

    frame: int
    deck: int
    title: str
    artist: str
    path: str = ""

    @property
    def name(self) -> str:
        """Artist and title, as far as they are known."""
        parts = [part for part in (self.artist, self.title) if part]
        return " - ".join(parts) or self.path.rpartition("/")[2] or "unknown"


def set_list(journal: Journal) -> list[Played]:
    """Return the tracks of a set, in the order in which they became audible."""
    return sorted(
        (track for segment in journal.segments for track in _tracks(journal, segment)),
        key=lambda track: track.frame,
    )


def _tracks(journal: Journal, segment: Segment) -> Iterator[Played]:
    """Yield the tracks of a segment."""
    values = _values_at_start(journal, segment)
    loaded: dict[int, Entry] = {}
    since: dict[int, int] = {}  # deck -> frame from which it is audible
    enough = ENOUGH_S * segment.rate

    def get(path: str) -> float:
        return values.get(path, CONTROLS[path].scale.rest)

    def ended(deck: int, frame: int) -> Iterator[Played]:
        began = since.pop(deck, None)
        if began is not None and frame - began >= enough and deck in loaded:
            load = loaded.pop(deck)  # counted once
            track = load["track"]
            yield Played(
                began,
                deck,
                str(track.get("title", "")),
                str(track.get("artist", "")),
                str(track.get("path", "")),
            )

    for report in segment.of_kind(
        ReportKind.APPLIED, ReportKind.CHANGED, ReportKind.ENDED, ReportKind.BEGUN
    ):
        frame, kind = int(report["frame"]), report["kind"]
        deck = int(report["deck"]) + 1
        name = journal.name_of_op(int(report["op"]))
        if kind == ReportKind.APPLIED and name == "LOAD" and report["y"] in {0.0, 1.0}:
            yield from ended(deck, frame)
            load = segment.loads.get(int(report["ticket"]))
            was = report["y"] == float(Handover.RESUMED)
            loaded.pop(deck, None)
            if load is not None and load["track"] is not None:
                loaded[deck] = load
                since.pop(deck, None)
            if not was:
                values[f"deck{deck}.play"] = 0.0
        elif kind == ReportKind.APPLIED and name == "PLAY":
            values[f"deck{deck}.play"] = float(report["x"])
        elif kind == ReportKind.APPLIED and name == "SET":
            values[journal.path_of_value(int(report["target"]))] = float(report["x"])
        elif kind == ReportKind.CHANGED:
            values[journal.path_of_value(int(report["value_index"]))] = float(report["value"])
        elif kind == ReportKind.ENDED:
            values[f"deck{deck}.play"] = 0.0
        for number in DECK_NUMBERS:
            audible = get(f"deck{number}.play") != 0.0 and is_open(number, get)
            if audible and number in loaded:
                since.setdefault(number, frame)
            else:
                yield from ended(number, frame)
    for number in DECK_NUMBERS:
        yield from ended(number, segment.end_frame)


def _values_at_start(journal: Journal, segment: Segment) -> dict[str, float]:
    """Return the values that a host found, if they can be read here."""
    if not journal.is_of_this_layout:
        return {}
    fields = ENGINE.fields
    assert fields is not None
    at = int(fields["flat"][1]) - int(fields["fresh"][1])
    state = segment.host["state"]
    if len(state) < at + 8 * VALUES:
        return {}
    flat = np.frombuffer(state, np.float64, VALUES, at)
    return {path: float(flat[index]) for path, index in VALUE_INDEX.items()}


assert len(DECK_NUMBERS) == DECKS
assert Op.LOAD.name == "LOAD"


# ---------------------------------------------------------------------- as text


def cue_sheet(tracks: list[tuple[float, Played]], file: str, kind: str = "WAVE") -> str:
    """Return a cue sheet.

    Parameters
    ----------
    tracks : list of (float, Played)
        Each with its time in the file, in seconds; rising.
    file : str
        Name of the sound file.
    kind : str
        Of the file, as the format calls it.
    """
    lines = [f'FILE "{_quoted(file)}" {kind}']
    # A cue sheet has two digits for a track's number.
    for number, (time_s, track) in enumerate(tracks[:99], 1):
        lines += [
            f"  TRACK {number:02d} AUDIO",
            f'    TITLE "{_quoted(track.title or track.name)}"',
            f'    PERFORMER "{_quoted(track.artist)}"',
            f"    INDEX 01 {_cd_time(0.0 if number == 1 else time_s)}",
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text.replace('"', "'").replace("\n", " ").replace("\r", " ")


def _cd_time(time_s: float) -> str:
    """Return minutes, seconds and the CD's 75 frames a second; minutes may be over 99."""
    total = max(0, int(time_s * 75))
    return f"{total // 4500:02d}:{total // 75 % 60:02d}:{total % 75:02d}"


def track_list(tracks: list[tuple[float, Played]]) -> str:
    """Return a list of tracks with their times, one a line."""
    lines = []
    for time_s, track in tracks:
        whole = max(0, int(time_s))
        clock = f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
        lines.append(f"{clock}\t{track.name}\tdeck {track.deck}")
    return "".join(f"{line}\n" for line in lines)
