"""The pages of a layout. Each draws onto a sheet what the desk has; what is planned is left out."""

from __future__ import annotations

from collections.abc import Callable

from sfa_engine.desk import Control
from sfa_engine.desk.deck import HOT_CUES, Deck
from sfa_engine.desk.effects import Slot
from sfa_engine.surfaces.touchosc import blocks, scripts
from sfa_engine.surfaces.touchosc.book import Book
from sfa_engine.surfaces.touchosc.document import Osc
from sfa_engine.surfaces.touchosc.flow import caption, flow
from sfa_engine.surfaces.touchosc.look import (
    CAPTION,
    GAP,
    INK,
    INK_QUIET,
    KEY,
    LARGE,
    Rect,
    rgba,
)
from sfa_engine.surfaces.touchosc.more import more
from sfa_engine.surfaces.touchosc.pager import SUB_TABS, Tab, pager
from sfa_engine.surfaces.touchosc.sheet import (
    LEFT,
    RIGHT,
    Sheet,
    address,
    is_level,
)

CROSSFADER = 64
PADS = 16  # on a page of pads
DECKS_A_PAGE = 2  # of the mixer, the transport and the meters: more were too narrow for a finger


def _pairs(book: Book) -> list[tuple[str, list[Deck]]]:
    """Return the decks of each page that shows two, and what its tab has beside its name."""
    decks = list(book.desk.deck.values())
    pairs = [decks[first : first + DECKS_A_PAGE] for first in range(0, len(decks), DECKS_A_PAGE)]
    if len(pairs) == 1:
        return [("", decks)]
    spans = ["\u2013".join(blocks.number_of(deck) for deck in pair) for pair in pairs]
    return [(f" {span}", pair) for span, pair in zip(spans, pairs, strict=True)]


def mixer(book: Book) -> list[Tab]:
    """Faders of stems and decks, or on a phone of decks alone; two decks a page."""
    tabs = []
    for span, decks in _pairs(book):
        sheet = book.sheet()
        (_phone_mixer if book.tablet.short else _tablet_mixer)(book, sheet, decks)
        tabs.append(Tab(book.tab("Mixer", "Mix") + span, sheet))
    return tabs


def _tablet_mixer(book: Book, sheet: Sheet, decks: list[Deck]) -> None:
    desk = book.desk
    strips, across = book.room.rows(1.0, CROSSFADER, gap=10)
    left, middle, right = strips.columns(1.0, 68, 1.0, gap=16)
    for deck, rect in zip(decks, (left, right), strict=False):  # the last one may be alone
        _deck_strips(sheet, deck, rect)
    _, master, limiter = middle.rows(30, 1.0, 76)
    blocks.strip(sheet, desk.master.volume, desk.master.level, master, "Master", relative=True)
    number, below = limiter.rows(0.6, 0.4, gap=0)
    sheet.reading(desk.master.limiter.reduction, number, size=17)
    sheet.label("limit, dB", below, size=12, ink=INK_QUIET)
    blocks.crossfader(sheet, desk, across)


def _deck_strips(sheet: Sheet, deck: Deck, rect: Rect) -> None:
    head, strips, keys = rect.rows(30, 1.0, 76)
    name, tempo, key = head.columns(1.0, 80, 50)
    sheet.reading(deck.title, name, size=17, align=LEFT)
    sheet.reading(deck.tempo, tempo, size=17, align=RIGHT)
    sheet.reading(deck.key, key, size=17, align=RIGHT)
    every = blocks.stems(deck)
    *columns, last = strips.columns(*[blocks.STEM_WIDTH] * len(every), 1.0)
    for (stem_name, stem), column in zip(every, columns, strict=True):
        blocks.stem_strip(sheet, stem, column, blocks.SHORT[stem_name])
    upper, phones, play = last.rows(1.0, 56, 56)
    blocks.strip(sheet, deck.fader, deck.level, upper, f"Deck {blocks.number_of(deck)}")
    sheet.button(deck.pfl, phones, caption(deck.pfl))
    sheet.button(deck.play, play, "PLAY")
    kills, filter_ = keys.columns(1.0, 150)
    blocks.kills(sheet, deck, kills.rows(1.0, blocks.CAPTION_HEIGHT, gap=2)[0])
    blocks.named_fader(sheet, deck.filter, filter_, "filter")


def _phone_mixer(book: Book, sheet: Sheet, decks: list[Deck]) -> None:
    room, desk = book.room, book.desk
    strips, across = room.rows(1.0, CROSSFADER, gap=10)
    middle = -(-len(decks) // 2)
    columns = strips.columns(*[1.0] * middle, 64, *[1.0] * (len(decks) - middle), gap=8)
    master = columns.pop(middle)
    blocks.strip(sheet, desk.master.volume, desk.master.level, master, "Master", relative=True)
    for deck, column in zip(decks, columns, strict=True):
        name, fader, kills, filter_, keys = column.rows(24, 1.0, 60, 78, 60)
        sheet.reading(deck.title, name, size=KEY)
        blocks.strip(sheet, deck.fader, deck.level, fader, f"Deck {blocks.number_of(deck)}")
        blocks.kills(sheet, deck, kills)
        blocks.named_fader(sheet, deck.filter, filter_, "filter")
        phones, play = keys.columns(1.0, 1.0)
        sheet.button(deck.pfl, phones, caption(deck.pfl))
        sheet.button(deck.play, play, "PLAY")
    blocks.crossfader(sheet, desk, across)


def decks(book: Book) -> list[Tab]:
    """A page for each deck."""
    tabs = []
    for deck in book.desk.deck.values():
        sheet = book.sheet()
        (_phone_deck if book.tablet.short else _tablet_deck)(book, sheet, deck)
        number = blocks.number_of(deck)
        tabs.append(Tab(book.tab(f"Deck {number}", f"D{number}"), sheet))
    return tabs


def _tablet_deck(book: Book, sheet: Sheet, deck: Deck) -> None:
    upper, across = book.room.rows(1.0, CROSSFADER, gap=10)
    left, speed, level = upper.columns(1.0, 72, 76)
    title, bar, body = left.rows(56, 40, 1.0)
    blocks.title(sheet, deck, title)
    blocks.place(sheet, deck, bar)
    blocks.strip(sheet, deck.tempo_fader, None, speed, "Speed", relative=True)
    blocks.strip(sheet, deck.fader, deck.level, level, "Level")
    hands, sound = body.columns(1.0, 350)
    transport, jumps, cues, loops, bend = hands.rows(118, 56, 1.0, 118, 56)
    blocks.transport(sheet, deck, transport, 4)
    blocks.jumps(sheet, deck, jumps)
    blocks.hot_cues(sheet, deck, 1, cues.grid(4, 2))
    blocks.loops(sheet, deck, loops, 5, 2)
    blocks.bend(sheet, deck, bend)
    equaliser, filter_, sync, mutes = sound.rows(176, 76, 56, 1.0)
    blocks.equaliser(sheet, deck, equaliser)
    blocks.named_fader(sheet, deck.filter, filter_, "filter")
    name, body = sync.columns(60, 1.0)
    sheet.label("Sync", name, size=14)
    sheet.choice(deck.sync, body)
    blocks.mutes(sheet, deck, mutes, 3)
    blocks.crossfader(sheet, book.desk, across)


def _phone_deck(book: Book, sheet: Sheet, deck: Deck) -> None:
    title, bar, panel, transport, across = book.room.rows(88, 24, 1.0, 116, CROSSFADER, gap=8)
    blocks.title(sheet, deck, title)
    blocks.place(sheet, deck, bar)
    inner = Rect(0, 0, panel.w, panel.h - SUB_TABS).inset(0, GAP)

    stems = book.sheet()
    every = blocks.stems(deck)
    for (name, stem), column in zip(every, inner.columns(*[1.0] * len(every)), strict=True):
        blocks.stem_strip(stems, stem, column, blocks.SHORT[name])

    cues = book.sheet()
    grid, jumps = inner.rows(1.0, 60)
    blocks.hot_cues(cues, deck, 1, grid.grid(2, 4))
    blocks.jumps(cues, deck, jumps)

    loops = book.sheet()
    grid, bend = inner.rows(1.0, 72)
    blocks.loops(loops, deck, grid, 2, 5)
    blocks.bend(loops, deck, bend)

    sound = book.sheet()
    speed, body = inner.columns(72, 1.0, gap=10)
    blocks.strip(sound, deck.tempo_fader, None, speed, "Speed", relative=True)
    equaliser, filter_, sync = body.rows(1.0, 82, 60)
    blocks.equaliser(sound, deck, equaliser)
    blocks.named_fader(sound, deck.filter, filter_, "filter")
    sound.choice(deck.sync, sync)

    tabs = [Tab("Stems", stems), Tab("Cues", cues), Tab("Loop", loops), Tab("EQ", sound)]
    sheet.add(pager(f"{deck.path} panel", panel, tabs, SUB_TABS))
    blocks.transport(sheet, deck, transport, 2)
    blocks.crossfader(sheet, book.desk, across)


def pads(book: Book) -> list[Tab]:
    """Four by four pads, in banks: hot cues, and the sampler."""
    outer = book.sheet()
    inner = Rect(0, 0, book.room.w, book.room.h - SUB_TABS).inset(0, GAP)
    cells = inner.grid(4, 4)
    upwards = [cell for row in (3, 2, 1, 0) for cell in cells[4 * row : 4 * row + 4]]
    tabs = []
    for deck in book.desk.deck.values():
        number = blocks.number_of(deck)
        for first in range(1, HOT_CUES + 1, PADS):
            sheet = book.sheet()
            blocks.hot_cues(sheet, deck, first, upwards, size=LARGE)
            span = f"{first}\u2013{first + PADS - 1}"
            tabs.append(Tab(book.tab(f"Deck {number}: {span}", f"{number}: {first}+"), sheet))
    samples = [pad for pad in book.desk.pad.values() if not pad.hit.planned]
    for first in range(0, len(samples), PADS):
        sheet = book.sheet()
        for pad, cell in zip(samples[first : first + PADS], upwards, strict=False):
            blocks.sample_pad(sheet, pad, cell)
        bank = "ABCDEFGH"[first // PADS]
        tabs.append(Tab(book.tab(f"Sampler {bank}", f"S{bank}"), sheet))
    outer.add(pager("pad pages", book.room, tabs, SUB_TABS))
    return [Tab("Pads", outer)]


def effects(book: Book) -> list[Tab]:
    """A page for each unit, and one of what is assigned to them."""
    desk, short = book.desk, book.tablet.short
    if not desk.fx:
        return []
    inner = Rect(0, 0, book.room.w, book.room.h - SUB_TABS).inset(0, GAP)
    columns = 3 if short else 8
    tabs = []
    for number, unit in desk.fx.items():
        own = [part for part in vars(unit).values() if isinstance(part, Control)]
        sheet = book.sheet()
        if short:
            below = Rect(0, 0, inner.w, inner.h - SUB_TABS).inset(0, GAP)
            head = book.sheet()
            flow(head, own, below, columns, unit.path)
            parts = [Tab("Unit", head)]
            for slot_number, slot in unit.slot.items():
                part = book.sheet()
                _slot(part, slot, below)
                parts.append(Tab(f"Slot {slot_number}", part))
            sheet.add(pager(f"{unit.path} slots", inner, parts, SUB_TABS))
        else:
            top, rest = inner.rows(140, 1.0, gap=10)
            flow(sheet, own, top, columns, unit.path)
            cells = rest.columns(*[1.0] * len(unit.slot), gap=16)
            for slot, rect in zip(unit.slot.values(), cells, strict=True):
                _slot(sheet, slot, rect)
        tabs.append(Tab(book.tab(f"Unit {number}", f"FX{number}"), sheet))
    assigned = [
        c for c in desk.controls() if c.group == "effects" and c.path.rpartition(".")[2][:2] == "fx"
    ]
    sheet = book.sheet()
    flow(sheet, assigned, inner, len(desk.fx))  # a row a deck, a column a unit
    tabs.append(Tab(book.tab("Assign", "Asg"), sheet))
    outer = book.sheet()
    outer.add(pager("effect pages", book.room, tabs, SUB_TABS))
    return [Tab(book.tab("Effects", "FX"), outer)]


def _slot(sheet: Sheet, slot: Slot, rect: Rect) -> None:
    """Add a slot of a chain; its knobs are called what they are for its kind."""
    kind, *knobs, last = rect.rows(*[1.0] * 5, gap=8)
    on, body = kind.columns(72, 1.0)
    sheet.button(slot.on, on, "On", slot.path.rpartition("slot")[2])
    _knob(sheet, slot.kind, None, body)
    for letter, row in zip("abc", knobs, strict=True):
        _knob(
            sheet,
            getattr(slot, f"param_{letter}"),
            (getattr(slot, f"label_{letter}"), getattr(slot, f"value_{letter}")),
            row,
        )
    _knob(sheet, slot.mix, None, last)


def _knob(
    sheet: Sheet, control: Control, texts: tuple[Control, Control] | None, rect: Rect
) -> None:
    head, body = rect.rows(22, 1.0, gap=2)
    name, value = head.columns(0.5, 0.5)
    if texts is None:
        sheet.label(caption(control), name, size=CAPTION, ink=INK_QUIET, align=LEFT)
        sheet.reading(control, value, size=CAPTION, align=RIGHT)
    else:
        sheet.reading(texts[0], name, size=CAPTION, align=LEFT)
        sheet.reading(texts[1], value, size=CAPTION, align=RIGHT)
    sheet.fader(control, body)


def library(book: Book) -> list[Tab]:
    """The list that is browsed: a tap on a row selects it, a tap on a deck's key loads it."""
    sheet, desk = book.sheet(), book.desk
    browse, short = desk.browse, book.tablet.short
    head, body = book.room.rows(24, 1.0)
    # What a deck does with the row that is selected.
    pressed = {
        key: number
        for number, deck in desk.deck.items()
        for key in blocks.own_keys(deck)
        if key.group == "browse"
    }
    if short:
        rows, arrows = body.rows(1.0, 60)
        up, down, *others = arrows.columns(*[1.0] * (2 + len(pressed)))
    else:
        arrows, rows = body.columns(120, 1.0)
        up, down, *others = arrows.rows(1.0, 1.0, *[72] * len(pressed))
    for (control, number), cell in zip(pressed.items(), others, strict=True):
        sheet.button(control, cell, f"{caption(control)} {number}", "selected")
    count = min(len(browse.row), (rows.h + GAP) // (60 + GAP))
    names = tuple(f"{browse.row[number].path} panel" for number in range(1, count + 1))
    span = "browse span"
    lit, dark = rgba("neutral", 0.18), rgba("neutral", 0.06)
    where = (browse.position.path, browse.selected.path, browse.length.path)
    light = scripts.browse(where, span, names, lit, dark)
    sheet.label("no tracks", head, size=KEY, align=RIGHT, name=span)
    for control in (browse.position, browse.selected, browse.length):
        sheet.value(control, Rect(head.x, head.y, 8, 8), light)
    for name, cell, by, text in (("up", up, -count, "\u25b2"), ("down", down, count, "\u25bc")):
        script = scripts.scroll(
            browse.position.path, browse.length.path, address(browse.position), by
        )
        sheet.key(f"browse {name}", cell, text, script=script, size=LARGE)
    for number, rect in enumerate(rows.grid(1, count), 1):
        _row(book, sheet, number, rect)
    return [Tab(book.tab("Library", "Lib"), sheet)]


def _row(book: Book, sheet: Sheet, number: int, rect: Rect) -> None:
    browse, short = book.desk.browse, book.tablet.short
    row = browse.row[number]
    decks = list(book.desk.deck.values())
    panel, *loads = rect.columns(1.0, *[48 if short else 88] * len(decks))
    sheet.row(
        f"{row.path} panel",
        panel,
        scripts.select(browse.position.path, address(browse.selected), number - 1),
    )
    inner = panel.inset(8, 2)
    words, tempo, key = inner.columns(1.0, 46 if short else 70, 30 if short else 50)
    title, artist = words.rows(0.58, 0.42, gap=0)
    sheet.reading(row.title, title, size=15 if short else 18, align=LEFT)
    sheet.reading(row.artist, artist, size=12 if short else 14, ink=INK_QUIET, align=LEFT)
    sheet.reading(row.tempo, tempo, size=13 if short else 17, align=RIGHT)
    sheet.reading(row.key, key, size=13 if short else 17, align=RIGHT)
    for deck, cell in zip(decks, loads, strict=True):
        load = Osc(f"/{deck.path}/load_row", constant=number, when="RISE", receive=False)
        text = blocks.number_of(deck) if short else f"Load {blocks.number_of(deck)}"
        sheet.key(f"{row.path} load {deck.path}", cell, text, message=load)


def transport(book: Book) -> list[Tab]:
    """The decks' cue and play, the clock, the session, the recorder, and the connection."""
    every = list(book.desk.deck.values())
    pages = _pairs(book) if book.tablet.short else [("", every)]
    return [
        Tab(book.tab("Transport", "Clock") + span, _transport(book, decks)) for span, decks in pages
    ]


def _transport(book: Book, decks: list[Deck]) -> Sheet:
    sheet, desk = book.sheet(), book.desk
    built = [control for control in desk.controls() if not control.planned]
    short = book.tablet.short
    upper, lower = book.room.rows(200 if short else 196, 1.0, gap=12)
    for deck, rect in zip(decks, upper.columns(*[1.0] * len(decks), gap=12), strict=True):
        head, keys, tempo = rect.rows(26, 1.0, 56 if not short else 60)
        name, bpm = head.columns(1.0, 64)
        sheet.reading(deck.title, name, size=KEY if short else 17, align=LEFT)
        sheet.reading(deck.tempo, bpm, size=KEY if short else 17, align=RIGHT)
        cue, play = keys.columns(1.0, 1.0)
        sheet.button(deck.cue, cue, "CUE", size=LARGE)
        sheet.button(deck.play, play, "PLAY", size=LARGE)
        if not short:
            side, tempo = tempo.columns(40, 1.0)
            sheet.label("Sync", side, size=CAPTION, ink=INK_QUIET, align=LEFT)
        sheet.choice(deck.sync, tempo)
    sections = [
        ("Clock", "clock", [c for c in built if c.group == "clock"]),
        ("Recorder", "recorder", [c for c in built if c.group == "recorder"]),
        ("Session", "session", [c for c in built if c.group == "session"]),
    ]
    shown = [section for section in sections if section[2]]
    rest, connect = lower.rows(1.0, 60)
    shares = [1.7 if name == "Clock" else 1.0 for name, _, _ in shown]
    cells = rest.rows(*shares) if short else rest.columns(*shares, gap=16)
    for (panel, path, controls), cell in zip(shown, cells, strict=True):
        _panel(sheet, panel, controls, cell, path)
    sheet.key(
        "connect", connect, "Connect", "asks the engine for all values",
        message=Osc("/sfa/subscribe", constant=book.port, when="RISE", receive=False),
    )  # fmt: skip
    return sheet


def meters(book: Book) -> list[Tab]:
    """Every level, and how the engine is."""
    desk = book.desk
    levels = [c for c in desk.controls() if is_level(c) and not c.planned]
    health = [c for c in desk.controls() if c.group == "engine" and not c.planned]
    peaks = [c for c in levels if c.path.endswith("level") and not c.path.startswith("pad")]
    tabs = []
    for span, decks in _pairs(book):
        sheet = book.sheet()
        others = {deck.path for deck in desk.deck.values() if deck not in decks}
        shown = [peak for peak in peaks if peak.path.partition(".")[0] not in others]
        body, lower = book.room.rows(1.0, 274 if book.tablet.short else 64, gap=10)
        _meters(book, sheet, body, shown, levels)
        own = [control for control in health if control.path.partition(".")[0] not in others]
        flow(sheet, own, lower, 3 if book.tablet.short else 8, "engine")
        tabs.append(Tab(book.tab("Meters", "Lvl") + span, sheet))
    return tabs


def _meters(
    book: Book, sheet: Sheet, body: Rect, peaks: list[Control], levels: list[Control]
) -> None:
    sources = body.columns(*[1.0] * len(peaks), gap=0 if book.tablet.short else GAP)
    for peak, column in zip(peaks, sources, strict=True):
        section = peak.path.removesuffix(".level")
        name = section.rpartition(".")[2]
        text = (
            blocks.SHORT.get(name)
            or {"mix": "Mix", "master": "Out", "sampler": "Smp"}.get(name)
            or f"D{name[-1]}"
        )
        if book.tablet.short:  # seventeen in a row
            text = text[:2]
        mean = next((c for c in levels if c.path == f"{section}.rms"), None)
        upper, below = column.rows(1.0, 20, gap=4)
        bars = {peak: INK, **({mean: INK_QUIET} if mean else {})}
        cells = upper.columns(*[1.0] * len(bars), gap=2)
        for (bar, color), cell in zip(bars.items(), cells, strict=True):
            sheet.meter(bar, cell, color)
        sheet.label(text, below, size=11 if book.tablet.short else CAPTION, ink=INK_QUIET)


def _panel(sheet: Sheet, name: str, controls: list[Control], rect: Rect, within: str) -> None:
    """Add controls under a title."""
    head, body = rect.rows(22, 1.0, gap=4)
    sheet.label(name, head, size=KEY, align=LEFT)
    flow(sheet, controls, body, max(3, body.w // 96), within)


PAGES: dict[str, Callable[[Book], list[Tab]]] = {
    "mixer": mixer,
    "decks": decks,
    "pads": pads,
    "effects": effects,
    "library": library,
    "transport": transport,
    "meters": meters,
    "more": more,
}
