"""What TouchOSC does with a layout, as far as the tests look: bindings, and scripts in Lua 5.1.

Written from Hexler's manual, not from ours: it reads the file, and knows neither generator nor
desk. A script gets the functions that TouchOSC gives it and no others.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from lupa import lua51

BASE = ("error", "ipairs", "next", "pairs", "print", "select", "tonumber", "tostring", "type")
LIBRARIES = ("math", "string", "table")


@dataclass(frozen=True)
class Color:
    r: float
    g: float
    b: float
    a: float = 1.0


@dataclass(frozen=True)
class Message:
    """An OSC message of a node; both partials have one part here."""

    address: str
    argument: tuple[str, str]  # CONSTANT or VALUE, and which
    low: float
    high: float
    sends: bool
    receives: bool
    triggers: tuple[tuple[str, str], ...]
    connections: str


class Values:
    """A node's values; setting one runs the script and sends what it triggers."""

    def __init__(self, node: Node, values: dict[str, Any]) -> None:
        object.__setattr__(self, "_node", node)
        object.__setattr__(self, "_values", values)

    def __getattr__(self, key: str) -> Any:
        try:
            return self._values[key]
        except KeyError:
            raise AttributeError(key) from None

    def __setattr__(self, key: str, value: Any) -> None:
        old = self._values[key]
        if key == "text":
            value = str(value)
        self._values[key] = value
        if value != old:
            self._node.app.changed(self._node, key, old)


class Node:
    def __init__(self, app: App, element: ET.Element, parent: Node | None) -> None:
        set_ = object.__setattr__
        set_(self, "app", app)
        set_(self, "parent", parent)
        set_(self, "kind", element.get("type"))
        set_(self, "ID", str(uuid.UUID(element.get("ID"))))
        set_(self, "properties", dict(map(_property, element.findall("properties/property"))))
        values = {v.findtext("key"): v.findtext("default") for v in element.findall("values/value")}
        set_(self, "values", Values(self, {k: _value(k, v or "") for k, v in values.items()}))
        set_(self, "messages", [_message(osc) for osc in element.findall("messages/osc")])
        nodes = [Node(app, child, self) for child in element.findall("children/node")]
        set_(self, "nodes", nodes)
        set_(self, "children", {node.name: node for node in nodes})
        set_(self, "functions", {})

    def __getattr__(self, key: str) -> Any:
        try:
            return self.properties[key]
        except KeyError:
            raise AttributeError(key) from None

    def __setattr__(self, key: str, value: Any) -> None:
        assert key in self.properties, f"{self.name}: no property {key}"
        self.properties[key] = value

    def walk(self) -> Iterator[Node]:
        yield self
        for node in self.nodes:
            yield from node.walk()

    def origin(self) -> tuple[float, float]:
        x, y = self.parent.origin() if self.parent else (0.0, 0.0)
        return x + self.frame[0], y + self.frame[1]


class App:
    """A layout that runs."""

    def __init__(self, file: bytes) -> None:
        document = ET.fromstring(zlib.decompress(file))  # noqa: S314 - our own file
        self.version = int(document.get("version"))
        self.sent: list[tuple[str, tuple[Any, ...]]] = []
        self.millis = 0.0
        self._receiving = False
        self.root = Node(self, document.find("node"), None)
        self.nodes = list(self.root.walk())
        self._start = [(n, dict(n.values._values), dict(n.properties)) for n in self.nodes]
        self._lua = lua51.LuaRuntime(unpack_returned_tuples=True)
        # Lupa 2.8 confuses Python objects that Lua has collected with new ones at their address.
        self._lua.execute("collectgarbage('stop')")
        self._load = self._lua.eval(
            "function(source, name, env) local f, e = loadstring(source, name)"
            " if not f then error(e) end setfenv(f, env) f() end"
        )
        # Compiled when they are called first: a test looks at few of them.
        self._ready: set[Node] = set()
        self._updated = [
            n for n in self.nodes if "function update" in n.properties.get("script", "")
        ]

    def reset(self) -> None:
        """Be as when the layout was opened."""
        self.sent.clear()
        self.millis = 0.0
        self._ready.clear()
        for node, values, properties in self._start:
            node.functions.clear()
            node.values._values.update(values)
            node.properties.update(properties)

    def compile(self, node: Node) -> dict[str, Any]:
        """Return what a node's script defines."""
        if node not in self._ready:
            self._ready.add(node)
            if node.properties.get("script"):
                self._run(node)
        return node.functions

    def _run(self, node: Node) -> None:
        lua = self._lua.globals()
        env = self._lua.table()
        for name in (*BASE, *LIBRARIES):
            env[name] = lua[name]
        env.self, env.root, env.Color = node, self.root, Color
        env.getMillis = lambda: self.millis
        env.sendOSC = self._send_osc
        self._load(node.script, node.name, env)
        names = ("init", "update", "onValueChanged", "onReceiveOSC")
        node.functions.update({name: env[name] for name in names if env[name]})

    def _send_osc(self, message: Any) -> None:
        path, arguments = message[1], message[2]
        values = [(each.tag, each.value) for each in arguments.values()]
        converted = tuple(int(v) if tag == "i" else v for tag, v in values)
        self.sent.append((path, converted))

    def changed(self, node: Node, key: str, old: Any) -> None:
        function = self.compile(node).get("onValueChanged")
        if function:
            function(key)
        if self._receiving is node:
            return  # feedback is off
        value = getattr(node.values, key)
        for message in node.messages:
            for var, condition in message.triggers:
                rises = bool(value) and not old
                fired = condition == "ANY" or (rises if condition == "RISE" else not rises)
                if message.sends and var == key and fired:
                    self.sent.append((message.address, (self._argument(node, message),)))

    def _argument(self, node: Node, message: Message) -> float:
        kind, word = message.argument
        value = float(word) if kind == "CONSTANT" else float(getattr(node.values, word))
        return message.low + value * (message.high - message.low)

    def receive(self, address: str, value: float | str) -> int:
        """Give a message to the nodes that receive it; return how many there are."""
        listen = self.compile(self.root).get("onReceiveOSC")
        if listen:  # the canvas hears everything, before the rest does
            listen(self._lua.table(address, self._lua.table()), self._lua.table())
        found = 0
        for node in self.nodes:
            for message in node.messages:
                kind, key = message.argument
                if message.address != address or not message.receives or kind != "VALUE":
                    continue
                found += 1
                self._receiving = node
                if key == "text":
                    node.values.text = f"{value:f}" if isinstance(value, float) else str(value)
                else:
                    share = (float(value) - message.low) / (message.high - message.low)
                    node.values.x = min(1.0, max(0.0, share))
                self._receiving = False
        return found

    def frame(self, millis: float) -> None:
        """Let time go by, and run every script's update."""
        self.millis += millis
        for node in self._updated:
            self.compile(node)["update"]()

    def press(self, node: Node) -> None:
        assert node.kind == "BUTTON"
        assert node.interactive
        node.values.touch = True
        node.values.x = 1.0 if node.buttonType == 0 else 1.0 - node.values.x

    def release(self, node: Node) -> None:
        node.values.touch = False
        if node.buttonType == 0:
            node.values.x = 0.0

    def drag(self, node: Node, x: float) -> None:
        assert node.interactive
        node.values.x = x

    def find(self, name: str, page: str = "") -> Node:
        """Return the first node of a name, on a page with a tab of that name."""
        start = self.root if not page else self.find(page)
        return next(node for node in start.walk() if node.name == name)


def _property(element: ET.Element) -> tuple[str, Any]:
    key, kind = element.findtext("key"), element.get("type")
    value = element.find("value")
    if kind == "r":
        return key, tuple(float(value.findtext(axis)) for axis in "xywh")
    if kind == "c":
        return key, Color(*(float(value.findtext(part)) for part in "rgba"))
    text = value.text or ""
    return key, {"b": lambda: text == "1", "i": lambda: int(text), "f": lambda: float(text)}.get(
        kind, lambda: text
    )()


def _value(key: str, text: str) -> Any:
    if key == "text":
        return text
    return text == "true" if key == "touch" else float(text)


def _message(osc: ET.Element) -> Message:
    partials = [
        (
            p.findtext("type"),
            p.findtext("value"),
            float(p.findtext("scaleMin")),
            float(p.findtext("scaleMax")),
        )
        for p in osc.findall("path/partial") + osc.findall("arguments/partial")
    ]
    (kind, address, _, _), (argument, which, low, high) = partials
    assert kind == "CONSTANT"
    triggers = [
        (t.findtext("var"), t.findtext("condition")) for t in osc.findall("triggers/trigger")
    ]
    return Message(
        address,
        (argument, which),
        low,
        high,
        osc.findtext("send") == "1",
        osc.findtext("receive") == "1",
        tuple(triggers),
        osc.findtext("connections"),
    )
