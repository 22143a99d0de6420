"""What pages are built of: a deck's title, its keys, its pads, a strip of the mixer."""

from __future__ import annotations

from collections.abc import Iterable

from sfa_engine.desk import Button, Control, Desk, Switch
from sfa_engine.desk.control import Section
from sfa_engine.desk.deck import BANDS, STEMS, Deck, Loop, Stem
from sfa_engine.desk.desk import Pad
from sfa_engine.surfaces.touchosc import scripts
from sfa_engine.surfaces.touchosc.document import Node
from sfa_engine.surfaces.touchosc.flow import keys, keys_that_fit, put_keys
from sfa_engine.surfaces.touchosc.look import (
    CAPTION,
    CLEAR,
    INK_QUIET,
    KEY,
    LARGE,
    TITLE,
    Rect,
)
from sfa_engine.surfaces.touchosc.sheet import LEFT, METER_WIDTH, Sheet

SHORT = {
    "vocals": "Voc",
    "drums": "Drm",
    "bass": "Bas",
    "other": "Oth",
    "guitar": "Gtr",
    "piano": "Pno",
}
SEPARATED = tuple(stem for stem in STEMS if stem in SHORT)  # `mix` is what has no stems
CAPTION_HEIGHT = 18
STEM_WIDTH = 58
STRIP = 6  # points, of a hot cue's colour on its pad
FULL_DECK = 400  # points: a title with tempo, key and time beside it


def number_of(deck: Deck) -> str:
    """Return a deck's number, as text."""
    return deck.path.removeprefix("deck")


def own_keys(section: Section) -> list[Control]:
    """Return what is built and pressed of a section, without the sections below it."""
    parts = (getattr(section, name) for name, _ in section.declared())
    return [part for part in parts if isinstance(part, Button | Switch) and not part.planned]


def title(sheet: Sheet, deck: Deck, rect: Rect) -> None:
    """What plays: title and artist, tempo, key, time and what remains."""
    bar, remaining = f"{deck.path}.place", f"{deck.path}.remaining"
    if rect.w >= FULL_DECK:
        words, tempo, key, time = rect.columns(1.0, 110, 70, 100)
    else:
        upper, lower = rect.rows(0.5, 0.5, gap=0)
        words = upper
        tempo, key, time = lower.columns(0.34, 0.26, 0.4)
    name, artist = words.rows(0.58, 0.42, gap=0)
    large = TITLE if rect.w >= FULL_DECK else 18
    sheet.reading(deck.title, name, size=large, align=LEFT)
    sheet.reading(
        deck.artist, artist, size=KEY if large == TITLE else CAPTION, ink=INK_QUIET, align=LEFT
    )
    for control, cell, below in ((deck.tempo, tempo, "BPM"), (deck.key, key, "key")):
        upper, lower = cell.rows(0.6, 0.4, gap=0)
        sheet.reading(control, upper, size=LARGE if large == TITLE else 18)
        sheet.label(below, lower, ink=INK_QUIET, size=12)
    upper, lower = time.rows(0.6, 0.4, gap=0)
    sheet.reading(
        deck.position,
        upper,
        size=LARGE if large == TITLE else 18,
        script=scripts.place(bar, remaining),
    )
    left, right = lower.columns(0.5, 0.5, gap=4)
    sheet.label("", left, ink=INK_QUIET, size=12, name=remaining)
    sheet.reading(deck.duration, right, ink=INK_QUIET, size=12, script=scripts.length(bar))


def place(sheet: Sheet, deck: Deck, rect: Rect) -> None:
    """How far the track is, as a bar; `title` moves it."""
    sheet.add(
        Node(
            "FADER",
            f"{deck.path}.place",
            rect.frame,
            {
                "interactive": ("b", False),
                "orientation": ("i", 1),
                "tag": ("s", ""),
                "color": ("c", INK_QUIET),
            },
        )
    )


def transport(sheet: Sheet, deck: Deck, rect: Rect, columns: int) -> None:
    """Cue and play, and beside them whatever else a deck's hand presses."""
    wide = rect.h - 14  # so that eight keys beside them have room for their captions
    cue, play, rest = rect.columns(wide, wide, 1.0)
    sheet.button(deck.cue, cue, "CUE", size=LARGE)
    sheet.button(deck.play, play, "PLAY", size=LARGE)
    cells = rest.grid(columns, 2)
    every = [
        control
        for control in own_keys(deck)
        if control not in {deck.cue, deck.play, deck.jump, deck.touch}
        and control.group != "browse"  # on the library's page
    ]
    put_keys(sheet, keys_that_fit(every, len(cells)), cells)


def jumps(sheet: Sheet, deck: Deck, rect: Rect) -> None:
    """Beat jumps."""
    every = keys(deck.jump)
    put_keys(sheet, every, rect.grid(len(every), 1))


def bend(sheet: Sheet, deck: Deck, rect: Rect) -> None:
    """Push and drag, for as long as a key is held."""
    put_keys(sheet, keys(deck.bend), rect.grid(2, 1))


def loops(sheet: Sheet, deck: Deck, rect: Rect, columns: int, rows: int) -> None:
    """Loops, and their length below the key that makes one."""
    loop: Loop = deck.loop
    cells = rect.grid(columns, rows)
    every = [control for control in own_keys(loop) if control is not loop.on_load]  # a setting
    for key, cell in zip(keys_that_fit(every, len(cells)), cells, strict=False):
        makes_length = key.control is loop.beatloop
        second = " " if makes_length else key.second
        sheet.button(key.control, cell, key.caption, second, number=key.number)
        if makes_length:
            lower = cell.inset(2).rows(0.58, 0.42, gap=0)[1]
            sheet.reading(loop.length, lower, size=CAPTION, ink=INK_QUIET, textAlignV=("i", 1))


def equaliser(sheet: Sheet, deck: Deck, rect: Rect) -> None:
    """Three knobs, with the key that kills the band below each."""
    knobs, kills = rect.rows(1.0, 56)
    for band, knob, kill in zip(
        reversed(BANDS), knobs.grid(len(BANDS), 1), kills.grid(len(BANDS), 1), strict=True
    ):
        sheet.radial(deck.eq[band].gain, knob, band.capitalize())
        sheet.button(deck.eq[band].kill, kill, band.capitalize(), "kill")


def kills(sheet: Sheet, deck: Deck, rect: Rect) -> None:
    """The keys that kill a band."""
    for band, cell in zip(reversed(BANDS), rect.grid(len(BANDS), 1), strict=True):
        sheet.button(deck.eq[band].kill, cell, band.capitalize(), "kill")


def named_fader(
    sheet: Sheet, control: Control, rect: Rect, name: str, *, relative: bool = False
) -> None:
    """A fader that lies, with its name below and a tick in the middle."""
    body, below = rect.rows(1.0, CAPTION_HEIGHT, gap=2)
    sheet.fader(control, body, relative=relative)
    sheet.label(name, below, ink=INK_QUIET, size=CAPTION)


def strip(
    sheet: Sheet,
    volume: Control,
    level: Control | None,
    rect: Rect,
    name: str,
    *,
    relative: bool = False,
) -> None:
    """A fader that stands, with its name above and its meter beside it."""
    head, body = rect.rows(CAPTION_HEIGHT, 1.0, gap=4)
    sheet.label(name, head, size=CAPTION if rect.w < 64 else 14)
    if level is None:
        sheet.fader(volume, body, relative=relative)
        return
    fader, meter = body.columns(1.0, METER_WIDTH, gap=4)
    sheet.fader(volume, fader, relative=relative)
    sheet.meter(level, meter)


def stem_strip(sheet: Sheet, stem: Stem, rect: Rect, name: str) -> None:
    """A stem: fader, meter, mute and solo; told apart by letter and place, not by hue."""
    upper, mute, solo = rect.rows(1.0, 56, 56)
    strip(sheet, stem.volume, stem.level, upper, name)
    sheet.button(stem.mute, mute, "M", size=17)
    sheet.button(stem.solo, solo, "S", size=17)


def stems(deck: Deck) -> list[tuple[str, Stem]]:
    """Return the stems that a strip of a mixer has, with their names."""
    return [(name, deck.stem[name]) for name in SEPARATED]


def mutes(sheet: Sheet, deck: Deck, rect: Rect, columns: int) -> None:
    """A mute for each stem."""
    every = stems(deck)
    cells = rect.grid(columns, -(-len(every) // columns))
    for (name, stem), cell in zip(every, cells, strict=True):
        sheet.button(stem.mute, cell, "Mute", name)


def crossfader(sheet: Sheet, desk: Desk, rect: Rect) -> None:
    """The widest control of its page; nothing is within eight points of it."""
    odd, even = ("\u00b7".join(str(n) for n in desk.deck if n % 2 == side) for side in (1, 0))
    width = 18 * len(odd)
    left, body, right = rect.columns(width, 1.0, width)
    sheet.label(odd, left, size=18)
    sheet.fader(desk.crossfader, body)
    sheet.tick("crossfader middle", Rect(body.x + body.w // 2 - 1, body.y + 10, 2, body.h - 20))
    sheet.label(even, right, size=18)


def sample_pad(sheet: Sheet, pad: Pad, cell: Rect) -> None:
    """A pad of the sampler, with its colour, its name, and whether it sounds."""
    key = sheet.button(pad.hit, cell, pad.path.removeprefix("pad"), " ", size=LARGE, is_pad=True)
    sheet.reading(
        pad.color,
        Rect(cell.x + 3, cell.y + 3, cell.w - 6, STRIP),
        ink=CLEAR,
        script=scripts.cue_color(),
        background=("b", True),
        color=("c", CLEAR),
    )
    name = cell.inset(2).rows(0.58, 0.42, gap=0)[1]
    name, level = name.rows(1.0, STRIP, gap=2)
    sheet.reading(pad.label, name, size=CAPTION, script=scripts.pad_name(key), textAlignV=("i", 1))
    sheet.meter(pad.level, level.inset(4, 0), INK_QUIET)


def hot_cues(
    sheet: Sheet, deck: Deck, first: int, cells: Iterable[Rect], *, size: int = LARGE
) -> None:
    """Hot cues as pads, from a number on, with their colour, label and place in the track."""
    for number, cell in enumerate(cells, first):
        cue = deck.hotcue[number]
        key = sheet.button(cue.press, cell, str(number), " ", size=size, is_pad=True)
        sheet.reading(
            cue.color,
            Rect(cell.x + 3, cell.y + 3, cell.w - 6, STRIP),
            ink=CLEAR,
            script=scripts.cue_color(),
            background=("b", True),
            color=("c", CLEAR),
        )
        lower = cell.inset(2).rows(0.58, 0.42, gap=0)[1]
        if cell.h >= 80:
            name, lower = lower.rows(0.5, 0.5, gap=0)
            sheet.reading(cue.label, name, size=CAPTION)
        sheet.reading(
            cue.position,
            lower,
            size=CAPTION,
            ink=INK_QUIET,
            script=scripts.hot_cue(key),
            start=scripts.EMPTY,
            textAlignV=("i", 1),
        )
