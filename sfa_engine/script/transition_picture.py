"""A picture of a transition, as SVG: both decks by stems, their sections, what is moved.

::

    out   drums ▁▃▇▇▇▇▅▂         sections above, a lane for each stem
          bass  ▇▇▇▇____
    in    drums ____▇▇▇▇
    mix   ▇▇▇▇▇▇▇▇               with its loudness
    moves in.fader, in.stem.bass.mute …   a line each, from its beginning to its end
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from sfa_engine.mix.commands import Times
from sfa_engine.mix.document import Plan, Transition
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.script.transition_sound import RATE, TransitionSound

WIDTH, LEFT, RIGHT = 1200.0, 130.0, 20.0
LANE, HEAD, ROW = 34.0, 26.0, 14.0
COLUMNS = 600
MAX_MOVES = 40
COLORS = {
    "vocals": "#d9488b",
    "drums": "#e0962a",
    "bass": "#4277d6",
    "other": "#3a9b6a",
    "guitar": "#8d6fd1",
    "piano": "#2aa3b5",
}
INK, GREY, PALE = "#222222", "#777777", "#eef0f3"
Audio = NDArray[np.float32]


def transition_picture(
    sound: TransitionSound, plan: Plan, place: int, facts: Mapping[int, TrackFacts]
) -> str:
    """Return the picture of a rendered transition as SVG.

    Parameters
    ----------
    sound : TransitionSound
    plan : Plan
    place : int
        Of the transition, from 0.
    facts : mapping of int to TrackFacts
        Of both tracks, for their sections.
    """
    each = plan.transitions[place]
    pair = plan.tracks[place : place + 2]
    length_s = len(sound.mix) / RATE
    page = _Page(length_s)
    start_s, end_s = sound.place.start_s, sound.place.end_s
    kind = f"{each.bars} bars" if each.kind == "blend" else f"{each.kind}, {each.seconds:g} s"
    page.text(LEFT, 18, f"{pair[0].name}  →  {pair[1].name}   ({kind})", 13, bold=True)
    page.y = 30.0
    top = page.y
    starts = _starts(sound, plan, place)
    for side, track in enumerate(pair):
        page.heading(("out: " if side == 0 else "in: ") + track.name)
        sections = facts[track.id].sections
        page.sections([(starts[side](s.start_s), starts[side](s.end_s), s.label) for s in sections])
        stems = sound.stems[side]
        lanes = stems or {"mix": (sound.out, sound.into)[side].mixed}
        loudest = max((float(np.abs(x).max(initial=0.0)) for x in lanes.values()), default=0.0)
        for name, wave in lanes.items():
            page.lane(name, wave, COLORS.get(name, GREY), max(loudest, 1e-4))
    page.heading("mix")
    mix = np.maximum(np.abs(sound.mix[:, 0]), np.abs(sound.mix[:, 1]))
    page.lane("peak", mix, INK, max(float(mix.max(initial=0.0)), 1e-4))
    if each.moves:
        page.heading("moves")
        page.moves(list(_moves(each, sound)))
    page.span(start_s, end_s, top)
    return page.svg()


def mix_picture(level: Audio, hz: float, plan: Plan, times: Sequence[Times]) -> str:
    """Return the picture of a whole mix as SVG: its level, and its tracks one above another.

    Parameters
    ----------
    level : float32[rows]
        Of the mix, full scale 1.
    hz : float
        Rows a second.
    plan : Plan
    times : sequence of Times
        When each track is heard.
    """
    page = _Page(times[-1].end_s if times else len(level) / hz)
    page.text(LEFT, 18, f"{len(plan.tracks)} tracks", 13, bold=True)
    page.y = 30.0
    page.heading("mix")
    page.lane("level", level, INK, max(float(level.max(initial=0.0)), 1e-4), hz)
    page.heading("tracks")
    rows = [(when.start_s, when.end_s, t.name) for when, t in zip(times, plan.tracks, strict=True)]
    page.moves(rows)
    return page.svg()


def _moves(each: Transition, sound: TransitionSound) -> Iterator[tuple[float, float, str]]:
    """Yield begin and end of each move in seconds of the sound, and what it does."""
    unit_s = sound.place.bar_s if each.kind == "blend" else 1.0
    for move in each.moves[:MAX_MOVES]:
        begin = sound.place.start_s + move.at * unit_s
        value = f"{move.value:g}" if isinstance(move.value, float) else str(move.value)
        said = f"{move.control} {value}" + (f" ({move.why})" if move.why else "")
        yield begin, begin + move.over * unit_s, said


class _Place:
    """Turns a place in a track into seconds of the sound, at the track's rate around the blend."""

    def __init__(self, at_s: float, place_s: float, rate: float) -> None:
        self._at_s, self._place_s, self._rate = at_s, place_s, rate

    def __call__(self, place_s: float) -> float:
        return self._at_s + (place_s - self._place_s) / self._rate


def _starts(sound: TransitionSound, plan: Plan, place: int) -> tuple[_Place, _Place]:
    """Return where places of both tracks are in the sound."""
    each = plan.transitions[place]
    decks = [track.deck for track in plan.tracks[place : place + 2]]
    begun = {}
    for command in sound.place.table.commands:
        for deck in decks:
            if command.path == f"deck{deck}.position" and deck not in begun:
                begun[deck] = float(command.value)
    first = next(c.time_s for c in sound.place.table.commands if c.path == f"deck{decks[0]}.play")
    return (
        _Place(first, begun[decks[0]], each.out_rate),
        _Place(sound.place.start_s, begun[decks[1]], each.in_rate),
    )


class _Page:
    """Shapes of a page, laid from the top down."""

    def __init__(self, length_s: float) -> None:
        self._length_s = max(length_s, 1e-3)
        self._shapes: list[str] = []
        self.y = 0.0

    def x(self, time_s: float) -> float:
        """Return where a time is."""
        share = min(max(time_s / self._length_s, 0.0), 1.0)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def text(self, x: float, y: float, text: str, size: float, *, bold: bool = False) -> None:
        """Add a text; `y` is its baseline."""
        weight = ' font-weight="bold"' if bold else ""
        self._shapes.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}"{weight}>{escape(text)}</text>'
        )

    def heading(self, text: str) -> None:
        """Begin a part of the page."""
        self.y += HEAD
        self.text(8, self.y - 8, text[:120], 11, bold=True)

    def sections(self, spans: Sequence[tuple[float, float, str]]) -> None:
        """Add the sections of a track, those that are heard."""
        for begin, end, label in spans:
            if end <= 0 or begin >= self._length_s:
                continue
            left, right = self.x(begin), self.x(end)
            self._shapes.append(
                f'<rect x="{left:.1f}" y="{self.y:.1f}" width="{max(right - left - 1, 0):.1f}"'
                f' height="12" fill="{PALE}" stroke="#cccccc" stroke-width="0.5"/>'
            )
            if right - left > 30:
                self.text(left + 3, self.y + 9.5, label, 9)
        self.y += 15

    def lane(
        self, name: str, wave: Audio, color: str, loudest: float, hz: float = float(RATE)
    ) -> None:
        """Add the peaks of a sound, or of a level of so many rows a second."""
        middle = self.y + LANE / 2
        self.text(60, middle + 4, name, 10)
        count = min(COLUMNS, len(wave))
        if count:
            edges = np.linspace(0, len(wave), count + 1).astype(int)
            peaks = np.maximum.reduceat(np.abs(wave), edges[:-1]) / loudest
            xs = np.linspace(self.x(0), self.x(len(wave) / hz), count)
            half = peaks * (LANE / 2 - 1)
            above = [f"{x:.1f},{middle - h:.1f}" for x, h in zip(xs, half, strict=True)]
            below = [f"{x:.1f},{middle + h:.1f}" for x, h in zip(xs, half, strict=True)][::-1]
            self._shapes.append(f'<polygon points="{" ".join(above + below)}" fill="{color}"/>')
        self.y += LANE

    def moves(self, moves: Sequence[tuple[float, float, str]]) -> None:
        """Add a row for each of something that begins and ends."""
        for begin, end, text in moves:
            left, right = self.x(begin), self.x(end)
            y = self.y + ROW / 2
            self._shapes.append(
                f'<line x1="{left:.1f}" y1="{y:.1f}" x2="{max(right, left + 2):.1f}" y2="{y:.1f}"'
                f' stroke="{INK}" stroke-width="2"/>'
            )
            if right < WIDTH * 0.6:
                self.text(right + 5, y + 3.5, text[:110], 9)
            else:
                self._shapes.append(
                    f'<text x="{left - 5:.1f}" y="{y + 3.5:.1f}" font-size="9"'
                    f' text-anchor="end">{escape(text[:110])}</text>'
                )
            self.y += ROW

    def span(self, begin: float, end: float, top: float) -> None:
        """Mark where the transition is."""
        for time_s in (begin, end):
            x = self.x(time_s)
            self._shapes.append(
                f'<line x1="{x:.1f}" y1="{top:.1f}" x2="{x:.1f}" y2="{self.y:.1f}"'
                f' stroke="{GREY}" stroke-dasharray="4 3" stroke-width="1"/>'
            )

    def svg(self) -> str:
        """Return the page."""
        height = self.y + 12
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:g}" height="{height:g}"'
            f' viewBox="0 0 {WIDTH:g} {height:g}" font-family="sans-serif" fill="{INK}">\n'
            f'<rect width="{WIDTH:g}" height="{height:g}" fill="#ffffff"/>\n'
            + "\n".join(self._shapes)
            + "\n</svg>\n"
        )
