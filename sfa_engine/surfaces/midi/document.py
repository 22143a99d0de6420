"""A profile as it is written: the keys of its TOML, typed, each with its sentence.

The JSON Schema, the tables of the documents and the parser are all derived from these classes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

MAX_ITEMS = 128  # controls in one entry: as many as there are notes
MAX_STATES = 64  # of a layer
MAX_LAYERS = 63  # one bit each at least, of an int64 without its sign

Text = Annotated[str, Meta(max_length=400)]
Name = Annotated[str, Meta(min_length=1, max_length=60)]
Number = Annotated[int, Meta(ge=0, le=127)]
Numbers = Number | Annotated[list[Number], Meta(min_length=1, max_length=MAX_ITEMS)]
Wide = Annotated[int, Meta(ge=0, le=16383)]
Wides = Wide | Annotated[list[Wide], Meta(min_length=1, max_length=MAX_ITEMS)]
Channel = Annotated[int, Meta(ge=1, le=16)]
Channels = Channel | Literal["any"] | Annotated[list[Channel], Meta(min_length=1, max_length=16)]
Texts = Text | Annotated[list[Text], Meta(min_length=1, max_length=MAX_ITEMS)]
States = dict[Name, Name]
Conditions = dict[Name, Name | Annotated[list[Name], Meta(min_length=1, max_length=MAX_STATES)]]
Real = Annotated[float, Meta(ge=-1e9, le=1e9)]
Value = Real | bool | Name
Hex = Annotated[str, Meta(max_length=400)]

EncodingName = Literal["absolute", "twos", "offset64", "sign", "button"]
KindName = Literal["set", "toggle", "hold", "cycle", "step", "press", "bend"]


class Match(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which ports the profile is for."""

    port: Annotated[
        Text,
        Meta(description="Regular expression, searched in the port's name; case does not matter."),
    ] = ""
    identity: Annotated[
        Hex | Annotated[list[Hex], Meta(max_length=64)],
        Meta(description="Replies to an identity request, in hex; `??` stands for any byte."),
    ] = ""
    model: Annotated[
        Number,
        Meta(
            description="Number of the model, for `{model}` in lamps, until the device has "
            "answered an identity request."
        ),
    ] = 127
    fallback: Annotated[
        bool, Meta(description="Whether it is for controllers that no other profile matches.")
    ] = False


class Light(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a lamp is sent."""

    send: Annotated[
        Hex,
        Meta(
            description="`note` or `cc`, of the number and channel of the control; or a message "
            "in hex, with `{number}`, `{status}`, `{i}`, `{n}`, `{value}`, `{r}`, `{g}`, `{b}`, "
            "`{model}`."
        ),
    ] = "note"
    send_off: Annotated[
        Hex, Meta(description="The message that puts it out, where that is another one.")
    ] = ""
    channel: Annotated[
        Channel | None, Meta(description="MIDI channel of the lamp; of the control if left out.")
    ] = None
    number: Annotated[
        Numbers | None, Meta(description="Number of the lamp; of the control if left out.")
    ] = None
    on: Annotated[
        Number | Text,
        Meta(description="Value when it is lit: a number, `#rrggbb`, or `desk` for its colour."),
    ] = 127
    off: Annotated[
        Number | Text,
        Meta(description="Value when it is not: a number, `#rrggbb`, or `dim`: a sixth of `on`."),
    ] = 0
    shows: Annotated[
        Texts,
        Meta(description="Control or meter that it shows; if left out, the one that is bound."),
    ] = ""


class Binding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a control does, in some states of the layers."""

    when: Annotated[
        Conditions,
        Meta(description="Layers and the states, one or a list, in which the binding is in force."),
    ] = {}
    do: Annotated[
        Texts,
        Meta(
            description="Control that it sets, with `{focus}`, `{n}`, `{n+8}`, `{each}`; "
            "`control = value` sets that value; `deck1.load` loads the selected track; "
            "`this & that` does both."
        ),
    ] = ""
    kind: Annotated[
        KindName | None,
        Meta(description="What a press or move does; if left out, what the control is made for."),
    ] = None
    state: Annotated[
        States, Meta(description="Layers that it puts into a state, instead of `do`.")
    ] = {}
    value: Annotated[
        Value | None, Meta(description="What a press or hold sets, in the control's unit.")
    ] = None
    range: Annotated[
        tuple[Real, Real] | None,
        Meta(description="Values at both ends of the travel, in the control's unit."),
    ] = None
    invert: Annotated[bool, Meta(description="Whether the travel is the other way round.")] = False
    takeover: Annotated[
        Literal["pickup", "jump"] | None,
        Meta(description="Whether a fader waits until it has reached the value."),
    ] = None
    step: Annotated[
        Annotated[float, Meta(gt=0, le=1e6)] | None,
        Meta(description="Of a relative control's tick: part of the travel; of a bend, its value."),
    ] = None
    ticks: Annotated[
        Annotated[int, Meta(gt=0, le=100_000)] | None,
        Meta(description="Ticks of a jog wheel's whole turn, for the platter that it moves."),
    ] = None
    velocity: Annotated[
        bool | None, Meta(description="Whether a press passes on how hard it was.")
    ] = None
    light: Annotated[
        Light | Name | bool | None,
        Meta(description="Its lamp: a name of `lights`, a table, or false for none."),
    ] = None


class Entry(Binding, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A physical control, or a row of them."""

    name: Annotated[
        Name, Meta(description="What is printed on it; `{n}` counts the controls of a row.")
    ]
    note: Annotated[Numbers | None, Meta(description="Note that it sends.")] = None
    cc: Annotated[Numbers | None, Meta(description="Control change that it sends.")] = None
    cc14: Annotated[
        Annotated[int, Meta(ge=0, le=127)]
        | Annotated[list[Number], Meta(min_length=1, max_length=MAX_ITEMS)]
        | None,
        Meta(description="Control change of the upper half of a 14-bit pair."),
    ] = None
    lsb: Annotated[
        Numbers | None, Meta(description="Of the lower half; 32 more than `cc14` if left out.")
    ] = None
    nrpn: Annotated[Wides | None, Meta(description="NRPN that it sends.")] = None
    program: Annotated[Numbers | None, Meta(description="Program change that it sends.")] = None
    poly: Annotated[Numbers | None, Meta(description="Note whose pressure it sends.")] = None
    pitch: Annotated[bool, Meta(description="Whether it sends pitch bend.")] = False
    pressure: Annotated[bool, Meta(description="Whether it sends channel pressure.")] = False
    channel: Annotated[
        Channels | None,
        Meta(description="MIDI channel, 1 to 16, or `any`; of the file if left out."),
    ] = None
    encoding: Annotated[
        EncodingName | None,
        Meta(description="How its number is read; if left out, by message and `kind`."),
    ] = None
    each: Annotated[
        Annotated[list[Text], Meta(min_length=1, max_length=MAX_ITEMS)] | None,
        Meta(description="Words for `{each}`, one a control of the row."),
    ] = None
    bindings: Annotated[
        Annotated[list[Binding], Meta(max_length=MAX_STATES)],
        Meta(description="What it does in states of the layers."),
    ] = []
    group: Annotated[Name | None, Meta(description="Block of the picture that it is in.")] = None
    columns: Annotated[
        Annotated[int, Meta(ge=1, le=16)] | None,
        Meta(description="In how many columns the picture shows the row."),
    ] = None
    upwards: Annotated[
        bool, Meta(description="Whether the picture begins at the bottom, as pads are counted.")
    ] = False
    source: Annotated[
        Text, Meta(description="Where the codes were read; of the file if left out.")
    ] = ""
    certain: Annotated[
        bool | None, Meta(description="Whether the codes are certain; of the file if left out.")
    ] = None


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A profile."""

    name: Annotated[
        str,
        Meta(
            pattern="^[a-z0-9][a-z0-9-]{0,39}$",
            description="What it is called in commands: small letters, digits and hyphens.",
        ),
    ]
    title: Annotated[Name, Meta(description="Maker and model.")]
    notes: Annotated[
        str,
        Meta(max_length=4000, description="What a performer has to know; what is left to learn."),
    ] = ""
    source: Annotated[Text, Meta(description="Where the codes were read.")] = ""
    certain: Annotated[bool, Meta(description="Whether the codes are certain.")] = False
    channel: Annotated[
        Channel | Literal["any"], Meta(description="MIDI channel of entries that name none.")
    ] = 1
    match: Match = Match()
    init: Annotated[
        Annotated[list[Hex], Meta(max_length=64)],
        Meta(description="Messages to send when the device is opened, in hex."),
    ] = []
    shutdown: Annotated[
        Annotated[list[Hex], Meta(max_length=64)],
        Meta(description="Messages to send before it is closed, in hex."),
    ] = []
    layers: Annotated[
        dict[Name, Annotated[list[Name], Meta(min_length=2, max_length=MAX_STATES)]],
        Meta(
            description="Layers and their states, the first of which is in force at the start; "
            "`focus`, the deck, is there by itself."
        ),
    ] = {}
    lights: Annotated[
        dict[Name, Light], Meta(description="Kinds of lamps, for entries to name.")
    ] = {}
    palette: Annotated[
        dict[Name, Number],
        Meta(description="Number of each colour of the desk, for lamps with a palette."),
    ] = {}
    control: Annotated[
        Annotated[list[Entry], Meta(max_length=512)],
        Meta(description="The controls, each in a table of its own."),
    ] = []


MESSAGE_KEYS = ("note", "cc", "cc14", "nrpn", "program", "poly", "pitch", "pressure")


def message_keys(entry: Entry) -> list[str]:
    """Return the keys of the messages that an entry sends: one, in one that is valid."""
    given = ((key, getattr(entry, key)) for key in MESSAGE_KEYS)
    return [key for key, value in given if value is not None and value is not False]


def sentence(table: type[msgspec.Struct], key: str) -> str:
    """Return what a key of a table says; empty of one that is a table itself."""
    part = _schema_of(table)["properties"][key]
    return str(part.get("description", ""))


def values_of(table: type[msgspec.Struct], key: str) -> str:
    """Return what a key of a table may be, in words."""
    return _words(_schema_of(table)["properties"][key])


def _schema_of(table: type[msgspec.Struct]) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.schema(table)["$defs"][table.__name__]
    return found


def _words(part: dict[str, Any]) -> str:
    """Return the type that a part of a JSON Schema describes, in words."""
    if "anyOf" in part:
        words = [_words(each) for each in part["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(words))
    if "enum" in part:
        return ", ".join(f"`{option}`" for option in part["enum"] if option is not None)
    if "$ref" in part:
        return "a table"
    kind = part.get("type", "")
    if kind in {"integer", "number"} and "maximum" in part:
        low, high = part.get("minimum", part.get("exclusiveMinimum")), part["maximum"]
        return f"{low:g} to {high:g}" if abs(high) < 1e9 else "a number"
    if kind == "array":
        items = part.get("items")
        return f"a list of {_words(items)}" if items else "two numbers"
    names = {"string": "text", "boolean": "true, false", "object": "a table"}
    return names.get(kind, str(kind))


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a profile."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Profile of a MIDI controller",
        **msgspec.json.schema(Document),
    }


if __name__ == "__main__":
    import json

    print(json.dumps(schema(), indent=1))
