"""The format of a ``.tosc`` file: nodes to bytes.

Zlib around one line of XML. Knows neither the desk nor how a page looks. Properties are written
in alphabetical order and ids are hashes of a node's path, so that equal layouts are equal bytes.

Version 3 has five connections; version 6, of TouchOSC 1.5, has ten, and a few elements more.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Literal

Version = Literal[3, 6]
Kind = Literal["BOX", "BUTTON", "LABEL", "FADER", "RADIAL", "GROUP", "PAGER"]
Frame = tuple[float, float, float, float]
Color = tuple[float, float, float, float]
Property = tuple[Literal["b", "i", "f", "s", "c", "r"], Any]

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "sound-forge-alchemy/touchosc")
CONNECTIONS = {3: 5, 6: 10}

_COMMON: dict[str, Property] = {
    "background": ("b", True),
    "color": ("c", (0.25, 0.25, 0.25, 1.0)),
    "cornerRadius": ("f", 4.0),
    "grabFocus": ("b", True),
    "interactive": ("b", True),
    "locked": ("b", False),
    "orientation": ("i", 0),
    "outline": ("b", True),
    "outlineStyle": ("i", 0),
    "pointerPriority": ("i", 0),
    "shape": ("i", 1),
    "visible": ("b", True),
}
# What takes no touches must say so, or it swallows those meant for what lies below it.
_INERT: dict[str, Property] = {"interactive": ("b", False)}
_CONTAINER: dict[str, Property] = {
    "background": ("b", False),
    "grabFocus": ("b", False),
    "outline": ("b", False),
}
_MOVED: dict[str, Property] = {
    "cursor": ("b", True),
    "cursorDisplay": ("i", 0),
    "grid": ("b", False),
    "response": ("i", 0),
    "responseFactor": ("i", 100),
}
_OF_KIND: dict[Kind, dict[str, Property]] = {
    "BOX": {**_INERT, "outline": ("b", False)},
    "BUTTON": {
        "buttonType": ("i", 0),
        "press": ("b", True),
        "release": ("b", True),
        "valuePosition": ("b", False),
    },
    "LABEL": {
        **_INERT,
        "background": ("b", False),
        "font": ("i", 0),
        "outline": ("b", False),
        "textAlignH": ("i", 2),
        "textAlignV": ("i", 2),
        "textClip": ("b", True),
        "textColor": ("c", (1.0, 1.0, 1.0, 1.0)),
        "textLength": ("i", 0),
        "textSize": ("i", 14),
    },
    "FADER": {**_MOVED, "bar": ("b", True), "barDisplay": ("i", 0), "gridSteps": ("i", 13)},
    "RADIAL": {
        **_MOVED,
        "centered": ("b", False),
        "gridSteps": ("i", 20),
        "inverted": ("b", False),
        "shape": ("i", 2),
    },
    "GROUP": {**_CONTAINER, **_INERT},
    "PAGER": {
        **_CONTAINER,
        "tabLabels": ("b", True),
        "tabbar": ("b", True),
        "tabbarDoubleTap": ("b", False),
        "tabbarSize": ("i", 40),
        "textSizeOff": ("i", 14),
        "textSizeOn": ("i", 14),
    },
}
_VALUES: dict[Kind, dict[str, str]] = {
    "BOX": {"touch": "false"},
    "BUTTON": {"touch": "false", "x": "0"},
    "LABEL": {"text": "", "touch": "false"},
    "FADER": {"touch": "false", "x": "0"},
    "RADIAL": {"touch": "false", "x": "0"},
    "GROUP": {"touch": "false"},
    "PAGER": {"page": "0", "touch": "false"},
}


@dataclass(frozen=True)
class Osc:
    """A message that a node sends, receives, or both.

    Parameters
    ----------
    address : str
        Of the message.
    value : str
        Value of the node that travels: ``x``, ``text``.
    constant : float, optional
        Sent instead of a value.
    when : {"ANY", "RISE", "FALL"}
        Change of `trigger` that sends it.
    trigger : str
        Value that sends it when it changes.
    low, high : float
        What 0 and 1 of the value are in the message.
    send, receive : bool
        In which directions it goes.
    """

    address: str
    value: str = "x"
    constant: float | None = None
    when: Literal["ANY", "RISE", "FALL"] = "ANY"
    trigger: str = "x"
    low: float = 0.0
    high: float = 1.0
    send: bool = True
    receive: bool = True


@dataclass(frozen=True)
class Node:
    """A control of TouchOSC, or a container of some.

    Parameters
    ----------
    kind : str
        Its type in the format.
    name : str
        Unique among its siblings: scripts find each other by it, and ids are made of it.
    frame : tuple of float
        ``x, y, w, h`` within its parent, in points.
    properties : mapping of str to tuple
        Type and value of each that differs from the kind's default.
    values : mapping of str to str
        Values at the start that differ from the kind's default.
    messages : tuple of Osc
        What it sends and receives.
    children : tuple of Node
        The last lies on top.
    """

    kind: Kind
    name: str
    frame: Frame
    properties: Mapping[str, Property] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    messages: tuple[Osc, ...] = ()
    children: tuple[Node, ...] = ()

    def __post_init__(self) -> None:
        names = [child.name for child in self.children]
        if len(names) != len(set(names)):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"{self.name}: two children are named {twice[0]}")


def encode(root: Node, version: Version) -> bytes:
    """Return the file of a layout; `root` is its canvas, a ``GROUP``."""
    return zlib.compress(xml(root, version).encode(), 9)


def xml(root: Node, version: Version) -> str:
    """Return the XML of a layout."""
    body = "".join(_node(root, root.name, version, is_root=True))
    return f"<?xml version='1.0' encoding='UTF-8'?><lexml version='{version}'>{body}</lexml>"


def _node(node: Node, path: str, version: Version, *, is_root: bool = False) -> Iterator[str]:
    yield f"<node ID='{uuid.uuid5(NAMESPACE, path)}' type='{node.kind}'>"
    if is_root and version >= 6:
        yield "<includes></includes>"
    every: dict[str, Property] = {**_COMMON, **_OF_KIND[node.kind], **node.properties}
    every |= {"frame": ("r", node.frame), "name": ("s", node.name)}
    if "gridSteps" in every and version >= 6:
        every["gridColor"] = ("c", (0.0, 0.0, 0.0, 0.25))
    yield "<properties>"
    yield from (_property(key, *every[key]) for key in sorted(every))
    yield "</properties><values>"
    for key, default in {**_VALUES[node.kind], **node.values}.items():
        yield (
            f"<value><key>{_cdata(key)}</key><locked>0</locked>"
            "<lockedDefaultCurrent>0</lockedDefaultCurrent>"
            f"<default>{_cdata(default)}</default><defaultPull>0</defaultPull></value>"
        )
    yield "</values>"
    if node.messages:
        yield "<messages>"
        yield from (_osc(message, version) for message in node.messages)
        yield "</messages>"
    if node.children:
        yield "<children>"
        yield from chain.from_iterable(
            _node(child, f"{path}/{child.name}", version) for child in node.children
        )
        yield "</children>"
    yield "</node>"


def _property(key: str, kind: str, value: Any) -> str:
    if kind == "r":
        body = _parts("xywh", value)
    elif kind == "c":
        body = _parts("rgba", value)
    elif kind == "s":
        body = _cdata(value)
    else:
        body = _number(value)
    return f"<property type='{kind}'><key>{_cdata(key)}</key><value>{body}</value></property>"


def _parts(names: str, numbers: tuple[float, ...]) -> str:
    return "".join(f"<{n}>{_number(v)}</{n}>" for n, v in zip(names, numbers, strict=True))


def _osc(osc: Osc, version: Version) -> str:
    conversion = "STRING" if osc.value == "text" else "FLOAT"
    if osc.constant is None:
        argument = _partial("VALUE", conversion, osc.value, osc.low, osc.high)
    else:
        argument = _partial("CONSTANT", conversion, f"{osc.constant:.10g}")
    trigger = (
        f"<triggers><trigger><var>{_cdata(osc.trigger)}</var>"
        f"<condition>{osc.when}</condition></trigger></triggers>"
    )
    return (
        f"<osc><enabled>1</enabled><send>{osc.send:d}</send><receive>{osc.receive:d}</receive>"
        # Without feedback a received value is not sent again.
        "<feedback>0</feedback>"
        + ("<noDuplicates>0</noDuplicates>" if version >= 6 else "")
        + f"<connections>{'1':0<{CONNECTIONS[version]}}</connections>"
        + (trigger if osc.send else "")
        + f"<path>{_partial('CONSTANT', 'STRING', osc.address)}</path>"
        f"<arguments>{argument}</arguments></osc>"
    )


def _partial(kind: str, conversion: str, value: str, low: float = 0.0, high: float = 1.0) -> str:
    return (
        f"<partial><type>{kind}</type><conversion>{conversion}</conversion>"
        f"<value>{_cdata(value)}</value><scaleMin>{_number(low)}</scaleMin>"
        f"<scaleMax>{_number(high)}</scaleMax></partial>"
    )


def _cdata(text: str) -> str:
    return f"<![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]>"


def _number(value: float) -> str:
    return f"{float(value):.6g}"
