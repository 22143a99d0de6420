"""Draws the pages of a layout as TouchOSC would show them: ``python tests/touchosc_picture.py``.

The pictures of the guide. It reads the file, fills it with what an engine would send, lets the
scripts run, and draws; it knows nothing of the generator's sheets.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).parent))

from touchosc_app import App, Color, Node

from sfa_engine.desk import DESK, Text

ROOT = Path(__file__).parents[1]
FONT = Path(mpl.get_data_path(), "fonts/ttf/DejaVuSans-Bold.ttf")
SCALE = 2  # drawn larger, then reduced: smooth edges
LETTERS = 0.82  # this font is wider than that of the app
TRACKS = (
    ("Cinnabar", "Halden", "122.0", "8A"),
    ("Aqua Regia", "The Ninth Furnace", "125.5", "9A"),
    ("The Athanor", "Koji Arai", "124.0", "7A"),
    ("Tincture", "Ines Marrow", "121.0", "9A"),
    ("Peacock's Tail", "Koji Arai", "127.2", "8A"),
    ("Albedo", "Ada Veldt", "120.0", "7A"),
    ("Fixed Star", "The Ninth Furnace", "126.0", "8A"),
    ("Nigredo", "Halden", "124.0", "8A"),
    ("Sol et Luna", "Ines Marrow", "123.0", "9A"),
    ("Lead Sleep", "Koji Arai", "125.0", "8B"),
    ("Quicksilver", "Sound Forge", "124.0", "9A"),
    ("Slow Gold", "Sound Forge", "96.0", "8A"),
)
GAP = 12  # between pages of a picture
PICTURES = (  # of the guide: name, tablet, pages
    ("mixer", "ipad", ("Mixer",)),
    ("deck", "ipad", ("Deck 1",)),
    ("pads", "ipad", ("Pads",)),
    ("library", "ipad", ("Library",)),
    ("transport", "ipad", ("Transport",)),
    ("phone", "phone", ("Mix",), ("D1", "Stems"), ("D1", "Cues"), ("Lib",)),
)
LEVELS = {"vocals": 0.62, "drums": 0.76, "bass": 0.55, "other": 0.42}


def played() -> Iterator[tuple[str, float | str]]:
    """Yield what an engine sends to a tablet while it plays: everything at rest, then this."""
    for control in DESK.controls():
        if not control.planned and control.wire(control.scale.rest) is not None:
            address = "/" + control.path.replace(".", "/")
            yield address, "" if isinstance(control, Text) else control.scale.rest
            yield f"/n{address}", control.scale.travel(control.scale.rest)
    for deck, name in ((1, "Slow Gold"), (2, "Quicksilver")):
        yield f"/deck{deck}/title", name
        yield f"/deck{deck}/artist", "Sound Forge"
        yield f"/deck{deck}/key", "8A" if deck == 1 else "9A"
        yield f"/deck{deck}/tempo", 124.0
        yield f"/deck{deck}/duration", 171.3
        yield f"/deck{deck}/position", 63.4 if deck == 1 else 20.0
        yield f"/deck{deck}/play", 1.0
        yield f"/deck{deck}/sync", float(deck - 1) * 2
        yield f"/deck{deck}/loop/length", 4.0
        yield f"/n/deck{deck}/level", 0.76 if deck == 1 else 0.48
        yield f"/n/deck{deck}/rms", 0.55 if deck == 1 else 0.3
        for stem, level in LEVELS.items():
            yield f"/n/deck{deck}/stem/{stem}/level", level * (1.6 - 0.6 * deck)
            yield f"/n/deck{deck}/stem/{stem}/rms", level * (1.2 - 0.5 * deck)
        for cue, place in enumerate((0.0, 15.5, 31.0, 62.0, 77.4), 1):
            yield f"/deck{deck}/hotcue{cue}/position", place
    yield "/deck1/leader", 1.0
    yield "/deck1/quantise", 1.0
    yield "/deck2/pfl", 1.0
    yield "/deck2/stem/vocals/mute", 1.0
    yield "/deck2/stem/bass/mute", 1.0
    yield "/deck2/eq/low/kill", 1.0
    yield "/n/deck1/stem/other/volume", 0.5
    yield "/n/deck2/fader", 0.6
    yield "/n/crossfader", 0.33
    yield "/n/master/level", 0.72
    yield "/n/master/rms", 0.5
    yield "/master/limiter/reduction", -1.2
    yield "/clock/current", 124.0
    yield "/clock/source", 1.0
    yield "/engine/load", 11.3
    yield "/engine/worst", 24.0
    yield "/engine/latency", 3.1
    for path in ("late", "device_misses", "reports_lost"):
        yield f"/engine/{path}", 0.0
    yield "/browse/length", float(len(TRACKS))
    yield "/browse/position", 0.0
    yield "/browse/selected", 2.0
    for number, (title, artist, tempo, key) in enumerate(TRACKS, 1):
        row = f"/browse/row{number}"
        yield f"{row}/title", title
        yield f"{row}/artist", artist
        yield f"{row}/tempo", tempo
        yield f"{row}/key", key
        yield f"{row}/track", float(number)


class Picture:
    """A page as it is shown, with the tabs that are open."""

    def __init__(self, app: App, open_tabs: tuple[str, ...]) -> None:
        self._open = open_tabs
        self._depth = 0
        _, _, w, h = app.root.frame
        self._image = Image.new("RGB", (int(w * SCALE), int(h * SCALE)), "black")
        self._node(app.root, 0, 0)
        self.image = self._image.resize((int(w), int(h)), Image.Resampling.LANCZOS)

    def _node(self, node: Node, x: float, y: float) -> None:
        fx, fy, w, h = node.frame
        box = (x + fx, y + fy, x + fx + w, y + fy + h)
        if node.kind == "PAGER":
            self._tabs(node, box)
            shown = self._shown(node)
            self._depth += 1
            self._node(shown, box[0], box[1])
            self._depth -= 1
            return
        draw = {"BUTTON": self._button, "LABEL": self._label, "FADER": self._fader}
        draw.get(node.kind, {"RADIAL": self._radial, "BOX": self._box}.get(node.kind, _nothing))(
            node, box
        )
        for child in node.nodes:
            self._node(child, box[0], box[1])

    def _shown(self, pager: Node) -> Node:
        return next(
            (n for n in pager.nodes if n.tabLabel in self._open[self._depth : self._depth + 1]),
            pager.nodes[0],
        )

    def _tabs(self, pager: Node, box: Any) -> None:
        width = (box[2] - box[0]) / len(pager.nodes)
        for number, page in enumerate(pager.nodes):
            on = page is self._shown(pager)
            x = box[0] + number * width
            tab = (x + 1, box[1], x + width - 1, box[1] + pager.tabbarSize)
            self._rect(tab, page.tabColorOn if on else page.tabColorOff, 1.0)
            ink = page.textColorOn if on else page.textColorOff
            self._text(tab, page.tabLabel, pager.textSizeOn, ink)

    def _rect(
        self, box: Any, color: Color, fill: float, edge: Color | None = None, radius: float = 0
    ) -> None:
        layer = Image.new("RGBA", self._image.size)
        draw = ImageDraw.Draw(layer)
        scaled = [n * SCALE for n in box]
        scaled = [
            scaled[0],
            scaled[1],
            max(scaled[0], scaled[2] - 1),
            max(scaled[1], scaled[3] - 1),
        ]
        part = (int(scaled[0]) - 2, int(scaled[1]) - 2, int(scaled[2]) + 3, int(scaled[3]) + 3)
        draw.rounded_rectangle(
            scaled,
            radius * SCALE,
            fill=_rgba(color, fill),
            outline=edge and _rgba(edge, 1.0),
            width=2 * SCALE,
        )
        self._image.paste(layer.crop(part), part[:2], layer.crop(part))

    def _button(self, node: Node, box: Any) -> None:
        if node.background:
            fill = 1.0 if node.values.x > 0.5 else 0.2
            self._rect(
                box, node.color, fill, node.color if node.outline else None, node.cornerRadius
            )

    def _box(self, node: Node, box: Any) -> None:
        self._rect(box, node.color, 1.0, None, node.cornerRadius)

    def _label(self, node: Node, box: Any) -> None:
        if node.background:
            self._rect(box, node.color, 1.0, None, node.cornerRadius)
        if node.textColor.a:
            self._text(
                box,
                node.values.text,
                node.textSize,
                node.textColor,
                node.textAlignH,
                node.textAlignV,
            )

    def _fader(self, node: Node, box: Any) -> None:
        across = node.orientation in (1, 3)
        self._rect(box, node.color, 0.14, node.color if node.outline else None, node.cornerRadius)
        start = 0.5 if node.properties.get("centered") else 0.0
        low, high = sorted((start, node.values.x))
        cursor = node.cursor
        bar = _part(box, low, high, 3 * cursor, across=across)
        self._rect(bar, node.color, 0.45 if cursor else 1.0)
        if cursor:
            half = 5 / max(box[2] - box[0] if across else box[3] - box[1], 1)
            place = min(1 - half, max(half, node.values.x))
            self._rect(_part(box, place - half, place + half, 3, across=across), node.color, 1.0)

    def _radial(self, node: Node, box: Any) -> None:
        layer = Image.new("RGBA", self._image.size)
        draw = ImageDraw.Draw(layer)
        scaled = [n * SCALE for n in box]
        draw.arc(scaled, 130, 410, _rgba(node.color, 0.22), 14 * SCALE)
        at = 130 + 280 * node.values.x
        low, high = sorted((270, at)) if node.centered else (130, at)
        draw.arc(scaled, low - 2, high + 2, _rgba(node.color, 1.0), 14 * SCALE)
        self._image.paste(layer, (0, 0), layer)

    def _text(
        self, box: Any, text: str, size: int, ink: Color, across: int = 2, down: int = 2
    ) -> None:
        if not text.strip():
            return
        font = ImageFont.truetype(str(FONT), round(size * SCALE * LETTERS))
        x = {1: box[0], 2: (box[0] + box[2]) / 2, 3: box[2]}[across] * SCALE
        y = {1: box[1] + size * 0.6, 2: (box[1] + box[3]) / 2, 3: box[3] - size * 0.6}[down] * SCALE
        layer = Image.new("RGBA", self._image.size)
        anchor = {1: "lm", 2: "mm", 3: "rm"}[across]
        ImageDraw.Draw(layer).text((x, y), text, fill=_rgba(ink, 1.0), font=font, anchor=anchor)
        clip = tuple(int(n * SCALE) for n in box)  # a label cuts what is too long
        part = layer.crop(clip)
        self._image.paste(part, clip[:2], part)


def _nothing(*_: Any) -> None:
    return


def _part(box: Any, low: float, high: float, inset: float, *, across: bool) -> Any:
    left, top, right, bottom = box
    if across:
        return (
            left + (right - left) * low,
            top + inset,
            left + (right - left) * high,
            bottom - inset,
        )
    return (
        left + inset,
        bottom - (bottom - top) * high,
        right - inset,
        bottom - (bottom - top) * low,
    )


def _rgba(color: Color, alpha: float) -> tuple[int, ...]:
    return tuple(round(255 * part) for part in (color.r, color.g, color.b, color.a * alpha))


def draw(layout: bytes, *pages: tuple[str, ...]) -> Image.Image:
    """Return pages side by side; each is named by its tab and those within it."""
    app = App(layout)
    for address, value in played():
        app.receive(address, value)
    shown = [Picture(app, page).image for page in pages]
    width = sum(image.width for image in shown) + GAP * (len(shown) - 1)
    whole = Image.new("RGB", (width, shown[0].height), "#2a2e34")
    for number, image in enumerate(shown):
        whole.paste(image, (number * (image.width + GAP), 0))
    return whole


def pages(layout: bytes) -> Iterator[tuple[str, ...]]:
    """Yield every page of a layout, and every page within a page."""

    def below(node: Node) -> Iterator[tuple[str, ...]]:
        pager = next((child for child in node.nodes if child.kind == "PAGER"), None)
        if pager is None:
            yield ()
            return
        for page in pager.nodes:
            yield from ((page.tabLabel, *rest) for rest in below(page))

    return below(App(layout).root)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=Path, help="every page of every ready layout, to look at")
    folder = parser.parse_args().every
    for tablet in ("ipad", "phone"):
        layout = (ROOT / f"layouts/{tablet}.tosc").read_bytes()
        for page in pages(layout) if folder else ():
            name = "-".join(re.sub(r"\W+", "", word.lower()) for word in page)
            folder.mkdir(exist_ok=True)
            draw(layout, page).save(folder / f"{tablet}-{name}.png")
        for name, of, *shown in () if folder else PICTURES:
            if of == tablet:
                # A palette: a third of the size, and nobody sees it.
                file = ROOT / f"docs/images/touchosc-{name}.png"
                draw(layout, *shown).quantize(128).save(file, optimize=True)


if __name__ == "__main__":
    main()
