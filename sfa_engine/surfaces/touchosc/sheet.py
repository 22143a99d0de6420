"""A page while it is drawn: what nodes a control becomes.

======================= ======================================= =====================
control                 node                                    address
======================= ======================================= =====================
fader                   fader, radial; absolute, 0 to 1         ``/n/deck1/fader``
fader that jumps        none: a time, or thousands of steps     reading alone
switch                  button that stays                       ``/deck1/play``
button                  button that springs back                ``/deck1/cue``
choice, few whole steps a button an option                      ``/deck1/sync``
meter of a level        fader that takes no touches             ``/n/deck1/level``
any other meter, text   label                                   ``/deck1/title``
======================= ======================================= =====================
"""

from __future__ import annotations

from dataclasses import replace

from sfa_engine.desk import Button, Choice, Control, Fader, Meter, Switch, Text
from sfa_engine.desk.control import CENTRE
from sfa_engine.surfaces.touchosc import scripts
from sfa_engine.surfaces.touchosc.document import Color, Node, Osc, Property
from sfa_engine.surfaces.touchosc.look import (
    BLACK,
    CAPTION,
    CLEAR,
    DIM,
    EDGE,
    GAP,
    INK,
    INK_QUIET,
    KEY,
    LARGE,
    MIN_TAPPED,
    Rect,
    fitting,
    rgba,
    text_width,
)

MAX_OPTIONS = 7  # buttons that a phone has room for in a row
MAX_STEPS = 128  # of a fader; with more, a finger cannot stop at one
METER_WIDTH = 8
KEPT = {
    "CDJ",
    "CUE",
    "FX",
    "PLAY",
    "BPM",
    "PFL",
    "XF",
    "MIDI",
    "CPU",
}  # words that stay in capitals
LEFT, RIGHT = 1, 3  # alignment of text
NOTHING = ""


def address(control: Control, *, normalised: bool = False) -> str:
    """Return a control's OSC address: in its unit, or its travel from 0 to 1."""
    return ("/n/" if normalised else "/") + control.path.replace(".", "/")


def options(control: Control) -> dict[int, str]:
    """Return what a control may be set to, if that is few enough for a button each."""
    scale = control.scale
    if isinstance(control, Choice):
        every = option_names(control)
    elif isinstance(control, Fader) and scale.whole and scale.high - scale.low < MAX_OPTIONS:
        every = {value: str(value) for value in range(int(scale.low), int(scale.high) + 1)}
    else:
        return {}
    return every if len(every) <= MAX_OPTIONS else {}


def option_widths(control: Control) -> list[int]:
    """Return how wide the button of each option has to be."""
    return [max(MIN_TAPPED, int(text_width(word, 12)) + 8) for word in options(control).values()]


def width_of(control: Control) -> int:
    """Return how wide a choice has to be."""
    widths = option_widths(control)
    return sum(widths) + GAP * (len(widths) - 1)


def option_names(control: Choice) -> dict[int, str]:
    """Return every option of a choice, as a person reads it."""
    return {value: _words(option) for value, option in enumerate(control.options)}


def _words(option: str) -> str:
    """Return an option as it stands on a button: ``Off``, ``Deck 1``, ``Deck 1 vocals``."""
    if option.upper() in KEPT:
        return option.upper()
    first, _, rest = option.replace("_", " ").partition(".")
    word = first.rstrip("0123456789")
    text = f"{word.capitalize()} {first[len(word) :]} {rest}" if word else option
    return " ".join(text.split())


def is_moved(control: Control) -> bool:
    """Return whether a finger can set a fader: places in a track and in lists jump."""
    scale = control.scale
    return (
        isinstance(control, Fader | Choice)
        and not options(control)
        and not scale.optional
        and scale.unit != "s"
        and not (scale.whole and scale.high - scale.low >= MAX_STEPS)
    )


def is_level(control: Control) -> bool:
    """Return whether a meter is a level, which is shown as a bar."""
    return isinstance(control, Meter) and control.scale.law == "gain"


class Sheet:
    """A page while it is drawn.

    Parameters
    ----------
    placed : set of str
        Paths of the controls that can be set or pressed; shared by all pages of a layout.
    """

    def __init__(self, placed: set[str]) -> None:
        self.placed = placed
        self.nodes: list[Node] = []
        self._names: set[str] = set()

    def add(self, node: Node) -> str:
        """Add a node, and return the name it got: unique on this page."""
        name, number = node.name, 1
        while name in self._names:
            number += 1
            name = f"{node.name} {number}"
        self._names.add(name)
        self.nodes.append(replace(node, name=name))
        return name

    def label(
        self,
        text: str,
        rect: Rect,
        *,
        size: int = CAPTION,
        ink: Color = INK,
        align: int = 2,
        name: str = "",
        **properties: Property,
    ) -> str:
        """Add a text that stays."""
        written: dict[str, Property] = {
            "textSize": ("i", size),
            "textColor": ("c", ink),
            "textAlignH": ("i", align),
            **properties,
        }
        return self.add(Node("LABEL", name or f"text {text}", rect.frame, written, {"text": text}))

    def reading(
        self,
        control: Control,
        rect: Rect,
        *,
        size: int = KEY,
        ink: Color = INK,
        align: int = 2,
        script: str | None = None,
        start: str = "",
        **properties: Property,
    ) -> str:
        """Add a control's value, as a text."""
        written: dict[str, Property] = {
            "textSize": ("i", size),
            "textColor": ("c", ink),
            "textAlignH": ("i", align),
            **properties,
        }
        if script is None:
            script = self._shown(control)
        if script:
            written["script"] = ("s", script)
        message = Osc(address(control), value="text", send=False)
        return self.add(
            Node("LABEL", control.path, rect.frame, written, {"text": start}, (message,))
        )

    @staticmethod
    def _shown(control: Control) -> str:
        """Return the script that makes a control's value a text that a person reads."""
        if isinstance(control, Text):
            return NOTHING
        if isinstance(control, Choice):
            return scripts.option(option_names(control))
        return scripts.reading(control)

    def value(self, control: Control, rect: Rect, script: str = NOTHING) -> str:
        """Add a value that scripts read, and nobody sees."""
        return self.reading(control, rect, ink=CLEAR, script=script)

    def fader(self, control: Control, rect: Rect, *, relative: bool = False) -> None:
        """Add a fader: upright where it is higher than wide."""
        self.placed.add(control.path)
        self.add(self._moved("FADER", control, rect, relative=relative))

    def radial(self, control: Control, rect: Rect, caption: str) -> None:
        """Add a knob, with its name in the middle."""
        side = min(rect.w, rect.h)
        square = Rect(rect.x + (rect.w - side) // 2, rect.y + (rect.h - side) // 2, side, side)
        self.placed.add(control.path)
        self.add(self._moved("RADIAL", control, square))
        self.label(caption, square, size=CAPTION)

    def _moved(self, kind: str, control: Control, rect: Rect, *, relative: bool = False) -> Node:
        across = rect.w > rect.h
        written: dict[str, Property] = {"color": ("c", rgba(control.color))}
        if kind == "FADER" and across:
            written["orientation"] = ("i", 1)
        if control.detent == CENTRE:
            written["centered"] = ("b", True)
        if relative:
            written["response"] = ("i", 1)
        travel = control.scale.travel(control.scale.rest)
        return Node(
            "RADIAL" if kind == "RADIAL" else "FADER",
            control.path,
            rect.frame,
            written,
            {"x": f"{travel:.6g}"},
            (Osc(address(control, normalised=True)),),
        )

    def meter(self, control: Control, rect: Rect, color: Color = INK) -> None:
        """Add a level, as a bar that takes no touches."""
        written: dict[str, Property] = {
            "color": ("c", color),
            "cornerRadius": ("f", 0.0),
            "cursor": ("b", False),
            "interactive": ("b", False),
            "outline": ("b", False),
        }
        if rect.w > rect.h:
            written["orientation"] = ("i", 1)
        message = Osc(address(control, normalised=True), send=False)
        self.add(Node("FADER", control.path, rect.frame, written, messages=(message,)))

    def button(
        self,
        control: Control,
        rect: Rect,
        caption: str,
        second: str = "",
        *,
        number: float | None = None,
        size: int = KEY,
        is_pad: bool = False,
    ) -> str:
        """Add a button or a switch; with a number, what it is pressed with.

        A pad is dim until another node's script says by its tag that there is something on it.
        """
        self.placed.add(control.path)
        stays = isinstance(control, Switch) and not control.momentary
        if isinstance(control, Fader):  # as long as it is held
            message = Osc(address(control), high=number or 1.0, receive=False)
        elif number is not None:
            message = Osc(address(control), constant=number, when="RISE", receive=False)
        elif isinstance(control, Button):
            rest = control.scale.rest
            if control.held:
                message = Osc(address(control), high=float(rest), receive=False)
            else:
                constant = None if rest == 1 else rest
                message = Osc(address(control), constant=constant, when="RISE", receive=False)
        else:
            message = Osc(address(control))
        name = control.path if number is None else f"{control.path} {number:g}"
        return self.key(
            name,
            rect,
            caption,
            second,
            color=control.color,
            message=message,
            stays=stays,
            size=size,
            is_pad=is_pad,
        )

    def key(
        self,
        name: str,
        rect: Rect,
        caption: str,
        second: str = "",
        *,
        message: Osc | None = None,
        script: str = "",
        color: str = "neutral",
        stays: bool = False,
        size: int = KEY,
        is_pad: bool = False,
    ) -> str:
        """Add a button, with one or two lines of text on it.

        Parameters
        ----------
        name : str
            Of the node.
        rect : Rect
            Where.
        caption, second : str
            Its text, and a quieter one below.
        message : Osc, optional
            What it sends and receives.
        script : str
            Instead of the one that lights it.
        color : str
            One of the desk's colours.
        stays : bool
            Whether it is a switch.
        size : int
            Of the caption.
        is_pad : bool
            Whether there may be nothing on it, as at first.
        """
        hue = rgba(color)
        # On is light, whatever the stem; what is only pressed shows its hue.
        lit = INK if stays else hue
        caption_name = self._unused(f"{name} text")
        second_name = f"{caption_name} below"
        captions = {caption_name: INK, **({second_name: INK_QUIET} if second.strip() else {})}
        written: dict[str, Property] = {
            "color": ("c", DIM if is_pad else hue),
            "buttonType": ("i", 2 if stays else 0),
            "script": ("s", script or scripts.light(captions, lit, hue, BLACK, is_pad=is_pad)),
        }
        if is_pad:
            written["tag"] = ("s", scripts.EMPTY)
        messages = (message,) if message is not None else ()
        found = self.add(Node("BUTTON", name, rect.frame, written, messages=messages))
        inner = rect.inset(2)
        if second.strip():
            upper, lower = inner.rows(0.58, 0.42, gap=0)
            self._caption(caption, upper, size, caption_name, valign=3)
            self.label(
                second, lower, size=fitting(second, inner.w, (CAPTION, 12, 11)), ink=INK_QUIET,
                name=second_name, textAlignV=("i", 1),
            )  # fmt: skip
        else:
            upper = inner.rows(0.58, 0.42, gap=0)[0] if second else inner
            self._caption(caption, upper, size, caption_name, valign=3 if second else 2)
        return found

    def _unused(self, name: str) -> str:
        number, found = 1, name
        while found in self._names:
            number += 1
            found = f"{name} {number}"
        return found

    def _caption(self, text: str, rect: Rect, size: int, name: str, valign: int = 2) -> None:
        sizes = tuple(each for each in (LARGE, 18, 17, KEY, 14, CAPTION, 12, 11) if each <= size)
        size = fitting(text, rect.w, sizes)
        self.label(text, rect, size=size, name=name, textAlignV=("i", valign))

    def choice(self, control: Control, rect: Rect) -> None:
        """Add a button for each option; the one that is chosen is lit."""
        self.placed.add(control.path)
        every = options(control)
        widths = option_widths(control)
        # A long name gets what it needs; what is left is shared.
        spare = max(0, rect.w - GAP * (len(widths) - 1) - sum(widths)) // len(widths)
        has_room = rect.w >= width_of(control)
        cells = rect.columns(*[width + spare if has_room else 1.0 for width in widths])
        off = CLEAR
        captions = {value: f"{control.path} option {value}" for value in every}
        script = scripts.choice(captions, INK, off, BLACK, INK)
        # The captions are the lights: they lie over the whole button, and touches go through them.
        for (value, text), cell in zip(every.items(), cells, strict=True):
            message = Osc(
                address(control), constant=value, trigger="touch", when="RISE", receive=False
            )
            written: dict[str, Property] = {"color": ("c", rgba(control.color))}
            name = f"{control.path} {value}"
            self.add(Node("BUTTON", name, cell.frame, written, messages=(message,)))
            is_rest = value == control.scale.rest
            self.label(
                text, cell, size=fitting(text, cell.w - 6, (KEY, 14, CAPTION, 12, 11)),
                ink=BLACK if is_rest else INK, name=captions[value],
                background=("b", True), color=("c", INK if is_rest else off),
            )  # fmt: skip
        self.value(control, Rect(rect.x, rect.y, METER_WIDTH, METER_WIDTH), script)

    def row(self, name: str, rect: Rect, script: str) -> None:
        """Add a row of a list, which is tapped to select it, and the surface that lights it."""
        written: dict[str, Property] = {"color": ("c", rgba("neutral", 0.06))}
        self.add(Node("BOX", name, rect.frame, written))
        touched: dict[str, Property] = {
            "background": ("b", False),
            "outline": ("b", False),
            "script": ("s", script),
        }
        self.add(Node("BUTTON", f"{name} button", rect.frame, touched))

    def tick(self, name: str, rect: Rect) -> None:
        """Add a line that marks the middle of what lies below it."""
        self.add(Node("BOX", name, rect.frame, {"color": ("c", EDGE), "cornerRadius": ("f", 0.0)}))
